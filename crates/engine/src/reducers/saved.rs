//! Sums in columns, as they are saved and go to other workers.

use arrow_array::Int64Array;
use towpath_types::{Cells, Column, Value};

use super::floats::FloatSum;
use crate::error::EngineError;
use crate::state;

/// The sums of floats as they are, in bytes.
pub(super) fn saved_sums<'a>(sums: impl Iterator<Item = &'a FloatSum>) -> Column {
    Column::new(Cells::Bytes(sums.map(|sum| Some(sum.save())).collect()))
}

/// The sums of [`saved_sums`].
pub(super) fn read_sums(column: &Column) -> Result<Vec<FloatSum>, EngineError> {
    let sums = column.values().map(|value| match value {
        Value::Bytes(bytes) => FloatSum::restore(&bytes),
        _ => None,
    });
    let sums: Option<Vec<FloatSum>> = sums.collect();
    sums.ok_or_else(|| state::unreadable("it is no sum of floats"))
}

/// The low and high halves of whole numbers.
pub(super) fn halves(numbers: impl Iterator<Item = i128>) -> (Vec<i64>, Vec<i64>) {
    numbers.map(|sum| (sum as i64, (sum >> i64::BITS) as i64)).unzip()
}

pub(super) fn whole_number(low: i64, high: i64) -> i128 {
    i128::from(high) << i64::BITS | i128::from(low as u64)
}

/// The whole numbers of two columns of [`halves`].
pub(super) fn whole_numbers(low: &Column, high: &Column) -> Result<Vec<i128>, EngineError> {
    let halves = state::ints(low)?.iter().zip(state::ints(high)?);
    Ok(halves.map(|(low, high)| whole_number(*low, *high)).collect())
}

pub(super) fn ints(values: Vec<i64>) -> Column {
    Column::new(Cells::Int(Int64Array::from(values)))
}
