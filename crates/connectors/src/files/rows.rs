//! From the cells of records to batches.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_buffer::Buffer;
use towpath_engine::{ErrorKind, Reporter, RowError, SourceQueue};
use towpath_types::{Batch, Cells, Column, Key, Value, hash_columns};
use xxhash_rust::xxh3::xxh3_64;

use super::block::Block;
use super::column::BlockColumn;
use super::numbers::LineNumbers;
use super::{FileSource, ReadMode};
use crate::values::Cell;

/// A batch is made when this many rows have been read, or a block has ended.
const ROWS_A_BATCH: usize = 1 << 16;

/// So many failures of a source are logged one by one; all are in the error log.
const LOGGED: u64 = 1000;

/// Which columns are read and which are passed on.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// The fields of the schema that are read, for somebody or for the key.
    pub(crate) fields: Vec<usize>,
    /// For every column of a batch, its place among `fields`; `None` is the metadata.
    columns: Vec<Option<usize>>,
    /// The places of the primary key among `fields`.
    key: Vec<usize>,
}

impl Layout {
    /// The layout of batches with the source's columns at `positions`.
    pub(crate) fn new(source: &FileSource, positions: &[usize]) -> Self {
        let count = source.schema.fields.len();
        let key = source.schema.primary_key();
        let fields: Vec<usize> = (0..count)
            .filter(|field| positions.contains(field) || key.contains(field))
            .collect();
        let place = |field: &usize| fields.iter().position(|other| other == field);
        Self {
            columns: positions.iter().map(place).collect(),
            key: key.iter().filter_map(place).collect(),
            fields,
        }
    }
}

/// What was wrong in one file, so that reading it again because it has changed does not report it again.
///
/// A reason has no line in it: the records before a bad one may have changed. How often it came up tells whether
/// there is one more.
#[derive(Debug, Default)]
pub(crate) struct Reported {
    before: HashMap<u64, u32>,
    now: HashMap<u64, u32>,
}

impl Reported {
    /// The file is read from its beginning.
    pub(crate) fn begin(&mut self) {
        self.before = std::mem::take(&mut self.now);
    }

    fn is_new(&mut self, reason: &str) -> bool {
        let reason = xxh3_64(reason.as_bytes());
        let now = self.now.entry(reason).or_default();
        *now += 1;
        self.before.get(&reason).is_none_or(|before| *now > *before)
    }
}

/// How often a source has found something wrong, in all threads of a process.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    /// Records that were left out.
    rejected: AtomicU64,
    /// Values that are errors in rows that were kept.
    values: AtomicU64,
    all: AtomicU64,
}

impl Failures {
    /// Logs how many there were, if there were any.
    pub(crate) fn log(&self, source: &str) {
        let rejected = self.rejected.load(Ordering::Relaxed);
        if rejected > 0 {
            tracing::warn!(
                target: "pathway",
                "{source}: {rejected} records could not be read and were left out; the error log has them all"
            );
        }
        let values = self.values.load(Ordering::Relaxed);
        if values > 0 {
            tracing::warn!(
                target: "pathway",
                "{source}: {values} values could not be read and are errors; the error log has them all"
            );
        }
    }
}

/// Where rejected records go.
#[derive(Debug)]
pub(crate) struct Rejections<'a> {
    pub(crate) source: &'a str,
    pub(crate) queue: &'a SourceQueue,
    pub(crate) reporter: &'a Reporter,
    pub(crate) failures: &'a Failures,
    /// Whether another process reads the same and reports it.
    pub(crate) is_silent: bool,
    /// What was reported of this file before; `None` if it is read only once.
    pub(crate) reported: Option<&'a mut Reported>,
}

impl Rejections<'_> {
    fn is_new(&mut self, reason: &str) -> bool {
        !self.is_silent && self.reported.as_mut().is_none_or(|reported| reported.is_new(reason))
    }

    /// Reports a record that is left out; `place` is its file and perhaps line.
    pub(crate) fn reject(&mut self, place: &str, reason: &str) {
        if self.is_new(reason) {
            self.failures.rejected.fetch_add(1, Ordering::Relaxed);
            self.queue.count_rejected(1);
            self.report(&format!("{}: {place}: {reason}", self.source));
        }
    }

    /// Reports a value that is an error in a row that is kept.
    pub(crate) fn value(&mut self, place: &str, reason: &str) {
        if self.is_new(reason) {
            self.failures.values.fetch_add(1, Ordering::Relaxed);
            self.report(&format!("{}: {place}: {reason}; the value is an error", self.source));
        }
    }

    fn report(&mut self, message: &str) {
        let count = self.failures.all.fetch_add(1, Ordering::Relaxed) + 1;
        if count <= LOGGED {
            tracing::error!(target: "pathway", "{message}");
        } else if count == LOGGED + 1 {
            tracing::error!(
                target: "pathway",
                "{}: more than {LOGGED} records could not be read; from now on they are only counted, and put into \
                 pw.global_error_log()",
                self.source
            );
        }
        // Failures of rows at a source never end a run.
        let _ = self.reporter.report(RowError::new(ErrorKind::Value, message));
    }
}

/// Takes the records of one file, or of a piece of it, and makes batches of them.
pub(crate) struct Rows<'a> {
    layout: &'a Layout,
    columns: Vec<BlockColumn>,
    len: usize,
    /// What tells the records at hand from the others of the file.
    names: Vec<u64>,
    naming: Naming,
    seed: u64,
    metadata: Option<Value>,
    path: &'a str,
    rejections: Rejections<'a>,
    /// The present block, and where it begins in the file.
    block: Buffer,
    offset: u64,
    /// A place in the block and the number of its line, from 1, if it is known.
    line: (usize, Option<u64>),
    lines: Option<&'a LineNumbers>,
    batches: Vec<Batch>,
}

