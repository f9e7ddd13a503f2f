//! Values for a column of a type, or of any type.

use std::cell::Cell;
use std::sync::Arc;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use towpath_types::{DType, Key, Value};

use super::arrays::{array, is_array, is_numpy};
use super::json::json;
use super::modules::classes;
use super::moments::{date_time, duration};
use super::object::object;
use super::refusal::{out_of_range, refuse, shown, type_name};
use crate::pointer::PyPointer;

/// The value for a column of type `dtype`.
///
/// # Errors
/// `TypeError`, `ValueError` or `OverflowError` if it does not fit.
pub(crate) fn convert(value: &Bound<'_, PyAny>, dtype: &DType) -> PyResult<Value> {
    match dtype {
        DType::Optional(_) | DType::None if value.is_none() => Ok(Value::None),
        DType::Optional(inner) => convert(value, inner),
        DType::Any => infer(value),
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
            match value.call_method0(intern!(value.py(), "__index__")) {
                Ok(index) => Ok(Value::Int(int(&index)?)),
                Err(_) => refuse(value, dtype),
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
            if value.is_none() {
                return refuse(value, dtype);
            }
            if is_numpy(value, &["complex64", "complex128"]) {
                return refuse(value, dtype);
            }
            match value.call_method0(intern!(value.py(), "__float__")) {
                Ok(float) => Ok(Value::Float(float.extract()?)),
                Err(_) => refuse(value, dtype),
            }
        }
        DType::Str => match value.cast::<PyString>() {
            Ok(text) => match text.to_str() {
                Ok(text) => Ok(Value::str(text)),
                Err(_) => Err(PyValueError::new_err(format!(
                    "the text {} is no valid Unicode: it has lone surrogates",
                    shown(value)
                ))),
            },
            Err(_) => refuse(value, dtype),
        },
        DType::Bytes => match value.cast::<PyBytes>() {
            Ok(bytes) => Ok(Value::Bytes(bytes.as_bytes().into())),
            Err(_) => refuse(value, dtype),
        },
        DType::Pointer(_) => pointer(value).map_or_else(|| refuse(value, dtype), Ok),
        DType::Json => Ok(Value::Json(Arc::new(json(value)?))),
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
            let items = items
                .iter()
                .zip(dtypes.iter())
                .map(|(item, dtype)| convert(item, dtype));
            Ok(Value::Tuple(items.collect::<PyResult<_>>()?))
        }
        DType::List(item_dtype) => {
            let items = match sequence(value) {
                Some(items) => items,
                None if is_array(value) => value.call_method0("tolist")?.try_iter()?.collect::<PyResult<_>>()?,
                None => return refuse(value, dtype),
            };
            Ok(Value::Tuple(
                items
                    .iter()
                    .map(|item| convert(item, item_dtype))
                    .collect::<PyResult<_>>()?,
            ))
        }
        DType::Array(dimensions, element) => {
            if !is_array(value) {
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
        DType::Future(inner) => convert(value, inner),
        DType::Callable | DType::None => refuse(value, dtype),
    }
}

/// The value for a column of any type.
///
/// # Errors
/// `TypeError` for a type the engine does not know.
pub(crate) fn infer(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    let py = value.py();
    let _nesting = Nesting::deeper()?;
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
        return convert(value, &DType::Str);
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(Value::Bytes(bytes.as_bytes().into()));
    }
    if let Ok(pointer) = value.cast::<PyPointer>() {
        return Ok(Value::Pointer(pointer.get().0));
    }
    if let Some(items) = sequence(value) {
        return Ok(Value::Tuple(items.iter().map(infer).collect::<PyResult<_>>()?));
    }
    if value.is_instance_of::<PyDict>() {
        return convert(value, &DType::Json);
    }
    if value.is_instance_of::<crate::dtype::PyError>() {
        return Ok(Value::Error);
    }
    if let Some(found) = date_time(value)? {
        return Ok(found);
    }
    if let Some(found) = duration(value)? {
        return Ok(found);
    }
    if is_array(value) {
        return array(value, None, &DType::Any);
    }
    if value.get_type().module().is_ok_and(|module| module == "numpy")
        && let Some(item) = value.getattr_opt(intern!(py, "item"))?
    {
        let item = item.call0()?;
        if !item.get_type().is(value.get_type()) {
            return infer(&item);
        }
    }
    let classes = classes(py)?;
    if value.is_instance(classes.json.bind(py))? {
        return convert(value, &DType::Json);
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

/// The items of a tuple or a list.
pub(super) fn sequence<'py>(value: &Bound<'py, PyAny>) -> Option<Vec<Bound<'py, PyAny>>> {
    if let Ok(tuple) = value.cast::<PyTuple>() {
        return Some(tuple.iter().collect());
    }
    value.cast::<PyList>().ok().map(|list| list.iter().collect())
}

/// Values are nested at most so deep.
const DEPTH: usize = 200;

thread_local! {
    static NESTED: Cell<usize> = const { Cell::new(0) };
}

/// Counts how deep a value is nested, for as long as it lives: a value may contain itself.
pub(super) struct Nesting;

impl Nesting {
    pub(super) fn deeper() -> PyResult<Self> {
        if NESTED.get() >= DEPTH {
            return Err(PyValueError::new_err(format!(
                "the value is nested more than {DEPTH} levels deep"
            )));
        }
        NESTED.set(NESTED.get() + 1);
        Ok(Nesting)
    }
}

impl Drop for Nesting {
    fn drop(&mut self) {
        NESTED.set(NESTED.get() - 1);
    }
}
