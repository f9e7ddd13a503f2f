//! A table in memory: rows by their keys.

use std::collections::{BTreeMap, HashMap};

use towpath_types::{Batch, BuildKeyHasher, Column, Key, Physical};

use super::cells::CellStore;
use super::shrink;
use crate::error::{EngineError, ErrorKind, RowError};

/// Hands out slots, those that were given back first.
#[derive(Debug, Default)]
pub struct Slots {
    free: Vec<u32>,
    len: u32,
}

impl Slots {
    /// A slot nobody uses.
    pub fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.len += 1;
            self.len - 1
        })
    }

    /// Gives a slot back. When all have been, they begin anew.
    pub fn give_back(&mut self, slot: u32) {
        self.free.push(slot);
        if self.free.len() == self.len as usize {
            *self = Self::default();
        }
    }

    /// How many slots there have been at once since there were none.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether no slot is taken.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// A table in memory. A key should have one row; where it has several, it is one of errors while that is so.
#[derive(Debug)]
pub struct KeyedRows {
    index: HashMap<Key, u32, BuildKeyHasher>,
    cells: Vec<CellStore>,
    slots: Slots,
    /// The rows of keys that have several.
    several: HashMap<Key, Vec<u32>, BuildKeyHasher>,
    /// A row of errors, once it was needed.
    errors: Option<u32>,
}

/// Two rows for one key, which come or go.
pub(crate) fn duplicated(key: Key, diff: i64) -> RowError {
    RowError::new(ErrorKind::Key, format!("duplicated entries for key {key}")).of(key, diff)
}

impl KeyedRows {
    /// An empty table with columns of the given layouts.
    pub fn new(layouts: impl IntoIterator<Item = Physical>) -> Self {
        Self {
            index: HashMap::default(),
            cells: layouts.into_iter().map(CellStore::new).collect(),
            slots: Slots::default(),
            several: HashMap::default(),
            errors: None,
        }
    }

    /// The slot of the row of a key.
    pub fn get(&self, key: &Key) -> Option<u32> {
        self.index.get(key).copied()
    }

    /// The cells of the rows in `slots`, in that order.
    pub fn gather(&self, slots: &[u32]) -> Vec<Column> {
        self.cells.iter().map(|cells| cells.gather(slots)).collect()
    }

    /// The cells of one column of the rows in `slots`, in that order.
    pub fn gather_column(&self, column: usize, slots: &[u32]) -> Column {
        self.cells[column].gather(slots)
    }

    /// Whether the row in a slot equals a row of a batch.
    pub fn row_eq(&self, slot: u32, batch: &Batch, row: usize) -> bool {
        self.cells
            .iter()
            .zip(batch.columns())
            .all(|(cells, column)| cells.cell_eq(slot, column, row))
    }

    /// Applies the updates of one time, of which deletions come first. Returns the keys that got a second row or lost it.
    ///
    /// # Errors
    /// If a key that has no row loses it.
    pub fn apply(&mut self, updates: &Batch) -> Result<Vec<RowError>, EngineError> {
        let mut slots = Vec::with_capacity(updates.len());
        let mut rows = Vec::with_capacity(updates.len());
        let mut touched = Vec::new();
        for row in 0..updates.len() {
            let key = updates.keys()[row];
            let diff = updates.diff(row);
            for _ in diff..0 {
                self.remove(key, updates, row, &mut touched)?;
            }
            for _ in 0..diff {
                let slot = self.slots.take();
                slots.push(slot);
                rows.push(row as u32);
                if let Some(first) = self.index.insert(key, slot) {
                    touched.push((key, self.add_second(key, first, slot)));
                }
            }
        }
        self.put(&slots, updates, &rows);
        shrink(&mut self.index);
        if self.index.is_empty() {
            self.errors = None;
            self.slots = Slots::default();
            self.cells.iter_mut().for_each(CellStore::forget_all);
        }
        // Within a time, a key may have several rows for a while.
        let mut before: BTreeMap<Key, bool> = BTreeMap::new();
        for (key, had_several) in touched {
            before.entry(key).or_insert(had_several);
        }
        let changed = before.into_iter().filter_map(|(key, before)| {
            let now = self.several.contains_key(&key);
            (before != now).then(|| duplicated(key, if now { 1 } else { -1 }))
        });
        Ok(changed.collect())
    }

