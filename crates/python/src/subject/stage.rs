//! What becomes of rows before, during and after a run.
//!
//! ```text
//! waiting ── a run begins ── running ── the source ends ── ended ── the run is over ──┐
//!    └──────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Without a run, rows are kept: a queue that no worker reads takes them and the commits between them, and the run that
//! begins gets what it holds, as much as is [admitted](super::admission). A row is checked on arrival, but only a run says
//! whether bad values are kept as errors: until then they are, with the verdicts beside them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pyo3::prelude::*;
use towpath_engine::source::{Arrival, SourceContext};
use towpath_engine::{EngineError, ErrorKind, SourceQueue};

use super::buffer::{Buffer, Ingest, seal_rows};
use super::phase::{Phase, Stage};

/// How long a run that begins waits for the lock: where this process was forked while a thread held it, nobody gives it back.
const PATIENCE: Duration = Duration::from_secs(1);

impl Ingest {
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
