//! Counts what passes, for people who watch a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use towpath_types::{Batch, Time};

use crate::source::SourceQueue;

/// The time in the statistics of a node that has ended.
pub const END: Time = i64::MAX as Time;

/// What one operator has done so far.
#[derive(Debug, Default)]
pub struct Counters {
    rows_in: AtomicU64,
    rows_out: AtomicU64,
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
    pub(crate) counters: Arc<Counters>,
    pub(crate) queue: Option<Arc<SourceQueue>>,
}

/// What one node has done so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// The name of the connector or operator.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// Rows taken in; for a source, rows accepted.
    pub rows_in: u64,
    /// Rows put out.
    pub rows_out: u64,
    /// Rows a source did not accept.
    pub rejected: u64,
    /// Rows of a source that are in flight.
    pub backlog: u64,
    /// All times up to this one are complete, in unix milliseconds; 0 if none, or only static data; [`END`] when
    /// nothing more can come.
    pub time: Time,
}

impl Watched {
    /// What it has done so far.
    pub fn statistics(&self) -> Statistics {
        let (accepted, rejected, backlog, _) = self.queue.as_ref().map_or((0, 0, 0, 0), |queue| queue.counts());
        let rows_in = match self.role {
            Role::Source => accepted,
            Role::Operator | Role::Sink => self.counters.rows_in.load(Ordering::Relaxed),
        };
        Statistics {
            name: self.name.clone(),
            role: self.role,
            rows_in,
            rows_out: self.counters.rows_out.load(Ordering::Relaxed),
            rejected,
            backlog: backlog as u64,
            time: self.counters.time.load(Ordering::Relaxed),
        }
    }
}
