//! The `dt.` family, first part: fields of moments, totals of durations, rounding, and moments as numbers.
//!
//! All of it is arithmetic on whole nanoseconds since 1970; calendar dates are counted with the proleptic
//! Gregorian calendar.

use towpath_types::{Column, DType, Physical};

use super::kernels::{Flaw, Slice, Texts, checked_binary, float_column, floats, int_column, ints, texts, unary};
use super::rules::{DURATION, INT, MOMENT, NUMBER, STR, entry};
use crate::error::ErrorKind;
use crate::expression::{Evaluation, Function, Operand};

const MICROSECOND: i64 = 1_000;
const MILLISECOND: i64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

pub(super) const FUNCTIONS: &[Function] = &[
    entry!("dt.nanosecond"(MOMENT) -> DType::Int, |a, e| ints_of(a, e, |t| t.rem_euclid(SECOND))),
    entry!("dt.microsecond"(MOMENT) -> DType::Int, |a, e| ints_of(a, e, |t| t.rem_euclid(SECOND) / MICROSECOND)),
    entry!("dt.millisecond"(MOMENT) -> DType::Int, |a, e| ints_of(a, e, |t| t.rem_euclid(SECOND) / MILLISECOND)),
    entry!("dt.second"(MOMENT) -> DType::Int, |a, e| ints_of(a, e, |t| t.rem_euclid(MINUTE) / SECOND)),
    entry!("dt.minute"(MOMENT) -> DType::Int, |a, e| ints_of(a, e, |t| t.rem_euclid(HOUR) / MINUTE)),
    entry!("dt.hour"(MOMENT) -> DType::Int, |a, e| ints_of(a, e, |t| t.rem_euclid(DAY) / HOUR)),
    entry!("dt.day"(MOMENT) -> DType::Int, |a, e| ints_of(a, e, |t| date(t).2)),
    entry!("dt.month"(MOMENT) -> DType::Int, |a, e| ints_of(a, e, |t| date(t).1)),
    entry!("dt.year"(MOMENT) -> DType::Int, |a, e| ints_of(a, e, |t| date(t).0)),
    // 1970 began on a Thursday; Monday is 0.
    entry!("dt.weekday"(MOMENT) -> DType::Int, |a, e| ints_of(a, e, |t| (t.div_euclid(DAY) + 3).rem_euclid(7))),
    entry!("dt.nanoseconds"(DURATION) -> DType::Int, |a, e| ints_of(a, e, |d| d)),
    entry!("dt.microseconds"(DURATION) -> DType::Int, |a, e| ints_of(a, e, |d| d / MICROSECOND)),
    entry!("dt.milliseconds"(DURATION) -> DType::Int, |a, e| ints_of(a, e, |d| d / MILLISECOND)),
    entry!("dt.seconds"(DURATION) -> DType::Int, |a, e| ints_of(a, e, |d| d / SECOND)),
    entry!("dt.minutes"(DURATION) -> DType::Int, |a, e| ints_of(a, e, |d| d / MINUTE)),
    entry!("dt.hours"(DURATION) -> DType::Int, |a, e| ints_of(a, e, |d| d / HOUR)),
    entry!("dt.days"(DURATION) -> DType::Int, |a, e| ints_of(a, e, |d| d / DAY)),
    entry!("dt.weeks"(DURATION) -> DType::Int, |a, e| ints_of(a, e, |d| d / (7 * DAY))),
    entry!("dt.floor"(MOMENT, DURATION) => |dtypes| dtypes[0].clone(), |a, e| to_multiple(a, e, |_| 0)).failing(),
    entry!("dt.round"(MOMENT, DURATION) => |dtypes| dtypes[0].clone(), |a, e| to_multiple(a, e, |unit| unit / 2))
        .failing(),
    entry!("dt.timestamp_ns"(MOMENT) -> DType::Int, |a, e| ints_of(a, e, |t| t)),
    entry!("dt.timestamp"(MOMENT, STR) -> DType::Float, timestamp).failing(),
    entry!("dt.from_timestamp"(NUMBER, STR) -> DType::DateTimeNaive, |a, e| from_number(a, e, timestamp_unit))
        .failing(),
    entry!("dt.utc_from_timestamp"(NUMBER, STR) -> DType::DateTimeUtc, |a, e| from_number(a, e, timestamp_unit))
        .failing(),
    entry!("dt.to_duration"(INT, STR) -> DType::Duration, |a, e| from_number(a, e, duration_unit)).failing(),
];

