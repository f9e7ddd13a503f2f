//! A store of objects as a storage.

use std::io::{self, Read as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use towpath_durability::{
    Access, JournalIndex, JournalWriter, PartName, PartWriter, Patience, S3Bucket, State, StateError, StateErrorKind,
    Storage, read_blob, read_sections,
};

use crate::faults::{Progress, groups, program};
use crate::model::{content, expected, group, holder, streams};
use crate::stores::{Failure, PATIENCE, Store, folder_store, memory_store, objects_in};

const PART: PartName = PartName {
    generation: 0,
    process: 0,
    number: 0,
};

fn storage(store: &Store) -> Arc<dyn Storage> {
    Arc::new(objects_in(store.clone()))
}

fn open(store: &Store) -> Result<State, StateError> {
    State::open(storage(store), holder(), Access::ReadWrite)
}

/// The objects without the lease of a process that is dead: this one is not.
fn after_crash(store: &Store) -> Store {
    let left = store.healthy();
    if left.names().iter().any(|name| name == "some/where/lock") {
        left.remove("some/where/lock");
    }
    left
}

#[test]
fn a_journal_comes_back_from_memory_and_from_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    for store in [memory_store(), folder_store(folder.path())] {
        program(&storage(&store), &mut Progress::default()).expect("nothing fails");
        let state = open(&store).expect("it was given back");
        let index = JournalIndex::read(&state).expect("it is whole");
        assert_eq!(content(&index).expect("it can be read"), expected(&groups()));
        assert!(index.ended_well());
        assert_eq!(read_blob(&state, "blob", *b"test").expect("it is there"), [5; 30]);
        state.delete().expect("it is deleted");
        assert_eq!(store.names(), ["some/where/lock"]);
        open(&store).expect("it is begun anew");
    }
}

#[test]
fn a_failure_that_passes_is_tried_again() {
    let counted = memory_store();
    program(&storage(&counted), &mut Progress::default()).expect("nothing fails");
    for request in 0..counted.requests() {
        for failure in [Failure::Fails, Failure::NoAnswer] {
            let store = memory_store();
            store.fail_at(request, failure);
            let place = format!("request {request}, {failure:?}");
            program(&storage(&store), &mut Progress::default()).unwrap_or_else(|error| panic!("{place}: {error}"));
            let state = open(&store).expect("it was given back");
            let index = JournalIndex::read(&state).unwrap_or_else(|error| panic!("{place}: {error}"));
            assert_eq!(content(&index).expect("it can be read"), expected(&groups()), "{place}");
        }
    }
}

#[test]
fn whatever_request_is_the_last_what_was_durable_stays() {
    let counted = memory_store();
    program(&storage(&counted), &mut Progress::default()).expect("nothing fails");
    for request in 0..counted.requests() {
        let store = memory_store();
        store.fail_at(request, Failure::Killed);
        let mut progress = Progress::default();
        // When the lease is given back, nobody is told.
        let _ = program(&storage(&store), &mut progress);
        let state = open(&after_crash(&store)).unwrap_or_else(|error| panic!("request {request}: {error}"));
        let index = JournalIndex::read(&state).unwrap_or_else(|error| panic!("request {request}: {error}"));
        let found = content(&index).expect("it can be read");
        let is_one = |count: &usize| found == expected(groups().iter().take(*count));
        assert!(
            [progress.groups, progress.groups + 1].iter().any(is_one),
            "request {request}"
        );
        match read_blob(&state, "blob", *b"test") {
            Ok(blob) => assert!(progress.blob.is_none_or(|last| blob[0] >= last), "request {request}"),
            Err(error) => assert_eq!((error.kind, progress.blob), (StateErrorKind::Missing, None)),
        }
    }
}

