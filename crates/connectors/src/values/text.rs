//! Values of a type from text: the fields of csv, and what JSON writes as a string.

use towpath_types::{DType, Json, Value};

use super::json::parse_json_value;
use super::moment::duration;
use super::string::parse_string;

/// An integer of so few digits that it needs no check for overflow, as most have.
#[inline]
pub(crate) fn parse_plain_int(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let first = *bytes.first()?;
    if bytes.len() > 18 {
        return None;
    }
    let digits = if first == b'-' { &bytes[1..] } else { bytes };
    let mut value: i64 = 0;
    let mut is_plain = !digits.is_empty();
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        is_plain &= digit < 10;
        value = value * 10 + i64::from(digit & 15);
    }
    is_plain.then_some(if first == b'-' { -value } else { value })
}

/// Reads an integer.
#[inline]
pub(crate) fn parse_int(text: &str) -> Result<i64, String> {
    match parse_plain_int(text) {
        Some(value) => Ok(value),
        None => text.parse().map_err(|error: std::num::ParseIntError| error.to_string()),
    }
}

/// Reads a float.
#[inline]
pub(crate) fn parse_float(text: &str) -> Result<f64, String> {
    text.parse()
        .map_err(|error: std::num::ParseFloatError| error.to_string())
}

fn parse_bool(text: &str) -> Result<bool, String> {
    let is_one_of = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_one_of(&["true", "1", "t", "yes", "y", "on"]) {
        Ok(true)
    } else if is_one_of(&["false", "0", "f", "no", "n", "off"]) {
        Ok(false)
    } else {
        Err("it is neither true nor false".to_owned())
    }
}

/// Whether a field is text as it stands, and not something that text stands for.
pub(crate) fn is_text(dtype: &DType) -> bool {
    matches!(dtype.required(), DType::Str | DType::Any)
}

/// Whether a field of an optional column says that there is no value: it is empty, `None` or `null` in any case.
fn says_none(text: &str, required: &DType) -> bool {
    match required {
        DType::Str | DType::Any => false,
        // Every other text that says so is the base64 of three bytes, as the empty one is of none; so is `None`, but
        // this is what a column of bytes has been written with.
        DType::Bytes => text == "None",
        DType::Json if text == "null" => false,
        _ => match text.len() {
            0 => true,
            4 => text.eq_ignore_ascii_case("none") || text.eq_ignore_ascii_case("null"),
            _ => false,
        },
    }
}

