//! The way of rows into the dataflow: bounded, with the commits between them. What the source does with it is here, what
//! the worker does in `worker`.

mod in_flight;
mod worker;

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Condvar, Mutex};
use towpath_types::Time;

use super::{Arrival, Keys, Limits, Stopped};
use crate::error::EngineError;
use in_flight::{InFlight, Load};

pub(crate) use in_flight::weight;

/// What waits in a queue.
#[derive(Debug)]
pub(crate) enum Queued {
    Rows(Arrival),
    /// All rows so far are before this position.
    Position(Vec<u8>),
    /// A source that sends all its content again has done so; whether nothing of it could be overlooked.
    Whole(bool),
    /// Close the commit and open the next.
    Commit,
    /// Close the commit and open the next at this time.
    Advance(Time),
    /// Forget the rows since the last commit, if only the source commits.
    Discard,
    /// The end, or what went wrong. What was not committed is lost if something did.
    Close(Result<(), EngineError>),
}

type Flush = Arc<dyn Fn() + Send + Sync>;
type Fail = Box<dyn Fn(&EngineError) + Send>;

#[derive(Default)]
struct State {
    messages: VecDeque<Queued>,
    /// How many messages have come, how many of them the worker has taken, and how many it is done with. What is put
    /// before a commit that waits counts, too: then the worker is done with that commit a message later.
    received: u64,
    taken: u64,
    handled: u64,
    in_flight: InFlight,
    /// The same of what the runs before have kept.
    replayed: InFlight,
    closed: bool,
    stopped: bool,
    /// A producer waits for space.
    wants_space: bool,
    /// No commits but the source's own.
    holds_commits: bool,
    /// The rows since the last position may not be committed: there is no space before the next one.
    waits_for_position: bool,
}

impl State {
    fn add(&mut self, message: Queued) {
        self.received += 1;
        self.messages.push_back(message);
    }
}

thread_local! {
    static NEVER_WAITS: Cell<bool> = const { Cell::new(false) };
}

/// The way of rows into the dataflow. See [`source`](super).
pub struct SourceQueue {
    state: Mutex<State>,
    space: Condvar,
    limits: Limits,
    /// How the worker makes the keys of rows that have none; where it stands is up to the worker.
    keys: Keys,
    accepted: AtomicU64,
    rejected: AtomicU64,
    /// How many bytes there are to read, if that is known, and how many of them have been.
    size: AtomicU64,
    read: AtomicU64,
    flush: Mutex<Option<Flush>>,
    wake: Mutex<Option<Box<dyn Fn() + Send>>>,
    fail: Mutex<Option<Fail>>,
    /// Whether the worker has been woken and has not looked since.
    woken: AtomicBool,
}

impl SourceQueue {
    /// An empty queue.
    pub fn new(limits: Limits) -> Self {
        Self {
            state: Mutex::default(),
            space: Condvar::new(),
            limits,
            accepted: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            size: AtomicU64::new(0),
            read: AtomicU64::new(0),
            flush: Mutex::new(None),
            keys: Keys::Chosen,
            wake: Mutex::new(None),
            fail: Mutex::new(None),
            woken: AtomicBool::new(false),
        }
    }

    /// The same, where the rows of the stream get such keys.
    #[must_use]
    pub fn with_keys(self, keys: Keys) -> Self {
        Self { keys, ..self }
    }

    /// How its rows get their keys.
    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Installs what hands over rows that the source has accepted but not yet pushed; called before every
    /// commit that the timer makes, from the engine's thread. It must not wait.
    pub fn on_flush(&self, flush: impl Fn() + Send + Sync + 'static) {
        *self.flush.lock() = Some(Arc::new(flush));
    }

    fn wake(&self) {
        if !self.woken.swap(true, Ordering::AcqRel)
            && let Some(wake) = &*self.wake.lock()
        {
            wake();
        }
    }

    /// Adds rows to the open commit, whether there is space or not. Callers that can wait call
    /// [`SourceQueue::wait_for_space`] afterwards.
    ///
    /// # Errors
    /// If the run is over.
    pub fn push(&self, rows: impl Into<Arrival>) -> Result<(), Stopped> {
        let rows = rows.into();
        if rows.is_empty() {
            return Ok(());
        }
        self.add_rows(rows, |state, rows| state.add(rows))
    }

    /// Counts rows, and has `add` put their message into the queue.
    fn add_rows(&self, arrival: Arrival, add: impl FnOnce(&mut State, Queued)) -> Result<(), Stopped> {
        let load = Load::of(&arrival);
        {
            let mut state = self.state.lock();
            if state.stopped || state.closed {
                return Err(Stopped);
            }
            state.in_flight.add(load);
            add(&mut state, Queued::Rows(arrival));
        }
        self.accepted.fetch_add(load.rows as u64, Ordering::Relaxed);
        self.wake();
        Ok(())
    }

    /// Makes the rows since the last commit visible.
    ///
    /// # Errors
    /// If the run is over.
    pub fn commit(&self) -> Result<(), Stopped> {
        self.send(Queued::Commit)
    }

