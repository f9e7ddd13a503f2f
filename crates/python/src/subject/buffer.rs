//! Rows on their way from Python to the engine.
//!
//! A row is taken in two passes. The first looks at every value, with the GIL, and puts what it finds into
//! [slots](super::slots); a value that does not fit ends the row there or, where bad values are kept, becomes an error.
//! The second takes the lock and appends the slots to the column builders; nothing in it touches Python or can fail, so
//! the columns always have the same length.
//! Full builders are sealed into a batch, under the same lock, so that rows of one thread keep their order.

//!
//! What takes rows outlives the runs: what a row without a run, or after its end, comes to is in [`stage`](super::stage),
//! who hears of a row that is not accepted in [`verdicts`](super::verdicts).

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{Condvar, Mutex};
use pyo3::prelude::*;
use towpath_connectors::JsonRowParser;
use towpath_engine::source::{Limits, Resume, Unkeyed};
use towpath_engine::{RowError, SourceQueue};
use towpath_types::{Column, ColumnBuilder, Field, Key, Physical, Value};

use super::phase::Stage;
use super::slots::{Slot, Slots};
use super::verdict::Verdicts;
use crate::value::type_name;

/// Rows are sealed into a batch at the latest when there are so many.
const SEAL_ROWS: usize = 1 << 13;

/// And at the latest when their text and bytes are so many.
const SEAL_BYTES: usize = 1 << 20;

/// The rows that are not sealed yet, and where they go when they are.
#[derive(Debug)]
pub(super) struct Buffer {
    pub(super) builders: Vec<ColumnBuilder>,
    pub(super) json: JsonRowParser,
    /// Once a row has been removed, the differences of all rows.
    pub(super) diffs: Option<Vec<i64>>,
    /// Once a row has a key that the subject chose, the keys of all rows; the others are `None`.
    pub(super) keys: Option<ColumnBuilder>,
    pub(super) rows: usize,
    pub(super) bytes: usize,
    /// So many rows are sealed; 0 where none is taken any more.
    pub(super) seal_rows: usize,
    /// Of the run under way, or, without one, what keeps the rows for the next.
    pub(super) queue: Arc<SourceQueue>,
    pub(super) stage: Stage,
}

impl Buffer {
    /// An empty one, in which rows wait for a run.
    pub(super) fn waiting(fields: &[Field], limits: Limits) -> Self {
        let mut json = JsonRowParser::with_paths(fields, &[]);
        json.keep_bad_rows(true);
        Self {
            builders: fields.iter().map(|field| ColumnBuilder::new(&field.dtype)).collect(),
            json,
            diffs: None,
            keys: None,
            rows: 0,
            bytes: 0,
            seal_rows: seal_rows(limits),
            queue: Arc::new(SourceQueue::new(limits)),
            stage: Stage::default(),
        }
    }
}

/// How many rows are sealed where so many may be in flight.
pub(super) fn seal_rows(limits: Limits) -> usize {
    SEAL_ROWS.min(limits.rows).max(1)
}

/// What became of the row of a JSON object.
pub(crate) struct Appended {
    /// Its number among the rows given so far.
    pub(crate) row: u64,
    /// Why values of it are errors.
    pub(crate) errors: Vec<String>,
    /// Whether the caller has to wait for space.
    pub(crate) is_full: bool,
}

/// What the rows of a subject are.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) fields: Vec<Field>,
    /// Whether messages of `next_str` and `next_bytes` are rows with the one column `data`.
    pub(crate) is_raw: bool,
    pub(crate) upsert: bool,
    pub(crate) deletions: bool,
    /// Whether rows may have keys that the subject chooses.
    pub(crate) own_keys: bool,
    /// How it goes on after what a run before has kept of it.
    pub(crate) resume: Resume,
    /// How much may be in flight.
    pub(crate) limits: Limits,
    /// The files that it reads, if it is one of the package's that read some.
    pub(crate) reads: Vec<PathBuf>,
}

