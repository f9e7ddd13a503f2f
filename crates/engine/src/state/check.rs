//! Whether what is restored can have been saved.

use arrow_array::Array as _;
use towpath_types::{Batch, Cells, Column, Key, Physical};

use crate::error::{EngineError, ErrorKind};

/// Saved state that cannot be restored.
pub fn unreadable(what: impl std::fmt::Display) -> EngineError {
    let message = format!("the saved state of an operator cannot be restored: {what}");
    EngineError::new(ErrorKind::Value, message)
}

/// The error of a task that has no table of this number.
pub fn no_table(table: u16) -> EngineError {
    unreadable(format_args!("it has no table {table}"))
}

/// Makes sure that saved rows have columns of these layouts, and an owner each.
///
/// # Errors
/// If they have not.
pub fn check(rows: &Batch, owners: &[Key], layouts: &[Physical]) -> Result<(), EngineError> {
    if owners.len() != rows.len() {
        return Err(unreadable("not every row has an owner"));
    }
    if !rows.is_insert_only() {
        return Err(unreadable("a row is there several times, or gone"));
    }
    let found: Vec<Physical> = rows.columns().iter().map(Column::physical).collect();
    if found != layouts {
        return Err(unreadable(format_args!(
            "its columns are {found:?}, and not {layouts:?}"
        )));
    }
    Ok(())
}

/// The ints of a saved column, none of which is `None` or an error.
///
/// # Errors
/// If it has others.
pub fn ints(column: &Column) -> Result<&[i64], EngineError> {
    match column.cells() {
        Cells::Int(array) if column.errors().is_none() && array.null_count() == 0 => Ok(array.values()),
        _ => Err(unreadable("a number is missing")),
    }
}

/// The keys of a saved column, none of which is `None` or an error.
///
/// # Errors
/// If it has others.
pub fn keys(column: &Column) -> Result<&[Key], EngineError> {
    match column.cells() {
        Cells::Pointer(array) if column.errors().is_none() && column.nulls().is_none() => Ok(array.values()),
        _ => Err(unreadable("a key is missing")),
    }
}
