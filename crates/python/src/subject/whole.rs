//! Whole columns that were taken: those of rows that are accepted go on.

use std::collections::BTreeMap;

use arrow_buffer::BooleanBuffer;
use pyo3::prelude::*;
use towpath_types::{Column, Field};

use super::buffer::Ingest;
use super::slots::absent;

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

/// A column that was not given: defaults, or an error in every row.
pub(super) fn absent_column(
    field: &Field,
    rows: usize,
    position: usize,
    errors: &mut Vec<(usize, usize, PyErr)>,
) -> Column {
    match &field.default {
        Some(default) => Column::repeat(default, &field.dtype, rows),
        None => {
            for row in 0..rows {
                if let Err(error) = absent(field, false) {
                    errors.push((row, position, error));
                }
            }
            field.dtype.physical().nones(rows)
        }
    }
}
