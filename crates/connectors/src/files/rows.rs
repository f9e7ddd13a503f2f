//! From the cells of records to batches.

use std::io;

use arrow_buffer::Buffer;
use towpath_types::{Batch, Cells, Column, Key, Value, hash_columns};

use super::block::Block;
use super::column::BlockColumn;
use super::declared::{FileSource, ReadMode};
use super::failures::Rejections;
use super::numbers::LineNumbers;
use super::position::KeyOrigin;
use crate::values::Cell;

/// A batch is made when this many rows have been read, or a block has ended.
const ROWS_A_BATCH: usize = 1 << 16;

/// Which columns are read and which are passed on.
#[derive(Clone, Debug)]
pub(crate) struct Projection {
    /// The fields of the schema that are read, for somebody or for the key.
    pub(crate) fields: Vec<usize>,
    /// For every column of a batch, its position among `fields`; `None` is the metadata.
    columns: Vec<Option<usize>>,
    /// The positions of the primary key among `fields`.
    key: Vec<usize>,
}

/// Rows of one file in the order in which they stand there, without their keys.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    /// What tells them from the others of the file, ascending.
    pub(crate) names: Vec<u64>,
    /// The columns of the projection's fields.
    pub(crate) columns: Vec<Column>,
}

impl Records {
    /// A hash of the cells of a row.
    pub(crate) fn hash(&self, row: usize) -> u64 {
        let cells: Vec<Column> = self.columns.iter().map(|column| column.slice(row, 1)).collect();
        hash_columns(&cells.iter().collect::<Vec<_>>(), 1)[0].0 as u64
    }

    /// Those after the first few.
    pub(crate) fn after(&self, rows: usize) -> Self {
        let len = self.names.len() - rows;
        Self {
            names: self.names[rows..].to_vec(),
            columns: self.columns.iter().map(|column| column.slice(rows, len)).collect(),
        }
    }
}

/// What the rows of a file have in common: with it, records become updates.
#[derive(Clone, Debug)]
pub(crate) struct Stamping<'a> {
    projection: &'a Projection,
    seed: u64,
    metadata: Option<Value>,
}

impl<'a> Stamping<'a> {
    pub(crate) fn new(
        source: &FileSource,
        projection: &'a Projection,
        origin: &KeyOrigin,
        metadata: Option<Value>,
    ) -> Self {
        let mut seed = vec![Value::str(&source.key_seed), Value::str(&origin.path)];
        if origin.generation > 0 {
            seed.push(Value::Int(origin.generation.into()));
        }
        Self {
            projection,
            seed: (Key::for_values(&seed).0 >> 64) as u64,
            metadata,
        }
    }

    /// The rows, with their keys and the columns that are passed on.
    pub(crate) fn batch(&self, records: &Records) -> Batch {
        let len = records.names.len();
        let keys: Vec<Key> = if self.projection.key.is_empty() {
            let key = |name: &u64| Key::sequence(self.seed, *name);
            records.names.iter().map(key).collect()
        } else {
            let key: Vec<&Column> = self
                .projection
                .key
                .iter()
                .map(|position| &records.columns[*position])
                .collect();
            hash_columns(&key, len)
        };
        let metadata = || self.metadata.clone().unwrap_or(Value::None);
        let columns = self.projection.columns.iter().map(|position| match position {
            Some(position) => records.columns[*position].clone(),
            None => Column::new(Cells::Any(vec![metadata(); len].into())),
        });
        Batch::new(keys, columns.collect(), None)
    }
}

impl Projection {
    /// The projection of batches with the source's columns at `positions`.
    pub(crate) fn new(source: &FileSource, positions: &[usize]) -> Self {
        let count = source.schema.fields.len();
        let key = source.schema.primary_key();
        let fields: Vec<usize> = (0..count)
            .filter(|field| positions.contains(field) || key.contains(field))
            .collect();
        let position = |field: &usize| fields.iter().position(|other| other == field);
        Self {
            columns: positions.iter().map(position).collect(),
            key: key.iter().filter_map(position).collect(),
            fields,
        }
    }

    /// Whether rows say of which file they are.
    pub(crate) fn has_metadata(&self) -> bool {
        self.columns.contains(&None)
    }
}

