//! `Subject`: the native half of a connector written in Python, and the source that runs it.

mod arrow;
mod batches;
mod buffer;
mod columns;
mod json;
mod next;
pub(crate) mod slots;

use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};
use towpath_engine::source::{Commits, Division, Limits, Readers, SourceStream, Team};
use towpath_engine::{EngineError, Source, SourceContext, SourceHandle, SourceQueue};
use towpath_types::{DType, Field};
use xxhash_rust::xxh3::xxh3_64;

use buffer::Ingest;

use crate::door;
use crate::error::raised;
use crate::pointer::PyPointer;

/// The native half of `ConnectorSubject`: takes rows.
#[pyclass(name = "Subject", module = "pathway._native", subclass, frozen)]
#[derive(Default)]
pub(crate) struct Subject {
    keywords: next::Keywords,
    /// What takes the rows of the present run; null before the first. Every `next` reads it.
    current: AtomicPtr<Ingest>,
    /// Keeps alive what `current` has ever pointed at.
    ingests: Mutex<Vec<Arc<Ingest>>>,
    done: Arc<Done>,
}

/// Whether the subject's thread has ended.
#[derive(Default)]
struct Done {
    is_done: Mutex<bool>,
    changed: Condvar,
}

impl Subject {
    /// What takes the rows.
    #[inline]
    fn ingest(&self, py: Python<'_>) -> PyResult<&Ingest> {
        let _ = py;
        let current = self.current.load(Ordering::Acquire);
        #[expect(
            unsafe_code,
            reason = "a lock and a count of references would cost a tenth of the row"
        )]
        // SAFETY: it is null or points into an `Arc` of `ingests`, from which nothing is ever removed.
        unsafe { current.as_ref() }.ok_or_else(|| {
            PyRuntimeError::new_err(
                "rows can be sent while the computation runs: after pw.run() has started it, from run(), and where a \
                 subject is read in partitions with the self that run() gets",
            )
        })
    }

    fn install(&self, ingest: Arc<Ingest>) {
        let pointer = Arc::as_ptr(&ingest).cast_mut();
        self.ingests.lock().push(ingest);
        self.current.store(pointer, Ordering::Release);
        *self.done.is_done.lock() = false;
    }
}

#[pymethods]
impl Subject {
    #[new]
    #[pyo3(signature = (*_arguments, **_keywords))]
    fn new(_arguments: &Bound<'_, PyTuple>, _keywords: Option<&Bound<'_, PyDict>>) -> Self {
        Self::default()
    }

    /// Sends one row as a JSON object: its text, as str or bytes, or a dict.
    #[pyo3(signature = (message, /))]
    fn next_json(slf: &Bound<'_, Self>, message: &Bound<'_, PyAny>) -> PyResult<()> {
        json::next_json(slf, message)
    }

    /// Sends many rows: an iterable of dicts, dataclasses, NamedTuples or pydantic models. If the iterable fails, the
    /// rows before have been sent.
    #[pyo3(signature = (rows, /))]
    fn next_batch(slf: &Bound<'_, Self>, rows: &Bound<'_, PyAny>) -> PyResult<()> {
        batches::next_batch(slf, rows)
    }

    /// Sends many rows as columns of one length: a dict of lists, numpy arrays, or columns of pandas, polars and
    /// pyarrow. If they are no columns of one length, nothing is sent.
    #[pyo3(signature = (columns, /))]
    fn next_columns(slf: &Bound<'_, Self>, columns: &Bound<'_, PyAny>) -> PyResult<()> {
        columns::next_columns(slf, columns)
    }

    /// Sends many rows of pyarrow, polars, pandas, duckdb, or whatever else has `__arrow_c_stream__` or
    /// `__arrow_c_array__`.
    #[pyo3(signature = (data, /))]
    fn next_arrow(slf: &Bound<'_, Self>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        arrow::next_arrow(slf, data)
    }

