//! `next`, `delete`, `next_str` and `next_bytes`: the path of every row, as short as it can be.
//!
//! PyO3's `**kwargs` costs 400 ns a call before any work, so these are raw methods of CPython's fast calling
//! convention: values in an array, names in a tuple. The columns that names mean are looked up once and remembered
//! with them. At most call sites the tuple is a constant of the code, so it is found again by its address, which is
//! given to no other tuple because a reference is held. A tuple that is made anew for every call, as by `next(**row)`,
//! and the constant of a second call site are found by their names: strings that are one object are not compared.
//! Only names that are not remembered yet are, so at most one tuple is held for each order of names.

use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use super::batches::take_mapping;
use super::buffer::Ingest;
use super::json::next_message;
use super::keeping::{keep_message, keep_method};
use super::keywords::{ABSENT, Positions};
use super::native::Subject;
use super::slots::Slots;

/// Takes one row whose values are `values[positions[field]]`.
fn take_row(
    py: Python<'_>,
    ingest: &Ingest,
    values: &[Bound<'_, PyAny>],
    positions: &[usize],
    diff: i64,
) -> PyResult<()> {
    let mut row = Slots::default();
    for (field, position) in ingest.fields.iter().zip(positions) {
        let taken = match values.get(*position) {
            Some(value) => row.take(field, value),
            // The values of a removed row do not matter where the key says which row it is.
            None => row.take_absent(field, diff < 0 && ingest.upsert),
        };
        if !ingest.goes_on(py, &mut row, field, taken)? {
            return Ok(());
        }
    }
    if ingest.append(&row, diff) {
        ingest.wait(py);
    }
    Ok(())
}

/// The body of `next` and `delete`.
fn keyword_row(
    py: Python<'_>,
    subject: &Bound<'_, Subject>,
    arguments: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
    diff: i64,
) -> PyResult<()> {
    if count != 0 {
        return Err(PyTypeError::new_err(
            "values are given by name, like next(key=1, text=\"…\"); for a dict write next(**row)",
        ));
    }
    let native = subject.get();
    let Some(ingest) = native.opened() else {
        return early_row(subject, arguments, names, diff);
    };
    ingest.check(py)?;
    if diff < 0 {
        check_deletions(subject, ingest)?;
    }
    if names.is_null() {
        let positions: Positions = std::iter::repeat_n(ABSENT, ingest.fields.len()).collect();
        return take_row(py, ingest, &[], &positions, diff);
    }
    let (names, values) = named_values(py, arguments, names);
    native.keywords.lookup(ingest, &names, |positions| {
        take_row(py, ingest, values, positions, diff)
    })?
}

/// The names of a call, and as many values.
#[inline]
fn named_values<'call, 'py>(
    py: Python<'py>,
    arguments: *const *mut ffi::PyObject,
    names: *mut ffi::PyObject,
) -> (Bound<'py, PyTuple>, &'call [Bound<'py, PyAny>]) {
    #[expect(
        unsafe_code,
        reason = "the calling convention of CPython: names in a tuple, as many values in the array"
    )]
    // SAFETY: CPython keeps the tuple and the values alive for the time of the call; a `Bound` is a pointer
    // to an object and nothing else, and those made here are only borrowed, never dropped.
    unsafe {
        let names = Bound::from_borrowed_ptr(py, names).cast_into_unchecked::<PyTuple>();
        let values = std::slice::from_raw_parts(arguments.cast::<Bound<'_, PyAny>>(), names.len());
        (names, values)
    }
}

/// A call of `next` or `delete` before `read` is done: it is kept, or made again.
#[cold]
fn early_row(
    subject: &Bound<'_, Subject>,
    arguments: *const *mut ffi::PyObject,
    names: *mut ffi::PyObject,
    diff: i64,
) -> PyResult<()> {
    let py = subject.py();
    let row = PyDict::new(py);
    if !names.is_null() {
        let (names, values) = named_values(py, arguments, names);
        for (name, value) in names.iter().zip(values) {
            row.set_item(name, value)?;
        }
    }
    if !subject.get().is_early() {
        let ingest = subject.get().ingest(py)?;
        ingest.check(py)?;
        if diff < 0 {
            check_deletions(subject, ingest)?;
        }
        return take_mapping(py, ingest, &row, diff, None);
    }
    let method = if diff < 0 { "delete" } else { "next" };
    keep_method(subject, method, PyTuple::empty(py), Some(row))
}

pub(super) fn check_deletions(subject: &Bound<'_, Subject>, ingest: &Ingest) -> PyResult<()> {
    if ingest.deletions {
        return Ok(());
    }
    Err(PyValueError::new_err(format!(
        "{} removes a row, but its deletions_enabled is False",
        subject.get_type().name()?
    )))
}

/// Runs the body of a raw method: no panic crosses into CPython, every error becomes its exception.
#[expect(unsafe_code, reason = "raw methods of CPython")]
fn guarded(
    receiver: *mut ffi::PyObject,
    body: impl FnOnce(Python<'_>, &Bound<'_, Subject>) -> PyResult<()>,
) -> *mut ffi::PyObject {
    // SAFETY: CPython calls methods with the GIL held, and its descriptor has checked the type of the receiver.
    let py = unsafe { Python::assume_attached() };
    let result = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: as above.
        let subject = unsafe { Bound::from_borrowed_ptr(py, receiver).cast_into_unchecked::<Subject>() };
        body(py, &subject)
    }));
    match result {
        Ok(Ok(())) => py.None().into_ptr(),
        Ok(Err(error)) => {
            error.restore(py);
            std::ptr::null_mut()
        }
        Err(_) => {
            PyRuntimeError::new_err("a fault in the engine itself, please report it").restore(py);
            std::ptr::null_mut()
        }
    }
}

