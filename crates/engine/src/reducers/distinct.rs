//! `count_distinct`: how many different values, or tuples of values, there are; `None` is one.

use std::collections::HashMap;

use arrow_array::Int64Array;
use towpath_types::{BuildKeyHasher, Cells, Column, DType, Key, Physical, hash_columns};

use super::kept::{counts_of, put_items};
use super::{FailedGroups, Reducer, ReducerState, SavedItems, Updates, unsupported};
use crate::error::EngineError;
use crate::state::{self, Saved, Touched};

pub(super) const COUNT_DISTINCT: Reducer = Reducer {
    name: "count_distinct",
    result: |arguments, _| {
        if arguments.is_empty() {
            return Err(unsupported("count_distinct", arguments));
        }
        Ok(DType::Int)
    },
    start: |setup| {
        Box::new(Distinct {
            groups: Vec::new(),
            touched: setup.keeps_state.then(Touched::default),
        })
    },
    combines: super::never,
};

/// The 128-bit hashes of the values of each group, with their counts.
#[derive(Debug)]
struct Distinct {
    groups: Vec<HashMap<Key, i64, BuildKeyHasher>>,
    /// Which have changed, where that will be saved.
    touched: Option<Touched<(Key, Key)>>,
}

impl ReducerState for Distinct {
    fn grow(&mut self, slots: usize) {
        self.groups.resize_with(slots, HashMap::default);
    }

    fn update(&mut self, updates: &Updates<'_>, arguments: &[Column]) -> Result<(), EngineError> {
        let columns: Vec<&Column> = arguments.iter().collect();
        let hashes = hash_columns(&columns, updates.slots.len());
        for (row, (slot, hash)) in updates.slots.iter().zip(hashes).enumerate() {
            if let Some(touched) = &mut self.touched {
                touched.push((updates.groups[row], hash));
            }
            let group = &mut self.groups[*slot as usize];
            let count = group.entry(hash).or_insert(0);
            *count += updates.diff(row);
            if *count == 0 {
                group.remove(&hash);
            }
        }
        Ok(())
    }

    fn output(&self, slots: &[u32], _failures: &mut FailedGroups) -> Column {
        let counts: Vec<i64> = slots
            .iter()
            .map(|slot| self.groups[*slot as usize].len() as i64)
            .collect();
        Column::new(Cells::Int(Int64Array::from(counts)))
    }

    fn clear(&mut self, slot: u32) {
        self.groups[slot as usize].clear();
    }

    fn layouts(&self) -> Vec<Physical> {
        Vec::new()
    }

    fn save(&self, _slots: &[u32]) -> Vec<Column> {
        Vec::new()
    }

    fn restore(&mut self, _slots: &[u32], _columns: &[Column]) -> Result<(), EngineError> {
        Ok(())
    }

    fn items(&mut self) -> Option<&mut dyn SavedItems> {
        Some(self)
    }
}

impl SavedItems for Distinct {
    fn save(&mut self, table: u16, saved: &mut Saved, find: &dyn Fn(&Key) -> Option<u32>) {
        let Some(touched) = &mut self.touched else {
            return;
        };
        let (groups, hashes): (Vec<Key>, Vec<Key>) = touched.take().into_iter().unzip();
        let counts = groups.iter().zip(&hashes).map(|(group, hash)| {
            let slot = find(group)?;
            self.groups.get(slot as usize)?.get(hash).copied()
        });
        let counts: Vec<Option<i64>> = counts.collect();
        put_items(table, saved, &groups, &[Column::pointers(hashes.into())], &counts);
    }

    fn layouts(&self) -> Vec<Physical> {
        vec![Physical::Pointer, Physical::Int]
    }

    fn restore(&mut self, slots: &[u32], columns: &[Column]) -> Result<(), EngineError> {
        let (hashes, counts) = (state::keys(&columns[0])?, counts_of(columns)?);
        for ((slot, hash), count) in slots.iter().zip(hashes).zip(counts) {
            self.groups[*slot as usize].insert(*hash, *count);
        }
        Ok(())
    }
}
