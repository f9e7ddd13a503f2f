//! Rows that are known beforehand, at the times at which they are to appear.

use std::collections::BTreeMap;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use towpath_engine::source::{Commits, Kept, Resume};
use towpath_engine::{Description, EngineError, Source, SourceContext, SourceHandle};
use towpath_types::{Batch, Column, ColumnBuilder, DType, Field, Key, Time, Value, hash_columns};

use crate::error::placed;
use crate::value::convert;

/// Rows that are known beforehand.
#[derive(Debug)]
pub(crate) struct StaticSource {
    pub(crate) name: String,
    dtypes: Vec<DType>,
    batches: BTreeMap<Time, Batch>,
    unique_keys: bool,
}

struct NothingToStop;

impl SourceHandle for NothingToStop {
    fn stop(&self) {}

    fn join(self: Box<Self>) {}
}

/// Rows of values of Python's, in columns; how many rows there are.
fn columns_of(fields: &[Field], rows: &Bound<'_, PyAny>, name: &str) -> PyResult<(Vec<Column>, usize)> {
    let mut builders: Vec<ColumnBuilder> = fields.iter().map(|field| ColumnBuilder::new(&field.dtype)).collect();
    let mut len = 0;
    for row in rows.try_iter()? {
        let row = row?;
        let values: Vec<Bound<'_, PyAny>> = row.try_iter()?.collect::<PyResult<_>>()?;
        if values.len() != fields.len() {
            return Err(PyValueError::new_err(format!(
                "row {} has {} values; the schema has {} columns",
                len + 1,
                values.len(),
                fields.len()
            )));
        }
        for ((builder, field), value) in builders.iter_mut().zip(fields).zip(&values) {
            let value = convert(value, &field.dtype).map_err(|error| {
                let place = format!("{name}: row {}, column {:?}", len + 1, field.name);
                placed(value.py(), error, &place)
            })?;
            builder.push(&value);
        }
        len += 1;
    }
    Ok((builders.iter_mut().map(ColumnBuilder::finish).collect(), len))
}

/// The keys of rows that were given none.
fn keys_of(fields: &[Field], columns: &[Column], len: usize) -> Vec<Key> {
    let primary: Vec<&Column> = fields
        .iter()
        .zip(columns)
        .filter_map(|(field, column)| field.primary_key.then_some(column))
        .collect();
    if primary.is_empty() {
        (0..len).map(|row| Key::for_values(&[Value::Int(row as i64)])).collect()
    } else {
        hash_columns(&primary, len)
    }
}

fn check_length(what: &str, given: usize, rows: usize) -> PyResult<()> {
    if given == rows {
        return Ok(());
    }
    Err(PyValueError::new_err(format!(
        "{given} {what} are given for {rows} rows"
    )))
}

impl StaticSource {
    /// A source of rows of values of Python's. Rows without keys get them from their primary keys or positions; those without
    /// times are there from the beginning, and those without differences are added.
    ///
    /// # Errors
    /// If a value does not fit its field, or the numbers of rows, keys, times and differences are not the same.
    pub(crate) fn new(
        name: String,
        fields: Vec<Field>,
        rows: &Bound<'_, PyAny>,
        keys: Option<Vec<Key>>,
        times: Option<Vec<Time>>,
        diffs: Option<Vec<i64>>,
    ) -> PyResult<Self> {
        let (columns, len) = columns_of(&fields, rows, &name)?;
        let keys = keys.unwrap_or_else(|| keys_of(&fields, &columns, len));
        check_length("keys", keys.len(), len)?;
        times
            .as_ref()
            .map_or(Ok(()), |times| check_length("times", times.len(), len))?;
        diffs
            .as_ref()
            .map_or(Ok(()), |diffs| check_length("diffs", diffs.len(), len))?;
        let mut unique = keys.clone();
        unique.sort_unstable();
        unique.dedup();
        let unique_keys = unique.len() == len;
        let whole = Batch::new(keys, columns, diffs.map(Into::into));
        let mut rows_at: BTreeMap<Time, Vec<u32>> = BTreeMap::new();
        for row in 0..len {
            let time = times.as_ref().map_or(0, |times| times[row]);
            rows_at.entry(time).or_default().push(row as u32);
        }
        let batches = rows_at.into_iter();
        Ok(Self {
            name,
            dtypes: fields.into_iter().map(|field| field.dtype).collect(),
            batches: batches.map(|(time, rows)| (time, whole.take(&rows))).collect(),
            unique_keys,
        })
    }

    /// Whether it is just rows that are there from the beginning.
    fn is_plain(&self) -> bool {
        self.batches.keys().all(|time| *time == 0) && self.batches.values().all(Batch::is_insert_only)
    }
}

impl Source for StaticSource {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn describe(&self, description: &mut Description) {
        // The rows are those that process 0 has.
        description.set("has unique keys", self.unique_keys);
    }

    fn columns(&self) -> Vec<DType> {
        self.dtypes.clone()
    }

    fn is_append_only(&self) -> bool {
        self.batches.values().all(Batch::is_insert_only)
    }

    fn has_unique_keys(&self) -> bool {
        self.unique_keys
    }

    fn kept(&self) -> Kept {
        match self.is_plain() {
            // The program may have another table in the next run.
            true => Kept::Rows(Resume::Compare),
            false => Kept::Nothing,
        }
    }

    fn commits(&self) -> Commits {
        match self.is_plain() {
            true => Commits::AtEnd,
            false => Commits::Scripted,
        }
    }

    fn start(&self, context: SourceContext) -> Result<Box<dyn SourceHandle>, EngineError> {
        let queue = context.queue();
        for (time, batch) in &self.batches {
            // If the run is over already, nobody needs the rows.
            if !self.is_plain() {
                let _ = queue.advance_to(*time);
            }
            let _ = queue.push(batch.project(&context.columns));
        }
        let _ = queue.is_whole(true);
        queue.close(Ok(()));
        Ok(Box::new(NothingToStop))
    }
}
