//! Tests of a folder that is followed: at last its rows are those of reading it from scratch, whatever happens and whenever
//! somebody looks.
//!
//! Time is told to the follower by hand, and nothing waits.

mod cases;
mod logs;
mod tables;

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
        resumption: None,
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
