//! Functions of the user's: a whole batch under one acquisition of the GIL.

use std::fmt;

use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PyString, PyTuple};
use towpath_engine::{Description, EngineError, Evaluation, Operand, RowError, UserFunction, listed};
use towpath_types::{Column, ColumnBuilder};

use crate::door;
use crate::error::{raised, row_error};
use crate::fingerprint::take_fingerprint;
use crate::subject::slots::push_plain;
use crate::value::{cell_to_python, convert, shown, type_name};

/// A Python function as an expression calls it.
#[derive(Debug)]
pub(crate) struct PythonFunction {
    function: Py<PyAny>,
    name: String,
    /// The names of the last arguments.
    keywords: Vec<String>,
    deterministic: bool,
    /// Whether a `None` among the arguments is the result, without a call.
    propagate_none: bool,
    /// Whether it takes and returns lists, and of which length at most.
    max_batch_size: Option<usize>,
    /// What its parameters are called, once somebody has asked.
    parameters: Parameters,
}

/// Names that are asked for once: by Python, so others must not wait for them with the GIL.
#[derive(Default)]
struct Parameters(PyOnceLock<Vec<String>>);

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parameters")
    }
}

/// So many characters of a call are shown.
const SHOWN: usize = 200;

impl PythonFunction {
    pub(crate) fn new(
        function: Py<PyAny>,
        name: String,
        keywords: Vec<String>,
        deterministic: bool,
        propagate_none: bool,
        max_batch_size: Option<usize>,
    ) -> Self {
        Self {
            function,
            name,
            keywords,
            deterministic,
            propagate_none,
            max_batch_size,
            parameters: Parameters::default(),
        }
    }

    /// What the parameters are called that take arguments by their position; as many as are known.
    fn parameters(&self, py: Python<'_>) -> &[String] {
        self.parameters.0.get_or_init(py, || {
            let names = || {
                let inspect = py.import("inspect")?;
                let signature = inspect.call_method1("signature", (&self.function,))?;
                let parameters = signature.getattr("parameters")?.call_method0("values")?;
                let mut names = Vec::new();
                for parameter in parameters.try_iter()? {
                    let parameter = parameter?;
                    let kind: u8 = parameter.getattr("kind")?.extract()?;
                    // Behind those by position there may be one that takes all that are left.
                    if kind > 1 {
                        break;
                    }
                    names.push(parameter.getattr("name")?.extract()?);
                }
                Ok::<Vec<String>, PyErr>(names)
            };
            names().unwrap_or_default()
        })
    }

