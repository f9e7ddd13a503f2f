//! What was kept of a stream or an output by the runs before.

use std::sync::Arc;

use towpath_durability::{IndexEntry, JournalIndex, State};
use towpath_types::{Physical, Time};

use super::record::{Committed, decode_rows, kind};
use super::resuming::{Resuming, Rolling};
use super::snapshots::Manifest;
use super::standing::{Note, Standing};
use crate::error::{EngineError, ErrorKind};
use crate::source::{Arrival, Resume, Resumption};

/// What was kept by the runs before.
#[derive(Debug)]
pub(crate) struct Histories {
    index: Arc<JournalIndex>,
    /// The last snapshot, if there is one.
    manifest: Option<Manifest>,
    /// Whether the run goes on behind it.
    is_used: bool,
}

impl Histories {
    /// What the runs before this one have kept. If it `uses_snapshots`, the run goes on behind the last one.
    ///
    /// # Errors
    /// If it cannot be read, or if not all that came in is there and no snapshot is to be used.
    pub(crate) fn read(state: &State, generation: u64, uses_snapshots: bool) -> Result<Self, EngineError> {
        let manifest = Manifest::read(state)?;
        let beginning = manifest.as_ref().map(|manifest| manifest.beginning.clone());
        if let Some(manifest) = manifest
            .as_ref()
            .filter(|manifest| !uses_snapshots && !manifest.is_whole_journal())
        {
            let message = format!(
                "what came in up to time {} is not kept any more, only the state of the operators: go on with \
                 PersistenceMode.OPERATOR_PERSISTING, or begin anew: reset the state",
                manifest.time
            );
            return Err(EngineError::new(ErrorKind::Value, message));
        }
        let index = JournalIndex::read_before(state, &beginning.unwrap_or_default(), generation)?;
        Ok(Self {
            index: Arc::new(index),
            manifest,
            is_used: uses_snapshots,
        })
    }

    /// The snapshot behind which the run goes on.
    pub(crate) fn snapshot(&self) -> Option<&Manifest> {
        self.manifest.as_ref().filter(|_| self.is_used)
    }

    /// The greatest time of anything that is kept.
    pub(crate) fn last_time(&self) -> Option<Time> {
        self.index
            .last_time()
            .max(self.manifest.as_ref().map(|manifest| manifest.time))
    }

