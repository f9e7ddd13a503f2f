//! What is kept in a place, for people who look at it or put a source elsewhere. Nothing runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use towpath_durability::{
    Access, Group, Holder, IndexEntry, JournalIndex, JournalWriter, LockError, Record, State, Storage, read_manifest,
};
use towpath_types::Time;

use super::record::{Committed, decode_rows, kind};
use super::snapshots::Manifest;
use crate::error::{EngineError, ErrorKind};

/// What is kept in a place.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Where it is.
    pub location: String,
    /// When it was begun, in unix milliseconds.
    pub created: u64,
    /// Whether a process uses it now, and which, if it says so.
    pub holder: Option<Option<Holder>>,
    /// How many bytes the journals have.
    pub bytes: u64,
    /// How many runs have begun to write.
    pub generations: u64,
    /// Whether the last of them has ended well.
    pub ended_well: bool,
    /// The greatest time of anything that is kept.
    pub last_time: Option<Time>,
    /// The last snapshot of the state of the operators.
    pub snapshot: Option<KeptSnapshot>,
    /// Streams of sources, and outputs.
    pub connectors: Vec<KeptConnector>,
}

/// A snapshot of the state of the operators.
#[derive(Clone, Copy, Debug)]
pub struct KeptSnapshot {
    /// The time after which it holds.
    pub time: Time,
    /// How many bytes it has.
    pub bytes: u64,
    /// In how many files.
    pub parts: usize,
    /// Whether all that came in before is kept, too.
    pub has_journal: bool,
}

/// What is kept of a stream of a source, or of an output.
#[derive(Clone, Debug)]
pub struct KeptConnector {
    /// What the journal calls it; it begins with `source` or `output`.
    pub name: String,
    /// How many commits of it there are, or how often an output has noted how far it is.
    pub commits: u64,
    /// How many rows are kept, if they were counted.
    pub rows: Option<u64>,
    /// How many bytes they and the commits have.
    pub bytes: u64,
    /// The time of the last commit, or up to which an output has delivered everything.
    pub last_time: Option<Time>,
    /// The position that a source gave last.
    pub position: Option<Vec<u8>>,
}

/// So often it is looked again at what has changed meanwhile.
const LOOKS: usize = 100;

/// Looks at what is kept in a place, also while a run goes on. All of it is checked; with `decode` the rows are read, too, and counted.
///
/// # Errors
/// If there is nothing, something else, or it is damaged or of another version.
pub fn inspect(storage: &Arc<dyn Storage>, decode: bool) -> Result<Inspection, EngineError> {
    let holder = match storage.check_free() {
        Ok(()) => None,
        Err(LockError::Held(holder)) => Some(holder),
        // Opening it says why it cannot be read.
        Err(LockError::Io(_)) => None,
    };
    // Nothing is written when it is only read.
    let state = State::open(Arc::clone(storage), Holder::current(0), Access::ReadOnly)?;
    let mut looks = 0;
    loop {
        let before = read_manifest(&state)?;
        let found = look(&state, holder.clone(), decode);
        looks += 1;
        // With a new snapshot, a run deletes what an older one needed.
        if found.is_ok() || looks == LOOKS || read_manifest(&state)? == before {
            return found;
        }
    }
}

fn look(state: &State, holder: Option<Option<Holder>>, decode: bool) -> Result<Inspection, EngineError> {
    let (index, manifest) = read(state)?;
    if let Some(manifest) = manifest.as_ref().filter(|_| decode) {
        manifest.check_parts(state)?;
    }
    let names: BTreeSet<&str> = index
        .streams()
        .chain(manifest.iter().flat_map(Manifest::names))
        .collect();
    let connector = |name| connector(&index, manifest.as_ref(), name, decode);
    let connectors: Result<_, EngineError> = names.into_iter().map(connector).collect();
    Ok(Inspection {
        location: state.storage().location(),
        created: state.created(),
        holder,
        bytes: index.bytes(),
        generations: index.last_generation().map_or(0, |last| last + 1),
        ended_well: index.ended_well(),
        last_time: index.last_time().max(manifest.as_ref().map(|manifest| manifest.time)),
        snapshot: manifest.as_ref().map(|manifest| KeptSnapshot {
            time: manifest.time,
            bytes: manifest.bytes(),
            parts: manifest.parts.len(),
            has_journal: manifest.is_whole_journal(),
        }),
        connectors: connectors?,
    })
}

/// What is needed of the journal, and the last snapshot.
fn read(state: &State) -> Result<(JournalIndex, Option<Manifest>), EngineError> {
    let manifest = Manifest::read(state)?;
    let beginning = manifest.as_ref().map(|manifest| manifest.beginning.clone());
    Ok((
        JournalIndex::read_from(state, &beginning.unwrap_or_default())?,
        manifest,
    ))
}

