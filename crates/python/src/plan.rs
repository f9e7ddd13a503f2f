//! `Plan`: what to compute. A method an operator, each only a translation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use towpath_connectors::sink::{CsvWriter, FileSink, JsonLinesWriter, NullSink};
use towpath_engine::plan::Input;
use towpath_engine::runtime::ErrorTable;
use towpath_engine::source::Limits;
use towpath_engine::{ColumnId, NodeId, Operator, Origin, Plan, Run, RunOptions};
use towpath_types::{Batch, ColumnBuilder, DType, Field, Key, Time, Value, hash_columns};

use crate::dtype::PyDType;
use crate::error::{OriginArgument, engine_error, plan_error};
use crate::expression::PyExpression;
use crate::pointer::PyPointer;
use crate::run::PyRun;
use crate::sinks::capture::{CaptureSink, PyCapture};
use crate::sinks::subscribe::Subscribe;
use crate::static_source::StaticSource;
use crate::subject::{PythonSource, Subject};
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
}

type NamedColumns = Vec<(String, usize)>;
type InputColumns = Vec<(usize, Vec<usize>)>;

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
        if let Some(name) = name {
            *self.0.lock().names.entry(name.clone()).or_insert(0) += 1;
        }
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

    /// Whether the column is there for every row of the node.
    fn is_visible(&self, column: usize, node: usize) -> bool {
        self.0.lock().plan.is_visible(ColumnId(column), NodeId(node))
    }

    /// Whether rows of the node are never removed.
    fn is_append_only(&self, node: usize) -> bool {
        self.0.lock().plan.is_append_only(NodeId(node))
    }

    #[pyo3(signature = (subject, fields, *, name, format, upsert, deletions, autocommit_milliseconds, backlog_rows, backlog_bytes, origin))]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Python method")]
    fn python_source(
        &self,
        subject: Py<Subject>,
        fields: Vec<PyField>,
        name: String,
        format: &str,
        upsert: bool,
        deletions: bool,
        autocommit_milliseconds: Option<u64>,
        backlog_rows: Option<usize>,
        backlog_bytes: Option<usize>,
        origin: OriginArgument,
    ) -> PyResult<usize> {
        let fields: Vec<Field> = fields.into_iter().map(|field| field.0).collect();
        let is_raw = match format {
            "json" => false,
            "raw" | "binary" => true,
            other => {
                return Err(PyValueError::new_err(format!(
                    "unknown format {other:?}: expected json, raw or binary"
                )));
            }
        };
        let default = Limits::default();
        let mut building = self.0.lock();
        let source = PythonSource {
            subject,
            fields,
            name,
            is_raw,
            upsert,
            deletions,
            autocommit: autocommit_milliseconds.map(Duration::from_millis),
            limits: Limits {
                rows: backlog_rows.unwrap_or(default.rows),
                bytes: backlog_bytes.unwrap_or(default.bytes),
            },
            number: building.plan.len(),
        };
        let node = building.plan.source(Arc::new(source), origin.0);
        if upsert {
            return Err(PyValueError::new_err("upsert sessions come with the operators"));
        }
        Ok(node.0)
    }

    #[pyo3(signature = (fields, rows, *, keys, times, diffs, name, origin))]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Python method")]
    fn static_source(
        &self,
        fields: Vec<PyField>,
        rows: &Bound<'_, PyAny>,
        keys: Option<Vec<PyPointer>>,
        times: Option<Vec<Time>>,
        diffs: Option<Vec<i64>>,
        name: String,
        origin: OriginArgument,
    ) -> PyResult<usize> {
        let fields: Vec<Field> = fields.into_iter().map(|field| field.0).collect();
        let mut builders: Vec<ColumnBuilder> = fields.iter().map(|field| ColumnBuilder::new(&field.dtype)).collect();
        let mut len = 0;
        for row in rows.try_iter()? {
            let row = row?;
            let values: Vec<Bound<'_, PyAny>> = row.try_iter()?.collect::<PyResult<_>>()?;
            if values.len() != fields.len() {
                return Err(PyValueError::new_err(format!(
                    "row {} has {} values; the schema has {} columns",
                    len + 1,
                    values.len(),
                    fields.len()
                )));
            }
            for ((builder, field), value) in builders.iter_mut().zip(&fields).zip(&values) {
                let value = convert(value, &field.dtype).map_err(|error| {
                    let py = value.py();
                    // The note is all that is added; without it the error is still the error.
                    let note = format!("in row {} of {name}, column {:?}", len + 1, field.name);
                    let _ = error.value(py).call_method1("add_note", (note,));
                    error
                })?;
                builder.push(&value);
            }
            len += 1;
        }
        let columns: Vec<_> = builders.iter_mut().map(ColumnBuilder::finish).collect();
        let primary: Vec<usize> = (0..fields.len()).filter(|place| fields[*place].primary_key).collect();
        let keys: Vec<Key> = match keys {
            Some(keys) => keys.into_iter().map(|key| key.0).collect(),
            None if !primary.is_empty() => {
                let columns: Vec<_> = primary.iter().map(|place| &columns[*place]).collect();
                hash_columns(&columns, len)
            }
            None => (0..len).map(|row| Key::for_values(&[Value::Int(row as i64)])).collect(),
        };
        let check = |what: &str, given: usize| {
            if given == len {
                Ok(())
            } else {
                Err(PyValueError::new_err(format!(
                    "{given} {what} are given for {len} rows"
                )))
            }
        };
        check("keys", keys.len())?;
        times.as_ref().map_or(Ok(()), |times| check("times", times.len()))?;
        diffs.as_ref().map_or(Ok(()), |diffs| check("diffs", diffs.len()))?;
        let mut unique = keys.clone();
        unique.sort_unstable();
        unique.dedup();
        let unique_keys = unique.len() == len;
        let whole = Batch::new(keys, columns, diffs.map(Into::into));
        let mut places: BTreeMap<Time, Vec<u32>> = BTreeMap::new();
        for row in 0..len {
            places
                .entry(times.as_ref().map_or(0, |times| times[row]))
                .or_default()
                .push(row as u32);
        }
        let batches = places
            .into_iter()
            .map(|(time, rows)| (time, whole.take(&rows)))
            .collect();
        let source = StaticSource {
            name,
            dtypes: fields.into_iter().map(|field| field.dtype).collect(),
            batches,
            unique_keys,
        };
        Ok(self.0.lock().plan.source(Arc::new(source), origin.0).0)
    }

    /// The errors of the run.
    fn error_log(&self, origin: OriginArgument) -> usize {
        self.0.lock().plan.source(Arc::new(ErrorTable), origin.0).0
    }

    fn filter(&self, node: usize, condition: usize, origin: OriginArgument) -> PyResult<usize> {
        let mut building = self.0.lock();
        let node = building
            .plan
            .filter(NodeId(node), ColumnId(condition), origin.0)
            .map_err(plan_error)?;
        Ok(node.0)
    }

    #[pyo3(signature = (node, columns, path, sort_by, name, origin))]
    fn csv_write(
        &self,
        node: usize,
        columns: NamedColumns,
        path: String,
        sort_by: Vec<usize>,
        name: Option<String>,
        origin: OriginArgument,
    ) -> PyResult<()> {
        let (names, columns) = split(columns);
        self.named(name.as_ref());
        let sink = FileSink::new(
            name.unwrap_or_else(|| format!("csv.write {path}")),
            path,
            Arc::new(CsvWriter::new(names)),
        );
        self.output(sink.sorted_by(sort_by), node, &columns, origin.0).map(drop)
    }

    #[pyo3(signature = (node, columns, path, sort_by, name, origin))]
    fn jsonlines_write(
        &self,
        node: usize,
        columns: NamedColumns,
        path: String,
        sort_by: Vec<usize>,
        name: Option<String>,
        origin: OriginArgument,
    ) -> PyResult<()> {
        let (names, columns) = split(columns);
        self.named(name.as_ref());
        let format = Arc::new(JsonLinesWriter::new(&names));
        let sink = FileSink::new(name.unwrap_or_else(|| format!("jsonlines.write {path}")), path, format);
        self.output(sink.sorted_by(sort_by), node, &columns, origin.0).map(drop)
    }

    #[pyo3(signature = (node, columns, name, origin))]
    fn null_write(
        &self,
        node: usize,
        columns: NamedColumns,
        name: Option<String>,
        origin: OriginArgument,
    ) -> PyResult<()> {
        let (_, columns) = split(columns);
        self.named(name.as_ref());
        let sink = NullSink::new(name.unwrap_or_else(|| "null.write".to_owned()));
        self.output(sink, node, &columns, origin.0).map(drop)
    }

    #[pyo3(signature = (node, columns, *, on_change, on_time_end, on_end, skip_errors, sort_by, name, origin))]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Python method")]
    fn subscribe(
        &self,
        node: usize,
        columns: NamedColumns,
        on_change: Option<Py<PyAny>>,
        on_time_end: Option<Py<PyAny>>,
        on_end: Option<Py<PyAny>>,
        skip_errors: bool,
        sort_by: Vec<usize>,
        name: Option<String>,
        origin: OriginArgument,
    ) -> PyResult<()> {
        let (names, columns) = split(columns);
        self.named(name.as_ref());
        let sink = Subscribe {
            name,
            columns: names,
            on_change,
            on_time_end,
            on_end,
            skip_errors,
            sort_by,
        };
        self.output(sink, node, &columns, origin.0).map(drop)
    }

    fn capture(&self, node: usize, columns: Vec<usize>, origin: OriginArgument) -> PyResult<PyCapture> {
        let sink = CaptureSink::default();
        let node = self.output(sink.clone(), node, &columns, origin.0)?;
        self.0.lock().captures.push(node);
        Ok(PyCapture { sink, node })
    }

    /// Starts a run.
    #[pyo3(signature = (*, everything, workers, terminate_on_error, start_time, captures_only))]
    fn run(
        &self,
        py: Python<'_>,
        everything: bool,
        workers: usize,
        terminate_on_error: bool,
        start_time: Option<Time>,
        captures_only: Option<Vec<Bound<'_, PyCapture>>>,
    ) -> PyResult<PyRun> {
        let building = self.0.lock();
        if let Some((name, _)) = building.names.iter().find(|(_, count)| **count > 1) {
            return Err(PyValueError::new_err(format!(
                "Unique name '{name}' used more than once"
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
            ..RunOptions::default()
        };
        let run = py
            .detach(|| Run::start(&plan, options))
            .map_err(|error| engine_error(py, &error))?;
        Ok(PyRun::new(run))
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

/// Operators whose inputs are lists of columns of several nodes.
pub(crate) fn inputs(columns: &InputColumns) -> Vec<Input> {
    columns.iter().map(|(node, columns)| input(*node, columns)).collect()
}
