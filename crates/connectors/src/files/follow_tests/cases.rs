//! What happens to files, one thing at a time.

use super::*;

#[test]
fn half_a_line_waits_and_is_put_right() {
    let (_folder, path) = text_file();
    write(&path, "one\ntw");
    let source = source(&path, FileFormat::Plaintext, false);
    let reader = reader(&source, false, &Arc::default());
    let mut work = Work::new(&reader);
    assert_eq!(work.look_after(0), [(row("one"), 1)]);
    assert_eq!(work.look_after(0), []);
    assert_eq!(work.look_after(1), [(row("tw"), 1)], "it stands still");
    append(&path, "o");
    assert_eq!(work.look_after(0), [], "until it is complete, it is what it was");
    append(&path, " and more\nthree\n");
    let mut changes = work.look_after(0);
    changes.sort();
    assert_eq!(changes, [(row("three"), 1), (row("tw"), -1), (row("two and more"), 1)]);
    append(&path, "four");
    assert_eq!(work.look(true), [(row("four"), 1)], "at the end all is taken");
}

#[test]
fn half_a_line_of_which_nothing_may_be_taken_back_waits_for_its_end() {
    let (_folder, path) = text_file();
    write(&path, "one\ntw");
    let source = source(&path, FileFormat::Plaintext, false).append_only();
    let reader = reader(&source, false, &Arc::default());
    let mut work = Work::new(&reader);
    assert_eq!(work.look_after(0), [(row("one"), 1)]);
    assert_eq!(work.look_after(100), []);
    append(&path, "o\n");
    assert_eq!(work.look_after(0), [(row("two"), 1)]);
    append(&path, "three");
    assert_eq!(work.look_after(100), []);
    assert_eq!(work.look(true), [(row("three"), 1)]);
}

#[test]
fn half_an_object_is_reported_only_when_it_stays_one() {
    let (_folder, path) = text_file();
    write(&path, "{\"a\":\"x\",\"b\":1}\n{\"a\":\"y\",");
    let source = source(&path, FileFormat::JsonLines(Vec::new()), false);
    let log: Arc<Messages> = Arc::default();
    let reader = reader(&source, false, &log);
    let mut work = Work::new(&reader);
    work.look_after(0);
    work.look_after(5);
    assert_eq!(*log.0.lock(), [""; 0], "it may go on");
    append(&path, "\"b\":2}\n{\"a\":");
    work.look_after(5);
    assert_eq!(work.rows().len(), 2);
    work.look_after(5);
    assert_eq!(*log.0.lock(), [""; 0]);
    work.look_after(60);
    work.look_after(60);
    let messages = log.0.lock().clone();
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(messages[0].contains("line 3"), "{messages:?}");
}

#[test]
fn a_change_in_the_middle_is_the_difference() {
    let (_folder, path) = text_file();
    let lines = |changed: usize| -> String {
        let line = |row: usize| {
            if row == changed {
                "changed\n".to_owned()
            } else {
                format!("line {row:05}\n")
            }
        };
        (0..30_000).map(line).collect()
    };
    write(&path, &lines(usize::MAX));
    let source = source(&path, FileFormat::Plaintext, false);
    let reader = reader(&source, false, &Arc::default());
    let mut work = Work::new(&reader);
    assert_eq!(work.look_after(0).len(), 30_000);
    // An editor that writes another file, and one that writes into the same: both as long as before but for one line.
    let other = path.with_extension("new");
    write(&other, &lines(20_000));
    fs::rename(&other, &path).expect("it is replaced");
    assert_eq!(work.look_after(1), [(row("line 20000"), -1), (row("changed"), 1)]);
    write(&path, &lines(10_000).replace("changed\n", "CHANGED and\n"));
    let mut changes = work.look_after(1);
    changes.sort();
    let expected = [
        (row("CHANGED and"), 1),
        (row("changed"), -1),
        (row("line 10000"), -1),
        (row("line 20000"), 1),
    ];
    assert_eq!(changes, expected);
    append(&path, "more\n");
    assert_eq!(work.look_after(1), [(row("more"), 1)]);
}

