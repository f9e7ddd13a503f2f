//! What has changed since it was saved.

use std::cell::Cell;
use std::collections::HashSet;

use towpath_types::{Column, Key, Time};

use super::name::Name;
use super::saved::Saved;

/// A slot is in the list of those that have changed.
const LISTED: u8 = 1;
/// It holds a row that has changed.
const CHANGED: u8 = 2;
/// It holds a row that was saved.
const SAVED: u8 = 4;

thread_local! {
    /// How many rows have come on this thread that were never saved.
    static NEW: Cell<usize> = const { Cell::new(0) };
}

/// How many rows have come on this thread that were never saved, since this was asked last: those of the task at work.
pub fn take_new() -> usize {
    NEW.take()
}

/// Which slots hold rows that have changed since they were saved: a few bits a slot, and a list.
#[derive(Debug, Default)]
pub struct Changes {
    marks: Vec<u8>,
    listed: Vec<u32>,
    /// Rows that were saved, and are no more.
    gone: Vec<Name>,
}

impl Changes {
    fn mark(&mut self, slot: u32) -> &mut u8 {
        let position = slot as usize;
        if position >= self.marks.len() {
            self.marks.resize(position + 1, 0);
        }
        &mut self.marks[position]
    }

    /// The row in a slot is new or has changed.
    #[inline]
    pub fn put(&mut self, slot: u32) {
        let mark = self.mark(slot);
        let before = *mark;
        *mark |= LISTED | CHANGED;
        if before & LISTED == 0 {
            self.listed.push(slot);
            if before & SAVED == 0 {
                NEW.set(NEW.get() + 1);
            }
        }
    }

    /// The row of this name leaves its slot.
    pub fn remove(&mut self, slot: u32, name: Name) {
        let mark = self.mark(slot);
        let was_saved = *mark & SAVED != 0;
        *mark &= LISTED;
        if was_saved {
            self.gone.push(name);
        }
    }

    /// The row in a slot is as it was saved.
    pub fn restored(&mut self, slot: u32) {
        *self.mark(slot) |= SAVED;
    }

    /// All rows leave their slots.
    pub fn clear(&mut self, name: impl Fn(u32) -> Name) {
        let saved = (0..self.marks.len()).filter(|slot| self.marks[*slot] & SAVED != 0);
        self.gone.extend(saved.map(|slot| name(slot as u32)));
        self.marks = Vec::new();
        self.listed = Vec::new();
    }

    /// Saves what has changed: `name` says what the row in a slot is called, `cells` which columns it is saved in.
    pub fn save(
        &mut self,
        table: u16,
        saved: &mut Saved,
        name: impl Fn(u32) -> Name,
        cells: impl FnOnce(&[u32]) -> Vec<Column>,
    ) {
        let mut slots = std::mem::take(&mut self.listed);
        slots.retain(|slot| {
            let mark = &mut self.marks[*slot as usize];
            let is_changed = *mark & CHANGED != 0;
            *mark &= SAVED;
            if is_changed {
                *mark = SAVED;
            }
            is_changed
        });
        let names: Vec<Name> = slots.iter().map(|slot| name(*slot)).collect();
        let mut gone = std::mem::take(&mut self.gone);
        if !gone.is_empty() {
            // What has come back since is said to be there.
            let put: HashSet<&Name> = names.iter().collect();
            gone.retain(|name| !put.contains(name));
            saved.remove(table, &gone);
        }
        if !slots.is_empty() {
            let columns = cells(&slots);
            saved.put_named(table, &names, columns);
        }
    }
}

/// [`Changes`] of rows that have no name of their own: they are called by the time at which they came and their number in
/// it. Any number of rows may be alike.
#[derive(Debug, Default)]
pub struct Named {
    names: Vec<Name>,
    changes: Changes,
    time: Time,
    next: u64,
}

impl Named {
    /// What comes next is of this time.
    pub fn open(&mut self, time: Time) {
        if time != self.time {
            (self.time, self.next) = (time, 0);
        }
    }

    fn set(&mut self, slot: u32, name: Name) {
        let position = slot as usize;
        if position >= self.names.len() {
            self.names.resize(position + 1, Name::default());
        }
        self.names[position] = name;
    }