fn ints_of(arguments: &[Operand], evaluation: &mut Evaluation<'_>, function: impl Fn(i64) -> i64) -> Column {
    int_column(Physical::Int, unary(evaluation.len, &ints(&arguments[0]), function))
}

/// Year, month and day of a moment. Years are counted from March, so that the leap day is the last, in eras of
/// 400 years, all of which have as many days.
fn date(nanoseconds: i64) -> (i64, i64, i64) {
    // Days since 0000-03-01.
    let days = nanoseconds.div_euclid(DAY) + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months from March on come in lengths that repeat every five: 31, 30, 31, 30, 31.
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let calendar_month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + i64::from(calendar_month <= 2);
    (year, calendar_month, day)
}

/// The last multiple of a duration, counted from 1970, that is not after the moment moved on by `ahead`.
fn to_multiple(arguments: &[Operand], evaluation: &mut Evaluation<'_>, ahead: impl Fn(i64) -> i64) -> Column {
    let (moments, units) = (ints(&arguments[0]), ints(&arguments[1]));
    for row in 0..evaluation.len {
        if units.at(row) <= 0 {
            evaluation.fail(row, ErrorKind::Value, "the duration to round to must be positive");
        }
    }
    let results = checked_binary(evaluation, &moments, &units, |moment, unit| {
        let unit = unit.max(1);
        let floor = moment
            .checked_add(ahead(unit))
            .and_then(|moment| moment.checked_sub(moment.rem_euclid(unit)));
        floor.map_or((0, Flaw::Overflow), |floor| (floor, Flaw::None))
    });
    int_column(evaluation.dtype.physical(), results)
}

fn timestamp_unit(unit: &str) -> Result<i64, String> {
    match unit {
        "s" => Ok(SECOND),
        "ms" => Ok(MILLISECOND),
        "us" => Ok(MICROSECOND),
        "ns" => Ok(1),
        _ => Err(format!("unit has to be one of s, ms, us, ns but is {unit}.")),
    }
}

fn duration_unit(unit: &str) -> Result<i64, String> {
    match unit {
        "W" | "week" | "weeks" => Ok(7 * DAY),
        "D" | "d" | "day" | "days" => Ok(DAY),
        "h" | "hr" | "hour" | "hours" => Ok(HOUR),
        "m" | "min" | "minute" | "minutes" => Ok(MINUTE),
        "s" | "sec" | "second" | "seconds" => Ok(SECOND),
        "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => Ok(MILLISECOND),
        "us" | "micro" | "micros" | "microsecond" | "microseconds" => Ok(MICROSECOND),
        "ns" | "nano" | "nanos" | "nanosecond" | "nanoseconds" => Ok(1),
        _ => Err(format!("unit has to be a valid time unit but is {unit:?}")),
    }
}

/// The nanoseconds of the units; what is no unit fails.
fn units(
    texts: &Texts<'_>,
    evaluation: &mut Evaluation<'_>,
    unit: fn(&str) -> Result<i64, String>,
) -> Slice<'static, i64> {
    if let Some(Ok(unit)) = texts.single().map(unit) {
        return Slice::scalar(unit);
    }
    let units = (0..evaluation.len).map(|row| {
        unit(texts.at(row)).unwrap_or_else(|message| {
            evaluation.fail(row, ErrorKind::Value, message);
            1
        })
    });
    Slice::owned(units.collect())
}

fn timestamp(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    let units = units(&texts(&arguments[1]), evaluation, timestamp_unit);
    let results = super::kernels::binary(evaluation.len, &ints(&arguments[0]), &units, |moment, unit| {
        moment as f64 / unit as f64
    });
    float_column(results)
}

