//! `sum` of ints, floats and arrays. All are summed without loss; a total, or an element of one, that is no 64-bit int
//! is an error.

use arrow_array::{Array, Float64Array};
use towpath_types::{Cells, Column, DType, Physical};

use super::arrays::ArraySum;
use super::floats::FloatSum;
use super::saved::{halves, ints, read_sums, saved_sums, whole_number, whole_numbers};
use super::{FailedGroups, Reducer, ReducerState, SavedItems, Updates, overflow, unsupported};
use crate::error::EngineError;

pub(super) const SUM: Reducer = Reducer {
    name: "sum",
    result: |arguments, _| match arguments {
        [dtype @ (DType::Int | DType::Float | DType::Array(..))] => Ok(dtype.clone()),
        _ => Err(unsupported("sum", arguments)),
    },
    start: |setup| match setup.layout(0) {
        Physical::Int => Box::new(IntSum::default()),
        Physical::Float => Box::new(FloatSums::default()),
        _ => Box::new(ArraySum::default()),
    },
    combines: |setup| matches!(setup.layout(0), Physical::Int | Physical::Float),
};

#[derive(Debug, Default)]
struct IntSum {
    sums: Vec<i128>,
}

impl ReducerState for IntSum {
    fn grow(&mut self, slots: usize) {
        self.sums.resize(slots, 0);
    }

    fn update(&mut self, updates: &Updates<'_>, arguments: &[Column]) -> Result<(), EngineError> {
        let Cells::Int(array) = arguments[0].cells() else {
            panic!("a sum of ints takes ints");
        };
        let rows = updates.slots.iter().zip(array.values());
        match updates.diffs {
            None => rows.for_each(|(slot, value)| self.sums[*slot as usize] += i128::from(*value)),
            Some(diffs) => {
                for ((slot, value), diff) in rows.zip(diffs) {
                    self.sums[*slot as usize] += i128::from(*value) * i128::from(*diff);
                }
            }
        }
        Ok(())
    }

    fn output(&self, slots: &[u32], failures: &mut FailedGroups) -> Column {
        let totals = slots.iter().enumerate().map(|(position, slot)| {
            i64::try_from(self.sums[*slot as usize]).unwrap_or_else(|_| {
                failures.push((position, overflow()));
                0
            })
        });
        ints(totals.collect())
    }

    fn clear(&mut self, slot: u32) {
        self.sums[slot as usize] = 0;
    }

    /// A sum of 64-bit ints may need more than one.
    fn partial(&self, slots: &[u32]) -> Vec<Column> {
        let sums = slots.iter().map(|slot| self.sums[*slot as usize]);
        let (low, high) = halves(sums);
        vec![ints(low), ints(high)]
    }

    /// The high half is that of the sign.
    fn partial_of_rows(&self, arguments: &[Column]) -> Vec<Column> {
        let Cells::Int(array) = arguments[0].cells() else {
            panic!("a sum of ints takes ints");
        };
        let high = array.values().iter().map(|value| value >> (i64::BITS - 1));
        vec![arguments[0].clone(), ints(high.collect())]
    }

    fn merge(&mut self, updates: &Updates<'_>, partial: &[Column]) -> Result<(), EngineError> {
        let [Cells::Int(low), Cells::Int(high)] = [partial[0].cells(), partial[1].cells()] else {
            panic!("a sum of ints is two ints");
        };
        for (row, slot) in updates.slots.iter().enumerate() {
            let sum = whole_number(low.value(row), high.value(row));
            self.sums[*slot as usize] += sum * i128::from(updates.diff(row).signum());
        }
        Ok(())
    }

    fn layouts(&self) -> Vec<Physical> {
        vec![Physical::Int; 2]
    }

    fn save(&self, slots: &[u32]) -> Vec<Column> {
        self.partial(slots)
    }

    fn restore(&mut self, slots: &[u32], columns: &[Column]) -> Result<(), EngineError> {
        for (slot, sum) in slots.iter().zip(whole_numbers(&columns[0], &columns[1])?) {
            self.sums[*slot as usize] = sum;
        }
        Ok(())
    }

    fn items(&mut self) -> Option<&mut dyn SavedItems> {
        None
    }
}

#[derive(Debug, Default)]
struct FloatSums {
    sums: Vec<FloatSum>,
}

impl ReducerState for FloatSums {
    fn grow(&mut self, slots: usize) {
        self.sums.resize_with(slots, FloatSum::default);
    }

    fn update(&mut self, updates: &Updates<'_>, arguments: &[Column]) -> Result<(), EngineError> {
        let Cells::Float(array) = arguments[0].cells() else {
            panic!("a sum of floats takes floats");
        };
        let rows = updates.slots.iter().zip(array.values());
        match updates.diffs {
            None => rows.for_each(|(slot, value)| self.sums[*slot as usize].add(*value, 1)),
            Some(diffs) => {
                for ((slot, value), diff) in rows.zip(diffs) {
                    self.sums[*slot as usize].add(*value, *diff);
                }
            }
        }
        Ok(())
    }

    fn output(&self, slots: &[u32], _failures: &mut FailedGroups) -> Column {
        let totals: Vec<f64> = slots.iter().map(|slot| self.sums[*slot as usize].total()).collect();
        Column::new(Cells::Float(Float64Array::from(totals)))
    }

    fn clear(&mut self, slot: u32) {
        self.sums[slot as usize] = FloatSum::default();
    }

    fn partial(&self, slots: &[u32]) -> Vec<Column> {
        let parts = slots.iter().map(|slot| self.sums[*slot as usize].parts());
        let (values, rest): (Vec<f64>, Vec<Option<Vec<u8>>>) = parts.unzip();
        vec![floats(values), Column::new(Cells::Bytes(rest.into_iter().collect()))]
    }

    fn partial_of_rows(&self, arguments: &[Column]) -> Vec<Column> {
        vec![arguments[0].clone(), Physical::Bytes.nones(arguments[0].len())]
    }

    fn merge(&mut self, updates: &Updates<'_>, partial: &[Column]) -> Result<(), EngineError> {
        let [Cells::Float(values), Cells::Bytes(rest)] = [partial[0].cells(), partial[1].cells()] else {
            panic!("a sum of floats is a float and bytes");
        };
        for (row, slot) in updates.slots.iter().enumerate() {
            let sign = updates.diff(row).signum();
            let bytes = rest.is_valid(row).then(|| rest.value(row));
            self.sums[*slot as usize].add_parts(values.value(row), bytes, sign);
        }
        Ok(())
    }

    fn layouts(&self) -> Vec<Physical> {
        vec![Physical::Bytes]
    }

    fn save(&self, slots: &[u32]) -> Vec<Column> {
        vec![saved_sums(slots.iter().map(|slot| &self.sums[*slot as usize]))]
    }

    fn restore(&mut self, slots: &[u32], columns: &[Column]) -> Result<(), EngineError> {
        for (slot, sum) in slots.iter().zip(read_sums(&columns[0])?) {
            self.sums[*slot as usize] = sum;
        }
        Ok(())
    }

    fn items(&mut self) -> Option<&mut dyn SavedItems> {
        None
    }
}

fn floats(values: Vec<f64>) -> Column {
    Column::new(Cells::Float(Float64Array::from(values)))
}
