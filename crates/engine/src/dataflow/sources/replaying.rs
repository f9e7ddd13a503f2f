//! What runs before have kept of a stream is sent again, and what the source sends is compared with that.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::reader::{Forward, ROWS_A_TURN, StreamReader, Turn};
use crate::error::EngineError;
use crate::persistence::{Replayed, Resuming};
use crate::source::{Arrival, weight};

impl StreamReader {
    /// A source that sends everything again has done so: what was kept of it and has not come is taken back.
    pub(super) fn compare(&mut self, is_complete: bool, send: &mut Forward<'_>) -> Result<(), EngineError> {
        let Some(comparing) = self.reading.comparing.take() else {
            return Ok(());
        };
        self.reading.queue.hold_commits(false);
        if is_complete {
            let keyed = |rows: Arrival| rows.keyed(&mut self.keys, &self.reading.columns);
            for missing in comparing.missing(keyed)? {
                self.reading.queue.remembered(&missing);
                self.held.push(missing);
            }
        }
        self.commit(send)
    }

    /// What of these rows does not come again.
    pub(super) fn new_rows(&mut self, arrival: Arrival) -> Result<Option<Arrival>, EngineError> {
        let (rows, bytes) = (arrival.len(), weight(&arrival));
        let new = if let Some(comparing) = &mut self.reading.comparing {
            let new = comparing.take(&arrival.keyed(&mut self.keys, &self.reading.columns));
            (!new.is_empty()).then(|| new.into())
        } else if let Some(resuming) = &mut self.reading.resuming {
            resuming.take(arrival)?
        } else {
            return Ok(Some(arrival));
        };
        if self.reading.resuming.as_ref().is_some_and(Resuming::is_over) {
            self.reading.resuming = None;
        }
        // What is left is weighed again when it is sent on.
        let (left, left_bytes) = new.as_ref().map_or((0, 0), |new| (new.len(), weight(new)));
        self.reading
            .queue
            .forgotten(rows - left, bytes.saturating_sub(left_bytes));
        Ok(new)
    }

    /// Sends what the runs before have kept, at the times it had.
    pub(super) fn replay(&mut self, send: &mut Forward<'_>) -> Result<Turn, EngineError> {
        let mut rows = 0;
        while rows < ROWS_A_TURN {
            if let Some(pause) = self.pause() {
                return Ok(Turn::Wait(Some(pause)));
            }
            let Some(history) = &mut self.reading.history else {
                break;
            };
            let is_known = history.next_time().is_some_and(|time| history.is_known(time));
            if !self.reading.queue.may_replay() {
                return Ok(Turn::Wait(None));
            }
            let (Some(replayed), Some(capability)) = (history.pop()?, &mut self.capability) else {
                break;
            };
            let Replayed {
                time,
                rows: arrival,
                bytes,
            } = replayed;
            if let Some(recovering) = &self.reading.recovering {
                recovering.sent(arrival.as_ref().map_or(0, Arrival::len) as u64, bytes);
            }
            let Some(arrival) = arrival else {
                self.reading.counters.completed(time);
                continue;
            };
            if time > *capability.time() {
                self.own.open.store(time, Ordering::Release);
                capability.downgrade(&time);
            }
            rows += arrival.len();
            self.reading.queue.replayed(time, &arrival);
            let batch = arrival.keyed(&mut self.keys, &self.reading.columns);
            if let Some(comparing) = &mut self.reading.comparing {
                comparing.add(&batch);
            }
            if !is_known {
                send(capability, batch, &self.reading.counters)?;
            }
        }
        Ok(Turn::Again)
    }

    /// How long what comes next of what was kept has to wait, where it is sent with the pauses that were in it.
    pub(super) fn pause(&mut self) -> Option<Duration> {
        let next = self
            .reading
            .history
            .as_ref()
            .filter(|_| self.reading.in_real_time)?
            .next_time()?;
        let (first, since) = *self.began.get_or_insert_with(|| (next, Instant::now()));
        let due = Duration::from_millis(next.saturating_sub(first));
        Some(due.saturating_sub(since.elapsed())).filter(|pause| !pause.is_zero())
    }

    /// All that was kept has been sent: what comes next is new.
    pub(super) fn go_on(&mut self) {
        self.reading.history = None;
        let next = self.next_number();
        if let Some(journal) = &self.reading.journal {
            journal.has_recovered(next);
        }
        if let Some(recovering) = self.reading.recovering.take() {
            recovering.stream_is_over();
        }
        if self.is_streaming() {
            self.own.stays.store(false, Ordering::Release);
            if self.reading.comparing.is_some() {
                // What has changed meanwhile is one change.
                self.reading.queue.hold_commits(true);
            }
        }
        self.advance_to(self.reading.start.max(self.times.latest()), false);
        if self.reading.ends_with_history {
            self.reading.counters.ended();
            self.end();
        }
    }
}