#[test]
fn a_store_that_is_away_for_long_is_named() {
    let store = memory_store();
    let state = open(&store).expect("it is begun");
    let mut writer = JournalWriter::create(&state, 0, 0, &streams()).expect("a writer");
    store.be_away(true);
    let begin = Instant::now();
    let error = writer.write(&group(2, &[(0, b"x")])).expect_err("nobody takes it");
    assert!(begin.elapsed() < 5 * PATIENCE.total, "{:?}", begin.elapsed());
    assert_eq!(error.kind, StateErrorKind::Io(io::ErrorKind::TimedOut));
    let text = error.to_string();
    assert!(
        text.starts_with("the state at store://some/where, in 'journal/"),
        "{text}"
    );
    assert!(
        text.contains("times in 1 s without success: Generic test error: it fails in passing"),
        "{text}"
    );
    assert!(
        text.ends_with("see to it that the storage can be reached, and start again"),
        "{text}"
    );
    store.be_away(false);
    // It is not known what is there, so it stays failed.
    assert_eq!(writer.write(&group(2, &[(0, b"x")])).expect_err("it has failed"), error);
}

#[test]
fn many_pieces_are_merged() {
    let store = memory_store();
    let state = open(&store).expect("it is begun");
    let mut writer = JournalWriter::create(&state, 0, 0, &streams()).expect("a writer");
    let groups: Vec<_> = (1..=600)
        .map(|number| group(2 * number, &[(0, b"some content")]))
        .collect();
    // Another that reads meanwhile knows the pieces that go.
    let reader = State::open(storage(&store), holder(), Access::ReadOnly).expect("it can be read");
    let mut index = None;
    for (number, group) in (0..).zip(&groups) {
        writer.write(group).expect("it is written");
        if number == 200 {
            index = Some(JournalIndex::read(&reader).expect("it is whole"));
        }
    }
    let pieces = || {
        store
            .names()
            .into_iter()
            .filter(|name| name.contains(".pieces/"))
            .count()
    };
    let begin = Instant::now();
    // The header is a piece, too.
    while pieces() != 1 + 2 + 601 % 256 {
        assert!(
            begin.elapsed() < Duration::from_secs(20),
            "there are {} pieces",
            pieces()
        );
        std::thread::yield_now();
    }
    let early = content(&index.expect("it was read")).expect("it can be read");
    assert_eq!(early, expected(&groups[..201]));
    for state in [&reader, &state] {
        let index = JournalIndex::read(state).expect("it is whole");
        assert_eq!(content(&index).expect("it can be read"), expected(&groups));
    }
}

#[test]
fn a_piece_that_is_missing_is_named() {
    let store = memory_store();
    program(&storage(&store), &mut Progress::default()).expect("nothing fails");
    let name = "some/where/journal/00000000-0000-000001.journal.pieces/0000000002";
    store.remove(name);
    let error = JournalIndex::read(&open(&store).expect("it is opened")).expect_err("it is not whole");
    assert_eq!(error.kind, StateErrorKind::Missing);
    assert!(
        error
            .to_string()
            .contains("000001.journal.pieces/0000000002' is missing, and there are later ones"),
        "{error}"
    );
}

#[test]
fn what_a_deletion_has_left_is_swept_away() {
    let store = memory_store();
    let state = open(&store).expect("it is begun");
    JournalWriter::create(&state, 0, 0, &streams()).expect("a writer");
    drop(state);
    store.remove("some/where/journal/00000000-0000-000000.journal.pieces/0000000000");
    let state = open(&store).expect("it is opened");
    assert_eq!(store.names(), ["some/where/format", "some/where/lock"]);
    JournalWriter::create(&state, 0, 0, &streams()).expect("a writer");
}

