use super::*;
use crate::files::reader::tests::{read_text, read_with, rejected};
use crate::files::{FileFormat, FileSource, ReadMode};
use proptest::prelude::*;
use towpath_types::DType;
use towpath_types::Schema;

fn schema() -> Schema {
    Schema::of([("a", DType::Str), ("b", DType::Int)])
}

fn check(settings: &CsvSettings, content: &str, expected: &[(&str, i64)]) {
    let rows = read_text(FileFormat::Csv(settings.clone()), schema(), content.as_bytes());
    let expected: Vec<Vec<Value>> = expected
        .iter()
        .map(|(a, b)| vec![Value::str(a), Value::Int(*b)])
        .collect();
    assert_eq!(rows.0, expected, "{content:?}");
}

#[test]
fn fields_and_quotes() {
    let plain = CsvSettings::default();
    check(&plain, "a,b\nx,1\ny,2", &[("x", 1), ("y", 2)]);
    check(&plain, "\u{feff}b,c,a\r\n1,?,x\r\n\r\n2,?,y\r\n", &[("x", 1), ("y", 2)]);
    check(
        &plain,
        "\"a\",\"b\"\n\"he said \"\"hi\"\", ok\nline\",\"1\"\n\"\",2\n",
        &[("he said \"hi\", ok\nline", 1), ("", 2)],
    );
    check(
        &plain,
        "a,b\n\"x\"y,1\n\"p\"q\"r\",2\n x\"y\" ,3\n",
        &[("xy", 1), ("pq\"r\"", 2), (" x\"y\" ", 3)],
    );
    check(&plain, "a,b\nextra,1,2,3\n", &[("extra", 1)]);
    let comments = CsvSettings {
        comment_character: Some(b'#'),
        ..CsvSettings::default()
    };
    check(&comments, "#\"c\na,b\n#x,1\nx#,2\n#", &[("x#", 2)]);
    let escapes = CsvSettings {
        escape: Some(b'\\'),
        ..CsvSettings::default()
    };
    check(&escapes, "a,b\n\"x\\\"y\\\\\",1\n\\,2\n", &[("x\"y\\", 1), ("\\", 2)]);
    let other = CsvSettings {
        delimiter: b';',
        quote: b'\'',
        ..CsvSettings::default()
    };
    check(&other, "a;b\n'x;''y';1\n\"x\";2\n", &[("x;'y", 1), ("\"x\"", 2)]);
    let single = CsvSettings {
        double_quote_escapes: false,
        ..CsvSettings::default()
    };
    check(&single, "a,b\n\"x\"\"y\",1\n", &[("x\"y\"", 1)]);
    let unquoted = CsvSettings {
        quoting: false,
        ..CsvSettings::default()
    };
    check(&unquoted, "a,b\n\"x\",1\n", &[("\"x\"", 1)]);
}

#[test]
fn bad_records_are_named() {
    let bad = |content: &[u8], expected: &[&str]| {
        let messages = rejected(FileFormat::Csv(CsvSettings::default()), schema(), content);
        assert_eq!(messages.len(), expected.len(), "{messages:?}");
        for (message, expected) in messages.iter().zip(expected) {
            assert!(message.contains(expected), "{message}");
        }
    };
    bad(
        b"a,b\nx,\"1\n1\"\ny,2\nz\n\nz,?\n",
        &[
            "line 2: field \"b\": cannot read \"1\\n1\" as int: invalid digit",
            "line 5: field \"b\" is missing and has no default: the row has only 1 field",
            "line 7: field \"b\": cannot read \"?\" as int",
        ],
    );
    bad(b"a,b\n\xff,1\nx,2\n", &["line 2: no valid UTF-8"]);
    bad(
        b"a,c\nx,1\ny,2\n",
        &["the header lacks [\"b\"], without a default, and has [\"a\", \"c\"]"],
    );
    bad(
        b"a,b,c,b\nx,1,1,1\n",
        &["the header has [\"b\"] more than once, and has [\"a\", \"b\", \"c\", \"b\"]"],
    );
    bad(
        b"b , b\nx,1\n",
        &["the header lacks [\"a\"], without a default, has [\"b\"] more than once, and has [\"b \", \" b\"]; no row"],
    );
    bad(
        b"a;b\nx;1\n",
        &[
            "and has [\"a;b\"]; if ';' is between the fields: csv_settings=pw.io.CsvParserSettings(delimiter=';'); no row",
        ],
    );
    bad(
        b"a,b\nx,1\n\"y,2\nz,3\n",
        &["line 3: a quote is opened and never closed"],
    );
}

