//! The one door through which threads of ours enter Python, and through which they call functions of the user.
//!
//! An interpreter that ends kills every thread that wants its lock from then on: before Python 3.14, by unwinding it,
//! which no frame of Rust survives; and a thread that comes when it has ended finds nothing but ruins. So the end of
//! the interpreter [closes](close_door) the door first, see `_running/ending.py`: whoever comes later waits here until the
//! process is gone, and those inside are waited for. One that is inside a function which does not return meets the end
//! where that function was [called](call), and waits there.
//!
//! A process that was forked has one thread, a copy of that which forked. If it was inside a function of the user, it
//! must not come back into a computation whose other threads are not there: it [ends](call) instead.

use std::cell::Cell;
use std::hint::black_box;
use std::mem::{ManuallyDrop, transmute};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use smallvec::{SmallVec, smallvec};
use towpath_engine::monitor;

static IS_CLOSED: AtomicBool = AtomicBool::new(false);

/// The thread that has closed it, and that ends the interpreter.
static CLOSED_BY: Mutex<Option<ThreadId>> = Mutex::new(None);

/// How many threads have come in by the door and have not left.
static INSIDE: AtomicUsize = AtomicUsize::new(0);

/// How often this process, or one it descends from, was forked.
static FORKS: AtomicUsize = AtomicUsize::new(0);

/// Told when the last thread has left a door that is closed.
static LEFT: (Mutex<()>, Condvar) = (Mutex::new(()), Condvar::new());

thread_local! {
    /// How often this thread is inside.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// A thread inside the door.
struct Inside {
    forks: usize,
}

impl Inside {
    fn new() -> Self {
        INSIDE.fetch_add(1, Ordering::SeqCst);
        DEPTH.set(DEPTH.get() + 1);
        Self { forks: forks() }
    }

    /// Goes in, unless the door is closed.
    fn enter() -> Option<Self> {
        let inside = Self::new();
        if IS_CLOSED.load(Ordering::SeqCst) && DEPTH.get() == 1 && !has_lock() {
            return None;
        }
        Some(inside)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
        // Those that came in before a fork are not in the process that was made by it.
        if self.forks == forks() && INSIDE.fetch_sub(1, Ordering::SeqCst) == 1 && IS_CLOSED.load(Ordering::SeqCst) {
            drop(LEFT.0.lock());
            LEFT.1.notify_all();
        }
    }
}

/// Whether this thread has the lock of the interpreter, since it comes from Python.
#[expect(unsafe_code, reason = "a question that PyO3 does not answer")]
fn has_lock() -> bool {
    // SAFETY: both may be called at any time, by any thread. The first finds no state of a thread once the
    // interpreter has ended, when the second is not to be believed.
    unsafe { !ffi::PyGILState_GetThisThreadState().is_null() && ffi::PyGILState_Check() == 1 }
}

/// A call that a program has made and that may run code of others: to convert a value, to iterate, to log. The thread of
/// the program would be killed inside of it, so while it lasts it counts as one that is inside.
pub(crate) struct Visit(#[expect(dead_code, reason = "it counts as long as it lives")] Inside);

impl Visit {
    /// Begins such a call. Once the interpreter ends, it waits for ever, but in the thread that ends it.
    pub(crate) fn begin(py: Python<'_>) -> Self {
        let inside = Inside::new();
        if DEPTH.get() == 1 && ends_elsewhere() {
            drop(inside);
            py.detach(|| park());
        }
        Self(inside)
    }

    /// A long call goes on: here it may end with the interpreter.
    pub(crate) fn go_on(self, py: Python<'_>) -> Self {
        if !is_closed() {
            return self;
        }
        drop(self);
        Self::begin(py)
    }
}

/// Whether another thread ends the interpreter.
fn ends_elsewhere() -> bool {
    is_closed()
        && CLOSED_BY
            .lock()
            .is_some_and(|thread| thread != std::thread::current().id())
}

/// Waits until the process is gone.
fn park() -> ! {
    loop {
        std::thread::park();
    }
}

/// Parks a thread that is being unwound through here.
struct Parked;

impl Drop for Parked {
    fn drop(&mut self) {
        park();
    }
}

/// Does something in Python. Once the interpreter ends, it waits for ever.
pub(crate) fn attach<R>(work: impl for<'py> FnOnce(Python<'py>) -> R) -> R {
    match Inside::enter() {
        Some(_inside) => Python::attach(work),
        None => park(),
    }
}

/// Does something in Python that nobody misses once the interpreter ends.
pub(crate) fn try_attach<R>(work: impl for<'py> FnOnce(Python<'py>) -> R) -> Option<R> {
    let _inside = Inside::enter()?;
    Python::try_attach(work)
}

