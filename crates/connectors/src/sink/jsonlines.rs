//! Updates as JSON lines: an object a line with the columns, then `diff`, then `time`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use towpath_engine::{Description, listed};
use towpath_types::{Batch, Cells, Column, Time, date_time_text, json_text, non_finite_text, write_json_string};

use super::format::{RowFormat, write_int};

/// Writes JSON lines.
#[derive(Clone, Debug)]
pub struct JsonLinesWriter {
    /// What stands before each column's value: `{"a":`, `,"b":` …
    members: Vec<Vec<u8>>,
}

impl JsonLinesWriter {
    /// A writer for columns of these names.
    pub fn new(columns: &[String]) -> Self {
        let members = columns
            .iter()
            .enumerate()
            .map(|(position, name)| {
                let mut member = vec![if position == 0 { b'{' } else { b',' }];
                write_json_string(name, &mut member);
                member.push(b':');
                member
            })
            .collect();
        Self { members }
    }
}

impl RowFormat for JsonLinesWriter {
    fn name(&self) -> &'static str {
        "jsonlines"
    }

    fn describe(&self, description: &mut Description) {
        let members = self.members.iter().map(|member| String::from_utf8_lossy(member));
        description.set("columns", listed(members));
    }

    fn extension(&self) -> &'static str {
        "jsonl"
    }

    fn write_header(&self, _out: &mut Vec<u8>) {}

    fn write_rows(&self, batch: &Batch, time: Time, out: &mut Vec<u8>) {
        let before_diff: &[u8] = if self.members.is_empty() {
            b"{\"diff\":"
        } else {
            b",\"diff\":"
        };
        let mut end = b",\"time\":".to_vec();
        end.extend_from_slice(itoa::Buffer::new().format(time).as_bytes());
        end.extend_from_slice(b"}\n");
        for row in 0..batch.len() {
            for (member, column) in self.members.iter().zip(batch.columns()) {
                out.extend_from_slice(member);
                write_cell(column, row, out);
            }
            out.extend_from_slice(before_diff);
            write_int(batch.diff(row), out);
            out.extend_from_slice(&end);
        }
    }
}

fn write_plain(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
}

fn write_float(value: f64, out: &mut Vec<u8>) {
    if !value.is_finite() {
        write_plain(non_finite_text(value).as_bytes(), out);
        return;
    }
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value);
    match text.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => {
            out.extend_from_slice(digits.as_bytes());
            out.extend_from_slice(b"e+");
            out.extend_from_slice(exponent.as_bytes());
        }
        _ => out.extend_from_slice(text.as_bytes()),
    }
}

fn write_cell(column: &Column, row: usize, out: &mut Vec<u8>) {
    if column.nulls().is_some_and(|nulls| nulls.is_null(row)) {
        out.extend_from_slice(b"null");
        return;
    }
    match column.cells() {
        Cells::Int(array) => write_int(array.value(row), out),
        Cells::Duration(array) => write_int(array.value(row), out),
        Cells::Str(array) => write_json_string(array.value(row), out),
        Cells::Float(array) => write_float(array.value(row), out),
        Cells::Bool(array) => out.extend_from_slice(if array.value(row) { b"true" } else { b"false" }),
        Cells::Bytes(array) => write_plain(BASE64.encode(array.value(row)).as_bytes(), out),
        Cells::Pointer(array) => write_plain(array.values()[row].to_string().as_bytes(), out),
        Cells::DateTimeNaive(array) => write_plain(date_time_text(array.value(row), false).as_bytes(), out),
        Cells::DateTimeUtc(array) => write_plain(date_time_text(array.value(row), true).as_bytes(), out),
        Cells::Any(values) => out.extend_from_slice(json_text(&values[row]).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use towpath_types::{DType, Key, Value};

    fn written(dtype: &DType, value: &Value) -> String {
        let batch = Batch::new(vec![Key(0)], vec![Column::from_values(dtype, [value])], None);
        let mut out = Vec::new();
        JsonLinesWriter::new(&["a\"".to_owned()]).write_rows(&batch, 6, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    fn check(dtype: DType, value: Value, expected: &str) {
        for dtype in [dtype, DType::Any] {
            let line = written(&dtype, &value);
            assert_eq!(line, format!("{{\"a\\\"\":{expected},\"diff\":1,\"time\":6}}\n"));
        }
    }

    #[test]
    fn every_type() {
        check(DType::Int, Value::Int(-5), "-5");
        check(DType::Bool, Value::Bool(true), "true");
        check(DType::Float, Value::Float(1.0), "1.0");
        check(DType::Float, Value::Float(1e300), "1e+300");
        check(DType::Float, Value::Float(1e16), "1e+16");
        check(DType::Float, Value::Float(0.00001), "0.00001");
        check(DType::Float, Value::Float(1e-7), "1e-7");
        check(DType::Float, Value::Float(f64::NAN), "\"NaN\"");
        check(DType::Float, Value::Float(-0.0), "-0.0");
        check(DType::Str, Value::str("q\"\\\n\u{1}é"), "\"q\\\"\\\\\\n\\u0001é\"");
        check(DType::Bytes, Value::Bytes([0, 255, 5].as_slice().into()), "\"AP8F\"");
        check(DType::Duration, Value::Duration(7), "7");
        check(
            DType::DateTimeNaive,
            Value::DateTimeNaive(0),
            "\"1970-01-01T00:00:00.000000000\"",
        );
        check(
            DType::DateTimeUtc,
            Value::DateTimeUtc(0),
            "\"1970-01-01T00:00:00.000000000+0000\"",
        );
        check(DType::Int.optional(), Value::None, "null");
        check(
            DType::ANY_POINTER,
            Value::Pointer(Key(1)),
            "\"^00000000000000000000000001\"",
        );
        check(DType::Any, Value::tuple([Value::Int(1), Value::None]), "[1,null]");
    }

    proptest! {
        #[test]
        fn columns_and_values_have_one_text(float in any::<f64>(), text in any::<String>()) {
            let float = Value::Float(float);
            prop_assert_eq!(written(&DType::Float, &float), written(&DType::Any, &float));
            let text = Value::str(&text);
            let line = written(&DType::Str, &text);
            prop_assert_eq!(&line, &written(&DType::Any, &text));
            let read: serde_json::Value = serde_json::from_str(&line).expect("a line is JSON");
            prop_assert_eq!(Value::str(read["a\""].as_str().expect("a string")), text);
        }
    }
}