    /// Makes the rows since the last commit visible, of which this is the position.
    ///
    /// # Errors
    /// If the run is over.
    pub fn commit_at(&self, position: Vec<u8>) -> Result<(), Stopped> {
        self.send_all([Queued::Position(position), Queued::Commit])
    }

    /// Says that all rows so far are before this position. It is kept with the next commit.
    ///
    /// # Errors
    /// If the run is over.
    pub fn position(&self, position: Vec<u8>) -> Result<(), Stopped> {
        self.send(Queued::Position(position))
    }

    /// Says that a source that sends all its content again, after a restart, has done so. Unless something of it could not
    /// be looked at, kept rows that have not come again are taken back. Without a restart it means nothing.
    ///
    /// # Errors
    /// If the run is over.
    pub fn is_whole(&self, is_complete: bool) -> Result<(), Stopped> {
        self.send(Queued::Whole(is_complete))
    }

    /// Makes the rows so far visible, and opens the next commit at `time`, later than all before; only for
    /// [`Commits::Scripted`].
    ///
    /// # Errors
    /// If the run is over.
    pub fn advance_to(&self, time: Time) -> Result<(), Stopped> {
        self.send(Queued::Advance(time))
    }

    fn send(&self, message: Queued) -> Result<(), Stopped> {
        self.send_all([message])
    }

    /// Sends messages with nothing between them.
    fn send_all<const N: usize>(&self, messages: [Queued; N]) -> Result<(), Stopped> {
        {
            let mut state = self.state.lock();
            if state.stopped || state.closed {
                return Err(Stopped);
            }
            messages.into_iter().for_each(|message| state.add(message));
        }
        self.wake();
        Ok(())
    }

    /// Adds rows and commits them. What waits to be committed is one commit, however often this is called.
    ///
    /// # Errors
    /// If the run is over.
    pub(crate) fn push_committed(&self, rows: impl Into<Arrival>) -> Result<(), Stopped> {
        self.add_rows(rows.into(), |state, rows| {
            if let Some(commit) = state.messages.pop_back_if(|last| matches!(last, Queued::Commit)) {
                state.add(rows);
                state.messages.push_back(commit);
            } else {
                state.add(rows);
                state.add(Queued::Commit);
            }
        })
    }

    /// Ends the source; the rows since the last commit become visible, or are lost if something went wrong.
    /// Only the first call counts.
    pub fn close(&self, result: Result<(), EngineError>) {
        self.close_after(None, result);
    }

    /// Closes after another message, with nothing between them.
    fn close_after(&self, message: Option<Queued>, result: Result<(), EngineError>) {
        let failure = result.as_ref().err().cloned();
        {
            let mut state = self.state.lock();
            if state.closed {
                return;
            }
            state.closed = true;
            if !state.stopped
                && let Some(message) = message
            {
                state.add(message);
            }
            state.add(Queued::Close(result));
        }
        self.space.notify_all();
        self.wake();
        if let Some(error) = failure
            && let Some(fail) = &*self.fail.lock()
        {
            fail(&error);
        }
    }

    /// Ends the source because the run was told to stop: rows that only the source itself could have committed, and
    /// has not, are lost; what a timer would have committed soon becomes visible.
    pub fn close_uncommitted(&self) {
        self.close_after(Some(Queued::Discard), Ok(()));
    }

    /// Allows or forbids commits other than the source's own.
    ///
    /// While they are forbidden nothing bounds what is in flight: a commit that is the source's own is seen whole, so
    /// it takes the memory that its rows take.
    pub fn hold_commits(&self, hold: bool) {
        let mut state = self.state.lock();
        state.holds_commits = hold;
        self.release(&mut state);
    }

    /// Whether more may be pushed without waiting.
    pub fn has_space(&self) -> bool {
        self.state_has_space(&self.state.lock())
    }

    fn state_has_space(&self, state: &State) -> bool {
        let may_not_commit = state.holds_commits || state.waits_for_position;
        may_not_commit || state.in_flight.has_space(self.limits)
    }

    /// How much may be in flight.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// From now on this thread does not wait for space: a worker whose callbacks send rows would wait for itself.
    pub(crate) fn never_wait_here() {
        NEVER_WAITS.set(true);
    }

    /// Waits until there is space.
    ///
    /// # Errors
    /// If the run is over.
    pub fn wait_for_space(&self) -> Result<(), Stopped> {
        let mut state = self.state.lock();
        loop {
            if state.stopped || state.closed {
                return Err(Stopped);
            }
            if self.state_has_space(&state) || NEVER_WAITS.get() {
                return Ok(());
            }
            state.wants_space = true;
            parking_lot::MutexGuard::unlocked(&mut state, || self.wake());
            if state.wants_space && !state.stopped && !state.closed {
                self.space.wait(&mut state);
            }
        }
    }

