//! What two inputs have in common, by join key.

use std::collections::HashMap;

use towpath_types::{BuildKeyHasher, Cells, Column, Key};

use crate::operators::side::END;
use crate::state::{Changes, Name, Saved};
use crate::store::{Slots, shrink};

/// What two inputs have in common under one join key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) key: Key,
    /// The first slot of each side.
    pub(super) heads: [u32; 2],
    /// The number of rows of each side, and what it was before the open time.
    pub(super) counts: [i64; 2],
    pub(super) before: [i64; 2],
    /// When it was last touched.
    commit: u64,
}

/// The groups, each with a number.
#[derive(Default)]
pub(super) struct Groups {
    index: HashMap<Key, u32, BuildKeyHasher>,
    slots: Slots,
    groups: Vec<Group>,
    /// The number of the open time, less one.
    commit: u64,
    touched: Vec<u32>,
    /// The sides whose rows are forgotten, while it still matters how many there are.
    counted: [bool; 2],
    /// The groups whose counts of such sides have changed, where that will be saved.
    changes: Option<Changes>,
}

impl Groups {
    /// Groups of which is noted what changes if that will be saved.
    pub(super) fn new(keeps_state: bool) -> Self {
        Self {
            changes: keeps_state.then(Changes::default),
            ..Self::default()
        }
    }

    /// The group of a join key, if there is one.
    pub(super) fn get(&self, key: &Key) -> Option<u32> {
        self.index.get(key).copied()
    }

    /// The group of a join key, made if there is none.
    pub(super) fn find(&mut self, key: Key) -> u32 {
        // Most groups are there; to ask is faster than to ask for a place.
        if let Some(number) = self.get(&key) {
            return number;
        }
        let number = self.slots.take();
        self.index.insert(key, number);
        let new = Group {
            key,
            heads: [END; 2],
            counts: [0; 2],
            before: [0; 2],
            commit: 0,
        };
        match self.groups.get_mut(number as usize) {
            // It was forgotten in the open time, in which it may have been touched.
            Some(group) if group.key == key => {}
            Some(group) => *group = new,
            None => self.groups.push(new),
        }
        number
    }

    /// Notes that a group changes in the open time; whether that is news.
    pub(super) fn touch(&mut self, group: u32) -> bool {
        let state = &mut self.groups[group as usize];
        let is_first = state.commit != self.commit + 1;
        if is_first {
            state.commit = self.commit + 1;
            state.before = state.counts;
            self.touched.push(group);
            if self.counted != [false; 2]
                && let Some(changes) = &mut self.changes
            {
                changes.put(group);
            }
        }
        is_first
    }

    /// The groups that have changed in the open time.
    pub(super) fn take_touched(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.touched)
    }

    /// Forgets the rows of a side, and the groups that only it had. `is_counted` says whether it will matter how many rows
    /// there are.
    pub(super) fn forget(&mut self, side: usize, is_counted: bool) {
        self.counted[side] = is_counted;
        let (groups, slots, changes) = (&mut self.groups, &mut self.slots, &mut self.changes);
        self.index.retain(|key, number| {
            let group = &mut groups[*number as usize];
            group.heads[side] = END;
            let may_match = group.heads[1 - side] != END;
            if !may_match {
                group.counts = [0; 2];
                slots.give_back(*number);
            }
            match changes {
                Some(changes) if !may_match => changes.remove(*number, Name::of(*key)),
                Some(changes) if is_counted => changes.put(*number),
                _ => {}
            }
            may_match
        });
    }

    /// Saves how many rows groups have of the sides whose rows are forgotten.
    pub(super) fn save(&mut self, table: u16, saved: &mut Saved) {
        let (groups, counted) = (&self.groups, self.counted);
        let Some(changes) = &mut self.changes else {
            return;
        };
        let name = |number: u32| Name::of(groups[number as usize].key);
        changes.save(table, saved, name, |numbers| {
            let counts = |side: usize| {
                let count = |number: &u32| {
                    if counted[side] {
                        groups[*number as usize].counts[side]
                    } else {
                        0
                    }
                };
                Column::new(Cells::Int(numbers.iter().map(count).collect::<Vec<i64>>().into()))
            };
            vec![counts(0), counts(1)]
        });
    }

    /// Takes how many rows a group has of sides whose rows are forgotten; of the others, of which there are rows, it is 0.
    pub(super) fn restore(&mut self, key: Key, counts: [i64; 2]) {
        let group = self.find(key);
        for (count, saved) in self[group].counts.iter_mut().zip(counts) {
            *count = if saved == 0 { *count } else { saved };
        }
        if let Some(changes) = &mut self.changes {
            changes.restored(group);
        }
    }

    /// The time ends; the groups that have lost their last row on a side may be empty.
    pub(super) fn close(&mut self, emptied: impl IntoIterator<Item = u32>) {
        for number in emptied {
            let group = self.groups[number as usize];
            if group.heads == [END; 2] && self.index.remove(&group.key).is_some() {
                self.slots.give_back(number);
                self.groups[number as usize].counts = [0; 2];
                if let Some(changes) = &mut self.changes {
                    changes.remove(number, Name::of(group.key));
                }
            }
        }
        shrink(&mut self.index);
        self.commit += 1;
    }
}

impl std::ops::Index<u32> for Groups {
    type Output = Group;

    fn index(&self, group: u32) -> &Group {
        &self.groups[group as usize]
    }
}

impl std::ops::IndexMut<u32> for Groups {
    fn index_mut(&mut self, group: u32) -> &mut Group {
        &mut self.groups[group as usize]
    }
}
