//! What is said of data that is not what it says.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

/// The data is not what Arrow says that it is.
pub(super) fn unreadable(reason: &str) -> PyErr {
    PyValueError::new_err(format!("the arrow data cannot be read: {reason}"))
}

pub(super) fn no_rows(what: &str) -> PyErr {
    PyTypeError::new_err(format!("next_arrow takes a table or a record batch, not {what}"))
}
