//! A source that sends all its content again, as files do: what is kept of it is compared with that.
//!
//! What is the same is left out, what is new goes on, and what is not there any more is taken back. Rows are told by their
//! keys and values; for each that lives a hash is kept until the source has sent everything once.

use std::collections::HashMap;

use arrow_buffer::BooleanBuffer;
use towpath_types::{Batch, BuildKeyHasher, Column, Key, hash_columns};

use super::history::History;
use crate::error::EngineError;
use crate::source::{Arrival, Resume};

/// See the module.
#[derive(Debug)]
pub(crate) struct Comparing {
    /// How often each row is there, as far as it has not come again.
    live: HashMap<Key, i64, BuildKeyHasher>,
    /// Where the rows themselves are.
    history: History,
}

/// What tells a row from others: its key and its values.
fn names(batch: &Batch) -> Vec<Key> {
    let columns: Vec<&Column> = batch.columns().iter().collect();
    let mut names = hash_columns(&columns, batch.len());
    for (name, key) in names.iter_mut().zip(batch.keys().iter()) {
        name.0 = name.0.rotate_left(64) ^ key.0;
    }
    names
}

impl History {
    /// Compares what the stream sends with what was kept, where it sends everything again.
    pub(crate) fn comparing(&self, resume: Resume) -> Option<Comparing> {
        (resume == Resume::Compare).then(|| Comparing::new(self.clone()))
    }
}

impl Comparing {
    fn new(history: History) -> Self {
        Self {
            live: HashMap::default(),
            history,
        }
    }

    /// These rows were kept.
    pub(crate) fn add(&mut self, batch: &Batch) {
        for (row, name) in names(batch).into_iter().enumerate() {
            let count = self.live.entry(name).or_insert(0);
            *count += batch.diff(row);
            if *count == 0 {
                self.live.remove(&name);
            }
        }
    }

    /// What of these rows was not kept.
    pub(crate) fn take(&mut self, batch: &Batch) -> Batch {
        let names = names(batch);
        let is_new = BooleanBuffer::collect_bool(batch.len(), |row| {
            let Some(count) = self.live.get_mut(&names[row]).filter(|_| batch.diff(row) > 0) else {
                return true;
            };
            *count -= 1;
            if *count == 0 {
                self.live.remove(&names[row]);
            }
            false
        });
        batch.filter(&is_new)
    }

    /// The source has sent everything: what of the kept rows is not there any more, to be taken back. `keyed` gives rows
    /// their keys.
    ///
    /// # Errors
    /// If what is kept cannot be read.
    pub(crate) fn missing(mut self, mut keyed: impl FnMut(Arrival) -> Batch) -> Result<Vec<Arrival>, EngineError> {
        let mut missing = Vec::new();
        while !self.live.is_empty()
            && let Some(replayed) = self.history.pop()?
        {
            let Some(batch) = replayed.rows.map(&mut keyed) else {
                continue;
            };
            let names = names(&batch);
            let is_missing = BooleanBuffer::collect_bool(batch.len(), |row| {
                let Some(count) = self.live.get_mut(&names[row]).filter(|_| batch.diff(row) > 0) else {
                    return false;
                };
                *count -= 1;
                if *count == 0 {
                    self.live.remove(&names[row]);
                }
                true
            });
            let batch = batch.filter(&is_missing);
            if !batch.is_empty() {
                missing.push(batch.negated().into());
            }
        }
        Ok(missing)
    }
}
