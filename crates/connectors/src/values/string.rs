//! Values that are a text also where numbers are not: in a field of csv, and as a string of JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use towpath_types::{DType, Key, Value, wire};

use super::moment::{parse_naive, parse_utc};

fn decoded(text: &str) -> Result<Vec<u8>, String> {
    BASE64.decode(text).map_err(|error| format!("no base64: {error}"))
}

/// A string as one of the types that JSON writes as a string.
pub(super) fn parse_string(text: &str, dtype: &DType) -> Result<Value, String> {
    match dtype {
        DType::Str | DType::Any => Ok(Value::str(text)),
        DType::Bytes => decoded(text).map(|data| Value::Bytes(data.into())),
        DType::Pointer(_) => text
            .parse::<Key>()
            .map(Value::Pointer)
            .map_err(|error| error.to_string()),
        DType::DateTimeNaive => parse_naive(text).map(Value::DateTimeNaive),
        DType::DateTimeUtc => parse_utc(text).map(Value::DateTimeUtc),
        DType::Object => wire::decode_object(&decoded(text)?).map(Value::Object),
        other => Err(format!("a string is no {other}")),
    }
}
