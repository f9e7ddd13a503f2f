//! Values as text formats write them: the fields of csv, the members of JSON objects.
//!
//! The encodings are those of the writers in [`crate::sink`]: bytes in base64, moments in ISO 8601,
//! durations in nanoseconds, pointers as `^…`, numpy arrays as `{"shape":…,"elements":…}`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, NaiveDateTime};
use serde_json::Value as Json;
use towpath_types::{DType, Key, NdArray, Value};

/// One cell of a record that is being read. Text stays where it is until the whole record is known to be good.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    /// The record has no such field.
    Absent,
    /// The field cannot be read, and the row is kept all the same.
    Error,
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// A string that stands in the record as it is, at these places.
    Text {
        start: usize,
        end: usize,
    },
    /// Anything else; boxed, so that cells are small.
    Value(Box<Value>),
}

impl From<Value> for Cell {
    fn from(value: Value) -> Self {
        match value {
            Value::None => Cell::None,
            Value::Bool(value) => Cell::Bool(value),
            Value::Int(value) => Cell::Int(value),
            Value::Float(value) => Cell::Float(value),
            value => Cell::Value(Box::new(value)),
        }
    }
}

/// The start of a value that cannot be read, for messages.
pub(crate) fn excerpt(text: &str) -> String {
    const LENGTH: usize = 100;
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Reads an integer. Most have few digits and need no check for overflow.
#[inline]
pub(crate) fn parse_int(text: &str) -> Result<i64, String> {
    let bytes = text.as_bytes();
    if let [first, ..] = bytes
        && bytes.len() <= 18
    {
        let digits = if *first == b'-' { &bytes[1..] } else { bytes };
        let mut value: i64 = 0;
        let mut is_plain = !digits.is_empty();
        for byte in digits {
            let digit = byte.wrapping_sub(b'0');
            is_plain &= digit < 10;
            value = value * 10 + i64::from(digit & 15);
        }
        if is_plain {
            return Ok(if *first == b'-' { -value } else { value });
        }
    }
    text.parse().map_err(|error: std::num::ParseIntError| error.to_string())
}

/// Reads a float.
#[inline]
pub(crate) fn parse_float(text: &str) -> Result<f64, String> {
    text.parse()
        .map_err(|error: std::num::ParseFloatError| error.to_string())
}

fn parse_bool(text: &str) -> Result<bool, String> {
    let text = text.trim();
    let is_one_of = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_one_of(&["true", "1", "t", "yes", "y", "on"]) {
        Ok(true)
    } else if is_one_of(&["false", "0", "f", "no", "n", "off"]) {
        Ok(false)
    } else {
        Err("it is neither true nor false".to_owned())
    }
}

fn parse_bytes(text: &str) -> Result<Value, String> {
    let data = BASE64.decode(text).map_err(|error| format!("no base64: {error}"))?;
    Ok(Value::Bytes(data.into()))
}

fn parse_naive(text: &str) -> Result<NaiveDateTime, String> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
        .or_else(|error| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").map_err(|_| error))
        .map_err(|error| format!("{error}; it is written as 2024-01-02T03:04:05.678"))
}

/// Nanoseconds since 1970 in UTC, of text with an offset.
fn parse_utc(text: &str) -> Result<i64, String> {
    let moment = match text.strip_suffix('Z') {
        Some(text) => parse_naive(text)?.and_utc(),
        None => DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z")
            .or_else(|error| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%z").map_err(|_| error))
            .map_err(|error| format!("{error}; it is written as 2024-01-02T03:04:05.678+0000"))?
            .to_utc(),
    };
    nanoseconds(moment)
}

fn nanoseconds(moment: DateTime<chrono::Utc>) -> Result<i64, String> {
    moment
        .timestamp_nanos_opt()
        .ok_or_else(|| "it is not between the years 1678 and 2261".to_owned())
}

/// A string as one of the types that JSON writes as a string.
fn parse_string(text: &str, dtype: &DType) -> Result<Value, String> {
    match dtype {
        DType::Str | DType::Any => Ok(Value::str(text)),
        DType::Bytes => parse_bytes(text),
        DType::Pointer => text
            .parse::<Key>()
            .map(Value::Pointer)
            .map_err(|error| error.to_string()),
        DType::DateTimeNaive => parse_naive(text)
            .and_then(|moment| nanoseconds(moment.and_utc()))
            .map(Value::DateTimeNaive),
        DType::DateTimeUtc => parse_utc(text).map(Value::DateTimeUtc),
        other => Err(format!("a string is no {other}")),
    }
}

/// Reads a field of csv. An optional field that is empty, `None` or `null` is `None`, unless it is a `str`.
///
/// # Errors
/// Why the text is no value of the type.
pub fn parse_text_value(text: &str, dtype: &DType) -> Result<Value, String> {
    let required = dtype.required();
    if matches!(dtype, DType::Optional(_))
        && (matches!(text, "" | "None") || (text == "null" && *required != DType::Json))
        && *required != DType::Str
    {
        return Ok(Value::None);
    }
    match required {
        DType::Int => parse_int(text).map(Value::Int),
        DType::Float => parse_float(text).map(Value::Float),
        DType::Bool => parse_bool(text).map(Value::Bool),
        DType::Duration => parse_int(text).map(Value::Duration),
        DType::Str | DType::Any | DType::Bytes | DType::Pointer | DType::DateTimeNaive | DType::DateTimeUtc => {
            parse_string(text, required)
        }
        DType::Json | DType::Tuple(_) | DType::List(_) | DType::Array(..) => {
            parse_json_value(&parse_json(text)?, required)
        }
        DType::None => match text {
            "" | "None" | "null" => Ok(Value::None),
            _ => Err("it is not None".to_owned()),
        },
        DType::Optional(_) | DType::Object | DType::Callable | DType::Future(_) => {
            Err(format!("{dtype} cannot be read from text"))
        }
    }
}

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
        (
            DType::Str | DType::Bytes | DType::Pointer | DType::DateTimeNaive | DType::DateTimeUtc,
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
    let floats: Option<Vec<f64>> = elements.iter().map(Json::as_f64).collect();
    match floats {
        Some(floats) if *element != DType::Int => Ok(Value::FloatArray(NdArray {
            shape,
            elements: floats.into(),
        })),
        _ => Err("an element of the array has the wrong type".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use towpath_types::json_text;

    #[test]
    fn fields_of_csv() {
        let good = |dtype: DType, text: &str, expected: Value| {
            assert_eq!(parse_text_value(text, &dtype), Ok(expected), "{text:?} as {dtype}");
        };
        let bad = |dtype: DType, text: &str, reason: &str| {
            let error = parse_text_value(text, &dtype).expect_err(text);
            assert!(error.contains(reason), "{text:?} as {dtype}: {error}");
        };
        for (text, expected) in [("1", 1), ("+1", 1), ("-0", 0), ("-9223372036854775808", i64::MIN)] {
            good(DType::Int, text, Value::Int(expected));
        }
        for text in ["", "-", " 1", "1 ", "1.0", "0x1", "1_0"] {
            assert!(parse_text_value(text, &DType::Int).is_err(), "{text:?}");
        }
        bad(DType::Int, "9223372036854775808", "too large");
        good(DType::Float, "1", Value::Float(1.0));
        good(DType::Float, "Infinity", Value::Float(f64::INFINITY));
        good(DType::Float, "nan", Value::Float(f64::NAN));
        bad(DType::Float, " 1", "invalid");
        for text in ["True", "yes", " true", "t", "1", "on"] {
            good(DType::Bool, text, Value::Bool(true));
        }
        for text in ["False", "NO", "f", "0", "off"] {
            good(DType::Bool, text, Value::Bool(false));
        }
        bad(DType::Bool, "", "neither");
        for text in ["", "None", "null"] {
            good(DType::Int.optional(), text, Value::None);
            good(DType::Str.optional(), text, Value::str(text));
        }
        good(DType::Json.optional(), "null", Value::Json(Json::Null.into()));
        good(DType::Any, "1", Value::str("1"));
        good(DType::Bytes, "AP8=", Value::Bytes([0, 255].as_slice().into()));
        bad(DType::Bytes, "?", "base64");
        good(DType::Duration, "-5", Value::Duration(-5));
        good(
            DType::DateTimeNaive,
            "1970-01-01T00:00:01.5",
            Value::DateTimeNaive(1_500_000_000),
        );
        for text in [
            "1970-01-01T00:00:01Z",
            "1970-01-01T00:00:01.000000000+0000",
            "1970-01-01T02:00:01+02:00",
        ] {
            good(DType::DateTimeUtc, text, Value::DateTimeUtc(1_000_000_000));
        }
        bad(DType::DateTimeNaive, "3000-01-01T00:00:00", "between the years");
        bad(DType::DateTimeUtc, "1970-01-01T00:00:01", "it is written as");
        bad(DType::Pointer, "x", "26 characters");
        bad(DType::tuple([DType::Int, DType::Str]), "[1]", "a list of 1 items");
        bad(DType::list(DType::Int), "[1,\"a\"]", "a string is no int");
        bad(
            DType::Array(Some(1), DType::Int.into()),
            "{\"shape\":[3],\"elements\":[1]}",
            "does not fit",
        );
    }

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
            prop::num::f64::NORMAL.prop_map(|value| (DType::Float, Value::Float(value))),
            any::<String>().prop_map(|text| (DType::Str, Value::str(&text))),
            any::<Vec<u8>>().prop_map(|data| (DType::Bytes, Value::Bytes(data.into()))),
            any::<u128>().prop_map(|key| (DType::Pointer, Value::Pointer(Key(key)))),
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

        #[test]
        fn ints_are_read_as_the_standard_library_reads_them(text in "[-+]?[0-9]{0,20}|[-+0-9a: ]{0,4}") {
            prop_assert_eq!(parse_int(&text).ok(), text.parse::<i64>().ok());
        }
    }
}
