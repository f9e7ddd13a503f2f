//! `Plan`: what to compute. A method an operator, each only a translation.

mod operators;
mod outputs;
mod runs;
mod settings;
mod sources;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use towpath_engine::plan::Input;
use towpath_engine::{ColumnId, NodeId, Operator, Origin, Plan, Run, RunOptions};
use towpath_types::{DType, Field, Key, Time, Value};

use crate::dtype::PyDType;
use crate::error::{OriginArgument, engine_error, plan_error};
use crate::expression::PyExpression;
use crate::plan::runs::{OutputKind, Refusal, Runs};
use crate::plan::settings::{PyMember, PyPersistence};
use crate::pointer::PyPointer;
use crate::run::PyRun;
use crate::sinks::capture::PyCapture;
use crate::subject::Starting;
use crate::value::convert;

/// A column of a source.
#[pyclass(name = "Field", module = "pathway._native", frozen, from_py_object)]
#[derive(Clone, Debug)]
pub(crate) struct PyField(pub(crate) Field);

#[pymethods]
impl PyField {
    #[new]
    #[pyo3(signature = (name, dtype, primary_key=false, has_default=false, default=None))]
    fn new(
        name: String,
        dtype: PyDType,
        primary_key: bool,
        has_default: bool,
        default: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let default = match default {
            _ if !has_default => None,
            Some(default) => Some(convert(default, &dtype.0)?),
            None => Some(Value::None),
        };
        Ok(Self(Field {
            name,
            dtype: dtype.0,
            primary_key,
            default,
        }))
    }

    #[getter]
    fn name(&self) -> String {
        self.0.name.clone()
    }

    #[getter]
    fn dtype(&self) -> PyDType {
        PyDType(self.0.dtype.clone())
    }

    #[getter]
    fn primary_key(&self) -> bool {
        self.0.primary_key
    }
}

/// What to compute.
#[pyclass(name = "Plan", module = "pathway._native", frozen)]
#[derive(Debug, Default)]
pub(crate) struct PyPlan(Mutex<Building>);

#[derive(Debug, Default)]
struct Building {
    plan: Plan,
    /// Which outputs run, and what they must not have in common.
    runs: Runs,
    /// How many connectors without a name read or write the same.
    seeds: BTreeMap<String, usize>,
}

impl Building {
    /// Remembers a name that the user gave to the connector that is added next.
    fn named(&mut self, name: Option<&String>) {
        if let Some(name) = name {
            self.runs.named(name, NodeId(self.plan.len()));
        }
    }

    /// What the next source is called, and what its generated keys are made from: its name, which is unique. Without
    /// one it is what it reads, and how many have read that before; so keys stay the same when the plan around it
    /// changes.
    fn source_name(&mut self, name: Option<String>, default: &str, path: &str) -> (String, String) {
        self.named(name.as_ref());
        if let Some(name) = name {
            return (name.clone(), name);
        }
        (default.to_owned(), self.known_as(format!("{default} {path}")))
    }

    /// What a connector without a name is known by: what it does, and how many have done that before.
    fn known_as(&mut self, what: String) -> String {
        let times = self.seeds.entry(what.clone()).or_insert(0);
        *times += 1;
        // A name that a user gives has no line feed at its end.
        format!("{what} {times}\n")
    }
}

/// Why something is not run, as an exception.
fn refused(refusal: Refusal) -> PyErr {
    match refusal {
        Refusal::Running(message) => PyRuntimeError::new_err(message),
        Refusal::Collision(message) => PyValueError::new_err(message),
    }
}

type NamedColumns = Vec<(String, usize)>;

fn input(node: usize, columns: &[usize]) -> Input {
    Input {
        node: NodeId(node),
        columns: columns.iter().copied().map(ColumnId).collect(),
    }
}

fn split(columns: NamedColumns) -> (Vec<String>, Vec<usize>) {
    columns.into_iter().unzip()
}

impl PyPlan {
    fn operator(
        &self,
        operator: impl Operator + 'static,
        inputs: Vec<Input>,
        origin: OriginArgument,
    ) -> PyResult<usize> {
        let mut building = self.0.lock();
        let node = building
            .plan
            .operator(Arc::new(operator), inputs, origin.0)
            .map_err(plan_error)?;
        Ok(node.0)
    }

