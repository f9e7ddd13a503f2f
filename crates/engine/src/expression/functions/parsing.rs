//! `str.parse_int`, `str.parse_float`, `str.parse_bool`: numbers and truth from text, trimmed.
//!
//! What cannot be parsed is an error; for the `…_optional` functions it is `None`.

use towpath_types::{Column, DType, Value};

use super::kernels::texts;
use super::rules::{ANYTHING, STR, entry};
use crate::error::{ErrorKind, RowError};
use crate::expression::{Evaluation, Function, Operand, brief_quoted};

pub(super) const FUNCTIONS: &[Function] = &[
    entry!("str.parse_int"(STR) -> DType::Int, |a, e| parse(a, e, int, false)).failing(),
    entry!("str.parse_int_optional"(STR) -> DType::Int.optional(), |a, e| parse(a, e, int, true)),
    entry!("str.parse_float"(STR) -> DType::Float, |a, e| parse(a, e, float, false)).failing(),
    entry!("str.parse_float_optional"(STR) -> DType::Float.optional(), |a, e| parse(a, e, float, true)),
    entry!("str.parse_bool"(STR, ANYTHING, ANYTHING) -> DType::Bool, |a, e| parse_bool(a, e, false)).failing(),
    entry!("str.parse_bool_optional"(STR, ANYTHING, ANYTHING) -> DType::Bool.optional(), |a, e| {
        parse_bool(a, e, true)
    }),
];

fn cannot(text: &str, target: &str, why: &str) -> RowError {
    let text = brief_quoted(text);
    RowError::new(ErrorKind::Value, format!("cannot parse {text} to {target}{why}"))
}

fn int(text: &str) -> Result<Value, RowError> {
    text.trim()
        .parse()
        .map(Value::Int)
        .map_err(|error: std::num::ParseIntError| cannot(text, "int", &format!(": {error}")))
}

fn float(text: &str) -> Result<Value, RowError> {
    text.trim()
        .parse()
        .map(Value::Float)
        .map_err(|error: std::num::ParseFloatError| cannot(text, "float", &format!(": {error}")))
}

fn parse(
    arguments: &[Operand],
    evaluation: &mut Evaluation<'_>,
    parse: fn(&str) -> Result<Value, RowError>,
    optional: bool,
) -> Column {
    let text = texts(&arguments[0]);
    evaluation.collect(|row| match parse(text.at(row)) {
        Err(_) if optional => Ok(Value::None),
        result => result,
    })
}

fn contains(values: &Value, text: &str) -> bool {
    let is_text = |value: &Value| matches!(value, Value::Str(value) if value.to_lowercase() == text);
    match values {
        Value::Tuple(values) => values.iter().any(is_text),
        _ => false,
    }
}

fn parse_bool(arguments: &[Operand], evaluation: &mut Evaluation<'_>, optional: bool) -> Column {
    let text = texts(&arguments[0]);
    evaluation.collect(|row| {
        let word = text.at(row).trim().to_lowercase();
        if contains(&arguments[1].value(row), &word) {
            Ok(Value::Bool(true))
        } else if contains(&arguments[2].value(row), &word) {
            Ok(Value::Bool(false))
        } else if optional {
            Ok(Value::None)
        } else {
            Err(cannot(text.at(row), "bool", ""))
        }
    })
}

#[cfg(test)]
mod tests {
    use towpath_types::Value;

    use crate::expression::functions::testing::outcome;

    #[test]
    fn numbers() {
        let check = |name: &str, text: &str, expected: &str| {
            assert_eq!(outcome(name, [text.into()]), expected, "{name} {text:?}");
            let or_none = if expected.starts_with("Value") {
                "None"
            } else {
                expected
            };
            assert_eq!(
                outcome(&format!("{name}_optional"), [text.into()]),
                or_none,
                "{name} {text:?}"
            );
        };
        check("str.parse_int", " +12 ", "12");
        check("str.parse_int", "-0", "0");
        check(
            "str.parse_int",
            "1_0",
            "Value: cannot parse \"1_0\" to int: invalid digit found in string",
        );
        check(
            "str.parse_int",
            "",
            "Value: cannot parse \"\" to int: cannot parse integer from empty string",
        );
        check(
            "str.parse_int",
            "9223372036854775808",
            "Value: cannot parse \"9223372036854775808\" to int: number too large to fit in target type",
        );
        check("str.parse_float", " 1e5", "100000.0");
        check("str.parse_float", "Infinity", "inf");
        check(
            "str.parse_float",
            "x",
            "Value: cannot parse \"x\" to float: invalid float literal",
        );
    }

    #[test]
    fn truth() {
        let parse = |text: &str, optional: bool| {
            let words = |words: [&str; 2]| Value::tuple(words.map(Value::from));
            let name = if optional {
                "str.parse_bool_optional"
            } else {
                "str.parse_bool"
            };
            outcome(name, [text.into(), words(["true", "ON"]), words(["false", "off"])])
        };
        assert_eq!(parse(" TRUE ", false), "true");
        assert_eq!(parse("on", false), "true");
        assert_eq!(parse("off", false), "false");
        assert_eq!(parse("t", true), "None");
        assert_eq!(parse("t", false), "Value: cannot parse \"t\" to bool");
    }
}
