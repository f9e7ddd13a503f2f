//! Values as text formats write them: the fields of csv, the members of JSON objects.
//!
//! The encodings are those of the writers in [`crate::sink`]: bytes in base64, moments in ISO 8601,
//! durations in nanoseconds, pointers as `^…`, numpy arrays as `{"shape":…,"elements":…}`.

use towpath_types::Value;

mod json;
mod moment;
mod string;
mod text;

pub use json::parse_json_value;
pub use text::parse_text_value;
pub(crate) use text::{is_text, parse_float, parse_plain_int};

/// One cell of a record that is being read. Text stays where it is until the whole record is known to be good.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    /// The record has no such field.
    Absent,
    /// The field cannot be read, and the row is kept all the same.
    Error,
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// A string that stands in the record as it is, at these positions.
    Text {
        start: usize,
        end: usize,
    },
    /// Anything else; boxed, so that cells are small.
    Value(Box<Value>),
}

impl From<Value> for Cell {
    fn from(value: Value) -> Self {
        match value {
            Value::None => Cell::None,
            Value::Bool(value) => Cell::Bool(value),
            Value::Int(value) => Cell::Int(value),
            Value::Float(value) => Cell::Float(value),
            value => Cell::Value(Box::new(value)),
        }
    }
}

/// The start of a value that cannot be read, for messages.
pub(crate) fn excerpt(text: &str) -> String {
    const LENGTH: usize = 100;
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
