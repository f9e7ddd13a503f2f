//! `next_batch`: many rows, one by one, with the rules of `next`. When the iterable of the rows fails, the rows before
//! have been sent.

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use smallvec::SmallVec;
use towpath_types::{Field, Key};

use super::buffer::{Ingest, no_row, warn_of_extra};
use super::native::Subject;
use super::slots::{Misfit, Slots};
use crate::door::Visit;
use crate::value::{lossy, type_name};

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
        match find(field) {
            Ok(value) => values.push(value),
            // What finds it may be code of the user, as a property is.
            Err(error) => return ingest.reject(py, Some(field), error),
        }
    }
    let mut row = Slots::default();
    for (field, value) in ingest.fields.iter().zip(&values) {
        let taken = match value {
            // What is wrong with it was said when the row was added.
            Some(value) if diff < 0 && ingest.keeps(field) && value.is_instance_of::<Misfit>() => {
                row.take_error();
                continue;
            }
            Some(value) => row.take(field, value),
            None => row.take_absent(field, diff < 0 && ingest.upsert),
        };
        if !ingest.goes_on(py, &mut row, field, taken)? {
            return Ok(());
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
            let name = lossy(&name);
            if ingest.field_named(&name).is_none() {
                return warn_of_extra(py, ingest, &name);
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
            Some(names) => all_names(&names).map(Some),
            None => Ok(None),
        };
    }
    for names in [intern!(py, "__dataclass_fields__"), intern!(py, "model_fields")] {
        if let Some(fields) = class.getattr_opt(names)? {
            return all_names(&fields).map(Some);
        }
    }
    Ok(None)
}

fn all_names(names: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    names.try_iter()?.map(|name| Ok(lossy(&name?))).collect()
}

/// The body of `next_batch`.
pub(super) fn next_batch(subject: &Bound<'_, Subject>, rows: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = rows.py();
    let mut visit = Visit::begin(py);
    let ingest = subject.get().ingest(py)?;
    ingest.check(py)?;
    if rows.is_instance_of::<PyDict>() || rows.is_instance_of::<PyString>() {
        return Err(PyTypeError::new_err(
            "next_batch takes an iterable of rows; for one row write next(**row), for columns next_columns(columns)",
        ));
    }
    if rows.hasattr(intern!(py, "__arrow_c_stream__"))? {
        return Err(PyTypeError::new_err(format!(
            "next_batch takes an iterable of rows; for {} write next_arrow(table)",
            type_name(rows)
        )));
    }
    let items = rows.try_iter().map_err(|error| {
        if rows.hasattr(intern!(py, "__iter__")).unwrap_or(true) {
            return error;
        }
        PyTypeError::new_err(format!("next_batch takes an iterable of rows, not {}", type_name(rows)))
    })?;
    for row in items {
        let row = row?;
        visit = visit.go_on(py);
        ingest.check(py)?;
        if let Ok(dict) = row.cast::<PyDict>() {
            take_mapping(py, ingest, dict, 1, None)?;
            continue;
        }
        match attribute_names(&row) {
            Err(error) => ingest.reject(py, None, error)?,
            Ok(None) => ingest.reject(py, None, no_row(&row))?,
            Ok(Some(names)) => {
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
    drop(visit);
    Ok(())
}
