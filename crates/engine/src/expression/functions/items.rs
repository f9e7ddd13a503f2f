//! `get_item` and `get_item_optional`: parts of tuples, lists, arrays, texts and JSON documents.
//!
//! Indices count from the end if negative, except into JSON. A constant index into a tuple gives the type of that
//! item. A missing part of a JSON document is JSON's null with `get_item`, the default with `get_item_optional`;
//! a missing part of anything else is an error with `get_item`.

use std::sync::Arc;

use towpath_types::{Column, DType, Json, NdArray, Value};

use super::rules::{arity, unsupported};
use crate::error::{ErrorKind, PlanError, RowError};
use crate::expression::{Evaluation, Function, Operand};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("get_item", |dtypes| rule("get_item", dtypes, 2), get_item)
        .taking_none()
        .failing()
        .with_constants(constant_index),
    Function::new(
        "get_item_optional",
        |dtypes| rule("get_item_optional", dtypes, 3),
        get_item_optional,
    )
    .taking_none()
    .failing()
    .with_constants(constant_index),
];

fn rule(name: &str, dtypes: &[DType], count: usize) -> Result<DType, PlanError> {
    arity(name, dtypes, count)?;
    let default = dtypes.get(2);
    let item = match (&dtypes[0], &dtypes[1]) {
        (DType::Any, _) => return Ok(DType::Any),
        (DType::Json, DType::Int | DType::Str | DType::Any | DType::Json) => {
            return match default {
                None | Some(DType::Json) => Ok(DType::Json),
                Some(default) if default == &DType::None || default.required() == &DType::Json => {
                    Ok(DType::Json.optional())
                }
                Some(default) => Err(PlanError::mismatch(format!(
                    "the default of a Json item must be Json or None, not {default}"
                ))),
            };
        }
        (DType::Tuple(items), DType::Int) => {
            let joined = items
                .iter()
                .cloned()
                .reduce(|joined, item| joined.least_upper_bound(&item));
            joined.unwrap_or(DType::Any)
        }
        (DType::List(item), DType::Int) => (**item).clone(),
        (DType::Array(dimensions, element), DType::Int) => {
            let item = DType::array_item(*dimensions, element).ok_or_else(|| unsupported(name, dtypes))?;
            return Ok(default.map_or(item.clone(), |default| item.least_upper_bound(default)));
        }
        (DType::Str, DType::Int) => DType::Str,
        (DType::Tuple(_) | DType::List(_) | DType::Array(..) | DType::Str, index) => {
            return Err(PlanError::mismatch(format!(
                "the index of {name} must be int, not {index}"
            )));
        }
        _ => return Err(unsupported(name, dtypes)),
    };
    Ok(match default {
        None => item,
        Some(default) => item.least_upper_bound(default).optional(),
    })
}

/// The type of the item at a constant index into a tuple.
fn constant_index(general: DType, dtypes: &[DType], constants: &[Option<&Value>]) -> Result<DType, PlanError> {
    let (DType::Tuple(items), Some(Value::Int(index))) = (&dtypes[0], constants[1]) else {
        return Ok(general);
    };
    match (position(*index, items.len()), dtypes.get(2)) {
        (Some(position), _) => Ok(items[position].clone()),
        (None, Some(default)) => Ok(default.clone()),
        (None, None) => Err(PlanError {
            kind: ErrorKind::Index,
            message: format!("Index {index} out of range for a tuple of type {}.", dtypes[0]),
        }),
    }
}

/// The position of an item, counted from the end if negative.
fn position(index: i64, len: usize) -> Option<usize> {
    let position = if index < 0 { index + len as i64 } else { index };
    usize::try_from(position).ok().filter(|position| *position < len)
}

