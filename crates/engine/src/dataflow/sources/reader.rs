//! One stream, its open commit, and what it sends on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use timely::dataflow::operators::Capability;
use timely::scheduling::SyncActivator;
use towpath_types::{Batch, Time};

use super::super::times::{CLOSED, SourceTimes, StreamTime};
use crate::clock::Clock;
use crate::error::EngineError;
use crate::monitor::Counters;
use crate::persistence::{Comparing, History, Recovering, Resuming, StreamJournal};
use crate::source::{Arrival, Commits, Keys, SourceQueue};

/// How many rows a source sends before it lets the operators after it work.
pub(super) const ROWS_A_TURN: usize = 1 << 16;

/// How one stream is read.
pub(crate) struct Reading {
    pub(crate) name: String,
    pub(crate) queue: Arc<SourceQueue>,
    pub(crate) counters: Arc<Counters>,
    /// The positions of the source's columns that are read.
    pub(crate) columns: Vec<usize>,
    pub(crate) commits: Commits,
    /// Whether its commits are put together where they would run ahead of the clock, see
    /// [`Feeder`](crate::source::Feeder).
    pub(crate) joins_commits: bool,
    pub(crate) start: Time,
    pub(crate) clock: Arc<dyn Clock>,
    /// What the runs before have kept of it; it is sent before anything else.
    pub(crate) history: Option<History>,
    /// Is told when that has been sent.
    pub(crate) recovering: Option<Arc<Recovering>>,
    /// What comes again of that.
    pub(crate) resuming: Option<Resuming>,
    /// What is compared with what comes, where the source sends everything again.
    pub(crate) comparing: Option<Comparing>,
    /// Whether it ends after what was kept.
    pub(crate) ends_with_history: bool,
    /// Whether what was kept is sent with the pauses that were in it.
    pub(crate) in_real_time: bool,
    /// Where what it sends is kept.
    pub(crate) journal: Option<StreamJournal>,
    /// Up to which time its rows are in the state of the operators already, where it gives the same in every run.
    pub(crate) known: Option<Time>,
}

/// See the module.
pub(super) struct StreamReader {
    pub(super) reading: Reading,
    pub(super) capability: Option<Capability<Time>>,
    pub(super) own: Arc<StreamTime>,
    /// Whether the open commit has rows.
    pub(super) has_rows: bool,
    /// Whether rows were sent on at the time of the open commit.
    pub(super) has_sent: bool,
    /// The source has failed: its open commit is never closed, and if rows were sent on, its time never complete.
    pub(super) has_failed: bool,
    /// Rows of the open commit that only the source may commit.
    pub(super) held: Vec<Arrival>,
    /// Whether a position was given since the last commit.
    pub(super) has_position: bool,
    /// The first time of what was kept, and when it was sent, where that minds.
    pub(super) began: Option<(Time, Instant)>,
    pub(super) keys: Keys,
    pub(super) next_tick: Option<Instant>,
    /// The clock asks for a commit once what was flushed has been read.
    pub(super) is_due: bool,
    pub(super) times: Arc<SourceTimes>,
}

/// Puts rows into the dataflow.
pub(super) type Forward<'a> = dyn FnMut(&Capability<Time>, Batch, &Counters) -> Result<(), EngineError> + 'a;

#[derive(Clone, Copy)]
pub(super) enum Turn {
    /// There is more to read.
    Again,
    /// There is nothing to do until woken, or until the delay has passed.
    Wait(Option<Duration>),
}

impl Turn {
    pub(super) fn sooner(self, other: Self) -> Self {
        match (self, other) {
            (Turn::Again, _) | (_, Turn::Again) => Turn::Again,
            (Turn::Wait(Some(a)), Turn::Wait(Some(b))) => Turn::Wait(Some(a.min(b))),
            (Turn::Wait(a), Turn::Wait(b)) => Turn::Wait(a.or(b)),
        }
    }
}

impl Drop for StreamReader {
    fn drop(&mut self) {
        self.end();
    }
}

impl StreamReader {
    pub(super) fn new(
        reading: Reading,
        mut capability: Capability<Time>,
        waker: SyncActivator,
        times: &Arc<SourceTimes>,
    ) -> Self {
        let is_streaming = matches!(reading.commits, Commits::Streaming(_));
        let mut keys = reading.queue.keys().clone();
        if let (Keys::Ordinal { next, .. }, Some(history)) = (&mut keys, &reading.history) {
            *next = history.first_number();
        }
        let own = Arc::new(StreamTime {
            open: AtomicU64::new(reading.start),
            stays: AtomicBool::new(!is_streaming),
            answered: AtomicU64::new(0),
        });
        let begins = reading
            .history
            .as_ref()
            .and_then(History::next_time)
            .unwrap_or(reading.start);
        own.open.store(begins, Ordering::Release);
        capability.downgrade(&begins);
        times.join(&own, is_streaming.then_some(waker));
        if reading.history.is_some() {
            // It follows nobody, and nobody follows it, before it has sent what was kept.
            own.stays.store(true, Ordering::Release);
        } else {
            times.opened(reading.start, &own, false);
        }
        let next_tick = match reading.commits {
            Commits::Streaming(Some(period)) => Some(Instant::now() + period),
            Commits::Streaming(None) | Commits::AtEnd | Commits::Scripted => None,
        };
        Self {
            reading,
            capability: Some(capability),
            own,
            has_rows: false,
            has_sent: false,
            has_failed: false,
            held: Vec::new(),
            has_position: false,
            began: None,
            keys,
            next_tick,
            is_due: false,
            times: Arc::clone(times),
        }
    }

    pub(super) fn end(&mut self) {
        self.capability = None;
        self.own.open.store(CLOSED, Ordering::Release);
        self.times.advanced();
    }

    pub(super) fn forward(&mut self, rows: Arrival, send: &mut Forward<'_>) -> Result<(), EngineError> {
        let Some(capability) = &self.capability else {
            return Ok(());
        };
        let time = *capability.time();
        if let Some(journal) = &mut self.reading.journal {
            journal.rows(time, &rows)?;
        }
        self.reading.queue.sent(time, &rows, self.reading.commits);
        self.has_sent = true;
        self.own.stays.store(true, Ordering::Release);
        let batch = rows.keyed(&mut self.keys, &self.reading.columns);
        if self.reading.known.is_some_and(|known| time <= known) {
            return Ok(());
        }
        send(capability, batch, &self.reading.counters)
    }

    pub(super) fn is_streaming(&self) -> bool {
        matches!(self.reading.commits, Commits::Streaming(_))
    }
}
