//! Dates with a time from text: `2024-01-02T03:04:05.678`, and with an offset after it for a moment in UTC.
//!
//! The form is that of ISO 8601 with `T` or a space between date and time, any number of digits of a fraction (those
//! beyond the ninth are dropped), and `Z`, `+02:00`, `+0200` or `+02` for an offset. An offset is never passed over: a
//! column without a zone takes none, and one in UTC needs one.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use towpath_types::Value;

const NAIVE: &str = "2024-01-02T03:04:05.678";

/// Nanoseconds since 1970 of a text without an offset.
pub(super) fn parse_naive(text: &str) -> Result<i64, String> {
    let (local, offset) = parse(text, NAIVE)?;
    match offset {
        Offset::None => nanoseconds(local.and_utc()),
        Offset::Seconds(_) => Err(
            "it has an offset from UTC, which a DateTimeNaive has not; declare the column as DateTimeUtc".to_owned(),
        ),
    }
}

/// Nanoseconds since 1970 in UTC of a text with an offset.
pub(super) fn parse_utc(text: &str) -> Result<i64, String> {
    let (local, offset) = parse(text, "2024-01-02T03:04:05.678+00:00")?;
    match offset {
        Offset::Seconds(seconds) => local
            .checked_sub_signed(TimeDelta::seconds(seconds))
            .ok_or_else(out_of_range)
            .and_then(|moment| nanoseconds(moment.and_utc())),
        Offset::None => Err(
            "it has no offset from UTC, such as Z or +02:00; declare the column as DateTimeNaive and use dt.to_utc()"
                .to_owned(),
        ),
    }
}

/// So many nanoseconds, unless they are how pandas and numpy write a duration that is missing.
pub(super) fn duration(nanoseconds: i64) -> Result<Value, String> {
    match nanoseconds {
        i64::MIN => Err("the lowest number of nanoseconds stands for a duration that is missing".to_owned()),
        _ => Ok(Value::Duration(nanoseconds)),
    }
}

fn out_of_range() -> String {
    "it is not between the years 1678 and 2261".to_owned()
}

fn nanoseconds(moment: DateTime<Utc>) -> Result<i64, String> {
    // pandas and numpy write the lowest number for a moment that is missing.
    let nanoseconds = moment
        .timestamp_nanos_opt()
        .filter(|nanoseconds| *nanoseconds != i64::MIN);
    nanoseconds.ok_or_else(out_of_range)
}

enum Offset {
    None,
    Seconds(i64),
}

fn parse(text: &str, form: &str) -> Result<(NaiveDateTime, Offset), String> {
    match fields(text) {
        None => Err(format!(
            "it is written as {form}; read other forms as str and use dt.strptime()"
        )),
        Some((None, _)) => Err("there is no such date or time".to_owned()),
        Some((Some(moment), offset)) => Ok((moment, offset)),
    }
}

/// The moment, if there is such a one, and the offset; nothing if the text is not of the form.
fn fields(text: &str) -> Option<(Option<NaiveDateTime>, Offset)> {
    let bytes = text.as_bytes();
    let (fixed, mut rest) = bytes.split_at_checked("2024-01-02T03:04:05".len())?;
    let is_form = fixed[4] == b'-'
        && fixed[7] == b'-'
        && matches!(fixed[10], b'T' | b't' | b' ')
        && fixed[13] == b':'
        && fixed[16] == b':';
    if !is_form {
        return None;
    }
    let field = |from: usize, to: usize| digits(&fixed[from..to]);
    let date = NaiveDate::from_ymd_opt(field(0, 4)?.try_into().ok()?, field(5, 7)?, field(8, 10)?);
    let mut nanosecond = 0;
    if let [b'.' | b',', fraction @ ..] = rest {
        let count = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return None;
        }
        let kept = count.min(9);
        nanosecond = digits(&fraction[..kept])? * 10_u32.pow(9 - kept as u32);
        rest = &fraction[count..];
    }
    let (hour, minute, mut second) = (field(11, 13)?, field(14, 16)?, field(17, 19)?);
    if second == 60 {
        // A leap second, which chrono has as a longer 59th; it is the next second here, as POSIX has it.
        (second, nanosecond) = (59, nanosecond + 1_000_000_000);
    }
    let moment = date.and_then(|date| date.and_hms_nano_opt(hour, minute, second, nanosecond));
    Some((moment, offset(rest.trim_ascii_start())?))
}

