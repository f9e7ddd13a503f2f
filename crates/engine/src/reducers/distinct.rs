//! `count_distinct`: how many different values, or tuples of values, there are; `None` is one.

use std::collections::HashMap;

use arrow_array::Int64Array;
use towpath_types::{BuildKeyHasher, Cells, Column, DType, Key, hash_columns};

use super::{FailedGroups, Reducer, ReducerState, Updates, unsupported};
use crate::error::EngineError;

pub(super) const COUNT_DISTINCT: Reducer = Reducer {
    name: "count_distinct",
    result: |arguments, _| {
        if arguments.is_empty() {
            return Err(unsupported("count_distinct", arguments));
        }
        Ok(DType::Int)
    },
    start: |_| Box::new(Distinct::default()),
    combines: super::never,
};

/// The 128-bit hashes of the values of each group, with their counts.
#[derive(Debug, Default)]
struct Distinct {
    groups: Vec<HashMap<Key, i64, BuildKeyHasher>>,
}

impl ReducerState for Distinct {
    fn grow(&mut self, slots: usize) {
        self.groups.resize_with(slots, HashMap::default);
    }

    fn update(&mut self, updates: &Updates<'_>, arguments: &[Column]) -> Result<(), EngineError> {
        let columns: Vec<&Column> = arguments.iter().collect();
        let hashes = hash_columns(&columns, updates.slots.len());
        for (row, (slot, hash)) in updates.slots.iter().zip(hashes).enumerate() {
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
}
