//! `avg` of ints and floats: the exact sum, divided.

use arrow_array::Float64Array;
use towpath_types::{Cells, Column, DType, Physical};

use super::floats::FloatSum;
use super::saved::{halves, ints, read_sums, saved_sums, whole_numbers};
use super::{FailedGroups, Reducer, ReducerState, SavedItems, Updates, unsupported};
use crate::error::EngineError;
use crate::state;

pub(super) const AVG: Reducer = Reducer {
    name: "avg",
    result: |arguments, _| match arguments {
        [DType::Int | DType::Float] => Ok(DType::Float),
        _ => Err(unsupported("avg", arguments)),
    },
    start: |setup| {
        Box::new(Average {
            is_float: setup.layout(0) == Physical::Float,
            ..Average::default()
        })
    },
    combines: super::never,
};

#[derive(Debug, Default)]
struct Average {
    is_float: bool,
    ints: Vec<i128>,
    floats: Vec<FloatSum>,
    counts: Vec<i64>,
}

impl ReducerState for Average {
    fn grow(&mut self, slots: usize) {
        self.counts.resize(slots, 0);
    }

    fn update(&mut self, updates: &Updates<'_>, arguments: &[Column]) -> Result<(), EngineError> {
        for (row, slot) in updates.slots.iter().enumerate() {
            self.counts[*slot as usize] += updates.diff(row);
        }
        match arguments[0].cells() {
            Cells::Int(array) => {
                self.ints.resize(self.counts.len(), 0);
                for (row, (slot, value)) in updates.slots.iter().zip(array.values()).enumerate() {
                    self.ints[*slot as usize] += i128::from(*value) * i128::from(updates.diff(row));
                }
            }
            Cells::Float(array) => {
                self.floats.resize_with(self.counts.len(), FloatSum::default);
                for (row, (slot, value)) in updates.slots.iter().zip(array.values()).enumerate() {
                    self.floats[*slot as usize].add(*value, updates.diff(row));
                }
            }
            other => panic!("an average takes numbers, not {other:?}"),
        }
        Ok(())
    }

    fn output(&self, slots: &[u32], _failures: &mut FailedGroups) -> Column {
        let averages = slots.iter().map(|slot| {
            let slot = *slot as usize;
            let int = self.ints.get(slot).map_or(0.0, |sum| *sum as f64);
            let count = self.counts[slot];
            let average = || match self.floats.get(slot) {
                Some(sum) => sum.quotient(count as f64),
                None => int / count as f64,
            };
            (count != 0).then(average)
        });
        Column::new(Cells::Float(averages.collect::<Float64Array>()))
    }

    fn clear(&mut self, slot: u32) {
        let slot = slot as usize;
        self.counts[slot] = 0;
        if let Some(sum) = self.ints.get_mut(slot) {
            *sum = 0;
        }
        if let Some(sum) = self.floats.get_mut(slot) {
            *sum = FloatSum::default();
        }
    }

    fn layouts(&self) -> Vec<Physical> {
        match self.is_float {
            true => vec![Physical::Int, Physical::Bytes],
            false => vec![Physical::Int; 3],
        }
    }

    fn save(&self, slots: &[u32]) -> Vec<Column> {
        let counts = ints(slots.iter().map(|slot| self.counts[*slot as usize]).collect());
        if self.is_float {
            let nothing = FloatSum::default();
            let sums = slots
                .iter()
                .map(|slot| self.floats.get(*slot as usize).unwrap_or(&nothing));
            return vec![counts, saved_sums(sums)];
        }
        let sums = slots
            .iter()
            .map(|slot| self.ints.get(*slot as usize).copied().unwrap_or(0));
        let (low, high) = halves(sums);
        vec![counts, ints(low), ints(high)]
    }

    fn restore(&mut self, slots: &[u32], columns: &[Column]) -> Result<(), EngineError> {
        for (slot, count) in slots.iter().zip(state::ints(&columns[0])?) {
            self.counts[*slot as usize] = *count;
        }
        if self.is_float {
            self.floats.resize_with(self.counts.len(), FloatSum::default);
            for (slot, sum) in slots.iter().zip(read_sums(&columns[1])?) {
                self.floats[*slot as usize] = sum;
            }
        } else {
            self.ints.resize(self.counts.len(), 0);
            for (slot, sum) in slots.iter().zip(whole_numbers(&columns[1], &columns[2])?) {
                self.ints[*slot as usize] = sum;
            }
        }
        Ok(())
    }

    fn items(&mut self) -> Option<&mut dyn SavedItems> {
        None
    }
}
