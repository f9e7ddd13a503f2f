//! `next_batch` and `next_columns`: many rows at once, with the rules of `next`.

use std::collections::BTreeMap;

use arrow_array::{BooleanArray, Float64Array, Int64Array};
use arrow_buffer::BooleanBuffer;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use smallvec::SmallVec;
use towpath_types::{Cells, Column, ColumnBuilder, DType, Field, Key, Physical};

use super::Subject;
use super::buffer::{Ingest, no_row, warn_of_extra};
use super::next::check_stopping;
use super::slots::{Slots, absent, push_plain};
use crate::value::{convert, numpy};

/// Takes one row, given what finds the value of a field, and its key if the subject chose one.
fn take<'py>(
    py: Python<'py>,
    ingest: &Ingest,
    diff: i64,
    key: Option<Key>,
    find: impl Fn(&Field) -> PyResult<Option<Bound<'py, PyAny>>>,
) -> PyResult<()> {
    let mut values: SmallVec<[Option<Bound<'py, PyAny>>; 8]> = SmallVec::new();
    for field in &ingest.fields {
        values.push(find(field)?);
    }
    let mut row = Slots::default();
    for (field, value) in ingest.fields.iter().zip(&values) {
        let taken = match value {
            Some(value) => row.take(field, value),
            None => row.take_absent(field, diff < 0 && ingest.upsert),
        };
        match taken {
            Ok(()) => {}
            Err(error) if ingest.keeps(field) => {
                ingest.report_value(py, field, error)?;
                row.take_error();
            }
            Err(error) => return ingest.reject(py, Some(field), error),
        }
    }
    if ingest.append_with_key(&row, diff, key) {
        ingest.wait(py);
    }
    Ok(())
}

/// Takes one row as a dict.
pub(super) fn take_mapping<'py>(
    py: Python<'py>,
    ingest: &Ingest,
    row: &Bound<'py, PyDict>,
    diff: i64,
    key: Option<Key>,
) -> PyResult<()> {
    let known = std::cell::Cell::new(0);
    take(py, ingest, diff, key, |field| {
        let value = row.get_item(field.name.as_str())?;
        known.set(known.get() + usize::from(value.is_some()));
        Ok(value)
    })?;
    if known.get() < row.len() {
        for name in row.keys() {
            let name = name.str()?;
            if ingest.field_named(name.to_str()?).is_none() {
                return warn_of_extra(py, ingest, name.to_str()?);
            }
        }
    }
    Ok(())
}

/// The names of the fields of a row that is an object.
fn attribute_names(row: &Bound<'_, PyAny>) -> PyResult<Option<Vec<String>>> {
    let py = row.py();
    let class = row.get_type();
    if row.is_instance_of::<PyTuple>() {
        return match class.getattr_opt(intern!(py, "_fields"))? {
            Some(names) => names.extract().map(Some),
            None => Ok(None),
        };
    }
    for names in [intern!(py, "__dataclass_fields__"), intern!(py, "model_fields")] {
        if let Some(fields) = class.getattr_opt(names)? {
            return fields
                .try_iter()?
                .map(|name| name?.extract())
                .collect::<PyResult<_>>()
                .map(Some);
        }
    }
    Ok(None)
}

