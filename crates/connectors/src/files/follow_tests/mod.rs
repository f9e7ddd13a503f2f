//! However files grow, are rewritten, renamed and deleted, and whenever somebody looks: at last the rows are those of
//! reading the folder from scratch. Where nothing may be taken back, they are all that was ever written.
//!
//! Time is told to the follower by hand, and nothing waits.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tempfile::TempDir;
use towpath_engine::testing::take_batches;
use towpath_types::{DType, Key, Schema};

use super::block::Sizes;
use super::follow::{Follower, Own};
use super::followed::{Followed, Look};
use super::position::FilePosition;
use super::reader::FileReader;
use super::reader::tests::{Messages, reader};
use super::{CsvSettings, FileFormat, FileSource, ReadMode};

const STREAMING: ReadMode = ReadMode::Streaming(Some(Duration::from_millis(10)));

fn csv() -> FileFormat {
    FileFormat::Csv(CsvSettings::default())
}

fn source(path: &Path, format: FileFormat, has_key: bool) -> FileSource {
    let mut schema = match &format {
        FileFormat::Csv(_) | FileFormat::JsonLines(_) => Schema::of([("a", DType::Str), ("b", DType::Int)]),
        FileFormat::Binary => Schema::of([("data", DType::Bytes)]),
        _ => Schema::of([("data", DType::Str)]),
    };
    schema.fields[0].primary_key = has_key;
    FileSource::new("s", path.to_string_lossy(), format, STREAMING, schema).expect("the source is right")
}

/// The rows that are there, and how often.
type Table = BTreeMap<(Key, String), i64>;

fn add_all(table: &mut Table, reader: &FileReader) -> Vec<(String, i64)> {
    let mut updates = Vec::new();
    for batch in take_batches(&reader.queue) {
        for row in 0..batch.len() {
            let text = format!("{:?}", batch.row(row));
            updates.push((text.clone(), batch.diff(row)));
            *table.entry((batch.keys()[row], text)).or_default() += batch.diff(row);
        }
    }
    table.retain(|_, count| *count != 0);
    updates
}

fn follower(reader: &FileReader) -> Follower<'_> {
    let own = Own {
        number: 0,
        owners: None,
    };
    Follower::new(reader, own, false)
}

/// A follower at work, with a clock of its own.
struct Work<'a> {
    reader: &'a FileReader,
    follower: Follower<'a>,
    now: Instant,
    table: Table,
}

impl<'a> Work<'a> {
    fn new(reader: &'a FileReader) -> Self {
        Self {
            reader,
            follower: follower(reader),
            now: Instant::now(),
            table: Table::new(),
        }
    }

    /// Looks after some time, and answers what has changed.
    fn look_after(&mut self, seconds: u64) -> Vec<(String, i64)> {
        self.now += Duration::from_secs(seconds);
        self.look(false)
    }

    fn look(&mut self, is_last: bool) -> Vec<(String, i64)> {
        let look = Look { now: self.now, is_last };
        self.follower.look(look).expect("the queue is open");
        add_all(&mut self.table, self.reader)
    }

    fn rows(&self) -> Vec<&str> {
        let mut rows: Vec<&str> = Vec::new();
        for ((_, row), count) in &self.table {
            assert!(*count > 0, "{row} is there {count} times");
            rows.extend((0..*count).map(|_| row.as_str()));
        }
        rows.sort_unstable();
        rows
    }
}

/// What is there when the folder is read for the first time.
fn from_scratch(source: &FileSource) -> Table {
    let reader = reader(source, false, &Arc::default());
    let mut work = Work::new(&reader);
    work.look(true);
    work.table
}

/// Something that happens to one of a few files.
#[derive(Clone, Debug)]
enum Event {
    Append(usize, Vec<u8>),
    /// Cuts off some of the end.
    Shorten(usize, usize),
    /// Writes something else into the same file.
    Rewrite(usize, Vec<u8>),
    /// Writes over a few bytes in the middle.
    Patch(usize, usize, Vec<u8>),
    /// Puts another file in its place.
    Replace(usize, Vec<u8>),
    /// Puts a longer copy in its place.
    ReplaceByLonger(usize, Vec<u8>),
    Rename(usize, usize),
    Delete(usize),
    /// Somebody looks after so many seconds.
    Look(u64),
}