/// The item, or nothing if there is none.
fn item(value: &Value, index: &Value) -> Result<Option<Value>, RowError> {
    let index = match (value, index) {
        (Value::Json(document), index) => return json_item(document, index),
        (_, Value::Int(index)) => *index,
        (value, index) => {
            return Err(RowError::new(
                ErrorKind::Type,
                format!("{} cannot be indexed with {}", value.type_name(), index.type_name()),
            ));
        }
    };
    Ok(match value {
        Value::Tuple(items) => position(index, items.len()).map(|position| items[position].clone()),
        Value::Str(text) => character(text, index).map(Value::str),
        Value::IntArray(array) => array_item(array, index).map(|(array, element)| match element {
            Some(element) => Value::Int(element),
            None => Value::IntArray(array),
        }),
        Value::FloatArray(array) => array_item(array, index).map(|(array, element)| match element {
            Some(element) => Value::Float(element),
            None => Value::FloatArray(array),
        }),
        Value::None => None,
        other => {
            return Err(RowError::new(
                ErrorKind::Type,
                format!("{} has no items", other.type_name()),
            ));
        }
    })
}

fn character(text: &str, index: i64) -> Option<&str> {
    let position = if index < 0 {
        position(index, text.chars().count())?
    } else {
        index as usize
    };
    let (start, character) = text.char_indices().nth(position)?;
    text.get(start..start + character.len_utf8())
}

/// A row of an array, and the element if the row is only one.
fn array_item<T: Copy>(array: &NdArray<T>, index: i64) -> Option<(NdArray<T>, Option<T>)> {
    let (len, shape) = array.shape.split_first()?;
    let position = position(index, *len)?;
    let size: usize = shape.iter().product();
    let elements: Arc<[T]> = array.elements[position * size..(position + 1) * size].into();
    let element = if shape.is_empty() {
        elements.first().copied()
    } else {
        None
    };
    let shape = shape.into();
    Some((NdArray { shape, elements }, element))
}

fn json_item(document: &Json, index: &Value) -> Result<Option<Value>, RowError> {
    let found = match index {
        Value::Int(index) => usize::try_from(*index).ok().and_then(|index| document.item(index)),
        Value::Str(name) => document.get(name),
        Value::Json(index) => match &**index {
            Json::Str(name) => document.get(name),
            Json::Int(index) => usize::try_from(*index).ok().and_then(|index| document.item(index)),
            _ => None,
        },
        other => {
            return Err(RowError::new(
                ErrorKind::Type,
                format!("Json cannot be indexed with {}", other.type_name()),
            ));
        }
    };
    Ok(found.map(|found| Value::from(found.clone())))
}

fn get_item(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    evaluation.collect(|row| {
        let value = arguments[0].value(row);
        match item(&value, &arguments[1].value(row))? {
            Some(item) => Ok(item),
            None if matches!(value, Value::Json(_)) => Ok(Value::from(Json::Null)),
            None => Err(RowError::new(ErrorKind::Index, "index out of bounds")),
        }
    })
}

fn get_item_optional(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    evaluation.collect(|row| {
        let item = item(&arguments[0].value(row), &arguments[1].value(row))?;
        Ok(item.unwrap_or_else(|| arguments[2].value(row)))
    })
}

#[cfg(test)]
mod tests {
    use towpath_types::{DType, Json, NdArray, Value};

    use crate::expression::functions::testing::{Table, call, constant, outcome};

    fn json(text: &str) -> Value {
        Value::from(Json::parse(text).expect("JSON"))
    }