    /// A new row of an owner is in a slot.
    #[inline(never)]
    pub fn add(&mut self, slot: u32, owner: Key) {
        let identity = Key(u128::from(self.time) << u64::BITS | u128::from(self.next));
        self.next += 1;
        self.set(slot, Name { identity, owner });
        self.changes.put(slot);
    }

    /// The row in a slot has changed.
    pub fn change(&mut self, slot: u32) {
        self.changes.put(slot);
    }

    /// The row leaves its slot; one that was not added here has not been saved either.
    #[inline(never)]
    pub fn remove(&mut self, slot: u32) {
        let name = self.names.get(slot as usize).copied().unwrap_or_default();
        self.changes.remove(slot, name);
    }

    /// The row in a slot is as it was saved under this name.
    pub fn restored(&mut self, slot: u32, name: Name) {
        self.set(slot, name);
        self.changes.restored(slot);
    }

    /// What the row in a slot is called.
    pub fn name(&self, slot: u32) -> Name {
        self.names[slot as usize]
    }

    /// All rows leave their slots.
    pub fn clear(&mut self) {
        let names = std::mem::take(&mut self.names);
        self.changes.clear(|slot| names[slot as usize]);
    }

    /// Saves what has changed, in the columns that `cells` makes.
    pub fn save(&mut self, table: u16, saved: &mut Saved, cells: impl FnOnce(&[u32]) -> Vec<Column>) {
        let names = &self.names;
        self.changes.save(table, saved, |slot| names[slot as usize], cells);
    }
}

/// What was touched since it was saved, where it has no slot: what there is of it now is looked up when it is saved.
#[derive(Debug)]
pub struct Touched<T> {
    items: Vec<T>,
    /// How many were left when they were last looked through.
    distinct: usize,
}

impl<T> Default for Touched<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            distinct: 0,
        }
    }
}

impl<T: Ord> Touched<T> {
    /// So many more than there were are not looked through.
    const SLACK: usize = 1 << 10;

    /// Something was touched.
    #[inline(never)]
    pub fn push(&mut self, item: T) {
        if self.items.len() >= 2 * self.distinct + Self::SLACK {
            self.settle();
        }
        self.items.push(item);
    }

    fn settle(&mut self) {
        self.items.sort_unstable();
        self.items.dedup();
        self.distinct = self.items.len();
    }

    /// All of it, each once.
    pub fn take(&mut self) -> Vec<T> {
        self.settle();
        self.distinct = 0;
        std::mem::take(&mut self.items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use towpath_types::{DType, Value};

    fn column(slots: &[u32]) -> Vec<Column> {
        let values: Vec<Value> = slots.iter().map(|slot| Value::Int(i64::from(*slot))).collect();
        vec![Column::from_values(&DType::Int, &values)]
    }

    fn saved(changes: &mut Changes) -> Vec<(u128, i64)> {
        let mut saved = Saved::default();
        changes.save(0, &mut saved, |slot| Name::of(Key(u128::from(slot))), column);
        let rows = saved.into_rows();
        let rows = rows
            .iter()
            .flat_map(|rows| (0..rows.rows.len()).map(|row| (rows.rows.keys()[row].0, rows.rows.diff(row))));
        rows.collect()
    }

    #[test]
    fn only_what_has_changed_is_said_again() {
        let mut changes = Changes::default();
        let name = |slot| Name::of(Key(slot));
        (0..3).for_each(|slot| changes.put(slot));
        // It has come and gone, and another has taken its slot.
        changes.remove(1, name(1));
        changes.put(1);
        changes.remove(2, name(2));
        assert_eq!(saved(&mut changes), [(0, 1), (1, 1)]);
        assert_eq!(saved(&mut changes), []);
        changes.remove(0, name(0));
        changes.remove(1, name(1));
        changes.put(1);
        changes.restored(7);
        assert_eq!(saved(&mut changes), [(0, -1), (1, 1)]);
        changes.remove(7, name(7));
        changes.clear(|slot| Name::of(Key(u128::from(slot))));
        assert_eq!(saved(&mut changes), [(7, -1), (1, -1)]);
        assert_eq!(saved(&mut changes), []);
    }

    #[test]
    fn what_is_touched_again_and_again_takes_little_room() {
        let mut touched = Touched::default();
        (0..100_000).for_each(|item| touched.push(item % 10));
        assert!(touched.items.capacity() < 4096);
        assert_eq!(touched.take(), (0..10).collect::<Vec<_>>());
        assert!(touched.take().is_empty());
    }
}