fn event(pieces: impl Strategy<Value = Vec<u8>> + Clone + 'static) -> impl Strategy<Value = Event> {
    let file = 0..3_usize;
    prop_oneof![
        6 => (file.clone(), pieces.clone()).prop_map(|(file, bytes)| Event::Append(file, bytes)),
        1 => (file.clone(), 0..40_usize).prop_map(|(file, bytes)| Event::Shorten(file, bytes)),
        1 => (file.clone(), pieces.clone()).prop_map(|(file, bytes)| Event::Rewrite(file, bytes)),
        1 => (file.clone(), 0..99_usize, prop::collection::vec(prop::sample::select(&b"x,\n\"1"[..]), 1..3))
            .prop_map(|(file, offset, bytes)| Event::Patch(file, offset, bytes)),
        1 => (file.clone(), pieces.clone()).prop_map(|(file, bytes)| Event::Replace(file, bytes)),
        1 => (file.clone(), pieces).prop_map(|(file, bytes)| Event::ReplaceByLonger(file, bytes)),
        1 => (file.clone(), file.clone()).prop_map(|(from, to)| Event::Rename(from, to)),
        1 => file.prop_map(Event::Delete),
        6 => prop::sample::select(&[0, 0, 1, 2, 61][..]).prop_map(Event::Look),
    ]
}

/// Lets something happen; to files that are not there, mostly nothing does.
fn happen(root: &Path, event: &Event, header: &[u8]) -> std::io::Result<()> {
    let path = |file: &usize| root.join(format!("{file}.txt"));
    let aside = root.with_extension("aside");
    match event {
        Event::Append(file, bytes) => {
            let mut file = OpenOptions::new().append(true).create(true).open(path(file))?;
            if file.metadata()?.len() == 0 {
                file.write_all(header)?;
            }
            file.write_all(bytes)
        }
        Event::Shorten(file, bytes) => {
            let file = OpenOptions::new().write(true).open(path(file))?;
            file.set_len(file.metadata()?.len().saturating_sub(*bytes as u64))
        }
        Event::Rewrite(file, bytes) => fs::write(path(file), [header, bytes].concat()),
        Event::Patch(file, offset, bytes) => {
            let mut file = OpenOptions::new().write(true).open(path(file))?;
            let len = file.metadata()?.len() as usize;
            let offset = offset % len.max(1);
            file.seek(SeekFrom::Start(offset as u64))?;
            file.write_all(&bytes[..bytes.len().min(len - offset)])
        }
        Event::Replace(file, bytes) => {
            fs::write(&aside, [header, bytes].concat())?;
            fs::rename(aside, path(file))
        }
        Event::ReplaceByLonger(file, bytes) => {
            fs::write(&aside, [&fs::read(path(file))?, &bytes[..]].concat())?;
            fs::rename(aside, path(file))
        }
        Event::Rename(from, to) => fs::rename(path(from), path(to)),
        Event::Delete(file) => fs::remove_file(path(file)),
        Event::Look(_) => Ok(()),
    }
}

