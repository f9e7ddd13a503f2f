//! Counts what passes, for people who watch a run.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use towpath_types::{Batch, Time};

use crate::source::SourceQueue;

/// The time in the statistics of a node that has ended.
pub const END: Time = i64::MAX as Time;

/// How often functions of the user have returned in this process. A run that is ending tells by it whether a worker
/// that gets no further has much to do or stands still.
static RETURNED: AtomicU64 = AtomicU64::new(0);

/// A function of the user has returned.
pub fn returned() {
    // Of two at the same time one may be lost: what counts is that the number moves.
    RETURNED.store(RETURNED.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

pub(crate) fn count_returned() -> u64 {
    RETURNED.load(Ordering::Relaxed)
}

/// What one operator has done so far.
#[derive(Debug, Default)]
pub struct Counters {
    rows_in: AtomicU64,
    rows_out: AtomicU64,
    /// Rows that were left out, since they could not be right.
    rejected: AtomicU64,
    /// Rows taken in of the times that are complete.
    settled: AtomicU64,
    /// Rows of the open time that a sink has delivered already.
    delivered: AtomicU64,
    /// Rows of the open time that a sink has left out.
    left_out: AtomicU64,
    /// All times up to this one are complete.
    time: AtomicU64,
}

impl Counters {
    pub(crate) fn count_in(&self, batch: &Batch) {
        self.rows_in.fetch_add(batch.len() as u64, Ordering::Relaxed);
    }

    pub(crate) fn count_out(&self, batch: &Batch) {
        self.rows_out.fetch_add(batch.len() as u64, Ordering::Relaxed);
    }

    /// Rows were left out, since they could not be right.
    pub fn reject(&self, rows: u64) {
        self.rejected.fetch_add(rows, Ordering::Relaxed);
    }

    /// A sink has delivered rows of the open time.
    pub fn deliver(&self, rows: usize) {
        self.delivered.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// A sink leaves out rows of the open time, since they hold errors.
    pub fn leave_out(&self, rows: u64) {
        self.left_out.fetch_add(rows, Ordering::Relaxed);
        self.reject(rows);
    }

    /// A time is complete of which so many rows came in; what cancelled among them needed no delivery.
    pub(crate) fn settle(&self, rows: usize) {
        self.delivered.store(0, Ordering::Relaxed);
        let left_out = self.left_out.swap(0, Ordering::Relaxed);
        self.settled
            .fetch_add((rows as u64).saturating_sub(left_out), Ordering::Relaxed);
    }

    /// Rows that came to a sink, but those that it has left out, and how many of them it has delivered.
    fn of_sink(&self) -> (u64, u64) {
        let rejected = self.rejected.load(Ordering::Relaxed);
        let arrived = self.rows_in.load(Ordering::Relaxed).saturating_sub(rejected);
        let (settled, delivered) = (
            self.settled.load(Ordering::Relaxed),
            self.delivered.load(Ordering::Relaxed),
        );
        (arrived, (settled + delivered).min(arrived))
    }

    pub(crate) fn completed(&self, time: Time) {
        self.time.fetch_max(time, Ordering::Relaxed);
    }

    pub(crate) fn ended(&self) {
        self.completed(END);
    }
}

/// What a node is to the outside world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Brings rows in.
    Source,
    /// Makes rows of rows.
    Operator,
    /// Takes rows out.
    Sink,
}

/// One node of a run.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The name of the connector or operator.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// For a source, the streams that are read in this process; otherwise the workers of this process.
    pub(crate) parts: Vec<Part>,
}

/// What one worker does of a node.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// The number of the worker in this process.
    pub(crate) thread: usize,
    pub(crate) counters: Arc<Counters>,
    /// The number of the stream of a source, and its queue.
    pub(crate) stream: usize,
    pub(crate) queue: Option<Arc<SourceQueue>>,
}

/// What one node has done so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// The name of the connector or operator.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// What all workers have done together; in the first process also those of others, as far as it has heard.
    pub all: Counts,
    /// What each worker has done, by its number in this process.
    pub workers: Vec<(usize, Counts)>,
}

/// What was done of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Rows taken in; for a source, rows accepted; for a sink, rows delivered.
    pub rows_in: u64,
    /// Rows put out.
    pub rows_out: u64,
    /// Rows a source did not accept, or that were removed though they were not there.
    pub rejected: u64,
    /// Rows of a source that are in flight, or that a sink has still to deliver.
    pub backlog: u64,
    /// How many bytes a source has to read, 0 if that is not known.
    pub size: u64,
    /// How many it has read.
    pub read: u64,
    /// All times up to this one are complete, in unix milliseconds; 0 if none, or only static data; [`END`] when
    /// nothing more can come.
    pub time: Time,
}

impl Counts {
    /// What nobody has begun and nobody will.
    const NOTHING: Self = Self {
        rows_in: 0,
        rows_out: 0,
        rejected: 0,
        backlog: 0,
        size: 0,
        read: 0,
        time: END,
    };

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            rows_in: self.rows_in + other.rows_in,
            rows_out: self.rows_out + other.rows_out,
            rejected: self.rejected + other.rejected,
            backlog: self.backlog + other.backlog,
            size: self.size + other.size,
            read: self.read + other.read,
            time: self.time.min(other.time),
        }
    }
}

impl Part {
    fn counts(&self, role: Role) -> Counts {
        let (accepted, rejected, backlog, _) = self.queue.as_ref().map_or((0, 0, 0, 0), |queue| queue.counts());
        let (rows_in, backlog) = match role {
            Role::Source => (accepted, backlog as u64),
            Role::Operator => (self.counters.rows_in.load(Ordering::Relaxed), 0),
            Role::Sink => {
                let (arrived, delivered) = self.counters.of_sink();
                (delivered, arrived - delivered)
            }
        };
        let (size, read) = self.queue.as_ref().map_or((0, 0), |queue| queue.bytes_read());
        Counts {
            size,
            read,
            rows_in,
            rows_out: self.counters.rows_out.load(Ordering::Relaxed),
            rejected: rejected + self.counters.rejected.load(Ordering::Relaxed),
            backlog,
            time: self.counters.time.load(Ordering::Relaxed),
        }
    }
}

impl Watched {
    /// What it has done so far.
    pub fn statistics(&self) -> Statistics {
        let mut workers: BTreeMap<usize, Counts> = BTreeMap::new();
        for part in &self.parts {
            let counts = workers.entry(part.thread).or_insert(Counts::NOTHING);
            *counts = counts.and(part.counts(self.role));
        }
        Statistics {
            name: self.name.clone(),
            role: self.role,
            all: workers.values().copied().fold(Counts::NOTHING, Counts::and),
            workers: workers.into_iter().collect(),
        }
    }
}
