//! A journal as a list of groups, to compare with what is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use towpath_durability::{
    Access, Group, Holder, JournalIndex, MemoryStorage, Record, State, StateError, Storage, Time,
};

/// The names of the streams that tests write.
pub(crate) const STREAMS: [&str; 2] = ["a", "b"];

pub(crate) fn streams() -> Vec<String> {
    STREAMS.map(str::to_owned).to_vec()
}

pub(crate) fn holder() -> Holder {
    Holder::current(1_700_000_000_000)
}

pub(crate) fn open(storage: &MemoryStorage) -> State {
    try_open(storage).expect("it can be opened")
}

pub(crate) fn try_open(storage: &MemoryStorage) -> Result<State, StateError> {
    State::open(Arc::new(storage.clone()), holder(), Access::ReadWrite)
}

/// A group with a record for each stream and payload.
pub(crate) fn group(closed: Time, records: &[(u32, &[u8])]) -> Group {
    let records = records.iter().map(|&(stream, payload)| Record {
        stream,
        kind: (closed % 7) as u8,
        time: closed,
        payload: payload.to_vec(),
    });
    Group {
        closed,
        records: records.collect(),
    }
}

/// For each stream, the kinds, times and payloads of its records.
pub(crate) type Content = BTreeMap<String, Vec<(u8, Time, Vec<u8>)>>;

/// What the journals of a state hold; streams without records are left out.
pub(crate) fn content(index: &JournalIndex) -> Result<Content, StateError> {
    let mut content = Content::new();
    for name in index.streams() {
        for entry in index.records(name) {
            let record = (entry.kind, entry.time, index.payload(entry)?);
            content.entry(name.to_owned()).or_default().push(record);
        }
        let in_a_row = index
            .payloads(name)
            .map(|found| found.map(|(entry, payload)| (entry.kind, entry.time, payload)));
        let in_a_row = in_a_row.collect::<Result<Vec<_>, _>>()?;
        assert_eq!(&in_a_row, content.get(name).unwrap_or(&Vec::new()));
    }
    Ok(content)
}

/// Opens a storage and reads its journals.
pub(crate) fn read(storage: &MemoryStorage) -> Result<Content, StateError> {
    content(&JournalIndex::read(&try_open(storage)?)?)
}

/// What groups hold.
pub(crate) fn expected<'a>(groups: impl IntoIterator<Item = &'a Group>) -> Content {
    let mut content = Content::new();
    for record in groups.into_iter().flat_map(|group| &group.records) {
        let found = (record.kind, record.time, record.payload.clone());
        content
            .entry(STREAMS[record.stream as usize].to_owned())
            .or_default()
            .push(found);
    }
    content
}

/// A copy in which one blob is another.
pub(crate) fn with(storage: &MemoryStorage, name: &str, bytes: &[u8]) -> MemoryStorage {
    let copy = storage.after_crash(0);
    copy.put(name, bytes).expect("memory takes it");
    copy
}

/// A copy without a blob.
pub(crate) fn without(storage: &MemoryStorage, name: &str) -> MemoryStorage {
    let copy = storage.after_crash(0);
    copy.delete(name).expect("it is there");
    copy
}
