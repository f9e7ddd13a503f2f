//! Values of a type from JSON.

use towpath_types::{DType, Json, JsonObject, NdArray, Value, non_finite};

use super::moment::duration;
use super::string::parse_string;

/// Converts a member of a JSON document to a value of the type, by the rules for values of Python: `true` is also the
/// `int` 1. `null` is `None`, also in an optional `Json`.
///
/// # Errors
/// Why the member is no value of the type.
pub fn parse_json_value(json: &Json, dtype: &DType) -> Result<Value, String> {
    let required = dtype.required();
    if json.is_null() && dtype.is_optional() {
        return Ok(Value::None);
    }
    let mismatch = || Err(format!("{} is no {dtype}", kind(json)));
    match (required, json) {
        (DType::Json, json) => Ok(Value::from(json.clone())),
        (DType::Any, json) => any_value(json),
        (DType::Bool, Json::Bool(value)) => Ok(Value::Bool(*value)),
        (DType::Int, Json::Bool(value)) => Ok(Value::Int(i64::from(*value))),
        (DType::Int, Json::Int(_) | Json::Whole(_)) => whole(json).map(Value::Int),
        (DType::Int, Json::Float(_)) => Err("a number with a fraction or an exponent is no int".to_owned()),
        (DType::Duration, Json::Int(_) | Json::Whole(_)) => whole(json).and_then(duration),
        (DType::Duration, Json::Float(_)) => Err("a duration is a whole number of nanoseconds".to_owned()),
        (DType::Float, Json::Bool(value)) => Ok(Value::Float(f64::from(u8::from(*value)))),
        (DType::Float, Json::Int(_) | Json::Whole(_) | Json::Float(_)) => match json.as_f64() {
            Some(value) => Ok(Value::Float(value)),
            None => Err("it is beyond the range of floats".to_owned()),
        },
        (DType::Float, Json::Str(text)) => match non_finite(text) {
            Some(value) => Ok(Value::Float(value)),
            None => mismatch(),
        },
        (
            DType::Str | DType::Bytes | DType::Pointer(_) | DType::DateTimeNaive | DType::DateTimeUtc | DType::Object,
            Json::Str(text),
        ) => parse_string(text, required),
        (DType::Tuple(types), Json::List(items)) => {
            if types.len() != items.len() {
                return Err(format!("a list of {} items is no {dtype}", items.len()));
            }
            let items: Result<Vec<Value>, String> = items
                .iter()
                .zip(types.iter())
                .map(|(item, dtype)| parse_json_value(item, dtype))
                .collect();
            Ok(Value::tuple(items?))
        }
        (DType::List(dtype), Json::List(items)) => {
            let items: Result<Vec<Value>, String> = items.iter().map(|item| parse_json_value(item, dtype)).collect();
            Ok(Value::tuple(items?))
        }
        (DType::Array(dimensions, element), Json::Object(members)) => array(members, *dimensions, element),
        _ => mismatch(),
    }
}

/// What a JSON value is called in messages.
fn kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a bool",
        Json::Int(_) | Json::Whole(_) | Json::Float(_) => "a number",
        Json::Str(_) => "a string",
        Json::List(_) => "a list",
        Json::Object(_) => "an object",
    }
}

fn whole(json: &Json) -> Result<i64, String> {
    json.as_i64().ok_or_else(|| "it does not fit in 64 bits".to_owned())
}

/// What stands for JSON in a column of any type: Python's scalars, tuples for lists, `Json` for objects.
fn any_value(json: &Json) -> Result<Value, String> {
    Ok(match json {
        Json::Null => Value::None,
        Json::Bool(value) => Value::Bool(*value),
        Json::Int(_) | Json::Whole(_) => Value::Int(whole(json)?),
        Json::Float(value) => Value::Float(*value),
        Json::Str(text) => Value::str(text),
        Json::List(items) => Value::Tuple(items.iter().map(any_value).collect::<Result<_, _>>()?),
        Json::Object(_) => Value::from(json.clone()),
    })
}

