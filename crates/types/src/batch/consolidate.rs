//! The same change in as few updates as possible.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as TableEntry;

use super::Batch;
use crate::column::hash_row;
use crate::key::Key;
use crate::key_tables::{BuildKeyHasher, DistinctKeys, SEEDS, fold};

/// How many rows of one key are compared one by one before their cells are hashed.
const LONGEST_CHAIN: usize = 4;

impl Batch {
    /// The same change with each (key, row) at most once, deletions before insertions, otherwise
    /// in the order of arrival.
    pub fn consolidated(&self) -> Self {
        let mut keys = DistinctKeys::with_capacity(self.len());
        match (self.deletions_if_first(), &self.diffs) {
            (Some(deletions), _) => {
                // Most operators put out what changes like this: old rows, then new ones of the same keys.
                let differ =
                    |old: usize, new: usize| old < deletions && deletions <= new && !self.cells_eq(old, self, new);
                if keys.insert_all_but(&self.keys, differ) {
                    return self.clone();
                }
            }
            (None, Some(diffs)) if keys.insert_all(&self.keys) => return self.with_sums(diffs),
            _ => {}
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

    /// How many rows are removed, if these come first and no difference is zero.
    fn deletions_if_first(&self) -> Option<usize> {
        let Some(diffs) = &self.diffs else {
            return Some(0);
        };
        let deletions = diffs.iter().take_while(|diff| **diff < 0).count();
        diffs[deletions..].iter().all(|diff| *diff > 0).then_some(deletions)
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::Column;
    use crate::dtype::DType;
    use crate::value::Value;
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
        fn consolidation_keeps_the_sums(
            mut updates in prop::collection::vec((0..4u128, 0..12i64, -1..=1i64), 0..120),
            are_deletions_first in any::<bool>(),
        ) {
            if are_deletions_first {
                updates.retain(|(.., diff)| *diff != 0);
                updates.sort_by_key(|(.., diff)| *diff > 0);
            }
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
            // The obvious way: each row where it came first, with its sum; removed ones before the others.
            let mut expected: Vec<(u128, i64, i64)> = Vec::new();
            for (key, value, diff) in &updates {
                match expected.iter_mut().find(|row| (row.0, row.1) == (*key, *value)) {
                    Some(row) => row.2 += diff,
                    None => expected.push((*key, *value, *diff)),
                }
            }
            expected.retain(|(.., sum)| *sum != 0);
            expected.sort_by_key(|(.., sum)| *sum > 0);
            prop_assert_eq!(&result, &expected);
            prop_assert_eq!(rows(&batch(&result).consolidated()), expected);
            for split in 0..=updates.len() {
                let parts = vec![batch(&updates[..split]), batch(&updates[split..])];
                let parts: Vec<_> = Batch::consolidate(parts).iter().flat_map(rows).collect();
                prop_assert_eq!(sums(&parts), sums(&updates));
                prop_assert_eq!(parts.len(), result.len());
            }
        }
    }
}