fn from_number(
    arguments: &[Operand],
    evaluation: &mut Evaluation<'_>,
    unit: fn(&str) -> Result<i64, String>,
) -> Column {
    let units = units(&texts(&arguments[1]), evaluation, unit);
    let results = if arguments[0].cells().physical() == Physical::Int {
        checked_binary(evaluation, &ints(&arguments[0]), &units, |value, unit| {
            let (product, overflows) = value.overflowing_mul(unit);
            (product, Flaw::overflow(overflows))
        })
    } else {
        checked_binary(evaluation, &floats(&arguments[0]), &units, |value, unit| {
            super::moments::truncate(value * unit as f64)
        })
    };
    int_column(evaluation.dtype.physical(), results)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Datelike, Timelike};
    use proptest::prelude::*;
    use towpath_types::Value;

    use super::{DAY, HOUR, SECOND};
    use crate::expression::functions::testing::{Table, call, outcome};

    fn field(name: &str, moment: i64) -> Value {
        let table = Table::new([(towpath_types::DType::DateTimeNaive, vec![Value::DateTimeNaive(moment)])]);
        let [moment] = table.columns();
        table.evaluate(&call(name, [moment]).expect("fits")).0.remove(0)
    }

    proptest! {
        #[test]
        fn fields_are_those_of_chrono(moment: i64) {
            let expected = DateTime::from_timestamp_nanos(moment);
            let fields = [
                ("dt.year", i64::from(expected.year())),
                ("dt.month", i64::from(expected.month())),
                ("dt.day", i64::from(expected.day())),
                ("dt.hour", i64::from(expected.hour())),
                ("dt.minute", i64::from(expected.minute())),
                ("dt.second", i64::from(expected.second())),
                ("dt.millisecond", i64::from(expected.nanosecond() / 1_000_000)),
                ("dt.microsecond", i64::from(expected.nanosecond() / 1_000)),
                ("dt.nanosecond", i64::from(expected.nanosecond())),
                ("dt.weekday", i64::from(expected.weekday().num_days_from_monday())),
            ];
            for (name, expected) in fields {
                prop_assert_eq!(field(name, moment), Value::Int(expected), "{}", name);
            }
        }
    }

    #[test]
    fn totals_of_durations_are_truncated() {
        let duration = Value::Duration(-26 * HOUR - 3 * super::MINUTE);
        for (name, expected) in [
            ("dt.hours", "-26"),
            ("dt.days", "-1"),
            ("dt.weeks", "0"),
            ("dt.minutes", "-1563"),
        ] {
            assert_eq!(outcome(name, [duration.clone()]), expected, "{name}");
        }
        assert_eq!(
            outcome("dt.hours", [Value::DateTimeUtc(0)]),
            "! unsupported operand type for dt.hours: DateTimeUtc"
        );
    }

    #[test]
    fn rounding() {
        let check = |name: &str, moment: i64, unit: i64, expected: &str| {
            assert_eq!(
                outcome(name, [Value::DateTimeNaive(moment), Value::Duration(unit)]),
                expected
            );
        };
        check("dt.floor", -SECOND, HOUR, "1969-12-31T23:00:00.000000000");
        check("dt.floor", DAY + HOUR / 2, DAY, "1970-01-02T00:00:00.000000000");
        check("dt.round", HOUR / 2, HOUR, "1970-01-01T01:00:00.000000000");
        check("dt.round", HOUR / 2 - 1, HOUR, "1970-01-01T00:00:00.000000000");
        check("dt.round", 8 * DAY, 7 * DAY, "1970-01-08T00:00:00.000000000");
        check("dt.floor", 1, 0, "Value: the duration to round to must be positive");
        check(
            "dt.floor",
            i64::MIN,
            DAY,
            "Overflow: the result does not fit in 64 bits",
        );
    }

    #[test]
    fn moments_and_numbers() {
        let moment = Value::DateTimeNaive(1_709_212_455_123_456_789);
        let check = |name: &str, value: Value, unit: &str, expected: &str| {
            assert_eq!(outcome(name, [value, unit.into()]), expected, "{name} {unit}");
        };
        check("dt.timestamp", moment.clone(), "s", "1709212455.1234567");
        check("dt.timestamp", Value::DateTimeUtc(-SECOND / 2), "s", "-0.5");
        check(
            "dt.timestamp",
            moment.clone(),
            "m",
            "Value: unit has to be one of s, ms, us, ns but is m.",
        );
        assert_eq!(outcome("dt.timestamp_ns", [moment]), "1709212455123456789");
        check(
            "dt.from_timestamp",
            1_700_000_000.into(),
            "s",
            "2023-11-14T22:13:20.000000000",
        );
        check(
            "dt.from_timestamp",
            1_700_000_000.123_456_7.into(),
            "s",
            "2023-11-14T22:13:20.123456768",
        );
        check(
            "dt.utc_from_timestamp",
            1_700_000_000.into(),
            "ms",
            "1970-01-20T16:13:20.000000000+0000",
        );
        check(
            "dt.from_timestamp",
            i64::MAX.into(),
            "s",
            "Overflow: the result does not fit in 64 bits",
        );
        check("dt.to_duration", 3.into(), "W", "1814400000000000ns");
        check(
            "dt.to_duration",
            3.into(),
            "H",
            "Value: unit has to be a valid time unit but is \"H\"",
        );
    }
}
