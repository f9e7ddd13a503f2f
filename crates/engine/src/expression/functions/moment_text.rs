//! The `dt.` family, second part: `dt.strftime`, and `dt.strptime_naive` and `dt.strptime_utc`, whose format has a `%z`.
//!
//! Formats are chrono's, which are nearly Python's. Written `%f` has nine digits; read, it is a fraction of any
//! number of digits. What a format says nothing about is as on 1900-01-01 at 00:00:00.

use std::borrow::Cow;
use std::fmt::Write as _;

use chrono::format::{Item, Numeric, Parsed, StrftimeItems, parse_and_remainder};
use chrono::{DateTime, NaiveTime};
use towpath_types::{Column, DType, Physical, Value};

use super::kernels::{Texts, ints, text_column, texts};
use super::rules::{MOMENT, STR, entry};
use crate::error::{ErrorKind, RowError};
use crate::expression::{Evaluation, Function, Operand};

pub(super) const FUNCTIONS: &[Function] = &[
    entry!("dt.strftime"(MOMENT, STR) -> DType::Str, strftime).failing(),
    entry!("dt.strptime_naive"(STR, STR) -> DType::DateTimeNaive, strptime).failing(),
    entry!("dt.strptime_utc"(STR, STR) -> DType::DateTimeUtc, strptime).failing(),
];

/// The items of a format; parsed once if all rows have the same.
struct Formats<'a> {
    texts: Texts<'a>,
    single: Option<Vec<Item<'a>>>,
}

impl<'a> Formats<'a> {
    fn new(operand: &'a Operand) -> Self {
        let texts = texts(operand);
        Self {
            single: texts.single().map(|format| StrftimeItems::new(format).collect()),
            texts,
        }
    }

    fn at(&self, row: usize) -> Cow<'_, [Item<'a>]> {
        match &self.single {
            Some(items) => Cow::Borrowed(items),
            None => Cow::Owned(StrftimeItems::new(self.texts.at(row)).collect()),
        }
    }
}

fn strftime(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    let moments = ints(&arguments[0]);
    let formats = Formats::new(&arguments[1]);
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
    let formats = Formats::new(&arguments[1]);
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
                    "cannot parse date {:?} using format {:?}{why}",
                    text.at(row),
                    formats.texts.at(row)
                ),
            )),
        }
    })
}

fn parse(text: &str, items: &[Item<'_>], with_zone: bool) -> Result<DateTime<chrono::Utc>, String> {
    let reason = |error: chrono::ParseError| format!(": {error}");
    let mut parsed = Parsed::new();
    let mut rest = text;
    // chrono takes `%f` for a number of nanoseconds: read it ourselves, between the others.
    for (place, part) in items.split(is_fraction).enumerate() {
        if place > 0 {
            rest = fraction(rest, &mut parsed)?;
        }
        rest = parse_and_remainder(&mut parsed, rest, part.iter()).map_err(reason)?;
    }
    if !rest.is_empty() {
        return Err(": trailing input".to_owned());
    }
    if with_zone && parsed.offset().is_none() {
        return Err(": input is not enough for unique date and time".to_owned());
    }
    if parsed.timestamp().is_none() {
        complete(&mut parsed).map_err(reason)?;
    }
    let offset = if with_zone { parsed.offset().unwrap_or(0) } else { 0 };
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

fn is_fraction(item: &Item<'_>) -> bool {
    matches!(item, Item::Numeric(Numeric::Nanosecond, _))
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
        for offset in ["+0200", "+02:00"] {
            let text = format!("2024-02-29T10:20:30{offset}");
            assert_eq!(
                read(&text, "%Y-%m-%dT%H:%M:%S%z", true),
                "2024-02-29T08:20:30.000000000+0000"
            );
        }
    }

    #[test]
    fn texts_that_do_not_fit() {
        for (text, format, with_zone, why) in [
            ("2024-02-30", "%Y-%m-%d", false, "input is out of range"),
            ("2024-02-29 x", "%Y-%m-%d", false, "trailing input"),
            (
                "2024-02-29",
                "%Y-%m-%d",
                true,
                "input is not enough for unique date and time",
            ),
            ("2024-02-29", "%Q", false, "bad or unsupported format string"),
            ("", "%Y", false, "premature end of input"),
            ("9999-01-01", "%Y-%m-%d", false, "out of range"),
        ] {
            assert_eq!(
                read(text, format, with_zone),
                format!("Value: cannot parse date {text:?} using format {format:?}: {why}")
            );
        }
    }
}
