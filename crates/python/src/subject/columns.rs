//! `next_columns`: many rows as columns, with the rules of `next`. Nothing of a call is sent if it fails.

use arrow_array::{BooleanArray, Float64Array, Int64Array};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyException, PyOverflowError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyFrozenSet, PySet, PyString};
use towpath_types::{Cells, Column, ColumnBuilder, DType, Field, Physical};

use super::arrow;
use super::buffer::warn_of_extra;
use super::native::Subject;
use super::slots::push_plain;
use super::whole::{absent_column, take_columns};
use crate::value::{Unit, convert, is_of_pandas, lossy, numpy, type_name};

/// The values that are not accepted: their rows, and why.
type Refused = Vec<(usize, PyErr)>;

/// The body of `next_columns`.
pub(super) fn next_columns(subject: &Bound<'_, Subject>, given: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = given.py();
    let ingest = subject.get().ingest(py)?;
    ingest.check(py)?;
    let given = given.cast::<PyDict>().map_err(|_| {
        PyTypeError::new_err("next_columns takes a dict of columns, like {\"key\": [1, 2], \"text\": [\"a\", \"b\"]}")
    })?;
    // What has the length of a column may change the dict.
    let pairs: Vec<_> = given.iter().collect();
    let mut columns = Vec::new();
    for (name, values) in &pairs {
        let name = lossy(name);
        check_is_column(&name, values)?;
        let Ok(len) = values.len() else {
            return Err(PyTypeError::new_err(format!(
                "column {name:?} is of type {} and has no length; a column is a list or an array of values",
                type_name(values)
            )));
        };
        columns.push((name, values, len));
    }
    let Some((first, _, rows)) = columns.first() else {
        return Ok(());
    };
    let rows = *rows;
    for (name, _, len) in &columns {
        if *len != rows {
            return Err(PyValueError::new_err(format!(
                "columns have one length: {first:?} has {rows} values, {name:?} has {len}"
            )));
        }
        if ingest.field_named(name).is_none() {
            warn_of_extra(py, ingest, name)?;
        }
    }
    let find = |field: &Field| columns.iter().find(|(name, ..)| *name == field.name);
    if !ingest.fields.iter().any(|field| find(field).is_some()) {
        return Err(PyValueError::new_err(format!(
            "none of the columns is in the schema: {first:?} and the others are ignored"
        )));
    }
    let mut taken = Vec::new();
    let mut errors = Vec::new();
    for (position, field) in ingest.fields.iter().enumerate() {
        let Some((name, values, _)) = find(field) else {
            taken.push(None);
            continue;
        };
        let mut own = Vec::new();
        let column = column(field, values, rows, &mut own)?;
        if column.len() != rows {
            return Err(PyValueError::new_err(format!(
                "column {name:?} says that it has {rows} values and gives {}",
                if column.len() > rows {
                    "more".to_owned()
                } else {
                    column.len().to_string()
                }
            )));
        }
        errors.extend(own.into_iter().map(|(row, error)| (row, position, error)));
        taken.push(Some(column));
    }
    // The number of rows is known to be right only now.
    let taken = taken.into_iter().zip(&ingest.fields).enumerate();
    let columns = taken
        .map(|(position, (column, field))| column.unwrap_or_else(|| absent_column(field, rows, position, &mut errors)))
        .collect();
    take_columns(py, ingest, columns, rows, errors)
}

/// Texts, bytes, sets and dicts have a length and items as well, but not those of a column.
fn check_is_column(name: &str, values: &Bound<'_, PyAny>) -> PyResult<()> {
    let is_other = values.is_instance_of::<PyString>()
        || values.is_instance_of::<PyBytes>()
        || values.is_instance_of::<PyByteArray>()
        || values.is_instance_of::<PyDict>()
        || values.is_instance_of::<PySet>()
        || values.is_instance_of::<PyFrozenSet>();
    if is_other {
        return Err(PyTypeError::new_err(format!(
            "column {name:?} is a {}; a column is a list or an array of values",
            type_name(values)
        )));
    }
    Ok(())
}

