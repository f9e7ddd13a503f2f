//! The state of tasks as it is saved: rows of tables, of which only those are said again that have changed.
//!
//! A row of such a table has an *identity* and an *owner*, both keys. What is put replaces the row of the same table,
//! owner and identity; what is removed is no more. By the shard of the owner it is decided which worker a row belongs to,
//! so that a run with another number of workers finds it again.
//!
//! What changes is noted by slots, see [`Changes`], or as a list of what was touched, see [`Touched`], and only where
//! state is saved at all.

mod changes;

pub use changes::{Changes, Name, Named, Touched};

use arrow_array::Array as _;
use towpath_types::{Batch, Cells, Column, Key, Physical};

use crate::error::{EngineError, ErrorKind};

/// Rows of the state of a task that have changed since they were saved last, in the order in which they count.
#[derive(Debug, Default)]
pub struct Saved {
    rows: Vec<SavedRows>,
}

/// Rows of one table of a task.
#[derive(Clone, Debug)]
pub struct SavedRows {
    /// Which of the task's tables.
    pub table: u16,
    /// Whose shards say which worker a row belongs to; nothing if those of the identities do.
    pub owners: Option<Vec<Key>>,
    /// The keys are the identities. A row with difference −1 says that there is none any more; it has no cells.
    pub rows: Batch,
}

impl SavedRows {
    /// The owner of a row.
    pub fn owner(&self, row: usize) -> Key {
        self.owners.as_ref().map_or(self.rows.keys()[row], |owners| owners[row])
    }

    /// Whether the rows are removed.
    pub fn is_removal(&self) -> bool {
        !self.rows.is_insert_only()
    }
}

impl Saved {
    /// Rows of one of the task's tables: each replaces the one of the same table, owner and identity.
    pub fn put(&mut self, table: u16, owners: Option<Vec<Key>>, rows: Batch) {
        assert!(
            owners.as_ref().is_none_or(|owners| owners.len() == rows.len()),
            "every row has an owner"
        );
        if !rows.is_empty() {
            self.rows.push(SavedRows { table, owners, rows });
        }
    }

    /// Rows with these names, which differ from each other.
    pub fn put_named(&mut self, table: u16, names: &[Name], columns: Vec<Column>) {
        let (identities, owners) = Name::split(names);
        self.put(table, owners, Batch::new(identities, columns, None));
    }

    /// There are no rows with these names any more.
    pub fn remove(&mut self, table: u16, names: &[Name]) {
        let (identities, owners) = Name::split(names);
        let diffs = vec![-1; names.len()];
        self.put(table, owners, Batch::new(identities, Vec::new(), Some(diffs.into())));
    }

    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What has changed, in the order in which it counts.
    pub fn into_rows(self) -> Vec<SavedRows> {
        self.rows
    }
}

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
