//! Groups of rows by their grouping values, in numbered slots.

use std::collections::HashMap;

use arrow_buffer::BooleanBuffer;
use towpath_types::{Batch, BuildKeyHasher, Column, Key, Physical};

use crate::operators::keys_of;
use crate::store::{CellStore, Slots, shrink};

/// See the module.
pub(super) struct Groups {
    index: HashMap<Key, u32, BuildKeyHasher>,
    slots: Slots,
    /// For every slot: the key of its group, and the number of its rows.
    keys: Vec<Key>,
    counts: Vec<i64>,
    /// Which columns of a batch have the grouping values; those of the groups.
    columns: Vec<usize>,
    cells: Vec<CellStore>,
}

/// The groups of a batch: the slot of every row, and those that are new.
pub(super) struct Found {
    pub(super) slots: Vec<u32>,
    new_slots: Vec<u32>,
}

impl Groups {
    /// No groups; they are made by columns at these positions, in these layouts.
    pub(super) fn new(columns: impl Iterator<Item = (usize, Physical)>) -> Self {
        let (columns, cells) = columns
            .map(|(position, physical)| (position, CellStore::new(physical)))
            .unzip();
        Self {
            index: HashMap::default(),
            slots: Slots::default(),
            keys: Vec::new(),
            counts: Vec::new(),
            columns,
            cells,
        }
    }

    /// How many slots there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The positions of the grouping values in a batch.
    pub(super) fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The layouts of the grouping values.
    pub(super) fn layouts(&self) -> impl Iterator<Item = Physical> + '_ {
        self.cells.iter().map(CellStore::physical)
    }

    pub(super) fn key(&self, slot: u32) -> Key {
        self.keys[slot as usize]
    }

    /// The number of rows of each slot.
    pub(super) fn counts(&self) -> &[i64] {
        &self.counts
    }

    /// The slot of the group with this key, if there is one.
    pub(super) fn slot(&self, key: &Key) -> Option<u32> {
        self.index.get(key).copied()
    }

    /// The grouping values of slots, in one column.
    pub(super) fn gather_column(&self, column: usize, slots: &[u32]) -> Column {
        self.cells[column].gather(slots)
    }

    /// The grouping values of slots.
    pub(super) fn gather(&self, slots: &[u32]) -> impl Iterator<Item = Column> {
        self.cells.iter().map(|cells| cells.gather(slots))
    }

    /// The group of every row, new ones included. The key of the group is in the first column.
    pub(super) fn find(&mut self, batch: &Batch) -> Found {
        let keys = keys_of(batch.column(0));
        let mut slots = Vec::with_capacity(keys.len());
        let (mut new_slots, mut new_rows) = (Vec::new(), Vec::new());
        for (row, key) in keys.iter().enumerate() {
            // Most groups are there; to ask is faster than to ask for a place.
            let slot = self.index.get(key).copied().unwrap_or_else(|| {
                let slot = self.slots.take();
                self.index.insert(*key, slot);
                new_slots.push(slot);
                new_rows.push(row as u32);
                slot
            });
            slots.push(slot);
        }
        self.grow();
        for (slot, row) in new_slots.iter().zip(&new_rows) {
            self.keys[*slot as usize] = keys[*row as usize];
        }
        for (cells, position) in self.cells.iter_mut().zip(&self.columns) {
            cells.put(&new_slots, batch.column(*position), new_rows.iter().copied());
        }
        Found { slots, new_slots }
    }

    /// Makes room for the slots that were taken.
    fn grow(&mut self) {
        let len = self.slots.len();
        self.keys.resize(len, Key::default());
        self.counts.resize(len, 0);
    }

    /// Settles which float the new groups have of those that are one value.
    pub(super) fn settle_floats(&mut self, found: &Found) {
        for cells in &mut self.cells {
            cells.settle_floats(&found.new_slots);
        }
    }

    /// Where the grouping values of a batch are those of the groups in `slots`, which their keys have found: a key is a hash
    /// of 128 bits, and whoever chooses the values can choose different ones with the same. Nothing if that is everywhere.
    pub(super) fn same(&self, batch: &Batch, slots: &[u32]) -> Option<BooleanBuffer> {
        let columns = || self.columns.iter().map(|position| batch.column(*position));
        if self
            .cells
            .iter()
            .zip(columns())
            .all(|(cells, column)| cells.first_difference(slots, column).is_none())
        {
            return None;
        }
        let is_same = |row: usize| {
            self.cells
                .iter()
                .zip(columns())
                .all(|(cells, column)| cells.cell_eq(slots[row], column, row))
        };
        Some(BooleanBuffer::collect_bool(batch.len(), is_same))
    }

    /// Counts rows of groups.
    pub(super) fn count(&mut self, slots: &[u32], diffs: Option<&[i64]>) {
        match diffs {
            None => slots.iter().for_each(|slot| self.counts[*slot as usize] += 1),
            Some(diffs) => {
                for (slot, diff) in slots.iter().zip(diffs) {
                    self.counts[*slot as usize] += diff;
                }
            }
        }
    }

    /// Takes groups that were saved with their numbers of rows; their slots, or the key of one that is there twice or empty.
    pub(super) fn restore(&mut self, keys: &[Key], counts: &[i64], values: &[Column]) -> Result<Vec<u32>, Key> {
        let slots: Vec<u32> = keys.iter().map(|_| self.slots.take()).collect();
        self.grow();
        for ((key, count), slot) in keys.iter().zip(counts).zip(&slots) {
            if self.index.insert(*key, *slot).is_some() || *count <= 0 {
                return Err(*key);
            }
            self.keys[*slot as usize] = *key;
            self.counts[*slot as usize] = *count;
        }
        for (cells, column) in self.cells.iter_mut().zip(values) {
            cells.put(&slots, column, 0..keys.len() as u32);
        }
        Ok(slots)
    }

    /// Forgets a group.
    pub(super) fn forget(&mut self, slot: u32) {
        self.index.remove(&self.keys[slot as usize]);
        for cells in &mut self.cells {
            cells.clear(slot);
        }
        self.slots.give_back(slot);
    }

    /// Gives back the memory of groups that were forgotten.
    pub(super) fn shrink(&mut self) {
        shrink(&mut self.index);
        if self.index.is_empty() {
            self.cells.iter_mut().for_each(CellStore::forget_all);
        }
    }

    /// The slots of groups that have rows.
    pub(super) fn with_rows(&self) -> Vec<u32> {
        let slots = 0..self.counts.len() as u32;
        slots.filter(|slot| self.counts[*slot as usize] > 0).collect()
    }

    /// Forgets all groups.
    pub(super) fn clear(&mut self) {
        for slot in 0..self.slots.len() as u32 {
            self.cells.iter_mut().for_each(|cells| cells.clear(slot));
        }
        self.index.clear();
        self.slots = Slots::default();
        self.keys.clear();
        self.counts.clear();
    }
}
