//! The methods of a subject, and the functions that work on one; `next` and its siblings are raw methods, see `next`.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::batches::take_mapping;
use super::buffer::Ingest;
use super::keeping::{keep, keep_message, keep_method, replay};
use super::native::Subject;
use super::next::check_deletions;
use super::slots::Misfit;
use super::{arrow, batches, columns, json};
use crate::door::Visit;
use crate::pointer::PyPointer;

#[pymethods]
impl Subject {
    #[new]
    #[pyo3(signature = (*_arguments, **_keywords))]
    fn new(_arguments: &Bound<'_, PyTuple>, _keywords: Option<&Bound<'_, PyDict>>) -> Self {
        Self::default()
    }

    /// Sends one row as a JSON object: its text, as str or bytes, or a dict.
    #[pyo3(signature = (message))]
    fn next_json(slf: &Bound<'_, Self>, message: &Bound<'_, PyAny>) -> PyResult<()> {
        match slf.get().is_early() {
            true => keep_message(slf, "next_json", message),
            false => json::next_json(slf, message),
        }
    }

    /// Sends many rows: an iterable of dicts, dataclasses, NamedTuples or pydantic models. If the iterable fails, the
    /// rows before have been sent.
    #[pyo3(signature = (rows, /))]
    fn next_batch(slf: &Bound<'_, Self>, rows: &Bound<'_, PyAny>) -> PyResult<()> {
        match slf.get().is_early() {
            true => keep_message(slf, "next_batch", rows),
            false => batches::next_batch(slf, rows),
        }
    }

    /// Sends many rows as columns of one length: a dict of lists, numpy arrays, or columns of pandas, polars and
    /// pyarrow. If they are no columns of one length, nothing is sent.
    #[pyo3(signature = (columns, /))]
    fn next_columns(slf: &Bound<'_, Self>, columns: &Bound<'_, PyAny>) -> PyResult<()> {
        let _visit = Visit::begin(slf.py());
        match slf.get().is_early() {
            true => keep_message(slf, "next_columns", columns),
            false => columns::next_columns(slf, columns),
        }
    }

    /// Sends many rows of pyarrow, polars, pandas, duckdb, or whatever else has `__arrow_c_stream__` or
    /// `__arrow_c_array__`.
    #[pyo3(signature = (data, /))]
    fn next_arrow(slf: &Bound<'_, Self>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let _visit = Visit::begin(slf.py());
        match slf.get().is_early() {
            true => keep_message(slf, "next_arrow", data),
            false => arrow::next_arrow(slf, data),
        }
    }

    /// Makes the rows sent since the last commit visible, all at once.
    ///
    /// In a run with persistence, `offset` is kept with them: a JSON value or bytes that says where to go on behind them.
    /// `seek` gets the last one after a restart, and `on_durable` once it is on disk.
    #[pyo3(signature = (offset=None))]
    fn commit(slf: &Bound<'_, Self>, offset: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let py = slf.py();
        let position = offset.map(encoded_offset).transpose()?;
        if slf.get().is_early() {
            let arguments = PyTuple::new(py, offset)?;
            return keep_method(slf, "commit", arguments, None);
        }
        let ingest = slf.get().ingest(py)?;
        ingest.check_other(py)?;
        if ingest.commit(position) {
            ingest.wait(py);
        }
        Ok(())
    }
}

/// Adds or removes (`diff`) one row, a dict, under a key of the subject's choice, if there is one.
#[pyfunction]
fn push_row(
    subject: &Bound<'_, Subject>,
    key: Option<PyPointer>,
    values: &Bound<'_, PyDict>,
    diff: i64,
) -> PyResult<()> {
    let py = subject.py();
    let ingest = subject.get().ingest(py)?;
    ingest.check(py)?;
    if diff < 0 {
        check_deletions(subject, ingest)?;
    }
    if key.is_some() && !ingest.own_keys {
        return Err(PyValueError::new_err(format!(
            "{} gives a row a key, which the code of run() does not show; let run() mention _add or _add_inner",
            subject.get_type().name()?
        )));
    }
    take_mapping(py, ingest, values, diff, key.map(|key| key.0))
}

/// An offset of the user's as bytes.
fn encoded_offset(offset: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let module = offset.py().import("pathway.io._offsets")?;
    module.call_method1("encoded", (offset,))?.extract()
}

