//! What the worker that reads a stream does with its queue.

use std::sync::atomic::Ordering;

use towpath_types::Time;

use super::in_flight::Load;
use super::{Queued, SourceQueue};
use crate::error::EngineError;
use crate::source::{Arrival, Commits};

impl SourceQueue {
    pub(crate) fn on_wake(&self, wake: impl Fn() + Send + 'static) {
        *self.wake.lock() = Some(Box::new(wake));
        self.wake();
    }

    /// Installs what is told at once, before the worker has come to it, when the source fails.
    pub(crate) fn on_failure(&self, fail: impl Fn(&EngineError) + Send + 'static) {
        *self.fail.lock() = Some(Box::new(fail));
    }

    /// Takes nothing more and wakes who waits.
    pub(crate) fn stop(&self) {
        let mut state = self.state.lock();
        state.stopped = true;
        state.messages.clear();
        drop(state);
        self.space.notify_all();
    }

    pub(crate) fn flush(&self) {
        let flush = self.flush.lock().clone();
        if let Some(flush) = flush {
            flush();
        }
    }

    /// The next message; the worker has looked.
    pub(crate) fn pop(&self) -> Option<Queued> {
        self.woken.store(false, Ordering::Release);
        let mut state = self.state.lock();
        let message = state.messages.pop_front();
        state.taken += u64::from(message.is_some());
        message
    }

    /// The worker is done with what it has taken.
    pub(crate) fn handled(&self) {
        let mut state = self.state.lock();
        state.handled = state.taken;
    }

    /// How many messages have come.
    pub(crate) fn received(&self) -> u64 {
        self.state.lock().received
    }

    /// Whether the worker is done with so many of them, or nothing is taken any more.
    pub(crate) fn has_handled(&self, received: u64) -> bool {
        let state = self.state.lock();
        state.stopped || state.handled >= received
    }

    pub(crate) fn holds_commits(&self) -> bool {
        self.state.lock().holds_commits
    }

    pub(crate) fn wants_space(&self) -> bool {
        self.state.lock().wants_space
    }

    /// The worker has sent rows on at `time`.
    pub(crate) fn sent(&self, time: Time, arrival: &Arrival, commits: Commits) {
        let mut state = self.state.lock();
        if matches!(commits, Commits::AtEnd | Commits::Scripted) {
            // Such a commit may be as long as the source; what counts is what waits here.
            state.in_flight.remove(Load::of(arrival));
            self.release(&mut state);
        } else {
            state.in_flight.sent(time, Load::of(arrival));
        }
    }

    /// There are many rows that may only be committed once the source gives their position: until then nothing bounds them.
    pub(crate) fn waits_for_position(&self, name: &str) {
        let mut state = self.state.lock();
        if !std::mem::replace(&mut state.waits_for_position, true) {
            tracing::warn!(
                target: "pathway",
                "{name}: {} rows were sent since the last commit(offset=...). They are not visible, and take memory, until \
                 there is one",
                state.in_flight.load().rows
            );
        }
        self.release(&mut state);
    }

    /// The source has given a position.
    pub(crate) fn has_position(&self) {
        self.state.lock().waits_for_position = false;
    }

    /// The worker has added rows, which the source has sent in a run before.
    pub(crate) fn remembered(&self, arrival: &Arrival) {
        self.state.lock().in_flight.add(Load::of(arrival));
    }

    /// The worker has left out so many rows, which came again.
    pub(crate) fn forgotten(&self, rows: usize, bytes: usize) {
        let mut state = self.state.lock();
        state.in_flight.remove(Load { rows, bytes });
        self.release(&mut state);
    }

    /// The worker has sent rows on at `time` that a run before has kept.
    pub(crate) fn replayed(&self, time: Time, arrival: &Arrival) {
        let mut state = self.state.lock();
        state.replayed.add(Load::of(arrival));
        state.replayed.sent(time, Load::of(arrival));
    }

    /// Whether more may be sent on of what a run before has kept; the worker is woken when that changes.
    pub(crate) fn may_replay(&self) -> bool {
        self.state.lock().replayed.has_space(self.limits)
    }

    /// The worker has forgotten rows.
    pub(crate) fn discarded(&self, arrivals: &[Arrival]) {
        let mut state = self.state.lock();
        for arrival in arrivals {
            state.in_flight.remove(Load::of(arrival));
        }
        self.release(&mut state);
    }

    /// Every output has completed the times before `frontier` (all, if there is none).
    pub(crate) fn completed(&self, frontier: Option<Time>) {
        let mut state = self.state.lock();
        state.in_flight.completed(frontier);
        self.release(&mut state);
        if state.replayed.completed(frontier) {
            drop(state);
            self.wake();
        }
    }
}
