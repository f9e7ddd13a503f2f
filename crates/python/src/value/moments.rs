//! Moments and durations: pandas' types, which count nanoseconds, those of numpy, which count whatever they say, and
//! those of `datetime`.

use pyo3::exceptions::PyOverflowError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDateTime, PyDelta, PyDeltaAccess, PyDict};
use towpath_types::Value;

use super::missing::is_missing;
use super::modules::pandas;
use super::refusal::{out_of_range, shown};
use super::units::{NumpyMoment, numpy_moment};

/// A moment, with a time zone or without; nothing if the value is none.
pub(super) fn date_time(value: &Bound<'_, PyAny>) -> PyResult<Option<Value>> {
    let py = value.py();
    if !value.is_instance_of::<PyDateTime>() {
        return match numpy_moment(value)? {
            Some((steps, NumpyMoment::Moment(unit))) if steps != i64::MIN => {
                counted(unit.moment(steps), value).map(|found| Some(Value::DateTimeNaive(found)))
            }
            _ => Ok(None),
        };
    }
    if is_missing(value) {
        return Ok(None);
    }
    let is_aware = !value.call_method0(intern!(py, "utcoffset"))?.is_none();
    let wrap = if is_aware {
        Value::DateTimeUtc
    } else {
        Value::DateTimeNaive
    };
    if let Some(nanoseconds) = pandas_nanoseconds(value, "Timestamp")? {
        return Ok(Some(wrap(nanoseconds)));
    }
    let datetime = py.import("datetime")?;
    let utc = datetime.getattr("timezone")?.getattr("utc")?;
    let aware = if is_aware {
        value.clone()
    } else {
        let keywords = PyDict::new(py);
        keywords.set_item("tzinfo", &utc)?;
        value.call_method("replace", (), Some(&keywords))?
    };
    let epoch = datetime.getattr("datetime")?.call1((1970, 1, 1, 0, 0, 0, 0, &utc))?;
    let since = aware.sub(epoch)?;
    match delta_nanoseconds(&since)? {
        Some(nanoseconds) => Ok(Some(wrap(nanoseconds))),
        None => Err(PyOverflowError::new_err(format!(
            "the moment {} is outside of the years 1678 to 2261, which nanoseconds can count",
            shown(value)
        ))),
    }
}

/// A duration; nothing if the value is none.
pub(super) fn duration(value: &Bound<'_, PyAny>) -> PyResult<Option<Value>> {
    if !value.is_instance_of::<PyDelta>() {
        return match numpy_moment(value)? {
            Some((steps, NumpyMoment::Span(unit))) if steps != i64::MIN => {
                counted(unit.span(steps), value).map(|found| Some(Value::Duration(found)))
            }
            _ => Ok(None),
        };
    }
    if let Some(nanoseconds) = pandas_nanoseconds(value, "Timedelta")? {
        return Ok(Some(Value::Duration(nanoseconds)));
    }
    match delta_nanoseconds(value)? {
        Some(nanoseconds) => Ok(Some(Value::Duration(nanoseconds))),
        None => out_of_range(value),
    }
}

fn counted(nanoseconds: Result<i64, String>, value: &Bound<'_, PyAny>) -> PyResult<i64> {
    nanoseconds.map_err(|reason| PyOverflowError::new_err(format!("cannot take {}: {reason}", shown(value))))
}

/// Nanoseconds since the epoch of pandas' types, which know them; others count in microseconds. A class of the user's
/// may have an attribute of that name, too.
fn pandas_nanoseconds(value: &Bound<'_, PyAny>, class: &str) -> PyResult<Option<i64>> {
    let py = value.py();
    let Some(nanoseconds) = value.getattr_opt(intern!(py, "value"))? else {
        return Ok(None);
    };
    if !value.is_instance(&pandas(py)?.getattr(class)?)? {
        return Ok(None);
    }
    Ok(Some(nanoseconds.extract()?))
}

/// A moment in ISO 8601 with nine fractional digits, and its offset if it has one; nothing if it is missing.
pub(super) fn moment_text(value: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    let py = value.py();
    if is_missing(value) {
        return Ok(None);
    }
    if pandas_nanoseconds(value, "Timestamp").is_ok_and(|found| found.is_some()) {
        let text = value.call_method1(intern!(py, "isoformat"), ("T", "nanoseconds"))?;
        return text.extract().map(Some);
    }
    let class = py.get_type::<PyDateTime>();
    let text = class.call_method1(intern!(py, "isoformat"), (value, "T", "microseconds"))?;
    let text: String = text.extract()?;
    let (moment, offset) = text
        .split_at_checked("2025-03-14T10:00:00.000000".len())
        .unwrap_or((&text, ""));
    Ok(Some(format!("{moment}000{offset}")))
}

fn delta_nanoseconds(value: &Bound<'_, PyAny>) -> PyResult<Option<i64>> {
    let delta = value.cast::<PyDelta>()?;
    let seconds = i64::from(delta.get_days()) * 86_400 + i64::from(delta.get_seconds());
    // Whole seconds may be out of range where the microseconds bring them back.
    let nanoseconds = i128::from(seconds) * 1_000_000_000 + i128::from(delta.get_microseconds()) * 1000;
    Ok(i64::try_from(nanoseconds).ok())
}

/// A moment in Python.
pub(super) fn date_time_to_python(py: Python<'_>, nanoseconds: i64, utc: bool) -> PyResult<Bound<'_, PyAny>> {
    if !utc {
        return pandas(py)?.call_method1("Timestamp", (nanoseconds,));
    }
    let keywords = PyDict::new(py);
    keywords.set_item("tz", "UTC")?;
    pandas(py)?.call_method("Timestamp", (nanoseconds,), Some(&keywords))
}

/// A duration in Python.
pub(super) fn duration_to_python(py: Python<'_>, nanoseconds: i64) -> PyResult<Bound<'_, PyAny>> {
    pandas(py)?.call_method1("Timedelta", (nanoseconds,))
}
