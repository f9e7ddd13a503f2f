//! `cast_int`, `cast_float`, `cast_bool`, `cast_str`.
//!
//! Casts keep `None`; Python unwraps the result where the target excludes it. A float is truncated to an `int` and
//! saturates; text is trimmed before it is parsed. `cast_str` writes floats without exponent or `.0`.

use std::fmt::Write as _;

use arrow_buffer::BooleanBuffer;
use towpath_types::{Cells, Column, DType, Physical, Value};

use super::kernels::{bool_column, float_column, floats, int_column, text_column, texts, unary};
use super::rules::arity;
use super::value_text::text_of;
use crate::error::{ErrorKind, PlanError, RowError};
use crate::expression::{Evaluation, Function, Operand, brief_text};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("cast_int", |dtypes| rule(dtypes, DType::Int), cast).failing(),
    Function::new("cast_float", |dtypes| rule(dtypes, DType::Float), cast).failing(),
    Function::new("cast_bool", |dtypes| rule(dtypes, DType::Bool), cast).failing(),
    Function::new("cast_str", |dtypes| rule(dtypes, DType::Str), cast).failing(),
];

fn rule(dtypes: &[DType], target: DType) -> Result<DType, PlanError> {
    arity("cast", dtypes, 1)?;
    match dtypes[0].required() {
        DType::Bool | DType::Int | DType::Float | DType::Str | DType::Any | DType::None => Ok(target),
        _ => Err(PlanError::mismatch(format!("{} cannot be cast to {target}", dtypes[0]))),
    }
}

fn cast(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    let (operand, len, target) = (&arguments[0], evaluation.len, evaluation.dtype.physical());
    match (operand.cells().cells(), target) {
        (_, target) if operand.cells().physical() == target => operand.expanded(evaluation.dtype, len),
        (Cells::Int(_), Physical::Float) => float_column(unary(len, &floats(operand), |value| value)),
        (Cells::Float(_), Physical::Int) => {
            int_column(Physical::Int, unary(len, &floats(operand), |value| value as i64))
        }
        (Cells::Int(_) | Cells::Float(_), Physical::Bool) => {
            let values = floats(operand);
            bool_column(BooleanBuffer::collect_bool(len, |row| values.at(row) != 0.0))
        }
        (Cells::Str(_), Physical::Bool) => {
            let texts = texts(operand);
            bool_column(BooleanBuffer::collect_bool(len, |row| !texts.at(row).is_empty()))
        }
        (Cells::Int(array), Physical::Str) => text_column(len, |row, out| {
            let _ = write!(out, "{}", array.value(operand.position(row)));
        }),
        (Cells::Float(array), Physical::Str) => text_column(len, |row, out| {
            let _ = write!(out, "{}", array.value(operand.position(row)));
        }),
        _ => evaluation.collect(|row| cast_value(&operand.value(row), target)),
    }
}

