//! What becomes of rows before, during and after a run.
//!
//! ```text
//! waiting ── a run begins ── running ── the source ends ── ended ── the run is over ──┐
//!    └──────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Without a run, rows are kept: a queue that no worker reads takes them and the commits between them, and the run that
//! begins gets what it holds. It holds no more than may be in flight; then, and in a forked process, whose rows nobody
//! would see, the caller waits for a run that is on its way and is refused if none comes. A row is checked on arrival, but
//! only a run says whether bad values are kept as errors: until then they are, with the verdicts beside them.
//!
//! The rows of a source that has ended are let go with a warning. What a stop has ended refuses all rows, so that threads
//! that still send some come to their end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use towpath_engine::source::{Arrival, SourceContext};
use towpath_engine::{EngineError, ErrorKind, SourceQueue};

use super::buffer::{Buffer, Ingest, seal_rows};
use super::phase::{Phase, Stage};
use super::places::caller;
use super::starting::Starting;
use crate::door::Visit;

/// How long who cannot be served waits for a run to begin.
const PATIENCE: Duration = Duration::from_secs(1);

impl Ingest {
    /// Whether the next row may be sent. On the way of every row.
    #[inline]
    pub(super) fn check(&self, py: Python<'_>) -> PyResult<()> {
        if self.needs_look.load(Ordering::Relaxed) {
            if self.upsert && !self.deletions {
                return Err(PyValueError::new_err(format!(
                    "{} replaces rows, session_type=\"upsert\", but its deletions_enabled is False",
                    self.name
                )));
            }
            return self.look(py, true);
        }
        Ok(())
    }

    /// Whether something else than a row may be sent, such as a commit.
    #[inline]
    pub(super) fn check_other(&self, py: Python<'_>) -> PyResult<()> {
        if self.needs_look.load(Ordering::Relaxed) {
            return self.look(py, false);
        }
        Ok(())
    }

