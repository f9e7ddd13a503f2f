//! How the threads of a source end: when they are told to, and never without closing their queue.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use towpath_engine::{EngineError, ErrorKind, SourceHandle, SourceQueue};

/// How long files are still read that were there when the source was stopped.
const LAST_READING: Duration = Duration::from_secs(1);

/// How long a thread is waited for after that. One that is within a file system that does not answer, as that of a server
/// which is gone, may never come back.
const STUCK: Duration = Duration::from_secs(4);

/// Tells file readers that something has happened.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    state: Mutex<SignalState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct SignalState {
    /// Since when it has been stopped.
    stop: Option<Instant>,
    /// How often files were seen to change.
    changes: u64,
}

impl Signal {
    pub(crate) fn stop(&self) {
        self.state.lock().stop.get_or_insert_with(Instant::now);
        self.changed.notify_all();
    }

    pub(crate) fn files_changed(&self) {
        self.state.lock().changes += 1;
        self.changed.notify_all();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.state.lock().stop.is_some()
    }

    /// Whether it has been stopped so long ago that what is still to be read is left.
    pub(crate) fn is_overdue(&self) -> bool {
        self.state
            .lock()
            .stop
            .is_some_and(|since| since.elapsed() > LAST_READING)
    }

    /// Waits for more changes than `seen`, or the end, at most for `timeout`; says how many there were.
    pub(crate) fn wait(&self, seen: u64, timeout: Duration) -> u64 {
        let mut state = self.state.lock();
        if state.stop.is_none() && state.changes == seen {
            self.changed.wait_for(&mut state, timeout);
        }
        state.changes
    }
}

impl Signal {
    /// Waits for the end, at most for `timeout`.
    pub(crate) fn wait_for_stop(&self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        let mut state = self.state.lock();
        while state.stop.is_none() && !self.changed.wait_until(&mut state, deadline).timed_out() {}
    }
}

/// A source at work.
pub(crate) struct Handle {
    pub(crate) signal: Arc<Signal>,
    pub(crate) threads: Vec<JoinHandle<()>>,
}

impl SourceHandle for Handle {
    fn stop(&self) {
        self.signal.stop();
    }

    fn join(self: Box<Self>) {
        self.signal.stop();
        let deadline = Instant::now() + LAST_READING + STUCK;
        for thread in self.threads {
            while !thread.is_finished() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(1));
            }
            if !thread.is_finished() {
                tracing::error!(target: "pathway", "a thread of a file source is left behind: the file system it reads from does not answer");
                continue;
            }
            if thread.join().is_err() {
                tracing::error!(target: "pathway", "the thread of a file source ended unexpectedly, please report it");
            }
        }
    }
}

/// Closes a queue, also if its thread ends in any other way than it should: a panic must not leave the engine waiting
/// for more rows.
pub(crate) struct Closing(Arc<SourceQueue>);

impl Closing {
    pub(crate) fn new(queue: Arc<SourceQueue>) -> Self {
        Self(queue)
    }

    pub(crate) fn close(self, result: Result<(), EngineError>) {
        self.0.close(result);
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let message = "the thread of a file source ended unexpectedly, please report it";
        // Only the first call counts.
        self.0.close(Err(EngineError::new(ErrorKind::Runtime, message)));
    }
}