    /// Puts all that waits here into another queue, the rows as `change` gives them back.
    pub fn hand_over(&self, to: &SourceQueue, mut change: impl FnMut(Arrival) -> Arrival) {
        let holds_commits = self.holds_commits();
        to.hold_commits(holds_commits);
        while let Some(message) = self.pop() {
            // Whoever takes nothing any more has no use for the rest either.
            let taken = match message {
                Queued::Rows(rows) => to.push(change(rows)),
                Queued::Close(result) => {
                    to.close(result);
                    Ok(())
                }
                other => to.send(other),
            };
            if taken.is_err() {
                break;
            }
        }
    }

    /// Counts rows that were not accepted, for monitoring.
    pub fn count_rejected(&self, rows: u64) {
        self.rejected.fetch_add(rows, Ordering::Relaxed);
    }

    /// So many bytes are there to be read, for monitoring.
    pub fn has_to_read(&self, bytes: u64) {
        self.size.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So many more have been read.
    pub fn has_read(&self, bytes: usize) {
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// How many bytes there are to read, 0 if that is not known, and how many have been.
    pub(crate) fn bytes_read(&self) -> (u64, u64) {
        (self.size.load(Ordering::Relaxed), self.read.load(Ordering::Relaxed))
    }

    /// Whether the run is over or the source has ended.
    pub fn is_closed(&self) -> bool {
        let state = self.state.lock();
        state.stopped || state.closed
    }

    /// Rows accepted so far, rows rejected so far, rows in flight, bytes in flight.
    pub fn counts(&self) -> (u64, u64, usize, usize) {
        let state = self.state.lock();
        let Load { rows, bytes } = state.in_flight.load();
        let accepted = self.accepted.load(Ordering::Relaxed);
        (accepted, self.rejected.load(Ordering::Relaxed), rows, bytes)
    }

    fn release(&self, state: &mut State) {
        if state.wants_space && self.state_has_space(state) {
            state.wants_space = false;
            self.space.notify_all();
        }
    }
}

impl fmt::Debug for SourceQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (accepted, rejected, rows, bytes) = self.counts();
        write!(
            f,
            "SourceQueue({accepted} accepted, {rejected} rejected, {rows} rows and {bytes} bytes in flight)"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use towpath_types::{Batch, Key};

    fn key(rows: &Arrival) -> Key {
        match rows {
            Arrival::Keyed(batch) => batch.keys()[0],
            Arrival::Unkeyed(_) => panic!("the rows have keys"),
        }
    }

    #[test]
    fn what_waits_to_be_committed_is_one_commit() {
        let queue = SourceQueue::new(Limits::default());
        for key in 1..4 {
            let row = Batch::new(vec![Key(key)], Vec::new(), None);
            queue.push_committed(row).expect("the queue is open");
        }
        let messages: Vec<Queued> = std::iter::from_fn(|| queue.pop()).collect();
        let [first, second, third, Queued::Commit] = &messages[..] else {
            panic!("three rows and a commit are expected: {messages:?}");
        };
        for (number, message) in (1..4).zip([first, second, third]) {
            assert!(matches!(message, Queued::Rows(rows) if key(rows) == Key(number)));
        }
        assert!(!queue.has_handled(queue.received()));
        queue.handled();
        assert!(queue.has_handled(queue.received()));
    }

    #[test]
    fn what_is_handed_over_keeps_its_order_and_its_commits() {
        let (kept, queue) = (SourceQueue::new(Limits::default()), SourceQueue::new(Limits::default()));
        let row = |key| Batch::new(vec![Key(key)], Vec::new(), None);
        kept.push(row(1)).expect("the queue is open");
        kept.commit().expect("the queue is open");
        kept.push(row(2)).expect("the queue is open");
        kept.hold_commits(true);
        kept.close(Ok(()));
        kept.hand_over(&queue, |rows| row(key(&rows).0 * 10).into());
        assert!(queue.holds_commits() && queue.is_closed());
        assert_eq!(queue.counts().0, 2);
        let messages: Vec<Queued> = std::iter::from_fn(|| queue.pop()).collect();
        let [
            Queued::Rows(first),
            Queued::Commit,
            Queued::Rows(second),
            Queued::Close(Ok(())),
        ] = &messages[..]
        else {
            panic!("two rows, a commit and the end are expected: {messages:?}");
        };
        assert_eq!((key(first), key(second)), (Key(10), Key(20)));
    }

    #[test]
    fn nothing_comes_between_what_is_discarded_and_the_end() {
        for _ in 0..200 {
            let queue = SourceQueue::new(Limits::default());
            let start = Barrier::new(2);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    start.wait();
                    while queue.push(Batch::new(vec![Key(1)], Vec::new(), None)).is_ok() {}
                });
                start.wait();
                queue.close_uncommitted();
            });
            let messages: Vec<Queued> = std::iter::from_fn(|| queue.pop()).collect();
            assert!(
                matches!(&messages[..], [.., Queued::Discard, Queued::Close(Ok(()))]),
                "the end is {:?}",
                &messages[messages.len().saturating_sub(3)..]
            );
        }
    }
}
