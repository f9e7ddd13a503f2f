//! Files that sources read once.

#[allow(dead_code)]
mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::collected;
use common::files::{csv, json, read, schema, source, text};
use towpath_connectors::files::{FileFormat, FileSource, ReadMode};
use towpath_engine::source::Limits;
use towpath_engine::{ErrorKind, Run, RunOptions, Source as _, runtime};
use towpath_types::{DType, Schema, Value};

#[test]
fn a_file_a_pattern_a_folder() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let root = directory.path();
    fs::create_dir_all(root.join("deep/er")).expect("a folder");
    for (name, row) in [
        ("b.csv", "2,b"),
        ("a.csv", "1,a"),
        ("deep/er/c.csv", "3,c"),
        ("d.txt", "4,d"),
    ] {
        fs::write(root.join(name), format!("a,b\n{row}\n")).expect("a file");
    }
    let check = |path: &str, pattern: Option<&str>, expected: &[&str]| {
        let mut source = source(&root.join(path), csv(), ReadMode::Static, schema());
        if let Some(pattern) = pattern {
            source = source.with_object_pattern(pattern).expect("it is a pattern");
        }
        assert_eq!(read(source, &[0, 1]), expected, "{path} {pattern:?}");
    };
    check("a.csv", None, &["1|a"]);
    check("*.csv", None, &["1|a", "2|b"]);
    check("**/*.csv", None, &["1|a", "2|b", "3|c"]);
    check("", None, &["1|a", "2|b", "4|d", "3|c"]);
    check("", Some("*.csv"), &["1|a", "2|b", "3|c"]);
    check("", Some("deep/*"), &["3|c"]);
    check("no*such", None, &[]);
}

#[test]
fn formats_with_one_column() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("file");
    fs::write(&path, " one \r\n\n\ttwo").expect("a file");
    let check = |format: FileFormat, dtype: DType, expected: &[&str]| {
        let rows = read(
            source(&path, format, ReadMode::Static, Schema::of([("data", dtype)])),
            &[0],
        );
        assert_eq!(rows, expected);
    };
    check(FileFormat::Plaintext, DType::Str, &["one", "", "two"]);
    check(FileFormat::PlaintextByFile, DType::Str, &["one \r\n\n\ttwo"]);
    check(FileFormat::Binary, DType::Bytes, &["\"IG9uZSANCgoJdHdv\""]);
    let wrong = FileSource::new("s", "x", FileFormat::Binary, ReadMode::Static, schema());
    assert!(wrong.is_err());
}

#[test]
fn metadata_comes_last() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("file.jsonl");
    fs::write(&path, "{\"a\":1,\"b\":\"x\"}\n").expect("a file");
    let source = source(&path, json(), ReadMode::Static, schema()).with_metadata();
    assert_eq!(source.columns(), [DType::Int, DType::Str, DType::Json]);
    let (plan, updates) = collected(Arc::new(source), &[2, 0]);
    runtime::run(&plan, RunOptions::default()).expect("the run succeeds");
    let seen = updates.lock();
    let Value::Json(metadata) = &seen[0].2[0] else {
        panic!("{:?} is no metadata", seen[0]);
    };
    assert_eq!(seen[0].2[1], Value::Int(1));
    let number = |name: &str| metadata.get(name).and_then(towpath_types::Json::as_i64);
    let text = |name: &str| metadata.get(name).and_then(towpath_types::Json::as_str);
    assert_eq!(text("path"), Some(path.to_string_lossy().as_ref()));
    assert_eq!(number("size"), Some(16));
    assert!(number("modified_at") > Some(1_500_000_000));
    assert!(number("seen_at") >= number("modified_at"));
    assert!(text("owner").is_some());
}

#[test]
fn only_what_is_read_is_parsed() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("file.csv");
    fs::write(&path, "a,b\nno int,x\n2,y\n").expect("a file");
    assert_eq!(read(source(&path, csv(), ReadMode::Static, schema()), &[1]), ["x", "y"]);
    assert_eq!(read(source(&path, csv(), ReadMode::Static, schema()), &[]), ["", ""]);
    let mut keyed = schema();
    keyed.fields[0].primary_key = true;
    // The key needs the bad field.
    assert_eq!(read(source(&path, csv(), ReadMode::Static, keyed), &[1]), ["y"]);
}

#[test]
fn keys_come_from_the_primary_key_or_from_source_file_and_number() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for name in ["x.jsonl", "y.jsonl"] {
        let path = directory.path().join(name);
        fs::write(path, "{\"a\":1,\"b\":\"x\"}\n{\"a\":1,\"b\":\"x\"}\n").expect("a file");
    }
    let keys = |name: &str, schema: Schema| {
        let path = directory.path().to_string_lossy();
        let source = FileSource::new(name, path, json(), ReadMode::Static, schema).expect("the source is right");
        let (plan, updates) = collected(Arc::new(source), &[0]);
        runtime::run(&plan, RunOptions::default()).expect("the run succeeds");
        updates.lock().iter().map(|(_, key, ..)| *key).collect::<Vec<_>>()
    };
    let first = keys("first", schema());
    assert_eq!(first, keys("first", schema()), "keys do not change");
    let mut all = [first, keys("second", schema())].concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 8, "no two rows have the same key");
    let mut keyed = schema();
    keyed.fields[0].primary_key = true;
    let expected = towpath_types::Key::for_values(&[Value::Int(1)]);
    assert_eq!(
        keys("first", keyed),
        [expected],
        "equal rows of one key are consolidated"
    );
}