fn connector(
    index: &JournalIndex,
    manifest: Option<&Manifest>,
    name: &str,
    decode: bool,
) -> Result<KeptConnector, EngineError> {
    let entries = index.records(name);
    let is_end = |entry: &&IndexEntry| matches!(entry.kind, kind::COMMIT | kind::DELIVERED);
    let last = entries.iter().rfind(is_end);
    let mut rows = None;
    if decode {
        let mut count = 0;
        for record in index.payloads(name) {
            let (entry, payload) = record?;
            let is_readable = match entry.kind {
                kind::ROWS => decode_rows(&payload).map(|rows| count += rows.len() as u64).is_ok(),
                kind::COMMIT => Committed::decode(&payload).is_some(),
                kind::DELIVERED => true,
                _ => false,
            };
            if !is_readable {
                let message = format!("a record of {name} at time {} cannot be read", entry.time);
                return Err(EngineError::new(ErrorKind::Os, message));
            }
        }
        rows = Some(count);
    }
    Ok(KeptConnector {
        name: name.to_owned(),
        commits: entries.iter().filter(is_end).count() as u64,
        rows,
        bytes: entries.iter().map(|entry| entry.length).sum(),
        last_time: last
            .map(|entry| entry.time)
            .max(manifest.and_then(|manifest| manifest.last_time(name))),
        position: match last {
            Some(entry) if entry.kind == kind::COMMIT => position(index, entry)?,
            _ => manifest
                .and_then(|manifest| manifest.stream(name)?.committed())
                .and_then(|committed| committed.position),
        },
    })
}

fn position(index: &JournalIndex, entry: &IndexEntry) -> Result<Option<Vec<u8>>, EngineError> {
    Ok(Committed::decode(&index.payload(entry)?).and_then(|committed| committed.position))
}

/// Has a stream of a source go on elsewhere: adds a commit without rows that has this position. `name` is what the
/// journal calls the stream.
///
/// # Errors
/// If the place is in use, or cannot be read or written; if there is no such stream, or it has given no positions.
pub fn set_position(
    storage: &Arc<dyn Storage>,
    holder: Holder,
    name: &str,
    position: Vec<u8>,
) -> Result<(), EngineError> {
    let state = State::open(Arc::clone(storage), holder, Access::ReadWrite)?;
    let (index, manifest) = read(&state)?;
    let last = connector(&index, manifest.as_ref(), name, false)?;
    if last.position.is_none() {
        let message = format!("{name} has committed no offset, so it would not go on at another one");
        return Err(EngineError::new(ErrorKind::Value, message));
    }
    let generation = index.last_generation().map_or(0, |last| last + 1);
    // Times are even, and this one is after all that was kept.
    let last_time = index.last_time().max(manifest.map(|manifest| manifest.time));
    let time = last_time.map_or(0, |last| last.saturating_add(3) & !1);
    let committed = Committed {
        position: Some(position),
        ..Committed::default()
    };
    let mut writer = JournalWriter::create(&state, generation, 0, &[name.to_owned()])?;
    writer.write(&Group {
        closed: time + 1,
        records: vec![Record {
            stream: 0,
            kind: kind::COMMIT,
            time,
            payload: committed.encode(),
        }],
    })?;
    writer.end()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io;
    use std::ops::Range;

    use parking_lot::Mutex;
    use towpath_durability::{Appender, Beginning, Entry, Lock, MemoryStorage, delete_before};

    use super::*;

    /// Does something once when its journal files have been listed.
    struct Meanwhile {
        storage: MemoryStorage,
        work: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    }

    impl std::fmt::Debug for Meanwhile {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.storage.fmt(f)
        }
    }

    impl Storage for Meanwhile {
        fn location(&self) -> String {
            self.storage.location()
        }

        fn list(&self, prefix: &str) -> io::Result<Vec<Entry>> {
            let listed = self.storage.list(prefix);
            let work = self.work.lock().take_if(|_| prefix.starts_with("journal"));
            if let Some(work) = work {
                work();
            }
            listed
        }

        fn read(&self, name: &str, range: Option<Range<u64>>) -> io::Result<Vec<u8>> {
            self.storage.read(name, range)
        }

        fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
            self.storage.put(name, bytes)
        }

        fn create(&self, name: &str) -> io::Result<Box<dyn Appender>> {
            self.storage.create(name)
        }

        fn delete(&self, name: &str) -> io::Result<()> {
            self.storage.delete(name)
        }

        fn lock(&self, holder: &Holder) -> Result<Box<dyn Lock>, LockError> {
            self.storage.lock(holder)
        }

        fn check_free(&self) -> Result<(), LockError> {
            self.storage.check_free()
        }
    }

    #[test]
    fn a_run_may_take_a_snapshot_while_somebody_looks() {
        let storage = MemoryStorage::default();
        let state = State::open(Arc::new(storage.clone()), Holder::current(0), Access::ReadWrite).expect("it is empty");
        let mut writer = JournalWriter::create(&state, 0, 0, &["source \"a\"".to_owned()]).expect("there is none");
        let commit = |time| Group {
            closed: time + 1,
            records: vec![Record {
                stream: 0,
                kind: kind::COMMIT,
                time,
                payload: Committed::default().encode(),
            }],
        };
        writer.write(&commit(10)).expect("it can be written");
        let work = move || {
            writer.rotate().expect("it can be written");
            writer.write(&commit(20)).expect("it can be written");
            let manifest = Manifest {
                time: 10,
                parts: Vec::new(),
                program: Vec::new(),
                streams: BTreeMap::new(),
                outputs: BTreeMap::new(),
                beginning: Beginning {
                    generation: 0,
                    files: BTreeMap::from([(0, 1)]),
                },
            };
            manifest.write(&state).expect("it can be written");
            delete_before(&state, &manifest.beginning).expect("they can be deleted");
        };
        let looked_at: Arc<dyn Storage> = Arc::new(Meanwhile {
            storage,
            work: Mutex::new(Some(Box::new(work))),
        });
        let found = inspect(&looked_at, true).expect("it is whole");
        assert_eq!(found.snapshot.map(|snapshot| snapshot.time), Some(10));
        assert_eq!((found.last_time, found.connectors[0].commits), (Some(20), 1));
    }
}
