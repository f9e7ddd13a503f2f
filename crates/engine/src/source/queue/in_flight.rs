//! How much is in flight, and until when.

use std::collections::VecDeque;

use towpath_types::Time;

use crate::source::{Arrival, Limits};

/// What rows count for the limit on bytes. Besides its cells a batch takes about this much on its way to the outputs,
/// which is nearly all of it where commits are of one row.
pub(crate) fn weight(rows: &Arrival) -> usize {
    const BATCH: usize = 1 << 10;
    rows.bytes() + BATCH
}

/// Some rows, and what they count for the limit on bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    pub(super) rows: usize,
    pub(super) bytes: usize,
}

impl Load {
    pub(super) fn of(rows: &Arrival) -> Self {
        Self {
            rows: rows.len(),
            bytes: weight(rows),
        }
    }

    fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.bytes += other.bytes;
    }

    fn remove(&mut self, other: Self) {
        self.rows -= other.rows;
        self.bytes -= other.bytes;
    }
}

/// What is in flight.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    load: Load,
    /// What of it was sent into the dataflow, and at which times.
    sent: VecDeque<(Time, Load)>,
}

impl InFlight {
    pub(super) fn load(&self) -> Load {
        self.load
    }

    pub(super) fn has_space(&self, limits: Limits) -> bool {
        self.load.rows < limits.rows && self.load.bytes < limits.bytes
    }

    pub(super) fn add(&mut self, load: Load) {
        self.load.add(load);
    }

    /// It is not in flight any more, and was not sent.
    pub(super) fn remove(&mut self, load: Load) {
        self.load.remove(load);
    }

    /// It was sent: it is in flight until the time is complete.
    pub(super) fn sent(&mut self, time: Time, load: Load) {
        match self.sent.back_mut() {
            Some((last, sent)) if *last == time => sent.add(load),
            _ => self.sent.push_back((time, load)),
        }
    }

    /// Every output has completed the times before `frontier` (all, if there is none); whether anything was sent at them.
    pub(super) fn completed(&mut self, frontier: Option<Time>) -> bool {
        let is_complete = |(time, _): &mut (Time, Load)| frontier.is_none_or(|frontier| *time < frontier);
        let waiting = self.sent.len();
        while let Some((_, load)) = self.sent.pop_front_if(is_complete) {
            self.load.remove(load);
        }
        self.sent.len() < waiting
    }
}
