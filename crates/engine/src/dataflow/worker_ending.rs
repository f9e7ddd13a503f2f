//! How the operators of one worker end the run: at once, or when what was committed before is complete.

use std::cell::RefCell;
use std::sync::Arc;

use towpath_types::Time;

use super::ending::Ending;
use super::times::SourceTimes;
use crate::error::EngineError;

/// See the module.
pub(crate) struct WorkerEnding {
    run: Arc<Ending>,
    times: Arc<SourceTimes>,
    /// A stream, or the end of an output, has failed; what was committed before is still completed.
    after_commits: RefCell<Option<AfterCommits>>,
}

/// The end of a run that waits for what was committed before.
struct AfterCommits {
    error: EngineError,
    /// How much every queue of this process had received.
    received: Vec<u64>,
    /// When all of that had been read: the time before which commits that a timer would close are closed, since they
    /// hold up what others have committed since.
    pressed: Option<Time>,
    /// When they were closed: the earliest time that was still open.
    open: Option<Time>,
}

impl WorkerEnding {
    pub(super) fn new(run: &Arc<Ending>, times: &Arc<SourceTimes>) -> Self {
        Self {
            run: Arc::clone(run),
            times: Arc::clone(times),
            after_commits: RefCell::new(None),
        }
    }

    pub(super) fn is_failed(&self) -> bool {
        self.run.is_failed()
    }

    /// Ends the run at once.
    pub(super) fn fail(&self, error: EngineError) {
        self.run.fail(error);
    }

    /// Ends the run when what was committed before has been completed.
    pub(super) fn fail_after_commits(&self, error: EngineError) {
        self.run.end_soon(&error);
        self.after_commits.borrow_mut().get_or_insert_with(|| AfterCommits {
            error,
            received: self.run.queues().map(|queue| queue.received()).collect(),
            pressed: None,
            open: None,
        });
    }

    /// Ends the run if what was committed before the failure of a stream is complete, or the worker `has_ended`;
    /// `frontier` is how far the outputs are. Whether there was such a failure.
    pub(super) fn settle(&self, frontier: Option<Time>, has_ended: bool) -> bool {
        let mut after_commits = self.after_commits.borrow_mut();
        let Some(waiting) = &mut *after_commits else {
            return false;
        };
        if (has_ended || self.is_complete(waiting, frontier))
            && let Some(waiting) = after_commits.take()
        {
            self.run.fail(waiting.error);
        }
        true
    }

    /// Whether what was committed before the failure is complete, as far as this process can tell.
    fn is_complete(&self, waiting: &mut AfterCommits, frontier: Option<Time>) -> bool {
        // Another worker may not have read yet what was committed.
        let mut queues = self.run.queues().zip(&waiting.received);
        if waiting.pressed.is_none() && queues.all(|(queue, received)| queue.has_handled(*received)) {
            waiting.pressed = Some(self.times.press());
        }
        if !waiting.pressed.is_some_and(|pressed| self.times.have_answered(pressed)) {
            return false;
        }
        let earliest = self.times.earliest().unwrap_or(Time::MAX);
        // Streams go on, and what they commit from now on is not waited for.
        let open = earliest.min(*waiting.open.get_or_insert(earliest));
        frontier.is_none_or(|frontier| frontier >= open)
    }
}
