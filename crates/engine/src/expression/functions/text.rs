//! The `str.` family: Python's methods, on Unicode code points.
//!
//! Optional arguments may be `None` or, at the end, left out; both mean what leaving them out means in Python.

use towpath_types::{Column, DType, Physical, Value};

use super::case;
use super::kernels::{bool_column, int_at, int_column, part_column, text_column, texts};
use super::rules::{INT_OR_NONE, STR, STR_OR_NONE, entry};
use crate::expression::{Evaluation, Function, Operand};
use arrow_buffer::BooleanBuffer;

pub(super) const FUNCTIONS: &[Function] = &[
    entry!("str.lower"(STR) -> DType::Str, |a, e| write(a, e, case::lower)),
    entry!("str.upper"(STR) -> DType::Str, |a, e| write(a, e, case::upper)),
    entry!("str.title"(STR) -> DType::Str, |a, e| write(a, e, case::title)),
    entry!("str.swapcase"(STR) -> DType::Str, |a, e| write(a, e, case::swapcase)),
    entry!("str.reversed"(STR) -> DType::Str, |a, e| write(a, e, |text, out| out.extend(text.chars().rev()))),
    entry!("str.len"(STR) -> DType::Int, len),
    entry!("str.strip"(STR, STR_OR_NONE) -> DType::Str, strip).taking_none(),
    entry!("str.count"(STR, STR, INT_OR_NONE, INT_OR_NONE) -> DType::Int, count).taking_none(),
    entry!("str.find"(STR, STR, INT_OR_NONE, INT_OR_NONE) -> DType::Int, |a, e| find(a, e, |text, part| text.find(part))).taking_none(),
    entry!("str.rfind"(STR, STR, INT_OR_NONE, INT_OR_NONE) -> DType::Int, |a, e| find(a, e, |text, part| text.rfind(part))).taking_none(),
    entry!("str.startswith"(STR, STR) -> DType::Bool, |a, e| test(a, e, |text, prefix| text.starts_with(prefix))),
    entry!("str.endswith"(STR, STR) -> DType::Bool, |a, e| test(a, e, |text, suffix| text.ends_with(suffix))),
    entry!("str.removeprefix"(STR, STR) -> DType::Str, |a, e| part(a, e, |t, p| t.strip_prefix(p).unwrap_or(t))),
    entry!("str.removesuffix"(STR, STR) -> DType::Str, |a, e| part(a, e, |t, s| t.strip_suffix(s).unwrap_or(t))),
    entry!("str.replace"(STR, STR, STR, INT_OR_NONE) -> DType::Str, replace).taking_none(),
    entry!("str.slice"(STR, INT_OR_NONE, INT_OR_NONE) -> DType::Str, slice).taking_none(),
];

fn write(arguments: &[Operand], evaluation: &mut Evaluation<'_>, write: fn(&str, &mut String)) -> Column {
    let text = texts(&arguments[0]);
    text_column(evaluation.len, |row, out| write(text.at(row), out))
}

fn part(arguments: &[Operand], evaluation: &mut Evaluation<'_>, part: for<'a> fn(&'a str, &str) -> &'a str) -> Column {
    let (text, other) = (texts(&arguments[0]), texts(&arguments[1]));
    part_column(evaluation.len, |row| part(text.at(row), other.at(row)))
}

fn test(arguments: &[Operand], evaluation: &mut Evaluation<'_>, test: fn(&str, &str) -> bool) -> Column {
    let (text, other) = (texts(&arguments[0]), texts(&arguments[1]));
    bool_column(BooleanBuffer::collect_bool(evaluation.len, |row| {
        test(text.at(row), other.at(row))
    }))
}

/// The number of code points.
fn length(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.chars().count()
    }
}

fn len(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    let text = texts(&arguments[0]);
    let lengths = (0..evaluation.len).map(|row| length(text.at(row)) as i64).collect();
    int_column(Physical::Int, lengths)
}

/// What Python's `str.strip` takes away.
pub(super) fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\x1c'..='\x1f').contains(&character)
}

fn strip(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    let text = texts(&arguments[0]);
    text_column(evaluation.len, |row, out| {
        let text = text.at(row);
        out.push_str(match arguments.get(1).map(|characters| characters.value(row)) {
            Some(Value::Str(characters)) => text.trim_matches(|character| characters.contains(character)),
            _ => text.trim_matches(is_space),
        });
    })
}

/// The byte at which the code point `position` begins; the end if there are fewer.
fn byte_of(text: &str, position: usize) -> usize {
    if text.is_ascii() {
        position.min(text.len())
    } else {
        text.char_indices().nth(position).map_or(text.len(), |(byte, _)| byte)
    }
}

/// A bound of a slice: counted from the end if negative, and within the text.
fn bound(bound: Option<i64>, default: usize, len: usize) -> usize {
    match bound {
        None => default,
        Some(bound) if bound < 0 => len.saturating_sub(bound.unsigned_abs() as usize),
        Some(bound) => bound as usize,
    }
}

/// The part of a text between two code points, and how many come before it; nothing if the start lies
/// beyond the end, where not even the empty text is found.
fn window(text: &str, start: Option<i64>, end: Option<i64>) -> Option<(&str, usize)> {
    if start.is_none() && end.is_none() {
        return Some((text, 0));
    }
    let len = length(text);
    let start = bound(start, 0, len);
    let end = bound(end, len, len).min(len);
    (start <= end).then(|| (&text[byte_of(text, start)..byte_of(text, end)], start))
}

