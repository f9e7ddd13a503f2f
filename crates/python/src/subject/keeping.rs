//! Calls before `read`: nobody knows the columns yet, so they are kept as they were made and made again when it is known.

use pyo3::exceptions::{PyException, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::early::Call;
use super::native::Subject;
use super::places::{REPLAYED, caller};
use crate::door;

/// So many calls are kept.
const KEPT: usize = 1 << 16;

const DIVIDED: &str = "it is read in partitions, so rows are sent with the self that run() gets";

fn refusal(subject: &Bound<'_, Subject>, why: &str) -> PyResult<()> {
    Err(PyRuntimeError::new_err(format!(
        "{}: {why}",
        subject.get_type().name()?
    )))
}

/// What the caller may change before the call is made is kept as it is now; what cannot be copied is kept itself.
fn copied<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    match py.import("copy")?.call_method1("deepcopy", (value,)) {
        Err(error) if error.is_instance_of::<PyException>(py) => Ok(value.clone()),
        copied => copied,
    }
}

/// Keeps a call.
pub(super) fn keep<'py>(
    subject: &Bound<'py, Subject>,
    function: &Bound<'py, PyAny>,
    arguments: Bound<'py, PyTuple>,
    keywords: Option<Bound<'py, PyDict>>,
) -> PyResult<()> {
    let py = subject.py();
    let refused = |why: &str| refusal(subject, why);
    let native = subject.get();
    if native.state.get().is_none() {
        return refused("its __init__() has to call super().__init__() before rows are sent");
    }
    if native.is_divided() {
        return refused(DIVIDED);
    }
    if native.early.forks != door::forks() {
        return refused(
            "this process was forked from the one that has the subject, so its rows would be lost; send them to that \
             process, through a multiprocessing.Queue for instance, and call next() there",
        );
    }
    let arguments: Vec<Bound<'_, PyAny>> = arguments.iter().map(|value| copied(&value)).collect::<PyResult<_>>()?;
    if let Some(keywords) = &keywords {
        // They are the call's own.
        for (name, value) in keywords.copy()? {
            keywords.set_item(name, copied(&value)?)?;
        }
    }
    let call = Call {
        function: function.clone().unbind(),
        arguments: PyTuple::new(py, arguments)?.unbind(),
        keywords: keywords.map(Bound::unbind),
        place: caller(py),
    };
    let mut calls = native.early.calls.lock();
    if calls.len() >= KEPT {
        drop(calls);
        return refused(&format!(
            "{KEPT} calls are kept until pw.io.python.read() says what the columns are: call it before more rows are sent"
        ));
    }
    calls.push_back(call);
    Ok(())
}

/// Keeps the call of a method of the native half.
pub(super) fn keep_method<'py>(
    subject: &Bound<'py, Subject>,
    name: &str,
    arguments: Bound<'py, PyTuple>,
    keywords: Option<Bound<'py, PyDict>>,
) -> PyResult<()> {
    let function = subject.py().get_type::<Subject>().getattr(name)?;
    keep(subject, &function, arguments, keywords)
}

/// Keeps the call of a method with one argument until `read`.
pub(super) fn keep_message(subject: &Bound<'_, Subject>, name: &str, message: &Bound<'_, PyAny>) -> PyResult<()> {
    keep_method(subject, name, PyTuple::new(subject.py(), [message])?, None)
}

/// Makes the calls that were kept. Others may still come in meanwhile.
pub(super) fn replay(subject: &Bound<'_, Subject>) -> PyResult<()> {
    let py = subject.py();
    let next = || subject.get().early.calls.lock().pop_front();
    if subject.get().is_divided() {
        return next().map_or(Ok(()), |_| refusal(subject, DIVIDED));
    }
    while let Some(call) = next() {
        let arguments: Vec<Bound<'_, PyAny>> = std::iter::once(subject.clone().into_any())
            .chain(call.arguments.bind(py).iter())
            .collect();
        let place = call.place.clone();
        REPLAYED.set(Some((subject.get().address(), call.place)));
        let made = call.function.bind(py).call(
            PyTuple::new(py, arguments)?,
            call.keywords.as_ref().map(|keywords| keywords.bind(py)),
        );
        REPLAYED.set(None);
        if let Err(error) = made {
            if let Some(place) = place {
                // Without the note, the error is still the error.
                let _ = error
                    .value(py)
                    .call_method1("add_note", (format!("sent at {place}, before read()"),));
            }
            return Err(error);
        }
    }
    Ok(())
}