    /// Waits until the next row, or something else, may be sent, or says why not.
    #[cold]
    fn look(&self, py: Python<'_>, is_row: bool) -> PyResult<()> {
        let _visit = Visit::begin(py);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let is_forked = self.is_forked();
            // A lock that was held elsewhere when this process was forked stays held. While rows wait for a run, it is
            // only held by threads that have the GIL, as has the one that forks.
            let Some(mut buffer) = (if is_forked {
                self.buffer.try_lock()
            } else {
                Some(self.buffer.lock())
            }) else {
                return Err(self.forked());
            };
            let is_waiting = buffer.stage.phase == Phase::Waiting;
            if is_forked && !is_waiting {
                return Err(self.forked());
            }
            if buffer.stage.is_stopping {
                let is_over = buffer.stage.run == 0;
                drop(buffer);
                return Err(stopped(py, &self.name, is_over)?);
            }
            if let Phase::Elsewhere(process) = buffer.stage.phase {
                return Err(PyRuntimeError::new_err(format!(
                    "{}: process 0 reads it, this is process {process}: send its rows there",
                    self.name
                )));
            }
            let is_full = is_waiting && (is_forked || is_row && self.is_full(&buffer));
            if !is_full {
                let is_news = is_row && is_waiting && std::mem::take(&mut buffer.stage.is_news);
                if is_row {
                    self.needs_look.store(self.upsert && !self.deletions, Ordering::Relaxed);
                }
                drop(buffer);
                return if is_news { self.say_kept(py) } else { Ok(()) };
            }
            if !Starting::is_any() && Instant::now() > deadline {
                let kept = buffer.queue.counts().2 + buffer.rows;
                drop(buffer);
                return Err(if is_forked { self.forked() } else { self.full(kept) });
            }
            drop(buffer);
            py.check_signals()?;
            py.detach(|| {
                let mut buffer = self.buffer.lock();
                if buffer.stage.phase == Phase::Waiting {
                    self.begun.wait_for(&mut buffer, Duration::from_millis(20));
                }
            });
        }
    }

    /// Whether no more rows are kept.
    fn is_full(&self, buffer: &Buffer) -> bool {
        let (_, _, rows, bytes) = buffer.queue.counts();
        rows + buffer.rows >= self.limits.rows
            || bytes + buffer.bytes >= self.limits.bytes
            || self.verdicts.lock().kept.len() >= self.limits.rows
    }

    /// Whether this process was forked from the one that reads the rows.
    pub(super) fn is_forked(&self) -> bool {
        self.is_forked.load(Ordering::Acquire)
    }

    fn forked(&self) -> PyErr {
        PyRuntimeError::new_err(format!(
            "{}: this process was forked from the one that reads it, so its rows would be lost; send them to that \
             process, through a multiprocessing.Queue for instance, and call next() there",
            self.name
        ))
    }

    fn full(&self, kept: usize) -> PyErr {
        PyRuntimeError::new_err(format!(
            "{}: {kept} rows are kept and no run takes them: call pw.run(), from a thread if this one goes on sending \
             rows, or have read() keep more with max_backlog_size and max_backlog_bytes",
            self.name
        ))
    }

    /// Whether who has sent a row that was sealed has to call [`Ingest::wait`].
    pub(super) fn has_to_wait(&self, buffer: &Buffer) -> bool {
        match buffer.stage.phase {
            Phase::Running => !buffer.queue.has_space(),
            Phase::Waiting => self.is_full(buffer),
            // A batch was taken all the same.
            Phase::Ended | Phase::Elsewhere(_) => false,
        }
    }

    /// Waits for space, without the GIL; says so where a row was not taken.
    pub(crate) fn wait(&self, py: Python<'_>) {
        let mut buffer = self.buffer.lock();
        match buffer.stage.phase {
            Phase::Running => {
                let (run, queue) = (buffer.stage.run, Arc::clone(&buffer.queue));
                drop(buffer);
                if py.detach(|| queue.wait_for_space()).is_err() {
                    // The run is over. The next call says so, also if nobody has come to tell the subject yet.
                    let mut buffer = self.buffer.lock();
                    if buffer.stage.phase == Phase::Running && buffer.stage.run == run {
                        buffer.stage.is_stopping = true;
                        self.needs_look.store(true, Ordering::Relaxed);
                    }
                }
            }
            // These rows are kept; the next waits.
            Phase::Waiting => self.needs_look.store(true, Ordering::Relaxed),
            Phase::Ended | Phase::Elsewhere(_) => {
                let is_news = !buffer.stage.is_stopping && std::mem::take(&mut buffer.stage.is_news);
                drop(buffer);
                if is_news {
                    let message = format!(
                        "{} has ended, by close() or because run() has returned: the row{} comes too late and is not \
                         taken, and neither is what follows; let run() wait for the last row",
                        self.name,
                        sent_at(py)
                    );
                    // Nothing is lost with the warning that is not lost already.
                    let _ = crate::log::warning(py, &message);
                }
            }
        }
    }

    fn say_kept(&self, py: Python<'_>) -> PyResult<()> {
        let message = format!(
            "{}: its run is over; the row{}, and those that follow, are kept for the next run",
            self.name,
            sent_at(py)
        );
        crate::log::warning(py, &message)
    }

    /// Makes the rows so far visible together, up to a position if there is one. Returns whether the caller has to wait
    /// for space.
    pub(super) fn commit(&self, position: Option<Vec<u8>>) -> bool {
        let mut guard = self.buffer.lock();
        let buffer = &mut *guard;
        let commit = |queue: &SourceQueue| match position {
            Some(position) => queue.commit_at(position),
            None => queue.commit(),
        };
        if buffer.stage.phase == Phase::Waiting {
            // However often this is called, it takes no space.
            if std::mem::take(&mut buffer.stage.is_uncommitted) || buffer.rows > 0 {
                self.seal(buffer);
                let _ = commit(&buffer.queue);
            }
            return false;
        }
        self.seal(buffer);
        // Once the source has ended, there is nothing to commit.
        let _ = commit(&buffer.queue);
        buffer.stage.phase == Phase::Running && !buffer.queue.has_space()
    }

    /// A source that sends all its content again has done so. Returns whether the caller has to wait for space.
    pub(super) fn commit_whole(&self) -> bool {
        {
            let mut guard = self.buffer.lock();
            let buffer = &mut *guard;
            self.seal(buffer);
            // Once the source has ended, there is nothing to compare.
            let _ = buffer.queue.is_whole(true);
        }
        self.commit(None)
    }

    /// All rows so far are before a position.
    pub(super) fn report_position(&self, position: Vec<u8>) {
        let mut guard = self.buffer.lock();
        let buffer = &mut *guard;
        self.seal(buffer);
        // Once the source has ended, nobody goes on behind it.
        let _ = buffer.queue.position(position);
    }

    /// Allows or forbids commits other than the subject's own.
    pub(super) fn hold_commits(&self, hold: bool) {
        self.buffer.lock().queue.hold_commits(hold);
        if !hold {
            self.commit(None);
        }
    }

    /// The source ends here: what was sent is committed.
    pub(super) fn close(&self) {
        let run = self.buffer.lock().stage.run;
        self.end(run, |queue| queue.close(Ok(())));
    }

    /// The source ends in a run; what was sent is handed over before `close`.
    pub(super) fn end(&self, run: u64, close: impl FnOnce(&SourceQueue)) {
        let queue = {
            let mut guard = self.buffer.lock();
            let buffer = &mut *guard;
            if buffer.stage.run != run || matches!(buffer.stage.phase, Phase::Elsewhere(_)) {
                return;
            }
            self.seal(buffer);
            if buffer.stage.phase != Phase::Ended {
                self.ended(buffer);
            }
            Arc::clone(&buffer.queue)
        };
        // It may ask for what is not handed over yet.
        close(&queue);
    }

    fn ended(&self, buffer: &mut Buffer) {
        buffer.stage.phase = Phase::Ended;
        buffer.stage.is_news = true;
        // From now on every row comes to where it is said.
        buffer.seal_rows = 0;
    }

    /// Asks the subject to end: its next row unwinds `run`.
    pub(super) fn stop(&self, run: u64) {
        let mut buffer = self.buffer.lock();
        if buffer.stage.run == run {
            buffer.stage.is_stopping = true;
            self.needs_look.store(true, Ordering::Relaxed);
        }
    }

    /// A run begins to read the rows; those that were kept are its first. Returns the number of the run.
    ///
    /// # Errors
    /// If another run reads them.
    pub(super) fn begin(
        &self,
        py: Python<'_>,
        context: &SourceContext,
        queue: &Arc<SourceQueue>,
    ) -> Result<u64, EngineError> {
        let failed = |message: &str| EngineError::new(ErrorKind::Runtime, format!("{}: {message}", self.name));
        let Some(mut guard) = self.buffer.try_lock_for(PATIENCE) else {
            return Err(failed("this process was forked while the connector was running"));
        };
        let buffer = &mut *guard;
        if buffer.stage.phase == Phase::Running {
            return Err(failed(
                "another run is reading this connector, and a connector has one reader at a time",
            ));
        }
        let keeps_bad_rows = context.keeps_bad_rows;
        self.keeps_bad_rows.store(keeps_bad_rows, Ordering::Relaxed);
        buffer.json.keep_bad_rows(keeps_bad_rows);
        self.seal(buffer);
        // After a stop, and where another process was to read the rows, none were kept.
        if !buffer.stage.is_stopping && !matches!(buffer.stage.phase, Phase::Elsewhere(_)) {
            buffer.queue.hand_over(queue, |rows| match rows {
                Arrival::Unkeyed(rows) if !keeps_bad_rows => rows.without_errors().into(),
                rows => rows,
            });
        }
        buffer.queue = Arc::clone(queue);
        buffer.seal_rows = seal_rows(queue.limits());
        buffer.stage = Stage {
            phase: Phase::Running,
            run: next_run(),
            ..Stage::default()
        };
        if queue.is_closed() {
            // `close` was called before.
            self.ended(buffer);
        }
        let run = buffer.stage.run;
        self.is_forked.store(false, Ordering::Release);
        self.needs_look.store(self.upsert && !self.deletions, Ordering::Relaxed);
        self.begun.notify_all();
        drop(guard);
        self.tell_kept(py, context.reporter.clone(), keeps_bad_rows);
        Ok(run)
    }

    /// The run is over. Where nobody was told to stop, what is sent from now on is kept for the next.
    pub(super) fn finish(&self, run: u64) {
        let mut buffer = self.buffer.lock();
        if buffer.stage.run != run {
            return;
        }
        let is_stopping = buffer.stage.is_stopping;
        let mut next = Buffer::waiting(&self.fields, self.limits);
        next.stage.is_news = true;
        next.stage.is_stopping = is_stopping;
        if is_stopping {
            next.stage.phase = Phase::Ended;
            next.seal_rows = 0;
            next.queue.close(Ok(()));
        }
        let last = std::mem::replace(&mut *buffer, next);
        self.given.store(0, Ordering::Relaxed);
        self.keeps_bad_rows.store(true, Ordering::Relaxed);
        self.needs_look.store(true, Ordering::Relaxed);
        let verdicts = std::mem::take(&mut *self.verdicts.lock());
        drop(buffer);
        // Objects of Python may be among what is left: what they do when they go may need the locks.
        drop((last, verdicts));
    }

    /// A run of several processes has begun, and another one reads the rows.
    pub(super) fn is_read_elsewhere(&self, process: usize) {
        let mut buffer = self.buffer.lock();
        let last = std::mem::replace(&mut *buffer, Buffer::waiting(&self.fields, self.limits));
        buffer.stage.phase = Phase::Elsewhere(process);
        buffer.seal_rows = 0;
        buffer.queue.close(Ok(()));
        self.needs_look.store(true, Ordering::Relaxed);
        self.begun.notify_all();
        let verdicts = std::mem::take(&mut *self.verdicts.lock());
        drop(buffer);
        drop((last, verdicts));
        let given = self.given.swap(0, Ordering::Relaxed);
        if given > 0 {
            tracing::warn!(
                target: "pathway",
                "{}: rows sent in process {process} before the run are left out, {given} in all; process 0 reads the \
                 connector, and has rows of its own",
                self.name
            );
        }
    }
}

/// A number that no other run of any subject has.
fn next_run() -> u64 {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    RUNS.fetch_add(1, Ordering::Relaxed) as u64 + 1
}

/// Where the row comes from, as a part of a sentence.
fn sent_at(py: Python<'_>) -> String {
    caller(py).map_or_else(String::new, |place| format!(" sent at {place}"))
}

/// What ends whoever sends rows to a run that was told to stop.
fn stopped(py: Python<'_>, name: &str, is_over: bool) -> PyResult<PyErr> {
    let error = py
        .import("pathway.io._subject")?
        .call_method1("stopped", (name, is_over))?;
    Ok(PyErr::from_value(error))
}
