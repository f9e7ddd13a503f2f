//! Files that sources follow while they change.

#[allow(dead_code)]
mod common;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::collected;
use common::files::{csv, json, read, schema, source, text};
use towpath_connectors::files::{FileFormat, ReadMode};
use towpath_engine::source::ErrorTable;
use towpath_engine::testing::{Collected, collect};
use towpath_engine::{ErrorKind, Run, RunOptions};

/// The rows that are there now, sorted.
fn present(updates: &Collected) -> Vec<String> {
    let mut rows: Vec<(String, i64)> = Vec::new();
    for (_, _, row, diff) in updates.lock().iter() {
        let row = text(row);
        match rows.iter_mut().find(|(other, _)| *other == row) {
            Some((_, count)) => *count += diff,
            None => rows.push((row, *diff)),
        }
    }
    assert!(rows.iter().all(|(_, count)| (0..=1).contains(count)), "{rows:?}");
    rows.retain(|(_, count)| *count > 0);
    let mut rows: Vec<String> = rows.into_iter().map(|(row, _)| row).collect();
    rows.sort();
    rows
}

#[track_caller]
fn wait_for(updates: &Collected, expected: &[&str]) {
    let start = Instant::now();
    while present(updates) != expected {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{:?} instead of {expected:?}",
            present(updates)
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn follow(path: &Path, format: FileFormat) -> (Run, Collected) {
    let mode = ReadMode::Streaming(Some(Duration::from_millis(10)));
    let (plan, updates) = collected(Arc::new(source(path, format, mode, schema())), &[0, 1]);
    (
        Run::start(&plan, RunOptions::default()).expect("the run starts"),
        updates,
    )
}

#[test]
fn new_changed_and_deleted_files_are_followed() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let root = directory.path();
    fs::write(root.join("x.csv"), "a,b\n1,a\n2,b\n").expect("a file");
    let (run, updates) = follow(root, csv());
    wait_for(&updates, &["1|a", "2|b"]);
    fs::write(root.join("y.csv"), "a,b\n3,c\n").expect("a file");
    wait_for(&updates, &["1|a", "2|b", "3|c"]);
    fs::write(root.join("z"), "a,b\n1,A\n4,d\n5,e\n").expect("a file");
    fs::rename(root.join("z"), root.join("x.csv")).expect("it is replaced");
    wait_for(&updates, &["1|A", "3|c", "4|d", "5|e"]);
    fs::remove_file(root.join("y.csv")).expect("it is deleted");
    wait_for(&updates, &["1|A", "4|d", "5|e"]);
    run.stop();
    run.wait(None).expect("the run has ended").expect("the run succeeds");
    // A change is one commit: old and new rows of a key have one time.
    let seen = updates.lock();
    let time = |row: &str, diff: i64| {
        let update = seen
            .iter()
            .rev()
            .find(|(_, _, other, sign)| text(other) == row && *sign == diff);
        update.unwrap_or_else(|| panic!("{row} {diff} is not in {seen:?}")).0
    };
    assert_eq!(time("1|a", -1), time("1|A", 1));
}

#[cfg(unix)]
#[test]
fn what_cannot_be_looked_at_keeps_its_rows() {
    use std::os::unix::fs::symlink;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let root = directory.path().join("root");
    fs::create_dir_all(root.join("deep")).expect("a folder");
    fs::write(root.join("x.csv"), "a,b\n1,x\n").expect("a file");
    fs::write(root.join("deep/y.csv"), "a,b\n2,y\n").expect("a file");
    let (run, updates) = follow(&root, csv());
    wait_for(&updates, &["1|x", "2|y"]);
    // A link to itself is there, and nobody can follow it.
    let circle = directory.path().join("circle");
    symlink(root.join("x.csv"), &circle).expect("a link");
    fs::rename(&circle, root.join("x.csv")).expect("it is replaced");
    fs::rename(root.join("deep"), directory.path().join("away")).expect("it is moved");
    symlink(root.join("deep"), root.join("deep")).expect("a link");
    fs::write(root.join("z.csv"), "a,b\n3,z\n").expect("a file");
    wait_for(&updates, &["1|x", "2|y", "3|z"]);
    fs::remove_file(root.join("x.csv")).expect("it is deleted");
    wait_for(&updates, &["2|y", "3|z"]);
    fs::remove_file(root.join("deep")).expect("it is deleted");
    wait_for(&updates, &["3|z"]);
    run.stop();
    run.wait(None).expect("the run has ended").expect("the run succeeds");
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_read_any_more_keeps_its_rows() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("x.csv");
    fs::write(&path, "a,b\n1,x").expect("a file");
    let (run, updates) = follow(&directory.path().join("*.csv"), csv());
    wait_for(&updates, &["1|x"]);
    let other = directory.path().join("other");
    let socket = std::os::unix::net::UnixListener::bind(&other).expect("a socket");
    fs::rename(&other, &path).expect("it is replaced");
    // Files are looked at in the order of their names: who has seen this one has looked at the socket before.
    fs::write(directory.path().join("y.csv"), "a,b\n3,z\n").expect("a file");
    wait_for(&updates, &["1|x", "3|z"]);
    fs::write(&other, "a,b\n1,x\n2,y\n").expect("a file");
    fs::rename(&other, &path).expect("it is replaced");
    drop(socket);
    wait_for(&updates, &["1|x", "2|y", "3|z"]);
    run.stop();
    run.wait(None).expect("the run has ended").expect("the run succeeds");
    assert_eq!(updates.lock().len(), 3, "nothing was taken back");
}

#[test]
fn half_a_line_waits_for_its_end() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("log.jsonl");
    let (run, updates) = follow(&path, json());
    let mut file = fs::File::create(&path).expect("a file");
    file.write_all(b"{\"a\":1,\"b\":\"x\"}\n{\"a\":2,")
        .expect("it is written");
    wait_for(&updates, &["1|x"]);
    file.write_all(b"\"b\":\"y\"}\n{\"a\":3").expect("it is written");
    wait_for(&updates, &["1|x", "2|y"]);
    file.write_all(b",\"b\":\"z\"}").expect("it is written");
    // Without an end of its line the last row is taken once the file stands still.
    wait_for(&updates, &["1|x", "2|y", "3|z"]);
    file.write_all(b"\n{\"a\":4,\"b\":\"!\"}").expect("it is written");
    run.stop();
    run.wait(None).expect("the run has ended").expect("the run succeeds");
    wait_for(&updates, &["1|x", "2|y", "3|z", "4|!"]);
    let seen = updates.lock();
    assert!(
        seen.iter().all(|(.., diff)| *diff == 1),
        "nothing was taken back: {seen:?}"
    );
}