/// A column of many values: the buffers of numpy and Arrow where they fit, otherwise value by value.
fn column(field: &Field, values: &Bound<'_, PyAny>, rows: usize, errors: &mut Refused) -> PyResult<Column> {
    let py = values.py();
    if values.hasattr("mask")? && values.hasattr("filled")? {
        // A masked array of numpy.
        let mask = numpy(py)?.getattr("ma")?.call_method1("getmaskarray", (values,))?;
        let data = numpy(py)?.call_method1("asarray", (values.getattr("data")?,))?;
        return array_column(field, &data, Some(&mask_of(&mask)?), rows, errors);
    }
    if is_of_pandas(values) && values.hasattr("isna")? {
        return pandas_column(field, values, rows, errors);
    }
    let has_dtype = values.getattr_opt(intern!(py, "dtype"))?.is_some();
    if arrow::is_arrow(values)? {
        return arrow::one_column(field, values, errors);
    }
    if has_dtype && values.hasattr("__array__")? {
        let array = numpy(py)?.call_method1("asarray", (values,))?;
        return array_column(field, &array, None, rows, errors);
    }
    each(field, values, None, rows, errors)
}

/// Where the values of pandas are missing, None is meant; NaN in a column of floats stays what it is.
fn pandas_column(field: &Field, values: &Bound<'_, PyAny>, rows: usize, errors: &mut Refused) -> PyResult<Column> {
    let py = values.py();
    let dtype = values.getattr(intern!(py, "dtype"))?;
    let mask = mask_of(&numpy(py)?.call_method1("asarray", (values.call_method0("isna")?,))?)?;
    let kind: Option<String> = match dtype.getattr_opt("kind")? {
        Some(kind) => kind.extract().ok(),
        None => None,
    };
    let keywords = PyDict::new(py);
    let array = match (
        dtype.getattr_opt("tz")?,
        dtype.getattr_opt("numpy_dtype")?,
        kind.as_deref(),
    ) {
        (Some(zone), ..) if !zone.is_none() && field.dtype.required() == &DType::DateTimeUtc => {
            let unit: String = dtype.getattr("unit")?.extract()?;
            let array = values.call_method1("to_numpy", (format!("datetime64[{unit}]"),))?;
            return moments(field, &array, &mask, true, errors);
        }
        (_, Some(plain), Some("i" | "u" | "f" | "b")) => {
            // An extension type, which has a value of its own for what is missing.
            keywords.set_item("dtype", plain)?;
            keywords.set_item("na_value", 0)?;
            values.call_method("to_numpy", (), Some(&keywords))?
        }
        _ => numpy(py)?.call_method1("asarray", (values,))?,
    };
    let is_nan = field.dtype == DType::Float && dtype.getattr_opt("numpy_dtype")?.is_none();
    let mask = if is_nan { None } else { Some(mask.as_slice()) };
    array_column(field, &array, mask, rows, errors)
}

fn mask_of(mask: &Bound<'_, PyAny>) -> PyResult<Vec<bool>> {
    let bytes = numpy(mask.py())?
        .call_method1("ascontiguousarray", (mask, "|b1"))?
        .call_method0("tobytes")?;
    Ok(bytes
        .cast::<PyBytes>()?
        .as_bytes()
        .iter()
        .map(|byte| *byte != 0)
        .collect())
}

/// A column of an array of numpy; where the mask is true, a value is missing.
fn array_column(
    field: &Field,
    array: &Bound<'_, PyAny>,
    mask: Option<&[bool]>,
    rows: usize,
    errors: &mut Refused,
) -> PyResult<Column> {
    let py = array.py();
    let len = array.len()?;
    if mask.is_some_and(|mask| mask.len() != len) {
        return Err(PyValueError::new_err(format!(
            "column {:?} has {len} values and a mask for {}",
            field.name,
            mask.unwrap_or_default().len()
        )));
    }
    let dtype = array.getattr(intern!(py, "dtype"))?;
    let kind: String = dtype.getattr(intern!(py, "kind"))?.extract()?;
    let is_flat = array.getattr(intern!(py, "ndim"))?.extract::<usize>()? == 1;
    if !is_flat || field.dtype == DType::Any {
        return each(field, array, mask, rows, errors);
    }
    let plain = |target: &str| numpy(py)?.call_method1("ascontiguousarray", (array, target));
    let cells = match (field.dtype.physical(), kind.as_str()) {
        (Physical::DateTimeNaive, "M") | (Physical::Duration, "m") => {
            return moments(field, array, mask.unwrap_or_default(), false, errors);
        }
        (Physical::Int, "u") if dtype.getattr("itemsize")?.extract::<usize>()? == 8 => {
            let values: Vec<u64> = PyBuffer::get(&plain("<u8")?)?.to_vec(py)?;
            for (row, value) in values.iter().enumerate() {
                if *value > i64::MAX as u64 && !mask.is_some_and(|mask| mask[row]) {
                    let message = format!("the integer {value} does not fit into 64 bits");
                    errors.push((row, PyOverflowError::new_err(message)));
                }
            }
            let values = values.into_iter().map(|value| value as i64);
            Cells::Int(Int64Array::new(values.collect(), nulls(field, len, mask, errors)))
        }
        (Physical::Int, "i" | "u") => {
            let values: Vec<i64> = PyBuffer::get(&plain("<i8")?)?.to_vec(py)?;
            Cells::Int(Int64Array::new(values.into(), nulls(field, len, mask, errors)))
        }
        (Physical::Float, "f" | "i" | "u" | "b") => {
            let values: Vec<f64> = PyBuffer::get(&plain("<f8")?)?.to_vec(py)?;
            Cells::Float(Float64Array::new(values.into(), nulls(field, len, mask, errors)))
        }
        (Physical::Bool, "b") => {
            let bits = BooleanBuffer::from(mask_of(array)?);
            Cells::Bool(BooleanArray::new(bits, nulls(field, len, mask, errors)))
        }
        _ => return each(field, array, mask, rows, errors),
    };
    Ok(Column::new(cells))
}

