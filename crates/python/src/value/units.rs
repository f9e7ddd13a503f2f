//! The units of numpy's and Arrow's moments and durations, and nanoseconds, which is what we count in.

use chrono::NaiveDate;
use pyo3::intern;
use pyo3::prelude::*;

use super::modules::{moment_class, numpy, span_class};

/// What a number of a column of moments or durations counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Unit {
    /// So many nanoseconds.
    Nanoseconds(i64),
    /// Of so many of these a nanosecond is made, and so many are counted at once.
    Parts { of: i128, at_once: i128 },
    /// So many months of the calendar.
    Months(i64),
    /// Nothing that is said.
    Nothing,
}

const SECOND: i64 = 1_000_000_000;
const OUTSIDE: &str = "it is outside of the years 1678 to 2261, which nanoseconds can count";

impl Unit {
    pub(crate) const SECONDS: Unit = Unit::Nanoseconds(SECOND);
    pub(crate) const MILLISECONDS: Unit = Unit::Nanoseconds(SECOND / 1000);
    pub(crate) const MICROSECONDS: Unit = Unit::Nanoseconds(1000);
    pub(crate) const NANOSECONDS: Unit = Unit::Nanoseconds(1);

    /// The unit of a dtype of numpy.
    pub(crate) fn of_numpy(dtype: &Bound<'_, PyAny>) -> PyResult<Unit> {
        let (name, count): (String, i64) = numpy(dtype.py())?.call_method1("datetime_data", (dtype,))?.extract()?;
        let nanoseconds = |one: i64| match one.checked_mul(count) {
            Some(nanoseconds) => Unit::Nanoseconds(nanoseconds),
            // A single step is longer than all that can be counted.
            None => Unit::Nanoseconds(i64::MAX),
        };
        let parts = |of: i64| Unit::Parts {
            of: i128::from(of),
            at_once: i128::from(count),
        };
        Ok(match name.as_str() {
            "Y" => Unit::Months(count.saturating_mul(12)),
            "M" => Unit::Months(count),
            "W" => nanoseconds(7 * 86_400 * SECOND),
            "D" => nanoseconds(86_400 * SECOND),
            "h" => nanoseconds(3600 * SECOND),
            "m" => nanoseconds(60 * SECOND),
            "s" => nanoseconds(SECOND),
            "ms" => nanoseconds(SECOND / 1000),
            "us" => nanoseconds(1000),
            "ns" => nanoseconds(1),
            "ps" => parts(1000),
            "fs" => parts(1_000_000),
            "as" => parts(SECOND),
            _ => Unit::Nothing,
        })
    }

    /// The nanoseconds of a moment, or why there are none.
    pub(crate) fn moment(self, steps: i64) -> Result<i64, String> {
        match self {
            Unit::Months(count) => steps
                .checked_mul(count)
                .and_then(start_of_month)
                .ok_or_else(|| OUTSIDE.to_owned()),
            unit => unit.nanoseconds(steps, OUTSIDE),
        }
    }

    /// The nanoseconds of a duration, or why there are none.
    pub(crate) fn span(self, steps: i64) -> Result<i64, String> {
        match self {
            Unit::Months(_) => Err("months and years have no fixed length".to_owned()),
            unit => unit.nanoseconds(steps, "it is longer than 292 years, which nanoseconds can count"),
        }
    }

    fn nanoseconds(self, steps: i64, outside: &str) -> Result<i64, String> {
        let found = match self {
            Unit::Nanoseconds(count) => steps.checked_mul(count),
            Unit::Parts { of, at_once } => {
                let parts = i128::from(steps) * at_once;
                if parts % of != 0 {
                    return Err("it has parts of a nanosecond".to_owned());
                }
                i64::try_from(parts / of).ok()
            }
            Unit::Months(_) | Unit::Nothing => return Err("its unit is not known".to_owned()),
        };
        // The lowest number stands for a moment that is missing, with numpy and pandas.
        found
            .filter(|nanoseconds| *nanoseconds != i64::MIN)
            .ok_or_else(|| outside.to_owned())
    }

    /// The nanoseconds of many. What is null counts nothing; positions that have no nanoseconds go to `bad`, with
    /// the reason.
    pub(crate) fn all(
        self,
        steps: &[i64],
        is_null: impl Fn(usize) -> bool,
        is_span: bool,
        mut bad: impl FnMut(usize, String),
    ) -> Vec<i64> {
        if let Unit::Nanoseconds(count) = self {
            // Most columns are within the range, which is quick to see.
            let (least, most) = steps.iter().fold((i64::MAX, i64::MIN), |(least, most), steps| {
                (least.min(*steps), most.max(*steps))
            });
            let bound = i64::MAX / count.max(1);
            if least >= -bound && most <= bound {
                return steps.iter().map(|steps| steps * count).collect();
            }
        }
        let convert = |steps| if is_span { self.span(steps) } else { self.moment(steps) };
        let nanoseconds = steps.iter().enumerate().map(|(row, steps)| {
            if is_null(row) {
                return 0;
            }
            convert(*steps).unwrap_or_else(|reason| {
                bad(row, reason);
                0
            })
        });
        nanoseconds.collect()
    }
}

/// The first moment of a month, counted from January 1970.
fn start_of_month(months: i64) -> Option<i64> {
    let year = i32::try_from(months.div_euclid(12) + 1970).ok()?;
    let month = months.rem_euclid(12) as u32 + 1;
    NaiveDate::from_ymd_opt(year, month, 1)?
        .and_hms_opt(0, 0, 0)?
        .and_utc()
        .timestamp_nanos_opt()
}

/// What a moment or duration of numpy counts.
#[derive(Clone, Copy, Debug)]
pub(super) enum NumpyMoment {
    Moment(Unit),
    Span(Unit),
}

/// A `datetime64` or `timedelta64` of numpy, as a number and what it counts; the lowest number is `NaT`.
pub(super) fn numpy_moment(value: &Bound<'_, PyAny>) -> PyResult<Option<(i64, NumpyMoment)>> {
    let py = value.py();
    let class = value.get_type();
    let kind = match (moment_class(py)?, span_class(py)?) {
        (Some(moment), _) if class.is_subclass(moment)? => NumpyMoment::Moment,
        (_, Some(span)) if class.is_subclass(span)? => NumpyMoment::Span,
        _ => return Ok(None),
    };
    let unit = Unit::of_numpy(&value.getattr(intern!(py, "dtype"))?)?;
    let steps = value.call_method1(intern!(py, "astype"), ("int64",))?.extract()?;
    Ok(Some((steps, kind(unit))))
}