/// What tells the records of a file apart.
#[derive(Debug)]
enum Naming {
    /// How many there are before it.
    Ordinal(u64),
    /// Where it begins.
    Offset,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(
        source: &FileSource,
        layout: &'a Layout,
        path: &'a str,
        metadata: Option<Value>,
        rejections: Rejections<'a>,
    ) -> Self {
        let dtype = |field: &usize| BlockColumn::new(&source.schema.fields[*field].dtype);
        let seed = Key::for_values(&[Value::str(&source.key_seed), Value::str(path)]);
        Self {
            columns: layout.fields.iter().map(dtype).collect(),
            layout,
            len: 0,
            names: Vec::new(),
            naming: match source.mode {
                ReadMode::Static => Naming::Offset,
                ReadMode::Streaming(_) => Naming::Ordinal(0),
            },
            seed: (seed.0 >> 64) as u64,
            metadata,
            path,
            rejections,
            block: Buffer::default(),
            offset: 0,
            line: (0, Some(1)),
            lines: None,
            batches: Vec::new(),
        }
    }

    /// Begins anywhere in the file.
    pub(crate) fn of_piece(mut self, lines: &'a LineNumbers) -> Self {
        self.line = (0, None);
        self.lines = Some(lines);
        self
    }

    /// How many records there were, and the number of the line where the next begins; of a file that is followed.
    pub(crate) fn position(&self) -> (u64, u64) {
        match (&self.naming, self.line.1) {
            (Naming::Ordinal(ordinal), Some(line)) => (*ordinal, line),
            (naming, line) => panic!("nobody goes on after {naming:?} in line {line:?}"),
        }
    }

    /// Goes on where another reading of the file has ended.
    pub(crate) fn resume(&mut self, (ordinal, line): (u64, u64)) {
        self.naming = Naming::Ordinal(ordinal);
        self.line = (0, Some(line));
    }

    /// What comes now stands in `block`.
    pub(crate) fn begin_block(&mut self, block: &Block) {
        self.block = block.buffer.clone();
        self.offset = block.offset;
    }

    /// The next block begins after the first `consumed` bytes of this one.
    pub(crate) fn end_block(&mut self, consumed: usize) {
        self.finish_batch();
        if let (_, Some(_)) = self.line {
            self.line = (0, self.line_at(consumed));
            if let (Some(lines), Some(line)) = (self.lines, self.line.1) {
                lines.remember(self.offset + consumed as u64, line);
            }
        }
        self.block = Buffer::default();
    }

    /// Adds the row of a record, which begins at `offset` of the block. The cells are those of the layout's fields.
    #[inline]
    pub(crate) fn push(&mut self, cells: &[Cell], record: &str, offset: usize) {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            column.push(cell, record, offset);
        }
        let name = self.next_name(offset);
        self.names.push(name);
        self.len += 1;
        if self.len >= ROWS_A_BATCH {
            self.finish_batch();
        }
    }

    #[inline]
    fn next_name(&mut self, offset: usize) -> u64 {
        match &mut self.naming {
            Naming::Offset => self.offset + offset as u64,
            Naming::Ordinal(next) => {
                *next += 1;
                *next - 1
            }
        }
    }

    /// Leaves out the record that begins at `offset` of the block.
    #[cold]
    pub(crate) fn reject(&mut self, offset: usize, reason: &str) {
        self.next_name(offset);
        let place = self.place(offset);
        self.rejections.reject(&place, reason);
    }

    /// Reports values that are errors in the row of the record that begins at `offset` of the block.
    #[cold]
    pub(crate) fn report_values(&mut self, offset: usize, reasons: &[String]) {
        let place = self.place(offset);
        for reason in reasons {
            self.rejections.value(&place, reason);
        }
    }

    /// Leaves out the whole file.
    pub(crate) fn reject_file(&mut self, reason: &str) {
        self.rejections.reject(self.path, reason);
    }

    /// Where a record begins, for messages; not before the last one asked for.
    fn place(&mut self, offset: usize) -> String {
        match self.line_at(offset) {
            Some(line) => format!("{}, line {line}", self.path),
            None => format!("{}, byte {}", self.path, self.offset + offset as u64),
        }
    }

    /// The number of the line at a place that is not before the last one asked for.
    fn line_at(&mut self, place: usize) -> Option<u64> {
        let (last, line) = self.line;
        let line = line.or_else(|| self.lines?.at(self.offset + last as u64))?;
        let lines = memchr::memchr_iter(b'\n', &self.block[last..place]).count();
        self.line = (place, Some(line + lines as u64));
        self.line.1
    }

    fn finish_batch(&mut self) {
        let len = std::mem::take(&mut self.len);
        if len == 0 {
            return;
        }
        let columns: Vec<Column> = self
            .columns
            .iter_mut()
            .map(|column| column.finish(&self.block))
            .collect();
        let names = std::mem::take(&mut self.names);
        let keys: Vec<Key> = if self.layout.key.is_empty() {
            names.iter().map(|name| Key::sequence(self.seed, *name)).collect()
        } else {
            let key: Vec<&Column> = self.layout.key.iter().map(|place| &columns[*place]).collect();
            hash_columns(&key, len)
        };
        let columns = self
            .layout
            .columns
            .iter()
            .map(|place| match place {
                Some(place) => columns[*place].clone(),
                None => Column::new(Cells::Any(
                    vec![self.metadata.clone().unwrap_or(Value::None); len].into(),
                )),
            })
            .collect();
        self.batches.push(Batch::new(keys, columns, None));
    }

    /// The batches made since the last call.
    pub(crate) fn take_batches(&mut self) -> Vec<Batch> {
        std::mem::take(&mut self.batches)
    }
}
