//! Moments and durations: pandas' types, which count nanoseconds, and those of `datetime`, which do not.

use pyo3::exceptions::PyOverflowError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDateTime, PyDelta, PyDeltaAccess, PyDict};
use towpath_types::Value;

use super::modules::pandas;
use super::refusal::{out_of_range, shown};

/// A moment, with a time zone or without; nothing if the value is none.
pub(super) fn date_time(value: &Bound<'_, PyAny>) -> PyResult<Option<Value>> {
    let py = value.py();
    if !value.is_instance_of::<PyDateTime>() {
        return Ok(None);
    }
    let is_aware = !value.call_method0(intern!(py, "utcoffset"))?.is_none();
    let wrap = if is_aware {
        Value::DateTimeUtc
    } else {
        Value::DateTimeNaive
    };
    if let Some(nanoseconds) = nanoseconds(value)? {
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
        return Ok(None);
    }
    if let Some(nanoseconds) = nanoseconds(value)? {
        return Ok(Some(Value::Duration(nanoseconds)));
    }
    match delta_nanoseconds(value)? {
        Some(nanoseconds) => Ok(Some(Value::Duration(nanoseconds))),
        None => out_of_range(value),
    }
}

/// Nanoseconds since the epoch of pandas' types, which know them; others count in microseconds.
fn nanoseconds(value: &Bound<'_, PyAny>) -> PyResult<Option<i64>> {
    match value.getattr_opt(intern!(value.py(), "value"))? {
        Some(nanoseconds) => Ok(Some(nanoseconds.extract()?)),
        None => Ok(None),
    }
}

fn delta_nanoseconds(value: &Bound<'_, PyAny>) -> PyResult<Option<i64>> {
    let delta = value.cast::<PyDelta>()?;
    let seconds = i64::from(delta.get_days()) * 86_400 + i64::from(delta.get_seconds());
    Ok(seconds
        .checked_mul(1_000_000_000)
        .and_then(|nanoseconds| nanoseconds.checked_add(i64::from(delta.get_microseconds()) * 1000)))
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
