//! Whether the next row may be sent, who waits for that, and who is refused.
//!
//! What is kept without a run is no more than may be in flight; then, and in a forked process, whose rows nobody would see,
//! the caller waits for a run that is on its way and is refused if none comes. The rows of a source that has ended are let go
//! with a warning. What a stop has ended refuses all rows, so that threads that still send some come to their end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use super::buffer::{Buffer, Ingest};
use super::phase::Phase;
use super::places::caller;
use super::starting::Starting;
use crate::door::Visit;

/// How long who cannot be served waits for a run to begin.
const PATIENCE: Duration = Duration::from_secs(1);

impl Ingest {
    /// Whether the next row may be sent. On the way of every row.
    #[inline(always)]
    pub(super) fn check(&self, py: Python<'_>) -> PyResult<()> {
        if self.needs_look.load(Ordering::Relaxed) {
            return self.look_at_row(py);
        }
        Ok(())
    }

    #[cold]
    fn look_at_row(&self, py: Python<'_>) -> PyResult<()> {
        if self.upsert && !self.deletions {
            return Err(PyValueError::new_err(format!(
                "{} replaces rows, session_type=\"upsert\", but its deletions_enabled is False",
                self.name
            )));
        }
        self.look(py, true)
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
