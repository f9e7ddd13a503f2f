//! Records in are records out.

use std::sync::Arc;

use proptest::prelude::*;
use towpath_durability::{
    Access, Beginning, Entry, Group, JournalIndex, JournalWriter, LocalStorage, MemoryStorage, Record, State,
    StateErrorKind, Storage,
};

use crate::model::{content, expected, group, holder, open, read, streams};

#[test]
fn records_come_back_from_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let storage = LocalStorage::new(folder.path().join("not/there/yet")).expect("a path");
    let storage: Arc<dyn Storage> = Arc::new(storage);
    let groups = [
        group(4, &[(1, b"one"), (1, b"")]),
        group(6, &[(1, b"two"), (0, &[7; 3_000_000])]),
    ];
    {
        let state = State::open(storage.clone(), holder(), Access::ReadWrite).expect("it is begun");
        let mut writer = JournalWriter::create(&state, 1, 0, &streams()).expect("a writer");
        writer.write(&groups[0]).expect("it is written");
        writer.rotate().expect("a new file");
        writer.write(&groups[1]).expect("it is written");
        let bytes = writer.end().expect("it is written");
        let entries: Vec<Entry> = storage.list("journal/").expect("they are there");
        assert_eq!(entries.iter().map(|entry| entry.bytes).sum::<u64>(), bytes);
        assert_eq!((writer.file(), writer.file_bytes()), (1, entries[1].bytes));
    }
    let state = State::open(storage, holder(), Access::ReadWrite).expect("it is opened");
    let index = JournalIndex::read(&state).expect("it is whole");
    assert_eq!(content(&index).expect("it can be read"), expected(&groups));
    assert_eq!(index.streams().collect::<Vec<_>>(), ["a", "b"]);
    assert!(index.records("c").is_empty());
    assert_eq!(
        (index.last_generation(), index.last_time(), index.ended_well()),
        (Some(1), Some(6), true)
    );
    let mut writer = JournalWriter::create(&state, 2, 0, &["c".to_owned()]).expect("a writer");
    writer.write(&group(8, &[])).expect("it is written");
    let index = JournalIndex::read(&state).expect("it is whole");
    assert_eq!(content(&index).expect("it can be read"), expected(&groups));
    assert_eq!(index.streams().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(
        (index.last_generation(), index.last_time(), index.ended_well()),
        (Some(2), Some(8), false)
    );
}

#[test]
fn a_run_has_ended_well_if_all_its_processes_have() {
    let storage = MemoryStorage::default();
    let state = open(&storage);
    let mut writers = [0, 1].map(|process| JournalWriter::create(&state, 1, process, &streams()).expect("a writer"));
    let index = || JournalIndex::read(&state).expect("it is whole");
    writers[1].write(&group(8, &[])).expect("it is written");
    assert_eq!(*index().closed(), [(0, 0), (1, 8)].into());
    writers[0].end().expect("it is written");
    assert!(!index().ended_well());
    writers[1].rotate().expect("a new file");
    writers[1].end().expect("it is written");
    assert!(index().ended_well());
    assert_eq!(*index().closed(), [(0, 0), (1, 8)].into());
}

#[test]
fn an_empty_state_has_an_empty_journal() {
    let index = JournalIndex::read(&open(&MemoryStorage::default())).expect("it is whole");
    assert_eq!(
        (index.last_generation(), index.last_time(), index.bytes()),
        (None, None, 0)
    );
    assert!(!index.ended_well());
    assert_eq!(index.streams().count(), 0);
}

#[test]
fn a_journal_is_not_written_twice() {
    let state = open(&MemoryStorage::default());
    JournalWriter::create(&state, 1, 0, &streams()).expect("a writer");
    let error = JournalWriter::create(&state, 1, 0, &streams()).expect_err("it is refused");
    assert_eq!(error.kind, StateErrorKind::Held);
    assert_eq!(error.name.as_deref(), Some("journal/00000001-0000-000000.journal"));
}