/// Reads a field of csv. Spaces around what is no text mean nothing, and an optional field that says that it is missing
/// is `None`.
///
/// # Errors
/// Why the text is no value of the type.
pub fn parse_text_value(text: &str, dtype: &DType) -> Result<Value, String> {
    let required = dtype.required();
    let text = if is_text(required) { text } else { text.trim() };
    if matches!(dtype, DType::Optional(_)) && says_none(text, required) {
        return Ok(Value::None);
    }
    match required {
        DType::Int => parse_int(text).map(Value::Int),
        DType::Float => parse_float(text).map(Value::Float),
        DType::Bool => parse_bool(text).map(Value::Bool),
        DType::Duration => parse_int(text).and_then(duration),
        DType::Str
        | DType::Any
        | DType::Bytes
        | DType::Pointer(_)
        | DType::DateTimeNaive
        | DType::DateTimeUtc
        | DType::Object => parse_string(text, required),
        DType::Json | DType::Tuple(_) | DType::List(_) | DType::Array(..) => {
            parse_json_value(&Json::parse(text).map_err(|error| error.to_string())?, required)
        }
        DType::None if says_none(text, required) => Ok(Value::None),
        DType::None => Err("it is not None".to_owned()),
        DType::Optional(_) | DType::Callable | DType::Future(_) => Err(format!("{dtype} cannot be read from text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn good(dtype: &DType, text: &str, expected: Value) {
        assert_eq!(parse_text_value(text, dtype), Ok(expected), "{text:?} as {dtype}");
    }

    fn bad(dtype: &DType, text: &str, reason: &str) {
        let error = parse_text_value(text, dtype).expect_err(text);
        assert!(error.contains(reason), "{text:?} as {dtype}: {error}");
    }

    #[test]
    fn ints() {
        for (text, expected) in [
            ("1", 1),
            ("+1", 1),
            ("-0", 0),
            ("00012", 12),
            ("-9223372036854775808", i64::MIN),
            (" 5", 5),
            ("5 ", 5),
            ("\t-5\n", -5),
            ("\u{a0}9223372036854775807\u{a0}", i64::MAX),
        ] {
            good(&DType::Int, text, Value::Int(expected));
            if expected != i64::MIN {
                good(&DType::Duration, text, Value::Duration(expected));
            }
        }
        for text in [
            "", " ", "-", "+", "--5", "1.0", "5.", "1e3", "0x10", "0b1", "1_000", "1,000", "1 000", "١٢", "１２", "5f",
            "inf", "NaN", "- 5",
        ] {
            bad(&DType::Int, text, "");
            bad(&DType::Int.optional(), &format!("{text}x"), "");
        }
        bad(&DType::Int, "9223372036854775808", "too large");
        bad(&DType::Duration, "1 day", "");
        bad(&DType::Duration, "-9223372036854775808", "lowest");
    }

    #[test]
    fn floats() {
        for (text, expected) in [
            ("1", 1.0),
            ("+.5", 0.5),
            ("5.", 5.0),
            ("1e3", 1000.0),
            ("1E-5", 1e-5),
            (" 0.5 ", 0.5),
            ("-0.0", -0.0),
            ("1e400", f64::INFINITY),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("+INF", f64::INFINITY),
            ("nan", f64::NAN),
            ("NaN", f64::NAN),
        ] {
            good(&DType::Float, text, Value::Float(expected));
            good(&DType::Float.optional(), text, Value::Float(expected));
        }
        for text in ["", "-", "1,5", "1_000.0", "0x1p3", "1.5f", "١", "N/A", "NA", "-none"] {
            bad(&DType::Float, text, "");
        }
    }

    #[test]
    fn truth_values() {
        for text in ["True", "TRUE", "tRuE", "yes", " true", "true ", "t", "Y", "1", "on"] {
            good(&DType::Bool, text, Value::Bool(true));
        }
        for text in ["False", "NO", "f", "n", "0", "off"] {
            good(&DType::Bool, text, Value::Bool(false));
        }
        for text in ["", "2", "1.0", "-1", "ok", "prawda"] {
            bad(&DType::Bool, text, "neither");
        }
    }

    #[test]
    fn what_says_that_there_is_no_value() {
        let none = ["", "None", "none", "null", "NULL", "Null", " None "];
        let other = ["NaN", "nan", "N/A", "NA", "na", "-", "\\N"];
        for dtype in [
            DType::Int,
            DType::Bool,
            DType::DateTimeNaive,
            DType::DateTimeUtc,
            DType::Duration,
            DType::ANY_POINTER,
            DType::tuple([DType::Int, DType::Int]),
            DType::list(DType::Int),
        ] {
            for text in none {
                good(&dtype.clone().optional(), text, Value::None);
                bad(&dtype, text, "");
            }
            for text in other {
                bad(&dtype.clone().optional(), text, "");
                bad(&dtype, text, "");
            }
        }
        for text in none {
            good(&DType::None, text, Value::None);
            good(&DType::Float.optional(), text, Value::None);
            good(&DType::Str.optional(), text, Value::str(text));
            good(&DType::Any, text, Value::str(text));
            if text != "null" {
                good(&DType::Json.optional(), text, Value::None);
            }
        }
        for text in &other[1..] {
            bad(&DType::Json.optional(), text, "");
        }
        good(&DType::Json.optional(), "NaN", Value::from(Json::Float(f64::NAN)));
        for dtype in [DType::Json, DType::Json.optional()] {
            good(&dtype, "null", Value::Json(Json::Null.into()));
        }
        // What is base64 is bytes, but for the one text that is written for None.
        let bytes = |data: &[u8]| Value::Bytes(data.into());
        good(&DType::Bytes.optional(), "None", Value::None);
        good(&DType::Bytes, "None", bytes(b"6\x89\xde"));
        good(&DType::Bytes.optional(), "null", bytes(b"\x9e\xe9e"));
        good(&DType::Bytes.optional(), "", bytes(b""));
    }

    #[test]
    fn fields_of_other_types() {
        good(&DType::Any, "1", Value::str("1"));
        good(&DType::Bytes, " AP8= ", Value::Bytes([0, 255].as_slice().into()));
        for text in ["?", "AA", "_-8="] {
            bad(&DType::Bytes, text, "base64");
        }
        good(
            &DType::DateTimeNaive,
            "1970-01-01T00:00:01.5",
            Value::DateTimeNaive(1_500_000_000),
        );
        good(
            &DType::DateTimeUtc,
            " 1970-01-01T02:00:01+02:00 ",
            Value::DateTimeUtc(1_000_000_000),
        );
        bad(&DType::ANY_POINTER, "x", "26 characters");
        let pair = DType::tuple([DType::Int, DType::Int]);
        good(&pair, " [1, 2] ", Value::tuple([Value::Int(1), Value::Int(2)]));
        for text in ["[1]", "(1, 2)", "{}", "1", "[1,\"a\"]", "[1,2", "[1,null]"] {
            bad(&pair, text, "");
        }
        bad(&DType::list(DType::Int), "[1,\"a\"]", "a string is no int");
        bad(
            &DType::Array(Some(1), DType::Int.into()),
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