    /// Gives a key a row besides the one it has, or the several; whether it had several before.
    fn add_second(&mut self, key: Key, first: u32, slot: u32) -> bool {
        let errors = *self.errors.get_or_insert_with(|| {
            let slot = self.slots.take();
            for cells in &mut self.cells {
                cells.put_error(slot);
            }
            slot
        });
        self.index.insert(key, errors);
        let several = self.several.entry(key).or_default();
        let had_several = !several.is_empty();
        if !had_several {
            several.push(first);
        }
        several.push(slot);
        had_several
    }

    fn put(&mut self, slots: &[u32], batch: &Batch, rows: &[u32]) {
        for (cells, column) in self.cells.iter_mut().zip(batch.columns()) {
            cells.put(slots, column, rows.iter().copied());
        }
    }

    fn remove(
        &mut self,
        key: Key,
        updates: &Batch,
        row: usize,
        touched: &mut Vec<(Key, bool)>,
    ) -> Result<(), EngineError> {
        let slot = match self.several.get_mut(&key) {
            None => self.index.remove(&key),
            Some(several) => {
                touched.push((key, true));
                let cells = &self.cells;
                let is_same = |slot: &u32| {
                    let mut columns = cells.iter().zip(updates.columns());
                    columns.all(|(cells, column)| cells.cell_eq(*slot, column, row))
                };
                let position = several.iter().position(is_same);
                let slot = position.map(|position| several.remove(position));
                if let [last] = several[..] {
                    self.index.insert(key, last);
                    self.several.remove(&key);
                }
                slot
            }
        };
        let Some(slot) = slot else {
            let message = format!("a row is removed that is not there, key: {key}");
            return Err(EngineError::new(ErrorKind::Key, message));
        };
        debug_assert!(self.row_eq(slot, updates, row), "a row is removed as it was added");
        for cells in &mut self.cells {
            cells.clear(slot);
        }
        self.slots.give_back(slot);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use towpath_types::{Column, DType, Value};

    fn updates(rows: &[(u128, i64, i64)]) -> Batch {
        let values: Vec<Value> = rows.iter().map(|(_, value, _)| Value::Int(*value)).collect();
        let keys: Vec<Key> = rows.iter().map(|(key, ..)| Key(*key)).collect();
        let diffs: Vec<i64> = rows.iter().map(|(.., diff)| *diff).collect();
        Batch::new(
            keys,
            vec![Column::from_values(&DType::Int, &values)],
            Some(diffs.into()),
        )
    }

    #[test]
    fn a_key_with_several_rows_is_one_of_errors_while_it_has_them() {
        let mut rows = KeyedRows::new([Physical::Int]);
        let mut apply = |changes: &[(u128, i64, i64)]| {
            let changed = rows.apply(&updates(changes)).expect("what is removed is there");
            let value = rows.get(&Key(1)).map(|slot| rows.gather_column(0, &[slot]).value(0));
            (changed.iter().map(|error| error.diff).collect::<Vec<_>>(), value)
        };
        assert_eq!(apply(&[(1, 10, 1)]), (vec![], Some(Value::Int(10))));
        assert_eq!(apply(&[(1, 11, 1), (2, 5, 1)]), (vec![1], Some(Value::Error)));
        assert_eq!(apply(&[(1, 12, 1)]), (vec![], Some(Value::Error)));
        assert_eq!(apply(&[(1, 10, -1), (1, 12, -1)]), (vec![-1], Some(Value::Int(11))));
        assert_eq!(apply(&[(1, 11, -1), (1, 13, 1)]), (vec![], Some(Value::Int(13))));
        assert_eq!(apply(&[(1, 13, -1)]), (vec![], None));
        assert_eq!(
            rows.get(&Key(2)).map(|slot| rows.gather_column(0, &[slot]).value(0)),
            Some(Value::Int(5))
        );
        assert!(rows.apply(&updates(&[(3, 1, -1)])).is_err());
    }

    #[test]
    fn memory_that_is_given_up_is_given_back() {
        let mut rows = KeyedRows::new([Physical::Int]);
        let many = |diff: i64, from: u128| updates(&(from..20_000).map(|key| (key, 1, diff)).collect::<Vec<_>>());
        rows.apply(&many(1, 0)).expect("they are new");
        assert!(rows.index.capacity() >= 20_000);
        rows.apply(&many(-1, 10)).expect("they are there");
        assert!(rows.index.capacity() < 2_000 && rows.get(&Key(9)).is_some());
        rows.apply(&many(-1, 19_990).negated()).expect("they are new");
        rows.apply(&updates(
            &(0..10)
                .chain(19_990..20_000)
                .map(|key| (key, 1, -1))
                .collect::<Vec<_>>(),
        ))
        .expect("they are there");
        assert!(rows.slots.is_empty() && rows.cells[0].bytes() == 0);
    }
}
