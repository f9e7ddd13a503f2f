//! What travels between operators: keys, columns, and how often each row is added or removed.

use arrow_array::UInt32Array;
use arrow_buffer::BooleanBuffer;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as TableEntry;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::column::{Column, hash_row};
use crate::key::Key;
use crate::key_tables::{BuildKeyHasher, DistinctKeys, SEEDS, fold};
use crate::shared::Shared;
use crate::value::Value;

/// How many rows of one key are compared one by one before their cells are hashed.
const LONGEST_CHAIN: usize = 4;

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
        self.take_rows(&UInt32Array::from(indices.to_vec()))
    }

    fn take_rows(&self, indices: &UInt32Array) -> Self {
        let rows: &[u32] = indices.values();
        let (keys, diffs): (&[Key], Option<&[i64]>) = (&self.keys, self.diffs.as_deref());
        Self::new(
            rows.iter().map(|i| keys[*i as usize]).collect::<Shared<_>>(),
            self.columns.iter().map(|column| column.take(indices)).collect(),
            diffs.map(|diffs| rows.iter().map(|i| diffs[*i as usize]).collect()),
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
        let rows = UInt32Array::from(rows);
        let mut start = 0;
        let part = |end| {
            let part = self.take_rows(&rows.slice(start, end - start));
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
        self.columns
            .iter()
            .zip(&other.columns)
            .all(|(a, b)| a.cell_eq(row, b, other_row))
    }

    /// The same change with each (key, row) at most once, deletions before insertions, otherwise
    /// in the order of arrival.
    pub fn consolidated(&self) -> Self {
        if DistinctKeys::with_capacity(self.len()).insert_all(&self.keys) {
            return match &self.diffs {
                None => self.clone(),
                Some(diffs) => self.with_sums(diffs),
            };
        }
        // Rows that could meet are rows of one key: the first few are chained, and compared along the chain. A key may
        // have any number of rows; those that do not meet any of the first are found by a hash of their cells.
        const END: u32 = u32::MAX;
        let mut first: HashMap<Key, u32, BuildKeyHasher> =
            HashMap::with_capacity_and_hasher(self.len(), BuildKeyHasher);
        let mut next = vec![END; self.len()];
        let mut others: HashTable<(u64, u32)> = HashTable::new();
        let mut bytes = Vec::new();
        let seeds = *SEEDS;
        let mut sums: Vec<i64> = (0..self.len()).map(|row| self.diff(row)).collect();
        for row in 0..self.len() {
            let mut position = match first.entry(self.keys[row]) {
                Entry::Vacant(entry) => {
                    entry.insert(row as u32);
                    continue;
                }
                Entry::Occupied(entry) => *entry.get() as usize,
            };
            let mut steps = 1;
            let same = loop {
                if self.cells_eq(position, self, row) {
                    break Some(position);
                }
                if steps == LONGEST_CHAIN {
                    let cells = hash_row(&self.columns, row, &mut bytes);
                    let hash = fold(self.keys[row].0, seeds).rotate_left(32) ^ fold(cells.0, seeds);
                    let is_same = |(_, other): &(u64, u32)| {
                        let other = *other as usize;
                        self.keys[other] == self.keys[row] && self.cells_eq(other, self, row)
                    };
                    break match others.entry(hash, is_same, |(hash, _)| *hash) {
                        TableEntry::Occupied(entry) => Some(entry.get().1 as usize),
                        TableEntry::Vacant(entry) => {
                            entry.insert((hash, row as u32));
                            None
                        }
                    };
                }
                if next[position] == END {
                    next[position] = row as u32;
                    break None;
                }
                position = next[position] as usize;
                steps += 1;
            };
            if let Some(same) = same {
                sums[same] += std::mem::take(&mut sums[row]);
            }
        }
        self.with_sums(&sums)
    }

    /// The rows whose sum is not zero with their sums as differences, deletions first.
    fn with_sums(&self, sums: &[i64]) -> Self {
        let negative = (0..self.len()).filter(|row| sums[*row] < 0);
        let positive = (0..self.len()).filter(|row| sums[*row] > 0);
        let order: Vec<u32> = negative.chain(positive).map(|row| row as u32).collect();
        let diffs = order.iter().map(|row| sums[*row as usize]).collect();
        self.with_diffs(None).take(&order).with_diffs(Some(diffs))
    }

    /// The batches of one time, consolidated: see [`Batch::consolidated`]. Those that have nothing to
    /// consolidate stay as they are, without a copy.
    pub fn consolidate(batches: Vec<Batch>) -> Vec<Batch> {
        match &batches[..] {
            [] => return batches,
            [batch] => return vec![batch.consolidated()],
            _ => {}
        }
        let rows = batches.iter().map(Batch::len).sum();
        let mut keys = DistinctKeys::with_capacity(rows);
        if batches
            .iter()
            .all(|batch| batch.is_insert_only() && keys.insert_all(&batch.keys))
        {
            return batches;
        }
        vec![Batch::concat(&batches).consolidated()]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn batch(rows: &[(u128, i64, i64)]) -> Batch {
        let values: Vec<Value> = rows.iter().map(|(_, value, _)| Value::Int(*value)).collect();
        Batch::new(
            rows.iter().map(|(key, ..)| Key(*key)).collect::<Vec<_>>(),
            vec![Column::from_values(&DType::Int, &values)],
            Some(rows.iter().map(|(.., diff)| *diff).collect()),
        )
    }

    fn rows(batch: &Batch) -> Vec<(u128, i64, i64)> {
        (0..batch.len())
            .map(|row| match batch.column(0).value(row) {
                Value::Int(value) => (batch.keys()[row].0, value, batch.diff(row)),
                other => panic!("{other:?} is no int"),
            })
            .collect()
    }

    #[test]
    fn deletions_come_first_and_cancelled_rows_vanish() {
        let updates = batch(&[(1, 10, 1), (2, 20, 1), (1, 10, -1), (3, 30, -1), (4, 40, 1), (4, 40, 1)]);
        assert_eq!(rows(&updates.consolidated()), [(3, 30, -1), (2, 20, 1), (4, 40, 2)]);
    }

    #[test]
    fn many_rows_of_one_key_stay_in_order() {
        // It would take minutes if every row were compared with every other.
        let count = 100_000;
        let is_kept = |value: &i64| value % 1000 == 0;
        let added = (0..count).map(|value| (7, value, 1));
        let removed = (0..count).filter(|value| !is_kept(value)).map(|value| (7, value, -1));
        let gone = (count..count + 3).map(|value| (7, value, -1));
        let updates: Vec<_> = added.chain(removed).chain(gone.clone()).collect();
        let kept = (0..count).filter(is_kept).map(|value| (7, value, 1));
        assert_eq!(
            rows(&batch(&updates).consolidated()),
            gone.chain(kept).collect::<Vec<_>>()
        );
    }

    proptest! {
        #[test]
        fn consolidation_keeps_the_sums(updates in prop::collection::vec((0..4u128, 0..12i64, -1..=1i64), 0..120)) {
            let sums = |rows: &[(u128, i64, i64)]| {
                let mut sums = BTreeMap::new();
                for (key, value, diff) in rows {
                    *sums.entry((*key, *value)).or_insert(0) += diff;
                }
                sums.retain(|_, sum| *sum != 0);
                sums
            };
            let result = rows(&batch(&updates).consolidated());
            prop_assert_eq!(sums(&result), sums(&updates));
            prop_assert_eq!(result.len(), sums(&result).len());
            let first_insert = result.iter().position(|(.., diff)| *diff > 0).unwrap_or(result.len());
            prop_assert!(result[first_insert..].iter().all(|(.., diff)| *diff > 0));
            for split in 0..=updates.len() {
                let parts = vec![batch(&updates[..split]), batch(&updates[split..])];
                let parts: Vec<_> = Batch::consolidate(parts).iter().flat_map(rows).collect();
                prop_assert_eq!(sums(&parts), sums(&updates));
                prop_assert_eq!(parts.len(), result.len());
            }
        }
    }
}
