//! Documents to text.

use std::io::Write as _;

use super::Json;
use crate::float::canonical_float;
use crate::scan::string_end;

impl Json {
    /// Appends the document as compact text, its members in the order in which they came.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Json::Null => out.extend_from_slice(b"null"),
            Json::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Json::Int(value) => drop(write!(out, "{value}")),
            Json::Whole(whole) => out.extend_from_slice(whole.digits().as_bytes()),
            Json::Float(value) => write_float(*value, out),
            Json::Str(text) => write_string(text, out),
            Json::List(items) => write_items(items, out, Json::write),
            Json::Object(object) => write_members(object.iter(), out, Json::write),
        }
    }
}

/// Appends the text that all documents have that are one value: members in the order of their names, one zero, one NaN.
/// **It never changes**: keys are hashes of it.
pub(crate) fn write_canonical(document: &Json, out: &mut Vec<u8>) {
    match document {
        Json::Whole(whole) if whole.is_zero() => out.push(b'0'),
        Json::Float(value) => write_float(canonical_float(*value), out),
        Json::List(items) => write_items(items, out, write_canonical),
        Json::Object(object) => write_members(object.sorted(), out, write_canonical),
        other => other.write(out),
    }
}

type Write = fn(&Json, &mut Vec<u8>);

fn write_items(items: &[Json], out: &mut Vec<u8>, write: Write) {
    out.push(b'[');
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(b']');
}

fn write_members<'a>(members: impl Iterator<Item = (&'a str, &'a Json)>, out: &mut Vec<u8>, write: Write) {
    out.push(b'{');
    for (position, (name, member)) in members.enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write_string(name, out);
        out.push(b':');
        write(member, out);
    }
    out.push(b'}');
}

/// Appends a float as Python's `json` reads it: the shortest text that is read back as the same number, or `NaN`,
/// `Infinity`, `-Infinity`.
pub(crate) fn write_float(value: f64, out: &mut Vec<u8>) {
    match serde_json::Number::from_f64(value) {
        Some(number) => drop(write!(out, "{number}")),
        None if value.is_nan() => out.extend_from_slice(b"NaN"),
        None if value > 0.0 => out.extend_from_slice(b"Infinity"),
        None => out.extend_from_slice(b"-Infinity"),
    }
}

/// Appends a text with its quotes. Most have nothing to escape, which is quick to see.
pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.push(b'"');
    let mut plain = 0;
    while let Some(position) = string_end(bytes, plain) {
        out.extend_from_slice(&bytes[plain..position]);
        plain = position + 1;
        match bytes[position] {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            other => drop(write!(out, "\\u{other:04x}")),
        }
    }
    out.extend_from_slice(&bytes[plain..]);
    out.push(b'"');
}