fn count(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    let (text, part) = (texts(&arguments[0]), texts(&arguments[1]));
    let counts = (0..evaluation.len).map(|row| {
        let found = window(
            text.at(row),
            int_at(arguments.get(2), row),
            int_at(arguments.get(3), row),
        );
        found.map_or(0, |(window, _)| window.matches(part.at(row)).count() as i64)
    });
    int_column(Physical::Int, counts.collect())
}

fn find(arguments: &[Operand], evaluation: &mut Evaluation<'_>, find: fn(&str, &str) -> Option<usize>) -> Column {
    let (text, part) = (texts(&arguments[0]), texts(&arguments[1]));
    let positions = (0..evaluation.len).map(|row| {
        let (window, start) = window(
            text.at(row),
            int_at(arguments.get(2), row),
            int_at(arguments.get(3), row),
        )?;
        Some((start + length(&window[..find(window, part.at(row))?])) as i64)
    });
    int_column(
        Physical::Int,
        positions.map(|position| position.unwrap_or(-1)).collect(),
    )
}

fn replace(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    let (text, old, new) = (texts(&arguments[0]), texts(&arguments[1]), texts(&arguments[2]));
    text_column(evaluation.len, |row, out| {
        let limit = int_at(arguments.get(3), row).and_then(|limit| usize::try_from(limit).ok());
        let text = text.at(row);
        let mut end = 0;
        for (position, part) in text.match_indices(old.at(row)).take(limit.unwrap_or(usize::MAX)) {
            out.push_str(&text[end..position]);
            out.push_str(new.at(row));
            end = position + part.len();
        }
        out.push_str(&text[end..]);
    })
}

fn slice(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    let text = texts(&arguments[0]);
    part_column(evaluation.len, |row| {
        let (start, end) = (int_at(arguments.get(1), row), int_at(arguments.get(2), row));
        window(text.at(row), start, end).map_or("", |(window, _)| window)
    })
}

#[cfg(test)]
mod tests {
    use towpath_types::Value;

    use crate::expression::functions::testing::outcome;

    fn check<const N: usize>(name: &str, arguments: [Value; N], expected: impl Into<Value>) {
        let expected = crate::expression::functions::testing::show(&expected.into());
        assert_eq!(outcome(name, arguments.clone()), expected, "{name} {arguments:?}");
    }

    const NONE: Value = Value::None;

    #[test]
    fn parts_of_texts() {
        check("str.reversed", ["añb".into()], "bña");
        check("str.len", ["añb".into()], 3);
        check("str.strip", ["\u{a0}\x1c a\u{2003}\n".into(), NONE], "a");
        check("str.strip", [" a ".into()], "a");
        check("str.strip", ["xyaxy".into(), "yx".into()], "a");
        check("str.strip", [" a".into(), "".into()], " a");
        check("str.removeprefix", ["aab".into(), "a".into()], "ab");
        check("str.removeprefix", ["aab".into(), "b".into()], "aab");
        check("str.removesuffix", ["aab".into(), "ab".into()], "a");
        for (start, end, expected) in [
            (Some(-2), Some(-1), "ñ"),
            (None, None, "aañb"),
            (Some(1), None, "añb"),
            (None, Some(-9), ""),
            (Some(-9), Some(2), "aa"),
            (Some(5), Some(2), ""),
            (Some(i64::MIN), Some(i64::MAX), "aañb"),
        ] {
            let bounds = [start, end].map(|bound| bound.map_or(NONE, Value::Int));
            let [start, end] = bounds;
            check("str.slice", ["aañb".into(), start, end], expected);
        }
    }

    #[test]
    fn searching() {
        check("str.count", ["ñaña".into(), "ña".into(), NONE, NONE], 2);
        check("str.count", ["aaa".into(), "aa".into()], 1);
        check("str.count", ["aaa".into(), "a".into(), 1.into()], 2);
        check("str.count", ["a b".into(), "".into(), NONE, NONE], 4);
        check("str.count", ["a b".into(), "".into(), 2.into(), NONE], 2);
        check("str.count", ["a b".into(), "".into(), 9.into(), NONE], 0);
        check("str.count", ["a b".into(), "b".into(), 0.into(), 2.into()], 0);
        check("str.find", ["ñab".into(), "b".into(), NONE, NONE], 2);
        check("str.find", ["ñab".into(), "b".into(), (-1).into(), NONE], 2);
        check("str.find", ["ñab".into(), "".into(), 9.into(), NONE], -1);
        check("str.find", ["ñab".into(), "".into(), 3.into(), NONE], 3);
        check("str.find", ["ñab".into(), "x".into(), NONE, NONE], -1);
        check("str.rfind", ["ñabña".into(), "ñ".into(), NONE, NONE], 3);
        check("str.rfind", ["a b".into(), "".into(), NONE, NONE], 3);
        check("str.startswith", ["ñab".into(), "ñ".into()], true);
        check("str.endswith", ["ñab".into(), "ñ".into()], false);
        check(
            "str.replace",
            ["a b".into(), "".into(), "-".into(), (-1).into()],
            "-a- -b-",
        );
        check("str.replace", ["a b".into(), "".into(), "-".into(), 2.into()], "-a- b");
        check("str.replace", ["a b".into(), "b".into(), "-".into(), 0.into()], "a b");
        check("str.replace", ["abab".into(), "ab".into(), "ñ".into(), NONE], "ññ");
        let error = outcome("str.len", [1.into()]);
        assert_eq!(error, "! unsupported operand type for str.len: int");
    }
}
