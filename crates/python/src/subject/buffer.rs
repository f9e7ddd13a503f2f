//! Rows on their way from Python to the engine.
//!
//! A row is taken in two passes. The first looks at every value, with the GIL, and puts what it finds into
//! [slots](super::slots); a value that does not fit ends the row there or, where bad values are kept, becomes an error.
//! The second takes the lock and appends the slots to the column builders; nothing in it touches Python or can fail, so
//! the columns always have the same length.
//! Full builders are sealed into a batch, under the same lock, so that rows of one thread keep their order.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use pyo3::prelude::*;
use towpath_connectors::JsonRowParser;
use towpath_engine::operator::Reporter;
use towpath_engine::{RowError, SourceQueue};
use towpath_types::{Batch, Column, ColumnBuilder, Field, Key, Physical, Value, hash_columns};

use super::slots::{Slot, Slots};
use crate::error::row_error;
use crate::value::type_name;

/// Rows are sealed into a batch at the latest when there are so many.
const SEAL_ROWS: usize = 1 << 13;

/// And at the latest when their text and bytes are so many.
const SEAL_BYTES: usize = 1 << 20;

/// So many bad rows of a source are logged one by one.
const LOGGED: u64 = 1000;

/// The column builders of the rows that are not sealed yet.
#[derive(Debug)]
struct Buffer {
    builders: Vec<ColumnBuilder>,
    json: JsonRowParser,
    /// Once a row has been removed, the differences of all rows.
    diffs: Option<Vec<i64>>,
    /// Once a row has a key that the subject chose, the keys of all rows; the others are `None`.
    keys: Option<ColumnBuilder>,
    rows: usize,
    bytes: usize,
    /// The number of the first row that is not sealed, among all rows of the source.
    ordinal: u64,
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

/// What takes the rows of one subject during one run.
pub(crate) struct Ingest {
    /// Which connector this is, and which partition of it, for messages.
    pub(crate) place: String,
    pub(crate) fields: Vec<Field>,
    /// Whether messages of `next_str` and `next_bytes` are rows with the one column `data`.
    pub(crate) is_raw: bool,
    pub(crate) upsert: bool,
    pub(crate) deletions: bool,
    /// Whether rows may have keys that the subject chooses.
    pub(crate) own_keys: bool,
    pub(crate) queue: Arc<SourceQueue>,
    reporter: Reporter,
    buffer: Mutex<Buffer>,
    seal_rows: usize,
    /// Whether the run has asked the subject to end.
    stopping: AtomicBool,
    /// Rows given so far, accepted or not.
    given: AtomicU64,
    /// The first member of a JSON object that is in no column.
    pub(crate) unknown_member: OnceLock<String>,
    pub(crate) warned_of_extra: AtomicBool,
    /// Whether a bad value outside the key becomes an error in a row that is accepted.
    keeps_bad_rows: bool,
    /// Bad values reported so far.
    reported: AtomicU64,
}

impl Ingest {
    #[expect(clippy::too_many_arguments, reason = "called once, with the settings of one source")]
    pub(crate) fn new(
        place: String,
        fields: Vec<Field>,
        is_raw: bool,
        upsert: bool,
        deletions: bool,
        own_keys: bool,
        columns: Vec<usize>,
        queue: Arc<SourceQueue>,
        reporter: Reporter,
        seed: u64,
        keeps_bad_rows: bool,
    ) -> Self {
        let primary: Vec<usize> = (0..fields.len()).filter(|place| fields[*place].primary_key).collect();
        let width = fields.len();
        queue.on_receive(move |batch| {
            let mut keys: Vec<Key> = if primary.is_empty() {
                batch
                    .keys()
                    .iter()
                    .map(|key| Key::sequence(seed, key.0 as u64))
                    .collect()
            } else {
                let columns: Vec<&Column> = primary.iter().map(|place| batch.column(*place)).collect();
                hash_columns(&columns, batch.len())
            };
            // One column more than the fields: the keys that the subject chose.
            if batch.columns().len() > width {
                let own = batch.column(width);
                for (row, key) in keys.iter_mut().enumerate() {
                    if let Value::Pointer(chosen) = own.value(row) {
                        *key = chosen;
                    }
                }
            }
            batch.project(&columns).with_keys(keys)
        });
        let builders = fields.iter().map(|field| ColumnBuilder::new(&field.dtype)).collect();
        let mut json = JsonRowParser::with_paths(&fields, &[]);
        json.keep_bad_rows(keeps_bad_rows);
        Self {
            seal_rows: SEAL_ROWS.min(queue.limits().rows).max(1),
            place,
            fields,
            is_raw,
            upsert,
            deletions,
            own_keys,
            queue,
            reporter,
            buffer: Mutex::new(Buffer {
                builders,
                json,
                diffs: None,
                keys: None,
                rows: 0,
                bytes: 0,
                ordinal: 0,
            }),
            stopping: AtomicBool::new(false),
            given: AtomicU64::new(0),
            unknown_member: OnceLock::new(),
            warned_of_extra: AtomicBool::new(false),
            keeps_bad_rows,
            reported: AtomicU64::new(0),
        }
    }

    /// Appends a row. Returns whether the caller has to wait for space.
    #[inline]
    pub(crate) fn append(&self, row: &Slots<'_>, diff: i64) -> bool {
        self.append_with_key(row, diff, None)
    }

