//! Values as text: JSON for nested values, ISO 8601 for moments.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::io::Write as _;

use crate::json::{write_float, write_string};
use crate::value::Value;

/// The value as compact JSON, in the encoding that all text formats share: bytes in base64,
/// moments in ISO 8601 with nine fractional digits, durations in nanoseconds, pointers as `^…`,
/// numpy arrays as `{"shape":…,"elements":…}`, floats JSON has no number for as [`non_finite_text`].
pub fn json_text(value: &Value) -> String {
    let mut text = Vec::new();
    write_json(value, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn write_json(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::None | Value::Pending => out.extend_from_slice(b"null"),
        Value::Error => out.extend_from_slice(b"\"Error\""),
        Value::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::Int(value) | Value::Duration(value) => drop(write!(out, "{value}")),
        Value::Float(value) => write_json_float(*value, out),
        Value::Str(text) => write_string(text, out),
        Value::Bytes(data) => write_string(&BASE64.encode(data), out),
        Value::Object(object) => write_string(&BASE64.encode(object.stored()), out),
        Value::Pointer(key) => write_string(&key.to_string(), out),
        Value::DateTimeNaive(value) => write_string(&date_time_text(*value, false), out),
        Value::DateTimeUtc(value) => write_string(&date_time_text(*value, true), out),
        Value::Json(document) => document.write(out),
        Value::Tuple(items) => write_list(items.iter(), out, write_json),
        Value::IntArray(array) => {
            write_array(&array.shape, array.elements.iter(), out, |value, out| {
                drop(write!(out, "{value}"))
            });
        }
        Value::FloatArray(array) => {
            write_array(&array.shape, array.elements.iter(), out, |value, out| {
                write_json_float(*value, out)
            });
        }
    }
}

fn write_json_float(value: f64, out: &mut Vec<u8>) {
    if value.is_finite() {
        write_float(value, out);
    } else {
        write_string(non_finite_text(value), out);
    }
}

/// What stands in a string of JSON for a float that JSON has no number for, as Protobuf's JSON has it: every reader of
/// JSON can read the line, and none takes the value for a missing one.
pub fn non_finite_text(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

/// The float that a string of JSON stands for, if it is one that JSON has no number for.
pub fn non_finite(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

fn write_list<T>(items: impl Iterator<Item = T>, out: &mut Vec<u8>, write: impl Fn(T, &mut Vec<u8>)) {
    out.push(b'[');
    for (position, item) in items.enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(b']');
}

fn write_array<T>(
    shape: &[usize],
    elements: impl Iterator<Item = T>,
    out: &mut Vec<u8>,
    write: impl Fn(T, &mut Vec<u8>),
) {
    out.extend_from_slice(b"{\"shape\":");
    write_list(shape.iter(), out, |dimension, out| drop(write!(out, "{dimension}")));
    out.extend_from_slice(b",\"elements\":");
    write_list(elements, out, write);
    out.push(b'}');
}

/// Appends a JSON string with its quotes.
pub fn write_json_string(text: &str, out: &mut Vec<u8>) {
    write_string(text, out);
}

/// A moment in ISO 8601 with nine fractional digits, `+0000` after it if it is in UTC.
pub fn date_time_text(nanoseconds: i64, utc: bool) -> String {
    let moment = chrono::DateTime::from_timestamp_nanos(nanoseconds);
    moment
        .format(if utc {
            "%Y-%m-%dT%H:%M:%S%.9f+0000"
        } else {
            "%Y-%m-%dT%H:%M:%S%.9f"
        })
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::NdArray;

    #[test]
    fn nested_values() {
        let value = Value::tuple([
            Value::None,
            Value::from("a\"\n\u{1}ż"),
            Value::Bytes([0, 255, 5].as_slice().into()),
            Value::from(1.0),
            Value::from(f64::NAN),
            Value::DateTimeUtc(1_704_164_645_000_678_000),
            Value::DateTimeNaive(-1),
            Value::IntArray(NdArray {
                shape: [1, 2].into(),
                elements: [1, 2].into(),
            }),
        ]);
        assert_eq!(
            json_text(&value),
            "[null,\"a\\\"\\n\\u0001ż\",\"AP8F\",1.0,\"NaN\",\"2024-01-02T03:04:05.000678000+0000\",\
             \"1969-12-31T23:59:59.999999999\",{\"shape\":[1,2],\"elements\":[1,2]}]"
        );
    }
}
