//! What is wrong with rows of a time: a partner is missing that must be there, or there are several where one may be.

use std::collections::HashMap;

use towpath_types::{BuildKeyHasher, Key};

use crate::error::{EngineError, ErrorKind, RowError};
use crate::reporter::Reporter;

/// See the module.
#[derive(Default)]
pub(super) struct Complaints {
    /// By the keys of their rows, the join keys that must have a partner and may have none.
    missing: HashMap<Key, Missing, BuildKeyHasher>,
    /// The rows that have several partners though they must not, as they come and go.
    several: Vec<RowError>,
}

/// A row whose partner is missing though it must not be.
struct Missing {
    row: Key,
    pointer: Key,
    /// How often it comes out in this time; a row may come and go within it.
    count: i64,
}

impl Complaints {
    /// A row comes out whose partner is missing though it must not be.
    pub(super) fn miss(&mut self, row: Key, pointer: Key, diff: i64) {
        let missing = self.missing.entry(Key::pair(row, pointer));
        missing.or_insert(Missing { row, pointer, count: 0 }).count += diff;
    }

    /// A row comes that has several partners though it must not, or goes.
    pub(super) fn several(&mut self, row: Key, diff: i64) {
        self.several.push(several_partners(row).of(row, diff));
    }

    /// Reports what there is.
    pub(super) fn report(&mut self, reporter: &Reporter) -> Result<(), EngineError> {
        let mut missing: Vec<Missing> = std::mem::take(&mut self.missing).into_values().collect();
        missing.retain(|missing| missing.count != 0);
        missing.sort_by_key(|missing| (missing.count < 0, missing.row, missing.pointer));
        for Missing { row, pointer, count } in missing {
            let message = format!("key {pointer} is not in the table it is looked up in");
            reporter.report(RowError::new(ErrorKind::Key, message).of(row, count))?;
        }
        let mut several = std::mem::take(&mut self.several);
        several.sort_by_key(|error| (error.diff < 0, error.key));
        several.into_iter().try_for_each(|error| reporter.report(error))
    }
}

pub(super) fn several_partners(key: Key) -> RowError {
    let message = format!("duplicate key {key}: a row has several partners, so their pairs cannot have its id");
    RowError::new(ErrorKind::Key, message)
}
