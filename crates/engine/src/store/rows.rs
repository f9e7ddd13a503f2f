//! A table in memory: rows by their keys.

use std::collections::{BTreeMap, HashMap};

use towpath_types::{Batch, BuildKeyHasher, Column, Key, Physical};

use super::cells::CellStore;
use super::shrink;
use super::slots::Slots;
use crate::error::{EngineError, ErrorKind, RowError};
use crate::state::{self, Changes, Name, Saved};

/// A table in memory. A key should have one row; where it has several, it is one of errors while that is so.
///
/// | saved | columns | identity | owner |
/// |---|---|---|---|
/// | the only row of a key | cells | key | key |
/// | one of several | cells | its number among them | key |
#[derive(Debug)]
pub struct KeyedRows {
    index: HashMap<Key, u32, BuildKeyHasher>,
    layouts: Vec<Physical>,
    cells: Vec<CellStore>,
    slots: Slots,
    /// The rows of keys that have several, each with a number among them; those grow.
    several: HashMap<Key, Vec<(u32, u32)>, BuildKeyHasher>,
    /// A row of errors, once it was needed.
    errors: Option<u32>,
    /// What has changed, where the state is saved.
    changes: Option<Box<RowChanges>>,
}

/// What has changed of a table.
#[derive(Debug, Default)]
struct RowChanges {
    /// The key of the row in each slot.
    keys: Vec<Key>,
    /// The number of each row that is one of several.
    numbers: HashMap<u32, u32>,
    /// The only rows of their keys.
    only: Changes,
    several: Changes,
}

impl RowChanges {
    fn name_of_several(key: Key, number: u32) -> Name {
        Name {
            identity: Key(u128::from(number)),
            owner: key,
        }
    }

    fn set_key(&mut self, slot: u32, key: Key) {
        let position = slot as usize;
        if position >= self.keys.len() {
            self.keys.resize(position + 1, Key::default());
        }
        self.keys[position] = key;
    }

    #[inline(never)]
    fn add(&mut self, slot: u32, key: Key) {
        self.set_key(slot, key);
        self.only.put(slot);
    }

    #[inline(never)]
    fn remove(&mut self, slot: u32, key: Key) {
        self.only.remove(slot, Name::of(key));
    }

    fn add_to_several(&mut self, slot: u32, key: Key, number: u32) {
        self.set_key(slot, key);
        self.numbers.insert(slot, number);
        self.several.put(slot);
    }

    fn remove_from_several(&mut self, slot: u32, key: Key, number: u32) {
        self.numbers.remove(&slot);
        self.several.remove(slot, Self::name_of_several(key, number));
    }
}

/// Two rows for one key, which come or go.
pub(crate) fn duplicated(key: Key, diff: i64) -> RowError {
    RowError::new(ErrorKind::Key, format!("duplicated entries for key {key}")).of(key, diff)
}

impl KeyedRows {
    /// An empty table with columns of the given layouts.
    pub fn new(layouts: impl IntoIterator<Item = Physical>) -> Self {
        let layouts: Vec<Physical> = layouts.into_iter().collect();
        Self {
            index: HashMap::default(),
            cells: layouts.iter().copied().map(CellStore::new).collect(),
            layouts,
            slots: Slots::default(),
            several: HashMap::default(),
            errors: None,
            changes: None,
        }
    }

    /// The same; notes what changes if that will be saved.
    #[must_use]
    pub fn keeping(self, keeps_state: bool) -> Self {
        Self {
            changes: keeps_state.then(Box::default),
            ..self
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
                } else if let Some(changes) = &mut self.changes {
                    changes.add(slot, key);
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
        let errors = self.errors();
        self.index.insert(key, errors);
        let several = self.several.entry(key).or_default();
        let had_several = !several.is_empty();
        if !had_several {
            several.push((first, 0));
            if let Some(changes) = &mut self.changes {
                changes.remove(first, key);
                changes.add_to_several(first, key, 0);
            }
        }
        let number = several.last().map_or(0, |(_, number)| number + 1);
        several.push((slot, number));
        if let Some(changes) = &mut self.changes {
            changes.add_to_several(slot, key, number);
        }
        had_several
    }

    /// The slot of the row of errors.
    fn errors(&mut self) -> u32 {
        *self.errors.get_or_insert_with(|| {
            let slot = self.slots.take();
            for cells in &mut self.cells {
                cells.put_error(slot);
            }
            slot
        })
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
        let changes = &mut self.changes;
        let slot = match self.several.get_mut(&key) {
            None => {
                let slot = self.index.remove(&key);
                if let (Some(changes), Some(slot)) = (changes, slot) {
                    changes.remove(slot, key);
                }
                slot
            }
            Some(several) => {
                touched.push((key, true));
                let cells = &self.cells;
                let is_same = |(slot, _): &(u32, u32)| {
                    let mut columns = cells.iter().zip(updates.columns());
                    columns.all(|(cells, column)| cells.cell_eq(*slot, column, row))
                };
                let position = several.iter().position(is_same);
                let slot = position.map(|position| several.remove(position));
                if let (Some(changes), Some((slot, number))) = (changes.as_mut(), slot) {
                    changes.remove_from_several(slot, key, number);
                }
                if let [(last, number)] = several[..] {
                    self.index.insert(key, last);
                    self.several.remove(&key);
                    if let Some(changes) = changes {
                        changes.remove_from_several(last, key, number);
                        changes.add(last, key);
                    }
                }
                slot.map(|(slot, _)| slot)
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

    /// Saves what has changed as the tables `table` and `table + 1`.
    pub fn save(&mut self, table: u16, saved: &mut Saved) {
        let Some(changes) = &mut self.changes else {
            return;
        };
        let RowChanges {
            keys,
            numbers,
            only,
            several,
        } = &mut **changes;
        let gather = |slots: &[u32]| self.cells.iter().map(|cells| cells.gather(slots)).collect();
        only.save(table, saved, |slot| Name::of(keys[slot as usize]), gather);
        let name = |slot| RowChanges::name_of_several(keys[slot as usize], numbers[&slot]);
        several.save(table + 1, saved, name, gather);
    }

    /// Takes rows that were saved as one of the two tables; `of_several` says which.
    ///
    /// # Errors
    /// If they are not rows of such a table.
    pub fn restore(&mut self, of_several: bool, rows: &Batch, owners: &[Key]) -> Result<(), EngineError> {
        state::check(rows, owners, &self.layouts)?;
        let slots: Vec<u32> = owners.iter().map(|_| self.slots.take()).collect();
        let all: Vec<u32> = (0..rows.len() as u32).collect();
        self.put(&slots, rows, &all);
        for ((slot, key), identity) in slots.into_iter().zip(owners).zip(rows.keys().iter()) {
            let number = u32::try_from(identity.0).unwrap_or(u32::MAX);
            let is_free = match self.several.get(key) {
                Some(_) => of_several,
                None => !self.index.contains_key(key),
            };
            if !is_free {
                return Err(state::unreadable(format_args!("the key {key} has a row already")));
            }
            if of_several {
                let errors = self.errors();
                self.index.insert(*key, errors);
                let several = self.several.entry(*key).or_default();
                let position = several.partition_point(|(_, other)| *other < number);
                several.insert(position, (slot, number));
            } else {
                self.index.insert(*key, slot);
            }
            if let Some(changes) = &mut self.changes {
                changes.set_key(slot, *key);
                if of_several {
                    changes.numbers.insert(slot, number);
                    changes.several.restored(slot);
                } else {
                    changes.only.restored(slot);
                }
            }
        }
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
