//! `as_int`, `as_float`, `as_str`, `as_bool`: what a JSON document holds, if it holds just that.
//!
//! JSON's null is `None`; a document of another kind is an error. Integers are also floats.

use towpath_types::{Column, DType, Json, Value};

use super::rules::{arity, unsupported};
use crate::error::{ErrorKind, PlanError, RowError};
use crate::expression::{Evaluation, Function, Operand, brief};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "as_int",
        |dtypes| rule("as_int", dtypes, DType::Int),
        |a, e| extract(a, e, "Int", |document| document.as_i64().map(Value::Int)),
    )
    .failing(),
    Function::new(
        "as_float",
        |dtypes| rule("as_float", dtypes, DType::Float),
        |a, e| extract(a, e, "Float", |document| document.as_f64().map(Value::Float)),
    )
    .failing(),
    Function::new(
        "as_str",
        |dtypes| rule("as_str", dtypes, DType::Str),
        |a, e| extract(a, e, "String", |document| document.as_str().map(Value::str)),
    )
    .failing(),
    Function::new(
        "as_bool",
        |dtypes| rule("as_bool", dtypes, DType::Bool),
        |a, e| extract(a, e, "Bool", |document| document.as_bool().map(Value::Bool)),
    )
    .failing(),
];

fn rule(name: &str, dtypes: &[DType], target: DType) -> Result<DType, PlanError> {
    arity(name, dtypes, 1)?;
    if dtypes[0].required() == &DType::Json {
        Ok(target.optional())
    } else {
        Err(unsupported(name, dtypes))
    }
}

fn extract(
    arguments: &[Operand],
    evaluation: &mut Evaluation<'_>,
    target: &str,
    content: fn(&Json) -> Option<Value>,
) -> Column {
    evaluation.collect(|row| match arguments[0].value(row) {
        Value::Json(document) if document.is_null() => Ok(Value::None),
        Value::Json(document) => content(&document).ok_or_else(|| {
            let document = brief(&Value::Json(document));
            RowError::new(ErrorKind::Value, format!("Cannot convert json {document} to {target}"))
        }),
        other => Err(RowError::new(
            ErrorKind::Type,
            format!("{} is no Json", other.type_name()),
        )),
    })
}

#[cfg(test)]
mod tests {
    use towpath_types::{Json, Value};

    use crate::expression::functions::testing::outcome;

    #[test]
    fn contents() {
        let check = |name: &str, text: &str, expected: &str| {
            let document = Value::from(Json::parse(text).expect("JSON"));
            assert_eq!(outcome(name, [document]), expected, "{name} {text}");
        };
        check("as_int", "7", "7");
        check("as_int", "null", "None");
        check("as_int", "2.0", "Value: Cannot convert json 2.0 to Int");
        check(
            "as_int",
            "9223372036854775808",
            "Value: Cannot convert json 9223372036854775808 to Int",
        );
        check("as_float", "7", "7.0");
        check("as_float", "1.5", "1.5");
        check("as_str", "\"x\"", "\"x\"");
        check("as_str", "1", "Value: Cannot convert json 1 to String");
        check("as_bool", "true", "true");
        check("as_bool", "0", "Value: Cannot convert json 0 to Bool");
        assert_eq!(
            outcome("as_int", [Value::Int(1)]),
            "! unsupported operand type for as_int: int"
        );
    }
}
