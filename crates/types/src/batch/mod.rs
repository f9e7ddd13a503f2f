//! What travels between operators: keys, columns, and how often each row is added or removed.

mod consolidate;

use arrow_buffer::BooleanBuffer;

use crate::column::Column;
use crate::key::Key;
use crate::shared::Shared;
use crate::value::Value;

/// Updates to a table: row `i` is added `diff(i)` times, or removed if that is negative.
///
/// Immutable and shared. Most batches only add rows, once each; they carry no differences at all.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    keys: Shared<Key>,
    columns: Vec<Column>,
    diffs: Option<Shared<i64>>,
}

impl Batch {
    /// Updates; `diffs: None` adds every row once.
    pub fn new(keys: impl Into<Shared<Key>>, columns: Vec<Column>, diffs: Option<Shared<i64>>) -> Self {
        let keys = keys.into();
        assert!(
            columns.iter().all(|column| column.len() == keys.len()),
            "columns are as long as the keys"
        );
        assert!(
            diffs.as_ref().is_none_or(|diffs| diffs.len() == keys.len()),
            "diffs are as long as the keys"
        );
        let diffs = diffs.filter(|diffs| diffs.iter().any(|diff| *diff != 1));
        Self { keys, columns, diffs }
    }

    /// The number of updates.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are no updates.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys.
    pub fn keys(&self) -> &Shared<Key> {
        &self.keys
    }

    /// The columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// One column.
    pub fn column(&self, position: usize) -> &Column {
        &self.columns[position]
    }

    /// The differences, unless every row is added once.
    pub fn diffs(&self) -> Option<&Shared<i64>> {
        self.diffs.as_ref()
    }

    /// The difference of one row.
    #[inline]
    pub fn diff(&self, row: usize) -> i64 {
        self.diffs.as_ref().map_or(1, |diffs| diffs[row])
    }

    /// Whether every row is added once.
    pub fn is_insert_only(&self) -> bool {
        self.diffs.is_none()
    }

    /// The cells of one row.
    pub fn row(&self, row: usize) -> Vec<Value> {
        self.columns.iter().map(|column| column.value(row)).collect()
    }

    /// The same updates with other columns.
    pub fn with_columns(&self, columns: Vec<Column>) -> Self {
        Self::new(self.keys.clone(), columns, self.diffs.clone())
    }

    /// The same updates with other keys.
    pub fn with_keys(&self, keys: impl Into<Shared<Key>>) -> Self {
        Self::new(keys, self.columns.clone(), self.diffs.clone())
    }

    /// The same updates with other differences; `None` adds every row once.
    pub fn with_diffs(&self, diffs: Option<Shared<i64>>) -> Self {
        Self::new(self.keys.clone(), self.columns.clone(), diffs)
    }

    /// The same updates with every row removed where it was added, and added where it was removed.
    pub fn negated(&self) -> Self {
        let diffs = (0..self.len()).map(|row| -self.diff(row)).collect();
        self.with_diffs(Some(diffs))
    }

    /// The same updates with only the columns at `positions`.
    pub fn project(&self, positions: &[usize]) -> Self {
        self.with_columns(
            positions
                .iter()
                .map(|position| self.columns[*position].clone())
                .collect(),
        )
    }

    /// The window of `len` rows from `start`.
    pub fn slice(&self, start: usize, len: usize) -> Self {
        Self::new(
            self.keys.slice(start, len),
            self.columns.iter().map(|column| column.slice(start, len)).collect(),
            self.diffs.as_ref().map(|diffs| diffs.slice(start, len)),
        )
    }

    /// The rows at `indices`, in that order.
    pub fn take(&self, indices: &[u32]) -> Self {
        let (keys, diffs): (&[Key], Option<&[i64]>) = (&self.keys, self.diffs.as_deref());
        Self::new(
            indices.iter().map(|i| keys[*i as usize]).collect::<Shared<_>>(),
            self.columns.iter().map(|column| column.take(indices)).collect(),
            diffs.map(|diffs| indices.iter().map(|i| diffs[*i as usize]).collect()),
        )
    }

