//! Values of a type from text: the fields of csv, and what JSON writes as a string.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, NaiveDateTime};
use towpath_types::{DType, Key, Value};

use super::json::{parse_json, parse_json_value};

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
pub(super) fn parse_string(text: &str, dtype: &DType) -> Result<Value, String> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value as Json;

    use super::*;

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

    proptest! {
        #[test]
        fn ints_are_read_as_the_standard_library_reads_them(text in "[-+]?[0-9]{0,20}|[-+0-9a: ]{0,4}") {
            prop_assert_eq!(parse_int(&text).ok(), text.parse::<i64>().ok());
        }
    }
}