    /// The names of all streams and outputs of which something is kept.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.index.streams()
    }

    /// How many bytes the journals have.
    pub(crate) fn bytes(&self) -> u64 {
        self.index.bytes()
    }

    /// How many runs there were.
    pub(crate) fn generations(&self) -> u64 {
        self.index.last_generation().map_or(0, |last| last + 1)
    }

    /// What was kept of a stream of a source, up to its last commit. Where it sends all its content again, that is all of
    /// it, else what is not in the state of the operators.
    ///
    /// # Errors
    /// If it cannot be read. That its rows have other columns than these layouts is found when they are.
    pub(crate) fn stream(
        &self,
        name: &str,
        layouts: &Arc<[Physical]>,
        resume: Resume,
    ) -> Result<Option<History>, EngineError> {
        let index = &self.index;
        let standing = self.snapshot().and_then(|snapshot| snapshot.stream(name));
        let since = self.snapshot().map(|snapshot| snapshot.time);
        let is_compared = resume == Resume::Compare;
        let entries = committed_entries(index.records(name));
        let last = entries.last().copied();
        let (time, committed) = match (last, standing) {
            (Some(last), standing) if standing.is_none_or(|standing| standing.time < last.time) => {
                let payload = index.payload(&last)?;
                (
                    last.time,
                    Committed::decode(&payload).ok_or_else(|| unreadable(name, &last))?,
                )
            }
            (_, Some(standing)) => {
                let committed = standing.committed();
                (standing.time, committed.ok_or_else(|| unreadable_standing(name))?)
            }
            (_, None) => return Ok(None),
        };
        let is_needed = |entry: &IndexEntry| is_compared || since.is_none_or(|since| entry.time > since);
        Ok(Some(History {
            name: name.to_owned(),
            entries: entries.iter().copied().filter(is_needed).collect(),
            layouts: Arc::clone(layouts),
            next: 0,
            at: None,
            since,
            first_number: standing.filter(|_| !is_compared).map_or(0, |standing| standing.next),
            first: match (standing.and_then(|standing| standing.first), resume) {
                (None, Resume::New) => first_rows(index, &entries, name)?,
                (first, _) => first,
            },
            last_time: time,
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

    /// What an output had noted when the state of the operators was kept, at that time or before.
    pub(crate) fn settled(&self, name: &str) -> Option<Note> {
        let snapshot = self.snapshot()?;
        let (time, token) = snapshot.outputs().get(name)?;
        Some((snapshot.time.min(*time), token.clone()))
    }

    /// Up to which time an output has delivered everything, and what it has noted then.
    pub(crate) fn output(&self, name: &str) -> Result<Option<(Time, Vec<u8>)>, EngineError> {
        let index = &self.index;
        let mut entries = index.records(name).iter().rev();
        let noted = match entries.find(|entry| entry.kind == kind::DELIVERED) {
            Some(entry) => Some((entry.time, index.payload(entry)?)),
            None => None,
        };
        let before = self.manifest.as_ref().and_then(|manifest| manifest.outputs().get(name));
        Ok(match (noted, before) {
            (Some(noted), Some(before)) if noted.0 < before.0 => Some(before.clone()),
            (None, Some(before)) => Some(before.clone()),
            (noted, _) => noted,
        })
    }
}

/// Without the rows of commits that have no end, since the run ended before. Others follow them if there was another run,
/// at later times.
fn committed_entries(entries: &[IndexEntry]) -> Vec<IndexEntry> {
    let mut committed = Vec::with_capacity(entries.len());
    let mut open = Vec::new();
    for entry in entries {
        open.push(*entry);
        if entry.kind == kind::COMMIT {
            committed.extend(open.drain(..).filter(|before| before.time == entry.time));
        }
    }
    committed
}

/// The first rows of a stream.
fn first_rows(index: &JournalIndex, entries: &[IndexEntry], name: &str) -> Result<Option<Rolling>, EngineError> {
    let Some(entry) = entries.iter().find(|entry| entry.kind == kind::ROWS) else {
        return Ok(None);
    };
    let payload = index.payload(entry)?;
    let rows = decode_rows(&payload).map_err(|_| unreadable(name, entry))?;
    Ok(Some(Rolling::of_first(&rows)))
}

fn unreadable_standing(name: &str) -> EngineError {
    let message = format!("{name}: where it stood cannot be read; it was written by another version");
    EngineError::new(ErrorKind::Value, message)
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
    /// Up to this time, all of it is in the state of the operators.
    since: Option<Time>,
    /// The number of the first row that is sent.
    first_number: u64,
    /// The first rows that were ever sent, where those of this run should not be the same.
    first: Option<Rolling>,
    /// The time of the last commit.
    last_time: Time,
    committed: Committed,
    index: Arc<JournalIndex>,
}

/// What a stream has sent in the commit at a time: rows, or its end.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) time: Time,
    pub(crate) rows: Option<Arrival>,
    /// How many bytes that has.
    pub(crate) bytes: u64,
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

    /// Where the stream stands before it has sent it again.
    pub(super) fn standing(&self) -> Standing {
        Standing::new(self.last_time, &self.committed, self.first_number, self.first)
    }

    /// The first rows that were ever sent, where those of this run should not be the same.
    pub(super) fn first(&self) -> Option<Rolling> {
        self.first
    }

    /// The number of the first row that is sent.
    pub(crate) fn first_number(&self) -> u64 {
        self.first_number
    }

    /// Whether what it has at a time is in the state of the operators already, and only compared.
    pub(crate) fn is_known(&self, time: Time) -> bool {
        self.since.is_some_and(|since| time <= since)
    }

    /// What the stream will send again, or should not, where it goes on like this.
    pub(crate) fn resuming(&self, resume: Resume) -> Option<Resuming> {
        let name = self.name.clone();
        if resume == Resume::Compare {
            return None;
        }
        if resume == Resume::New {
            return self.first.map(|first| Resuming::new(name, resume, first));
        }
        let expected = Rolling {
            rows: self.committed.rows,
            hash: self.committed.hash,
        };
        Some(Resuming::new(name, resume, expected))
    }

    /// The same, with all of it at one time.
    pub(crate) fn at_once(self, time: Time) -> Self {
        Self { at: Some(time), ..self }
    }

    /// How many bytes it has.
    pub(crate) fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.length).sum()
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
        Ok(Some(Replayed {
            time,
            rows,
            bytes: entry.length,
        }))
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