#[test]
fn bad_fields_are_errors_in_rows_that_are_kept() {
    let mut schema = Schema::of([
        ("k", DType::Int),
        ("f", DType::Float),
        ("b", DType::Bool),
        ("s", DType::Str),
    ]);
    schema.fields[0].primary_key = true;
    let content = b"k,f,b,s\n1,x,y,a\n2,2.5,?,b\nthree,1,y,c\n4\n5,\"?\"\"\",n,d\n6,1,n,e\n";
    let (rows, messages) = read_with(FileFormat::Csv(CsvSettings::default()), schema, content, true);
    let row = |k, f: Value, b: Value, s| vec![Value::Int(k), f, b, Value::str(s)];
    assert_eq!(
        rows,
        [
            row(1, Value::Error, Value::Bool(true), "a"),
            row(2, Value::Float(2.5), Value::Error, "b"),
            row(5, Value::Error, Value::Bool(false), "d"),
            row(6, Value::Float(1.0), Value::Bool(false), "e"),
        ]
    );
    let expected = [
        "line 2: field \"f\"",
        "line 3: field \"b\"",
        "line 4: field \"k\"",
        "line 5: field",
        "line 6: field \"f\"",
    ];
    assert_eq!(messages.len(), expected.len(), "{messages:?}");
    for (message, expected) in messages.iter().zip(expected) {
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn absent_columns_take_their_default() {
    let mut schema = schema();
    schema.fields[1].default = Some(Value::Int(7));
    let rows = read_text(FileFormat::Csv(CsvSettings::default()), schema, b"a\nx\n");
    assert_eq!(rows.0, [[Value::str("x"), Value::Int(7)]]);
}

#[test]
fn empty_fields_take_the_default() {
    let mut schema = Schema::of([
        ("s", DType::Str),
        ("i", DType::Int),
        ("f", DType::Float),
        ("o", DType::Int.optional()),
        ("b", DType::Bytes),
    ]);
    let defaults = [
        Value::str("-"),
        Value::Int(7),
        Value::Int(2),
        Value::Int(9),
        Value::Bytes(b"d".as_slice().into()),
    ];
    for (field, default) in schema.fields.iter_mut().zip(&defaults) {
        field.default = Some(default.clone());
    }
    let content = b"s,i,f,o,b\n,,,,\n , ,\"\", ,\nx,1,1.5,none,AA==\n";
    let (rows, messages) = read_with(FileFormat::Csv(CsvSettings::default()), schema, content, false);
    let taken = |text| {
        let [_, i, _, o, b] = defaults.clone();
        vec![Value::str(text), i, Value::Float(2.0), o, b]
    };
    let given = vec![
        Value::str("x"),
        Value::Int(1),
        Value::Float(1.5),
        Value::None,
        Value::Bytes([0].as_slice().into()),
    ];
    assert_eq!(messages, Vec::<String>::new());
    assert_eq!(rows, [taken(""), taken(" "), given]);
}

#[test]
fn records_before_the_header_are_passed_over() {
    let content = "sep=,\n\"Statement, of\n2024\",x\n\na,b\nx,1\na,b\n";
    check(&CsvSettings::default(), content, &[("x", 1)]);
    let messages = rejected(FileFormat::Csv(CsvSettings::default()), schema(), content.as_bytes());
    assert_eq!(messages.len(), 2, "{messages:?}");
    let expected = "the header lacks [\"a\", \"b\"], without a default, and has [\"sep=\", \"\"]; no row of the file is read, unless a later record has these";
    assert!(messages[0].contains(expected), "{messages:?}");
    assert!(messages[1].contains("line 7: field \"b\""), "{messages:?}");
    // Not for ever.
    let late = |count| format!("{}a,b\nx,1\n", "x,1\n".repeat(count));
    check(&CsvSettings::default(), &late(RECORDS_BEFORE_HEADER - 1), &[("x", 1)]);
    check(&CsvSettings::default(), &late(RECORDS_BEFORE_HEADER), &[]);
}

#[test]
fn spaces_around_names_and_numbers() {
    let content = "x, a, b \n, y, 5\n,z ,6\t\n,\" 7\",\" 7\"\n";
    check(&CsvSettings::default(), content, &[(" y", 5), ("z ", 6), (" 7", 7)]);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let settings = CsvSettings {
        delimiter: b'"',
        ..CsvSettings::default()
    };
    let error = FileSource::new("s", "x", FileFormat::Csv(settings), ReadMode::Static, schema());
    assert!(error.is_err());
}

/// Whether the last quoted field is closed, as the `csv` crate sees it.
fn is_closed(content: &str) -> bool {
    let (mut in_quotes, mut at_start) = (false, true);
    let mut bytes = content.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if in_quotes {
            if byte == b'"' {
                match bytes.peek() {
                    Some(b'"') => drop(bytes.next()),
                    _ => in_quotes = false,
                }
            }
        } else {
            in_quotes = byte == b'"' && at_start;
            at_start = matches!(byte, b',' | b'\n' | b'\r');
        }
    }
    !in_quotes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn records_are_those_of_the_csv_crate(content in "([ab\",\n]|\r\n|\r|\"\"|ż|,\"[a,\n]{0,3}\"){0,80}") {
        prop_assume!(is_closed(&content));
        let content = format!("a,b,c\n{content}");
        let mut expected = Vec::new();
        let mut reader = ::csv::ReaderBuilder::new().flexible(true).from_reader(content.as_bytes());
        for record in reader.records() {
            let record = record.expect("the csv crate reads anything");
            if record.len() >= 3 {
                expected.push((0..3).map(|field| Value::str(&record[field])).collect::<Vec<_>>());
            }
        }
        let schema = Schema::of([("a", DType::Str), ("b", DType::Str), ("c", DType::Str)]);
        let (rows, _) = read_text(FileFormat::Csv(CsvSettings::default()), schema, content.as_bytes());
        prop_assert_eq!(rows, expected);
    }
}
