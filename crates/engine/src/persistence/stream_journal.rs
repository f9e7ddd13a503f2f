//! Keeps what one stream of a source sends.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use towpath_durability::Record;
use towpath_types::Time;

use super::cut::Cut;
use super::history::History;
use super::journal::Journal;
use super::record::{Committed, encode_rows, kind};
use super::resuming::Rolling;
use super::standing::{Standing, StreamStanding};
use crate::error::EngineError;
use crate::source::{Arrival, Resume};

/// The positions that a stream has given, until they are durable.
#[derive(Debug, Default)]
pub(crate) struct Positions(Mutex<VecDeque<(Time, Vec<u8>)>>);

impl Positions {
    /// The last one that is durable, if there is a new one.
    pub(crate) fn durable(&self, time: Time) -> Option<Vec<u8>> {
        let mut waiting = self.0.lock();
        let mut last = None;
        while waiting.front().is_some_and(|(committed, _)| *committed < time) {
            last = waiting.pop_front();
        }
        last.map(|(_, position)| position)
    }
}

/// Keeps what a stream sends.
#[derive(Debug)]
pub(crate) struct StreamJournal {
    journal: Arc<Journal>,
    stream: u32,
    resume: Resume,
    /// The rows since the position.
    rolling: Rolling,
    /// The first rows that it has ever sent, where those of another run should not be the same.
    first: Option<Rolling>,
    position: Option<Vec<u8>>,
    positions: Arc<Positions>,
    /// Where the run is cut, if it is, and where the stream stands.
    cut: Option<Arc<Cut>>,
    standing: Arc<Mutex<StreamStanding>>,
}

impl StreamJournal {
    /// For a stream of this number in the journal, after what was kept of it.
    pub(crate) fn new(
        journal: &Arc<Journal>,
        stream: u32,
        resume: Resume,
        history: Option<&History>,
        cut: Option<&Arc<Cut>>,
    ) -> Self {
        let mut standing = StreamStanding::default();
        if let Some(history) = history {
            standing.begins(history.standing());
        }
        let committed = history.map(History::committed).cloned().unwrap_or_default();
        let Committed { rows, hash, position } = committed;
        Self {
            journal: Arc::clone(journal),
            stream,
            resume,
            rolling: Rolling { rows, hash },
            first: history.and_then(History::first),
            position,
            positions: Arc::default(),
            cut: cut.cloned(),
            standing: Arc::new(Mutex::new(standing)),
        }
    }

    /// Where the stream stands, for a snapshot.
    pub(crate) fn standing(&self) -> &Arc<Mutex<StreamStanding>> {
        &self.standing
    }

    /// What was kept has been sent again; the row with this number is next.
    pub(crate) fn has_recovered(&self, next: u64) {
        self.standing.lock().has_recovered(next);
    }

    /// The positions that are not durable yet.
    pub(crate) fn positions(&self) -> &Arc<Positions> {
        &self.positions
    }

    /// Whether the timer commits only what the stream has given a position for.
    pub(crate) fn minds_positions(&self) -> bool {
        self.resume == Resume::Seek
    }

    /// Keeps rows of the open commit, before they go anywhere.
    pub(crate) fn rows(&mut self, time: Time, arrival: &Arrival) -> Result<(), EngineError> {
        let payload = encode_rows(arrival)?;
        if self.resume == Resume::New && self.first.is_none() && !arrival.is_empty() {
            self.first = Some(Rolling::of_first(arrival));
        }
        if matches!(self.resume, Resume::New | Resume::Compare) {
            self.rolling.rows += arrival.len() as u64;
        } else {
            self.rolling.add_rows(arrival, arrival.len());
        }
        self.put(kind::ROWS, time, payload, false);
        Ok(())
    }

    /// All rows so far are before this position.
    pub(crate) fn position(&mut self, position: Vec<u8>) {
        self.rolling = Rolling::default();
        self.position = Some(position);
    }

    /// The commit ends; the row with this number is next.
    pub(crate) fn commit(&mut self, time: Time, has_position: bool, next: u64) {
        let committed = Committed {
            rows: self.rolling.rows,
            hash: self.rolling.hash,
            position: self.position.clone(),
        };
        if let (true, Some(position)) = (has_position, &self.position) {
            self.positions.0.lock().push_back((time, position.clone()));
        }
        if let Some(cut) = &self.cut {
            let standing = Standing::new(time, &committed, next, self.first);
            self.standing.lock().commits(cut.opens(time), standing);
        }
        self.journal.figures().commits(time);
        self.put(kind::COMMIT, time, committed.encode(), true);
    }

    fn put(&self, kind: u8, time: Time, payload: Vec<u8>, is_wanted: bool) {
        let record = Record {
            stream: self.stream,
            kind,
            time,
            payload,
        };
        self.journal.put(record, is_wanted);
    }
}