#[test]
fn big_files_are_read_across_blocks() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("file.csv");
    let mut content = "a,b\n".to_owned();
    for row in 0..200_000 {
        content += &match row % 1000 {
            0 => format!("{row},\"quoted, \"\"with\"\"\nmore żółć\"\n"),
            _ => format!("{row},text of row {row}\r\n"),
        };
    }
    content += &format!("200000,\"{}\"", "long ".repeat(500_000));
    fs::write(&path, &content).expect("a file");
    let rows = read(source(&path, csv(), ReadMode::Static, schema()), &[0, 1]);
    assert_eq!(rows.len(), 200_001);
    for (row, text) in rows.iter().enumerate() {
        let expected = match (row, row % 1000) {
            (200_000, _) => format!("{row}|{}", "long ".repeat(500_000)),
            (_, 0) => format!("{row}|quoted, \"with\"\nmore żółć"),
            _ => format!("{row}|text of row {row}"),
        };
        assert!(*text == expected, "row {row}");
    }
}

/// Text of several pieces.
fn big_csv() -> String {
    let mut content = "a,b\n".to_owned();
    for row in 0..100_000 {
        content += &match row % 1000 {
            0 => format!("{row},\"quoted, \"\"with\"\"\nmore żółć\"\n"),
            _ => format!("{row},text of row {row}\r\n"),
        };
    }
    content
}

#[test]
fn several_workers_read_the_same_rows_and_keys() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("big.csv"), big_csv()).expect("a file");
    for small in 0..20 {
        let path = directory.path().join(format!("{small}.csv"));
        fs::write(path, format!("a,b\n{small},small\n")).expect("a file");
    }
    let read = |workers: usize| {
        let few = Limits {
            rows: 10_000,
            bytes: 1 << 20,
        };
        let source = source(directory.path(), csv(), ReadMode::Static, schema()).with_limits(few);
        let (plan, updates) = collected(Arc::new(source), &[0, 1]);
        let options = RunOptions {
            workers,
            ..RunOptions::default()
        };
        runtime::run(&plan, options).expect("the run succeeds");
        let seen = updates.lock();
        let mut rows: Vec<_> = seen.iter().map(|(_, key, row, _)| (*key, text(row))).collect();
        rows.sort();
        rows
    };
    let one = read(1);
    assert_eq!(one.len(), 100_020);
    for workers in [2, 5] {
        assert!(read(workers) == one, "{workers} workers");
    }
}

#[test]
fn a_run_that_fails_ends_all_threads_that_read() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for name in 0..3 {
        fs::write(directory.path().join(name.to_string()), big_csv()).expect("a file");
    }
    let few = Limits {
        rows: 10,
        bytes: 1 << 20,
    };
    let source = source(directory.path(), csv(), ReadMode::Static, schema()).with_limits(few);
    let (plan, _) = collected(Arc::new(source), &[0, 1]);
    let options = RunOptions {
        workers: 3,
        ..RunOptions::default()
    };
    let run = Run::start(&plan, options).expect("the run starts");
    run.abort(towpath_engine::EngineError::new(ErrorKind::Runtime, "enough"));
    let error = run
        .wait(Some(Duration::from_secs(10)))
        .expect("the run ends")
        .expect_err("it failed");
    assert_eq!(error.message, "enough");
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_read_ends_the_run() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for name in 0..3 {
        fs::write(directory.path().join(format!("{name}.csv")), big_csv()).expect("a file");
    }
    let socket = directory.path().join("x.csv");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    for workers in [1, 3] {
        let path = directory.path().join("*.csv");
        let (plan, _) = collected(Arc::new(source(&path, csv(), ReadMode::Static, schema())), &[0]);
        let options = RunOptions {
            workers,
            ..RunOptions::default()
        };
        let error = runtime::run(&plan, options).expect_err("a socket is no file");
        let expected = format!("files: cannot read {}", socket.display());
        assert!(error.message.starts_with(&expected), "{}", error.message);
    }
}

#[test]
fn a_missing_file_is_named() {
    let (plan, _) = collected(
        Arc::new(source(Path::new("/nowhere/x.csv"), csv(), ReadMode::Static, schema())),
        &[0],
    );
    let error = runtime::run(&plan, RunOptions::default()).expect_err("there is no such file");
    assert_eq!(error.kind, ErrorKind::Os);
    assert!(
        error
            .message
            .starts_with("files: there is no file or folder /nowhere/x.csv"),
        "{}",
        error.message
    );
}
