//! However files are divided among threads and processes, the same rows are read, with the same keys, and the same
//! records are rejected with the same messages.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use towpath_types::{DType, Key, Schema};

use super::reader::tests::{Messages, reader};
use super::work::{Entry, Work};
use super::{CsvSettings, FileFormat, FileSource, ReadMode};

/// What was read, in an order that does not depend on who read it.
#[derive(Debug, PartialEq)]
struct Reading {
    rows: Vec<(Key, String)>,
    messages: Vec<String>,
}

impl Reading {
    fn new(mut rows: Vec<(Key, String)>, log: &Messages) -> Self {
        let mut messages = log.0.lock().clone();
        rows.sort();
        messages.sort();
        Self { rows, messages }
    }
}

fn add(rows: &mut Vec<(Key, String)>, batch: &towpath_types::Batch) {
    rows.extend((0..batch.len()).map(|row| (batch.keys()[row], format!("{:?}", batch.row(row)))));
}

/// One thread reads one file after the other.
fn read_whole(source: &FileSource, keeps_bad_rows: bool) -> Reading {
    let log = Arc::default();
    let reader = reader(source, keeps_bad_rows, &log);
    let mut rows = Vec::new();
    for file in source.location.list().found {
        let send = |batch| {
            add(&mut rows, &batch);
            Ok(())
        };
        reader
            .read_file(&reader.named(&file), send)
            .expect("the file can be read");
    }
    Reading::new(rows, &log)
}

/// So many processes with so many threads each take turns. Also answers how many threads had something to read.
fn read_divided(source: &FileSource, keeps_bad_rows: bool, processes: usize, threads: usize) -> (Reading, usize) {
    let log = Arc::default();
    let mut rows = Vec::new();
    let mut busy = 0;
    let entries: Vec<Entry> = source.entries(&source.location.list().found, 0);
    for process in 0..processes {
        let texts: Vec<String> = entries.iter().map(Entry::to_text).collect();
        let heard: Vec<Entry> = texts.iter().filter_map(|text| Entry::from_text(text)).collect();
        assert_eq!(heard, entries, "a process hears what another one says");
        let work = Work::new(heard, source.cut(), (process, processes));
        let mut team: Vec<_> = (0..threads)
            .map(|_| (reader(source, keeps_bad_rows, &log), None, 0))
            .collect();
        let mut goes_on = true;
        while goes_on {
            goes_on = false;
            for (reader, parser, count) in &mut team {
                let send = |batch| {
                    add(&mut rows, &batch);
                    Ok(())
                };
                let has_read = reader.read_next(&work, parser, send).expect("the files can be read");
                *count += usize::from(has_read);
                goes_on |= has_read;
            }
        }
        busy += team.iter().filter(|(.., count)| *count > 0).count();
    }
    (Reading::new(rows, &log), busy)
}

fn source(path: &Path, format: FileFormat, piece_bytes: u64) -> FileSource {
    let schema = match &format {
        FileFormat::Csv(_) | FileFormat::JsonLines(_) => Schema::of([("a", DType::Str), ("b", DType::Int)]),
        _ => Schema::of([("data", DType::Str)]),
    };
    let source = FileSource::new("s", path.to_string_lossy(), format, ReadMode::Static, schema);
    FileSource {
        piece_bytes,
        ..source.expect("the source is right")
    }
}

fn pieces_of(tokens: &'static [&'static [u8]], length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(tokens), 0..length).prop_map(|tokens| tokens.concat())
}

fn csv_text() -> impl Strategy<Value = Vec<u8>> {
    const HEADERS: &[&[u8]] = &[
        b"a,b\n",
        b"a,b\n",
        b"a;b\n",
        b"\xef\xbb\xbfb,a\r\n",
        b"\r\n\n\"a\",\"b\"\n",
        b"'a','b'\n",
        b"\"x\ny\",a,b\r",
        b"#,\"\na,b\n",
        b"\xff\na,b\n",
        b"a,c\n",
        b"a,\"",
        b"",
    ];
    const TOKENS: &[&[u8]] = &[
        b"a",
        b"1",
        b"12",
        b",",
        b",",
        b"\n",
        b"\n",
        b"\r\n",
        b"\r",
        b"\"",
        b"\"\"",
        b"\n\"",
        b",\"",
        b"\",",
        b"\"\n",
        b"\"a\n,\"\"b\",1\n",
        b"x,1\n",
        b"y,2\r\n",
        b"y;2\n",
        b"'",
        b"''",
        b";",
        b"#",
        b"\\",
        "ż".as_bytes(),
        "\u{1f600}".as_bytes(),
        b"\xff",
        b"a record that is longer than some pieces and ends somewhere",
    ];
    (prop::sample::select(HEADERS), pieces_of(TOKENS, 60)).prop_map(|(header, rest)| [header, &rest].concat())
}

