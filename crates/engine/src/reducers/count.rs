//! `count`: how many rows there are; whatever its arguments hold.

use arrow_array::Int64Array;
use towpath_types::{Cells, Column, DType, Physical};

use super::{FailedGroups, Reducer, ReducerState, SavedItems, Updates};
use crate::error::EngineError;
use crate::state;

pub(super) const COUNT: Reducer = Reducer {
    name: "count",
    result: |_, _| Ok(DType::Int),
    start: |_| Box::new(Count::default()),
    // An error in an argument would be lost.
    combines: |setup| setup.arguments.is_empty(),
};

#[derive(Debug, Default)]
struct Count {
    counts: Vec<i64>,
}

impl ReducerState for Count {
    fn grow(&mut self, slots: usize) {
        self.counts.resize(slots, 0);
    }

    fn update(&mut self, updates: &Updates<'_>, _arguments: &[Column]) -> Result<(), EngineError> {
        match updates.diffs {
            None => updates.slots.iter().for_each(|slot| self.counts[*slot as usize] += 1),
            Some(diffs) => {
                for (slot, diff) in updates.slots.iter().zip(diffs) {
                    self.counts[*slot as usize] += diff;
                }
            }
        }
        Ok(())
    }

    fn output(&self, slots: &[u32], _failures: &mut FailedGroups) -> Column {
        let counts: Vec<i64> = slots.iter().map(|slot| self.counts[*slot as usize]).collect();
        Column::new(Cells::Int(Int64Array::from(counts)))
    }

    fn clear(&mut self, slot: u32) {
        self.counts[slot as usize] = 0;
    }

    /// The differences say it all.
    fn partial(&self, _slots: &[u32]) -> Vec<Column> {
        Vec::new()
    }

    fn layouts(&self) -> Vec<Physical> {
        vec![Physical::Int]
    }

    fn save(&self, slots: &[u32]) -> Vec<Column> {
        vec![self.output(slots, &mut FailedGroups::new())]
    }

    fn restore(&mut self, slots: &[u32], columns: &[Column]) -> Result<(), EngineError> {
        for (slot, count) in slots.iter().zip(state::ints(&columns[0])?) {
            self.counts[*slot as usize] = *count;
        }
        Ok(())
    }

    fn items(&mut self) -> Option<&mut dyn SavedItems> {
        None
    }
}