    /// Appends a row with a key that the subject chose, if there is one.
    #[inline]
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
                Slot::Value(place) => {
                    buffer.bytes += size_of::<Value>();
                    builder.push(row.value(*place));
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
    pub(crate) fn append_json(&self, text: &[u8]) -> Result<Appended, RowError> {
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
        if buffer.rows >= self.seal_rows || buffer.bytes >= SEAL_BYTES {
            self.seal(buffer);
            return !self.queue.has_space();
        }
        false
    }

    /// The number of the first of so many rows that are given now.
    pub(crate) fn give(&self, rows: usize) -> u64 {
        self.given.fetch_add(rows as u64, Ordering::Relaxed) + 1
    }

    /// Appends whole columns, in the order of the fields. Returns whether the caller has to wait for space.
    pub(crate) fn append_columns(&self, columns: Vec<Column>, rows: usize) -> bool {
        let mut buffer = self.buffer.lock();
        self.seal(&mut buffer);
        // Batches of a moderate size let the engine begin while the rest is still being pushed.
        let mut start = 0;
        let size = self.seal_rows.max((1 << 16).min(self.queue.limits().rows));
        while start < rows {
            let len = size.min(rows - start);
            let keys: Vec<Key> = (0..len)
                .map(|row| Key(u128::from(buffer.ordinal) + row as u128))
                .collect();
            buffer.ordinal += len as u64;
            let part = columns.iter().map(|column| column.slice(start, len)).collect();
            // Once the run is over, rows are not taken any more.
            let _ = self.queue.push(Batch::new(keys, part, None));
            start += len;
        }
        !self.queue.has_space()
    }

    fn seal(&self, buffer: &mut Buffer) {
        if buffer.rows == 0 {
            return;
        }
        let rows = std::mem::take(&mut buffer.rows);
        buffer.bytes = 0;
        let keys: Vec<Key> = (0..rows as u128)
            .map(|row| Key(u128::from(buffer.ordinal) + row))
            .collect();
        buffer.ordinal += rows as u64;
        let mut columns: Vec<Column> = buffer.builders.iter_mut().map(ColumnBuilder::finish).collect();
        columns.extend(buffer.keys.take().map(|mut keys| keys.finish()));
        if rows >= self.seal_rows / 2 {
            // The next batch is probably as long.
            for builder in &mut buffer.builders {
                builder.reserve(rows);
            }
        }
        let diffs = buffer.diffs.take().map(Into::into);
        // Once the run is over, rows are not taken any more.
        let _ = self.queue.push(Batch::new(keys, columns, diffs));
    }

    /// Hands over the rows so far. Called by the engine before its own commits; never waits.
    pub(crate) fn flush(&self) {
        self.seal(&mut self.buffer.lock());
    }

    /// Makes the rows so far visible together.
    pub(crate) fn commit(&self) {
        let mut buffer = self.buffer.lock();
        self.seal(&mut buffer);
        // Once the run is over, there is nothing to commit.
        let _ = self.queue.commit();
    }

    /// Waits for space, without the GIL.
    pub(crate) fn wait(&self, py: Python<'_>) {
        py.detach(|| {
            // If the run is over, the next call says so.
            let _ = self.queue.wait_for_space();
        });
    }

    /// Asks the subject to end: its next row unwinds `run`.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Whether a row with a bad value in this field is accepted all the same, with an error in its place.
    pub(crate) fn keeps(&self, field: &Field) -> bool {
        self.keeps_bad_rows && !field.primary_key
    }

    /// Records a row that is not accepted, and why.
    pub(crate) fn reject(&self, py: Python<'_>, field: Option<&Field>, error: PyErr) -> PyResult<()> {
        let row = self.give(1);
        self.reject_row(py, row, field, error)
    }

    /// Records that the row of this number is not accepted, and why.
    pub(crate) fn reject_row(&self, py: Python<'_>, row: u64, field: Option<&Field>, error: PyErr) -> PyResult<()> {
        self.queue.count_rejected(1);
        self.report(py, &format!("did not accept row {row}"), field, error)
    }

    /// Records a value that is not accepted, in a row that is and that is about to be given.
    pub(crate) fn report_value(&self, py: Python<'_>, field: &Field, error: PyErr) -> PyResult<()> {
        let row = self.given.load(Ordering::Relaxed) + 1;
        self.report_value_of(py, row, Some(field), error)
    }

    /// Records a value that is not accepted, in the row of this number.
    pub(crate) fn report_value_of(
        &self,
        py: Python<'_>,
        row: u64,
        field: Option<&Field>,
        error: PyErr,
    ) -> PyResult<()> {
        self.report(py, &format!("put an error into row {row}"), field, error)
    }

    fn report(&self, py: Python<'_>, what: &str, field: Option<&Field>, error: PyErr) -> PyResult<()> {
        if !error.is_instance_of::<pyo3::exceptions::PyException>(py) {
            return Err(error);
        }
        let place = caller(py).map_or_else(String::new, |place| format!(", at {place}"));
        let field = field.map_or_else(String::new, |field| format!(", field {:?}", field.name));
        let message = format!("{} {what}{field}: {}{place}", self.place, error.value(py));
        match self.reported.fetch_add(1, Ordering::Relaxed) {
            count if count < LOGGED => crate::log::error(py, &message)?,
            LOGGED => crate::log::error(
                py,
                &format!(
                    "{}: more than {LOGGED} rows were not accepted; from now on they are only counted, \
                     and put into pw.global_error_log()",
                    self.place
                ),
            )?,
            _ => {}
        }
        let mut failure: RowError = row_error(py, error);
        failure.message = message;
        // The log of a source never ends the run.
        let _ = self.reporter.report(failure);
        Ok(())
    }

    /// The place of the field with this name.
    pub(crate) fn field_named(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }
}

/// The file and line of the user's program that sends a row.
fn caller(py: Python<'_>) -> Option<String> {
    py.import("pathway.io._drive")
        .and_then(|module| module.call_method0("sending_place"))
        .and_then(|place| place.extract())
        .unwrap_or_default()
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
            ingest.place,
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
