//! The bytes of values that keys are hashes of. **They never change**, see [`key`](crate::key).

use std::hash::{Hash, Hasher};

use xxhash_rust::xxh3::xxh3_128;

use super::Value;
use crate::float::canonical_float;
use crate::json::write_canonical;
use crate::key::Key;

/// What the encoding of a value begins with.
pub(crate) mod tag {
    pub(crate) const NONE: u8 = 0;
    pub(crate) const BOOL: u8 = 1;
    pub(crate) const INT: u8 = 2;
    pub(crate) const FLOAT: u8 = 3;
    pub(crate) const STR: u8 = 4;
    pub(crate) const BYTES: u8 = 5;
    pub(crate) use crate::key::POINTER;
    pub(crate) const DATE_TIME_NAIVE: u8 = 7;
    pub(crate) const DATE_TIME_UTC: u8 = 8;
    pub(crate) const DURATION: u8 = 9;
    pub(crate) const JSON: u8 = 10;
    pub(crate) const TUPLE: u8 = 11;
    pub(crate) const INT_ARRAY: u8 = 12;
    pub(crate) const FLOAT_ARRAY: u8 = 13;
    pub(crate) const OBJECT: u8 = 14;
    pub(crate) const ERROR: u8 = 15;
    pub(crate) const PENDING: u8 = 16;
}

pub(crate) fn encode_bytes(tag: u8, data: &[u8], bytes: &mut Vec<u8>) {
    bytes.push(tag);
    bytes.extend_from_slice(&(data.len() as u64).to_le_bytes());
    bytes.extend_from_slice(data);
}

pub(crate) fn encode_word(tag: u8, word: u64, bytes: &mut Vec<u8>) {
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

impl Key {
    /// The key of a row whose key columns hold `values`.
    pub fn for_values(values: &[Value]) -> Key {
        let mut bytes = Vec::with_capacity(32);
        for value in values {
            encode_value(value, &mut bytes);
        }
        Key(xxh3_128(&bytes))
    }
}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut bytes = Vec::with_capacity(16);
        encode_value(self, &mut bytes);
        state.write(&bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_pair_of_values_is_not_one_tuple() {
        let (one, a) = (Value::from(1), Value::from("a"));
        assert_ne!(
            Key::for_values(&[one.clone(), a.clone()]),
            Key::for_values(&[Value::tuple([one, a])])
        );
    }

    #[test]
    fn a_join_key_is_the_key_of_two_pointers() {
        let (left, right) = (Key(3), Key(4));
        assert_eq!(
            Key::pair(left, right),
            Key::for_values(&[Value::Pointer(left), Value::Pointer(right)])
        );
    }
}
