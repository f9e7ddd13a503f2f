//! Keys of rows, made from their cells; the same as those of values.

use xxhash_rust::xxh3::xxh3_128;

use super::{Cells, Column};
use crate::float::canonical_float;
use crate::key::Key;
use crate::value::{encode_bytes, encode_value, encode_word, tag};

/// Appends the encoding of one cell without making a [`Value`] of it.
fn encode_cell(column: &Column, row: usize, bytes: &mut Vec<u8>) {
    if column.is_error(row) {
        bytes.push(tag::ERROR);
        return;
    }
    if column.is_none(row) {
        bytes.push(tag::NONE);
        return;
    }
    match column.cells() {
        Cells::Bool(array) => bytes.extend_from_slice(&[tag::BOOL, u8::from(array.value(row))]),
        Cells::Int(array) => encode_word(tag::INT, array.value(row) as u64, bytes),
        Cells::Float(array) => {
            encode_word(tag::FLOAT, canonical_float(array.value(row)).to_bits(), bytes);
        }
        Cells::Str(array) => encode_bytes(tag::STR, array.value(row).as_bytes(), bytes),
        Cells::Bytes(array) => encode_bytes(tag::BYTES, array.value(row), bytes),
        Cells::Pointer(array) => {
            bytes.push(tag::POINTER);
            bytes.extend_from_slice(&array.values()[row].0.to_le_bytes());
        }
        Cells::DateTimeNaive(array) => encode_word(tag::DATE_TIME_NAIVE, array.value(row) as u64, bytes),
        Cells::DateTimeUtc(array) => encode_word(tag::DATE_TIME_UTC, array.value(row) as u64, bytes),
        Cells::Duration(array) => encode_word(tag::DURATION, array.value(row) as u64, bytes),
        Cells::Any(values) => encode_value(&values[row], bytes),
    }
}

/// The key of every row, made from the cells of `columns` (see [`Key::for_values`]).
pub fn hash_columns(columns: &[&Column], len: usize) -> Vec<Key> {
    if let [column] = columns
        && column.errors().is_none()
        && column.nulls().is_none()
    {
        match column.cells() {
            Cells::Int(array) => {
                let mut bytes = [tag::INT; 9];
                return array
                    .values()
                    .iter()
                    .map(|value| {
                        bytes[1..].copy_from_slice(&value.to_le_bytes());
                        Key(xxh3_128(&bytes))
                    })
                    .collect();
            }
            Cells::Str(array) => {
                let mut bytes = [tag::STR; 137];
                return (0..len)
                    .map(|row| {
                        let text = array.value(row).as_bytes();
                        if text.len() > 128 {
                            let mut long = Vec::with_capacity(text.len() + 9);
                            encode_bytes(tag::STR, text, &mut long);
                            return Key(xxh3_128(&long));
                        }
                        bytes[1..9].copy_from_slice(&(text.len() as u64).to_le_bytes());
                        bytes[9..9 + text.len()].copy_from_slice(text);
                        Key(xxh3_128(&bytes[..9 + text.len()]))
                    })
                    .collect();
            }
            _ => {}
        }
    }
    let mut keys = Vec::with_capacity(len);
    encode_rows(columns, len, |_, bytes| keys.push(Key(xxh3_128(bytes))));
    keys
}

/// Hands over the encoding of every row, from which keys are made: equal bytes are equal cells.
pub fn encode_rows(columns: &[&Column], len: usize, mut each: impl FnMut(usize, &[u8])) {
    let mut bytes = Vec::with_capacity(64);
    for row in 0..len {
        bytes.clear();
        for column in columns {
            encode_cell(column, row, &mut bytes);
        }
        each(row, &bytes);
    }
}

/// The key of one row; `bytes` is room to work in.
pub(crate) fn hash_row(columns: &[Column], row: usize, bytes: &mut Vec<u8>) -> Key {
    bytes.clear();
    for column in columns {
        encode_cell(column, row, bytes);
    }
    Key(xxh3_128(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ColumnBuilder;
    use super::*;
    use crate::dtype::DType;
    use crate::value::Value;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::None),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<f64>().prop_map(Value::Float),
            ".{0,200}".prop_map(|text| Value::str(&text)),
        ]
    }

    proptest! {
        #[test]
        fn columns_hash_as_their_values(values in prop::collection::vec((any::<i64>(), ".{0,200}", value()), 0..20)) {
            let mut ints = ColumnBuilder::new(&DType::Int);
            let mut texts = ColumnBuilder::new(&DType::Str);
            let mut others = ColumnBuilder::new(&DType::Any);
            for (int, text, other) in &values {
                ints.push(&Value::Int(*int));
                texts.push(&Value::str(text));
                others.push(other);
            }
            let (ints, texts, others) = (ints.finish(), texts.finish(), others.finish());
            let len = values.len();
            for (row, (int, text, other)) in values.iter().enumerate() {
                let (int, text) = (Value::Int(*int), Value::str(text));
                prop_assert_eq!(hash_columns(&[&ints], len)[row], Key::for_values(std::slice::from_ref(&int)));
                prop_assert_eq!(hash_columns(&[&texts], len)[row], Key::for_values(std::slice::from_ref(&text)));
                prop_assert_eq!(
                    hash_columns(&[&ints, &texts, &others], len)[row],
                    Key::for_values(&[int, text, other.clone()])
                );
            }
        }
    }
}