#[test]
fn a_run_that_fails_ends_a_source_that_follows() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (run, _) = follow(directory.path(), csv());
    run.abort(towpath_engine::EngineError::new(ErrorKind::Runtime, "enough"));
    let error = run
        .wait(Some(Duration::from_secs(10)))
        .expect("the run ends")
        .expect_err("it failed");
    assert_eq!(error.message, "enough");
}

#[test]
fn a_file_that_grows_is_continued_and_one_that_is_rewritten_is_replaced() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("log.csv");
    fs::write(&path, "\u{feff}b,a\nx,1\n").expect("a file");
    let (run, updates) = follow(&path, csv());
    wait_for(&updates, &["1|x"]);
    let mut file = fs::OpenOptions::new().append(true).open(&path).expect("it is there");
    file.write_all(b"y,2\n\"z\n").expect("it is written");
    wait_for(&updates, &["1|x", "2|y"]);
    file.write_all(b"\",3\nbad,row\n").expect("it is written");
    wait_for(&updates, &["1|x", "2|y", "3|z\n"]);
    let growing = updates.lock().len();
    assert_eq!(growing, 3, "nothing was read twice");
    fs::write(&path, "b,a\nx,1\nY,2\nz,3\n and it is longer than before,4\n").expect("it is rewritten");
    wait_for(&updates, &["1|x", "2|Y", "3|z", "4| and it is longer than before"]);
    run.stop();
    run.wait(None).expect("the run has ended").expect("the run succeeds");
}