/// What takes the rows of one subject, or of one of its partitions.
#[derive(Debug)]
pub(crate) struct Ingest {
    /// Which connector this is, and which partition of it, for messages.
    pub(crate) name: String,
    pub(crate) fields: Vec<Field>,
    /// Whether messages of `next_str` and `next_bytes` are rows with the one column `data`.
    pub(crate) is_raw: bool,
    pub(crate) upsert: bool,
    pub(crate) deletions: bool,
    /// Whether rows may have keys that the subject chooses.
    pub(crate) own_keys: bool,
    pub(super) limits: Limits,
    pub(super) buffer: Mutex<Buffer>,
    /// Whether the next row may have to wait or be refused. Only changed while the buffer is locked, or by a fork.
    pub(super) needs_look: AtomicBool,
    /// A run has begun to take the rows.
    pub(super) begun: Condvar,
    /// Whether this process was forked while another one's subject had it.
    pub(super) is_forked: AtomicBool,
    /// Rows given so far, accepted or not.
    pub(super) given: AtomicU64,
    /// The first member of a JSON object that is in no column.
    pub(crate) unknown_member: OnceLock<String>,
    pub(crate) warned_of_extra: AtomicBool,
    /// Whether a bad value outside the key becomes an error in a row that is accepted. So it is while rows are kept:
    /// only the run says what becomes of them.
    pub(super) keeps_bad_rows: AtomicBool,
    pub(super) verdicts: Mutex<Verdicts>,
}

impl Ingest {
    pub(crate) fn new(name: String, settings: &Settings) -> Self {
        Self {
            name,
            fields: settings.fields.clone(),
            is_raw: settings.is_raw,
            upsert: settings.upsert,
            deletions: settings.deletions,
            own_keys: settings.own_keys,
            limits: settings.limits,
            buffer: Mutex::new(Buffer::waiting(&settings.fields, settings.limits)),
            needs_look: AtomicBool::new(settings.upsert && !settings.deletions),
            begun: Condvar::new(),
            is_forked: AtomicBool::new(false),
            given: AtomicU64::new(0),
            unknown_member: OnceLock::new(),
            warned_of_extra: AtomicBool::new(false),
            keeps_bad_rows: AtomicBool::new(true),
            verdicts: Mutex::default(),
        }
    }

    /// Appends a row. Returns whether the caller has to wait for space.
    #[inline(always)]
    pub(crate) fn append(&self, row: &Slots<'_>, diff: i64) -> bool {
        self.append_with_key(row, diff, None)
    }

    /// Appends a row with a key that the subject chose, if there is one.
    #[inline(always)]
    pub(crate) fn append_with_key(&self, row: &Slots<'_>, diff: i64, key: Option<Key>) -> bool {
        self.given.fetch_add(1, Ordering::Relaxed);
        let mut guard = self.buffer.lock();
        let buffer = &mut *guard;
        for ((builder, slot), field) in buffer.builders.iter_mut().zip(row.slots()).zip(&self.fields) {
            match slot {
                Slot::Int(value) => builder.push_int(*value),
                Slot::Str(text) => {
                    buffer.bytes += text.len();
                    builder.push_str(text);
                }
                Slot::Float(value) => builder.push_float(*value),
                Slot::Bool(value) => builder.push_bool(*value),
                Slot::Bytes(bytes) => {
                    buffer.bytes += bytes.len();
                    builder.push_bytes(bytes);
                }
                Slot::None => builder.push_none(),
                Slot::Value(position) => {
                    buffer.bytes += size_of::<Value>();
                    builder.push(row.value(*position));
                }
                Slot::Error => builder.push_error(),
                Slot::Default => builder.push(field.default.as_ref().unwrap_or(&Value::None)),
            }
        }
        self.appended(buffer, diff, key)
    }

    /// Appends the row of a JSON object.
    ///
    /// # Errors
    /// What is wrong with the row.
    pub(crate) fn append_json(&self, text: &str) -> Result<Appended, RowError> {
        let mut guard = self.buffer.lock();
        let buffer = &mut *guard;
        let parsed = buffer.json.parse_line(text, &mut buffer.builders);
        if let Some(name) = buffer.json.unknown_member() {
            self.unknown_member.get_or_init(|| name.to_owned());
        }
        parsed?;
        let row = self.given.fetch_add(1, Ordering::Relaxed) + 1;
        buffer.bytes += text.len();
        let errors = buffer.json.take_errors();
        Ok(Appended {
            row,
            errors,
            is_full: self.appended(buffer, 1, None),
        })
    }

