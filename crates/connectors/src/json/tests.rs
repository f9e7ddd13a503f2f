//! Rows of objects, as plain or odd as they come.

use super::*;
use proptest::prelude::*;

fn schema() -> Schema {
    let mut schema = Schema::of([
        ("word", DType::Str),
        ("n", DType::Int),
        ("x", DType::Float.optional()),
        ("b", DType::Bool),
        ("any", DType::Any),
        ("j", DType::Json),
    ]);
    for (field, default) in [
        (2, Value::None),
        (3, Value::Bool(true)),
        (4, Value::None),
        (5, Value::str("default")),
    ] {
        schema.fields[field].default = Some(default);
    }
    schema
}

fn row(parser: &mut JsonRowParser, line: &str) -> Result<Vec<Value>, String> {
    let mut builders: Vec<ColumnBuilder> = parser
        .wanted
        .iter()
        .map(|wanted| ColumnBuilder::new(&wanted.dtype))
        .collect();
    let result = parser.parse_line(line, &mut builders);
    let columns: Vec<_> = builders.iter_mut().map(ColumnBuilder::finish).collect();
    match result {
        Ok(()) => Ok(columns.iter().map(|column| column.value(0)).collect()),
        Err(error) => {
            assert!(columns.iter().all(towpath_types::Column::is_empty));
            Err(error.message)
        }
    }
}

