//! A side of a join whose rows may be used up: those that wait, and what has become of each so far.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use towpath_types::{Batch, BuildKeyHasher, Cells, Column, Key, Physical};

use crate::error::EngineError;
use crate::state::{self, Name, Named, Saved};
use crate::store::{CellStore, Slots};

/// The rows of a side that wait, or may be found again.
pub(super) struct OnceSide {
    pub(super) layouts: Vec<Physical>,
    cells: Vec<CellStore>,
    slots: Slots,
    keys: Vec<Key>,
    pub(super) standing: Vec<Standing>,
    /// The slots of the rows that have a join key, where rows may be removed.
    pub(super) positions: Option<HashMap<Key, u32, BuildKeyHasher>>,
    /// What has changed, where that will be saved.
    pub(super) changes: Option<Named>,
}

/// What has become of a row so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    #[default]
    New,
    /// It has been put out without a partner.
    Alone,
    /// It has had a partner.
    Met,
    /// It was removed.
    Gone,
}

impl OnceSide {
    pub(super) fn new(layouts: Vec<Physical>, append_only: bool, keeps_state: bool) -> Self {
        Self {
            positions: (!append_only).then(HashMap::default),
            changes: keeps_state.then(Named::default),
            cells: layouts.iter().copied().map(CellStore::new).collect(),
            layouts,
            slots: Slots::default(),
            keys: Vec::new(),
            standing: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, batch: &Batch) -> Vec<u32> {
        let slots: Vec<u32> = (0..batch.len()).map(|_| self.slots.take()).collect();
        self.keys.resize(self.slots.len(), Key::default());
        self.standing.resize(self.slots.len(), Standing::New);
        for (slot, key) in slots.iter().zip(batch.keys().iter()) {
            self.keys[*slot as usize] = *key;
            self.standing[*slot as usize] = Standing::New;
        }
        for (cells, column) in self.cells.iter_mut().zip(batch.columns()) {
            cells.put(&slots, column, 0..batch.len() as u32);
        }
        slots
    }

    pub(super) fn remove(&mut self, slot: u32) {
        if let Some(positions) = &mut self.positions
            && let Entry::Occupied(position) = positions.entry(self.keys[slot as usize])
            && *position.get() == slot
        {
            position.remove();
        }
        if let Some(changes) = &mut self.changes {
            changes.remove(slot);
        }
        self.cells.iter_mut().for_each(|cells| cells.clear(slot));
        self.slots.give_back(slot);
    }

    /// Something has become of a row.
    pub(super) fn stand(&mut self, slot: u32, standing: Standing) {
        if let Some(changes) = &mut self.changes
            && self.standing[slot as usize] != standing
        {
            changes.change(slot);
        }
        self.standing[slot as usize] = standing;
    }

    pub(super) fn save(&mut self, table: u16, saved: &mut Saved) {
        let Some(mut changes) = self.changes.take() else {
            return;
        };
        changes.save(table, saved, |slots| {
            let (keys, cells) = self.gather(slots);
            let has_met = |slot: &u32| i64::from(self.standing[*slot as usize] == Standing::Met);
            let met: Vec<i64> = slots.iter().map(has_met).collect();
            let mut columns = vec![Column::pointers(keys.into()), Column::new(Cells::Int(met.into()))];
            columns.extend(cells);
            columns
        });
        self.changes = Some(changes);
    }

    /// Takes rows that were saved; their slots.
    pub(super) fn restore(&mut self, rows: &Batch, owners: &[Key]) -> Result<Vec<u32>, EngineError> {
        let first = [Physical::Pointer, Physical::Int].into_iter();
        let layouts: Vec<Physical> = first.chain(self.layouts.iter().copied()).collect();
        state::check(rows, owners, &layouts)?;
        let (keys, met) = (state::keys(rows.column(0))?, state::ints(rows.column(1))?);
        let cells = rows.with_keys(keys.to_vec()).with_columns(rows.columns()[2..].to_vec());
        let slots = self.add(&cells);
        for (row, slot) in slots.iter().enumerate() {
            let name = Name {
                identity: rows.keys()[row],
                owner: owners[row],
            };
            self.standing[*slot as usize] = if met[row] == 0 { Standing::Alone } else { Standing::Met };
            if let Some(positions) = &mut self.positions {
                // Of several rows with one key, the one that came last is found.
                let is_later = |other: &u32| {
                    let changes = self.changes.as_ref();
                    changes.is_none_or(|changes| name.identity > changes.name(*other).identity)
                };
                if positions.get(&keys[row]).is_none_or(is_later) {
                    positions.insert(keys[row], *slot);
                }
            }
            if let Some(changes) = &mut self.changes {
                changes.restored(*slot, name);
            }
        }
        Ok(slots)
    }

    /// The keys and cells of slots.
    pub(super) fn gather(&self, slots: &[u32]) -> (Vec<Key>, Vec<Column>) {
        let keys = slots.iter().map(|slot| self.keys[*slot as usize]);
        (
            keys.collect(),
            self.cells.iter().map(|cells| cells.gather(slots)).collect(),
        )
    }
}