#[expect(unsafe_code, reason = "raw methods of CPython")]
unsafe extern "C" fn raw_next(
    receiver: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guarded(receiver, |py, subject| {
        keyword_row(py, subject, arguments, count, names, 1)
    })
}

#[expect(unsafe_code, reason = "raw methods of CPython")]
unsafe extern "C" fn raw_delete(
    receiver: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guarded(receiver, |py, subject| {
        keyword_row(py, subject, arguments, count, names, -1)
    })
}

#[expect(unsafe_code, reason = "raw methods of CPython")]
unsafe extern "C" fn raw_next_str(
    receiver: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guarded(receiver, |py, subject| {
        message_row(py, subject, "next_str", (arguments, count, names), true)
    })
}

#[expect(unsafe_code, reason = "raw methods of CPython")]
unsafe extern "C" fn raw_next_bytes(
    receiver: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guarded(receiver, |py, subject| {
        message_row(py, subject, "next_bytes", (arguments, count, names), false)
    })
}

/// The only argument of a call, `message`, by its place or by its name.
#[expect(unsafe_code, reason = "raw methods of CPython")]
fn message_row(
    py: Python<'_>,
    subject: &Bound<'_, Subject>,
    method: &str,
    (arguments, count, names): (*const *mut ffi::PyObject, ffi::Py_ssize_t, *mut ffi::PyObject),
    wants_text: bool,
) -> PyResult<()> {
    // SAFETY: CPython gives a tuple of names or nothing, and keeps it alive for the time of the call.
    let names = unsafe { Bound::from_borrowed_ptr_or_opt(py, names) };
    let is_message = match names.as_ref().map(|names| names.cast::<PyTuple>()) {
        None => count == 1,
        Some(Ok(names)) => count == 0 && names.len() == 1 && names.get_item(0)?.eq("message")?,
        Some(Err(_)) => false,
    };
    if !is_message {
        return Err(PyTypeError::new_err(format!(
            "{method}() takes exactly one argument, message"
        )));
    }
    // SAFETY: there is just one, which CPython keeps alive for the time of the call.
    let message = unsafe { Bound::from_borrowed_ptr(py, *arguments) };
    match subject.get().is_early() {
        true => keep_message(subject, method, &message),
        false => next_message(py, subject, &message, wants_text),
    }
}

const NEXT: &CStr = c"next($self, /, **values)
--

Sends one row: a value for every column, by name.

Fields that are absent take the default of the schema; a row without a value for a column that has none,
or with a value of a wrong type, is not accepted: it is logged and put into `pw.global_error_log()`, and
`run` goes on. Any number of threads may call it. It waits, without the GIL, while the engine is too far
behind (see `max_backlog_size` of `pw.io.python.read`).

>>> class Numbers(pw.io.python.ConnectorSubject):
...     def run(self):
...         self.next(key=1, text=\"one\")
";

const DELETE: &CStr = c"delete($self, /, **values)
--

Removes one row that was sent before: the same values, or, with `session_type=\"upsert\"`, its primary key.
";

const NEXT_STR: &CStr = c"next_str($self, /, message)
--

Sends one row as text: the text of a JSON object with the fields. If the schema has just one column, called
`data`, a text that is no such object is the value of that column.
";

const NEXT_BYTES: &CStr = c"next_bytes($self, /, message)
--

Sends one row as bytes: the UTF-8 text of a JSON object with the fields. If the schema has just one column,
called `data`, bytes that are no such object are the value of that column.
";

fn definition(
    name: &'static CStr,
    method: ffi::PyMethodDefPointer,
    flags: i32,
    documentation: &'static CStr,
) -> ffi::PyMethodDef {
    ffi::PyMethodDef {
        ml_name: name.as_ptr().cast::<c_char>(),
        ml_meth: method,
        ml_flags: flags,
        ml_doc: documentation.as_ptr().cast::<c_char>(),
    }
}

/// Adds the raw methods to the class.
#[expect(unsafe_code, reason = "PyO3 cannot define methods of this calling convention")]
pub(super) fn install(class: &Bound<'_, PyType>) -> PyResult<()> {
    let py = class.py();
    let keywords = ffi::METH_FASTCALL | ffi::METH_KEYWORDS;
    let methods = [
        definition(
            c"next",
            ffi::PyMethodDefPointer {
                PyCFunctionFastWithKeywords: raw_next,
            },
            keywords,
            NEXT,
        ),
        definition(
            c"delete",
            ffi::PyMethodDefPointer {
                PyCFunctionFastWithKeywords: raw_delete,
            },
            keywords,
            DELETE,
        ),
        definition(
            c"next_str",
            ffi::PyMethodDefPointer {
                PyCFunctionFastWithKeywords: raw_next_str,
            },
            keywords,
            NEXT_STR,
        ),
        definition(
            c"next_bytes",
            ffi::PyMethodDefPointer {
                PyCFunctionFastWithKeywords: raw_next_bytes,
            },
            keywords,
            NEXT_BYTES,
        ),
    ];
    let mut names = ["next", "delete", "next_str", "next_bytes"].into_iter();
    for method in methods {
        let name = names.next().unwrap_or_default();
        // SAFETY: CPython keeps pointing at the definition, so it is never freed; the class is alive.
        let descriptor = unsafe {
            let method = Box::leak(Box::new(method));
            Bound::from_owned_ptr_or_err(py, ffi::PyDescr_NewMethod(class.as_type_ptr(), method))?
        };
        class.setattr(name, descriptor)?;
    }
    Ok(())
}