/// Nulls where the mask is true; an error for each, if the column cannot have them.
fn nulls(field: &Field, len: usize, mask: Option<&[bool]>, errors: &mut Refused) -> Option<NullBuffer> {
    let mask = mask.filter(|mask| mask.contains(&true))?;
    if !field.dtype.is_optional() {
        let missing = (0..len).filter(|row| mask[*row]);
        errors.extend(missing.map(|row| (row, missing_value(field))));
    }
    Some(NullBuffer::new(mask.iter().map(|is_missing| !is_missing).collect()))
}

#[cold]
fn missing_value(field: &Field) -> PyErr {
    PyTypeError::new_err(format!(
        "cannot take a missing value as {}; declare the column as optional if it may be None",
        field.dtype
    ))
}

/// A column of moments or durations; `NaT` is missing, too. The mask may be empty.
fn moments(
    field: &Field,
    array: &Bound<'_, PyAny>,
    mask: &[bool],
    is_utc: bool,
    errors: &mut Refused,
) -> PyResult<Column> {
    let py = array.py();
    let unit = Unit::of_numpy(&array.getattr(intern!(py, "dtype"))?)?;
    let plain = array.call_method1("astype", ("<i8",))?;
    let steps: Vec<i64> = PyBuffer::get(&numpy(py)?.call_method1("ascontiguousarray", (plain,))?)?.to_vec(py)?;
    let missing: Vec<bool> = (0..steps.len())
        .map(|row| steps[row] == i64::MIN || mask.get(row).is_some_and(|is_missing| *is_missing))
        .collect();
    let nulls = nulls(field, steps.len(), Some(&missing), errors);
    let is_span = field.dtype.physical() == Physical::Duration;
    let nanoseconds = unit.all(
        &steps,
        |row| missing[row],
        is_span,
        |row, reason| {
            errors.push((
                row,
                PyOverflowError::new_err(format!("cannot take it as {}: {reason}", field.dtype)),
            ));
        },
    );
    Ok(Column::new(Cells::of_nanoseconds(
        if is_utc {
            Physical::DateTimeUtc
        } else {
            field.dtype.physical()
        },
        nanoseconds,
        nulls,
    )))
}

/// A column value by value.
fn each(
    field: &Field,
    values: &Bound<'_, PyAny>,
    mask: Option<&[bool]>,
    rows: usize,
    errors: &mut Refused,
) -> PyResult<Column> {
    match mask {
        None => fill(field, values, |_| false, rows, errors),
        Some(mask) => fill(field, values, |row| mask.get(row) == Some(&true), rows, errors),
    }
}

/// No more values are read than there should be, and one: a list may grow while it is read.
fn fill(
    field: &Field,
    values: &Bound<'_, PyAny>,
    is_missing: impl Fn(usize) -> bool,
    rows: usize,
    errors: &mut Refused,
) -> PyResult<Column> {
    let mut builder = ColumnBuilder::new(&field.dtype);
    let physical = field.dtype.physical();
    for (row, value) in values.try_iter()?.enumerate() {
        let value = value?;
        if row >= rows {
            builder.push_none();
            break;
        }
        if is_missing(row) {
            if !field.dtype.is_optional() {
                errors.push((row, missing_value(field)));
            }
            builder.push_none();
            continue;
        }
        if push_plain(&mut builder, physical, &value) {
            continue;
        }
        match convert(&value, &field.dtype) {
            Ok(value) => builder.push(&value),
            Err(error) if error.is_instance_of::<PyException>(values.py()) => {
                errors.push((row, error));
                builder.push_none();
            }
            Err(error) => return Err(error),
        }
    }
    Ok(builder.finish())
}