#[test]
fn a_part_of_many_pieces_comes_back() {
    let store = memory_store();
    let state = open(&store).expect("it is begun");
    let name = PART;
    let contents: Vec<Vec<u8>> = (0..30_u32)
        .map(|number| (0..700_000).map(|at| (number * 7 + at % 251) as u8).collect())
        .collect();
    let reversed: Vec<_> = contents.iter().rev().cloned().collect();
    let mut part = PartWriter::create(&state, name).expect("a part");
    let sections: Vec<_> = contents
        .iter()
        .map(|content| part.add(content).expect("it is added"))
        .collect();
    let bytes = part.finish().expect("it is durable");
    let pieces = store
        .names()
        .into_iter()
        .filter(|name| name.contains(".part.pieces/"))
        .count();
    assert_eq!(pieces as u64, 1 + bytes.div_ceil(8 << 20));
    for state in [
        state.clone(),
        State::open(storage(&store), holder(), Access::ReadOnly).expect("it can be read"),
    ] {
        for (section, content) in sections.iter().zip(&contents) {
            assert!(read_sections(&state, &[(name, *section)]).expect("it is there") == [&**content]);
        }
        let sections: Vec<_> = sections.iter().rev().map(|section| (name, *section)).collect();
        assert!(read_sections(&state, &sections).expect("they are there") == reversed);
    }
}

#[test]
fn sections_are_read_at_the_same_time() {
    let store = memory_store();
    let state = open(&store).expect("it is begun");
    let mut part = PartWriter::create(&state, PART).expect("a part");
    let sections: Vec<_> = (0..40_u8)
        .map(|number| (PART, part.add(&[number; 5]).expect("it is added")))
        .collect();
    part.finish().expect("it is durable");
    let read = || read_sections(&state, &sections);
    assert_eq!(read().expect("they are there")[39], [39; 5]);
    // One after another, none would ever be there.
    store.read_together(8);
    let contents = read().expect("they are read together");
    assert!((0..40_u8).map(|number| vec![number; 5]).eq(contents));
}

#[test]
fn other_things_in_a_bucket_are_left_as_they_are() {
    let store = memory_store();
    store.put("some/where/notes.txt", b"?");
    store.put("some/where-else", b"?");
    let error = open(&store).expect_err("it is refused");
    assert_eq!(error.kind, StateErrorKind::Foreign);
    assert!(error.to_string().contains("'notes.txt'"), "{error}");
    assert_eq!(store.names(), ["some/where-else", "some/where/notes.txt"]);
}

fn bucket(endpoint: String) -> S3Bucket {
    S3Bucket {
        name: "bucket".to_owned(),
        access_key: Some("key".to_owned()),
        secret_access_key: Some("secret".to_owned()),
        region: Some("us-east-1".to_owned()),
        endpoint: Some(endpoint),
        ..S3Bucket::default()
    }
}

fn refused(bucket: &S3Bucket, patience: Patience) -> StateError {
    let storage = bucket.storage("root", patience).expect("settings");
    let begin = Instant::now();
    let error = State::open(Arc::new(storage), holder(), Access::ReadWrite).expect_err("there is no server");
    assert!(begin.elapsed() < 5 * patience.total, "{:?}", begin.elapsed());
    assert_eq!(error.kind, StateErrorKind::Io(io::ErrorKind::TimedOut));
    assert_eq!(error.location, "s3://bucket/root");
    error
}

#[test]
fn a_server_that_is_not_there_or_never_answers_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let bucket = bucket(format!("http://{address}"));
    let accepting = std::thread::spawn(move || {
        // Connections stay open until the client has enough of it.
        let (mut connection, _) = listener.accept().expect("somebody connects");
        drop(listener);
        let mut request = Vec::new();
        let _ = connection.read_to_end(&mut request);
    });
    let patience = Patience {
        total: PATIENCE.attempt,
        ..PATIENCE
    };
    let text = refused(&bucket, patience).to_string();
    assert!(text.contains("it was asked once in 1 s without success"), "{text}");
    accepting.join().expect("it does not panic");
    let text = refused(&bucket, PATIENCE).to_string();
    assert!(text.contains("Connection refused"), "{text}");
}