    /// The rows of each owner, for as many owners as `owners` are; `owner` says whose a key is, and `keys` are those
    /// that decide, one a row.
    pub fn split(&self, keys: &[Key], owners: usize, owner: impl Fn(Key) -> usize) -> Vec<Self> {
        assert_eq!(keys.len(), self.len(), "every row has a key that decides");
        let mut ends = vec![0; owners];
        for key in keys {
            ends[owner(*key)] += 1;
        }
        if let Some(only) = ends.iter().position(|rows| *rows == keys.len()) {
            let mut parts = vec![self.slice(0, 0); owners];
            parts[only] = self.clone();
            return parts;
        }
        // Where the next row of each owner goes; at last the end of its rows.
        let mut start = 0;
        for end in &mut ends {
            start += std::mem::replace(end, start);
        }
        let mut rows = vec![0; keys.len()];
        for (row, key) in keys.iter().enumerate() {
            let next = &mut ends[owner(*key)];
            rows[*next] = row as u32;
            *next += 1;
        }
        let mut start = 0;
        let part = |end| {
            let part = self.take(&rows[start..end]);
            start = end;
            part
        };
        ends.into_iter().map(part).collect()
    }

    /// The rows where `mask` is true.
    pub fn filter(&self, mask: &BooleanBuffer) -> Self {
        if mask.count_set_bits() == self.len() {
            return self.clone();
        }
        Self::new(
            mask.set_indices().map(|i| self.keys[i]).collect::<Shared<_>>(),
            self.columns.iter().map(|column| column.filter(mask)).collect(),
            self.diffs
                .as_ref()
                .map(|diffs| mask.set_indices().map(|i| diffs[i]).collect()),
        )
    }

    /// Batches with columns of the same layouts, one after another.
    pub fn concat(batches: &[Batch]) -> Self {
        let [first, rest @ ..] = batches else {
            return Self::default();
        };
        if rest.is_empty() {
            return first.clone();
        }
        let keys: Vec<Key> = batches.iter().flat_map(|batch| batch.keys.iter().copied()).collect();
        let columns = (0..first.columns.len())
            .map(|position| {
                let parts: Vec<&Column> = batches.iter().map(|batch| &batch.columns[position]).collect();
                Column::concat(&parts)
            })
            .collect();
        let diffs = batches.iter().any(|batch| batch.diffs.is_some()).then(|| {
            batches
                .iter()
                .flat_map(|batch| (0..batch.len()).map(|row| batch.diff(row)))
                .collect()
        });
        Self::new(keys, columns, diffs)
    }

    /// Whether two rows hold equal cells; their keys may differ.
    pub fn cells_eq(&self, row: usize, other: &Batch, other_row: usize) -> bool {
        // What rows are about mostly stands first, and what changes last.
        let mut columns = self.columns.iter().zip(&other.columns).rev();
        columns.all(|(a, b)| a.cell_eq(row, b, other_row))
    }

    /// The rows in the order of some columns, then of their keys; deletions stay before insertions.
    pub fn sorted_by(&self, positions: &[usize]) -> Self {
        let mut order: Vec<u32> = (0..self.len() as u32).collect();
        order.sort_by_cached_key(|row| {
            let row = *row as usize;
            let values: Vec<Value> = positions
                .iter()
                .map(|position| self.columns[*position].value(row))
                .collect();
            (self.diff(row) > 0, values, self.keys[row])
        });
        self.take(&order)
    }

    /// A rough count of the bytes the batch takes, for limits on memory.
    pub fn bytes(&self) -> usize {
        self.len() * 16
            + self.diffs.as_ref().map_or(0, |diffs| diffs.len() * 8)
            + self.columns.iter().map(Column::bytes).sum::<usize>()
    }
}