/// Whether the interpreter is ending.
pub(crate) fn is_closed() -> bool {
    IS_CLOSED.load(Ordering::SeqCst)
}

/// How often this process, or one it descends from, was forked: threads made at another number are not here.
pub(crate) fn forks() -> usize {
    FORKS.load(Ordering::Relaxed)
}

/// Calls a function of Python, a function of the user above all. The last arguments have names.
#[expect(
    unsafe_code,
    reason = "PyO3 calls functions in a way that a thread cannot be parked in"
)]
pub(crate) fn call<'py>(
    function: &Bound<'py, PyAny>,
    arguments: &[Bound<'py, PyAny>],
    names: Option<&Bound<'py, PyTuple>>,
) -> PyResult<Bound<'py, PyAny>> {
    type Vectorcall = unsafe extern "C-unwind" fn(
        *mut ffi::PyObject,
        *const *mut ffi::PyObject,
        usize,
        *mut ffi::PyObject,
    ) -> *mut ffi::PyObject;
    type Declared = unsafe extern "C" fn(
        *mut ffi::PyObject,
        *const *mut ffi::PyObject,
        usize,
        *mut ffi::PyObject,
    ) -> *mut ffi::PyObject;
    // The compiler must not see which function this is: as it is declared, it cannot be unwound.
    let declared: Declared = black_box(ffi::PyObject_Vectorcall);
    // SAFETY: the convention is the same, but that it says what is so.
    let vectorcall = unsafe { transmute::<Declared, Vectorcall>(declared) };
    let py = function.py();
    let forks_before = forks();
    // One slot before the first argument is left to the called function, so that a method need not copy them.
    let mut pointers: SmallVec<[*mut ffi::PyObject; 8]> = smallvec![null_mut(); arguments.len() + 1];
    for (pointer, argument) in pointers[1..].iter_mut().zip(arguments) {
        *pointer = argument.as_ptr();
    }
    let positional = arguments.len() - names.map_or(0, |names| names.len());
    // SAFETY: the arguments and names are alive during the call, and there are as many as is said.
    let result = unsafe {
        let parked = Parked;
        let result = vectorcall(
            function.as_ptr(),
            pointers.as_ptr().add(1),
            positional | ffi::PY_VECTORCALL_ARGUMENTS_OFFSET,
            names.map_or(null_mut(), Bound::as_ptr),
        );
        let _ = ManuallyDrop::new(parked);
        Bound::from_owned_ptr_or_err(py, result)
    };
    if forks() != forks_before {
        end_forked(py, result.err());
    }
    monitor::returned();
    result
}

/// Calls a method of a Python object without arguments.
pub(crate) fn call_method<'py>(object: &Bound<'py, PyAny>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    call(&object.getattr(name)?, &[], None)
}

/// Ends a process that was forked inside a function and comes back from it.
fn end_forked(py: Python<'_>, error: Option<PyErr>) -> ! {
    let error = error.map(|error| error.into_value(py));
    // It does not return; whatever goes wrong, nothing comes after it.
    let _ = py
        .import("pathway._ground.forks")
        .and_then(|forks| forks.call_method1("end", (error,)));
    std::process::abort();
}

/// Closes the door and waits so many seconds for those inside; whether nobody is.
#[pyfunction]
pub(crate) fn close_door(py: Python<'_>, seconds: f64) -> bool {
    *CLOSED_BY.lock() = Some(std::thread::current().id());
    IS_CLOSED.store(true, Ordering::SeqCst);
    let until = Instant::now() + Duration::try_from_secs_f64(seconds).unwrap_or_default();
    py.detach(|| {
        let mut left = LEFT.0.lock();
        while INSIDE.load(Ordering::SeqCst) > 0 {
            if LEFT.1.wait_until(&mut left, until).timed_out() {
                break;
            }
        }
        INSIDE.load(Ordering::SeqCst) == 0
    })
}

/// Called in a process that was just forked: no other thread is inside, and the end is not near.
#[pyfunction]
pub(crate) fn begin_forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    INSIDE.store(0, Ordering::SeqCst);
    IS_CLOSED.store(false, Ordering::SeqCst);
}
