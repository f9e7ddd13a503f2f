//! The `dt.` family, third part: moments in named time zones.
//!
//! A local time that a zone skips is taken for the end of the gap, one that occurs twice for the later.

use std::cell::RefCell;
use std::str::FromStr as _;

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use towpath_types::{Column, DType};

use super::kernels::{Slice, int_column, ints, texts};
use super::rules::{DURATION, NAIVE, STR, UTC, entry};
use crate::error::ErrorKind;
use crate::expression::{Evaluation, Function, Operand};

pub(super) const FUNCTIONS: &[Function] = &[
    entry!("dt.to_utc"(NAIVE, STR) -> DType::DateTimeUtc, |a, e| in_zone(a, e, |[moment, _], zone| to_utc(moment, zone)))
        .failing(),
    entry!("dt.to_naive_in_timezone"(UTC, STR) -> DType::DateTimeNaive, |a, e| {
        in_zone(a, e, |[moment, _], zone| to_naive(moment, zone))
    })
    .failing(),
    entry!("dt.add_duration_in_timezone"(NAIVE, DURATION, STR) -> DType::DateTimeNaive, |a, e| {
        in_zone(a, e, |[moment, duration], zone| to_naive(to_utc(moment, zone)?.checked_add(duration)?, zone))
    })
    .failing(),
    entry!("dt.subtract_duration_in_timezone"(NAIVE, DURATION, STR) -> DType::DateTimeNaive, |a, e| {
        in_zone(a, e, |[moment, duration], zone| to_naive(to_utc(moment, zone)?.checked_sub(duration)?, zone))
    })
    .failing(),
    entry!("dt.subtract_date_time_in_timezone"(NAIVE, NAIVE, STR) -> DType::Duration, |a, e| {
        in_zone(a, e, |[left, right], zone| to_utc(left, zone)?.checked_sub(to_utc(right, zone)?))
    })
    .failing(),
];

/// `function` of one or two columns of nanoseconds and a zone, the last argument; nothing if out of range.
fn in_zone(
    arguments: &[Operand],
    evaluation: &mut Evaluation<'_>,
    function: fn([i64; 2], Tz) -> Option<i64>,
) -> Column {
    let (values, [zone]) = arguments.split_at(arguments.len() - 1) else {
        panic!("the zone is the last argument");
    };
    let first = ints(&values[0]);
    let second = values.get(1).map_or_else(|| Slice::scalar(0), ints);
    let names = texts(zone);
    // Most columns of zones repeat one name.
    let last: RefCell<Option<(&str, Tz)>> = RefCell::default();
    let zone_named = |name| match *last.borrow() {
        Some((known, zone)) if known == name => Some(zone),
        _ => Tz::from_str(name).ok(),
    };
    let mut results = Vec::with_capacity(evaluation.len);
    for row in 0..evaluation.len {
        if evaluation.is_masked(row) {
            results.push(0);
            continue;
        }
        let name = names.at(row);
        let Some(zone) = zone_named(name) else {
            evaluation.fail(
                row,
                ErrorKind::Value,
                format!("cannot parse time zone {name:?}: failed to parse timezone"),
            );
            results.push(0);
            continue;
        };
        last.replace(Some((name, zone)));
        let result = function([first.at(row), second.at(row)], zone);
        if result.is_none() {
            evaluation.fail(row, ErrorKind::Overflow, "the moment is out of range");
        }
        results.push(result.unwrap_or(0));
    }
    int_column(evaluation.dtype.physical(), results)
}

fn to_naive(nanoseconds: i64, zone: Tz) -> Option<i64> {
    let moment = DateTime::from_timestamp_nanos(nanoseconds).with_timezone(&zone);
    moment.naive_local().and_utc().timestamp_nanos_opt()
}

fn to_utc(nanoseconds: i64, zone: Tz) -> Option<i64> {
    let local = DateTime::from_timestamp_nanos(nanoseconds).naive_utc();
    let moment = match zone.from_local_datetime(&local) {
        LocalResult::Single(moment) | LocalResult::Ambiguous(_, moment) => moment.with_timezone(&Utc),
        LocalResult::None => end_of_gap(local, zone)?,
    };
    moment.timestamp_nanos_opt()
}

/// The first moment after a local time that does not exist. Gaps begin and end at whole seconds, and none
/// is longer than a day and a bit.
fn end_of_gap(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    let start = local.and_utc().timestamp();
    let exists = |seconds: i64| {
        let local = DateTime::from_timestamp(start + seconds, 0)?.naive_utc();
        zone.from_local_datetime(&local).earliest()
    };
    let (mut missing, mut existing) = (0, TimeDelta::hours(26).num_seconds());
    while existing - missing > 1 {
        let middle = missing + (existing - missing) / 2;
        if exists(middle).is_some() {
            existing = middle;
        } else {
            missing = middle;
        }
    }
    exists(existing).map(|moment| moment.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use towpath_types::Value;

    use crate::expression::functions::testing::outcome;

    fn nanoseconds(text: &str) -> i64 {
        let moment = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").expect("a moment");
        moment.and_utc().timestamp_nanos_opt().expect("in range")
    }

    fn naive(text: &str) -> Value {
        Value::DateTimeNaive(nanoseconds(text))
    }

    #[test]
    fn between_local_time_and_utc() {
        let check = |zone: &str, local: &str, expected: &str| {
            let result = outcome("dt.to_utc", [naive(local), zone.into()]);
            assert_eq!(result, format!("{expected}:00.000000000+0000"), "{local} {zone}");
        };
        check("Europe/Warsaw", "2024-02-29 13:14", "2024-02-29T12:14");
        // Skipped, and twice.
        check("Europe/Warsaw", "2024-03-31 02:30", "2024-03-31T01:00");
        check("Europe/Warsaw", "2024-10-27 02:30", "2024-10-27T01:30");
        // A whole day was skipped.
        check("Pacific/Apia", "2011-12-30 12:00", "2011-12-30T10:00");
        let utc = Value::DateTimeUtc(nanoseconds("2024-07-01 12:00"));
        assert_eq!(
            outcome("dt.to_naive_in_timezone", [utc, "Europe/Warsaw".into()]),
            "2024-07-01T14:00:00.000000000"
        );
        assert_eq!(
            outcome("dt.to_utc", [Value::DateTimeNaive(0), "Nowhere/X".into()]),
            "Value: cannot parse time zone \"Nowhere/X\": failed to parse timezone"
        );
    }

    #[test]
    fn durations_pass_in_utc() {
        let hour = Value::Duration(3_600_000_000_000);
        let zone = || Value::from("Europe/Warsaw");
        assert_eq!(
            outcome(
                "dt.add_duration_in_timezone",
                [naive("2024-03-31 01:30"), hour.clone(), zone()]
            ),
            "2024-03-31T03:30:00.000000000"
        );
        assert_eq!(
            outcome(
                "dt.subtract_duration_in_timezone",
                [naive("2024-03-31 03:30"), hour, zone()]
            ),
            "2024-03-31T01:30:00.000000000"
        );
        let (late, early) = (naive("2024-03-31 03:30"), naive("2024-03-31 01:30"));
        assert_eq!(
            outcome("dt.subtract_date_time_in_timezone", [late, early, zone()]),
            "3600000000000ns"
        );
    }
}
