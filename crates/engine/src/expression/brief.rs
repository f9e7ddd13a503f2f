//! Values and calls of the engine's functions in messages, as a program would write them: on one line, and cut where they
//! are long.

use std::fmt::{self, Write};

use towpath_types::Value;

use super::Operand;
use super::functions::shown;

/// So many characters of a value are shown.
const VALUE: usize = 80;

/// So many bytes of a call are shown; the argument that goes beyond that is the last.
const CALL: usize = 200;

/// A value for a message, as Python writes it.
pub(crate) fn brief(value: &Value) -> String {
    cut(|out| write_value(value, out))
}

/// A text for a message, between `"`.
pub(crate) fn brief_quoted(text: &str) -> String {
    cut(|out| {
        out.write_char('"')?;
        write_escaped(text, Some('"'), out)?;
        out.write_char('"')
    })
}

/// A text for a message, without quotes.
pub(crate) fn brief_text(text: &str) -> String {
    cut(|out| write_escaped(text, None, out))
}

/// A call of a function of the engine with the arguments of a row.
pub(super) fn call(name: &str, arguments: &[Operand], row: usize) -> String {
    let mut values: Vec<Value> = arguments.iter().map(|argument| argument.value(row)).collect();
    let is_symbol = !name.starts_with(|letter: char| letter.is_ascii_alphabetic());
    match (name, &values[..]) {
        ("neg", [value]) => return format!("-{}", brief(value)),
        ("abs", [value]) => return format!("abs({})", brief(value)),
        ("get_item", [value, index]) => return format!("{}[{}]", brief(value), brief(index)),
        ("get_item_optional", [value, index, default]) => {
            return format!("{}.get({}, {})", brief(value), brief(index), brief(default));
        }
        (_, [left, right]) if is_symbol => return format!("{} {name} {}", brief(left), brief(right)),
        (_, [value]) if is_symbol => return format!("{name}{}", brief(value)),
        _ => {}
    }
    if let Some(target) = name.strip_prefix("cast_") {
        return format!("pw.cast({target}, {})", listed(&values));
    }
    // What was left out.
    while values.len() > 1 && matches!(values.last(), Some(Value::None)) {
        values.pop();
    }
    let is_method = name.contains('.') || name.starts_with("as_") || name == "to_string";
    match &values[..] {
        [value, rest @ ..] if is_method => {
            let name = match name {
                "dt.strptime_naive" | "dt.strptime_utc" => "dt.strptime",
                name => name,
            };
            format!("{}.{name}({})", brief(value), listed(rest))
        }
        values => format!("pw.{name}({})", listed(values)),
    }
}

/// The arguments of a call.
fn listed(values: &[Value]) -> String {
    let mut text = String::new();
    for (position, value) in values.iter().enumerate() {
        if position > 0 {
            text.push_str(", ");
        }
        if text.len() > CALL {
            text.push('…');
            break;
        }
        text.push_str(&brief(value));
    }
    text
}

/// Takes so many characters, and then no more.
struct Cut {
    text: String,
    room: usize,
}

impl Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            self.room = self.room.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(letter);
        }
        Ok(())
    }
}

fn cut(write: impl FnOnce(&mut Cut) -> fmt::Result) -> String {
    let mut out = Cut {
        text: String::new(),
        room: VALUE,
    };
    if write(&mut out).is_err() {
        out.text.push('…');
    }
    out.text
}

fn write_value(value: &Value, out: &mut Cut) -> fmt::Result {
    match value {
        Value::Str(text) => {
            let quote = if text.contains('\'') && !text.contains('"') {
                '"'
            } else {
                '\''
            };
            out.write_char(quote)?;
            write_escaped(text, Some(quote), out)?;
            out.write_char(quote)
        }
        Value::Bytes(data) => {
            out.write_str("b'")?;
            data.iter()
                .try_for_each(|byte| write!(out, "{}", byte.escape_ascii()))?;
            out.write_char('\'')
        }
        Value::Json(document) => write!(out, "{document}"),
        Value::Object(object) => write!(out, "{object:?}"),
        Value::Duration(0) => out.write_str("0s"),
        Value::Tuple(items) => write_list(items, ['(', ')'], out, write_value),
        Value::IntArray(array) => write_array(&array.shape, &array.elements, out),
        Value::FloatArray(array) => write_array(&array.shape, &array.elements, out),
        other => out.write_str(&shown(other)),
    }
}

fn write_list<T>(
    items: &[T],
    [open, close]: [char; 2],
    out: &mut Cut,
    write: impl Fn(&T, &mut Cut) -> fmt::Result,
) -> fmt::Result {
    out.write_char(open)?;
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            out.write_str(", ")?;
        }
        write(item, out)?;
    }
    out.write_char(close)
}

