//! What was kept of a stream or an output by the runs before.

use std::sync::Arc;

use towpath_durability::{Beginning, IndexEntry, JournalIndex, State};
use towpath_types::{Physical, Time};

use super::record::{Committed, decode_rows, kind};
use super::resuming::{Resuming, Rolling};
use crate::error::{EngineError, ErrorKind};
use crate::source::{Arrival, Resume, Resumption};

/// What was kept by the runs before.
#[derive(Debug)]
pub(crate) struct Histories {
    index: Arc<JournalIndex>,
}

impl Histories {
    /// What the runs before this one have kept.
    pub(crate) fn read(state: &State, generation: u64) -> Result<Self, EngineError> {
        let index = JournalIndex::read_before(state, &Beginning::default(), generation)?;
        Ok(Self { index: Arc::new(index) })
    }

    /// The greatest time of anything that is kept.
    pub(crate) fn last_time(&self) -> Option<Time> {
        self.index.last_time()
    }

    /// How many runs there were.
    pub(crate) fn generations(&self) -> u64 {
        self.index.last_generation().map_or(0, |last| last + 1)
    }

    /// What was kept of a stream of a source, up to its last commit.
    ///
    /// # Errors
    /// If it cannot be read. That its rows have other columns than these layouts is found when they are.
    pub(crate) fn stream(&self, name: &str, layouts: &Arc<[Physical]>) -> Result<Option<History>, EngineError> {
        let index = &self.index;
        let entries = index.records(name);
        let Some(last) = entries.iter().rposition(|entry| entry.kind == kind::COMMIT) else {
            return Ok(None);
        };
        let payload = index.payload(&entries[last])?;
        let committed = Committed::decode(&payload).ok_or_else(|| unreadable(name, &entries[last]))?;
        Ok(Some(History {
            name: name.to_owned(),
            entries: committed_entries(&entries[..=last]),
            layouts: Arc::clone(layouts),
            next: 0,
            at: None,
            committed,
            index: Arc::clone(index),
        }))
    }

    /// Whether an output in parts was written by another number of workers since its part of this name was: `prefix` is what
    /// all its parts' names begin with, and `suffix` what those of this number of workers end with.
    pub(crate) fn is_written_by_others_since(&self, name: &str, prefix: &str, suffix: &str) -> bool {
        let own = self.index.named_in(name);
        let mut others = self
            .index
            .streams()
            .filter(|other| other.starts_with(prefix) && !other.ends_with(suffix));
        others.any(|other| self.index.named_in(other) > own)
    }

    /// Up to which time an output has delivered everything, and what it has noted then.
    pub(crate) fn output(&self, name: &str) -> Result<Option<(Time, Vec<u8>)>, EngineError> {
        let index = &self.index;
        let mut entries = index.records(name).iter().rev();
        match entries.find(|entry| entry.kind == kind::DELIVERED) {
            Some(entry) => Ok(Some((entry.time, index.payload(entry)?))),
            None => Ok(None),
        }
    }
}

/// Without the rows of commits that have no end, since the run ended before. Others follow them if there was another run,
/// at later times.
fn committed_entries(entries: &[IndexEntry]) -> Arc<[IndexEntry]> {
    let mut committed = Vec::with_capacity(entries.len());
    let mut open = Vec::new();
    for entry in entries {
        open.push(*entry);
        if entry.kind == kind::COMMIT {
            committed.extend(open.drain(..).filter(|before| before.time == entry.time));
        }
    }
    committed.into()
}

fn unreadable(name: &str, entry: &IndexEntry) -> EngineError {
    let message = format!(
        "{name}: what is kept of it cannot be read, a record of kind {} at time {} of {} bytes; it was written by another \
         version",
        entry.kind, entry.time, entry.length
    );
    EngineError::new(ErrorKind::Value, message)
}

/// What was kept of a stream, in the order in which it was sent.
#[derive(Clone, Debug)]
pub(crate) struct History {
    name: String,
    entries: Arc<[IndexEntry]>,
    layouts: Arc<[Physical]>,
    next: usize,
    /// The time at which all of it is sent, if not at those that it had.
    at: Option<Time>,
    committed: Committed,
    index: Arc<JournalIndex>,
}

/// What a stream has sent in the commit at a time: rows, or its end.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) time: Time,
    pub(crate) rows: Option<Arrival>,
}

impl History {
    /// Where the stream goes on.
    pub(crate) fn resumption(&self) -> Resumption {
        Resumption {
            position: self.committed.position.clone(),
        }
    }

    pub(super) fn committed(&self) -> &Committed {
        &self.committed
    }

    /// What the stream will send again, or should not, where it goes on like this.
    pub(crate) fn resuming(&self, resume: Resume) -> Result<Option<Resuming>, EngineError> {
        let name = self.name.clone();
        if resume == Resume::Compare {
            return Ok(None);
        }
        if resume == Resume::New {
            let rows = self.entries.iter().find(|entry| entry.kind == kind::ROWS);
            return rows.map_or(Ok(None), |entry| Ok(Some(Resuming::of_first(name, &self.rows(entry)?))));
        }
        let expected = Rolling {
            rows: self.committed.rows,
            hash: self.committed.hash,
        };
        Ok(Some(Resuming::new(name, resume, expected)))
    }

    /// The same, with all of it at one time.
    pub(crate) fn at_once(self, time: Time) -> Self {
        Self { at: Some(time), ..self }
    }

    /// Whether nothing more comes.
    pub(crate) fn is_over(&self) -> bool {
        self.next == self.entries.len()
    }

    /// The time of what comes next.
    pub(crate) fn next_time(&self) -> Option<Time> {
        let entry = self.entries.get(self.next)?;
        Some(self.at.unwrap_or(entry.time))
    }

    /// What comes next.
    pub(crate) fn pop(&mut self) -> Result<Option<Replayed>, EngineError> {
        let Some(entry) = self.entries.get(self.next) else {
            return Ok(None);
        };
        self.next += 1;
        let rows = match entry.kind {
            kind::ROWS => Some(self.rows(entry)?),
            kind::COMMIT => None,
            _ => return Err(unreadable(&self.name, entry)),
        };
        let time = self.at.unwrap_or(entry.time);
        Ok(Some(Replayed { time, rows }))
    }

    fn rows(&self, entry: &IndexEntry) -> Result<Arrival, EngineError> {
        let payload = self.index.payload(entry)?;
        let rows = decode_rows(&payload).map_err(|error| {
            let mut failure = unreadable(&self.name, entry);
            failure.message.push_str(&format!(" ({error})"));
            failure
        })?;
        if rows.layouts().eq(self.layouts.iter().copied()) {
            return Ok(rows);
        }
        let kept: Vec<Physical> = rows.layouts().collect();
        let message = format!(
            "{}: the rows that are kept of it have {} columns {kept:?}, and the program has {} columns {:?}: a source keeps \
             its schema as long as its rows are kept. Give the new one another name, or begin anew: reset the state",
            self.name,
            kept.len(),
            self.layouts.len(),
            self.layouts
        );
        Err(EngineError::new(ErrorKind::Value, message))
    }
}
