//! One side of a join: rows in slots, those of one group linked.
//!
//! A saved row has its key, how often it is there, and the cells; its identity is the time at which it came and its number
//! in it, its owner the join key.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use towpath_types::{Batch, BuildKeyHasher, Cells, Column, Key, Physical, Time, hash_columns};

use crate::error::EngineError;
use crate::state::{self, Name, Named, Saved};
use crate::store::{CellStore, Slots};

/// The end of a list of slots.
pub(super) const END: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Link {
    key: Key,
    /// Negative while a removal has come before what it removes, at one time.
    count: i64,
    /// What finds the row in the index.
    hash: u64,
    group: u32,
    next: u32,
    previous: u32,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Side {
    cells: Vec<CellStore>,
    links: Vec<Link>,
    slots: Slots,
    /// Slots by hashes of their rows, to find what is removed; not kept if nothing ever is.
    index: Option<HashTable<u32>>,
    /// Whether a key has one row, so that its hash finds the row; otherwise any number of rows may share a key.
    unique_keys: bool,
    negatives: usize,
    /// Groups that have lost their last row here.
    emptied: Vec<u32>,
    /// What has changed, where that will be saved.
    changes: Option<Box<Named>>,
}

fn hash(key: Key) -> u64 {
    BuildKeyHasher.hash_one(key)
}

impl Side {
    pub(super) fn new(layouts: &[Physical], append_only: bool, unique_keys: bool) -> Self {
        Self {
            cells: layouts.iter().copied().map(CellStore::new).collect(),
            links: Vec::new(),
            slots: Slots::default(),
            index: (!append_only).then(HashTable::new),
            unique_keys,
            negatives: 0,
            emptied: Vec::new(),
            changes: None,
        }
    }

    /// The same; notes what changes if that will be saved.
    pub(super) fn keeping(self, keeps_state: bool) -> Self {
        Self {
            changes: keeps_state.then(Box::default),
            ..self
        }
    }

    pub(super) fn keeps_state(&self) -> bool {
        self.changes.is_some()
    }

    /// What comes next is of this time.
    pub(super) fn open(&mut self, time: Time) {
        if let Some(changes) = &mut self.changes {
            changes.open(time);
        }
    }

    /// Forgets all rows; those that come will not be sought.
    pub(super) fn forget(&mut self) {
        let mut changes = self.changes.take();
        if let Some(changes) = &mut changes {
            changes.clear();
        }
        let layouts: Vec<Physical> = self.layouts().collect();
        *self = Self {
            changes,
            ..Self::new(&layouts, true, false)
        };
    }

    fn layouts(&self) -> impl Iterator<Item = Physical> + '_ {
        self.cells.iter().map(CellStore::physical)
    }

    /// Saves the rows that have changed.
    pub(super) fn save(&mut self, table: u16, saved: &mut Saved) {
        let Some(mut changes) = self.changes.take() else {
            return;
        };
        changes.save(table, saved, |slots| {
            let keys: Vec<Key> = slots.iter().map(|slot| self.key(*slot)).collect();
            let counts: Vec<i64> = slots.iter().map(|slot| self.count(*slot)).collect();
            let mut columns = vec![Column::pointers(keys.into()), Column::new(Cells::Int(counts.into()))];
            columns.extend(self.gather(slots));
            columns
        });
        self.changes = Some(changes);
    }

    /// What was saved of rows: with their keys, the counts as differences.
    pub(super) fn saved_rows(&self, rows: &Batch, owners: &[Key]) -> Result<Batch, EngineError> {
        let layouts: Vec<Physical> = [Physical::Pointer, Physical::Int]
            .into_iter()
            .chain(self.layouts())
            .collect();
        state::check(rows, owners, &layouts)?;
        let (keys, counts) = (state::keys(rows.column(0))?, state::ints(rows.column(1))?);
        // Of rows that are alike, one may owe what another has.
        if counts.contains(&0) {
            return Err(state::unreadable("a row is not there"));
        }
        Ok(Batch::new(
            keys.to_vec(),
            rows.columns()[2..].to_vec(),
            Some(counts.to_vec().into()),
        ))
    }

    /// Takes rows of groups that were saved under these names.
    pub(super) fn restore(
        &mut self,
        batch: &Batch,
        groups: &[u32],
        names: impl Iterator<Item = Name>,
        mut head: impl FnMut(u32, u32) -> u32,
    ) {
        let hashes = self.hashes(batch, groups);
        let insert = |(row, group): (usize, &u32)| self.insert(batch, row, *group, &hashes, &mut head);
        let mut slots: Vec<u32> = groups.iter().enumerate().map(insert).collect();
        self.negatives += (0..batch.len()).filter(|row| batch.diff(*row) < 0).count();
        if let Some(changes) = &mut self.changes {
            for (slot, name) in slots.iter().zip(names) {
                changes.restored(*slot, name);
            }
        }
        self.write(batch, &mut slots, &mut (0..batch.len() as u32).collect());
    }

    pub(super) fn count(&self, slot: u32) -> i64 {
        self.links[slot as usize].count
    }

    pub(super) fn next(&self, slot: u32) -> u32 {
        self.links[slot as usize].next
    }

    pub(super) fn key(&self, slot: u32) -> Key {
        self.links[slot as usize].key
    }

    pub(super) fn gather(&self, slots: &[u32]) -> Vec<Column> {
        self.cells.iter().map(|cells| cells.gather(slots)).collect()
    }

    /// The rows in `slots` with the given differences.
    pub(super) fn rows(&self, slots: &[u32], diffs: Vec<i64>) -> Batch {
        let keys: Vec<Key> = slots.iter().map(|slot| self.key(*slot)).collect();
        Batch::new(keys, self.gather(slots), Some(diffs.into()))
    }

    /// Gives memory back when most rows are gone.
    pub(super) fn shrink(&mut self) {
        if self.slots.is_empty() {
            self.cells.iter_mut().for_each(CellStore::forget_all);
            self.links = Vec::new();
        }
        let links = &self.links;
        if let Some(index) = &mut self.index
            && index.capacity() > 1 << 10
            && index.len() < index.capacity() / 8
        {
            index.shrink_to(index.len() * 2, |slot| links[*slot as usize].hash);
        }
    }

    pub(super) fn take_emptied(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.emptied)
    }

    /// Adds and removes rows of groups. `head(group, slot)` makes a slot the first of a group, and returns the one
    /// that was. `owners` are the keys of the groups, where the state is saved.
    pub(super) fn add(&mut self, batch: &Batch, groups: &[u32], owners: &[Key], mut head: impl FnMut(u32, u32) -> u32) {
        let (mut slots, mut rows) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
        let hashes = self.hashes(batch, groups);
        for (row, group) in groups.iter().enumerate() {
            let diff = batch.diff(row);
            if (diff < 0 || self.negatives > 0) && self.index.is_some() {
                // What is sought may be among the rows that are still to be written.
                self.write(batch, &mut slots, &mut rows);
                if let Some(slot) = self.find(batch, row, *group, hashes[row]) {
                    self.change(slot, diff, &mut head);
                    continue;
                }
            }
            self.negatives += usize::from(diff < 0);
            let slot = self.insert(batch, row, *group, &hashes, &mut head);
            if let Some(changes) = &mut self.changes {
                changes.add(slot, owners[row]);
            }
            slots.push(slot);
            rows.push(row as u32);
        }
        self.write(batch, &mut slots, &mut rows);
    }

    /// Gives a row a slot, whose cells are still to be written.
    #[inline]
    fn insert(
        &mut self,
        batch: &Batch,
        row: usize,
        group: u32,
        hashes: &[u64],
        head: &mut impl FnMut(u32, u32) -> u32,
    ) -> u32 {
        let slot = self.slots.take();
        let first = head(group, slot);
        let link = Link {
            key: batch.keys()[row],
            count: batch.diff(row),
            hash: hashes.get(row).copied().unwrap_or_default(),
            group,
            next: first,
            previous: END,
        };
        match self.links.get_mut(slot as usize) {
            Some(position) => *position = link,
            None => self.links.push(link),
        }
        if first != END {
            self.links[first as usize].previous = slot;
        }
        if let Some(index) = &mut self.index {
            let links = &self.links;
            index.insert_unique(link.hash, slot, |slot| links[*slot as usize].hash);
        }
        slot
    }

    fn write(&mut self, batch: &Batch, slots: &mut Vec<u32>, rows: &mut Vec<u32>) {
        for (cells, column) in self.cells.iter_mut().zip(batch.columns()) {
            cells.put(slots, column, rows.iter().copied());
        }
        slots.clear();
        rows.clear();
    }

    /// What finds each row of a batch in the index; nothing if there is none.
    fn hashes(&self, batch: &Batch, groups: &[u32]) -> Vec<u64> {
        let keys = batch.keys().iter().map(|key| hash(*key));
        if self.index.is_none() {
            return Vec::new();
        }
        if self.unique_keys {
            return keys.collect();
        }
        let columns: Vec<&Column> = batch.columns().iter().collect();
        let cells = hash_columns(&columns, batch.len());
        keys.zip(groups.iter().zip(cells))
            .map(|(key, (group, cells))| {
                key.rotate_left(32) ^ hash(cells) ^ u64::from(*group).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            })
            .collect()
    }

    /// A slot with the same row.
    fn find(&self, batch: &Batch, row: usize, group: u32, hash: u64) -> Option<u32> {
        let key = batch.keys()[row];
        let is_same = |slot: &u32| {
            let link = &self.links[*slot as usize];
            link.key == key
                && link.group == group
                && self
                    .cells
                    .iter()
                    .zip(batch.columns())
                    .all(|(cells, column)| cells.cell_eq(*slot, column, row))
        };
        self.index.as_ref()?.find(hash, is_same).copied()
    }

    fn change(&mut self, slot: u32, diff: i64, head: &mut impl FnMut(u32, u32) -> u32) {
        let link = &mut self.links[slot as usize];
        let before = link.count;
        link.count += diff;
        let link = *link;
        self.negatives += usize::from(link.count < 0 && before >= 0);
        self.negatives -= usize::from(link.count >= 0 && before < 0);
        if let Some(changes) = &mut self.changes {
            match link.count {
                0 => changes.remove(slot),
                _ => changes.change(slot),
            }
        }
        if link.count != 0 {
            return;
        }
        if link.next != END {
            self.links[link.next as usize].previous = link.previous;
        }
        if link.previous != END {
            self.links[link.previous as usize].next = link.next;
        } else {
            head(link.group, link.next);
            if link.next == END {
                self.emptied.push(link.group);
            }
        }
        if let Some(index) = &mut self.index
            && let Ok(entry) = index.find_entry(link.hash, |other| *other == slot)
        {
            entry.remove();
        }
        for cells in &mut self.cells {
            cells.clear(slot);
        }
        self.slots.give_back(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use towpath_types::{DType, Value};

    #[test]
    fn many_rows_of_one_key_are_found() {
        // It would take minutes if a row were sought among all of its key.
        let count = 100_000;
        let batch = |values: Vec<i64>, diff: i64| {
            let cells: Vec<Value> = values.iter().copied().map(Value::Int).collect();
            let columns = vec![Column::from_values(&DType::Int, &cells)];
            Batch::new(
                vec![Key(7); values.len()],
                columns,
                Some(vec![diff; values.len()].into()),
            )
        };
        let mut side = Side::new(&[Physical::Int], false, false);
        let mut first = END;
        let mut change = |values: Vec<i64>, diff: i64| {
            let groups = vec![0; values.len()];
            side.add(&batch(values, diff), &groups, &[], |_, head| {
                std::mem::replace(&mut first, head)
            });
        };
        change((0..count).collect(), 1);
        change((0..count).filter(|value| value % 20_000 != 0).collect(), -1);
        let mut left = Vec::new();
        let mut slot = first;
        while slot != END {
            assert_eq!(side.count(slot), 1);
            left.push(slot);
            slot = side.next(slot);
        }
        let expected = [80_000, 60_000, 40_000, 20_000, 0].map(Value::Int);
        assert_eq!(side.gather(&left)[0], Column::from_values(&DType::Int, &expected));
    }
}
