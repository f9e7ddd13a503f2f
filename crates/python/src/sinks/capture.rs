//! Keeps every update of a table, for tests and for printing.
//!
//! Every process keeps all of them: a program that goes on with the rows has to be the same program everywhere.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use towpath_engine::state::{Saved, no_table};
use towpath_engine::{Description, EngineError, NodeId, Operator, Output, PlanError, Routing, Task, TaskContext};
use towpath_types::{Batch, DType, Key, Time};

use super::Collected;
use crate::door::Visit;
use crate::pointer::PyPointer;
use crate::value::cell_to_python;

type Captured = Mutex<Vec<(Time, Batch)>>;

/// Keeps every update of a table, as long as somebody wants them: the plan keeps the sink for ever.
#[derive(Debug)]
pub(crate) struct CaptureSink {
    captured: Weak<Captured>,
}

impl Operator for CaptureSink {
    fn name(&self) -> &'static str {
        "capture"
    }

    fn describe(&self, _description: &mut Description) {
        // It has no settings.
    }

    fn output(&self, _inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
        Ok(Vec::new())
    }

    fn routing(&self, _input: usize) -> Routing {
        Routing::ToEveryProcess
    }

    fn append_only(&self, _inputs: &[bool]) -> bool {
        true
    }

    fn start(&self, _context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        // What a run before has left. No time of this one is complete before all workers have started.
        let captured = self.captured.upgrade();
        if let Some(captured) = &captured {
            captured.lock().clear();
        }
        Ok(Box::new(Capturing {
            captured,
            collected: Collected::default(),
        }))
    }
}

struct Capturing {
    captured: Option<Arc<Captured>>,
    collected: Collected,
}

impl Task for Capturing {
    fn absorb(&mut self, _input: usize, batch: Batch, _output: &mut Output) -> Result<(), EngineError> {
        self.collected.absorb(batch);
        Ok(())
    }

    fn complete(&mut self, time: Time, _output: &mut Output) -> Result<(), EngineError> {
        let batches = self.collected.take(&[]);
        let batches = batches.into_iter().filter(|batch| !batch.is_empty());
        if let Some(captured) = &self.captured {
            captured.lock().extend(batches.map(|batch| (time, batch)));
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

/// Takes the updates of a table during the run it is part of.
#[pyclass(name = "Capture", module = "pathway._native", frozen)]
#[derive(Debug)]
pub(crate) struct PyCapture {
    captured: Arc<Captured>,
    pub(crate) node: NodeId,
}

impl PyCapture {
    /// A capture whose sink `put` puts into a plan.
    pub(crate) fn new(put: impl FnOnce(CaptureSink) -> PyResult<NodeId>) -> PyResult<Self> {
        let captured = Arc::default();
        let node = put(CaptureSink {
            captured: Arc::downgrade(&captured),
        })?;
        Ok(Self { captured, node })
    }
}

#[pymethods]
impl PyCapture {
    /// (key, row, time, diff) in the order of times, deletions first.
    #[expect(clippy::type_complexity, reason = "a tuple of Python")]
    fn updates<'py>(&self, py: Python<'py>) -> PyResult<Vec<(PyPointer, Bound<'py, PyTuple>, Time, i64)>> {
        let mut updates = Vec::new();
        let mut visit = Visit::begin(py);
        let captured = self.captured.lock().clone();
        for (time, batch) in captured {
            for row in 0..batch.len() {
                visit = visit.go_on(py);
                let values: Vec<_> = batch
                    .columns()
                    .iter()
                    .map(|column| cell_to_python(py, column, row))
                    .collect::<PyResult<_>>()?;
                updates.push((
                    PyPointer(batch.keys()[row]),
                    PyTuple::new(py, values)?,
                    time,
                    batch.diff(row),
                ));
            }
        }
        drop(visit);
        Ok(updates)
    }
}