    /// A call of it, as one would write it.
    #[cold]
    fn shown_call(&self, py: Python<'_>, arguments: &[Bound<'_, PyAny>]) -> String {
        let parameters = self.parameters(py);
        let positional = arguments.len() - self.keywords.len();
        let mut text = format!("{}(", self.name);
        for (position, argument) in arguments.iter().enumerate() {
            let name = match position.checked_sub(positional) {
                Some(keyword) => Some(&self.keywords[keyword]),
                None => parameters.get(position),
            };
            text.push_str(if position == 0 { "" } else { ", " });
            if let Some(name) = name {
                text.push_str(&format!("{name}="));
            }
            text.push_str(&shown(argument));
            if text.len() > SHOWN {
                text.push_str(if position + 1 < arguments.len() { ", …" } else { "" });
                break;
            }
        }
        text.push(')');
        text
    }

    /// The names of the last arguments, as a call has them.
    fn names<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        if self.keywords.is_empty() {
            return Ok(None);
        }
        PyTuple::new(py, self.keywords.iter().map(|name| PyString::intern(py, name))).map(Some)
    }

    /// Whether the row's result is settled without a call: an error, or `None`.
    fn is_settled(&self, arguments: &[Operand], evaluation: &Evaluation<'_>, row: usize) -> bool {
        evaluation.is_masked(row)
            || (self.propagate_none
                && arguments
                    .iter()
                    .any(|argument| argument.cells().is_none(argument.position(row))))
    }

    fn convert_result(&self, result: &Bound<'_, PyAny>, evaluation: &Evaluation<'_>) -> PyResult<towpath_types::Value> {
        convert(result, evaluation.dtype).map_err(|error| {
            let (py, declared) = (result.py(), evaluation.dtype);
            // The type may be right, and the value not.
            let why = || format!("{} is declared to return {declared}: {}", self.name, error.value(py));
            if error.is_instance_of::<PyOverflowError>(py) {
                return PyOverflowError::new_err(why());
            }
            if error.is_instance_of::<PyValueError>(py) {
                return PyValueError::new_err(why());
            }
            PyTypeError::new_err(format!(
                "{} returned {} ({}), but is declared to return {declared}",
                self.name,
                shown(result),
                type_name(result)
            ))
        })
    }

    /// Calls the function once a row.
    fn call_rows(&self, py: Python<'_>, arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> PyResult<Column> {
        let function = self.function.bind(py);
        let names = self.names(py)?;
        let mut builder = ColumnBuilder::new(evaluation.dtype);
        let physical = evaluation.dtype.physical();
        let mut values = Vec::with_capacity(arguments.len());
        for row in 0..evaluation.len {
            if self.is_settled(arguments, evaluation, row) || evaluation.is_cancelled() {
                builder.push_none();
                continue;
            }
            values.clear();
            for argument in arguments {
                values.push(cell_to_python(py, argument.cells(), argument.position(row))?);
            }
            let result = door::call(function, &values, names.as_ref());
            if let Ok(result) = &result
                && push_plain(&mut builder, physical, result)
            {
                continue;
            }
            match result.and_then(|result| self.convert_result(&result, evaluation)) {
                Ok(value) => builder.push(&value),
                Err(error) if is_fatal(py, &error) => return Err(error),
                Err(error) => {
                    let call = Some(self.shown_call(py, &values).into());
                    evaluation.fail_with(
                        row,
                        RowError {
                            call,
                            ..row_error(py, error)
                        },
                    );
                    builder.push_none();
                }
            }
        }
        Ok(builder.finish())
    }

    /// Calls the function with lists of at most `size` rows.
    fn call_lists(
        &self,
        py: Python<'_>,
        size: usize,
        arguments: &[Operand],
        evaluation: &mut Evaluation<'_>,
    ) -> PyResult<Column> {
        let function = self.function.bind(py);
        let names = self.names(py)?;
        let rows: Vec<usize> = (0..evaluation.len)
            .filter(|row| !self.is_settled(arguments, evaluation, *row))
            .collect();
        let mut results = vec![None; evaluation.len];
        for chunk in rows.chunks(size.max(1)) {
            if evaluation.is_cancelled() {
                break;
            }
            let mut lists = Vec::with_capacity(arguments.len());
            for argument in arguments {
                let list = PyList::empty(py);
                for row in chunk {
                    list.append(cell_to_python(py, argument.cells(), argument.position(*row))?)?;
                }
                lists.push(list.into_any());
            }
            let returned = door::call(function, &lists, names.as_ref()).and_then(|returned| {
                let items: Vec<Bound<'_, PyAny>> = returned.try_iter()?.collect::<PyResult<_>>()?;
                if items.len() == chunk.len() {
                    Ok(items)
                } else {
                    Err(PyValueError::new_err(format!(
                        "{} was called with {} rows and returned {} results",
                        self.name,
                        chunk.len(),
                        items.len()
                    )))
                }
            });
            match returned {
                Ok(items) => {
                    for (row, item) in chunk.iter().zip(items) {
                        match self.convert_result(&item, evaluation) {
                            Ok(value) => results[*row] = Some(value),
                            Err(error) => evaluation.fail_with(*row, row_error(py, error)),
                        }
                    }
                }
                Err(error) if is_fatal(py, &error) => return Err(error),
                Err(error) => {
                    let call: Box<str> = match chunk.len() {
                        1 => format!("{}(...), called with 1 row", self.name),
                        rows => format!("{}(...), called with {rows} rows", self.name),
                    }
                    .into();
                    for row in chunk {
                        let call = Some(call.clone());
                        let error = row_error(py, error.clone_ref(py));
                        evaluation.fail_with(*row, RowError { call, ..error });
                    }
                }
            }
        }
        let mut builder = ColumnBuilder::new(evaluation.dtype);
        for result in results {
            match result {
                Some(value) => builder.push(&value),
                None => builder.push_none(),
            }
        }
        Ok(builder.finish())
    }
}

/// Whether an exception ends the run even where failing rows do not: `KeyboardInterrupt`, `SystemExit`.
fn is_fatal(py: Python<'_>, error: &PyErr) -> bool {
    !error.is_instance_of::<pyo3::exceptions::PyException>(py)
}

impl UserFunction for PythonFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn call(&self, arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Result<Column, EngineError> {
        door::attach(|py| {
            let column = match self.max_batch_size {
                None => self.call_rows(py, arguments, evaluation),
                Some(size) => self.call_lists(py, size, arguments, evaluation),
            };
            column.map_err(|error| raised(py, error))
        })
    }

    fn describe(&self, description: &mut Description) {
        describe_function(description, &self.function);
        description.set("arguments given by name", listed(&self.keywords));
        description.set("deterministic", self.deterministic);
        description.set("propagate_none", self.propagate_none);
        description.set("max_batch_size", format_args!("{:?}", self.max_batch_size));
    }

    fn propagates_none(&self) -> bool {
        self.propagate_none
    }

    fn is_deterministic(&self) -> bool {
        self.deterministic
    }
}

/// Says what a Python function is.
pub(crate) fn describe_function(description: &mut Description, function: &Py<PyAny>) {
    door::attach(|py| {
        let fingerprint = py
            .import("pathway._ground.fingerprint")
            .and_then(|module| module.call_method1("of_function", (function,)));
        let name = fingerprint
            .as_ref()
            .ok()
            .and_then(|fingerprint| fingerprint.getattr("name").ok());
        if let Some(name) = name.and_then(|name| name.extract::<String>().ok()) {
            description.known_as(&name);
        }
        take_fingerprint(description, fingerprint);
    });
}
