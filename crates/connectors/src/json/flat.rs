//! The parts of flat objects: plain values, and what is between them.

use towpath_types::DType;

use crate::values::{Cell, parse_float, parse_plain_int};

#[inline]
pub(super) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\r' | b'\n') = bytes.get(at) {
        at += 1;
    }
    at
}

/// The position after `byte`, which must stand at `at`.
#[inline]
pub(super) fn after(bytes: &[u8], at: usize, byte: u8) -> Option<usize> {
    (bytes.get(at) == Some(&byte)).then_some(at + 1)
}

/// Nothing but space may follow.
#[inline]
pub(super) fn ends(bytes: &[u8], at: usize) -> Option<()> {
    (skip_space(bytes, at) == bytes.len()).then_some(())
}

/// The length of `true`, `false` or `null`.
#[inline]
pub(super) fn literal(bytes: &[u8]) -> Option<usize> {
    ["true", "false", "null"]
        .iter()
        .find(|word| bytes.starts_with(word.as_bytes()))
        .map(|word| word.len())
}

/// The length of a number, in JSON's strict grammar.
#[inline]
pub(super) fn number(bytes: &[u8]) -> Option<usize> {
    let digits = |from: usize| -> Option<usize> {
        let count = bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        (count > 0).then_some(from + count)
    };
    let first = usize::from(bytes.first() == Some(&b'-'));
    let mut end = digits(first)?;
    if bytes[first] == b'0' && end > first + 1 {
        return None;
    }
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(end) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        end = digits(end + 1 + sign)?;
    }
    Some(end)
}

/// Reads a plain value; `None` if it is not obvious.
#[inline]
pub(super) fn read_flat_cell(line: &str, start: usize, end: usize, dtype: &DType, cell: &mut Cell) -> Option<()> {
    let text = &line[start..end];
    match (text.as_bytes()[0], dtype.required()) {
        (b'"', DType::Str | DType::Any) => {
            let (start, end) = (start + 1, end - 1);
            *cell = Cell::Text { start, end };
        }
        (b't', DType::Bool | DType::Any) => *cell = Cell::Bool(true),
        (b'f', DType::Bool | DType::Any) => *cell = Cell::Bool(false),
        (b'n', _) if dtype.is_optional() => *cell = Cell::None,
        (b'-' | b'0'..=b'9', DType::Int) => {
            let value = parse_plain_int(text).or_else(|| text.parse().ok())?;
            *cell = Cell::Int(value);
        }
        (b'-' | b'0'..=b'9', DType::Float) => {
            // Beyond the range of floats it depends on how the number is written.
            let value = parse_float(text).ok().filter(|value| value.is_finite())?;
            *cell = Cell::Float(value);
        }
        _ => return None,
    }
    Some(())
}
