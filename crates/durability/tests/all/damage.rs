//! Damage is refused by name, or was left by a crash at the end of a journal.

use proptest::prelude::*;
use towpath_durability::{
    Beginning, Group, JournalIndex, JournalWriter, MemoryStorage, StateErrorKind, Storage, delete_before, put_blob,
    read_blob,
};

use crate::model::{content, expected, group, open, read, streams, try_open, with, without};

const LAST: &str = "journal/00000002-0000-000001.journal";

/// Two runs, of which the first had two processes, and the groups in the order in which they are read.
fn sample() -> (MemoryStorage, Vec<Group>) {
    let storage = MemoryStorage::default();
    let mut groups = Vec::new();
    for generation in [1, 2] {
        let state = open(&storage);
        for process in 0..3 - u32::try_from(generation).expect("it is small") {
            let mut writer = JournalWriter::create(&state, generation, process, &streams()).expect("a writer");
            for number in 0..4 {
                if number == 2 {
                    writer.rotate().expect("a new file");
                }
                let payload = [number; 5];
                let closed = 100 * generation + 10 * u64::from(process) + 2 * u64::from(number);
                groups.push(group(closed, &[(0, &payload), (1, &payload[..usize::from(number)])]));
                writer.write(&groups[groups.len() - 1]).expect("it is written");
            }
        }
    }
    (storage, groups)
}

fn names(storage: &MemoryStorage) -> Vec<String> {
    let entries = storage.list("").expect("memory lists it");
    entries.into_iter().map(|entry| entry.name).collect()
}

fn bytes(storage: &MemoryStorage, name: &str) -> Vec<u8> {
    storage.read(name, None).expect("memory reads it")
}

#[test]
fn a_journal_that_is_cut_is_a_prefix_of_whole_groups() {
    let (storage, groups) = sample();
    let whole = bytes(&storage, LAST);
    let mut lengths = Vec::new();
    for length in 0..=whole.len() {
        let found = read(&with(&storage, LAST, &whole[..length])).expect("a crash can leave this");
        let kept = (0..=groups.len()).find(|kept| expected(&groups[..*kept]) == found);
        lengths.push(kept.expect("a prefix of the groups"));
    }
    assert!(lengths.is_sorted());
    assert_eq!(
        (lengths[0], lengths[whole.len() - 1], lengths[whole.len()]),
        (10, 11, 12)
    );
}

#[test]
fn a_journal_that_is_cut_elsewhere_is_refused() {
    let (storage, _) = sample();
    for name in names(&storage).iter().filter(|name| name.as_str() != LAST) {
        let whole = bytes(&storage, name);
        for length in 0..whole.len() {
            let error = read(&with(&storage, name, &whole[..length])).expect_err("it is refused");
            assert_eq!(
                (error.kind, error.name.as_ref()),
                (StateErrorKind::Damaged, Some(name)),
                "{error}"
            );
        }
    }
}