/// Takes the records of one file, or of a piece of it, and makes batches of them.
pub(crate) struct RowBuilder<'a> {
    stamping: Stamping<'a>,
    columns: Vec<BlockColumn>,
    len: usize,
    /// What tells the records at hand from the others of the file.
    names: Vec<u64>,
    naming: Naming,
    path: &'a str,
    rejections: Rejections<'a>,
    /// The present block, and where it begins in the file.
    block: Buffer,
    offset: u64,
    /// A position in the block and the number of its line, from 1, if it is known.
    line: (usize, Option<u64>),
    lines: Option<&'a LineNumbers>,
    records: Vec<Records>,
}

/// What tells the records of a file apart.
#[derive(Debug)]
enum Naming {
    /// How many there are before it.
    Ordinal(u64),
    /// Where it begins.
    Offset,
}

impl<'a> RowBuilder<'a> {
    pub(crate) fn new(source: &FileSource, path: &'a str, stamping: Stamping<'a>, rejections: Rejections<'a>) -> Self {
        let dtype = |field: &usize| BlockColumn::new(&source.schema.fields[*field].dtype);
        Self {
            columns: stamping.projection.fields.iter().map(dtype).collect(),
            stamping,
            len: 0,
            names: Vec::new(),
            naming: match source.mode {
                ReadMode::Static => Naming::Offset,
                ReadMode::Streaming(_) => Naming::Ordinal(0),
            },
            path,
            rejections,
            block: Buffer::default(),
            offset: 0,
            line: (0, Some(1)),
            lines: None,
            records: Vec::new(),
        }
    }

    /// Why the file cannot be read, and where.
    pub(crate) fn with_line(&self, error: io::Error) -> io::Error {
        match self.line.1 {
            Some(line) if error.kind() == io::ErrorKind::InvalidData => {
                io::Error::new(error.kind(), format!("line {line}: {error}"))
            }
            _ => error,
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

    /// Adds the row of a record, which begins at `offset` of the block. The cells are those of the projection's fields.
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
        let record = self.where_it_begins(offset);
        self.rejections.reject(&record, reason);
    }

    /// Reports values that are errors in the row of the record that begins at `offset` of the block.
    #[cold]
    pub(crate) fn report_values(&mut self, offset: usize, reasons: &[String]) {
        let record = self.where_it_begins(offset);
        for reason in reasons {
            self.rejections.value(&record, reason);
        }
    }

    /// Leaves out the whole file, which is one record.
    pub(crate) fn reject_file(&mut self, reason: &str) {
        self.rejections.reject(self.path, reason);
    }

    /// Says that no record of the file is read, unless `file_is_read` says something else.
    pub(crate) fn leave_file_out(&mut self, reason: &str) {
        self.rejections.leave_file_out(self.path, reason);
    }

    /// The records from here on are read.
    pub(crate) fn file_is_read(&mut self) {
        self.rejections.file_is_read();
    }

    /// Where a record begins, for messages; not before the last one asked for.
    fn where_it_begins(&mut self, offset: usize) -> String {
        match self.line_at(offset) {
            Some(line) => format!("{}, line {line}", self.path),
            None => format!("{}, byte {}", self.path, self.offset + offset as u64),
        }
    }

    /// The number of the line at a position that is not before the last one asked for.
    fn line_at(&mut self, position: usize) -> Option<u64> {
        let (last, line) = self.line;
        let line = line.or_else(|| self.lines?.at(self.offset + last as u64))?;
        let lines = memchr::memchr_iter(b'\n', &self.block[last..position]).count();
        self.line = (position, Some(line + lines as u64));
        self.line.1
    }

    fn finish_batch(&mut self) {
        let len = std::mem::take(&mut self.len);
        if len == 0 {
            return;
        }
        self.records.push(Records {
            names: std::mem::take(&mut self.names),
            columns: self
                .columns
                .iter_mut()
                .map(|column| column.finish(&self.block))
                .collect(),
        });
    }

    /// The rows made since the last call, without their keys.
    pub(crate) fn take_records(&mut self) -> Vec<Records> {
        std::mem::take(&mut self.records)
    }

    /// The rows made since the last call.
    pub(crate) fn take_batches(&mut self) -> Vec<Batch> {
        let records = self.take_records();
        records.iter().map(|records| self.stamping.batch(records)).collect()
    }

    /// What its rows have in common.
    pub(crate) fn stamping(&self) -> &Stamping<'a> {
        &self.stamping
    }

    /// Whether what is wrong is not reported.
    pub(crate) fn set_silent(&mut self, is_silent: bool) {
        self.rejections.is_silent = is_silent;
    }
}