/// Texts that are cut anywhere: within characters, quotes, ends of lines.
fn pieces(tokens: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> + Clone {
    (prop::collection::vec(prop::sample::select(tokens), 0..12), 0..4_usize).prop_map(|(tokens, cut)| {
        let mut bytes = tokens.concat();
        bytes.truncate(bytes.len().saturating_sub(cut));
        bytes
    })
}

const CSV: &[&[u8]] = &[
    b"x,1\n",
    b"y,2\r\n",
    b"y,2\r\n",
    b"\"a \"\"quoted\"\"\nfield\",3\n",
    "\u{1f600} żółć,4\n".as_bytes(),
    b"x,1",
    b"bad,row\n",
    b"\n",
    b"\xff,5\n",
    b"a row that is longer than a block,6\n",
];

const JSON: &[&[u8]] = &[
    b"{\"a\":\"x\",\"b\":1}\n",
    b"{\"a\":\"y\",\"b\":2}\r\n",
    "{\"a\":\"\u{1f600} żółć\",\"b\":3}\n".as_bytes(),
    b"{\"a\":\"x\",\"b\":1}",
    b"{\"a\":\"y\",",
    b"not json\n",
    b"\n",
];

const TEXT: &[&[u8]] = &[
    b"x\n",
    b"y\r\n",
    "\u{1f600} żółć\n".as_bytes(),
    b"half",
    b"\n",
    b" spaced \n",
    b"\xff\n",
];

/// The law, for one source.
fn check(format: FileFormat, has_key: bool, with_metadata: bool, block: usize, header: &[u8], events: &[Event]) {
    let folder = TempDir::new().expect("a temporary folder");
    let root = folder.path().join("root");
    fs::create_dir(&root).expect("a folder");
    let mut source = source(&root, format, has_key);
    source.sizes = Sizes { block, ..Sizes::USUAL };
    if with_metadata {
        source = source.with_metadata();
    }
    let reader = reader(&source, false, &Arc::default());
    let mut work = Work::new(&reader);
    for event in events {
        let _ = happen(&root, event, header);
        if let Event::Look(seconds) = event {
            work.look_after(*seconds);
            let is_table = work.table.values().all(|count| *count > 0);
            assert!(is_table, "a row was taken back that was not there: {:?}", work.table);
        }
    }
    work.look(true);
    if with_metadata {
        // When the file was seen differs.
        assert_eq!(work.table.len(), from_scratch(&source).len());
    } else {
        assert_eq!(work.table, from_scratch(&source));
    }
}

const HEADERS: &[&[u8]] = &[
    b"a,b\n",
    b"\xef\xbb\xbfb,a\r\n",
    b"\n\"a\",c,b\n",
    b"a,\"b",
    b"a,c\n",
    b"",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn csv_is_followed(
        has_key: bool,
        with_metadata in prop::bool::weighted(0.2),
        block in 1..80_usize,
        header in prop::sample::select(HEADERS),
        events in prop::collection::vec(event(pieces(CSV)), 0..40),
    ) {
        check(csv(), has_key, with_metadata, block, header, &events);
    }

    #[test]
    fn json_is_followed(
        has_key: bool,
        block in 1..80_usize,
        events in prop::collection::vec(event(pieces(JSON)), 0..40),
    ) {
        check(FileFormat::JsonLines(Vec::new()), has_key, false, block, b"", &events);
    }

    #[test]
    fn text_is_followed(
        has_key: bool,
        format in prop::sample::select(vec![FileFormat::Plaintext, FileFormat::PlaintextByFile, FileFormat::Binary]),
        block in 1..80_usize,
        events in prop::collection::vec(event(pieces(TEXT)), 0..40),
    ) {
        check(format, has_key, false, block, b"", &events);
    }
}

/// Something that happens to a log of which nothing is taken back.
#[derive(Clone, Debug)]
enum LogEvent {
    /// Somebody writes to the newest file, or to one that was the newest so many rotations ago.
    Write(usize, Vec<u8>),
    /// It gets another name, within the folder or not, and a new file its own.
    Rotate {
        stays: bool,
    },
    /// All is copied, and the file cut to nothing.
    CopyAndTruncate,
    /// A copy with the same content is put in its place.
    Copy,
    Look(u64),
    /// The program is started again, with the positions it had.
    Restart,
}

fn log_event(pieces: impl Strategy<Value = Vec<u8>> + 'static) -> impl Strategy<Value = LogEvent> {
    prop_oneof![
        8 => (prop::sample::select(&[0, 0, 0, 1][..]), pieces).prop_map(|(age, bytes)| LogEvent::Write(age, bytes)),
        1 => any::<bool>().prop_map(|stays| LogEvent::Rotate { stays }),
        1 => Just(LogEvent::CopyAndTruncate),
        1 => Just(LogEvent::Copy),
        5 => prop::sample::select(&[0, 1, 2][..]).prop_map(LogEvent::Look),
        1 => Just(LogEvent::Restart),
    ]
}

/// A log, and all that was ever written to each of its files.
struct Log {
    path: PathBuf,
    open: Vec<(File, Vec<u8>)>,
    /// Which of them were cut to nothing and are the next ones now.
    cut: Vec<usize>,
}

impl Log {
    fn open(path: &Path) -> File {
        let options = OpenOptions::new().append(true).create(true).open(path);
        options.expect("the log can be opened")
    }

    fn begin(&mut self) {
        self.open.push((Self::open(&self.path), Vec::new()));
    }
}

fn check_log(format: FileFormat, block: usize, header: &[u8], events: &[LogEvent]) {
    let folder = TempDir::new().expect("a temporary folder");
    let root = folder.path().join("root");
    fs::create_dir(&root).expect("a folder");
    let mut source = source(&root, format.clone(), false).append_only();
    source.sizes = Sizes { block, ..Sizes::USUAL };
    let reader = reader(&source, false, &Arc::default());
    let mut work = Work::new(&reader);
    let mut log = Log {
        path: root.join("log"),
        open: Vec::new(),
        cut: Vec::new(),
    };
    log.begin();
    for event in events {
        let newest = log.open.len() - 1;
        match event {
            LogEvent::Write(age, bytes) => {
                let number = newest.saturating_sub(*age);
                let number = if log.cut.contains(&number) { newest } else { number };
                let (file, written) = &mut log.open[number];
                // An object may be taken before its line has an end, and then the line must not go on.
                let is_object = matches!(format, FileFormat::JsonLines(_)) && written.trim_ascii_end().ends_with(b"}");
                let before = match written.last() {
                    None => header,
                    Some(last) if is_object && *last != b'\n' => b"\n",
                    Some(_) => b"",
                };
                let bytes = [before, bytes].concat();
                file.write_all(&bytes).expect("it is written");
                written.extend(bytes);
            }
            // What was never seen before it left is lost, and so is what is cut off.
            LogEvent::Rotate { stays } => {
                work.look_after(0);
                let to = if *stays { &root } else { folder.path() };
                fs::rename(&log.path, to.join(format!("log.{newest}"))).expect("it is renamed");
                log.begin();
                work.look_after(0);
            }
            LogEvent::CopyAndTruncate => {
                let (file, written) = &mut log.open[newest];
                // A record that has not come to its end is lost with it.
                if !written.is_empty() {
                    file.write_all(b"\n").expect("it is written");
                    written.push(b'\n');
                }
                if written.iter().filter(|byte| **byte == b'"').count() % 2 == 1 {
                    continue;
                }
                work.look_after(0);
                file.set_len(0).expect("it is cut");
                let copy = file.try_clone().expect("it is open");
                log.open.push((copy, Vec::new()));
                log.cut.push(newest);
                work.look_after(0);
            }
            LogEvent::Copy => {
                let aside = folder.path().join("aside");
                fs::copy(&log.path, &aside).expect("it is copied");
                work.look_after(0);
                fs::rename(&aside, &log.path).expect("it is replaced");
                log.open[newest].0 = Log::open(&log.path);
                work.look_after(0);
            }
            LogEvent::Look(seconds) => {
                let changes = work.look_after(*seconds);
                assert!(changes.iter().all(|(_, diff)| *diff == 1), "{changes:?}");
            }
            LogEvent::Restart => {
                // What has left is followed only as long as the program runs.
                work.look_after(0);
                work.follower.restart();
            }
        }
    }
    work.look(true);
    assert!(
        work.table.values().all(|count| *count == 1),
        "keys are unique: {:?}",
        work.table
    );
    // Each of the files, as if it had been left alone.
    let mut expected = Vec::new();
    for (number, (_, written)) in log.open.iter().enumerate() {
        let path = folder.path().join(format!("whole.{number}"));
        fs::write(&path, written).expect("a file");
        let source = FileSource {
            is_append_only: false,
            ..self::source(&path, format.clone(), false)
        };
        expected.extend(from_scratch(&source).into_keys().map(|(_, row)| row));
    }
    expected.sort();
    assert_eq!(work.rows(), expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn a_log_in_csv_loses_and_repeats_nothing(
        block in 1..80_usize,
        events in prop::collection::vec(log_event(pieces(CSV)), 0..40),
    ) {
        check_log(csv(), block, b"a,b\n", &events);
    }

    #[test]
    fn a_log_in_json_loses_and_repeats_nothing(
        block in 1..80_usize,
        events in prop::collection::vec(log_event(pieces(JSON)), 0..40),
    ) {
        check_log(FileFormat::JsonLines(Vec::new()), block, b"", &events);
    }

    #[test]
    fn a_log_in_plain_text_loses_and_repeats_nothing(
        block in 1..80_usize,
        events in prop::collection::vec(log_event(pieces(TEXT)), 0..40),
    ) {
        check_log(FileFormat::Plaintext, block, b"", &events);
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("a file");
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).open(path).expect("it is there");
    file.write_all(text.as_bytes()).expect("it is written");
}

fn text_file() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("log");
    (folder, path)
}

fn row(text: &str) -> String {
    format!("[Str({text:?})]")
}

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

impl Follower<'_> {
    fn open_files(&self) -> usize {
        self.known.values().filter(|known| known.handle.is_some()).count()
    }

    /// As if the program had ended, and a new one were given the positions as they were written down.
    fn restart(&mut self) {
        for known in self.known.values_mut() {
            let text = serde_json::to_string(&known.position).expect("a position can be written");
            let position: FilePosition = serde_json::from_str(&text).expect("and read");
            let handle = known.handle.take();
            *known = Followed::at(position, Instant::now());
            known.handle = handle;
        }
    }

    fn keeps_nothing(&self) -> bool {
        self.known.values().all(|known| known.kept.is_empty())
    }

    fn kept_chunks(&self) -> usize {
        self.known.values().map(|known| known.kept.chunks()).sum()
    }
}

#[test]
fn owners_are_found_by_path_and_by_file() {
    let folder = TempDir::new().expect("a temporary folder");
    let identity = |name: &str| {
        let path = folder.path().join(name);
        super::position::FileIdentity::of(&fs::metadata(path).expect("it is there"))
    };
    write(&folder.path().join("a"), "");
    write(&folder.path().join("b"), "");
    let owners = Some(Arc::new(parking_lot::Mutex::new(HashMap::new())));
    let [one, two] = [0, 1].map(|number| Own {
        number,
        owners: owners.clone(),
    });
    let (a, b) = (identity("a"), identity("b"));
    assert!(one.has(Path::new("a"), Some(a)) && !two.has(Path::new("a"), Some(a)));
    assert!(two.has(Path::new("b"), Some(b)));
    // Renamed, and a new file in its place.
    assert!(one.has(Path::new("a.1"), Some(a)) && !two.has(Path::new("a.1"), Some(a)));
    write(&folder.path().join("c"), "");
    assert!(one.has(Path::new("a"), Some(identity("c"))));
}
