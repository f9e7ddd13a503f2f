//! Updates as csv: every field in quotes, `time` and `diff` after the columns, lines end with `\n`.
//!
//! Cells go straight from their arrays into the buffer; only cells without a layout of their own become
//! a [`Value`] on the way.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use towpath_engine::{Description, listed};
use towpath_types::{Batch, Cells, Column, Time, Value, date_time_text, json_text};

use super::format::{RowFormat, write_int};

/// Writes csv.
#[derive(Clone, Debug)]
pub struct CsvWriter {
    delimiter: u8,
    columns: Vec<String>,
}

impl CsvWriter {
    /// A writer for columns of these names, separated by commas.
    pub fn new(columns: Vec<String>) -> Self {
        Self {
            delimiter: b',',
            columns,
        }
    }

    /// The same writer with another delimiter.
    #[must_use]
    pub fn with_delimiter(self, delimiter: u8) -> Self {
        Self { delimiter, ..self }
    }
}

impl RowFormat for CsvWriter {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn describe(&self, description: &mut Description) {
        description.set("columns", listed(&self.columns));
        description.set("delimiter", char::from(self.delimiter));
    }

    fn extension(&self) -> &'static str {
        "csv"
    }

    fn write_header(&self, out: &mut Vec<u8>) {
        for name in &self.columns {
            write_quoted(name, out);
            out.push(self.delimiter);
        }
        out.extend_from_slice(b"\"time\"");
        out.push(self.delimiter);
        out.extend_from_slice(b"\"diff\"\n");
    }

    fn write_rows(&self, batch: &Batch, time: Time, out: &mut Vec<u8>) {
        // The end of almost every line is the same.
        let mut before_diff = b"\"".to_vec();
        before_diff.extend_from_slice(itoa::Buffer::new().format(time).as_bytes());
        before_diff.extend_from_slice(&[b'"', self.delimiter, b'"']);
        let mut insertion = before_diff.clone();
        insertion.extend_from_slice(b"1\"\n");
        for row in 0..batch.len() {
            for column in batch.columns() {
                write_cell(column, row, out);
                out.push(self.delimiter);
            }
            match batch.diff(row) {
                1 => out.extend_from_slice(&insertion),
                diff => {
                    out.extend_from_slice(&before_diff);
                    write_int(diff, out);
                    out.extend_from_slice(b"\"\n");
                }
            }
        }
    }
}