fn array(members: &JsonObject, dimensions: Option<usize>, element: &DType) -> Result<Value, String> {
    let (Some(Json::List(shape)), Some(Json::List(elements))) = (members.get("shape"), members.get("elements")) else {
        return Err("an array is written as {\"shape\":[…],\"elements\":[…]}".to_owned());
    };
    let shape: Option<Vec<usize>> = shape
        .iter()
        .map(|length| length.as_i64().and_then(|length| usize::try_from(length).ok()))
        .collect();
    let shape = shape.ok_or("the shape of an array is a list of lengths")?;
    let count = shape
        .iter()
        .try_fold(1_usize, |count, length| count.checked_mul(*length));
    if count != Some(elements.len()) {
        return Err(format!("the shape {shape:?} does not fit {} elements", elements.len()));
    }
    if dimensions.is_some_and(|dimensions| dimensions != shape.len()) {
        return Err(format!("it has {} dimensions", shape.len()));
    }
    let shape = shape.into();
    if *element != DType::Float {
        let ints: Option<Vec<i64>> = elements.iter().map(Json::as_i64).collect();
        if let Some(ints) = ints {
            let elements = ints.into();
            return Ok(Value::IntArray(NdArray { shape, elements }));
        }
    }
    let floats: Option<Vec<f64>> = elements.iter().map(array_float).collect();
    match floats {
        Some(floats) if *element != DType::Int => Ok(Value::FloatArray(NdArray {
            shape,
            elements: floats.into(),
        })),
        _ => Err("an element of the array has the wrong type".to_owned()),
    }
}

fn array_float(json: &Json) -> Option<f64> {
    json.as_f64().or_else(|| non_finite(json.as_str()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use towpath_types::{Key, json_text};

    use super::*;

    #[test]
    fn members_of_json() {
        let bad = |dtype: DType, text: &str| {
            let json = Json::parse(text).expect("it is JSON");
            assert!(parse_json_value(&json, &dtype).is_err(), "{text} as {dtype}");
        };
        bad(DType::Int, "1.0");
        bad(DType::Int, "9223372036854775808");
        bad(DType::Int, "1e5");
        bad(DType::Int, "NaN");
        bad(DType::Any, "9223372036854775808");
        bad(DType::Any, "[9223372036854775808]");
        bad(DType::Float, &"9".repeat(400));
        bad(DType::Duration, "true");
        bad(DType::Int, "\"1\"");
        bad(DType::Int, "null");
        bad(DType::Float, "\"nan\"");
        bad(DType::Bool, "1");
        bad(DType::Str, "1");
        bad(DType::Str, "null");
        let json = Json::parse("{\"a\":[1,null,1.5,\"x\"]}").expect("it is JSON");
        assert_eq!(
            parse_json_value(json.get("a").expect("a member"), &DType::Any),
            Ok(Value::tuple([
                Value::Int(1),
                Value::None,
                Value::Float(1.5),
                Value::str("x")
            ]))
        );
        assert_eq!(parse_json_value(&Json::Null, &DType::Json.optional()), Ok(Value::None));
        assert_eq!(parse_json_value(&Json::Null, &DType::Json), Ok(Value::from(Json::Null)));
    }

    fn typed_value() -> impl Strategy<Value = (DType, Value)> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(|value| (DType::Bool, Value::Bool(value))),
            any::<i64>().prop_map(|value| (DType::Int, Value::Int(value))),
            prop::num::f64::ANY.prop_map(|value| (DType::Float, Value::Float(value))),
            any::<String>().prop_map(|text| (DType::Str, Value::str(&text))),
            any::<Vec<u8>>().prop_map(|data| (DType::Bytes, Value::Bytes(data.into()))),
            any::<u128>().prop_map(|key| (DType::ANY_POINTER, Value::Pointer(Key(key)))),
            (i64::MIN + 1..).prop_map(|value| (DType::DateTimeNaive, Value::DateTimeNaive(value))),
            (i64::MIN + 1..).prop_map(|value| (DType::DateTimeUtc, Value::DateTimeUtc(value))),
            (i64::MIN + 1..).prop_map(|value| (DType::Duration, Value::Duration(value))),
            Just((DType::Int.optional(), Value::None)),
        ];
        leaf.prop_recursive(2, 8, 4, |inner| {
            prop::collection::vec(inner, 0..4).prop_map(|items| {
                let (dtypes, values): (Vec<DType>, Vec<Value>) = items.into_iter().unzip();
                (DType::tuple(dtypes), Value::tuple(values))
            })
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read((dtype, value) in typed_value()) {
            let json = Json::parse(&json_text(&value)).expect("what is written is JSON");
            prop_assert_eq!(parse_json_value(&json, &dtype), Ok(value));
        }
    }
}
