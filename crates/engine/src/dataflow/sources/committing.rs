//! When the open commit of a stream is closed, and which time the next one has.

use std::sync::atomic::Ordering;
use std::time::Instant;

use timely::dataflow::operators::Capability;
use towpath_types::Time;

use super::reader::{Forward, StreamReader};
use crate::error::EngineError;
use crate::persistence::StreamJournal;
use crate::source::{Arrival, Commits, Keys};

impl StreamReader {
    /// Closes the open commit and opens the next at a later time that the source has chosen.
    pub(super) fn open_chosen(&mut self, time: Time) {
        if let Some(capability) = &mut self.capability
            && time > *capability.time()
        {
            self.times.chooses(time);
            capability.downgrade(&time);
            self.own.open.store(time, Ordering::Release);
        }
    }

    /// Commits where a producer waits for space, or a timer or another stream for this one.
    pub(super) fn commit_what_is_due(&mut self, pressed: Time, send: &mut Forward<'_>) -> Result<(), EngineError> {
        let may_commit = self.has_rows && !self.reading.queue.holds_commits();
        if may_commit && self.reading.queue.wants_space() {
            self.commit_unasked(send, true)?;
            if self.minds_positions() && !self.held.is_empty() {
                self.reading.queue.waits_for_position(&self.reading.name);
            }
        } else if std::mem::take(&mut self.is_due) || self.has_paused() || may_commit && self.is_open_before(pressed) {
            self.commit_unasked(send, false)?;
        }
        Ok(())
    }

    /// Whether nobody but the source commits, or says how much of its rows may be committed.
    pub(super) fn holds(&self) -> bool {
        if self.minds_positions() || self.reading.comparing.is_some() && self.is_streaming() {
            return true;
        }
        match self.reading.commits {
            Commits::Streaming(None) => true,
            Commits::Streaming(Some(_)) => self.reading.queue.holds_commits(),
            Commits::AtEnd | Commits::Scripted => false,
        }
    }

    /// Whether the engine commits only those of its rows for which it has given a position.
    pub(super) fn minds_positions(&self) -> bool {
        self.reading
            .journal
            .as_ref()
            .is_some_and(StreamJournal::minds_positions)
    }

    /// The number of the row that is next, if its rows are numbered.
    pub(super) fn next_number(&self) -> u64 {
        match &self.keys {
            Keys::Ordinal { next, .. } => *next,
            Keys::Chosen | Keys::Columns(_) => 0,
        }
    }

    /// Keeps the end of the open commit.
    pub(super) fn keep_commit(&mut self) {
        let has_position = std::mem::take(&mut self.has_position);
        let next = self.next_number();
        if let (Some(journal), Some(capability)) = (&mut self.reading.journal, &self.capability)
            && (self.has_sent || has_position)
        {
            journal.commit(*capability.time(), has_position, next);
        }
    }

    pub(super) fn release(&mut self, send: &mut Forward<'_>) -> Result<(), EngineError> {
        for rows in std::mem::take(&mut self.held) {
            self.forward(rows, send)?;
        }
        Ok(())
    }

    pub(super) fn discard(&mut self) {
        let held = std::mem::take(&mut self.held);
        let rows: usize = held.iter().map(Arrival::len).sum();
        // Those behind the last position are sent again by the next run.
        if rows > 0 && !self.minds_positions() {
            tracing::warn!(
                target: "pathway",
                "{}: {rows} {} not committed before the run was told to stop, and {} lost",
                self.reading.name,
                if rows == 1 { "row was" } else { "rows were" },
                if rows == 1 { "is" } else { "are" },
            );
        }
        if rows > 0 {
            self.reading.queue.discarded(&held);
        }
    }

    pub(super) fn commit(&mut self, send: &mut Forward<'_>) -> Result<(), EngineError> {
        self.release(send)?;
        self.open_next(false);
        Ok(())
    }

    /// A commit that the source has not asked for.
    pub(super) fn commit_unasked(&mut self, send: &mut Forward<'_>, presses: bool) -> Result<(), EngineError> {
        if !self.minds_positions() {
            self.release(send)?;
        }
        self.open_next(presses);
        Ok(())
    }

    pub(super) fn open_next(&mut self, presses: bool) {
        let Some(capability) = &self.capability else {
            return;
        };
        if !matches!(self.reading.commits, Commits::Streaming(_)) {
            return;
        }
        let open = *capability.time();
        let is_over = self.has_sent || self.has_position;
        self.keep_commit();
        let earliest = if is_over { open + 2 } else { open };
        self.has_rows = false;
        self.has_sent = false;
        let next = self.reading.clock.time().max(earliest).max(self.times.latest());
        self.advance_to(next, presses);
        self.own.stays.store(false, Ordering::Release);
    }

    /// Moves the open commit, of which nothing was sent yet, to a time.
    pub(super) fn advance_to(&mut self, time: Time, presses: bool) {
        if let Some(capability) = &mut self.capability
            && time > *capability.time()
        {
            self.reading.counters.completed(time - 1);
            // What is kept of earlier times is in line before anybody can see that they are over.
            self.own.open.store(time, Ordering::Release);
            capability.downgrade(&time);
            self.times.opened(time, &self.own, presses);
        }
    }

    /// Whether the engine is to commit now, by the clock.
    pub(super) fn tick(&mut self) {
        let (Some(tick), Commits::Streaming(Some(period))) = (self.next_tick, self.reading.commits) else {
            return;
        };
        let now = Instant::now();
        if now < tick {
            return;
        }
        let missed = (now - tick).as_nanos() / period.as_nanos().max(1);
        self.next_tick = Some(tick + period * (missed as u32 + 1));
        if !self.reading.queue.holds_commits() {
            self.reading.queue.flush();
            self.is_due = true;
        }
    }

    /// Whether its commits are to be put together now: they are ahead of the clock.
    pub(super) fn is_ahead(&self) -> bool {
        let is_later = |capability: &Capability<Time>| *capability.time() > self.reading.clock.time();
        self.reading.joins_commits && self.capability.as_ref().is_some_and(is_later)
    }

    /// Whether a stream that was ahead may commit now.
    pub(super) fn has_paused(&mut self) -> bool {
        let is_over = self.reading.joins_commits && self.next_tick.is_some_and(|tick| Instant::now() >= tick);
        if is_over {
            self.next_tick = None;
        }
        is_over
    }

    /// Whether rows were sent of a commit that is open before a time. Rows that are held are in nobody's way.
    pub(super) fn is_open_before(&self, time: Time) -> bool {
        let is_earlier = |capability: &Capability<Time>| *capability.time() < time;
        self.has_sent && self.capability.as_ref().is_some_and(is_earlier)
    }

    /// Moves an open commit to where the others are, unless rows were sent of it.
    pub(super) fn follow(&mut self) {
        if !self.has_sent && matches!(self.reading.commits, Commits::Streaming(_)) {
            self.advance_to(self.times.latest(), false);
        }
    }
}