    #[test]
    fn items() {
        let check = |value: Value, index: Value, expected: &str, or_default: &str| {
            assert_eq!(outcome("get_item", [value.clone(), index.clone()]), expected);
            assert_eq!(outcome("get_item_optional", [value, index, Value::None]), or_default);
        };
        let bounds = "Index: index out of bounds";
        check("añb".into(), 1.into(), "\"ñ\"", "\"ñ\"");
        check("añb".into(), (-3).into(), "\"a\"", "\"a\"");
        check("añb".into(), 3.into(), bounds, "None");
        check(Value::tuple([1.into(), 2.into()]), (-1).into(), "2", "2");
        let document = json(r#"{"a": [1, null], "b": "x"}"#);
        check(document.clone(), "b".into(), "\"x\"", "\"x\"");
        check(document.clone(), "zz".into(), "null", "None");
        check(document, 0.into(), "null", "None");
        check(json("[1, null]"), 1.into(), "null", "null");
        check(json("[1, null]"), (-1).into(), "null", "None");
        let array = NdArray {
            shape: [2, 2].into(),
            elements: [1, 2, 3, 4].into(),
        };
        check(Value::IntArray(array.clone()), 1.into(), "[2] [3, 4]", "[2] [3, 4]");
        check(Value::IntArray(array), 2.into(), bounds, "None");
        assert_eq!(
            outcome("get_item", [1.into(), 1.into()]),
            "! unsupported operand types for get_item: int and int"
        );
    }

    #[test]
    fn a_constant_index_knows_the_type() {
        let table = Table::new([(
            DType::tuple([DType::Int, DType::Str]),
            vec![Value::tuple([1.into(), "a".into()])],
        )]);
        let [a] = table.columns();
        let second = call("get_item", [a.clone(), constant(-1)]).expect("fits");
        assert_eq!(second.dtype(), &DType::Str);
        assert_eq!(table.evaluate(&second).0, ["a".into()]);
        let error = call("get_item", [a.clone(), constant(2)]).expect_err("out of range");
        assert_eq!(
            error.message,
            "Index 2 out of range for a tuple of type tuple[int, str]."
        );
        let default = call("get_item_optional", [a, constant(2), constant(0.5)]).expect("fits");
        assert_eq!(default.dtype(), &DType::Float);
        assert_eq!(table.evaluate(&default).0, [0.5.into()]);
    }

    #[test]
    fn items_of_arrays_have_the_type_of_the_elements() {
        let array = |shape: &[usize], elements: &[i64]| {
            Value::IntArray(NdArray {
                shape: shape.into(),
                elements: elements.into(),
            })
        };
        let check = |dimensions, value: Value, expected: &DType, or_float: &DType, item: &str| {
            let dtype = DType::Array(dimensions, DType::Int.into());
            let table = Table::new([(dtype, vec![value])]);
            let [a] = table.columns();
            let first = call("get_item", [a.clone(), constant(0)]).expect("fits");
            assert_eq!(first.dtype(), expected);
            assert_eq!(super::super::testing::show(&table.evaluate(&first).0[0]), item);
            let default = |value: Value| {
                let found = call("get_item_optional", [a.clone(), constant(9), constant(value.clone())]).expect("fits");
                (found.dtype().clone(), table.evaluate(&found).0[0].clone())
            };
            let either = |with: DType| expected.least_upper_bound(&with);
            assert_eq!(default((-1).into()), (either(DType::Int), (-1).into()));
            assert_eq!(default(Value::None), (either(DType::None), Value::None));
            assert_eq!(default(0.5.into()), (or_float.clone(), 0.5.into()));
        };
        check(Some(1), array(&[2], &[3, 4]), &DType::Int, &DType::Float, "3");
        let inner = DType::Array(Some(1), DType::Int.into());
        check(Some(2), array(&[1, 2], &[3, 4]), &inner, &DType::Any, "[2] [3, 4]");
        check(None, array(&[2], &[3, 4]), &DType::Any, &DType::Any, "3");
        check(None, array(&[1, 2], &[3, 4]), &DType::Any, &DType::Any, "[2] [3, 4]");
        let point = Table::new([(DType::Array(Some(0), DType::Int.into()), vec![array(&[], &[3])])]);
        let [a] = point.columns();
        assert!(call("get_item", [a, constant(0)]).is_err());
    }

    #[test]
    fn the_default_of_a_list() {
        let table = Table::new([(
            DType::list(DType::Int),
            vec![Value::tuple([]), Value::tuple([1.into()])],
        )]);
        let [a] = table.columns();
        let item = call("get_item_optional", [a, constant(0), constant(7)]).expect("fits");
        assert_eq!(item.dtype(), &DType::Int.optional());
        assert_eq!(table.evaluate(&item).0, [7.into(), 1.into()]);
    }
}