    /// Adds an output; the name is one that the user gave, the path that of the file it writes to.
    #[expect(clippy::too_many_arguments, reason = "what there is to say of an output")]
    fn output(
        &self,
        operator: impl Operator + 'static,
        node: usize,
        columns: &[usize],
        origin: Option<Origin>,
        kind: OutputKind,
        name: Option<String>,
        path: Option<String>,
    ) -> PyResult<NodeId> {
        let mut building = self.0.lock();
        let output = building
            .plan
            .output(Arc::new(operator), input(node, columns), origin)
            .map_err(plan_error)?;
        building.runs.declared(output, kind);
        if let Some(name) = name {
            building.runs.named(&name, output);
        }
        if let Some(path) = path {
            building.runs.writes_to(&path, output);
        }
        Ok(output)
    }
}

#[pymethods]
impl PyPlan {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// The plan as text.
    fn explain(&self) -> String {
        self.0.lock().plan.explain()
    }

    /// The sources that the rows of a node come from.
    fn sources(&self, node: usize) -> Vec<usize> {
        let sources = self.0.lock().plan.sources(NodeId(node));
        sources.into_iter().map(|source| source.0).collect()
    }

    /// The columns that the operator of a node puts out.
    fn columns(&self, node: usize) -> Vec<usize> {
        self.0
            .lock()
            .plan
            .columns(NodeId(node))
            .iter()
            .map(|column| column.0)
            .collect()
    }

    /// The type of a column.
    fn dtype(&self, column: usize) -> PyDType {
        PyDType(self.0.lock().plan.dtype(ColumnId(column)).clone())
    }

    /// An expression that is one column.
    fn expression(&self, column: usize) -> PyExpression {
        PyExpression(self.0.lock().plan.expression(ColumnId(column)))
    }

    /// A column computed from others.
    fn define(&self, node: usize, expression: PyExpression) -> PyResult<usize> {
        let column = self
            .0
            .lock()
            .plan
            .define(NodeId(node), expression.0)
            .map_err(plan_error)?;
        Ok(column.0)
    }

    /// Says what messages call columns; the first name counts.
    fn name_columns(&self, columns: NamedColumns) {
        let mut building = self.0.lock();
        for (name, column) in columns {
            building.plan.name(ColumnId(column), &name);
        }
    }

    /// Whether the column is there for every row of the node.
    fn is_visible(&self, column: usize, node: usize) -> bool {
        self.0.lock().plan.is_visible(ColumnId(column), NodeId(node))
    }

    /// Whether rows of the node are never removed.
    fn is_append_only(&self, node: usize) -> bool {
        self.0.lock().plan.is_append_only(NodeId(node))
    }

    /// Starts a run: of the captures if some are given, else of what was declared since the last run of this kind,
    /// else of what that has run.
    #[pyo3(signature = (*, everything, debug, workers, terminate_on_error, start_time, captures_only, cluster, persistence))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords")]
    fn run(
        &self,
        py: Python<'_>,
        everything: bool,
        debug: bool,
        workers: usize,
        terminate_on_error: bool,
        start_time: Option<Time>,
        captures_only: Option<Vec<Bound<'_, PyCapture>>>,
        cluster: Option<PyMember>,
        persistence: Option<PyPersistence>,
    ) -> PyResult<PyRun> {
        // Who sends rows meanwhile waits for it.
        let _starting = Starting::new();
        let captures: Option<Vec<NodeId>> =
            captures_only.map(|captures| captures.iter().map(|capture| capture.get().node).collect());
        let (plan, chosen) = {
            let mut building = self.0.lock();
            let Building { plan, runs, .. } = &mut *building;
            let chosen = match captures {
                Some(captures) => runs.of_captures(plan, captures),
                None => runs.of_outputs(plan, everything, debug),
            };
            (plan.clone(), chosen.map_err(refused)?)
        };
        // The first process speaks for all.
        if cluster.as_ref().is_none_or(|cluster| cluster.process == 0) {
            for message in &chosen.messages {
                crate::log::warning(py, message)?;
            }
        }
        let options = RunOptions {
            workers,
            terminate_on_error,
            start: start_time,
            everything,
            outputs: Some(chosen.outputs),
            cluster: cluster.map(PyMember::into_member),
            persistence: persistence
                .map(|persistence| persistence.into_persistence(py, &plan))
                .transpose()?,
            ..RunOptions::default()
        };
        let run = py
            .detach(|| Run::start(&plan, options))
            .map_err(|error| engine_error(py, &error))?;
        Ok(PyRun::new(run, chosen.running))
    }
}

/// The key that rows with these values have.
#[pyfunction]
pub(crate) fn pointer_from(values: &Bound<'_, PyAny>) -> PyResult<PyPointer> {
    let values: Vec<Value> = values
        .try_iter()?
        .map(|value| convert(&value?, &DType::Any))
        .collect::<PyResult<_>>()?;
    Ok(PyPointer(Key::for_values(&values)))
}
