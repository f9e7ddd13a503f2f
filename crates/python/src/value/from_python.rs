//! Values for a column of a type, or of any type.

use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyString};
use towpath_types::{DType, Key, NESTING, Value};

use super::arrays::{array, array_items, is_array, is_numpy};
use super::error_cell::PyError;
use super::json::json;
use super::missing::is_missing;
use super::modules::classes;
use super::moments::{date_time, duration};
use super::object::object;
use super::parts::{inner, sequence, text};
use super::refusal::{out_of_range, refuse, shown, type_name};
use crate::pointer::PyPointer;

/// The value for a column of type `dtype`.
///
/// # Errors
/// `TypeError`, `ValueError` or `OverflowError` if it does not fit.
pub(crate) fn convert(value: &Bound<'_, PyAny>, dtype: &DType) -> PyResult<Value> {
    typed(value, dtype, NESTING)
}

/// The same, for a value that may have so many levels of nesting.
fn typed(value: &Bound<'_, PyAny>, dtype: &DType, levels: usize) -> PyResult<Value> {
    match dtype {
        DType::Optional(_) | DType::None if value.is_none() => Ok(Value::None),
        DType::Optional(inner) => match typed(value, inner, levels) {
            Err(_) if is_missing(value) => Ok(Value::None),
            taken => taken,
        },
        DType::Any => any(value, levels),
        DType::Bool => match value.cast::<PyBool>() {
            Ok(value) => Ok(Value::Bool(value.is_true())),
            Err(_) if is_numpy(value, &["bool", "bool_"]) => Ok(Value::Bool(value.is_truthy()?)),
            Err(_) => refuse(value, dtype),
        },
        DType::Int => {
            if value.is_instance_of::<PyInt>() {
                return Ok(Value::Int(int(value)?));
            }
            if value.is_instance_of::<PyFloat>() || value.is_none() {
                return refuse(value, dtype);
            }
            let index = value.call_method0(intern!(value.py(), "__index__"));
            match refused(index, value, dtype)? {
                index if index.is_instance_of::<PyInt>() => Ok(Value::Int(int(&index)?)),
                _ => refuse(value, dtype),
            }
        }
        DType::Float => {
            if let Ok(value) = value.cast::<PyFloat>() {
                return Ok(Value::Float(value.value()));
            }
            if value.is_instance_of::<PyInt>() {
                return match value.extract::<f64>() {
                    Ok(value) => Ok(Value::Float(value)),
                    Err(_) => out_of_range(value),
                };
            }
            // numpy makes a float of these as well, of one that means something else.
            if value.is_none() || is_numpy(value, &["complex64", "complex128", "datetime64", "timedelta64"]) {
                return refuse(value, dtype);
            }
            refused(value.extract(), value, dtype).map(Value::Float)
        }
        DType::Str => match value.is_instance_of::<PyString>() {
            true => text(value).map(Value::str),
            false => refuse(value, dtype),
        },
        DType::Bytes => match value.cast::<PyBytes>() {
            Ok(bytes) => Ok(Value::Bytes(bytes.as_bytes().into())),
            Err(_) => refuse(value, dtype),
        },
        DType::Pointer(_) => pointer(value).map_or_else(|| refuse(value, dtype), Ok),
        DType::Json => Ok(Value::from(json(value, levels)?)),
        DType::Tuple(dtypes) => {
            let items = sequence(value).map_or_else(|| refuse(value, dtype), Ok)?;
            if items.len() != dtypes.len() {
                return Err(PyTypeError::new_err(format!(
                    "cannot take {} as {dtype}: it has {} items, not {}",
                    shown(value),
                    items.len(),
                    dtypes.len()
                )));
            }
            let levels = inner(levels)?;
            let items = items.iter().zip(dtypes.iter());
            let items = items.map(|(item, dtype)| typed(item, dtype, levels));
            Ok(Value::Tuple(items.collect::<PyResult<_>>()?))
        }
        DType::List(item_dtype) => {
            let items = match sequence(value) {
                Some(items) => items,
                None if is_array(value)? => array_items(value)?,
                None => return refuse(value, dtype),
            };
            let levels = inner(levels)?;
            let items = items.iter().map(|item| typed(item, item_dtype, levels));
            Ok(Value::Tuple(items.collect::<PyResult<_>>()?))
        }
        DType::Array(dimensions, element) => {
            if !is_array(value)? {
                return refuse(value, dtype);
            }
            array(value, *dimensions, element)
        }
        DType::DateTimeNaive | DType::DateTimeUtc => match date_time(value)? {
            Some(found @ Value::DateTimeNaive(_)) if *dtype == DType::DateTimeNaive => Ok(found),
            Some(found @ Value::DateTimeUtc(_)) if *dtype == DType::DateTimeUtc => Ok(found),
            _ => refuse(value, dtype),
        },
        DType::Duration => duration(value)?.map_or_else(|| refuse(value, dtype), Ok),
        DType::Object => {
            if value.is_instance(classes(value.py())?.object.bind(value.py()))? {
                Ok(object(value))
            } else {
                refuse(value, dtype)
            }
        }
        DType::Callable if value.is_callable() => Ok(object(value)),
        DType::Future(inner) => typed(value, inner, levels),
        DType::Callable | DType::None => refuse(value, dtype),
    }
}

