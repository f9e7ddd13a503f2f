//! Where a state may be, and who may use it.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use towpath_durability::{
    Access, JournalWriter, LocalStorage, LockError, MemoryStorage, State, StateError, StateErrorKind, Storage, put_blob,
};

use crate::children;
use crate::model::{holder, open, streams, try_open};
use crate::stores::{folder_store, memory_store, objects_in};

fn open_folder(folder: &Path, access: Access) -> Result<State, StateError> {
    State::open(Arc::new(LocalStorage::new(folder).expect("a path")), holder(), access)
}

fn refused(folder: &Path, access: Access) -> StateError {
    let error = open_folder(folder, access).expect_err("it is refused");
    assert_eq!(error.location, folder.display().to_string());
    assert!(
        error
            .to_string()
            .starts_with(&format!("the state at {}", folder.display())),
        "{error}"
    );
    error
}

/// All that is in a folder.
fn listing(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn an_empty_place_is_begun_once() {
    let folder = tempfile::tempdir().expect("a folder");
    for path in [folder.path().to_owned(), folder.path().join("x/y")] {
        let created = open_folder(&path, Access::ReadWrite).expect("it is begun").created();
        assert_eq!(created, holder().since);
        let again = open_folder(&path, Access::ReadWrite).expect("it is opened");
        assert_eq!(again.created(), created);
        assert_eq!(listing(&path), ["format", "lock"]);
        // It is not empty any more for the next.
        drop(again);
        if path == folder.path() {
            fs::remove_file(path.join("format")).expect("it is there");
        }
    }
}

#[test]
fn what_operating_systems_leave_in_a_folder_does_not_matter() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("lost+found")).expect("a folder");
    fs::write(folder.path().join(".DS_Store"), "?").expect("a file");
    open_folder(folder.path(), Access::ReadWrite).expect("it is begun");
    open_folder(folder.path(), Access::ReadOnly).expect("it is opened");
}

#[test]
fn a_foreign_folder_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("notes.txt"), "?").expect("a file");
    for access in [Access::ReadWrite, Access::ReadOnly, Access::Member] {
        let error = refused(folder.path(), access);
        assert_eq!(error.kind, StateErrorKind::Foreign);
        assert!(error.to_string().contains("'notes.txt'"), "{error}");
    }
    assert_eq!(listing(folder.path()), ["notes.txt"]);
    fs::write(folder.path().join("format"), "of something else").expect("a file");
    let error = refused(folder.path(), Access::ReadWrite);
    assert_eq!(
        (error.kind, error.name.as_deref()),
        (StateErrorKind::Damaged, Some("format"))
    );
    assert_eq!(listing(folder.path()), ["format", "notes.txt"]);
}

#[test]
fn a_place_that_is_not_there_is_not_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x");
    for access in [Access::ReadOnly, Access::Member] {
        assert_eq!(refused(&path, access).kind, StateErrorKind::Missing);
        assert_eq!(refused(folder.path(), access).kind, StateErrorKind::Missing);
    }
    assert!(listing(folder.path()).is_empty());
}

#[test]
fn a_state_without_its_format_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    {
        let state = open_folder(folder.path(), Access::ReadWrite).expect("it is begun");
        JournalWriter::create(&state, 1, 0, &streams()).expect("a writer");
    }
    fs::remove_file(folder.path().join("format")).expect("it is there");
    let error = refused(folder.path(), Access::ReadWrite);
    assert_eq!(
        (error.kind, error.name.as_deref()),
        (StateErrorKind::Missing, Some("format"))
    );
}

#[test]
fn a_path_that_is_a_file_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "?").expect("a file");
    for path in [&file, &file.join("below")] {
        for access in [Access::ReadWrite, Access::ReadOnly] {
            assert_eq!(refused(path, access).kind, StateErrorKind::NotAFolder);
        }
    }
    assert_eq!(
        LocalStorage::new("").expect_err("it is refused").kind(),
        io::ErrorKind::InvalidInput
    );
}