    /// Makes the rows sent since the last commit visible, all at once.
    fn commit(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let ingest = slf.get().ingest(py)?;
        next::check_stopping(py, ingest)?;
        ingest.commit();
        if !ingest.queue.has_space() {
            ingest.wait(py);
        }
        Ok(())
    }

    /// Whether the timer commits; allowing it commits at once.
    fn _set_autocommit(&self, py: Python<'_>, enabled: bool) -> PyResult<()> {
        let ingest = self.ingest(py)?;
        ingest.queue.hold_commits(!enabled);
        if enabled {
            ingest.commit();
        }
        Ok(())
    }

    /// Adds or removes (`diff`) one row, a dict, under a key of the subject's choice, if there is one.
    fn _push(slf: &Bound<'_, Self>, key: Option<PyPointer>, values: &Bound<'_, PyDict>, diff: i64) -> PyResult<()> {
        let py = slf.py();
        let ingest = slf.get().ingest(py)?;
        next::check_stopping(py, ingest)?;
        if diff < 0 {
            next::check_deletions(slf, ingest)?;
        }
        if key.is_some() && !ingest.own_keys {
            return Err(PyValueError::new_err(format!(
                "{} gives a row a key, which the code of run() does not show; let run() mention _add or _add_inner",
                slf.get_type().name()?
            )));
        }
        batches::take_mapping(py, ingest, values, diff, key.map(|key| key.0))
    }

    /// The subject has ended, by itself or with an error; what it has sent is committed, or lost with the error. If it
    /// ends because the run was told to stop, it is lost as well where only the subject commits.
    #[pyo3(signature = (error, is_stopped = false))]
    fn _close_native(&self, py: Python<'_>, error: Option<Bound<'_, PyAny>>, is_stopped: bool) {
        let Ok(ingest) = self.ingest(py) else {
            return;
        };
        match error {
            Some(error) => ingest.queue.close(Err(raised(py, PyErr::from_value(error)))),
            None => {
                ingest.flush();
                if is_stopped {
                    ingest.queue.close_uncommitted();
                } else {
                    ingest.queue.close(Ok(()));
                }
            }
        }
    }

    /// The subject's thread has ended.
    fn _thread_ended(&self) {
        *self.done.is_done.lock() = true;
        self.done.changed.notify_all();
    }
}

/// Adds the raw methods to the class.
pub(crate) fn install(class: &Bound<'_, PyType>) -> PyResult<()> {
    next::install(class)
}

/// A subject as a source of the plan.
pub(crate) struct PythonSource {
    pub(crate) subject: Py<Subject>,
    pub(crate) fields: Vec<Field>,
    pub(crate) name: String,
    pub(crate) is_raw: bool,
    pub(crate) upsert: bool,
    pub(crate) deletions: bool,
    /// Whether rows may have keys that the subject chooses.
    pub(crate) own_keys: bool,
    /// Whether it is read in partitions.
    pub(crate) is_partitioned: bool,
    pub(crate) autocommit: Option<Duration>,
    pub(crate) limits: Limits,
    /// Tells apart the generated keys of the sources of one plan.
    pub(crate) key_seed: String,
}

impl std::fmt::Debug for PythonSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PythonSource({:?})", self.name)
    }
}

impl Source for PythonSource {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn columns(&self) -> Vec<DType> {
        self.fields.iter().map(|field| field.dtype.clone()).collect()
    }

    fn is_append_only(&self) -> bool {
        // What an upsert session sends are no changes yet: see `UpsertSession`.
        !self.deletions && !self.upsert
    }

    fn has_unique_keys(&self) -> bool {
        !self.deletions && !self.own_keys && !self.fields.iter().any(|field| field.primary_key)
    }