    /// Counts the row that was appended and seals if it is time. Returns whether the caller has to wait for space.
    fn appended(&self, buffer: &mut Buffer, diff: i64, key: Option<Key>) -> bool {
        if diff != 1 && buffer.diffs.is_none() {
            buffer.diffs = Some(vec![1; buffer.rows]);
        }
        if let Some(diffs) = &mut buffer.diffs {
            diffs.push(diff);
        }
        if key.is_some() && buffer.keys.is_none() {
            let mut keys = ColumnBuilder::with_physical(Physical::Pointer);
            (0..buffer.rows).for_each(|_| keys.push_none());
            buffer.keys = Some(keys);
        }
        if let Some(keys) = &mut buffer.keys {
            match key {
                Some(key) => keys.push_pointer(key),
                None => keys.push_none(),
            }
        }
        buffer.rows += 1;
        (buffer.rows >= buffer.seal_rows || buffer.bytes >= SEAL_BYTES) && self.seal(buffer)
    }

    /// The number of the first of so many rows that are given now.
    pub(crate) fn give(&self, rows: usize) -> u64 {
        self.given.fetch_add(rows as u64, Ordering::Relaxed) + 1
    }

    /// Appends whole columns, in the order of the fields. Returns whether the caller has to wait for space.
    pub(crate) fn append_columns(&self, columns: Vec<Column>, rows: usize) -> bool {
        let mut guard = self.buffer.lock();
        let buffer = &mut *guard;
        self.seal(buffer);
        buffer.stage.is_uncommitted = true;
        // Batches of a moderate size let the engine begin while the rest is still being pushed.
        let mut start = 0;
        let mut is_taken = true;
        let size = buffer.seal_rows.max((1 << 16).min(buffer.queue.limits().rows));
        while start < rows {
            let len = size.min(rows - start);
            let part = columns.iter().map(|column| column.slice(start, len)).collect();
            is_taken &= self.hand_over(buffer, Unkeyed::new(len, part, None, None));
            start += len;
        }
        !is_taken || self.has_to_wait(buffer)
    }

    /// Hands over the rows so far. Returns whether the caller has to wait for space.
    pub(super) fn seal(&self, buffer: &mut Buffer) -> bool {
        if buffer.rows == 0 {
            return false;
        }
        let rows = std::mem::take(&mut buffer.rows);
        buffer.bytes = 0;
        buffer.stage.is_uncommitted = true;
        let columns: Vec<Column> = buffer.builders.iter_mut().map(ColumnBuilder::finish).collect();
        let chosen = buffer.keys.take().map(|mut keys| keys.finish());
        if rows >= buffer.seal_rows / 2 {
            // The next batch is probably as long.
            for builder in &mut buffer.builders {
                builder.reserve(rows);
            }
        }
        let diffs = buffer.diffs.take().map(Into::into);
        let is_taken = self.hand_over(buffer, Unkeyed::new(rows, columns, diffs, chosen));
        !is_taken || self.has_to_wait(buffer)
    }

    /// Whether the queue takes the rows. A row that was checked while no run had said that it refuses bad values, and
    /// that came to its place after one had, is refused here.
    fn hand_over(&self, buffer: &Buffer, rows: Unkeyed) -> bool {
        let keeps_bad_rows = self.keeps_bad_rows.load(Ordering::Relaxed);
        let rows = if keeps_bad_rows { rows } else { rows.without_errors() };
        buffer.queue.push(rows).is_ok()
    }

    /// Hands over the rows so far. Called by the engine before its own commits; never waits.
    pub(crate) fn flush(&self) {
        self.seal(&mut self.buffer.lock());
    }

    /// How many rows were given so far in the present run, accepted or not.
    pub(super) fn given(&self) -> u64 {
        self.given.load(Ordering::Relaxed)
    }

    /// The position of the field with this name.
    pub(crate) fn field_named(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }
}

/// A warning for values that no column takes, once a source.
pub(crate) fn warn_of_extra(py: Python<'_>, ingest: &Ingest, name: &str) -> PyResult<()> {
    if ingest.warned_of_extra.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    let columns: Vec<&str> = ingest.fields.iter().map(|field| field.name.as_str()).collect();
    crate::log::warning(
        py,
        &format!(
            "{}: the field {name:?} is in no column of the schema and is ignored; the columns are {}",
            ingest.name,
            columns.join(", ")
        ),
    )
}

/// A message for something that is no row at all.
pub(crate) fn no_row(value: &Bound<'_, PyAny>) -> PyErr {
    pyo3::exceptions::PyTypeError::new_err(format!(
        "a row is a dict, a dataclass, a NamedTuple or a pydantic model, not {}",
        type_name(value)
    ))
}