#[test]
fn rows_of_objects() {
    let mut parser = JsonRowParser::new(&Schema::of([("a", DType::Int), ("b", DType::Str)]));
    let good = |parser: &mut JsonRowParser, line: &str, a: i64, b: &str| {
        assert_eq!(row(parser, line), Ok(vec![Value::Int(a), Value::str(b)]), "{line}");
    };
    good(&mut parser, r#"{"a":1,"b":"x"}"#, 1, "x");
    good(&mut parser, r#" { "b" : "ż" , "c" : [1, {}], "a" : -5 } "#, -5, "ż");
    good(&mut parser, r#"{"a":1,"b":"q\"\u00e9\n"}"#, 1, "q\"é\n");
    good(&mut parser, r#"{"a":1,"a":2,"b":"","c":1e5,"d":null}"#, 2, "");
    good(&mut parser, r#"{"\u0061":3,"b":"x"}"#, 3, "x");
    for (line, reason) in [
        (r#"{"a":1}"#, r#"field "b" is missing in {"a":1} and has no default"#),
        (
            r#"{"a":1.0,"b":"x"}"#,
            r#"field "a": cannot read 1.0 as int: a number with a fraction"#,
        ),
        (r#"{"a":9223372036854775808,"b":"x"}"#, "does not fit in 64 bits"),
        (r#"{"a":null,"b":"x"}"#, "null is no int"),
        (r#"{"a":1,"b":"x"} y"#, "is no JSON"),
        (r#"{"a":01,"b":"x"}"#, "is no JSON"),
        (r#"{"a":1,"b":"x""#, "is no JSON"),
        (r#"{"a":1,"b":"x",}"#, "is no JSON"),
        ("[1]", r#"the line "[1]" is no JSON object"#),
        ("", "is no JSON"),
    ] {
        let error = row(&mut parser, line).expect_err(line);
        assert!(error.contains(reason), "{line}: {error}");
    }
}

#[test]
fn zeros_keep_their_sign() {
    let mut parser = JsonRowParser::new(&Schema::of([("x", DType::Float), ("s", DType::Str)]));
    for (zero, sign) in [("-0.0", -1.0), ("-0e0", -1.0), ("-0", -1.0), ("0.0", 1.0), ("0", 1.0)] {
        // With an escape the complete parser reads the line.
        for text in ["plain", r"esc\u0061ped"] {
            let values = row(&mut parser, &format!(r#"{{"x":{zero},"s":"{text}"}}"#)).expect("it is a row");
            let Value::Float(value) = values[0] else {
                panic!("{values:?} begins with a float");
            };
            assert_eq!(value.signum(), sign, "{zero} {text}");
        }
    }
}

#[test]
fn bad_values_are_errors_in_rows_that_are_kept() {
    let mut schema = Schema::of([("k", DType::Int), ("x", DType::Float), ("s", DType::Str)]);
    schema.fields[0].primary_key = true;
    let mut parser = JsonRowParser::new(&schema);
    parser.keep_bad_rows(true);
    for (line, cells, reasons) in [
        (
            r#"{"k":1,"x":"high","s":"a"}"#,
            [Value::Int(1), Value::Error, Value::str("a")],
            vec!["\"x\": cannot read"],
        ),
        (
            r#"{"k":1,"x":2.5,"s":"a"}"#,
            [Value::Int(1), Value::Float(2.5), Value::str("a")],
            vec![],
        ),
        (
            r#"{"k":1,"x":null}"#,
            [Value::Int(1), Value::Error, Value::Error],
            vec!["\"x\": cannot read", "\"s\" is missing"],
        ),
    ] {
        assert_eq!(row(&mut parser, line), Ok(cells.to_vec()), "{line}");
        let errors = parser.take_errors();
        assert_eq!(errors.len(), reasons.len(), "{errors:?}");
        for (error, reason) in errors.iter().zip(reasons) {
            assert!(error.contains(reason), "{error}");
        }
    }
    for line in [r#"{"k":"one","x":"high","s":"a"}"#, r#"{"x":2.5,"s":"a"}"#, "{", "[1]"] {
        assert!(row(&mut parser, line).is_err(), "{line} has no key");
    }
}

#[test]
fn the_first_unknown_member_is_known() {
    for (lines, unknown) in [
        (vec![r#"{"a":1}"#, r#"{"a":[]}"#, r#"{}"#], None),
        (vec![r#"{"a":1}"#, r#"{"a":1,"c":2}"#, r#"{"d":1,"a":1}"#], Some("c")),
        (vec![r#"{"a":1,"é":[]}"#, r#"{"a":1,"c":2}"#], Some("é")),
        (vec![r#"{"a":1,"\u0063":2}"#], Some("c")),
        (vec![r#"{"b":1}"#], Some("b")),
    ] {
        let mut parser = JsonRowParser::new(&Schema::of([("a", DType::Int)]));
        for line in &lines {
            // Whether the row is accepted does not matter.
            let _ = row(&mut parser, line);
        }
        assert_eq!(parser.unknown_member(), unknown, "{lines:?}");
    }
}

#[test]
fn pointers_lead_into_documents() {
    let schema = Schema::of([("a", DType::Int), ("b", DType::Str)]);
    let paths = [("b".to_owned(), "/o/p/1".to_owned())];
    let mut parser = JsonRowParser::with_paths(&schema.fields, &paths);
    assert_eq!(
        row(&mut parser, r#"{"a":1,"o":{"p":["u","v"]}}"#),
        Ok(vec![Value::Int(1), Value::str("v")])
    );
    let error = row(&mut parser, r#"{"a":1,"o":5}"#).expect_err("it leads nowhere");
    assert!(error.starts_with("field \"b\" (at /o/p/1) is missing"), "{error}");
}

fn token() -> impl Strategy<Value = String> {
    let string = prop_oneof!["[a-c]{0,14}", "[ab\"\\\\ż\u{1}]{0,6}"]
        .prop_map(|text| serde_json::to_string(&text).expect("a string can be written"));
    prop_oneof![
        4 => string,
        2 => any::<i64>().prop_map(|value| value.to_string()),
        2 => any::<f64>().prop_map(|value| format!("{value:?}")),
        1 => "-?[0-9]{0,3}(\\.[0-9]{0,2})?([eE][-+]?[0-9]{0,3})?",
        2 => prop_oneof![Just("true"), Just("false"), Just("null"), Just("nul"), Just("[1]"), Just("{\"n\":1}")]
            .prop_map(str::to_owned),
    ]
}

fn line() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("word"),
        Just("n"),
        Just("x"),
        Just("b"),
        Just("any"),
        Just("j"),
        Just("other")
    ];
    let member = (name, token(), "[ \t]{0,1}", "[ \t]{0,1}")
        .prop_map(|(name, value, space, other)| format!("{space}\"{name}\"{other}:{space}{value}{other}"));
    let damage = prop_oneof![9 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)];
    (prop::collection::vec(member, 0..7), damage).prop_map(|(members, damage)| {
        let mut line = format!("{{\"word\":\"w\",\"n\":1,{}}}", members.join(","));
        if members.is_empty() {
            line = line.replace(",}", "}");
        }
        if let Some(position) = damage {
            let position = position.index(line.len());
            if line.is_char_boundary(position) {
                line.truncate(position);
            }
        }
        line
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn the_scanner_agrees_with_the_complete_parser(lines in prop::collection::vec(line(), 1..4)) {
        let mut parser = JsonRowParser::new(&schema());
        for line in &lines {
            let mut complete = JsonRowParser::new(&schema());
            complete.has_pointers = true;
            let (quick, complete) = (row(&mut parser, line), row(&mut complete, line));
            prop_assert_eq!(&quick, &complete, "{}", line);
            // And with a parser that is not ours.
            let standard: Result<serde_json::Value, _> = serde_json::from_str(line);
            if let (Ok(values), Ok(document)) = (&quick, &standard) {
                prop_assert_eq!(&values[0], &Value::str(document["word"].as_str().unwrap_or_default()));
                prop_assert_eq!(&values[1], &Value::Int(match &document["n"] {
                    serde_json::Value::Bool(value) => i64::from(*value),
                    number => number.as_i64().unwrap_or_default(),
                }));
            }
            // A number beyond the range of floats is infinite, which that parser refuses.
            let is_json = match &standard {
                Ok(_) => true,
                Err(error) => error.to_string().starts_with("number out of range"),
            };
            prop_assert!(is_json || quick.is_err(), "{} is no JSON", line);
        }
    }
}