#[test]
fn no_flipped_bit_is_read_as_something_else() {
    let (storage, groups) = sample();
    for name in names(&storage) {
        let whole = bytes(&storage, &name);
        let mut damaged = whole.clone();
        let mut cut = Vec::new();
        for at in 0..whole.len() {
            // All bits of the files that a run is most likely to read wrongly, and one of the others.
            let bits = if name == LAST { 0..8 } else { at % 8..at % 8 + 1 };
            for bit in bits {
                damaged[at] ^= 1 << bit;
                match read(&with(&storage, &name, &damaged)) {
                    Ok(found) => {
                        assert_eq!(found, expected(&groups[..groups.len() - 1]), "{name} at {at}");
                        cut.push(at);
                    }
                    Err(error) => {
                        assert_eq!(error.name.as_ref(), Some(&name), "{error}");
                        let kinds = [StateErrorKind::Damaged, StateErrorKind::Version];
                        assert!(kinds.contains(&error.kind), "{error}");
                    }
                }
                damaged[at] ^= 1 << bit;
            }
        }
        // The last group, whole, and nothing else: 48 + 17 bytes, and two records with 21 bytes before each.
        let last = if name == LAST {
            whole.len() - (48 + 17 + 21 + 5 + 21 + 3)..whole.len()
        } else {
            0..0
        };
        cut.dedup();
        assert_eq!(cut, last.collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn bytes_that_follow_the_last_group_are_left_out() {
    let (storage, groups) = sample();
    let whole = bytes(&storage, LAST);
    let tails = [
        vec![0; 5000],
        vec![0xF1; 47],
        whole[whole.len() - 60..].to_vec(),
        vec![0xF1; (1 << 20) + 7],
    ];
    for tail in tails {
        let found = read(&with(&storage, LAST, &[&*whole, &*tail].concat())).expect("a crash can leave this");
        assert_eq!(found, expected(&groups), "{} bytes", tail.len());
        // With groups behind them they are not the end.
        let error = read(&with(&storage, LAST, &[&*whole, &*tail, &*whole].concat())).expect_err("it is refused");
        assert_eq!(
            (error.kind, error.offset),
            (StateErrorKind::Damaged, Some(whole.len() as u64))
        );
    }
}

#[test]
fn a_missing_file_is_refused() {
    let (storage, groups) = sample();
    for name in names(&storage) {
        let found = read(&without(&storage, &name));
        if name == LAST {
            assert_eq!(found.expect("a crash can leave this"), expected(&groups[..10]));
            continue;
        }
        let error = found.expect_err("it is refused");
        assert_eq!(
            (error.kind, error.name.as_ref()),
            (StateErrorKind::Missing, Some(&name)),
            "{error}"
        );
    }
}

#[test]
fn files_that_change_their_places_are_refused() {
    let (storage, groups) = sample();
    let names = names(&storage);
    for from in &names {
        for to in names.iter().filter(|to| *to != from) {
            let found = read(&with(&storage, to, &bytes(&storage, from)));
            if to == LAST && from == "format" {
                // It has no group, nor has what a crash can leave there.
                assert_eq!(found.expect("a crash can leave this"), expected(&groups[..10]));
                continue;
            }
            let error = found.expect_err("it is refused");
            assert_eq!(error.name.as_ref(), Some(to), "{error}");
            assert!(
                matches!(error.kind, StateErrorKind::Foreign | StateErrorKind::Damaged),
                "{error}"
            );
        }
    }
}

#[test]
fn files_of_another_state_are_refused() {
    let (storage, _) = sample();
    let (other, _) = sample();
    for name in names(&storage) {
        let error = read(&with(&storage, &name, &bytes(&other, &name))).expect_err("it is refused");
        assert_eq!(error.kind, StateErrorKind::Foreign, "{error}");
        assert!(error.to_string().contains("it is part of another state"), "{error}");
    }
}

#[test]
fn files_of_other_versions_are_refused() {
    let (storage, _) = sample();
    for name in names(&storage) {
        for (version, words) in [(0_u32, "an older version"), (2, "a newer version")] {
            let mut whole = bytes(&storage, &name);
            whole[8..12].copy_from_slice(&version.to_le_bytes());
            let error = read(&with(&storage, &name, &whole)).expect_err("it is refused");
            assert_eq!(
                (error.kind, error.name.as_ref()),
                (StateErrorKind::Version, Some(&name))
            );
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}

#[test]
fn files_that_are_not_of_a_journal_are_refused() {
    let (storage, groups) = sample();
    for name in [
        "journal/notes.txt",
        "journal/1-0-2.journal",
        "journal/00000002-0000-000001.journal.bak",
    ] {
        let error = read(&with(&storage, name, b"?")).expect_err("it is refused");
        assert_eq!(
            (error.kind, error.name.as_deref()),
            (StateErrorKind::Foreign, Some(name))
        );
    }
    let found = read(&with(&storage, "journal/.DS_Store", b"?")).expect("it is of the system");
    assert_eq!(found, expected(&groups));
}

#[test]
fn what_a_later_run_did_not_see_is_not_there() {
    let storage = MemoryStorage::default();
    let first = group(2, &[(0, b"first")]);
    let late = group(4, &[(0, b"late")]);
    let state = open(&storage);
    let mut old = JournalWriter::create(&state, 1, 0, &streams()).expect("a writer");
    old.write(&first).expect("it is written");
    // The old process is only slow, and another run has begun.
    let copy = storage.after_crash(0);
    JournalWriter::create(&open(&copy), 2, 0, &streams()).expect("a writer");
    old.write(&late).expect("it is written");
    old.rotate().expect("a new file");
    old.write(&late).expect("it is written");
    JournalWriter::create(&state, 1, 1, &streams())
        .expect("a writer")
        .write(&late)
        .expect("it is written");
    for name in names(&storage) {
        copy.put(&name, &bytes(&storage, &name)).expect("memory takes it");
    }
    assert_eq!(read(&copy).expect("it is whole"), expected([&first]));
}

#[test]
fn what_changes_after_it_was_indexed_is_refused() {
    let (storage, _) = sample();
    let state = open(&storage);
    let index = JournalIndex::read(&state).expect("it is whole");
    let entry = index.records("a")[0];
    let name = "journal/00000001-0000-000000.journal";
    let mut whole = bytes(&storage, name);
    whole[usize::try_from(entry.offset).expect("it is small")] ^= 1;
    storage.put(name, &whole).expect("memory takes it");
    let error = index.payload(&entry).expect_err("it is refused");
    assert_eq!((error.name.as_deref(), error.offset), (Some(name), Some(entry.offset)));
    storage.delete(name).expect("it is there");
    assert_eq!(
        index.payload(&entry).expect_err("it is refused").kind,
        StateErrorKind::Missing
    );
}

#[test]
fn a_run_that_dies_as_it_begins_hides_nothing() {
    let (storage, groups) = sample();
    let state = open(&storage);
    let mut writer = JournalWriter::create(&state, 3, 0, &streams()).expect("a writer");
    let next = group(300, &[(1, b"next")]);
    writer.write(&next).expect("it is written");
    drop((state, writer));
    let name = "journal/00000003-0000-000000.journal";
    let whole = bytes(&storage, name);
    // Its header is cut off, or nothing but zeros, and another run follows: damage to the one before is still seen.
    for torn in [&whole[..0], &whole[..20], &whole[..100], &[0; 200]] {
        let copy = with(&storage, name, torn);
        let state = open(&copy);
        let index = JournalIndex::read(&state).expect("a crash can leave this");
        assert_eq!(index.last_generation(), Some(3));
        assert!(!index.ended_well());
        let mut writer = JournalWriter::create(&state, 4, 0, &streams()).expect("a writer");
        writer.write(&next).expect("it is written");
        drop((state, writer));
        let all: Vec<&Group> = groups.iter().chain([&next]).collect();
        assert_eq!(read(&copy).expect("it is whole"), expected(all));
        let last = bytes(&copy, LAST);
        let error = read(&with(&copy, LAST, &last[..last.len() - 1])).expect_err("it is refused");
        assert_eq!(
            (error.kind, error.name.as_deref()),
            (StateErrorKind::Damaged, Some(LAST))
        );
        let error = read(&without(&copy, name)).expect_err("it is refused");
        assert_eq!(
            (error.kind, error.name.as_deref()),
            (StateErrorKind::Missing, Some(name))
        );
    }
}

#[test]
fn a_journal_begins_where_it_is_said_to() {
    let (storage, groups) = sample();
    let state = open(&storage);
    let beginning = Beginning {
        generation: 2,
        files: [(0, 1)].into(),
    };
    let read_on = || content(&JournalIndex::read_from(&state, &beginning)?);
    assert_eq!(read_on().expect("it is whole"), expected(&groups[10..]));
    delete_before(&state, &beginning).expect("they are deleted");
    assert_eq!(names(&storage), ["format", LAST]);
    assert_eq!(read_on().expect("it is whole"), expected(&groups[10..]));
    assert_eq!(
        JournalIndex::read(&state).expect_err("it is refused").kind,
        StateErrorKind::Missing
    );
    storage.delete(LAST).expect("it is there");
    let error = read_on().expect_err("it is refused");
    assert_eq!(
        (error.kind, error.name.as_deref()),
        (StateErrorKind::Missing, Some(LAST))
    );
}

#[test]
fn a_blob_is_as_it_was_written_or_refused() {
    let storage = MemoryStorage::default();
    let (kind, name) = (*b"test", "some/blob");
    put_blob(&open(&storage), name, kind, b"content").expect("it is written");
    let read = |storage: &MemoryStorage, name, kind| read_blob(&try_open(storage)?, name, kind);
    assert_eq!(read(&storage, name, kind).expect("it is whole"), b"content");
    let whole = bytes(&storage, name);
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            let error = read(&with(&storage, name, &damaged), name, kind).expect_err("it is refused");
            assert!(
                matches!(error.kind, StateErrorKind::Damaged | StateErrorKind::Version),
                "{error}"
            );
            assert_eq!(error.name.as_deref(), Some(name));
        }
        let error = read(&with(&storage, name, &whole[..at]), name, kind).expect_err("it is refused");
        assert_eq!(
            (error.kind, error.name.as_deref()),
            (StateErrorKind::Damaged, Some(name))
        );
    }
    let kind_of = |found: Result<Vec<u8>, towpath_durability::StateError>| found.expect_err("it is refused").kind;
    assert_eq!(kind_of(read(&storage, "other", kind)), StateErrorKind::Missing);
    assert_eq!(kind_of(read(&storage, name, *b"else")), StateErrorKind::Damaged);
    assert_eq!(
        kind_of(read(&with(&storage, "moved", &whole), "moved", kind)),
        StateErrorKind::Damaged
    );
    let other = MemoryStorage::default();
    drop(open(&other));
    assert_eq!(
        kind_of(read(&with(&other, name, &whole), name, kind)),
        StateErrorKind::Foreign
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_is_written_over_is_refused_or_the_end(
        file in 0_usize..7,
        at in any::<proptest::sample::Index>(),
        over in proptest::collection::vec(any::<u8>(), 1..200),
        is_cut in any::<bool>(),
    ) {
        let (storage, groups) = sample();
        let name = &names(&storage)[file];
        let mut damaged = bytes(&storage, name);
        let at = at.index(damaged.len());
        if is_cut {
            damaged.truncate(at);
        }
        let end = damaged.len().min(at + over.len());
        damaged.splice(at..end, over);
        prop_assume!(damaged != bytes(&storage, name));
        match read(&with(&storage, name, &damaged)) {
            Ok(found) => {
                prop_assert_eq!(name, LAST);
                prop_assert!((10..=12).any(|count| found == expected(&groups[..count])));
            }
            Err(error) => prop_assert_eq!(error.name.as_ref(), Some(name)),
        }
    }
}
