//! From the cells of records to batches.

use std::collections::HashMap;

use arrow_buffer::Buffer;
use towpath_engine::{ErrorKind, Reporter, RowError, SourceQueue};
use towpath_types::{Batch, Cells, Column, Key, Value, hash_columns};
use xxhash_rust::xxh3::xxh3_64;

use super::FileSource;
use super::column::BlockColumn;
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

/// How often a source has found something wrong.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    /// Records that were left out.
    pub(crate) rejected: u64,
    /// Values that are errors in rows that were kept.
    pub(crate) values: u64,
}

/// Where rejected records go.
#[derive(Debug)]
pub(crate) struct Rejections<'a> {
    pub(crate) source: &'a str,
    pub(crate) queue: &'a SourceQueue,
    pub(crate) reporter: &'a Reporter,
    pub(crate) failures: &'a mut Failures,
    /// What was reported of this file before; `None` if it is read only once.
    pub(crate) reported: Option<&'a mut Reported>,
}

impl Rejections<'_> {
    fn is_new(&mut self, reason: &str) -> bool {
        self.reported.as_mut().is_none_or(|reported| reported.is_new(reason))
    }

    /// Reports a record that is left out; `place` is its file and perhaps line.
    pub(crate) fn reject(&mut self, place: &str, reason: &str) {
        if self.is_new(reason) {
            self.failures.rejected += 1;
            self.queue.count_rejected(1);
            self.report(&format!("{}: {place}: {reason}", self.source));
        }
    }

    /// Reports a value that is an error in a row that is kept.
    pub(crate) fn value(&mut self, place: &str, reason: &str) {
        if self.is_new(reason) {
            self.failures.values += 1;
            self.report(&format!("{}: {place}: {reason}; the value is an error", self.source));
        }
    }

    fn report(&mut self, message: &str) {
        let count = self.failures.rejected + self.failures.values;
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

/// Takes the records of one file and makes batches of them.
pub(crate) struct Rows<'a> {
    layout: &'a Layout,
    columns: Vec<BlockColumn>,
    len: usize,
    /// The numbers in the file of the records at hand.
    ordinals: Vec<u64>,
    next_ordinal: u64,
    seed: u64,
    metadata: Option<Value>,
    path: &'a str,
    rejections: Rejections<'a>,
    /// The present block.
    block: Buffer,
    /// A place in the block and the number of its line, from 1.
    line: (usize, u64),
    batches: Vec<Batch>,
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
            ordinals: Vec::new(),
            next_ordinal: 0,
            seed: (seed.0 >> 64) as u64,
            metadata,
            path,
            rejections,
            block: Buffer::default(),
            line: (0, 1),
            batches: Vec::new(),
        }
    }

    /// How many records there were, and the number of the line where the next begins.
    pub(crate) fn position(&self) -> (u64, u64) {
        (self.next_ordinal, self.line.1)
    }

    /// Goes on where another reading of the file has ended.
    pub(crate) fn resume(&mut self, (ordinal, line): (u64, u64)) {
        self.next_ordinal = ordinal;
        self.line = (0, line);
    }

    /// What comes now stands in `block`.
    pub(crate) fn begin_block(&mut self, block: &Buffer) {
        self.block = block.clone();
    }

    /// The next block begins after the first `consumed` bytes of this one.
    pub(crate) fn end_block(&mut self, consumed: usize) {
        self.finish_batch();
        let line = self.line_at(consumed);
        self.line = (0, line);
        self.block = Buffer::default();
    }

    /// Adds the row of a record, which begins at `offset` of the block. The cells are those of the layout's fields.
    #[inline]
    pub(crate) fn push(&mut self, cells: &[Cell], record: &str, offset: usize) {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            column.push(cell, record, offset);
        }
        self.ordinals.push(self.next_ordinal);
        self.next_ordinal += 1;
        self.len += 1;
        if self.len >= ROWS_A_BATCH {
            self.finish_batch();
        }
    }

    /// Leaves out the record that begins at `offset` of the block.
    #[cold]
    pub(crate) fn reject(&mut self, offset: usize, reason: &str) {
        self.next_ordinal += 1;
        let line = self.line_at(offset);
        self.rejections.reject(&format!("{}, line {line}", self.path), reason);
    }

    /// Reports values that are errors in the row of the record that begins at `offset` of the block.
    #[cold]
    pub(crate) fn report_values(&mut self, offset: usize, reasons: &[String]) {
        let line = self.line_at(offset);
        let place = format!("{}, line {line}", self.path);
        for reason in reasons {
            self.rejections.value(&place, reason);
        }
    }

    /// Leaves out the whole file.
    pub(crate) fn reject_file(&mut self, reason: &str) {
        self.rejections.reject(self.path, reason);
    }

    /// The number of the line at a place that is not before the last one asked for.
    fn line_at(&mut self, place: usize) -> u64 {
        let (last, line) = self.line;
        let lines = memchr::memchr_iter(b'\n', &self.block[last..place]).count();
        self.line = (place, line + lines as u64);
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
        let ordinals = std::mem::take(&mut self.ordinals);
        let keys: Vec<Key> = if self.layout.key.is_empty() {
            ordinals
                .iter()
                .map(|ordinal| Key::sequence(self.seed, *ordinal))
                .collect()
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