#[test]
fn a_file_that_is_written_anew_is_the_difference_when_it_is_whole() {
    let (_folder, path) = text_file();
    write(&path, "one\ntwo\nthree");
    let source = source(&path, FileFormat::Plaintext, false);
    let reader = reader(&source, false, &Arc::default());
    let mut work = Work::new(&reader);
    work.look_after(0);
    work.look_after(1);
    assert_eq!(work.rows().len(), 3);
    // Somebody who looks while it is saved sees half of it, and at last there is still no end of the line.
    write(&path, "one\nTW");
    assert_eq!(work.look_after(0), []);
    append(&path, "O\nthree");
    assert_eq!(work.look_after(0), []);
    assert_eq!(work.look_after(1), [(row("two"), -1), (row("TWO"), 1)]);
    // Nobody waits for ever for a writer that never stops within a line.
    write(&path, "1");
    work.look_after(0);
    let mut changes = Vec::new();
    for _ in 0..3 {
        append(&path, "1\n1");
        work.now += Duration::from_millis(600);
        changes.extend(work.look(false));
    }
    assert!(!changes.is_empty());
}

#[test]
fn what_is_not_covered_by_a_hash_is_noticed_unless_the_file_has_grown() {
    let (_folder, path) = text_file();
    let mut text = "a line of text\n".repeat(50_000);
    write(&path, &text);
    let source = source(&path, FileFormat::Plaintext, false);
    let reader = reader(&source, false, &Arc::default());
    let mut work = Work::new(&reader);
    work.look_after(0);
    text.replace_range(300_000..300_001, "A");
    write(&path, &text);
    assert_eq!(
        work.look_after(1),
        [(row("a line of text"), -1), (row("A line of text"), 1)]
    );
    // The documented gap: changed in place, moved nothing, grown as well, and nobody looked between.
    text.replace_range(450_000..450_001, "B");
    text.push_str("more\n");
    write(&path, &text);
    assert_eq!(work.look_after(1), [(row("more"), 1)]);
}

#[test]
fn of_a_log_nothing_is_kept_and_what_happens_to_it_is_reported() {
    let (folder, path) = text_file();
    write(&path, "one\n");
    let source = source(&path, FileFormat::Plaintext, false).append_only();
    let log: Arc<Messages> = Arc::default();
    let reader = reader(&source, false, &log);
    let mut work = Work::new(&reader);
    work.look_after(0);
    let said = |what: &str| {
        let messages = std::mem::take(&mut *log.0.lock());
        assert!(
            messages.len() == 1 && messages[0].contains(what),
            "{messages:?} instead of {what}"
        );
    };
    write(&path, "");
    assert_eq!(work.look_after(1), []);
    said("truncated");
    append(&path, "two\n");
    assert_eq!(work.look_after(1), [(row("two"), 1)]);
    write(&path, "twoo\n");
    assert_eq!(work.look_after(1), [(row("twoo"), 1)]);
    said("rewritten");
    let old = OpenOptions::new().append(true).open(&path).expect("it is there");
    fs::rename(&path, folder.path().join("log.1")).expect("it is renamed");
    write(&path, "four\n");
    (&old).write_all(b"three\n").expect("it is written");
    let mut changes = work.look_after(1);
    changes.sort();
    assert_eq!(
        changes,
        [(row("four"), 1), (row("three"), 1)],
        "the rest of the old file is read"
    );
    assert_eq!(*log.0.lock(), [""; 0], "a renamed file has lost nothing");
    (&old).write_all(b"late\n").expect("it is written");
    assert_eq!(work.look_after(1), [(row("late"), 1)]);
    fs::remove_file(&path).expect("it is deleted");
    assert_eq!(work.look_after(1), []);
    said("deleted");
    write(&path, "five\n");
    assert_eq!(work.look_after(100), [(row("five"), 1)]);
    assert_eq!(work.rows().len(), 7);
    assert!(work.follower.keeps_nothing());
}

#[test]
fn a_line_without_an_end_that_was_taken_and_goes_on_is_reported() {
    let (_folder, path) = text_file();
    write(&path, "{\"a\":\"x\",\"b\":1}");
    let source = source(&path, FileFormat::JsonLines(Vec::new()), false).append_only();
    let log: Arc<Messages> = Arc::default();
    let reader = reader(&source, false, &log);
    let mut work = Work::new(&reader);
    work.look_after(0);
    assert_eq!(work.look_after(1).len(), 1, "no half of an object is one");
    append(&path, "\n{\"a\":\"y\",\"b\":2}");
    assert_eq!(work.look_after(0).len(), 0);
    assert_eq!(work.look_after(1).len(), 1);
    assert_eq!(*log.0.lock(), [""; 0]);
    append(&path, " and more\n");
    assert_eq!(work.look_after(1).len(), 0);
    let messages = log.0.lock().clone();
    assert!(
        messages.iter().any(|message| message.contains("stays as it was")),
        "{messages:?}"
    );
}

