//! A table in memory: rows by their keys.

use std::collections::HashMap;

use towpath_types::{Batch, BuildKeyHasher, Column, Key, Physical};

use super::cells::CellStore;
use crate::error::{EngineError, ErrorKind};

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

    /// Gives a slot back.
    pub fn give_back(&mut self, slot: u32) {
        self.free.push(slot);
    }

    /// How many slots there have ever been at once.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether no slot was ever taken.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// A table in memory, with at most one row for a key.
#[derive(Debug)]
pub struct KeyedRows {
    index: HashMap<Key, u32, BuildKeyHasher>,
    cells: Vec<CellStore>,
    slots: Slots,
}

/// Two rows for one key.
pub(crate) fn duplicated(key: Key) -> EngineError {
    EngineError::new(ErrorKind::Key, format!("duplicated entries for key {key}"))
}

impl KeyedRows {
    /// An empty table with columns of the given layouts.
    pub fn new(layouts: impl IntoIterator<Item = Physical>) -> Self {
        Self {
            index: HashMap::default(),
            cells: layouts.into_iter().map(CellStore::new).collect(),
            slots: Slots::default(),
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

    /// Applies the updates of one time, of which deletions come first.
    ///
    /// # Errors
    /// If a key gets a second row, or one that has no row loses it.
    pub fn apply(&mut self, updates: &Batch) -> Result<(), EngineError> {
        let mut slots = Vec::with_capacity(updates.len());
        let mut rows = Vec::with_capacity(updates.len());
        for row in 0..updates.len() {
            let key = updates.keys()[row];
            match updates.diff(row) {
                -1 => {
                    let slot = self.remove(&key).ok_or_else(|| {
                        EngineError::new(
                            ErrorKind::Key,
                            format!("a row is removed that is not there, key: {key}"),
                        )
                    })?;
                    debug_assert!(self.row_eq(slot, updates, row), "a row is removed as it was added");
                }
                1 => {
                    let slot = self.slots.take();
                    if self.index.insert(key, slot).is_some() {
                        return Err(duplicated(key));
                    }
                    slots.push(slot);
                    rows.push(row as u32);
                }
                _ => return Err(duplicated(key)),
            }
        }
        self.put(&slots, updates, &rows);
        Ok(())
    }

    fn put(&mut self, slots: &[u32], batch: &Batch, rows: &[u32]) {
        for (cells, column) in self.cells.iter_mut().zip(batch.columns()) {
            cells.put(slots, column, rows.iter().copied());
        }
    }

    fn remove(&mut self, key: &Key) -> Option<u32> {
        let slot = self.index.remove(key)?;
        self.slots.give_back(slot);
        Some(slot)
    }
}