#[test]
fn a_folder_that_may_not_be_used_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x");
    fs::create_dir(&path).expect("a folder");
    for mode in [0o000, 0o500] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
        // Who may do everything may do this, too.
        if fs::write(path.join("probe"), "").is_ok() {
            return;
        }
        let error = refused(&path, Access::ReadWrite);
        assert_eq!(error.kind, StateErrorKind::Io(io::ErrorKind::PermissionDenied));
        assert!(
            error
                .to_string()
                .contains("let the user of this process read and write there"),
            "{error}"
        );
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("it is ours");
}

#[test]
fn who_only_reads_writes_nothing_and_needs_no_lock() {
    let storage = MemoryStorage::default();
    let held = open(&storage);
    let state = State::open(Arc::new(storage.clone()), holder(), Access::ReadOnly).expect("it is opened");
    let before = storage.list("").expect("memory lists it");
    let kinds = [
        JournalWriter::create(&state, 1, 0, &streams())
            .expect_err("it is refused")
            .kind,
        put_blob(&state, "x", *b"test", b"").expect_err("it is refused").kind,
    ];
    assert_eq!(kinds, [StateErrorKind::ReadOnly; 2]);
    assert_eq!(storage.list("").expect("memory lists it"), before);
    drop(held);
}

#[test]
fn a_state_is_held_until_the_last_who_uses_it_is_gone() {
    let storage = MemoryStorage::default();
    let state = open(&storage);
    let writer = JournalWriter::create(&state, 1, 0, &streams()).expect("a writer");
    let member = State::open(Arc::new(storage.clone()), holder(), Access::Member).expect("it is of this run");
    drop(state);
    let error = try_open(&storage).expect_err("it is held");
    assert_eq!(error.kind, StateErrorKind::Held);
    drop(writer);
    open(&storage);
    drop(member);
}