fn offset(text: &[u8]) -> Option<Offset> {
    let (sign, fields) = match text {
        [] => return Some(Offset::None),
        [b'Z' | b'z'] => return Some(Offset::Seconds(0)),
        [b'+', fields @ ..] => (1, fields),
        [b'-', fields @ ..] => (-1, fields),
        _ => return None,
    };
    let (hours, minutes) = match fields {
        [_, _] => (digits(fields)?, 0),
        [_, _, _, _] => (digits(&fields[..2])?, digits(&fields[2..])?),
        [_, _, b':', _, _] => (digits(&fields[..2])?, digits(&fields[3..])?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then(|| Offset::Seconds(sign * i64::from(hours * 3600 + minutes * 60)))
}

/// The number that some digits are; not more than nine.
fn digits(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use towpath_types::date_time_text;

    use super::*;

    #[test]
    fn forms() {
        let naive = |text: &str| parse_naive(text).map(|moment| date_time_text(moment, false));
        let utc = |text: &str| parse_utc(text).map(|moment| date_time_text(moment, true));
        for (text, expected) in [
            ("2024-03-31T01:30:00", "2024-03-31T01:30:00.000000000"),
            ("2024-03-31 01:30:00.5", "2024-03-31T01:30:00.500000000"),
            ("2024-03-31T01:30:00,123456789", "2024-03-31T01:30:00.123456789"),
            ("2024-03-31T01:30:00.1234567899", "2024-03-31T01:30:00.123456789"),
            // A leap second is the second after it.
            ("2016-12-31T23:59:60", "2017-01-01T00:00:00.000000000"),
            ("1677-09-21T00:12:43.145224193", "1677-09-21T00:12:43.145224193"),
            ("2262-04-11T23:47:16.854775807", "2262-04-11T23:47:16.854775807"),
        ] {
            assert_eq!(naive(text), Ok(expected.to_owned()), "{text}");
            for offset in ["Z", "z", "+00:00", "-0000", "+00", " +0000"] {
                assert_eq!(
                    utc(&format!("{text}{offset}")),
                    Ok(format!("{expected}+0000")),
                    "{text}{offset}"
                );
            }
        }
        for offset in ["+02:00", "+0200", "+02", " +0200"] {
            let text = format!("2024-03-31T03:30:00.25{offset}");
            assert_eq!(
                utc(&text),
                Ok("2024-03-31T01:30:00.250000000+0000".to_owned()),
                "{text}"
            );
            assert!(naive(&text).is_err_and(|why| why.contains("DateTimeUtc")), "{text}");
        }
        assert_eq!(
            utc("2024-03-31T01:30:00-05:45"),
            Ok("2024-03-31T07:15:00.000000000+0000".to_owned())
        );
        assert!(utc("2024-03-31T01:30:00").is_err_and(|why| why.contains("no offset")));
    }

    #[test]
    fn texts_that_are_no_moment() {
        for text in [
            "",
            "2024-03-31",
            "2024-03-31T01:30",
            "2024-3-31T01:30:00",
            "2024-03-31T01:30:00.",
            "2024-03-31T01:30:00x",
            "+024-03-31T01:30:00",
            "٢٠٢٤-03-31T01:30:00",
            "1711848600",
        ] {
            assert!(parse_naive(text).is_err_and(|why| why.contains("strptime")), "{text}");
        }
        for text in [
            "2024-02-30T00:00:00",
            "2024-13-01T00:00:00",
            "2024-03-31T24:00:00",
            "2024-03-31T23:60:00",
            "2024-03-31T23:59:61",
        ] {
            assert!(parse_naive(text).is_err_and(|why| why.contains("no such")), "{text}");
        }
        for offset in [
            "+2",
            "+24:00",
            "+02:60",
            "+020",
            "+02:00:00",
            "−02:00",
            "UTC",
            "[Europe/Paris]",
            "ZZ",
        ] {
            assert!(parse_utc(&format!("2024-03-31T01:30:00{offset}")).is_err(), "{offset}");
        }
        // Out of the range of 64 bits of nanoseconds, and never wrapped into it.
        for year in ["0000", "0001", "1677", "2263", "9999"] {
            let text = format!("{year}-01-01T00:00:00");
            assert!(
                parse_naive(&text).is_err_and(|why| why.contains("between the years")),
                "{text}"
            );
            assert!(
                parse_utc(&format!("{text}Z")).is_err_and(|why| why.contains("between the years")),
                "{text}"
            );
        }
        assert!(parse_utc("2262-04-11T23:47:16-23:59").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(moment: i64) {
            prop_assert_eq!(parse_naive(&date_time_text(moment, false)), Ok(moment));
            prop_assert_eq!(parse_utc(&date_time_text(moment, true)), Ok(moment));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{8}[.,Z+0-9: -]{0,12}|\\PC{0,40}") {
            let _ = (parse_naive(&text), parse_utc(&text));
        }
    }
}