#[test]
fn a_record_that_is_too_long_is_reported_once_and_the_rows_before_it_stay() {
    let (_folder, path) = text_file();
    write(&path, "one\ntwo\n");
    let mut source = source(&path, FileFormat::Plaintext, false);
    source.sizes = Sizes {
        block: 64,
        longest: 1000,
    };
    let log: Arc<Messages> = Arc::default();
    let reader = reader(&source, false, &log);
    let mut work = Work::new(&reader);
    work.look_after(0);
    append(&path, &"x".repeat(5000));
    work.look_after(0);
    append(&path, &"x".repeat(5000));
    work.look_after(5);
    append(&path, "\nthree\n");
    work.look_after(5);
    assert_eq!(work.rows(), [row("one"), row("two")]);
    let messages = std::mem::take(&mut *log.0.lock());
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(
        messages[0].contains("line 3") && messages[0].contains(&*path.to_string_lossy()),
        "{messages:?}"
    );
    write(&path, "four\n");
    work.look_after(1);
    assert_eq!(work.rows(), [row("four")], "another file is read");
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read_keeps_its_rows_and_goes_on_later() {
    let (_folder, path) = text_file();
    write(&path, "one\n");
    let source = source(&path, FileFormat::Plaintext, false);
    let log: Arc<Messages> = Arc::default();
    let reader = reader(&source, false, &log);
    let mut work = Work::new(&reader);
    work.look_after(0);
    // A socket, since root may read everything.
    let aside = path.with_extension("aside");
    fs::rename(&path, &aside).expect("it is moved");
    let socket = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
    for _ in 0..3 {
        assert_eq!(work.look_after(1), []);
    }
    let messages = log.0.lock().clone();
    assert_eq!(messages.len(), 1, "once: {messages:?}");
    assert!(messages[0].contains("cannot read"), "{messages:?}");
    drop(socket);
    append(&aside, "two\n");
    fs::rename(&aside, &path).expect("it is back");
    assert_eq!(work.look_after(1), [(row("two"), 1)]);
}

#[test]
fn many_small_steps_take_no_more_memory_than_one() {
    let (_folder, path) = text_file();
    write(&path, "");
    let source = source(&path, FileFormat::Plaintext, false);
    let reader = reader(&source, false, &Arc::default());
    let mut work = Work::new(&reader);
    for step in 0..2000 {
        append(&path, &format!("line {step} with more than twelve bytes\n"));
        assert_eq!(work.look_after(0).len(), 1);
    }
    assert!(
        work.follower.kept_chunks() < 20,
        "{} chunks",
        work.follower.kept_chunks()
    );
    fs::remove_file(&path).expect("it is deleted");
    assert_eq!(work.look_after(0).len(), 2000);
    assert!(work.table.is_empty());
}

#[test]
fn few_files_are_kept_open_and_the_last_to_grow_are() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = |file: usize| folder.path().join(format!("{file:03}"));
    (0..250).for_each(|file| write(&path(file), "one\n"));
    let source = source(folder.path(), FileFormat::Plaintext, false).append_only();
    let reader = reader(&source, false, &Arc::default());
    let mut work = Work::new(&reader);
    assert_eq!(work.look_after(0).len(), 250);
    assert!(work.follower.open_files() <= 100, "{}", work.follower.open_files());
    (60..80).for_each(|file| append(&path(file), "two\n"));
    assert_eq!(work.look_after(1).len(), 20);
    (0..50).for_each(|file| append(&path(file), "two\n"));
    assert_eq!(work.look_after(1).len(), 50);
    let handle = |file: usize| work.follower.known[&path(file)].handle.is_some();
    assert!(handle(49) && work.follower.open_files() <= 100);
}

#[test]
fn owners_are_found_by_path_and_by_file() {
    let folder = TempDir::new().expect("a temporary folder");
    let identity = |name: &str| {
        let path = folder.path().join(name);
        super::super::position::FileIdentity::of(&fs::metadata(path).expect("it is there"))
    };
    write(&folder.path().join("a"), "");
    write(&folder.path().join("b"), "");
    let owners = Some(Arc::new(parking_lot::Mutex::new(HashMap::new())));
    let [one, two] = [0, 1].map(|number| Own {
        number,
        owners: owners.clone(),
        resumption: None,
    });
    let (a, b) = (identity("a"), identity("b"));
    assert!(one.has(Path::new("a"), Some(a)) && !two.has(Path::new("a"), Some(a)));
    assert!(two.has(Path::new("b"), Some(b)));
    // Renamed, and a new file in its place.
    assert!(one.has(Path::new("a.1"), Some(a)) && !two.has(Path::new("a.1"), Some(a)));
    write(&folder.path().join("c"), "");
    assert!(one.has(Path::new("a"), Some(identity("c"))));
}