    fn commits(&self) -> Commits {
        Commits::Streaming(self.autocommit)
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn divide(&self, _team: Team) -> Result<Division, EngineError> {
        if !self.is_partitioned {
            return Ok(Division::whole());
        }
        let names: Vec<String> = door::attach(|py| {
            let names = door::call_method(self.subject.bind(py), "_partition_names");
            names
                .and_then(|names| names.extract())
                .map_err(|error| raised(py, error))
        })?;
        Ok(Division {
            streams: names.len(),
            readers: Readers::All,
            manifest: names,
        })
    }

    fn start(&self, context: SourceContext) -> Result<Box<dyn SourceHandle>, EngineError> {
        door::attach(|py| {
            let mut streams = Vec::new();
            let mut partitions = Vec::new();
            for SourceStream { number, queue } in &context.streams {
                let name = self.is_partitioned.then(|| &context.manifest[*number]);
                let subject = match name {
                    Some(name) => {
                        let part = self.subject.call_method0(py, "_part").and_then(|part| {
                            partitions.push((name, part.clone_ref(py)));
                            Ok(part.cast_bound::<Subject>(py)?.clone().unbind())
                        });
                        part.map_err(|error| raised(py, error))?
                    }
                    None => self.subject.clone_ref(py),
                };
                let ingest = Arc::new(self.ingest(&context, queue, name));
                let flushed = Arc::downgrade(&ingest);
                queue.on_flush(move || {
                    if let Some(ingest) = flushed.upgrade() {
                        ingest.flush();
                    }
                });
                subject.get().install(Arc::clone(&ingest));
                streams.push(RunningStream {
                    ingest,
                    queue: Arc::clone(queue),
                    done: Arc::clone(&subject.get().done),
                });
            }
            let partitions = self.is_partitioned.then_some(partitions);
            self.subject
                .call_method1(py, "_start_run", (partitions,))
                .map_err(|error| raised(py, error))?;
            Ok(Box::new(RunningSubject {
                subject: self.subject.clone_ref(py),
                streams,
            }) as Box<dyn SourceHandle>)
        })
    }
}

impl PythonSource {
    /// What takes the rows of one stream; `partition` is its name, if it has one.
    fn ingest(&self, context: &SourceContext, queue: &Arc<SourceQueue>, partition: Option<&String>) -> Ingest {
        let (place, seed) = match partition {
            Some(partition) => (
                format!("connector {:?}, partition {partition:?}", self.name),
                format!("python source {}\0{partition}", self.key_seed),
            ),
            None => (
                format!("connector {:?}", self.name),
                format!("python source {}", self.key_seed),
            ),
        };
        Ingest::new(
            place,
            self.fields.clone(),
            self.is_raw,
            self.upsert,
            self.deletions,
            self.own_keys,
            context.columns.clone(),
            Arc::clone(queue),
            context.reporter.clone(),
            xxh3_64(seed.as_bytes()),
            context.keeps_bad_rows,
        )
    }
}

/// A subject at work in this process.
struct RunningSubject {
    subject: Py<Subject>,
    streams: Vec<RunningStream>,
}

/// One stream of a subject: all of it, or a partition.
struct RunningStream {
    ingest: Arc<Ingest>,
    queue: Arc<SourceQueue>,
    done: Arc<Done>,
}

impl RunningStream {
    /// Waits until its thread has ended; whether it has.
    fn wait(&self, until: Instant) -> bool {
        let mut is_done = self.done.is_done.lock();
        if !*is_done {
            self.done.changed.wait_until(&mut is_done, until);
        }
        *is_done
    }
}

impl RunningSubject {
    fn request_stop(&self) {
        door::attach(|py| {
            // It reports its own failures through `_close_native`.
            if let Err(error) = door::call_method(self.subject.bind(py), "_stop_requested") {
                error.write_unraisable(py, None);
            }
        });
        self.streams.iter().for_each(|stream| stream.ingest.stop());
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

    fn join(self: Box<Self>) {
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
                stream.ingest.place,
                PATIENCE.as_secs()
            );
        }
    }
}
