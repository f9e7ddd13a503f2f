//! `str.parse_int`, `str.parse_float`, `str.parse_bool`: numbers and truth from text, trimmed.
//!
//! The last argument says whether what cannot be parsed is `None` rather than an error.

use towpath_types::{Column, DType, Value};

use super::kernels::texts;
use super::rules::{ANYTHING, BOOL, STR, entry};
use crate::error::{ErrorKind, PlanError, RowError};
use crate::expression::{Evaluation, Function, Operand};

pub(super) const FUNCTIONS: &[Function] = &[
    entry!("str.parse_int"(STR, BOOL) -> DType::Int.optional(), |a, e| parse(a, e, int))
        .failing()
        .with_constants(parsed),
    entry!("str.parse_float"(STR, BOOL) -> DType::Float.optional(), |a, e| parse(a, e, float))
        .failing()
        .with_constants(parsed),
    entry!("str.parse_bool"(STR, ANYTHING, ANYTHING, BOOL) -> DType::Bool.optional(), parse_bool)
        .failing()
        .with_constants(parsed),
];

/// The type of the result, which holds no `None` if that is not asked for.
fn parsed(general: DType, _: &[DType], constants: &[Option<&Value>]) -> Result<DType, PlanError> {
    Ok(match constants.last() {
        Some(Some(Value::Bool(false))) => general.required().clone(),
        _ => general,
    })
}

fn cannot(text: &str, target: &str, why: &str) -> RowError {
    RowError::new(ErrorKind::Value, format!("cannot parse {text:?} to {target}{why}"))
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

fn parse(arguments: &[Operand], evaluation: &mut Evaluation<'_>, parse: fn(&str) -> Result<Value, RowError>) -> Column {
    let text = texts(&arguments[0]);
    let optional = &arguments[1];
    evaluation.collect(|row| match parse(text.at(row)) {
        Err(_) if optional.value(row) == Value::Bool(true) => Ok(Value::None),
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

fn parse_bool(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    let text = texts(&arguments[0]);
    evaluation.collect(|row| {
        let word = text.at(row).trim().to_lowercase();
        if contains(&arguments[1].value(row), &word) {
            Ok(Value::Bool(true))
        } else if contains(&arguments[2].value(row), &word) {
            Ok(Value::Bool(false))
        } else if arguments[3].value(row) == Value::Bool(true) {
            Ok(Value::None)
        } else {
            Err(cannot(text.at(row), "bool", ""))
        }
    })
}

#[cfg(test)]
mod tests {
    use towpath_types::{DType, Value};

    use crate::expression::Expression;
    use crate::expression::functions::testing::{Table, call, constant, outcome};

    #[test]
    fn numbers() {
        let check = |name: &str, text: &str, expected: &str| {
            assert_eq!(outcome(name, [text.into(), false.into()]), expected, "{name} {text:?}");
            let or_none = if expected.starts_with("Value") {
                "None"
            } else {
                expected
            };
            assert_eq!(outcome(name, [text.into(), true.into()]), or_none, "{name} {text:?}");
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
            outcome(
                "str.parse_bool",
                [
                    text.into(),
                    words(["true", "ON"]),
                    words(["false", "off"]),
                    optional.into(),
                ],
            )
        };
        assert_eq!(parse(" TRUE ", false), "true");
        assert_eq!(parse("on", false), "true");
        assert_eq!(parse("off", false), "false");
        assert_eq!(parse("t", true), "None");
        assert_eq!(parse("t", false), "Value: cannot parse \"t\" to bool");
    }

    #[test]
    fn the_type_tells_whether_none_is_possible() {
        let table = Table::new([(DType::Str, vec!["1".into()])]);
        let parse = |optional: bool| {
            let [a]: [Expression; 1] = table.columns();
            call("str.parse_int", [a, constant(optional)])
                .expect("fits")
                .dtype()
                .clone()
        };
        assert_eq!(parse(false), DType::Int);
        assert_eq!(parse(true), DType::Int.optional());
    }
}
