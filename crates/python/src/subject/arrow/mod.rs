//! `next_arrow`: whatever speaks Arrow's C data interface, such as pyarrow, polars, pandas and duckdb.
//!
//! | file | |
//! |---|---|
//! | `c_structs` | the structs of the interface, as C has them |
//! | `import` | what comes through the interface, checked before anything relies on it |
//! | `column` | whole columns, by the rules of `next` |
//! | `cell` | cells of types without a layout of their own |
//! | `data_types` | what Arrow's types are to us |

mod c_structs;
mod cell;
mod column;
mod data_types;
mod import;
mod numbers;
mod references;
mod refusal;

use arrow_array::Array;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use towpath_types::{Column, Field};

use super::buffer::warn_of_extra;
use super::native::Subject;
use super::whole::{absent_column, take_columns};
use import::{Imported, ImportedRows};

/// Fewer rows are converted with the interpreter's lock: to give it up and get it back is not free, and another thread that
/// computes may keep it for some milliseconds.
const ROWS_WITHOUT_THE_LOCK: usize = 1 << 10;

/// The body of `next_arrow`.
pub(super) fn next_arrow(subject: &Bound<'_, Subject>, data: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = data.py();
    let ingest = subject.get().ingest(py)?;
    ingest.check(py)?;
    // pandas hands over its NaNs as nulls.
    let is_pandas = crate::value::is_of_pandas(data);
    import::for_each(data, |array| {
        ingest.check(py)?;
        let rows = ImportedRows::of(array)?;
        for (position, name) in rows.names().enumerate() {
            if ingest.field_named(name).is_none() {
                warn_of_extra(py, ingest, name)?;
            } else if rows.names().take(position).any(|before| before == name) {
                return Err(PyValueError::new_err(format!(
                    "the arrow data has two columns called {name:?}"
                )));
            }
        }
        let mut errors = Vec::new();
        let mut convert = || {
            let fields = ingest.fields.iter().enumerate();
            let columns = fields.map(|(position, field)| match rows.column(&field.name) {
                Some(given) => {
                    let mut bad = Vec::new();
                    let column = column::column(field, &given, is_pandas, &mut bad)?;
                    errors.extend(bad.into_iter().map(|(row, error)| (row, position, error)));
                    Ok(column)
                }
                None => Ok(absent_column(field, rows.len(), position, &mut errors)),
            });
            columns.collect::<PyResult<Vec<_>>>()
        };
        // Other threads go on meanwhile, those of other partitions among them.
        let columns = if rows.len() < ROWS_WITHOUT_THE_LOCK {
            convert()
        } else {
            py.detach(convert)
        };
        take_columns(py, ingest, columns?, rows.len(), errors)
    })
}

/// Whether the values of a column can be had as Arrow.
pub(super) fn is_arrow(values: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(values.hasattr("__arrow_c_array__")? || values.hasattr("__arrow_c_stream__")?)
}

/// A column that was given by itself, in one piece or in several; positions that do not fit go to `errors`.
pub(super) fn one_column(
    field: &Field,
    values: &Bound<'_, PyAny>,
    errors: &mut Vec<(usize, PyErr)>,
) -> PyResult<Column> {
    let mut parts: Vec<Column> = Vec::new();
    let mut rows = 0;
    import::for_each(values, |given: Imported| {
        let mut bad = Vec::new();
        let part = column::column(field, &given, false, &mut bad)?;
        errors.extend(bad.into_iter().map(|(row, error)| (rows + row, error)));
        rows += given.array.len();
        parts.push(part);
        Ok(())
    })?;
    Ok(match parts.len() {
        1 => parts.swap_remove(0),
        0 => Column::empty(field.dtype.physical()),
        _ => Column::concat(&parts.iter().collect::<Vec<_>>()),
    })
}