/// Appends text in quotes, with the quotes in it doubled.
fn write_quoted(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    out.push(b'"');
    while let Some(position) = memchr::memchr(b'"', rest) {
        out.extend_from_slice(&rest[..=position]);
        out.push(b'"');
        rest = &rest[position + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Appends text that holds no quotes.
fn write_plain(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
}

fn write_bool(value: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if value { b"\"True\"" } else { b"\"False\"" });
}

/// The shortest text that is read back as the same number, with a point or an exponent.
fn write_float(value: f64, out: &mut Vec<u8>) {
    let magnitude = value.abs();
    if !value.is_finite() {
        let text = if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "inf"
        } else {
            "-inf"
        };
        write_plain(text.as_bytes(), out);
    } else if (1e-5..1e-4).contains(&magnitude) {
        // The one range that ryu writes without an exponent, though it has one in Python.
        write_plain(format!("{value:?}").as_bytes(), out);
    } else {
        write_plain(ryu::Buffer::new().format_finite(value).as_bytes(), out);
    }
}

fn write_cell(column: &Column, row: usize, out: &mut Vec<u8>) {
    if column.nulls().is_some_and(|nulls| nulls.is_null(row)) {
        out.extend_from_slice(b"\"None\"");
        return;
    }
    match column.cells() {
        Cells::Int(array) => write_plain(itoa::Buffer::new().format(array.value(row)).as_bytes(), out),
        Cells::Duration(array) => write_plain(itoa::Buffer::new().format(array.value(row)).as_bytes(), out),
        Cells::Str(array) => write_quoted(array.value(row), out),
        Cells::Float(array) => write_float(array.value(row), out),
        Cells::Bool(array) => write_bool(array.value(row), out),
        Cells::Bytes(array) => write_plain(BASE64.encode(array.value(row)).as_bytes(), out),
        Cells::Pointer(array) => write_plain(array.values()[row].to_string().as_bytes(), out),
        Cells::DateTimeNaive(array) => write_plain(date_time_text(array.value(row), false).as_bytes(), out),
        Cells::DateTimeUtc(array) => write_plain(date_time_text(array.value(row), true).as_bytes(), out),
        Cells::Any(values) => write_value(&values[row], out),
    }
}

fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::None => write_plain(b"None", out),
        Value::Bool(value) => write_bool(*value, out),
        Value::Int(value) | Value::Duration(value) => {
            write_plain(itoa::Buffer::new().format(*value).as_bytes(), out);
        }
        Value::Float(value) => write_float(*value, out),
        Value::Str(text) => write_quoted(text, out),
        Value::Bytes(data) => write_plain(BASE64.encode(data).as_bytes(), out),
        Value::Object(object) => write_plain(BASE64.encode(object.stored()).as_bytes(), out),
        Value::Pointer(key) => write_plain(key.to_string().as_bytes(), out),
        Value::DateTimeNaive(value) => write_plain(date_time_text(*value, false).as_bytes(), out),
        Value::DateTimeUtc(value) => write_plain(date_time_text(*value, true).as_bytes(), out),
        Value::Json(_) | Value::Tuple(_) | Value::IntArray(_) | Value::FloatArray(_) => {
            write_quoted(&json_text(value), out);
        }
        Value::Error | Value::Pending => panic!("a sink writes no {} cells", value.type_name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use towpath_types::{DType, Key};

    fn check(dtype: DType, value: Value, expected: &str) {
        for dtype in [dtype, DType::Any] {
            let batch = Batch::new(vec![Key(0)], vec![Column::from_values(&dtype, [&value])], None);
            let mut out = Vec::new();
            CsvWriter::new(vec!["a".to_owned()]).write_rows(&batch, 6, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), format!("{expected},\"6\",\"1\"\n"));
        }
    }

    #[test]
    fn floats() {
        for (value, expected) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (0.30000000000000004, "0.30000000000000004"),
            (1e15, "1000000000000000.0"),
            (1234567890123456.0, "1234567890123456.0"),
            (1e16, "1e16"),
            (123456789012345680.0, "1.2345678901234568e17"),
            (1e300, "1e300"),
            (1e-4, "0.0001"),
            (1e-5, "1e-5"),
            (-1.5e-5, "-1.5e-5"),
            (1e-6, "1e-6"),
            (5e-324, "5e-324"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            check(DType::Float, Value::Float(value), &format!("\"{expected}\""));
        }
    }

    #[test]
    fn every_type() {
        let json = towpath_types::Json::from(serde_json::json!({"x": [1, null, "a\""]}));
        for (dtype, value, expected) in [
            (DType::Int, Value::Int(i64::MIN), "\"-9223372036854775808\""),
            (DType::Bool, Value::Bool(true), "\"True\""),
            (DType::Bool, Value::Bool(false), "\"False\""),
            (
                DType::Str,
                Value::str("he said \"hi\", ok\nline\\2"),
                "\"he said \"\"hi\"\", ok\nline\\2\"",
            ),
            (DType::Str, Value::str("\"\""), "\"\"\"\"\"\""),
            (DType::Str, Value::str(""), "\"\""),
            (DType::Bytes, Value::Bytes([0, 255, 5].as_slice().into()), "\"AP8F\""),
            (
                DType::ANY_POINTER,
                Value::Pointer(Key(1)),
                "\"^00000000000000000000000001\"",
            ),
            (
                DType::DateTimeNaive,
                Value::DateTimeNaive(1_704_164_645_000_678_000),
                "\"2024-01-02T03:04:05.000678000\"",
            ),
            (
                DType::DateTimeUtc,
                Value::DateTimeUtc(1_704_164_645_000_000_000),
                "\"2024-01-02T03:04:05.000000000+0000\"",
            ),
            (DType::Duration, Value::Duration(1_500_000_000), "\"1500000000\""),
            (DType::Int.optional(), Value::None, "\"None\""),
            (
                DType::Json,
                Value::from(json),
                "\"{\"\"x\"\":[1,null,\"\"a\\\"\"\"\"]}\"",
            ),
            (
                DType::Any,
                Value::tuple([Value::Int(1), Value::str("a")]),
                "\"[1,\"\"a\"\"]\"",
            ),
        ] {
            check(dtype, value, expected);
        }
    }

    #[test]
    fn the_header_names_time_and_diff() {
        let mut out = Vec::new();
        CsvWriter::new(vec!["a".to_owned(), "b\"c".to_owned()]).write_header(&mut out);
        assert_eq!(out, b"\"a\",\"b\"\"c\",\"time\",\"diff\"\n");
    }
}
