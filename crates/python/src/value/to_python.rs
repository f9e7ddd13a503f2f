//! Values and cells as Python has them.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyString, PyTuple};
use towpath_types::{Cells, Column, Value};

use super::arrays::array_to_python;
use super::error_cell::error_object;
use super::json::json_to_python;
use super::modules::classes;
use super::moments::{date_time_to_python, duration_to_python};
use super::object::PyObjectValue;
use crate::pointer::PyPointer;

/// A value as Python has it.
///
/// # Errors
/// If pandas or numpy is needed and cannot be imported.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::None | Value::Pending => py.None().into_bound(py),
        Value::Bool(value) => PyBool::new(py, *value).to_owned().into_any(),
        Value::Int(value) => value.into_pyobject(py)?.into_any(),
        Value::Float(value) => PyFloat::new(py, *value).into_any(),
        Value::Str(text) => PyString::new(py, text).into_any(),
        Value::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
        Value::Pointer(key) => Bound::new(py, PyPointer(*key))?.into_any(),
        Value::DateTimeNaive(value) => date_time_to_python(py, *value, false)?,
        Value::DateTimeUtc(value) => date_time_to_python(py, *value, true)?,
        Value::Duration(value) => duration_to_python(py, *value)?,
        Value::Json(document) => {
            let document = json_to_python(py, document)?;
            classes(py)?.json.bind(py).call1((document,))?
        }
        Value::Tuple(items) => {
            let items: Vec<_> = items.iter().map(|item| to_python(py, item)).collect::<PyResult<_>>()?;
            PyTuple::new(py, items)?.into_any()
        }
        Value::IntArray(array) => {
            let bytes: Vec<u8> = array
                .elements
                .iter()
                .flat_map(|element| element.to_le_bytes())
                .collect();
            array_to_python(py, &bytes, "<i8", &array.shape)?
        }
        Value::FloatArray(array) => {
            let bytes: Vec<u8> = array
                .elements
                .iter()
                .flat_map(|element| element.to_le_bytes())
                .collect();
            array_to_python(py, &bytes, "<f8", &array.shape)?
        }
        Value::Object(object) => match object.as_any().downcast_ref::<PyObjectValue>() {
            Some(object) => object.object.bind(py).clone(),
            None => return Err(PyTypeError::new_err("an object that was not made in Python")),
        },
        Value::Error => error_object(py)?,
    })
}

/// A cell as Python has it.
///
/// # Errors
/// As [`to_python`].
pub(crate) fn cell_to_python<'py>(py: Python<'py>, column: &Column, row: usize) -> PyResult<Bound<'py, PyAny>> {
    if !column.is_error(row) && !column.is_none(row) {
        match column.cells() {
            Cells::Int(array) => return Ok(array.value(row).into_pyobject(py)?.into_any()),
            Cells::Float(array) => return Ok(PyFloat::new(py, array.value(row)).into_any()),
            Cells::Str(array) => return Ok(PyString::new(py, array.value(row)).into_any()),
            Cells::Bytes(array) => return Ok(PyBytes::new(py, array.value(row)).into_any()),
            Cells::Any(values) => return to_python(py, &values[row]),
            _ => {}
        }
    }
    to_python(py, &column.value(row))
}
