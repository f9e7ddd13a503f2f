//! Calls Python functions with the changes of a table, under one acquisition of the GIL a batch.

use std::sync::Arc;

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyString, PyTuple};
use towpath_engine::monitor::Counters;
use towpath_engine::state::{Saved, no_table};
use towpath_engine::{
    Description, EngineError, KeptOutput, Operator, Output, PlanError, Reporter, Routing, Task, TaskContext, listed,
};
use towpath_types::{Batch, DType, Key, Time};

use super::committing::{Committing, Hooks};
use super::{Collected, has_error};
use crate::door;
use crate::error::raised;
use crate::pointer::PyPointer;
use crate::value::cell_to_python;

/// How many rows are handed over before other Python threads get their turn.
const ROWS_A_TURN: usize = 1024;

/// Calls Python functions with the changes of a table.
#[derive(Debug)]
pub(crate) struct Subscribe {
    pub(crate) name: Option<String>,
    /// What it is where it has no name: a label, and what a run that is kept finds it by.
    pub(crate) default_name: Option<(String, String)>,
    pub(crate) columns: Vec<String>,
    pub(crate) on_change: Option<Py<PyAny>>,
    pub(crate) on_time_end: Option<Py<PyAny>>,
    pub(crate) on_end: Option<Py<PyAny>>,
    pub(crate) hooks: Arc<Hooks>,
    pub(crate) skip_errors: bool,
    pub(crate) sort_by: Vec<usize>,
}

impl Operator for Subscribe {
    fn name(&self) -> &'static str {
        "subscribe"
    }

    fn label(&self) -> String {
        let default = self.default_name.as_ref().map(|(label, _)| label);
        let label = self.name.as_ref().or(default);
        label.cloned().unwrap_or_else(|| "subscribe".to_owned())
    }

    fn describe(&self, description: &mut Description) {
        let default = self.default_name.as_ref().map(|(_, known_as)| known_as);
        if let Some(name) = self.name.as_ref().or(default) {
            description.known_as(name);
        }
        // They are called in process 0 alone.
        for (label, function) in [
            ("on_change", &self.on_change),
            ("on_time_end", &self.on_time_end),
            ("on_end", &self.on_end),
        ] {
            description.set(label, if function.is_some() { "given" } else { "not given" });
        }
        description.set("columns", listed(&self.columns));
        description.set("skip_errors", self.skip_errors);
        description.set("sort_by", listed(&self.sort_by));
    }

    fn output(&self, _inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
        Ok(Vec::new())
    }

    fn routing(&self, _input: usize) -> Routing {
        Routing::ToFirst
    }

    fn append_only(&self, _inputs: &[bool]) -> bool {
        true
    }

    fn start(&self, context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        let mut committing = None;
        if context.worker == 0 {
            committing = Committing::begin(&self.hooks, &self.label(), context.kept.as_ref())?;
        }
        Ok(door::attach(|py| {
            let shared = |function: &Option<Py<PyAny>>| function.as_ref().map(|function| function.clone_ref(py));
            Box::new(Subscriber {
                names: self
                    .columns
                    .iter()
                    .map(|name| PyString::intern(py, name).unbind())
                    .collect(),
                on_change: shared(&self.on_change),
                on_time_end: shared(&self.on_time_end),
                on_end: shared(&self.on_end),
                skip_errors: self.skip_errors,
                sort_by: self.sort_by.clone(),
                reporter: context.reporter,
                counters: context.counters,
                is_first: context.worker == 0,
                kept: context.kept,
                committing,
                collected: Collected::default(),
            })
        }))
    }
}

/// The arguments of `on_change`.
const NAMES: [&str; 4] = ["key", "row", "time", "is_addition"];

/// What came of functions that were called.
type Called = Result<(), EngineError>;

