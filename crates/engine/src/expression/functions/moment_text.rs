//! The `dt.` family, second part: `dt.strftime`, and `dt.strptime_naive` and `dt.strptime_utc`, whose format has an
//! offset from UTC.
//!
//! Formats are chrono's, which are nearly Python's. Written `%f` has nine digits; read, it is a fraction of any
//! number of digits. Read, `%z`, `%:z` and the like are one directive, an offset in any form. What a format says nothing
//! about is as on 1900-01-01 at 00:00:00, but for the offset: a moment in UTC has one, and one without a zone has none.

use std::borrow::Cow;
use std::fmt::Write as _;

use chrono::format::{Fixed, Item, Numeric, Parsed, StrftimeItems, parse_and_remainder};
use chrono::{DateTime, NaiveTime};
use towpath_types::{Column, DType, Physical, Value};

use super::kernels::{Texts, ints, text_column, texts};
use super::rules::{MOMENT, STR, entry};
use crate::error::{ErrorKind, RowError};
use crate::expression::{Evaluation, Function, Operand, brief_quoted};

pub(super) const FUNCTIONS: &[Function] = &[
    entry!("dt.strftime"(MOMENT, STR) -> DType::Str, strftime).failing(),
    entry!("dt.strptime_naive"(STR, STR) -> DType::DateTimeNaive, strptime).failing(),
    entry!("dt.strptime_utc"(STR, STR) -> DType::DateTimeUtc, strptime).failing(),
];

/// The items of a format; parsed once if all rows have the same.
struct Formats<'a> {
    texts: Texts<'a>,
    items: fn(&str) -> Vec<Item<'_>>,
    single: Option<Vec<Item<'a>>>,
}

impl<'a> Formats<'a> {
    fn new(operand: &'a Operand, items: fn(&str) -> Vec<Item<'_>>) -> Self {
        let texts = texts(operand);
        Self {
            single: texts.single().map(items),
            items,
            texts,
        }
    }

    fn at(&self, row: usize) -> Cow<'_, [Item<'a>]> {
        match &self.single {
            Some(items) => Cow::Borrowed(items),
            None => Cow::Owned((self.items)(self.texts.at(row))),
        }
    }
}

fn items_to_write(format: &str) -> Vec<Item<'_>> {
    StrftimeItems::new(format).collect()
}

/// `%#z` has no name outside of chrono; reading, it is as any other offset.
fn items_to_read(format: &str) -> Vec<Item<'_>> {
    let permissive = StrftimeItems::new("%#z").next();
    StrftimeItems::new(format)
        .map(|item| {
            if Some(&item) == permissive.as_ref() {
                Item::Fixed(Fixed::TimezoneOffset)
            } else {
                item
            }
        })
        .collect()
}

fn strftime(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    let moments = ints(&arguments[0]);
    let formats = Formats::new(&arguments[1], items_to_write);
    let is_utc = arguments[0].cells().physical() == Physical::DateTimeUtc;
    text_column(evaluation.len, |row, out| {
        let moment = DateTime::from_timestamp_nanos(moments.at(row));
        let items = formats.at(row);
        let written = if is_utc {
            write!(out, "{}", moment.format_with_items(items.iter()))
        } else {
            write!(out, "{}", moment.naive_utc().format_with_items(items.iter()))
        };
        if written.is_err() {
            let format = formats.texts.at(row);
            evaluation.fail(
                row,
                ErrorKind::Value,
                format!("the format {format:?} does not fit the moment"),
            );
            out.clear();
        }
    })
}

fn strptime(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    let text = texts(&arguments[0]);
    let formats = Formats::new(&arguments[1], items_to_read);
    let is_utc = evaluation.dtype == &DType::DateTimeUtc;
    evaluation.collect(|row| {
        let moment = parse(text.at(row), &formats.at(row), is_utc);
        let moment = moment.and_then(|moment| moment.timestamp_nanos_opt().ok_or_else(|| ": out of range".to_owned()));
        match moment {
            Ok(nanoseconds) if is_utc => Ok(Value::DateTimeUtc(nanoseconds)),
            Ok(nanoseconds) => Ok(Value::DateTimeNaive(nanoseconds)),
            Err(why) => Err(RowError::new(
                ErrorKind::Value,
                format!(
                    "cannot parse date {} using format {}{why}",
                    brief_quoted(text.at(row)),
                    brief_quoted(formats.texts.at(row))
                ),
            )),
        }
    })
}

