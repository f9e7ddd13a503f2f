//! Cells that can be ordered: as 64-bit words where the layout allows it, else as values.

use std::borrow::Cow;

use arrow_array::{BooleanArray, DurationNanosecondArray, Float64Array, Int64Array, TimestampNanosecondArray};
use towpath_types::{Cells, Column, ColumnBuilder, Physical, Value};

/// A cell in the order of [`Value`]; `None` is the least.
pub(super) trait Item: Ord + Clone + std::fmt::Debug + 'static {
    /// The cells of a column, none of which is an error.
    fn read(column: &Column) -> impl Fn(usize) -> Self;

    /// A column of cells; those that are absent become `None`.
    fn column<'a>(physical: Physical, items: impl Iterator<Item = Option<&'a Self>>) -> Column;
}

/// A cell whose order is that of an integer.
pub(super) type Word = Option<i64>;

/// Whether cells of a layout can be words.
pub(super) fn has_words(physical: Physical) -> bool {
    !matches!(
        physical,
        Physical::Str | Physical::Bytes | Physical::Pointer | Physical::Any
    )
}

/// An integer whose order is that of the float.
fn float_to_word(value: f64) -> i64 {
    let canonical = if value.is_nan() { f64::NAN } else { value + 0.0 };
    let bits = canonical.to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

fn word_to_float(word: i64) -> f64 {
    f64::from_bits((word ^ (((word >> 63) as u64) >> 1) as i64) as u64)
}

fn words(column: &Column) -> Cow<'_, [i64]> {
    match column.cells() {
        Cells::Int(array) => Cow::Borrowed(array.values()),
        Cells::DateTimeNaive(array) | Cells::DateTimeUtc(array) => Cow::Borrowed(array.values()),
        Cells::Duration(array) => Cow::Borrowed(array.values()),
        Cells::Float(array) => array.values().iter().copied().map(float_to_word).collect(),
        Cells::Bool(array) => array.values().iter().map(i64::from).collect(),
        other => panic!("cells of {other:?} are no words"),
    }
}

impl Item for Word {
    fn read(column: &Column) -> impl Fn(usize) -> Self {
        let (words, nulls) = (words(column), column.nulls());
        move |row| nulls.is_none_or(|nulls| nulls.is_valid(row)).then(|| words[row])
    }

    fn column<'a>(physical: Physical, items: impl Iterator<Item = Option<&'a Self>>) -> Column {
        let words = items.map(|item| item.copied().flatten());
        Column::new(match physical {
            Physical::Bool => Cells::Bool(words.map(|word| word.map(|word| word != 0)).collect::<BooleanArray>()),
            Physical::Float => Cells::Float(words.map(|word| word.map(word_to_float)).collect::<Float64Array>()),
            Physical::DateTimeNaive => Cells::DateTimeNaive(words.collect::<TimestampNanosecondArray>()),
            Physical::DateTimeUtc => Cells::DateTimeUtc(words.collect::<TimestampNanosecondArray>()),
            Physical::Duration => Cells::Duration(words.collect::<DurationNanosecondArray>()),
            _ => Cells::Int(words.collect::<Int64Array>()),
        })
    }
}

/// The same value without what nobody should see of it: a zero has no sign. Which of two equal values came first must not
/// show.
pub(super) fn settled(value: Value) -> Value {
    const ZERO: Value = Value::Float(0.0);
    if value == ZERO { ZERO } else { value }
}

impl Item for Value {
    fn read(column: &Column) -> impl Fn(usize) -> Self {
        move |row| settled(column.value(row))
    }

    fn column<'a>(physical: Physical, items: impl Iterator<Item = Option<&'a Self>>) -> Column {
        let mut builder = ColumnBuilder::with_physical(physical);
        for item in items {
            builder.push(item.unwrap_or(&Value::None));
        }
        builder.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_the_order_of_floats() {
        let floats = [
            f64::NEG_INFINITY,
            -1e300,
            -1.5,
            -1e-300,
            0.0,
            1e-300,
            1.5,
            1e300,
            f64::INFINITY,
            f64::NAN,
        ];
        for (a, b) in floats.iter().zip(&floats[1..]) {
            assert!(float_to_word(*a) < float_to_word(*b), "{a} is less than {b}");
        }
        for float in &floats[..floats.len() - 1] {
            assert_eq!(word_to_float(float_to_word(*float)), *float);
        }
        assert_eq!(float_to_word(-0.0), float_to_word(0.0));
    }
}
