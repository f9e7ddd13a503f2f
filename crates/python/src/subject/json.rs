//! `next_json`, and JSON in `next_str` and `next_bytes`.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use super::Subject;
use super::batches::take_mapping;
use super::buffer::{Ingest, warn_of_extra};
use super::next::check_stopping;

/// Takes one row as the text of a JSON object.
pub(super) fn take_text(py: Python<'_>, ingest: &Ingest, text: &[u8]) -> PyResult<()> {
    let appended = ingest.append_json(text);
    if let Some(name) = ingest.unknown_member.get() {
        warn_of_extra(py, ingest, name)?;
    }
    match appended {
        Ok(true) => ingest.wait(py),
        Ok(false) => {}
        Err(error) => ingest.reject(py, None, PyValueError::new_err(error.message))?,
    }
    Ok(())
}

/// The body of `next_json`.
pub(super) fn next_json(subject: &Bound<'_, Subject>, message: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = message.py();
    let ingest = subject.get().ingest(py)?;
    check_stopping(py, ingest)?;
    if let Ok(text) = message.cast::<PyString>() {
        return match text.to_str() {
            Ok(text) => take_text(py, ingest, text.as_bytes()),
            Err(error) => ingest.reject(py, None, error),
        };
    }
    if let Ok(bytes) = message.cast::<PyBytes>() {
        return take_text(py, ingest, bytes.as_bytes());
    }
    match message.cast::<PyDict>() {
        Ok(row) => take_mapping(py, ingest, row),
        Err(_) => {
            let row = PyDict::new(py);
            match row.call_method1("update", (message,)) {
                Ok(_) => take_mapping(py, ingest, &row),
                Err(_) => ingest.reject(py, None, super::buffer::no_row(message)),
            }
        }
    }
}
