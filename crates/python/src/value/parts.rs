//! What values are made of that are looked into: items, texts, levels.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};
use towpath_types::NESTING;

use super::refusal::shown;

/// The items of a tuple or a list.
pub(super) fn sequence<'py>(value: &Bound<'py, PyAny>) -> Option<Vec<Bound<'py, PyAny>>> {
    if let Ok(tuple) = value.cast::<PyTuple>() {
        return Some(tuple.iter().collect());
    }
    value.cast::<PyList>().ok().map(|list| list.iter().collect())
}

/// How deep the items of a value may be nested that may be nested so deep itself. A value may contain itself.
pub(super) fn inner(levels: usize) -> PyResult<usize> {
    levels
        .checked_sub(1)
        .ok_or_else(|| PyValueError::new_err(format!("the value is nested more than {NESTING} levels deep")))
}

/// The text of a `str`.
pub(super) fn text<'a>(value: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    value.cast::<PyString>()?.to_str().map_err(|_| {
        PyValueError::new_err(format!(
            "the text {} is no valid Unicode: it has lone surrogates",
            shown(value)
        ))
    })
}
