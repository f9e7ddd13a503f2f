//! What users are told: where, what, and what to do.

use std::sync::Arc;

use towpath_durability::{
    Access, Fault, FaultyStorage, JournalIndex, JournalWriter, MemoryStorage, State, StateError, StateErrorKind,
    Storage, put_blob, read_blob,
};

use crate::model::{group, open, read, streams, try_open, with, without};

const FIRST: &str = "journal/00000001-0000-000000.journal";

/// A journal of two files with two groups each.
fn sample() -> MemoryStorage {
    let storage = MemoryStorage::default();
    let mut writer = JournalWriter::create(&open(&storage), 1, 0, &streams()).expect("a writer");
    for number in 0..4 {
        if number == 2 {
            writer.rotate().expect("a new file");
        }
        writer.write(&group(2, &[(0, b"payload")])).expect("it is written");
    }
    storage
}

fn told<T: std::fmt::Debug>(result: Result<T, StateError>) -> String {
    result.expect_err("it is refused").to_string()
}

#[test]
fn messages_say_where_and_what_and_what_to_do() {
    let storage = sample();
    let mut damaged = storage.read(FIRST, None).expect("it is there");
    let end = damaged.len();
    damaged[end - 100] ^= 1;
    let group = damaged.len() - 2 * (48 + 17 + 21 + 7);
    assert_eq!(
        told(read(&with(&storage, FIRST, &damaged))),
        format!(
            "the state at memory, in '{FIRST}' at byte {group}: the checksum of a group is not that of its content; \
             restore the state from a copy, or delete all of it to begin anew"
        )
    );
    assert_eq!(
        told(read(&without(&storage, FIRST))),
        format!(
            "the state at memory, in '{FIRST}': it is missing; restore the state from a copy, or delete all of it to \
             begin anew"
        )
    );
    damaged[8] = 2;
    assert_eq!(
        told(read(&with(&storage, FIRST, &damaged))),
        format!(
            "the state at memory, in '{FIRST}': it was written by a newer version of the program (format 2; this one \
             reads format 1); start that version or a later one, or name another place"
        )
    );
    let mut holder = crate::model::holder();
    (holder.host, holder.process) = ("lock-keeper".to_owned(), 17);
    let _held = storage.lock(&holder).expect("it is free");
    assert_eq!(
        told(try_open(&storage)),
        "the state at memory: process 17 on lock-keeper has used it since 2023-11-14 22:13:20 UTC; wait until that \
         process, and those that it has forked, have ended, or name another place"
    );
    let foreign = MemoryStorage::default();
    foreign.put("notes.txt", b"?").expect("memory takes it");
    assert_eq!(
        told(try_open(&foreign)),
        "the state at memory: there are other things, such as 'notes.txt'; name a place that is empty, or that a \
         program has used for its state"
    );
    let nothing = Arc::new(MemoryStorage::default());
    assert_eq!(
        told(State::open(nothing, crate::model::holder(), Access::ReadOnly)),
        "the state at memory: there is none; name the place to which a program has written"
    );
}

#[test]
fn failures_of_the_system_say_what_to_do() {
    for (number, words) in [
        (
            28,
            "No space left on device (os error 28); make room there and start again",
        ),
        (
            13,
            "Permission denied (os error 13); let the user of this process read and write there, or name another place",
        ),
        (
            30,
            "Read-only file system (os error 30); let the user of this process read and write there, or name another place",
        ),
        (
            5,
            "Input/output error (os error 5); see to it that the storage works, and start again",
        ),
        (20, "there is a file where a folder must be; name a folder instead"),
    ] {
        let storage = FaultyStorage::new(Arc::new(sample()));
        let state = State::open(Arc::new(storage.clone()), crate::model::holder(), Access::ReadWrite);
        let state = state.expect("nothing fails yet");
        let fail = || storage.fail_at(storage.operations(), Fault::Fails(number));
        fail();
        assert_eq!(
            told(put_blob(&state, "blob", *b"test", b"")),
            format!("the state at memory, in 'blob': {words}")
        );
        fail();
        assert_eq!(
            told(read_blob(&state, "blob", *b"test")),
            format!("the state at memory, in 'blob': {words}")
        );
        fail();
        assert_eq!(
            told(JournalIndex::read(&state)),
            format!("the state at memory, in 'journal/': {words}")
        );
        storage.fail_at(storage.operations() + 1, Fault::Fails(number));
        assert_eq!(
            told(JournalIndex::read(&state)),
            format!("the state at memory, in '{FIRST}': {words}")
        );
    }
}

#[test]
fn threads_share_what_is_open() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>() {}
    shared::<State>();
    shared::<JournalIndex>();
    shared::<StateError>();
    shared::<StateErrorKind>();
    sent::<JournalWriter>();
}