/// Says where to go on behind the rows so far; it is kept with the next commit.
#[pyfunction]
fn report_offset(subject: &Bound<'_, Subject>, offset: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = subject.py();
    let position = encoded_offset(offset)?;
    let ingest = subject.get().ingest(py)?;
    ingest.check_other(py)?;
    ingest.report_position(position);
    Ok(())
}

/// Whether the timer commits; allowing it commits at once.
#[pyfunction]
fn set_autocommit(subject: &Bound<'_, Subject>, enabled: bool) -> PyResult<()> {
    let py = subject.py();
    let ingest = subject.get().ingest(py)?;
    ingest.check_other(py)?;
    ingest.hold_commits(!enabled);
    Ok(())
}

/// All that there is was sent once, in a source whose rows are compared with what was kept of it: commits it as a whole.
#[pyfunction]
fn commit_whole(subject: &Bound<'_, Subject>) -> PyResult<()> {
    let py = subject.py();
    let ingest = subject.get().ingest(py)?;
    ingest.check_other(py)?;
    if ingest.commit_whole() {
        ingest.wait(py);
    }
    Ok(())
}

/// Whether a row with a value that does not fit is kept, with an error in its place.
#[pyfunction]
fn keeps_bad_rows(subject: &Bound<'_, Subject>) -> PyResult<bool> {
    Ok(subject.get().ingest(subject.py())?.keeps_rows())
}

/// The source ends: what was sent is committed.
#[pyfunction]
fn close_subject(subject: &Bound<'_, Subject>) -> PyResult<()> {
    let py = subject.py();
    let ingest = subject.get().ingest(py)?;
    if ingest.is_forked() {
        ingest.check_other(py)?;
    }
    ingest.close();
    Ok(())
}

/// Whether calls are kept until `read`.
#[pyfunction]
fn is_early(subject: &Bound<'_, Subject>) -> bool {
    subject.get().is_early()
}

/// Keeps a call of a function, with the subject before the arguments, until `read`.
#[pyfunction]
#[pyo3(signature = (subject, function, /, *arguments))]
fn keep_call<'py>(
    subject: &Bound<'py, Subject>,
    function: &Bound<'py, PyAny>,
    arguments: Bound<'py, PyTuple>,
) -> PyResult<()> {
    keep(subject, function, arguments, None)
}

/// `read` is done: makes the calls before it again; from now on rows are taken directly.
#[pyfunction]
fn open_subject(subject: &Bound<'_, Subject>) -> PyResult<()> {
    replay(subject)?;
    subject.get().open();
    Ok(())
}

/// How many rows this subject was given in the present run, accepted or not.
#[pyfunction]
fn rows_given(subject: &Bound<'_, Subject>) -> PyResult<u64> {
    subject.get().ingest(subject.py()).map(Ingest::given)
}

/// What the Python half keeps of a subject.
#[pyfunction]
fn subject_state(subject: &Bound<'_, Subject>) -> Option<Py<PyAny>> {
    let py = subject.py();
    subject.get().state.get().map(|state| state.clone_ref(py))
}

/// Has the Python half keep something of a subject, for as long as it lives.
#[pyfunction]
fn set_subject_state(subject: &Bound<'_, Subject>, state: Py<PyAny>) {
    subject.get().state.get_or_init(|| state);
}

/// Adds the class and the functions to the module.
pub(super) fn install(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Subject>()?;
    module.add_class::<Misfit>()?;
    module.add_function(wrap_pyfunction!(push_row, module)?)?;
    module.add_function(wrap_pyfunction!(report_offset, module)?)?;
    module.add_function(wrap_pyfunction!(set_autocommit, module)?)?;
    module.add_function(wrap_pyfunction!(commit_whole, module)?)?;
    module.add_function(wrap_pyfunction!(keeps_bad_rows, module)?)?;
    module.add_function(wrap_pyfunction!(close_subject, module)?)?;
    module.add_function(wrap_pyfunction!(is_early, module)?)?;
    module.add_function(wrap_pyfunction!(keep_call, module)?)?;
    module.add_function(wrap_pyfunction!(open_subject, module)?)?;
    module.add_function(wrap_pyfunction!(rows_given, module)?)?;
    module.add_function(wrap_pyfunction!(subject_state, module)?)?;
    module.add_function(wrap_pyfunction!(set_subject_state, module)?)?;
    Ok(())
}
