//! `avg` of ints and floats: the exact sum, divided.

use arrow_array::Float64Array;
use towpath_types::{Cells, Column, DType};

use super::floats::FloatSum;
use super::{FailedGroups, Reducer, ReducerState, Updates, unsupported};
use crate::error::EngineError;

pub(super) const AVG: Reducer = Reducer {
    name: "avg",
    result: |arguments, _| match arguments {
        [DType::Int | DType::Float] => Ok(DType::Float),
        _ => Err(unsupported("avg", arguments)),
    },
    start: |_| Box::new(Average::default()),
    combines: super::never,
};

#[derive(Debug, Default)]
struct Average {
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
}