/// A directive that is read here, since chrono takes less, or something else, for it.
#[derive(Clone, Copy)]
enum Own {
    /// `%f`, which is a number of nanoseconds to chrono.
    Fraction,
    /// `%z`, `%:z`, `%::z`, `%:::z`, `%#z`, which to chrono are each another form.
    Offset,
    /// `%Z`, which chrono passes over.
    ZoneName,
}

impl Own {
    fn of(item: &Item<'_>) -> Option<Self> {
        match item {
            Item::Numeric(Numeric::Nanosecond, _) => Some(Self::Fraction),
            Item::Fixed(
                Fixed::TimezoneOffset
                | Fixed::TimezoneOffsetColon
                | Fixed::TimezoneOffsetDoubleColon
                | Fixed::TimezoneOffsetTripleColon,
            ) => Some(Self::Offset),
            Item::Fixed(Fixed::TimezoneName) => Some(Self::ZoneName),
            _ => None,
        }
    }
}

fn parse(text: &str, items: &[Item<'_>], with_zone: bool) -> Result<DateTime<chrono::Utc>, String> {
    let reason = |error: chrono::ParseError| format!(": {error}");
    let mut parsed = Parsed::new();
    let mut rest = text;
    let mut name = "";
    let mut left = items;
    while !left.is_empty() {
        let position = left.iter().position(|item| Own::of(item).is_some());
        let (before, after) = left.split_at(position.unwrap_or(left.len()));
        rest = parse_and_remainder(&mut parsed, rest, before.iter()).map_err(reason)?;
        match after.first().and_then(Own::of) {
            Some(Own::Fraction) => rest = fraction(rest, &mut parsed)?,
            Some(Own::Offset) => rest = offset(rest, &mut parsed)?,
            Some(Own::ZoneName) => (name, rest) = zone_name(rest, &mut parsed)?,
            None => {}
        }
        left = after.get(1..).unwrap_or_default();
    }
    if !rest.is_empty() {
        return Err(": trailing input".to_owned());
    }
    match parsed.offset() {
        // A moment needs none.
        None if parsed.timestamp().is_some() => {}
        None if with_zone && !name.is_empty() => {
            return Err(format!(
                ": {name:?} is no offset from UTC; read one with %z, or a time without a zone and use dt.to_utc()"
            ));
        }
        None if with_zone => return Err(": there is no offset from UTC in it".to_owned()),
        Some(_) if !with_zone => {
            return Err(
                ": it has an offset from UTC, which the result would lose; say contains_timezone=True".to_owned(),
            );
        }
        _ => {}
    }
    if parsed.timestamp().is_none() {
        complete(&mut parsed).map_err(reason)?;
    }
    let offset = parsed.offset().unwrap_or(0);
    let local = if parsed.timestamp().is_some() {
        parsed.to_naive_datetime_with_offset(offset).map_err(reason)?
    } else {
        let time = if parsed.hour_mod_12().is_some() {
            parsed.to_naive_time().map_err(reason)?
        } else {
            NaiveTime::MIN
        };
        parsed.to_naive_date().map_err(reason)?.and_time(time)
    };
    Ok((local - chrono::TimeDelta::seconds(offset.into())).and_utc())
}

/// Reads the digits of a fraction of a second; those beyond the ninth are dropped.
fn fraction<'a>(text: &'a str, parsed: &mut Parsed) -> Result<&'a str, String> {
    let len = text.bytes().take_while(u8::is_ascii_digit).count();
    if len == 0 {
        return Err(": input contains invalid characters".to_owned());
    }
    let digits = &text[..len.min(9)];
    let nanoseconds = digits.parse::<i64>().unwrap_or(0) * 10_i64.pow(9 - digits.len() as u32);
    parsed
        .set_nanosecond(nanoseconds)
        .map_err(|error| format!(": {error}"))?;
    Ok(&text[len..])
}

/// Reads an offset from UTC: `Z`, or a sign and hours, minutes and seconds, of which those after the hours may be left out
/// and may have colons before them.
fn offset<'a>(text: &'a str, parsed: &mut Parsed) -> Result<&'a str, String> {
    let invalid = || ": input contains invalid characters".to_owned();
    let text = text.trim_start();
    let (seconds, rest) = if let Some(rest) = text.strip_prefix(['Z', 'z']) {
        (0, rest)
    } else {
        let (sign, rest) = match text.strip_prefix('+') {
            Some(rest) => (1, rest),
            None => (-1, text.strip_prefix(['-', '\u{2212}']).ok_or_else(invalid)?),
        };
        let (hours, rest) = two_digits(rest).ok_or_else(invalid)?;
        let (minutes, rest) = two_digits(rest.strip_prefix(':').unwrap_or(rest)).unwrap_or((0, rest));
        let (seconds, rest) = rest.strip_prefix(':').and_then(two_digits).unwrap_or((0, rest));
        if hours > 23 || minutes > 59 || seconds > 59 {
            return Err(": input is out of range".to_owned());
        }
        (sign * (hours * 3600 + minutes * 60 + seconds), rest)
    };
    parsed.set_offset(seconds).map_err(|error| format!(": {error}"))?;
    Ok(rest)
}

