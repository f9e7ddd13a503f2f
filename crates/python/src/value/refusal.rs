//! What is said of a value that does not fit.

use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDateTime, PyString};
use towpath_types::DType;

/// The repr of a value for a message, cut if it is long.
pub(crate) fn shown(value: &Bound<'_, PyAny>) -> String {
    let text = value.repr().map_or_else(
        |_| "a value without repr".to_owned(),
        |repr| repr.to_string_lossy().into_owned(),
    );
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The name of a value's type, as a user writes it.
pub(crate) fn type_name(value: &Bound<'_, PyAny>) -> String {
    value
        .get_type()
        .fully_qualified_name()
        .map_or_else(|_| "?".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// The value does not fit a column of type `dtype`.
pub(super) fn refuse<T>(value: &Bound<'_, PyAny>, dtype: &DType) -> PyResult<T> {
    let hint = match dtype.required() {
        DType::DateTimeNaive if value.is_instance_of::<PyDateTime>() => {
            "; it has a time zone: declare the column as DateTimeUtc, or drop it with .replace(tzinfo=None)"
        }
        DType::DateTimeUtc if value.is_instance_of::<PyDateTime>() => {
            "; it has no time zone: declare the column as DateTimeNaive, or add one with .replace(tzinfo=...)"
        }
        _ if value.is_none() => "; declare the column as optional if it may be None",
        _ => "",
    };
    Err(PyTypeError::new_err(format!(
        "cannot take {} ({}) as {dtype}{hint}",
        shown(value),
        type_name(value)
    )))
}

/// The value is an integer beyond 64 bits.
pub(super) fn out_of_range<T>(value: &Bound<'_, PyAny>) -> PyResult<T> {
    Err(PyOverflowError::new_err(format!(
        "the integer {} does not fit into 64 bits",
        shown(value)
    )))
}

/// A name for messages, whatever it is: a text may hold what is no character, and so be no name of anything.
pub(crate) fn lossy(name: &Bound<'_, PyAny>) -> String {
    match name.cast::<PyString>() {
        Ok(text) => text.to_string_lossy().into_owned(),
        Err(_) => shown(name),
    }
}
