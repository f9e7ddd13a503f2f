//! `to_string`: any value at all as text, floats as Rust's `{:?}`, and `None` as `None`.

use std::fmt::Write as _;

use towpath_types::{Cells, Column, DType, Value, date_time_text};

use super::kernels::text_column;
use super::rules::{ANYTHING, entry};
use crate::expression::{Evaluation, Function, Operand};

pub(super) const FUNCTIONS: &[Function] = &[entry!("to_string"(ANYTHING) -> DType::Str, to_string).taking_none()];

fn to_string(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    let operand = &arguments[0];
    text_column(evaluation.len, |row, out| {
        match (operand.cells().cells(), operand.cells().nulls()) {
            (Cells::Str(array), None) => out.push_str(array.value(operand.position(row))),
            _ => match operand.value(row) {
                Value::Str(text) => out.push_str(&text),
                value => write_text(&value, out),
            },
        }
    })
}

/// The value as text.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::Str(text) => text.to_string(),
        other => shown(other),
    }
}

/// The value as text for a message, with quotes around a `str`.
pub(crate) fn shown(value: &Value) -> String {
    let mut out = String::new();
    write_text(value, &mut out);
    out
}

/// The value as text; a `str`, which is part of something else, in quotes.
fn write_text(value: &Value, out: &mut String) {
    // Writing to a string never fails.
    let _ = match value {
        Value::None => write!(out, "None"),
        Value::Bool(true) => write!(out, "True"),
        Value::Bool(false) => write!(out, "False"),
        Value::Int(value) => write!(out, "{value}"),
        Value::Float(value) => write!(out, "{value:?}"),
        Value::Str(text) => write!(out, "{text:?}"),
        Value::Bytes(data) => write!(out, "{data:?}"),
        Value::Pointer(key) => write!(out, "{key}"),
        Value::DateTimeNaive(value) => write!(out, "{}", date_time_text(*value, false)),
        Value::DateTimeUtc(value) => write!(out, "{}", date_time_text(*value, true)),
        Value::Duration(value) => return write_duration(*value, out),
        Value::Json(document) => write!(out, "{document}"),
        Value::Tuple(items) => {
            return write_list(items.iter(), ('(', ')'), ", ", out, write_text);
        }
        Value::IntArray(array) => {
            return write_array(&array.shape, &array.elements, 1, out, |value| value.to_string());
        }
        Value::FloatArray(array) => {
            return write_array(&array.shape, &array.elements, 1, out, |value| value.to_string());
        }
        Value::Object(object) => write!(out, "{object:?}"),
        Value::Error => write!(out, "Error"),
        Value::Pending => write!(out, "Pending"),
    };
}

fn write_list<T>(
    items: impl Iterator<Item = T>,
    (open, close): (char, char),
    separator: &str,
    out: &mut String,
    mut write: impl FnMut(T, &mut String),
) {
    out.push(open);
    for (position, item) in items.enumerate() {
        if position > 0 {
            out.push_str(separator);
        }
        write(item, out);
    }
    out.push(close);
}

fn write_array<T>(shape: &[usize], elements: &[T], depth: usize, out: &mut String, text: fn(&T) -> String) {
    match shape {
        [] => out.push_str(&elements.first().map(text).unwrap_or_default()),
        [_] => write_list(elements.iter(), ('[', ']'), ", ", out, |element, out| {
            out.push_str(&text(element))
        }),
        [len, rest @ ..] => {
            let size: usize = rest.iter().product();
            let separator = format!(",\n{}", " ".repeat(depth));
            write_list(0..*len, ('[', ']'), &separator, out, |position, out| {
                write_array(
                    rest,
                    &elements[position * size..(position + 1) * size],
                    depth + 1,
                    out,
                    text,
                );
            });
        }
    }
}

/// The parts that are not zero, such as `1d 2h 5000000ns`, each with its sign.
fn write_duration(nanoseconds: i64, out: &mut String) {
    let mut rest = nanoseconds;
    let start = out.len();
    for (unit, size) in [
        ("d", 86_400_000_000_000),
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ns", 1),
    ] {
        let count = rest / size;
        rest %= size;
        if count != 0 {
            let space = if out.len() > start { " " } else { "" };
            let _ = write!(out, "{space}{count}{unit}");
        }
    }
}

#[cfg(test)]
mod tests {
    use towpath_types::{NdArray, Value};

    use crate::expression::functions::testing::outcome;

    #[test]
    fn texts() {
        let check = |value: Value, expected: &str| {
            assert_eq!(
                outcome("to_string", [value.clone()]),
                format!("{expected:?}"),
                "{value:?}"
            );
        };
        check(1.0.into(), "1.0");
        check(1e16.into(), "1e16");
        check(1e-5.into(), "1e-5");
        check(f64::NAN.into(), "NaN");
        check(true.into(), "True");
        check(().into(), "None");
        check("a\"".into(), "a\"");
        check(Value::Bytes([97, 98].as_slice().into()), "[97, 98]");
        check(Value::DateTimeUtc(500), "1970-01-01T00:00:00.000000500+0000");
        check(Value::Duration(93_784_005_000_000), "1d 2h 3m 4s 5000000ns");
        check(Value::Duration(-90_000_000_000), "-1m -30s");
        check(Value::Duration(0), "");
        check(
            Value::tuple([1.into(), "a".into(), ().into(), 1.0.into()]),
            "(1, \"a\", None, 1.0)",
        );
        check(
            Value::FloatArray(NdArray {
                shape: [2, 2].into(),
                elements: [1.5, 2.0, 3.0, 4.0].into(),
            }),
            "[[1.5, 2],\n [3, 4]]",
        );
    }
}
