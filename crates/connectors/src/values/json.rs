//! Values of a type from JSON.

use serde_json::Value as Json;
use towpath_types::{DType, NdArray, Value, non_finite};

use super::text::parse_string;

/// Parses a JSON document, with floats rounded correctly.
pub(crate) fn parse_json(text: &str) -> Result<Json, String> {
    let mut document = sonic_rs::from_str(text).map_err(|error| {
        // The rest of the message draws the place in the text, over several lines.
        let message = error.to_string();
        message.lines().next().unwrap_or_default().to_owned()
    })?;
    if may_have_negative_zero(text)
        && let Ok(signed) = serde_json::from_str(text)
    {
        restore_signs(&mut document, &signed);
    }
    Ok(document)
}

/// Whether a number of the text begins with `-0`: sonic-rs drops the sign of zeros.
fn may_have_negative_zero(text: &str) -> bool {
    let bytes = text.as_bytes();
    // In dates, the commonest other place of `-0`, a digit stands before it.
    memchr::memmem::find_iter(bytes, b"-0").any(|at| at == 0 || !bytes[at - 1].is_ascii_alphanumeric())
}

/// Takes the sign of zeros, and nothing else, from another reading of the same document, whose floats may be rounded
/// wrongly.
fn restore_signs(document: &mut Json, signed: &Json) {
    match (document, signed) {
        (number @ Json::Number(_), Json::Number(other))
            if other
                .as_f64()
                .is_some_and(|value| value == 0.0 && value.is_sign_negative()) =>
        {
            *number = Json::Number(other.clone());
        }
        (Json::Array(items), Json::Array(others)) => {
            for (item, other) in items.iter_mut().zip(others) {
                restore_signs(item, other);
            }
        }
        (Json::Object(members), Json::Object(others)) => {
            for (name, member) in members {
                if let Some(other) = others.get(name) {
                    restore_signs(member, other);
                }
            }
        }
        _ => {}
    }
}

/// Converts a member of a JSON document to a value of the type. `null` is `None`, also in an optional `Json`.
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
        (DType::Json, json) => Ok(Value::Json(json.clone().into())),
        (DType::Any, json) => Ok(any_value(json)),
        (DType::Bool, Json::Bool(value)) => Ok(Value::Bool(*value)),
        (DType::Int, Json::Number(number)) => match number.as_i64() {
            Some(value) => Ok(Value::Int(value)),
            None if number
                .as_f64()
                .is_some_and(|value| value.fract() == 0.0 && value.abs() >= 2_f64.powi(63)) =>
            {
                Err("it does not fit in 64 bits".to_owned())
            }
            None => Err("a number with a fraction or an exponent is no int".to_owned()),
        },
        (DType::Duration, Json::Number(number)) => match number.as_i64() {
            Some(value) => Ok(Value::Duration(value)),
            None => Err("a duration is a whole number of nanoseconds".to_owned()),
        },
        (DType::Float, Json::Number(number)) => match number.as_f64() {
            Some(value) => Ok(Value::Float(value)),
            None => mismatch(),
        },
        (DType::Float, Json::String(text)) => match non_finite(text) {
            Some(value) => Ok(Value::Float(value)),
            None => mismatch(),
        },
        (
            DType::Str | DType::Bytes | DType::Pointer(_) | DType::DateTimeNaive | DType::DateTimeUtc,
            Json::String(text),
        ) => parse_string(text, required),
        (DType::Tuple(types), Json::Array(items)) => {
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
        (DType::List(dtype), Json::Array(items)) => {
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
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

/// What stands for JSON in a column of any type: Python's scalars, tuples for lists, `Json` for objects.
fn any_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::None,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(value), _) => Value::Int(value),
            (None, Some(value)) => Value::Float(value),
            (None, None) => Value::Json(json.clone().into()),
        },
        Json::String(text) => Value::str(text),
        Json::Array(items) => Value::tuple(items.iter().map(any_value)),
        Json::Object(_) => Value::Json(json.clone().into()),
    }
}

fn array(members: &serde_json::Map<String, Json>, dimensions: Option<usize>, element: &DType) -> Result<Value, String> {
    let (Some(Json::Array(shape)), Some(Json::Array(elements))) = (members.get("shape"), members.get("elements"))
    else {
        return Err("an array is written as {\"shape\":[…],\"elements\":[…]}".to_owned());
    };
    let shape: Option<Vec<usize>> = shape
        .iter()
        .map(|length| length.as_u64().and_then(|length| usize::try_from(length).ok()))
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
            let json = parse_json(text).expect("it is JSON");
            assert!(parse_json_value(&json, &dtype).is_err(), "{text} as {dtype}");
        };
        bad(DType::Int, "1.0");
        bad(DType::Int, "9223372036854775808");
        bad(DType::Int, "true");
        bad(DType::Int, "\"1\"");
        bad(DType::Int, "null");
        bad(DType::Float, "\"nan\"");
        bad(DType::Bool, "1");
        bad(DType::Str, "1");
        bad(DType::Str, "null");
        let json = parse_json("{\"a\":[1,null,1.5,\"x\"]}").expect("it is JSON");
        assert_eq!(
            parse_json_value(&json["a"], &DType::Any),
            Ok(Value::tuple([
                Value::Int(1),
                Value::None,
                Value::Float(1.5),
                Value::str("x")
            ]))
        );
        assert_eq!(parse_json_value(&Json::Null, &DType::Json.optional()), Ok(Value::None));
        assert_eq!(
            parse_json_value(&Json::Null, &DType::Json),
            Ok(Value::Json(Json::Null.into()))
        );
    }

    fn typed_value() -> impl Strategy<Value = (DType, Value)> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(|value| (DType::Bool, Value::Bool(value))),
            any::<i64>().prop_map(|value| (DType::Int, Value::Int(value))),
            any::<f64>()
                .prop_map(|value| if value.is_nan() { f64::NAN } else { value })
                .prop_map(|value| (DType::Float, Value::Float(value))),
            any::<String>().prop_map(|text| (DType::Str, Value::str(&text))),
            any::<Vec<u8>>().prop_map(|data| (DType::Bytes, Value::Bytes(data.into()))),
            any::<u128>().prop_map(|key| (DType::ANY_POINTER, Value::Pointer(Key(key)))),
            any::<i64>().prop_map(|value| (DType::DateTimeNaive, Value::DateTimeNaive(value))),
            any::<i64>().prop_map(|value| (DType::DateTimeUtc, Value::DateTimeUtc(value))),
            any::<i64>().prop_map(|value| (DType::Duration, Value::Duration(value))),
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
            let json = parse_json(&json_text(&value)).expect("what is written is JSON");
            prop_assert_eq!(parse_json_value(&json, &dtype), Ok(value));
        }
    }
}
