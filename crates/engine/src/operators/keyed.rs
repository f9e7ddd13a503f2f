//! What operators share that keep rows by their keys.

use std::collections::HashSet;

use towpath_types::{Batch, BuildKeyHasher, Column, DType, Key, Time};

use crate::error::{EngineError, ErrorKind};
use crate::operator::{Output, Task};
use crate::store::KeyedRows;

/// The updates of one time, waiting for its end.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    batches: Vec<Batch>,
}

impl Waiting {
    pub(super) fn push(&mut self, batch: Batch) {
        self.batches.push(batch);
    }

    /// The updates in the order of their arrival.
    pub(super) fn take(&mut self) -> Batch {
        Batch::concat(&std::mem::take(&mut self.batches))
    }

    /// The updates, deletions first, none of which cancel.
    pub(super) fn take_consolidated(&mut self) -> Batch {
        let batch = self.take();
        if batch.is_insert_only() {
            batch
        } else {
            batch.consolidated()
        }
    }
}

/// The changes that turn rows `old` into rows `new`, each of which has a key at most once: what both have is
/// left out, deletions come first.
pub(super) fn changes(old: &Batch, new: &Batch) -> Batch {
    if old.is_empty() {
        return new.clone();
    }
    if new.is_empty() {
        return old.negated();
    }
    Batch::concat(&[old.negated(), new.clone()]).consolidated()
}

/// What comes out for a key, given which inputs have a row for it.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// No row.
    Nothing,
    /// A row whose cells come from these inputs and columns.
    Row(Vec<(usize, usize)>),
    /// That may not be: ends the run with this message and the key.
    Wrong(&'static str),
}

/// Combines inputs key by key. What comes out for a key depends only on the rows of that key, so at the end of
/// a time the keys that changed are worked out before and after.
#[derive(Debug)]
pub(super) struct Combine {
    tables: Vec<KeyedRows>,
    waiting: Vec<Waiting>,
    /// The types that the columns of each input are put out with.
    dtypes: Vec<Vec<DType>>,
    /// By the bits of the inputs that have a row.
    outcomes: Vec<Outcome>,
}

impl Combine {
    /// `dtypes` are the types that the columns of each input are put out with; `outcome` says what comes out
    /// given, for every input, whether it has a row.
    pub(super) fn new(dtypes: Vec<Vec<DType>>, outcome: impl Fn(&[bool]) -> Outcome) -> Self {
        let inputs = dtypes.len();
        let outcomes = (0..1usize << inputs).map(|bits| {
            let present: Vec<bool> = (0..inputs).map(|input| bits & (1 << input) != 0).collect();
            outcome(&present)
        });
        Self {
            tables: dtypes
                .iter()
                .map(|columns| KeyedRows::new(columns.iter().map(DType::physical)))
                .collect(),
            waiting: dtypes.iter().map(|_| Waiting::default()).collect(),
            outcomes: outcomes.collect(),
            dtypes,
        }
    }

    /// What comes out for `keys` now.
    fn rows(&self, keys: &[Key], is_new: bool) -> Result<Batch, EngineError> {
        // Keys with one outcome are gathered together.
        let mut chosen: Vec<(Vec<Key>, Vec<Vec<u32>>)> =
            vec![(Vec::new(), vec![Vec::new(); self.tables.len()]); self.outcomes.len()];
        for key in keys {
            let slots: Vec<Option<u32>> = self.tables.iter().map(|table| table.get(key)).collect();
            let bits = slots
                .iter()
                .enumerate()
                .fold(0, |bits, (input, slot)| bits | usize::from(slot.is_some()) << input);
            match &self.outcomes[bits] {
                Outcome::Nothing => {}
                Outcome::Wrong(message) if is_new => {
                    return Err(EngineError::new(ErrorKind::Key, format!("{message}, key: {key}")));
                }
                Outcome::Wrong(_) => {}
                Outcome::Row(_) => {
                    let (keys, chosen) = &mut chosen[bits];
                    keys.push(*key);
                    for (chosen, slot) in chosen.iter_mut().zip(slots) {
                        chosen.extend(slot);
                    }
                }
            }
        }
        let mut batches = Vec::new();
        for ((keys, slots), outcome) in chosen.into_iter().zip(&self.outcomes) {
            if let Outcome::Row(sources) = outcome
                && !keys.is_empty()
            {
                let columns = sources
                    .iter()
                    .map(|(input, column)| self.tables[*input].gather_column(*column, &slots[*input]))
                    .collect();
                batches.push(Batch::new(keys, columns, None));
            }
        }
        Ok(Batch::concat(&batches))
    }
}

impl Task for Combine {
    fn absorb(&mut self, input: usize, batch: Batch, _output: &mut Output) -> Result<(), EngineError> {
        let columns: Vec<Column> = batch
            .columns()
            .iter()
            .zip(&self.dtypes[input])
            .map(|(column, dtype)| column.with_layout_of(dtype))
            .collect();
        self.waiting[input].push(batch.with_columns(columns));
        Ok(())
    }

    fn complete(&mut self, _time: Time, output: &mut Output) -> Result<(), EngineError> {
        let updates: Vec<Batch> = self.waiting.iter_mut().map(Waiting::take_consolidated).collect();
        let count = updates.iter().map(Batch::len).sum();
        let mut seen: HashSet<Key, BuildKeyHasher> = HashSet::with_capacity_and_hasher(count, BuildKeyHasher);
        let keys: Vec<Key> = updates
            .iter()
            .flat_map(|batch| batch.keys().iter().copied())
            .filter(|key| seen.insert(*key))
            .collect();
        let old = self.rows(&keys, false)?;
        for (table, updates) in self.tables.iter_mut().zip(&updates) {
            table.apply(updates)?;
        }
        let new = self.rows(&keys, true)?;
        output.push(changes(&old, &new));
        Ok(())
    }
}
