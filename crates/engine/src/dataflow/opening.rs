//! Whether a run has begun: every worker of this process has what it reads and writes, or something could not be opened.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// See the module.
#[derive(Debug)]
pub(crate) struct Opening {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// How many workers are still at it.
    workers: usize,
    has_failed: bool,
}

impl Opening {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            state: Mutex::new(State {
                workers,
                has_failed: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// Something could not be opened; the run has failed with it.
    pub(crate) fn fail(&self) {
        self.state.lock().has_failed = true;
    }

    /// A worker is at it until this is dropped.
    pub(crate) fn worker(&self) -> OpeningWorker<'_> {
        OpeningWorker(self)
    }

    /// Waits until all is open, for so long at most: whether it is, or `None` if nobody knows yet.
    pub(crate) fn wait(&self, timeout: Duration) -> Option<bool> {
        let mut state = self.state.lock();
        let are_at_it = |state: &mut State| state.workers > 0;
        self.changed.wait_while_for(&mut state, are_at_it, timeout);
        (state.workers == 0).then_some(!state.has_failed)
    }
}

/// A worker that opens what it reads and writes.
#[derive(Debug)]
pub(crate) struct OpeningWorker<'a>(&'a Opening);

impl Drop for OpeningWorker<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.workers = state.workers.saturating_sub(1);
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_when_every_worker_is_done() {
        for has_failed in [false, true] {
            let opening = Opening::new(2);
            drop(opening.worker());
            assert_eq!(opening.wait(Duration::ZERO), None);
            let worker = opening.worker();
            if has_failed {
                opening.fail();
            }
            assert_eq!(opening.wait(Duration::ZERO), None);
            std::thread::scope(|scope| {
                let waiting = scope.spawn(|| opening.wait(Duration::from_secs(60)));
                drop(worker);
                assert_eq!(waiting.join().expect("it waits"), Some(!has_failed));
            });
        }
    }
}
