//! A record that no run has made: what sources are to have sent, for tests of programs.

use std::sync::Arc;

use towpath_durability::{Access, Group, Holder, JournalWriter, MemoryStorage, Record, State, Storage};
use towpath_types::{Batch, Time};

use super::record::{Committed, encode_rows, kind};
use crate::error::EngineError;

/// What a source is to have sent.
#[derive(Debug)]
pub struct Recorded {
    /// How the program calls it.
    pub source: String,
    /// Its commits in the order of their times, which are even.
    pub commits: Vec<(Time, Batch)>,
}

/// A storage in memory with what these sources are to have sent.
///
/// # Errors
/// If it holds an object that cannot be written.
pub fn recorded(sources: &[Recorded]) -> Result<Arc<dyn Storage>, EngineError> {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let state = State::open(Arc::clone(&storage), Holder::current(0), Access::ReadWrite)?;
    let names: Vec<String> = sources
        .iter()
        .map(|source| format!("source {:?}", source.source))
        .collect();
    let mut writer = JournalWriter::create(&state, 0, 0, &names)?;
    let mut group = Group {
        closed: 1,
        records: Vec::new(),
    };
    for (stream, source) in (0..).zip(sources) {
        for (time, rows) in &source.commits {
            let payloads = [
                (kind::ROWS, encode_rows(&rows.clone().into())?),
                (kind::COMMIT, Committed::default().encode()),
            ];
            group.closed = group.closed.max(time + 1);
            group.records.extend(payloads.map(|(kind, payload)| Record {
                stream,
                kind,
                time: *time,
                payload,
            }));
        }
    }
    writer.write(&group)?;
    writer.end()?;
    Ok(storage)
}