/// An exception that a function raised, with the call.
#[cold]
fn failed(
    function: &Bound<'_, PyAny>,
    error: PyErr,
    role: &str,
    names: &[&str],
    arguments: &[Bound<'_, PyAny>],
) -> EngineError {
    let py = function.py();
    let call = || {
        let named = PyDict::new(py);
        for (name, argument) in names.iter().zip(arguments) {
            named.set_item(name, argument)?;
        }
        let calls = py.import("pathway._ground.calls")?;
        let call = calls.call_method("failed_call", (role, function), Some(&named))?;
        call.extract::<Option<String>>()
    };
    // Others, such as `KeyboardInterrupt`, are no failures.
    let place = if error.is_instance_of::<PyException>(py) {
        call().unwrap_or_default()
    } else {
        None
    };
    EngineError {
        place: place.map(String::into_boxed_str),
        ..raised(py, error)
    }
}

struct Subscriber {
    names: Vec<Py<PyString>>,
    on_change: Option<Py<PyAny>>,
    on_time_end: Option<Py<PyAny>>,
    on_end: Option<Py<PyAny>>,
    skip_errors: bool,
    sort_by: Vec<usize>,
    reporter: Reporter,
    counters: Arc<Counters>,
    is_first: bool,
    kept: Option<KeptOutput>,
    /// If it takes part in commits.
    committing: Option<Committing>,
    collected: Collected,
}

impl Subscriber {
    /// The rows without errors; the others are reported.
    fn without_errors(&self, batch: Batch) -> Result<Batch, EngineError> {
        if !self.skip_errors || batch.columns().iter().all(|column| column.errors().is_none()) {
            return Ok(batch);
        }
        let mut kept = Vec::new();
        for row in 0..batch.len() {
            if has_error(&batch, row, &self.reporter)? {
                self.counters.leave_out(1);
            } else {
                kept.push(row as u32);
            }
        }
        Ok(batch.take(&kept))
    }

    fn call(&self, py: Python<'_>, batch: &Batch, rows: std::ops::Range<usize>, time: Time) -> PyResult<Called> {
        let Some(on_change) = &self.on_change else {
            return Ok(Ok(()));
        };
        let on_change = on_change.bind(py);
        let time = time.into_pyobject(py)?.into_any();
        let names = PyTuple::new(py, NAMES.map(|name| PyString::intern(py, name)))?;
        for row in rows {
            if self.reporter.is_cancelled() {
                break;
            }
            let values = PyDict::new(py);
            for (name, column) in self.names.iter().zip(batch.columns()) {
                values.set_item(name.bind(py), cell_to_python(py, column, row)?)?;
            }
            let change = [
                Bound::new(py, PyPointer(batch.keys()[row]))?.into_any(),
                values.into_any(),
                time.clone(),
                PyBool::new(py, batch.diff(row) > 0).to_owned().into_any(),
            ];
            if let Err(error) = door::call(on_change, &change, Some(&names)) {
                return Ok(Err(failed(on_change, error, "on_change", &NAMES, &change)));
            }
            self.counters.deliver(1);
        }
        Ok(Ok(()))
    }

    /// Calls the functions with the changes of a time, if there are any.
    fn hand_over(&self, batches: &[Batch], time: Time) -> Result<(), EngineError> {
        for batch in batches {
            let mut start = 0;
            while start < batch.len() {
                let end = batch.len().min(start + ROWS_A_TURN);
                door::attach(|py| {
                    self.call(py, batch, start..end, time)
                        .unwrap_or_else(|error| Err(raised(py, error)))
                })?;
                start = end;
            }
        }
        if self.reporter.is_cancelled() {
            return Ok(());
        }
        if let Some(on_time_end) = self.on_time_end.as_ref().filter(|_| !batches.is_empty()) {
            door::attach(|py| {
                let time = [time
                    .into_pyobject(py)
                    .map_err(|error| raised(py, error.into()))?
                    .into_any()];
                let called = door::call(on_time_end.bind(py), &time, None).map(drop);
                called.map_err(|error| failed(on_time_end.bind(py), error, "on_time_end", &["time"], &time))
            })?;
        }
        Ok(())
    }

    /// Commits what may be, and hands over what comes then.
    fn go_on_committing(&mut self) -> Result<(), EngineError> {
        while !self.reporter.is_cancelled() {
            let Some(committing) = &mut self.committing else {
                return Ok(());
            };
            let Some((time, batches)) = committing.next()? else {
                return Ok(());
            };
            self.hand_over(&batches, time)?;
            if let Some(committing) = self.committing.as_mut().filter(|_| !self.reporter.is_cancelled()) {
                committing.prepare(time)?;
            }
        }
        Ok(())
    }
}

impl Task for Subscriber {
    fn absorb(&mut self, _input: usize, batch: Batch, _output: &mut Output) -> Result<(), EngineError> {
        self.collected.absorb(batch);
        Ok(())
    }

    fn complete(&mut self, time: Time, _output: &mut Output) -> Result<(), EngineError> {
        let mut batches = Vec::new();
        for batch in self.collected.take(&self.sort_by) {
            batches.push(self.without_errors(batch)?);
        }
        batches.retain(|batch| !batch.is_empty());
        match &mut self.committing {
            Some(committing) if !batches.is_empty() => {
                committing.push(time, batches);
                self.go_on_committing()
            }
            Some(_) => Ok(()),
            None => {
                self.hand_over(&batches, time)?;
                if let Some(kept) = self.kept.as_ref().filter(|_| !self.reporter.is_cancelled()) {
                    kept.deliver(time, Vec::new());
                }
                Ok(())
            }
        }
    }

    fn durable(&mut self, time: Time) -> Result<(), EngineError> {
        if let Some(committing) = &mut self.committing {
            committing.durable(time);
        }
        self.go_on_committing()
    }

    fn released(&self, durable: Time) -> Time {
        let committing = self.committing.as_ref();
        committing.map_or(durable, |committing| committing.released(durable))
    }

    fn delivered(&self, noted: Option<Time>) -> Option<Time> {
        self.committing.as_ref().map_or(noted, Committing::delivered)
    }

    fn awaits_durability(&self) -> bool {
        self.committing.as_ref().is_some_and(Committing::awaits)
    }

    fn finish(&mut self) -> Result<(), EngineError> {
        if let Some(on_end) = self.on_end.as_ref().filter(|_| self.is_first) {
            door::attach(|py| {
                let called = door::call(on_end.bind(py), &[], None).map(drop);
                called.map_err(|error| failed(on_end.bind(py), error, "on_end", &[], &[]))
            })?;
        }
        Ok(())
    }

    fn save(&mut self, _saved: &mut Saved) {
        // It has no state between times.
    }

    fn restore(&mut self, table: u16, _rows: Batch, _owners: &[Key]) -> Result<(), EngineError> {
        Err(no_table(table))
    }
}