#[test]
fn a_file_of_the_same_size_and_time_is_read_again() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("x.csv");
    fs::write(&path, "a,b\n1,x\n").expect("a file");
    let time = fs::metadata(&path)
        .and_then(|found| found.modified())
        .expect("a file has a time");
    let (run, capture) = follow(directory.path(), csv());
    wait_for(&capture, &["1|x"]);
    let copy = directory.path().join("x.csv.part");
    let mut file = fs::File::create(&copy).expect("a file");
    file.write_all(b"a,b\n2,y\n").expect("it is written");
    file.set_modified(time).expect("the time is set");
    fs::rename(&copy, &path).expect("it is replaced");
    wait_for(&capture, &["2|y"]);
    // And in place.
    let mut file = fs::OpenOptions::new().write(true).open(&path).expect("it is there");
    file.write_all(b"a,b\n3,z\n").expect("it is written");
    file.set_modified(time).expect("the time is set");
    wait_for(&capture, &["3|z"]);
    run.stop();
    run.wait(None).expect("the run has ended").expect("the run succeeds");
}

#[test]
fn a_named_pipe_in_a_folder_is_left_alone() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let made = std::process::Command::new("mkfifo")
        .arg(directory.path().join("a-pipe.csv"))
        .status();
    assert!(made.expect("there is mkfifo").success());
    fs::write(directory.path().join("b.csv"), "a,b\n1,x\n").expect("a file");
    assert_eq!(
        read(source(directory.path(), csv(), ReadMode::Static, schema()), &[0, 1]),
        ["1|x"]
    );
    let (run, capture) = follow(directory.path(), csv());
    wait_for(&capture, &["1|x"]);
    fs::write(directory.path().join("c.csv"), "a,b\n2,y\n").expect("a file");
    wait_for(&capture, &["1|x", "2|y"]);
    run.stop();
    run.wait(Some(Duration::from_secs(10)))
        .expect("nobody waits for the pipe")
        .expect("the run succeeds");
}

#[test]
fn a_file_that_is_read_again_reports_only_what_is_new() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("x.csv");
    let mode = ReadMode::Streaming(Some(Duration::from_millis(10)));
    let (mut plan, rows) = collected(Arc::new(source(&path, csv(), mode, schema())), &[0, 1]);
    let log = plan.source(Arc::new(ErrorTable), None);
    let message = vec![plan.columns(log)[1]];
    let errors = collect(&mut plan, log, message).expect("the column is visible");
    let run = Run::start(&plan, RunOptions::default()).expect("the run starts");
    let messages = || {
        let seen = errors.lock();
        seen.iter().map(|(_, _, row, _)| text(row)).collect::<Vec<_>>()
    };
    let replace = |content: &str| {
        // At once, so that nobody sees half of it.
        let copy = directory.path().join("copy");
        fs::write(&copy, content).expect("a file");
        fs::rename(&copy, &path).expect("it is replaced");
    };
    replace("a,b\nbad,x\nbad,x\n1,x\n");
    wait_for(&rows, &["1|x"]);
    // A line is put in at the top: the bad ones are the same, on other lines.
    replace("a,b\n2,y\nbad,x\nbad,x\n1,x\n");
    wait_for(&rows, &["1|x", "2|y"]);
    replace("a,b\n3,z\nbad,x\nbad,x\nbad,x\nworse,x\n1,x\n");
    wait_for(&rows, &["1|x", "3|z"]);
    run.stop();
    run.wait(None).expect("the run has ended").expect("the run succeeds");
    let messages = messages();
    assert_eq!(messages.len(), 4, "{messages:?}");
    assert!(messages[2].contains("line 5"), "{messages:?}");
    assert!(messages[3].contains("worse"), "{messages:?}");
}

#[test]
fn a_log_that_grows_line_by_line_stays_one_table() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("log.csv");
    fs::write(&path, "a,b\n").expect("a file");
    let (run, capture) = follow(&path, csv());
    let mut expected = Vec::new();
    for row in 0..40 {
        let mut file = fs::OpenOptions::new().append(true).open(&path).expect("it is there");
        writeln!(file, "{row},x").expect("it is written");
        expected.push(format!("{row}|x"));
        if row % 10 == 0 {
            let mut sorted: Vec<&str> = expected.iter().map(String::as_str).collect();
            sorted.sort_unstable();
            wait_for(&capture, &sorted);
        }
        std::thread::sleep(Duration::from_millis(6));
    }
    fs::remove_file(&path).expect("it is deleted");
    wait_for(&capture, &[]);
    run.stop();
    run.wait(None).expect("the run has ended").expect("the run succeeds");
}
