//! A subject at work in a run: how it is asked to end, and how its threads are waited for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use towpath_engine::source::Resumption;
use towpath_engine::{SourceHandle, SourceQueue};

use super::buffer::Ingest;
use crate::door;
use crate::error::raised;

/// One stream of a subject, all of it or a partition, during one run.
#[pyclass(name = "SubjectStream", module = "pathway._native", frozen)]
#[derive(Clone)]
pub(crate) struct SubjectStream {
    /// Its number among the streams of the source.
    pub(super) number: usize,
    /// Where it goes on, if what it sends is kept.
    pub(super) resumption: Option<Resumption>,
    pub(super) ingest: Arc<Ingest>,
    pub(super) queue: Arc<SourceQueue>,
    /// The number of the run.
    pub(super) run: u64,
    pub(super) done: Arc<Done>,
}

/// Whether the thread that reads a stream has ended.
#[derive(Default)]
pub(super) struct Done {
    is_done: Mutex<bool>,
    changed: Condvar,
}

#[pymethods]
impl SubjectStream {
    /// The subject has ended, by itself or with an error; what it has sent is committed, or lost with the error. If it
    /// ends because the run was told to stop, it is lost as well where only the subject commits.
    #[pyo3(signature = (error, is_stopped))]
    fn close(&self, py: Python<'_>, error: Option<Bound<'_, PyAny>>, is_stopped: bool) {
        let result = match error {
            Some(error) => Err(raised(py, PyErr::from_value(error))),
            None => Ok(()),
        };
        self.ingest.end(self.run, |queue| match result {
            Ok(()) if is_stopped => queue.close_uncommitted(),
            result => queue.close(result),
        });
    }

    /// Its number among the streams of the source.
    #[getter]
    fn number(&self) -> usize {
        self.number
    }

    /// Whether what it sends is kept.
    #[getter]
    fn is_kept(&self) -> bool {
        self.resumption.is_some()
    }

    /// The offset that the runs before have kept last.
    #[getter]
    fn offset(&self) -> Option<&[u8]> {
        self.resumption.as_ref()?.position.as_deref()
    }

    /// Its thread has ended.
    fn thread_ended(&self) {
        *self.done.is_done.lock() = true;
        self.done.changed.notify_all();
    }
}

impl SubjectStream {
    /// Waits until its thread has ended; whether it has.
    fn wait(&self, until: Instant) -> bool {
        let mut is_done = self.done.is_done.lock();
        if !*is_done {
            self.done.changed.wait_until(&mut is_done, until);
        }
        *is_done
    }
}

/// A subject at work in this process.
pub(super) struct RunningSubject {
    pub(super) running: Py<PyAny>,
    pub(super) streams: Vec<SubjectStream>,
}

impl RunningSubject {
    fn request_stop(&self) {
        door::attach(|py| {
            // It reports its own failures through its streams.
            if let Err(error) = door::call_method(self.running.bind(py), "request_stop") {
                error.write_unraisable(py, None);
            }
        });
        self.streams.iter().for_each(|stream| stream.ingest.stop(stream.run));
    }

    /// Waits for its threads, and tells them to end if they have not.
    fn wait(&self) {
        let has_ended = |until: Instant| self.streams.iter().all(|stream| stream.wait(until));
        // The run has ended. A subject that closed itself may still be in `run`; one that did not is told to stop.
        if has_ended(Instant::now()) {
            return;
        }
        self.request_stop();
        if has_ended(Instant::now() + PATIENCE) {
            return;
        }
        for stream in self.streams.iter().filter(|stream| !stream.wait(Instant::now())) {
            tracing::warn!(
                target: "pathway",
                "{}: run() has not returned within {} seconds and is left behind in its thread; on_stop() can end it",
                stream.ingest.name,
                PATIENCE.as_secs()
            );
        }
    }
}

/// How long a subject that was told to stop may take, before the run ends without it.
const PATIENCE: Duration = Duration::from_secs(2);

impl SourceHandle for RunningSubject {
    fn stop(&self) {
        self.request_stop();
        for stream in &self.streams {
            stream.ingest.flush();
            stream.queue.close_uncommitted();
        }
    }

    fn durable(&self, stream: usize, position: Vec<u8>) {
        door::attach(|py| {
            let told = (|| {
                let arguments = [
                    stream.into_pyobject(py)?.into_any(),
                    PyBytes::new(py, &position).into_any(),
                ];
                door::call(&self.running.bind(py).getattr("durable")?, &arguments, None)
            })();
            // It reports its own failures.
            if let Err(error) = told {
                error.write_unraisable(py, None);
            }
        });
    }

    fn join(self: Box<Self>) {
        self.wait();
        self.streams.iter().for_each(|stream| stream.ingest.finish(stream.run));
    }
}
