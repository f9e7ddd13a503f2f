//! Whatever operation fails, in whatever way: who writes hears of it, and what was durable can be read.

use std::sync::Arc;

use towpath_durability::{
    Access, Fault, FaultyStorage, Group, JournalWriter, MemoryStorage, State, StateError, StateErrorKind, Storage,
    put_blob, read_blob,
};

use crate::model::{expected, group, holder, open, read, streams};

/// What happened to a program that went as far as it could.
#[derive(Default)]
pub(crate) struct Progress {
    /// How many groups are durable.
    pub(crate) groups: usize,
    /// The last content of the blob that is durable.
    pub(crate) blob: Option<u8>,
}

pub(crate) fn groups() -> Vec<Group> {
    (1..=5)
        .map(|number| group(2 * number, &[(0, &[7; 90]), (1, b"x")]))
        .collect()
}

/// Opens, writes, replaces a blob, goes on in new files and in a new run.
pub(crate) fn program(storage: &Arc<dyn Storage>, progress: &mut Progress) -> Result<(), StateError> {
    let mut groups = groups().into_iter();
    for (generation, count) in [(0, 3), (1, 2)] {
        let state = State::open(Arc::clone(storage), holder(), Access::ReadWrite)?;
        let mut writer = JournalWriter::create(&state, generation, 0, &streams())?;
        for (number, group) in groups.by_ref().take(count).enumerate() {
            if number == 1 {
                again(&mut writer, JournalWriter::rotate)?;
            }
            again(&mut writer, |writer| writer.write(&group))?;
            progress.groups += 1;
            let blob = u8::try_from(progress.groups).expect("it is small");
            put_blob(&state, "blob", *b"test", &[blob; 30])?;
            progress.blob = Some(blob);
        }
        again(&mut writer, JournalWriter::end)?;
    }
    Ok(())
}

fn shared(storage: &FaultyStorage) -> Arc<dyn Storage> {
    Arc::new(storage.clone())
}

/// Does something with a writer; if that fails, everything after it fails with the same error.
fn again<T>(
    writer: &mut JournalWriter,
    step: impl FnOnce(&mut JournalWriter) -> Result<T, StateError>,
) -> Result<T, StateError> {
    step(writer).inspect_err(|error| {
        assert_eq!(writer.write(&group(100, &[(0, b"later")])).as_ref(), Err(error));
        assert_eq!(writer.rotate().as_ref(), Err(error));
        assert_eq!(writer.end().as_ref(), Err(error));
    })
}

#[test]
fn whatever_fails_is_told_and_what_was_durable_stays() {
    const ENOSPC: i32 = 28;
    const EIO: i32 = 5;
    let counted = FaultyStorage::new(Arc::new(MemoryStorage::default()));
    program(&shared(&counted), &mut Progress::default()).expect("nothing fails");
    let faults = [
        Fault::Fails(ENOSPC),
        Fault::Fails(EIO),
        Fault::WritesPart(0, EIO),
        Fault::WritesPart(10, ENOSPC),
        Fault::WritesPart(100, ENOSPC),
        Fault::WritesPart(usize::MAX, EIO),
        Fault::SaysSo(EIO),
        Fault::Killed(0),
        Fault::Killed(60),
        Fault::Killed(usize::MAX),
    ];
    for operation in 0..counted.operations() {
        for fault in faults {
            let memory = MemoryStorage::default();
            let storage = FaultyStorage::new(Arc::new(memory.clone()));
            storage.fail_at(operation, fault);
            let mut progress = Progress::default();
            let told = program(&shared(&storage), &mut progress);
            let error = told.expect_err(&format!("operation {operation}, {fault:?}: it is told"));
            assert!(matches!(error.kind, StateErrorKind::Io(_)), "{error}");
            let words = match fault {
                Fault::Fails(ENOSPC) | Fault::WritesPart(_, ENOSPC) => "make room there",
                _ => "see to it that the storage works",
            };
            assert!(error.to_string().contains(words), "{error}");
            // Power goes, too: with the bytes that were not durable, without them, and with some of them.
            for more in [0, 1, 33, 70, 1000] {
                let place = format!("operation {operation}, {fault:?}, {more} bytes more");
                let left = memory.after_crash(more);
                let found = read(&left).unwrap_or_else(|error| panic!("{place}: {error}"));
                let possible = [progress.groups, progress.groups + 1];
                let is_one = |count: &usize| found == expected(groups().iter().take(*count));
                assert!(possible.iter().any(is_one), "{place}");
                match read_blob(&open(&left), "blob", *b"test") {
                    Ok(blob) => {
                        let next = progress.blob.map_or(1, |blob| blob + 1);
                        assert!(
                            progress.blob.is_some_and(|last| blob == [last; 30]) || blob == [next; 30],
                            "{place}"
                        );
                    }
                    Err(error) => {
                        assert_eq!((error.kind, progress.blob), (StateErrorKind::Missing, None), "{place}");
                    }
                }
                // The next run goes on from there.
                let state = open(&left);
                let mut writer = JournalWriter::create(&state, 9, 0, &streams()).expect("a writer");
                writer.write(&group(100, &[(1, b"later")])).expect("it is written");
                drop((state, writer));
                assert!(read(&left).is_ok(), "{place}");
            }
        }
    }
}

#[test]
fn a_state_that_is_deleted_in_part_is_refused_empty_or_whole() {
    let written = MemoryStorage::default();
    program(
        &shared(&FaultyStorage::new(Arc::new(written.clone()))),
        &mut Progress::default(),
    )
    .expect("nothing fails");
    let whole = read(&written).expect("it is whole");
    let mut operation = 0;
    loop {
        let storage = written.after_crash(0);
        let faulty = FaultyStorage::new(Arc::new(storage.clone()));
        let state = State::open(Arc::new(faulty.clone()), holder(), Access::ReadWrite).expect("it is a state");
        faulty.fail_at(faulty.operations() + operation, Fault::Killed(0));
        let deleted = state.delete();
        match read(&storage.after_crash(0)) {
            Ok(content) => assert!(content.is_empty() || content == whole, "{operation}: {content:?}"),
            Err(error) => assert_eq!(error.kind, StateErrorKind::Missing, "{error}"),
        }
        if deleted.is_ok() {
            break;
        }
        open(&storage.after_crash(0)).delete().expect("it is done again");
        operation += 1;
    }
    assert!(operation > 4);
}