fn write_array<T: fmt::Display>(shape: &[usize], elements: &[T], out: &mut Cut) -> fmt::Result {
    match shape {
        [] => elements.first().map_or(Ok(()), |element| write!(out, "{element}")),
        [_] => write_list(elements, ['[', ']'], out, |element, out| write!(out, "{element}")),
        [_, rest @ ..] => {
            let size = rest.iter().product::<usize>().max(1);
            let rows: Vec<&[T]> = elements.chunks(size).take(VALUE).collect();
            write_list(&rows, ['[', ']'], out, |row, out| write_array(rest, row, out))
        }
    }
}

/// A text with what is not printed written out, and the quote around it.
fn write_escaped(text: &str, quote: Option<char>, out: &mut Cut) -> fmt::Result {
    for letter in text.chars() {
        match letter {
            '\'' | '"' if Some(letter) != quote => out.write_char(letter)?,
            '\\' if quote.is_none() => out.write_char(letter)?,
            letter => write!(out, "{}", letter.escape_debug())?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use towpath_types::{DType, Json, NdArray, Value};

    use super::*;

    fn check(name: &str, arguments: &[Value], expected: &str) {
        let operands: Vec<Operand> = arguments
            .iter()
            .map(|value| Operand::scalar(value, &DType::Any))
            .collect();
        assert_eq!(call(name, &operands, 0), expected);
    }

    #[test]
    fn calls_are_as_a_program_writes_them() {
        check("//", &[7.into(), 0.into()], "7 // 0");
        check("neg", &[i64::MIN.into()], "--9223372036854775808");
        check("~", &[7.into()], "~7");
        check("cast_int", &["a b".into()], "pw.cast(int, 'a b')");
        check("unwrap", &[().into()], "pw.unwrap(None)");
        check(
            "get_item",
            &[Value::tuple([1.into(), ().into()]), 2.into()],
            "(1, None)[2]",
        );
        check(
            "get_item_optional",
            &["x".into(), 2.into(), ().into()],
            "'x'.get(2, None)",
        );
        check("str.parse_int", &["x".into()], "'x'.str.parse_int()");
        check(
            "str.find",
            &["x".into(), "y".into(), ().into(), ().into()],
            "'x'.str.find('y')",
        );
        check("dt.strptime_naive", &["x".into(), "%Y".into()], "'x'.dt.strptime('%Y')");
        check("dt.strptime_utc", &["x".into(), "%Y".into()], "'x'.dt.strptime('%Y')");
        check(
            "dt.to_utc",
            &[Value::DateTimeNaive(0), "X/Y".into()],
            "1970-01-01T00:00:00.000000000.dt.to_utc('X/Y')",
        );
        let document = Value::from(Json::parse(r#"{"a": "\n"}"#).expect("JSON"));
        check("as_int", &[document], r#"{"a":"\n"}.as_int()"#);
    }

    #[test]
    fn values_are_cut_and_stay_on_one_line() {
        assert_eq!(brief(&"a\n\x1b'".into()), r#""a\n\u{1b}'""#);
        assert_eq!(brief(&"'\"".into()), r#"'\'"'"#);
        assert_eq!(brief_quoted("it's \"a\"\n"), r#""it's \"a\"\n""#);
        assert_eq!(brief(&Value::Bytes([97, 0].as_slice().into())), r"b'a\x00'");
        assert_eq!(brief(&Value::Duration(0)), "0s");
        assert_eq!(brief(&"x".repeat(78).as_str().into()), format!("'{}'", "x".repeat(78)));
        assert_eq!(
            brief(&"x".repeat(1000).as_str().into()),
            format!("'{}…", "x".repeat(79))
        );
        assert_eq!(
            brief_text(&format!("it's\n{}", "x".repeat(1000))),
            format!(r"it's\n{}…", "x".repeat(74))
        );
        let array = |shape: &[usize], elements: &[i64]| {
            brief(&Value::IntArray(NdArray {
                shape: shape.into(),
                elements: elements.into(),
            }))
        };
        assert_eq!(array(&[2, 2], &[1, 2, 3, 4]), "[[1, 2], [3, 4]]");
        assert_eq!(array(&[1000, 1000], &[7; 1_000_000]).chars().count(), 81);
        let many = vec![Value::from("x".repeat(100).as_str()); 9];
        assert_eq!(listed(&many).matches("xxx…").count(), 3);
        assert!(listed(&many).ends_with(", …"));
    }
}