fn cast_value(value: &Value, target: Physical) -> Result<Value, RowError> {
    let cannot = |target: &str| {
        Err(RowError::new(
            ErrorKind::Value,
            format!("Cannot cast to {target} from {}.", brief_text(&text_of(value))),
        ))
    };
    match (target, value) {
        (Physical::Bool, Value::Bool(_))
        | (Physical::Int, Value::Int(_))
        | (Physical::Float, Value::Float(_))
        | (Physical::Str, Value::Str(_)) => Ok(value.clone()),
        (Physical::Int, Value::Bool(value)) => Ok(Value::Int((*value).into())),
        (Physical::Int, Value::Float(value)) => Ok(Value::Int(*value as i64)),
        (Physical::Int, Value::Str(text)) => text
            .trim()
            .parse()
            .map_or_else(|_| cannot("int"), |int| Ok(Value::Int(int))),
        (Physical::Float, Value::Bool(value)) => Ok(Value::Float(f64::from(u8::from(*value)))),
        (Physical::Float, Value::Int(value)) => Ok(Value::Float(*value as f64)),
        (Physical::Float, Value::Str(text)) => text
            .trim()
            .parse()
            .map_or_else(|_| cannot("float"), |float| Ok(Value::Float(float))),
        (Physical::Bool, Value::Int(value)) => Ok(Value::Bool(*value != 0)),
        (Physical::Bool, Value::Float(value)) => Ok(Value::Bool(*value != 0.0)),
        (Physical::Bool, Value::Str(text)) => Ok(Value::Bool(!text.is_empty())),
        (Physical::Str, Value::Float(value)) => Ok(Value::str(&value.to_string())),
        (Physical::Str, Value::Int(_) | Value::Bool(_)) => Ok(Value::str(&text_of(value))),
        (_, other) => Err(RowError::new(
            ErrorKind::Type,
            format!(
                "{} cannot be cast to {}",
                other.type_name(),
                format!("{target:?}").to_lowercase()
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use towpath_types::{DType, Value};

    use crate::expression::functions::testing::{Table, call, outcome};

    #[test]
    fn casts() {
        let check = |name: &str, value: Value, expected: &str| {
            assert_eq!(outcome(name, [value.clone()]), expected, "{name} {value:?}");
        };
        check("cast_int", (-1.9).into(), "-1");
        check("cast_int", f64::INFINITY.into(), &i64::MAX.to_string());
        check("cast_int", f64::NAN.into(), "0");
        check("cast_int", true.into(), "1");
        check("cast_int", " 12 ".into(), "12");
        check("cast_int", "1.5".into(), "Value: Cannot cast to int from 1.5.");
        check("cast_float", 2.into(), "2.0");
        check("cast_float", " 1e5".into(), "100000.0");
        check("cast_float", "x".into(), "Value: Cannot cast to float from x.");
        check("cast_float", false.into(), "0.0");
        check("cast_bool", 3.into(), "true");
        check("cast_bool", (-0.0).into(), "false");
        check("cast_bool", f64::NAN.into(), "true");
        check("cast_bool", "False".into(), "true");
        check("cast_bool", "".into(), "false");
        check("cast_str", 0.0.into(), "\"0\"");
        check("cast_str", 1e20.into(), "\"100000000000000000000\"");
        check("cast_str", 1e-7.into(), "\"0.0000001\"");
        check("cast_str", true.into(), "\"True\"");
        check("cast_str", (-5).into(), "\"-5\"");
        check("cast_str", "a".into(), "\"a\"");
        check("cast_int", Value::Duration(1), "! Duration cannot be cast to int");
        check("cast_int", ().into(), "None");
    }

    #[test]
    fn none_is_kept() {
        let table = Table::new([(DType::Int.optional(), vec![1.into(), ().into()])]);
        let [a] = table.columns();
        let floats = call("cast_float", [a]).expect("fits");
        assert_eq!(floats.dtype(), &DType::Float.optional());
        assert_eq!(table.evaluate(&floats), (vec![1.0.into(), ().into()], vec![]));
        let table = Table::new([(DType::Any, vec!["2".into(), ().into(), true.into(), Value::Duration(1)])]);
        let [a] = table.columns();
        let ints = call("cast_int", [a]).expect("fits");
        let (values, failures) = table.evaluate(&ints);
        assert_eq!(values, [2.into(), ().into(), 1.into(), Value::Error]);
        assert_eq!(failures, ["Type: Duration cannot be cast to int"]);
    }

    #[test]
    fn a_cast_takes_and_gives_what_its_target_says() {
        let table = Table::new([(DType::Int.optional(), vec![1.into(), ().into()])]);
        let [a] = table.columns();
        let floats = a.clone().cast(DType::Float, None).expect("fits");
        assert_eq!(floats.dtype(), &DType::Float);
        let (values, failures) = table.evaluate(&floats);
        assert_eq!((values, failures.len()), (vec![1.0.into(), Value::Error], 1));
        let same = a.clone().cast(DType::Int.optional(), None).expect("fits");
        assert!(same.as_column().is_some());
        let error = a.cast(DType::Json, None).expect_err("it does not fit");
        assert!(
            error
                .message
                .starts_with("Pathway doesn't support casting int | None to Json;")
        );
    }
}