fn line_text() -> impl Strategy<Value = Vec<u8>> {
    const TOKENS: &[&[u8]] = &[
        b"\n",
        b"\n",
        b"\n\n",
        b"\r\n",
        b" ",
        b"{\"a\":\"x\",\"b\":1}\n",
        b"{\"a\":\"x\",\"b\":1}",
        b"{\"a\":\"\\u017c\\n\",\"b\":2}\r\n",
        b"{\"a\":\"x\",\"b\":\"y\"}\n",
        "{\"b\":3,\"a\":\"ż\u{1f600}\"}\n".as_bytes(),
        b"{\"a\":",
        b"\xff",
        b"\xef\xbb\xbf",
        "ż".as_bytes(),
        b"a record that is longer than some pieces and ends somewhere",
    ];
    pieces_of(TOKENS, 40)
}

fn settings() -> impl Strategy<Value = CsvSettings> {
    let plain = CsvSettings::default;
    prop_oneof![
        4 => Just(plain()),
        1 => Just(CsvSettings { double_quote_escapes: false, ..plain() }),
        1 => Just(CsvSettings { quoting: false, ..plain() }),
        1 => Just(CsvSettings { quoting: false, comment_character: Some(b'#'), escape: Some(b'\\'), ..plain() }),
        1 => Just(CsvSettings { delimiter: b';', quote: b'\'', ..plain() }),
        1 => Just(CsvSettings { escape: Some(b'\\'), ..plain() }),
        1 => Just(CsvSettings { comment_character: Some(b'#'), ..plain() }),
    ]
}

fn formats() -> impl Strategy<Value = (FileFormat, Vec<Vec<u8>>)> {
    let some = 1..4;
    prop_oneof![
        6 => (settings().prop_map(FileFormat::Csv), prop::collection::vec(csv_text(), some.clone())),
        2 => (Just(FileFormat::JsonLines(Vec::new())), prop::collection::vec(line_text(), some.clone())),
        2 => (Just(FileFormat::Plaintext), prop::collection::vec(line_text(), some.clone())),
        1 => (Just(FileFormat::PlaintextByFile), prop::collection::vec(line_text(), some)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    #[test]
    fn all_ways_to_divide_files_read_the_same(
        (format, contents) in formats(),
        piece_bytes in prop_oneof![1..8_u64, 1..64_u64, 1..400_u64],
        processes in 1..4_usize,
        threads in 1..5_usize,
        has_key in any::<bool>(),
        keeps_bad_rows in any::<bool>(),
        with_metadata in any::<bool>(),
    ) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for (number, content) in contents.iter().enumerate() {
            fs::write(directory.path().join(format!("file{number}")), content).expect("a file");
        }
        let mut source = source(directory.path(), format, piece_bytes);
        source.with_metadata = with_metadata;
        source.schema.fields[0].primary_key = has_key;
        let whole = read_whole(&source, keeps_bad_rows);
        let (divided, _) = read_divided(&source, keeps_bad_rows, processes, threads);
        prop_assert_eq!(&divided, &whole);
        if !has_key {
            prop_assert!(whole.rows.windows(2).all(|rows| rows[0].0 != rows[1].0), "keys are unique: {:?}", whole);
        }
    }
}

/// The files of the size they have in practice; without this the law above might hold because nothing is divided.
#[test]
fn big_files_are_shared() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (mut csv, mut json) = ("a,b\n".to_owned(), String::new());
    for row in 0..30_000 {
        let _ = match row % 100 {
            0 => writeln!(csv, "\"quoted, \"\"with\"\"\nmore żółć\",{row}"),
            1 => writeln!(csv, "no number,x{row}"),
            _ => writeln!(csv, "row {row},{row}"),
        };
        let _ = writeln!(json, "{{\"a\": \"row {row}\", \"b\": {row}}}");
    }
    let formats = [
        (FileFormat::Csv(CsvSettings::default()), csv),
        (FileFormat::JsonLines(Vec::new()), json.clone()),
        (FileFormat::Plaintext, json),
    ];
    for (format, content) in formats {
        let path = directory.path().join("file");
        fs::write(&path, &content).expect("a file");
        let source = source(&path, format, 1 << 14);
        let whole = read_whole(&source, false);
        assert!(whole.rows.len() > 29_000);
        for (processes, threads) in [(1, 1), (1, 4), (3, 1), (2, 2)] {
            let (divided, busy) = read_divided(&source, false, processes, threads);
            assert!(divided == whole, "{processes} processes, {threads} threads");
            assert_eq!(busy, processes * threads, "all threads have something to read");
        }
    }
}