/// The body of `next_batch`.
pub(super) fn next_batch(subject: &Bound<'_, Subject>, rows: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = rows.py();
    let ingest = subject.get().ingest(py)?;
    check_stopping(py, ingest)?;
    if rows.is_instance_of::<PyDict>() || rows.is_instance_of::<PyString>() {
        return Err(PyTypeError::new_err(
            "next_batch takes an iterable of rows; for one row write next(**row), for columns next_columns(columns)",
        ));
    }
    for row in rows.try_iter()? {
        let row = row?;
        check_stopping(py, ingest)?;
        if let Ok(dict) = row.cast::<PyDict>() {
            take_mapping(py, ingest, dict, 1, None)?;
            continue;
        }
        match attribute_names(&row)? {
            None => ingest.reject(py, None, no_row(&row))?,
            Some(names) => {
                take(py, ingest, 1, None, |field| {
                    if names.contains(&field.name) {
                        row.getattr(field.name.as_str()).map(Some)
                    } else {
                        Ok(None)
                    }
                })?;
                for name in names {
                    if ingest.field_named(&name).is_none() {
                        warn_of_extra(py, ingest, &name)?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// A column of many values: numpy's own buffers where they fit, otherwise value by value. The positions and
/// errors of values that do not fit go to `errors`.
fn column(field: &Field, values: &Bound<'_, PyAny>, errors: &mut Vec<(usize, PyErr)>) -> PyResult<Column> {
    let py = values.py();
    if values.hasattr("mask")? && values.hasattr("filled")? {
        // A masked array of numpy: what is masked is None.
        return column(field, &values.call_method0("tolist")?, errors);
    }
    if values.getattr_opt(intern!(py, "dtype"))?.is_some() && values.hasattr("__array__")? {
        let array = numpy(py)?.call_method1("asarray", (values,))?;
        let kind: String = array.getattr("dtype")?.getattr("kind")?.extract()?;
        let is_flat = array.getattr("ndim")?.extract::<usize>()? == 1;
        let target = match (field.dtype.physical(), kind.as_str()) {
            (Physical::Int, "i") => Some("<i8"),
            (Physical::Int, "u") if array.getattr("dtype")?.getattr("itemsize")?.extract::<usize>()? < 8 => Some("<i8"),
            (Physical::Float, "f" | "i" | "u" | "b") => Some("<f8"),
            (Physical::Bool, "b") => Some("|b1"),
            _ => None,
        };
        let moments = match (field.dtype.required(), kind.as_str()) {
            (DType::DateTimeNaive, "M") => Some("datetime64[ns]"),
            (DType::Duration, "m") => Some("timedelta64[ns]"),
            _ => None,
        };
        if let Some(unit) = moments.filter(|_| is_flat) {
            let plain = array
                .call_method1("astype", (unit,))?
                .call_method1("astype", ("<i8",))?;
            let nanoseconds: Vec<i64> = pyo3::buffer::PyBuffer::get(&plain)?.to_vec(py)?;
            let mut builder = ColumnBuilder::new(&field.dtype);
            for (row, value) in nanoseconds.into_iter().enumerate() {
                // numpy's NaT.
                if value == i64::MIN {
                    if !field.dtype.is_optional() {
                        errors.push((row, PyTypeError::new_err(format!("cannot take NaT as {}", field.dtype))));
                    }
                    builder.push_none();
                } else if unit.starts_with("datetime") {
                    builder.push_date_time_naive(value);
                } else {
                    builder.push_duration(value);
                }
            }
            return Ok(builder.finish());
        }
        if let Some(target) = target.filter(|_| is_flat && field.dtype != DType::Any) {
            let plain = numpy(py)?.call_method1("ascontiguousarray", (&array, target))?;
            return match target {
                "<i8" => {
                    let values: Vec<i64> = pyo3::buffer::PyBuffer::get(&plain)?.to_vec(py)?;
                    Ok(Column::new(Cells::Int(Int64Array::from(values))))
                }
                "<f8" => {
                    let values: Vec<f64> = pyo3::buffer::PyBuffer::get(&plain)?.to_vec(py)?;
                    Ok(Column::new(Cells::Float(Float64Array::from(values))))
                }
                _ => {
                    let bytes = plain.call_method0("tobytes")?;
                    let bytes = bytes.cast::<pyo3::types::PyBytes>()?.as_bytes();
                    let bits = BooleanBuffer::collect_bool(bytes.len(), |row| bytes[row] != 0);
                    Ok(Column::new(Cells::Bool(BooleanArray::new(bits, None))))
                }
            };
        }
    }
    let mut builder = ColumnBuilder::new(&field.dtype);
    let physical = field.dtype.physical();
    for (row, value) in values.try_iter()?.enumerate() {
        let value = value?;
        if push_plain(&mut builder, physical, &value) {
            continue;
        }
        match convert(&value, &field.dtype) {
            Ok(value) => builder.push(&value),
            Err(error) => {
                errors.push((row, error));
                builder.push_none();
            }
        }
    }
    Ok(builder.finish())
}

/// Appends columns without the rows that are not accepted.
pub(super) fn take_columns(
    py: Python<'_>,
    ingest: &Ingest,
    mut columns: Vec<Column>,
    rows: usize,
    mut errors: Vec<(usize, usize, PyErr)>,
) -> PyResult<()> {
    let mut rows = rows;
    if !errors.is_empty() {
        errors.sort_by_key(|(row, ..)| *row);
        let first = ingest.give(rows);
        let mut accepted = vec![true; rows];
        let mut kept: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (row, field, error) in errors {
            if ingest.keeps(&ingest.fields[field]) {
                ingest.report_value_of(py, first + row as u64, Some(&ingest.fields[field]), error)?;
                kept.entry(field).or_default().push(row);
            } else if std::mem::replace(&mut accepted[row], false) {
                ingest.reject_row(py, first + row as u64, Some(&ingest.fields[field]), error)?;
            }
        }
        for (field, bad) in kept {
            let bad: BooleanBuffer = (0..rows).map(|row| bad.binary_search(&row).is_ok()).collect();
            columns[field] = columns[field].masked(Some(&bad));
        }
        let mask: BooleanBuffer = accepted.into_iter().collect();
        rows = mask.count_set_bits();
        columns = columns.iter().map(|column| column.filter(&mask)).collect();
    } else {
        ingest.give(rows);
    }
    if ingest.append_columns(columns, rows) {
        ingest.wait(py);
    }
    Ok(())
}

/// The body of `next_columns`.
pub(super) fn next_columns(subject: &Bound<'_, Subject>, given: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = given.py();
    let ingest = subject.get().ingest(py)?;
    check_stopping(py, ingest)?;
    let given = given.cast::<PyDict>().map_err(|_| {
        PyTypeError::new_err("next_columns takes a dict of columns, like {\"key\": [1, 2], \"text\": [\"a\", \"b\"]}")
    })?;
    let mut lengths: Vec<(String, usize)> = Vec::new();
    for (name, values) in given.iter() {
        lengths.push((name.extract()?, values.len()?));
    }
    let Some((first, rows)) = lengths.first().cloned() else {
        return Ok(());
    };
    for (name, len) in &lengths {
        if *len != rows {
            return Err(PyValueError::new_err(format!(
                "columns have one length: {first:?} has {rows} values, {name:?} has {len}"
            )));
        }
        if ingest.field_named(name).is_none() {
            warn_of_extra(py, ingest, name)?;
        }
    }
    let mut columns = Vec::new();
    let mut errors = Vec::new();
    for (place, field) in ingest.fields.iter().enumerate() {
        let column = match given.get_item(field.name.as_str())? {
            Some(values) => {
                let mut own = Vec::new();
                let column = column(field, &values, &mut own)?;
                errors.extend(own.into_iter().map(|(row, error)| (row, place, error)));
                column
            }
            None => absent_column(field, rows, place, &mut errors),
        };
        columns.push(column);
    }
    take_columns(py, ingest, columns, rows, errors)
}

/// A column that was not given: defaults, or an error in every row.
pub(super) fn absent_column(
    field: &Field,
    rows: usize,
    place: usize,
    errors: &mut Vec<(usize, usize, PyErr)>,
) -> Column {
    match &field.default {
        Some(default) => Column::repeat(default, &field.dtype, rows),
        None => {
            for row in 0..rows {
                if let Err(error) = absent(field, false) {
                    errors.push((row, place, error));
                }
            }
            field.dtype.physical().nones(rows)
        }
    }
}
