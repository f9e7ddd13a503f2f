//! Rows of tables that are saved.

use towpath_types::{Batch, Column, Key};

use super::name::Name;

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