#[test]
fn a_long_record_is_one_record() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("file");
    let long = "long, long\n".repeat(100_000);
    fs::write(&path, format!("a,b\nx,1\n\"{long}\",2\ny,3\n\"{long}")).expect("a file");
    let source = source(&path, FileFormat::Csv(CsvSettings::default()), 1000);
    let whole = read_whole(&source, false);
    assert_eq!((whole.rows.len(), whole.messages.len()), (3, 1));
    assert!(
        whole.messages[0].contains("line 100005: a quote is opened and never closed"),
        "{whole:?}"
    );
    for (processes, threads) in [(1, 2), (3, 1)] {
        assert_eq!(read_divided(&source, false, processes, threads).0, whole);
    }
}

#[test]
fn a_file_that_has_become_shorter_is_named() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("file");
    fs::write(&path, "line\n".repeat(100)).expect("a file");
    let source = source(&path, FileFormat::Plaintext, 100);
    let entries = source.entries(&source.location.list().found, 0);
    fs::write(&path, "line\n".repeat(50)).expect("a file");
    let log = Arc::default();
    let reader = reader(&source, false, &log);
    let work = Work::new(entries, source.cut(), (0, 1));
    let mut parser = None;
    let error = loop {
        match reader.read_next(&work, &mut parser, |_| Ok(())) {
            Ok(goes_on) => assert!(goes_on, "it is an error"),
            Err(error) => break error,
        }
    };
    assert!(error.message.contains("s: cannot read "), "{}", error.message);
    assert!(error.message.contains("it is shorter than it was"), "{}", error.message);
    let goes_on = reader.read_next(&work, &mut parser, |_| Ok(()));
    assert!(!goes_on.expect("nothing is left"), "the others end");
}

#[cfg(unix)]
#[test]
fn names_that_are_no_text_and_pipes() {
    use std::os::unix::ffi::OsStrExt as _;
    let name = std::ffi::OsStr::from_bytes(b"x\xff.txt");
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join(name), "line\n".repeat(100)).expect("a file");
    let folder = source(directory.path(), FileFormat::Plaintext, 100);
    let (reading, busy) = read_divided(&folder, false, 2, 2);
    assert_eq!((reading.rows.len(), busy), (100, 4));
    let device = source(Path::new("/dev/null"), FileFormat::Plaintext, 1);
    let (_, busy) = read_divided(&device, false, 2, 2);
    assert_eq!(busy, 1, "it is read by one");
}

#[test]
fn the_workers_of_the_first_process_follow_a_folder() {
    use towpath_engine::Source as _;
    use towpath_engine::source::{Division, Readers, Team};

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.txt");
    fs::write(&file, "a\n").expect("the file is written");
    let team = Team {
        processes: 2,
        threads: 3,
    };
    let source = |path: &Path, schema: Schema| {
        let (path, mode) = (path.to_string_lossy(), ReadMode::Streaming(None));
        FileSource::new("files", path, FileFormat::Plaintext, mode, schema).expect("the settings are right")
    };
    let plain = || Schema::of([("data", DType::Str)]);
    let divided = Division {
        streams: 3,
        readers: Readers::FirstProcess,
        manifest: Vec::new(),
        former: 0,
    };
    let readers: Vec<_> = (0..3).map(|stream| divided.reader(stream, team)).collect();
    assert_eq!(readers, [(0, 0), (0, 1), (0, 2)]);
    let missing = folder.path().join("later");
    for (path, expected) in [
        (folder.path(), &divided),
        (missing.as_path(), &divided),
        (file.as_path(), &Division::whole()),
    ] {
        let division = source(path, plain()).divide(team).expect("it can be divided");
        assert_eq!(&division, expected, "{}", path.display());
    }
    let mut keyed = plain();
    keyed.fields[0].primary_key = true;
    let division = source(folder.path(), keyed).divide(team).expect("it can be divided");
    assert_eq!(division, Division::whole(), "rows may move from file to file");
}