/// What is done to a journal.
#[derive(Clone, Debug)]
enum Step {
    Write(Vec<(u32, Vec<u8>)>),
    Rotate,
    /// The process dies, and leaves some bytes behind.
    Crash(Vec<u8>),
    /// The run ends well and another begins.
    Restart,
    /// What came before is given up.
    Begin,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let payload = prop_oneof![
        4 => proptest::collection::vec(any::<u8>(), 0..20),
        1 => (any::<u8>(), 0_usize..70_000).prop_map(|(byte, length)| vec![byte; length]),
    ];
    let records = proptest::collection::vec((0_u32..2, payload), 0..5);
    let step = prop_oneof![
        6 => records.prop_map(Step::Write),
        2 => Just(Step::Rotate),
        1 => proptest::collection::vec(any::<u8>(), 0..100).prop_map(Step::Crash),
        1 => Just(Step::Restart),
        1 => Just(Step::Begin),
    ];
    proptest::collection::vec(step, 0..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn records_in_are_records_out(steps in steps()) {
        let mut storage = MemoryStorage::default();
        let mut state = open(&storage);
        let mut generation = 0;
        let mut writer = JournalWriter::create(&state, generation, 0, &streams()).expect("a writer");
        let mut beginning = Beginning::default();
        let mut groups: Vec<Group> = Vec::new();
        for (time, step) in (2..).step_by(2).zip(steps) {
            match &step {
                Step::Write(records) => {
                    let records = records.iter().map(|(stream, payload)| Record {
                        stream: *stream,
                        kind: payload.len() as u8,
                        time,
                        payload: payload.clone(),
                    });
                    groups.push(Group { closed: time, records: records.collect() });
                    writer.write(&groups[groups.len() - 1]).expect("it is written");
                }
                Step::Rotate => writer.rotate().expect("a new file"),
                Step::Begin => {
                    writer.rotate().expect("a new file");
                    beginning = Beginning { generation, files: [(0, writer.file())].into() };
                    towpath_durability::delete_before(&state, &beginning).expect("they are deleted");
                    groups.clear();
                }
                Step::Crash(_) | Step::Restart => {
                    let is_crash = matches!(step, Step::Crash(_));
                    if !is_crash {
                        writer.end().expect("it is written");
                    }
                    drop(writer);
                    storage = storage.after_crash(0);
                    if let Step::Crash(tail) = &step {
                        let last = storage.list("journal/").expect("they are there").pop().expect("a file").name;
                        let whole = storage.read(&last, None).expect("it is there");
                        storage.put(&last, &[whole, tail.clone()].concat()).expect("memory takes it");
                    }
                    state = open(&storage);
                    let index = JournalIndex::read_from(&state, &beginning).expect("it is whole");
                    prop_assert_eq!(index.last_generation(), Some(generation));
                    prop_assert_eq!(index.ended_well(), !is_crash);
                    prop_assert_eq!(content(&index).expect("it can be read"), expected(&groups));
                    generation += 1;
                    writer = JournalWriter::create(&state, generation, 0, &streams()).expect("a writer");
                }
            }
            let index = JournalIndex::read_from(&state, &beginning).expect("it is whole");
            prop_assert_eq!(content(&index).expect("it can be read"), expected(&groups));
        }
    }
}

#[test]
fn a_group_of_many_windows_is_read_in_parts() {
    let storage = MemoryStorage::default();
    let state = open(&storage);
    let mut writer = JournalWriter::create(&state, 1, 0, &streams()).expect("a writer");
    // Records begin and end everywhere around the borders of what is read at a time.
    let payload: Vec<u8> = (0..=250).collect();
    let records: Vec<(u32, &[u8])> = (0..20_000)
        .map(|number| (number % 2, &payload[..number as usize % 251]))
        .collect();
    let groups = [group(2, &records), group(4, &[(0, &payload)])];
    for group in &groups {
        writer.write(group).expect("it is written");
    }
    drop((state, writer));
    assert_eq!(read(&storage).expect("it is whole"), expected(&groups));
}
