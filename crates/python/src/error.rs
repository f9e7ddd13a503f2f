//! Failures of the engine as Python exceptions, and the other way round.

use std::sync::Arc;

use pyo3::exceptions::{
    PyBrokenPipeError, PyIndexError, PyKeyError, PyOSError, PyOverflowError, PyRuntimeError, PySystemExit, PyTypeError,
    PyValueError, PyZeroDivisionError,
};
use pyo3::intern;
use pyo3::prelude::*;
use towpath_engine::{EngineError, ErrorKind, Origin, PlanError, RowError};

fn exception(kind: ErrorKind, message: String) -> PyErr {
    match kind {
        ErrorKind::ZeroDivision => PyZeroDivisionError::new_err(message),
        ErrorKind::Overflow => PyOverflowError::new_err(message),
        ErrorKind::Type => PyTypeError::new_err(message),
        ErrorKind::Value => PyValueError::new_err(message),
        ErrorKind::Key => PyKeyError::new_err(message),
        ErrorKind::Index => PyIndexError::new_err(message),
        ErrorKind::Os => PyOSError::new_err(message),
        ErrorKind::BrokenPipe => PyBrokenPipeError::new_err(message),
        ErrorKind::Runtime => PyRuntimeError::new_err(message),
        // That process raises its exception; this one only ends.
        ErrorKind::Process => PySystemExit::new_err(1),
    }
}

/// A mistake in a plan, as an exception.
pub(crate) fn plan_error(error: PlanError) -> PyErr {
    exception(error.kind, error.message)
}

/// What ended a run, as an exception: the very exception that user code raised, if there was one, with a note
/// of where in the program it happened.
pub(crate) fn engine_error(py: Python<'_>, error: &EngineError) -> PyErr {
    let raised = match error.cause.as_ref().and_then(|cause| cause.downcast_ref::<PyErr>()) {
        Some(raised) => raised.clone_ref(py),
        None => exception(error.kind, error.message.clone()),
    };
    let place = error.place.as_ref().map(|place| format!("It failed {place}"));
    for note in place.into_iter().chain(error.origin.as_ref().map(note)) {
        let value = raised.value(py);
        // It may have been raised before, when somebody else asked for the end of the run.
        let notes = value.getattr(intern!(py, "__notes__"));
        if !notes.is_ok_and(|notes| notes.contains(&note).unwrap_or(false)) {
            // A missing note is no reason to hide the error.
            let _ = value.call_method1(intern!(py, "add_note"), (note,));
        }
    }
    raised
}

fn note(origin: &Origin) -> String {
    format!(
        "Occurred here:\n    Line: {}\n    File: {}:{}",
        origin.text, origin.file, origin.line
    )
}

/// The kind that an exception of user code corresponds to.
fn kind_of(py: Python<'_>, error: &PyErr) -> ErrorKind {
    if error.is_instance_of::<PyZeroDivisionError>(py) {
        ErrorKind::ZeroDivision
    } else if error.is_instance_of::<PyOverflowError>(py) {
        ErrorKind::Overflow
    } else if error.is_instance_of::<PyTypeError>(py) {
        ErrorKind::Type
    } else if error.is_instance_of::<PyKeyError>(py) {
        ErrorKind::Key
    } else if error.is_instance_of::<PyIndexError>(py) {
        ErrorKind::Index
    } else if error.is_instance_of::<PyOSError>(py) {
        ErrorKind::Os
    } else if error.is_instance_of::<PyValueError>(py) {
        ErrorKind::Value
    } else {
        ErrorKind::Runtime
    }
}

/// The text of an exception with its type, as the last line of a traceback has it.
pub(crate) fn described(py: Python<'_>, error: &PyErr) -> String {
    let name = error
        .get_type(py)
        .name()
        .map_or_else(|_| "Exception".to_owned(), |name| name.to_string());
    let text = error
        .value(py)
        .str()
        .map_or_else(|_| String::new(), |text| text.to_string());
    if text.is_empty() {
        name
    } else {
        format!("{name}: {text}")
    }
}

/// The same refusal of a value, which says where the value is. An exception of the user's stays as it is, with a note.
pub(crate) fn placed(py: Python<'_>, error: PyErr, place: &str) -> PyErr {
    let kind = error.get_type(py);
    let is_ours = kind.is(py.get_type::<PyTypeError>())
        || kind.is(py.get_type::<PyValueError>())
        || kind.is(py.get_type::<PyOverflowError>());
    if is_ours {
        let text = error
            .value(py)
            .str()
            .map_or_else(|_| String::new(), |text| text.to_string());
        return PyErr::from_type(kind, format!("{place}: {text}"));
    }
    // A missing note is no reason to hide the error.
    let _ = error
        .value(py)
        .call_method1(intern!(py, "add_note"), (format!("in {place}"),));
    error
}

/// An exception that user code raised outside of any row.
pub(crate) fn raised(py: Python<'_>, error: PyErr) -> EngineError {
    EngineError::new(kind_of(py, &error), described(py, &error)).caused_by(Arc::new(error))
}

/// An exception that user code raised for one row.
pub(crate) fn row_error(py: Python<'_>, error: PyErr) -> RowError {
    RowError {
        diff: 1,
        kind: kind_of(py, &error),
        message: described(py, &error),
        call: None,
        computing: None,
        key: None,
        cause: Some(Arc::new(error)),
    }
}

/// `(file, line, text, function)` or None.
fn origin_from(value: &Bound<'_, PyAny>) -> PyResult<Option<Origin>> {
    if value.is_none() {
        return Ok(None);
    }
    let (file, line, text, function): (String, u32, String, String) = value.extract()?;
    Ok(Some(Origin {
        file: file.into(),
        line,
        text: text.into(),
        function: function.into(),
    }))
}

/// The argument `origin` of the native methods.
pub(crate) struct OriginArgument(pub(crate) Option<Origin>);

impl<'py> FromPyObject<'_, 'py> for OriginArgument {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Ok(Self(origin_from(&object)?))
    }
}