#[test]
fn a_folder_is_held_by_one_process_until_it_is_killed() {
    if let Some(folder) = children::folder_of_task("hold") {
        let _held = open_folder(Path::new(&folder), Access::ReadWrite).expect("it is free");
        #[expect(clippy::print_stdout, reason = "the parent waits for it")]
        {
            println!("\nheld");
        }
        loop {
            std::thread::park();
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = children::start(
        "places::a_folder_is_held_by_one_process_until_it_is_killed",
        "hold",
        folder.path(),
        None,
    );
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    assert!(
        lines.map_while(Result::ok).any(|line| line == "held"),
        "the child has it"
    );
    let error = refused(folder.path(), Access::ReadWrite);
    assert_eq!(error.kind, StateErrorKind::Held);
    let words = format!(
        "process {} on {} has used it since 2023-11-14 22:13:20 UTC",
        child.id(),
        holder().host
    );
    assert!(error.to_string().contains(&words), "{error}");
    open_folder(folder.path(), Access::ReadOnly).expect("it can be read");
    // SIGKILL.
    child.kill().expect("it is there");
    child.wait().expect("it is ours");
    let held = open_folder(folder.path(), Access::ReadWrite).expect("it is free");
    let error = refused(folder.path(), Access::ReadWrite);
    assert!(
        error
            .to_string()
            .contains(&format!("process {} on", std::process::id())),
        "{error}"
    );
    drop(held);
    open_folder(folder.path(), Access::ReadWrite).expect("it is free");
}

#[test]
fn names_that_are_none_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let local = LocalStorage::new(folder.path()).expect("a path");
    let objects = objects_in(memory_store());
    for name in [
        "", "/", "/x", "x/", "a//b", "..", "../x", "a/../b", ".", "a/./b", "a\\b", "a\0b", "lock",
    ] {
        for storage in [&local as &dyn Storage, &objects] {
            let mut kinds = vec![storage.put(name, b"").expect_err("it is refused").kind()];
            kinds.push(storage.read(name, None).expect_err("it is refused").kind());
            kinds.push(storage.create(name).expect_err("it is refused").kind());
            kinds.push(storage.delete(name).expect_err("it is refused").kind());
            assert_eq!(kinds, [io::ErrorKind::InvalidInput; 4], "{name:?}");
        }
    }
}

#[test]
fn storages_are_alike() {
    let folder = tempfile::tempdir().expect("a folder");
    let local = LocalStorage::new(folder.path().join("x")).expect("a path");
    let memory = MemoryStorage::default();
    let objects = [memory_store(), folder_store(&folder.path().join("objects"))].map(objects_in);
    for storage in [&local as &dyn Storage, &memory, &objects[0], &objects[1]] {
        let names = |prefix: &str| -> Vec<String> {
            storage
                .list(prefix)
                .expect("it can be listed")
                .into_iter()
                .map(|entry| entry.name)
                .collect()
        };
        assert!(names("").is_empty());
        assert_eq!(storage.any().expect("it can be read"), None);
        assert_eq!(
            storage.read("a", None).expect_err("it is refused").kind(),
            io::ErrorKind::NotFound
        );
        assert_eq!(
            storage.delete("a").expect_err("it is refused").kind(),
            io::ErrorKind::NotFound
        );
        for name in ["b", "a/b", "a/c/d", "ab", "a.b"] {
            storage.put(name, b"before").expect("it is written");
            storage.put(name, b"0123456789").expect("it is written");
        }
        assert_eq!(names(""), ["a.b", "a/b", "a/c/d", "ab", "b"]);
        assert_eq!(names("a"), ["a.b", "a/b", "a/c/d", "ab"]);
        assert_eq!(names("a/"), ["a/b", "a/c/d"]);
        assert_eq!(names("a/c"), ["a/c/d"]);
        assert!(names("x/").is_empty());
        assert!(storage.any().expect("it can be read").is_some());
        for (range, expected) in [
            (0..3, "012"),
            (8..20, "89"),
            (10..12, ""),
            (50..60, ""),
            (0..u64::MAX, "0123456789"),
        ] {
            assert_eq!(
                storage.read("b", Some(range)).expect("it is there"),
                expected.as_bytes()
            );
        }
        assert_eq!(
            storage.create("b").expect_err("it is refused").kind(),
            io::ErrorKind::AlreadyExists
        );
        let mut appender = storage.create("n/e/w").expect("it is new");
        assert_eq!(storage.read("n/e/w", None).expect("it is there"), b"");
        appender.append(b"one").expect("it is written");
        appender.append(b"two").expect("it is written");
        appender.sync().expect("it is written");
        assert_eq!(storage.list("n").expect("it can be listed")[0].bytes, 6);
        storage.delete("n/e/w").expect("it is there");
        assert!(names("n").is_empty());
    }
}

#[test]
fn a_state_is_deleted_with_all_that_is_in_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let begin = || {
        let state = open_folder(folder.path(), Access::ReadWrite).expect("it is begun");
        JournalWriter::create(&state, 0, 0, &streams()).expect("a writer");
        put_blob(&state, "blob", *b"test", b"content").expect("it is put");
        state
    };
    begin().delete().expect("it is deleted");
    // Folders with nothing in them are nothing.
    assert_eq!(listing(folder.path()), ["journal", "lock"]);
    assert_eq!(refused(folder.path(), Access::ReadOnly).kind, StateErrorKind::Missing);
    let state = begin();
    fs::write(folder.path().join("notes.txt"), "?").expect("a file");
    let error = state.delete().expect_err("there is something else");
    assert_eq!(error.kind, StateErrorKind::Foreign);
    assert!(error.to_string().contains("'notes.txt'"), "{error}");
    assert_eq!(
        listing(folder.path()),
        ["blob", "format", "journal", "lock", "notes.txt"]
    );
    let state = open_folder(folder.path(), Access::ReadOnly).expect("it is opened");
    assert_eq!(
        state.delete().expect_err("it is only read").kind,
        StateErrorKind::ReadOnly
    );
}

#[test]
fn who_looks_at_a_lock_is_in_nobodys_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let storage = LocalStorage::new(folder.path()).expect("a path");
    storage.check_free().expect("there is nothing");
    let lock = storage.lock(&holder()).expect("nobody has it");
    assert!(matches!(storage.check_free(), Err(LockError::Held(Some(found))) if found == holder()));
    drop(lock);
    storage.check_free().expect("it was given back");
    let looks = std::thread::spawn(move || {
        for _ in 0..1000 {
            // It is taken and given back meanwhile.
            let _ = storage.check_free();
        }
    });
    let other = LocalStorage::new(folder.path()).expect("a path");
    while !looks.is_finished() {
        drop(other.lock(&holder()).expect("nobody holds it for long"));
    }
    looks.join().expect("it does not panic");
}
