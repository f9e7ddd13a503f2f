//! Functions of the user's: a whole batch under one acquisition of the GIL.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};
use towpath_engine::{Description, EngineError, Evaluation, Operand, UserFunction, listed};
use towpath_types::{Column, ColumnBuilder, Words};

use crate::door;
use crate::error::{raised, row_error};
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
}

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
        }
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
        convert(result, evaluation.dtype).map_err(|_| {
            PyTypeError::new_err(format!(
                "{} returned {} ({}), but is declared to return {}",
                self.name,
                shown(result),
                type_name(result),
                evaluation.dtype
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
                    evaluation.fail_with(row, row_error(py, error));
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
                    for row in chunk {
                        evaluation.fail_with(*row, row_error(py, error.clone_ref(py)));
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

/// What the package says of something of the user's.
pub(crate) fn words(fingerprint: &Bound<'_, PyAny>) -> PyResult<Words> {
    Ok(Words {
        name: fingerprint.getattr("name")?.extract()?,
        settings: fingerprint.getattr("settings")?.extract()?,
        hints: fingerprint.getattr("hints")?.extract()?,
    })
}

/// Takes what the package says of a function or a class.
pub(crate) fn take_fingerprint(description: &mut Description, fingerprint: PyResult<Bound<'_, PyAny>>) {
    let read = |fingerprint: Bound<'_, PyAny>| -> PyResult<_> {
        let place: Option<(String, u32)> = fingerprint.getattr("place")?.extract()?;
        Ok((place, words(&fingerprint)?))
    };
    match fingerprint.and_then(read) {
        Ok((place, words)) => {
            if let Some((file, line)) = place {
                description.at(&file, line);
            }
            description.set_words("", &words);
        }
        // Text that is no text, such as half of a pair of surrogates. What cannot be told is not compared.
        Err(error) => tracing::debug!(target: "pathway", "a function cannot be described: {error}"),
    }
}
