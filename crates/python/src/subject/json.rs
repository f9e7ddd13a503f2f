//! Messages: `next_json`, `next_str` and `next_bytes`.

use pyo3::exceptions::{PyException, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFrozenSet, PyList, PySet, PyString, PyTuple};
use towpath_types::DType;

use super::batches::take_mapping;
use super::buffer::{Ingest, no_row, warn_of_extra};
use super::native::Subject;
use super::slots::Slots;
use crate::value::type_name;

/// Takes one row as the text of a JSON object.
fn take_text(py: Python<'_>, ingest: &Ingest, text: &str) -> PyResult<()> {
    let appended = match ingest.append_json(text) {
        Ok(appended) => appended,
        Err(error) => {
            warn_of_unknown_member(py, ingest)?;
            return ingest.reject(py, None, PyValueError::new_err(error.message));
        }
    };
    warn_of_unknown_member(py, ingest)?;
    for error in appended.errors {
        ingest.report_value_of(py, appended.row, None, PyValueError::new_err(error))?;
    }
    if appended.is_full {
        ingest.wait(py);
    }
    Ok(())
}

/// Takes one row as the bytes of the text of a JSON object.
fn take_bytes(py: Python<'_>, ingest: &Ingest, text: &[u8]) -> PyResult<()> {
    match std::str::from_utf8(text) {
        Ok(text) => take_text(py, ingest, text),
        Err(error) => {
            let message = format!("the JSON is no valid UTF-8: {error}");
            ingest.reject(py, None, PyValueError::new_err(message))
        }
    }
}

fn warn_of_unknown_member(py: Python<'_>, ingest: &Ingest) -> PyResult<()> {
    match ingest.unknown_member.get() {
        Some(name) => warn_of_extra(py, ingest, name),
        None => Ok(()),
    }
}

/// The body of `next_json`.
pub(super) fn next_json(subject: &Bound<'_, Subject>, message: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = message.py();
    let ingest = subject.get().ingest(py)?;
    ingest.check(py)?;
    let (text, bytes) = (message.cast::<PyString>(), message.cast::<PyBytes>());
    if ingest.is_raw {
        let text = match (&text, &bytes) {
            (Err(_), Err(_)) => match py.import("json")?.call_method1("dumps", (message,)) {
                Ok(text) => text,
                Err(error) => return ingest.reject(py, None, error),
            },
            _ => message.clone(),
        };
        return take_data(py, ingest, &text);
    }
    if let Ok(text) = text {
        return match text.to_str() {
            Ok(text) => take_text(py, ingest, text),
            Err(error) => ingest.reject(py, None, error),
        };
    }
    if let Ok(bytes) = bytes {
        return take_bytes(py, ingest, bytes.as_bytes());
    }
    match message.cast::<PyDict>() {
        Ok(row) => take_mapping(py, ingest, row, 1, None),
        Err(_) if is_rows(message)? => ingest.reject(py, None, no_message(message)),
        Err(_) => {
            let row = PyDict::new(py);
            match row.call_method1(intern!(py, "update"), (message,)) {
                Ok(_) => take_mapping(py, ingest, &row, 1, None),
                Err(error) if !error.is_instance_of::<PyException>(py) => Err(error),
                Err(_) => ingest.reject(py, None, no_row(message)),
            }
        }
    }
}

/// Whether it is a list or the like: `update` would make a row of its items where each has two.
fn is_rows(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    let is_collection = value.is_instance_of::<PyList>()
        || value.is_instance_of::<PyTuple>()
        || value.is_instance_of::<PySet>()
        || value.is_instance_of::<PyFrozenSet>();
    Ok(is_collection || value.hasattr(intern!(value.py(), "__next__"))?)
}

fn no_message(value: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!(
        "a message is a JSON object, as str, bytes or dict, not {}; for many rows write next_batch(rows)",
        type_name(value)
    ))
}

/// The body of `next_str` and `next_bytes`.
pub(super) fn next_message(
    py: Python<'_>,
    subject: &Bound<'_, Subject>,
    message: &Bound<'_, PyAny>,
    wants_text: bool,
) -> PyResult<()> {
    let ingest = subject.get().ingest(py)?;
    ingest.check(py)?;
    if wants_text {
        if let Some(text) = message.cast::<PyString>().ok().and_then(|text| text.to_str().ok()) {
            return if ingest.is_raw {
                take_data(py, ingest, message)
            } else {
                take_text(py, ingest, text)
            };
        }
    } else if let Ok(bytes) = message.cast::<PyBytes>() {
        return if ingest.is_raw {
            take_data(py, ingest, message)
        } else {
            take_bytes(py, ingest, bytes.as_bytes())
        };
    }
    let wanted = if wants_text { "str" } else { "bytes" };
    let error = PyTypeError::new_err(format!("{wanted} is expected, not {}", type_name(message)));
    ingest.reject(py, None, error)
}

/// Takes a message as the value of the column `data`.
fn take_data(py: Python<'_>, ingest: &Ingest, message: &Bound<'_, PyAny>) -> PyResult<()> {
    let data = ingest.field_named("data").map(|position| &ingest.fields[position]);
    let converted = match (data.map(|field| field.dtype.required()), message.cast::<PyBytes>()) {
        (Some(DType::Bytes), Err(_)) => message
            .cast::<PyString>()
            .ok()
            .and_then(|text| text.to_str().ok())
            .map(|text| PyBytes::new(py, text.as_bytes()).into_any()),
        (Some(DType::Str), Ok(bytes)) => match std::str::from_utf8(bytes.as_bytes()) {
            Ok(text) => Some(PyString::new(py, text).into_any()),
            Err(error) => {
                return ingest.reject(py, data, PyValueError::new_err(format!("no valid UTF-8: {error}")));
            }
        },
        _ => None,
    };
    let value = converted.as_ref().unwrap_or(message);
    let mut row = Slots::default();
    for field in &ingest.fields {
        let taken = if field.name == "data" {
            row.take(field, value)
        } else {
            row.take_absent(field, false)
        };
        if !ingest.goes_on(py, &mut row, field, taken)? {
            return Ok(());
        }
    }
    if ingest.append(&row, 1) {
        ingest.wait(py);
    }
    Ok(())
}
