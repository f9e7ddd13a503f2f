//! Journals come back as they were written, or not at all.

use std::sync::Arc;

use towpath_durability::{Access, Group, Holder, JournalIndex, JournalWriter, LocalStorage, Record, State, Storage};

fn holder() -> Holder {
    Holder::current(7)
}

#[test]
fn records_come_back_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let storage = || -> Arc<dyn Storage> { Arc::new(LocalStorage::new(folder.path().join("a/b")).expect("a path")) };
    let group = |closed, payload: &[u8]| Group {
        closed,
        records: vec![Record {
            stream: 1,
            kind: 3,
            time: closed - 2,
            payload: payload.to_vec(),
        }],
    };
    {
        let state = State::open(storage(), holder(), Access::ReadWrite).expect("it is begun");
        let mut writer = JournalWriter::create(&state, 1, 0, &["a".into(), "b".into()]).expect("a writer");
        writer.write(&group(4, b"one")).expect("it is written");
        writer.rotate().expect("a new file");
        writer.write(&group(6, b"two")).expect("it is written");
        writer.end().expect("it is written");
    }
    let state = State::open(storage(), holder(), Access::ReadWrite).expect("it is opened");
    let index = JournalIndex::read(&state).expect("it is whole");
    let payloads = |index: &JournalIndex| -> Vec<Vec<u8>> {
        index
            .records("b")
            .iter()
            .map(|entry| index.payload(entry).expect("it is there"))
            .collect()
    };
    assert_eq!(payloads(&index), [b"one".to_vec(), b"two".to_vec()]);
    assert_eq!(index.streams().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(
        (index.last_generation(), index.last_time(), index.ended_well()),
        (Some(1), Some(6), true)
    );
    let mut writer = JournalWriter::create(&state, 2, 0, &["b".into(), "c".into()]).expect("a writer");
    writer
        .write(&Group {
            closed: 8,
            records: Vec::new(),
        })
        .expect("it is written");
    let index = JournalIndex::read(&state).expect("it is whole");
    assert_eq!(payloads(&index).len(), 2);
    assert_eq!(
        (index.last_generation(), index.last_time(), index.ended_well()),
        (Some(2), Some(8), false)
    );
}
