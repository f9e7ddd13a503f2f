//! The bytes that keys are hashes of, for values and for cells. **They never change**, see [`super`].

use xxhash_rust::xxh3::xxh3_128;

use super::Key;
use crate::column::{Cells, Column};
use crate::json::write_canonical;
use crate::value::{Value, canonical_float};

/// What the encoding of a value begins with.
pub(super) mod tag {
    pub(in crate::key) const NONE: u8 = 0;
    pub(in crate::key) const BOOL: u8 = 1;
    pub(in crate::key) const INT: u8 = 2;
    pub(in crate::key) const FLOAT: u8 = 3;
    pub(in crate::key) const STR: u8 = 4;
    pub(in crate::key) const BYTES: u8 = 5;
    pub(in crate::key) const POINTER: u8 = 6;
    pub(in crate::key) const DATE_TIME_NAIVE: u8 = 7;
    pub(in crate::key) const DATE_TIME_UTC: u8 = 8;
    pub(in crate::key) const DURATION: u8 = 9;
    pub(in crate::key) const JSON: u8 = 10;
    pub(in crate::key) const TUPLE: u8 = 11;
    pub(in crate::key) const INT_ARRAY: u8 = 12;
    pub(in crate::key) const FLOAT_ARRAY: u8 = 13;
    pub(in crate::key) const OBJECT: u8 = 14;
    pub(in crate::key) const ERROR: u8 = 15;
    pub(in crate::key) const PENDING: u8 = 16;
}

fn encode_bytes(tag: u8, data: &[u8], bytes: &mut Vec<u8>) {
    bytes.push(tag);
    bytes.extend_from_slice(&(data.len() as u64).to_le_bytes());
    bytes.extend_from_slice(data);
}

fn encode_word(tag: u8, word: u64, bytes: &mut Vec<u8>) {
    bytes.push(tag);
    bytes.extend_from_slice(&word.to_le_bytes());
}

/// Appends the encoding of one value.
pub(crate) fn encode_value(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::None => bytes.push(tag::NONE),
        Value::Bool(value) => bytes.extend_from_slice(&[tag::BOOL, u8::from(*value)]),
        Value::Int(value) => encode_word(tag::INT, *value as u64, bytes),
        Value::Float(value) => encode_word(tag::FLOAT, canonical_float(*value).to_bits(), bytes),
        Value::Str(text) => encode_bytes(tag::STR, text.as_bytes(), bytes),
        Value::Bytes(data) => encode_bytes(tag::BYTES, data, bytes),
        Value::Pointer(key) => {
            bytes.push(tag::POINTER);
            bytes.extend_from_slice(&key.0.to_le_bytes());
        }
        Value::DateTimeNaive(value) => encode_word(tag::DATE_TIME_NAIVE, *value as u64, bytes),
        Value::DateTimeUtc(value) => encode_word(tag::DATE_TIME_UTC, *value as u64, bytes),
        Value::Duration(value) => encode_word(tag::DURATION, *value as u64, bytes),
        Value::Json(document) => {
            let mut text = Vec::new();
            write_canonical(document, &mut text);
            encode_bytes(tag::JSON, &text, bytes);
        }
        Value::Tuple(items) => {
            encode_word(tag::TUPLE, items.len() as u64, bytes);
            for item in items.iter() {
                encode_value(item, bytes);
            }
        }
        Value::IntArray(array) => {
            encode_shape(tag::INT_ARRAY, &array.shape, bytes);
            for element in array.elements.iter() {
                bytes.extend_from_slice(&element.to_le_bytes());
            }
        }
        Value::FloatArray(array) => {
            encode_shape(tag::FLOAT_ARRAY, &array.shape, bytes);
            for element in array.elements.iter() {
                bytes.extend_from_slice(&canonical_float(*element).to_bits().to_le_bytes());
            }
        }
        Value::Object(object) => encode_bytes(tag::OBJECT, &object.identity(), bytes),
        Value::Error => bytes.push(tag::ERROR),
        Value::Pending => bytes.push(tag::PENDING),
    }
}

fn encode_shape(tag: u8, shape: &[usize], bytes: &mut Vec<u8>) {
    encode_word(tag, shape.len() as u64, bytes);
    for dimension in shape {
        bytes.extend_from_slice(&(*dimension as u64).to_le_bytes());
    }
}

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

    use super::*;
    use crate::builder::ColumnBuilder;
    use crate::dtype::DType;

    #[test]
    fn encoding_is_frozen() {
        let values = [
            Value::None,
            Value::from(true),
            Value::from(-1),
            Value::from(1.5),
            Value::from("näht"),
            Value::Bytes([0, 255].as_slice().into()),
            Value::Pointer(Key(7)),
            Value::tuple([Value::from(1), Value::from("a")]),
        ];
        let mut bytes = Vec::new();
        for value in &values {
            encode_value(value, &mut bytes);
        }
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            text,
            concat!(
                "00",
                "0101",
                "02ffffffffffffffff",
                "03000000000000f83f",
                "0405000000000000006ec3a46874",
                "05020000000000000000ff",
                "0607000000000000000000000000000000",
                "0b0200000000000000",
                "020100000000000000",
                "04010000000000000061",
            )
        );
        assert_eq!(Key::for_values(&[]).to_string(), Key(xxh3_128(b"")).to_string());
    }

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