fn two_digits(text: &str) -> Option<(i64, &str)> {
    let (digits, rest) = text.split_at_checked(2)?;
    let are_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    Some((digits.parse().ok().filter(|_| are_digits)?, rest))
}

/// Reads the name of a zone. The names of UTC are an offset; others are not, and several zones share some.
fn zone_name<'a>(text: &'a str, parsed: &mut Parsed) -> Result<(&'a str, &'a str), String> {
    let end = text.find(|character: char| !character.is_ascii_alphabetic() && !matches!(character, '/' | '_'));
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    if ["UTC", "GMT", "Z"].iter().any(|utc| name.eq_ignore_ascii_case(utc)) {
        parsed.set_offset(0).map_err(|error| format!(": {error}"))?;
    }
    Ok((name, rest))
}

/// Fills in what the format did not say, unless it named the day in another way.
fn complete(parsed: &mut Parsed) -> chrono::format::ParseResult<()> {
    let no_year = parsed.year().is_none() && parsed.year_mod_100().is_none() && parsed.year_div_100().is_none();
    let by_iso_week = parsed.isoyear().is_some() || parsed.isoyear_mod_100().is_some() || parsed.isoweek().is_some();
    if no_year && !by_iso_week {
        parsed.set_year(1900)?;
    }
    let by_week = parsed.week_from_sun().is_some() || parsed.week_from_mon().is_some() || by_iso_week;
    if parsed.ordinal().is_none() && !by_week {
        if parsed.month().is_none() {
            parsed.set_month(1)?;
        }
        if parsed.day().is_none() {
            parsed.set_day(1)?;
        }
    }
    if parsed.hour_mod_12().is_some() {
        if parsed.hour_div_12().is_none() {
            parsed.set_ampm(false)?;
        }
        if parsed.minute().is_none() {
            parsed.set_minute(0)?;
        }
        if parsed.nanosecond().is_some() && parsed.second().is_none() {
            parsed.set_second(0)?;
        }
    } else if parsed.minute().is_some() || parsed.second().is_some() || parsed.nanosecond().is_some() {
        parsed.set_hour(0)?;
        if parsed.minute().is_none() {
            parsed.set_minute(0)?;
        }
        if parsed.second().is_none() {
            parsed.set_second(0)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use towpath_types::{DType, Value};

    use crate::expression::functions::testing::{Table, call, constant, show};

    #[test]
    fn writing() {
        let write = |moment: Value, format: &str| {
            crate::expression::functions::testing::outcome("dt.strftime", [moment, format.into()])
        };
        let naive = Value::DateTimeNaive(1_709_212_455_123_456_789);
        assert_eq!(
            write(naive.clone(), "%Y-%m-%d %H:%M:%S.%f %a %b %j %p %I %y %% %3f %6f"),
            "\"2024-02-29 13:14:15.123456789 Thu Feb 060 PM 01 24 % 123 123456\""
        );
        assert_eq!(write(Value::DateTimeUtc(0), "%z %Z %:z"), "\"+0000 UTC +00:00\"");
        for format in ["%z", "%Q"] {
            let failure = format!("Value: the format {format:?} does not fit the moment");
            assert_eq!(write(naive.clone(), format), failure);
        }
    }

    fn read(text: &str, format: &str, with_zone: bool) -> String {
        let table = Table::new([(DType::Str, vec![text.into()]), (DType::Str, vec![format.into()])]);
        let [texts, formats] = table.columns();
        let name = if with_zone {
            "dt.strptime_utc"
        } else {
            "dt.strptime_naive"
        };
        let of = |format| {
            let parsed = call(name, [texts.clone(), format]).expect("fits");
            let (values, failures) = table.evaluate(&parsed);
            failures.into_iter().next().unwrap_or_else(|| show(&values[0]))
        };
        let result = of(constant(format));
        assert_eq!(of(formats), result);
        result
    }

    #[test]
    fn reading() {
        let check = |text: &str, format: &str, expected: &str| {
            assert_eq!(
                read(text, format, false),
                format!("{expected}.{}", "0".repeat(9)),
                "{text} {format}"
            );
        };
        check("2024-02-29", "%Y-%m-%d", "2024-02-29T00:00:00");
        check("10:20", "%H:%M", "1900-01-01T10:20:00");
        check("2024-02", "%Y-%m", "2024-02-01T00:00:00");
        check("Feb 29 24 1 PM", "%b %d %y %I %p", "2024-02-29T13:00:00");
        check("24 060", "%y %j", "2024-02-29T00:00:00");
        check("1700000000", "%s", "2023-11-14T22:13:20");
        assert_eq!(read("1:2:3.5", "%H:%M:%S.%f", false), "1900-01-01T01:02:03.500000000");
        assert_eq!(
            read("10:20:30,123456789123 x", "%H:%M:%S,%f x", false),
            "1900-01-01T10:20:30.123456789"
        );
    }

    #[test]
    fn offsets() {
        let directives = ["%z", "%:z", "%::z", "%:::z", "%#z", "%z ", " %z"];
        for (texts, expected) in [
            (
                &["+0200", "+02:00", "+02", "+02:00:00", " +0200"] as &[&str],
                "08:20:30",
            ),
            (&["Z", "z", "+00:00", "-0000"], "10:20:30"),
            (&["-05:45", "-0545", "\u{2212}05:45"], "16:05:30"),
            (&["+00:00:30"], "10:20:00"),
        ] {
            for text in texts {
                for directive in directives {
                    let end = if directive == "%z " { " " } else { "" };
                    let result = read(
                        &format!("2024-02-29T10:20:30{text}{end}"),
                        &format!("%Y-%m-%dT%H:%M:%S{directive}"),
                        true,
                    );
                    assert_eq!(
                        result,
                        format!("2024-02-29T{expected}.000000000+0000"),
                        "{text} {directive}"
                    );
                }
            }
        }
        for (text, format, expected) in [
            (
                "2024-02-29T10:20:30.5+02:00",
                "%+",
                "2024-02-29T08:20:30.500000000+0000",
            ),
            ("2024-02-29T10:20:30Z", "%+", "2024-02-29T10:20:30.000000000+0000"),
            (
                "29.2.2024 10:20 UTC",
                "%d.%m.%Y %H:%M %Z",
                "2024-02-29T10:20:00.000000000+0000",
            ),
            (
                "[29.2.2024 10:20 gmt]",
                "[%d.%m.%Y %H:%M %Z]",
                "2024-02-29T10:20:00.000000000+0000",
            ),
            (
                "10:20 CEST 29.2.2024 +0200",
                "%H:%M %Z %d.%m.%Y %z",
                "2024-02-29T08:20:00.000000000+0000",
            ),
            ("1700000000 +0200", "%s %z", "2023-11-14T22:13:20.000000000+0000"),
        ] {
            assert_eq!(read(text, format, true), expected, "{text} {format}");
        }
    }

    #[test]
    fn texts_that_do_not_fit() {
        for (text, format, with_zone, why) in [
            ("2024-02-30", "%Y-%m-%d", false, "input is out of range"),
            ("2024-02-29 x", "%Y-%m-%d", false, "trailing input"),
            ("2024-02-29", "%Y-%m-%d", true, "there is no offset from UTC in it"),
            ("2024-02-29", "%Q", false, "bad or unsupported format string"),
            ("", "%Y", false, "premature end of input"),
            ("10 +24:00", "%H %z", true, "input is out of range"),
            ("10 +2", "%H %z", true, "input contains invalid characters"),
            ("10 02:00", "%H %z", true, "input contains invalid characters"),
            ("10 +0200 Z", "%H %z", true, "trailing input"),
            (
                "10 +0200 UTC",
                "%H %z %Z",
                true,
                "no possible date and time matching input",
            ),
            (
                "10 CEST",
                "%H %Z",
                true,
                "\"CEST\" is no offset from UTC; read one with %z, or a time without a zone and use dt.to_utc()",
            ),
            (
                "10 +0200",
                "%H %z",
                false,
                "it has an offset from UTC, which the result would lose; say contains_timezone=True",
            ),
            ("0001-01-01", "%Y-%m-%d", false, "out of range"),
            ("2262-04-11 23:47:17", "%Y-%m-%d %H:%M:%S", false, "out of range"),
            ("9999-01-01", "%Y-%m-%d", false, "out of range"),
        ] {
            assert_eq!(
                read(text, format, with_zone),
                format!("Value: cannot parse date {text:?} using format {format:?}: {why}")
            );
        }
    }
}