/// The value for a column of any type.
///
/// # Errors
/// `TypeError` for a type the engine does not know.
pub(crate) fn infer(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    any(value, NESTING)
}

fn any(value: &Bound<'_, PyAny>, levels: usize) -> PyResult<Value> {
    let py = value.py();
    if value.is_none() {
        return Ok(Value::None);
    }
    if let Ok(value) = value.cast::<PyBool>() {
        return Ok(Value::Bool(value.is_true()));
    }
    if value.is_instance_of::<PyInt>() {
        return Ok(Value::Int(int(value)?));
    }
    if let Ok(value) = value.cast::<PyFloat>() {
        return Ok(Value::Float(value.value()));
    }
    if value.is_instance_of::<PyString>() {
        return text(value).map(Value::str);
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(Value::Bytes(bytes.as_bytes().into()));
    }
    if let Ok(pointer) = value.cast::<PyPointer>() {
        return Ok(Value::Pointer(pointer.get().0));
    }
    if let Some(items) = sequence(value) {
        let levels = inner(levels)?;
        let items = items.iter().map(|item| any(item, levels));
        return Ok(Value::Tuple(items.collect::<PyResult<_>>()?));
    }
    if value.is_instance_of::<PyDict>() {
        return Ok(Value::from(json(value, levels)?));
    }
    if value.is_instance_of::<PyError>() {
        return Ok(Value::Error);
    }
    if let Some(found) = date_time(value)? {
        return Ok(found);
    }
    if let Some(found) = duration(value)? {
        return Ok(found);
    }
    if is_array(value)? {
        return array(value, None, &DType::Any);
    }
    if is_missing(value) {
        return Ok(Value::None);
    }
    if is_numpy(value, &["longdouble", "float128", "float96"]) {
        return typed(value, &DType::Float, levels);
    }
    if value.get_type().module().is_ok_and(|module| module == "numpy")
        && let Some(item) = value.getattr_opt(intern!(py, "item"))?
    {
        let item = item.call0()?;
        if !item.get_type().is(value.get_type()) {
            return any(&item, inner(levels)?);
        }
    }
    let classes = classes(py)?;
    if value.is_instance(classes.json.bind(py))? {
        return Ok(Value::from(json(value, levels)?));
    }
    if value.is_instance(classes.object.bind(py))? {
        return Ok(object(value));
    }
    Err(PyTypeError::new_err(format!(
        "cannot take {} ({}): the engine has no such type; wrap it with pw.wrap_py_object",
        shown(value),
        type_name(value)
    )))
}

fn int(value: &Bound<'_, PyAny>) -> PyResult<i64> {
    value.extract::<i64>().or_else(|_| out_of_range(value))
}

fn pointer(value: &Bound<'_, PyAny>) -> Option<Value> {
    if let Ok(pointer) = value.cast::<PyPointer>() {
        return Some(Value::Pointer(pointer.get().0));
    }
    value
        .cast::<PyString>()
        .ok()?
        .to_str()
        .ok()?
        .parse::<Key>()
        .ok()
        .map(Value::Pointer)
}

/// What a method of the value has given; an exception of it means that the value does not fit.
fn refused<T>(result: PyResult<T>, value: &Bound<'_, PyAny>, dtype: &DType) -> PyResult<T> {
    match result {
        Err(error) if error.is_instance_of::<PyException>(value.py()) => refuse(value, dtype),
        result => result,
    }
}
