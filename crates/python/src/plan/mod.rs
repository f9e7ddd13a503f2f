//! `Plan`: what to compute. A method an operator, each only a translation.

mod operators;
mod outputs;
mod sources;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use towpath_engine::plan::Input;
use towpath_engine::{Cluster, ColumnId, NodeId, Operator, Origin, Plan, Run, RunOptions};
use towpath_types::{DType, Field, Key, Time, Value};

use crate::dtype::PyDType;
use crate::error::{OriginArgument, engine_error, plan_error};
use crate::expression::PyExpression;
use crate::pointer::PyPointer;
use crate::run::PyRun;
use crate::sinks::capture::PyCapture;
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
    /// The outputs that are captures, which run only when asked for.
    captures: Vec<NodeId>,
    /// The names given to connectors.
    names: BTreeMap<String, usize>,
    /// The files that outputs write to.
    written: BTreeMap<PathBuf, usize>,
}

impl Building {
    /// Remembers a name that the user gave to a connector.
    fn named(&mut self, name: Option<&String>) {
        if let Some(name) = name {
            *self.names.entry(name.clone()).or_insert(0) += 1;
        }
    }

    /// What the next source is called, and what its generated keys are made from. A name given by the user is
    /// unique, and its keys stay the same when the plan around it changes; the default may be that of many.
    fn source_name(&mut self, name: Option<String>, default: &str) -> (String, String) {
        self.named(name.as_ref());
        match name {
            Some(name) => (name.clone(), name),
            None => (default.to_owned(), format!("{default} at node {}", self.plan.len())),
        }
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

    fn output(
        &self,
        operator: impl Operator + 'static,
        node: usize,
        columns: &[usize],
        origin: Option<Origin>,
    ) -> PyResult<NodeId> {
        let mut building = self.0.lock();
        building
            .plan
            .output(Arc::new(operator), input(node, columns), origin)
            .map_err(plan_error)
    }

    /// Remembers a name that the user gave to a connector.
    fn named(&self, name: Option<&String>) {
        self.0.lock().named(name);
    }

    /// Remembers a file that an output writes to.
    fn writes_to(&self, path: &str) {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
        *self.0.lock().written.entry(path).or_insert(0) += 1;
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

    /// Starts a run.
    #[pyo3(signature = (*, everything, workers, terminate_on_error, start_time, captures_only, cluster))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords")]
    fn run(
        &self,
        py: Python<'_>,
        everything: bool,
        workers: usize,
        terminate_on_error: bool,
        start_time: Option<Time>,
        captures_only: Option<Vec<Bound<'_, PyCapture>>>,
        cluster: Option<PyCluster>,
    ) -> PyResult<PyRun> {
        let building = self.0.lock();
        if let Some((name, _)) = building.names.iter().find(|(_, count)| **count > 1) {
            return Err(PyValueError::new_err(format!(
                "Unique name '{name}' used more than once"
            )));
        }
        if let Some((path, _)) = building.written.iter().find(|(_, count)| **count > 1) {
            return Err(PyValueError::new_err(format!(
                "two outputs write to the file {}; give each a file of its own",
                path.display()
            )));
        }
        let outputs = match captures_only {
            Some(captures) => captures.iter().map(|capture| capture.get().node).collect(),
            None => {
                let is_capture = |node: &NodeId| building.captures.contains(node);
                building
                    .plan
                    .outputs()
                    .iter()
                    .copied()
                    .filter(|node| !is_capture(node))
                    .collect()
            }
        };
        let plan = building.plan.clone();
        drop(building);
        let options = RunOptions {
            workers,
            terminate_on_error,
            start: start_time,
            everything,
            outputs: Some(outputs),
            cluster: cluster.map(PyCluster::into_cluster),
            ..RunOptions::default()
        };
        let run = py
            .detach(|| Run::start(&plan, options))
            .map_err(|error| engine_error(py, &error))?;
        Ok(PyRun::new(run))
    }
}

/// The place of this process among others, as the package describes it.
#[derive(FromPyObject)]
struct PyCluster {
    process: usize,
    addresses: Vec<String>,
    secret: String,
    timeout: f64,
    run: u64,
    is_interrupted: Py<PyAny>,
}

impl PyCluster {
    fn into_cluster(self) -> Cluster {
        let is_interrupted = self.is_interrupted;
        Cluster {
            process: self.process,
            addresses: self.addresses,
            secret: self.secret,
            timeout: Duration::try_from_secs_f64(self.timeout).unwrap_or(Duration::MAX),
            run: self.run,
            is_interrupted: Arc::new(move || {
                Python::attach(|py| {
                    // A handler that raises wants the same as one that leaves a note.
                    py.check_signals().is_err()
                        || is_interrupted
                            .call0(py)
                            .and_then(|noted| noted.is_truthy(py))
                            .unwrap_or(true)
                })
            }),
        }
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
