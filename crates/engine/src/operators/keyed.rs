//! What operators share that keep rows by their keys.
//!
//! The rows of the k-th input are saved as the tables 2k and 2k + 1, see [`KeyedRows`].

use std::collections::HashSet;

use towpath_types::{Batch, BuildKeyHasher, Column, DType, Key, Time};

use crate::error::{EngineError, ErrorKind, RowError};
use crate::operator::{Output, Task, TaskContext};
use crate::reporter::Reporter;
use crate::state::{Saved, no_table};
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
    /// A row of such cells.
    Row(Vec<Cell>),
    /// That may not be: a failure with this message and the key, and, if the run goes on, perhaps a row.
    Wrong(&'static str, Option<Vec<Cell>>),
}

/// Where a cell comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell {
    /// An input, and its column.
    Of(usize, usize),
    /// It is an error, in the layout of this input and column.
    Error(usize, usize),
}

impl Cell {
    /// All columns of an input.
    pub(super) fn all_of(input: usize, dtypes: &[Vec<DType>]) -> Vec<Self> {
        (0..dtypes[input].len()).map(|column| Self::Of(input, column)).collect()
    }
}

/// Combines inputs key by key. What comes out for a key depends only on the rows of that key, so at the end of
/// a time the keys that changed are worked out before and after.
#[derive(Debug)]
pub(super) struct KeyedTask {
    reporter: Reporter,
    tables: Vec<KeyedRows>,
    waiting: Vec<Waiting>,
    /// The types that the columns of each input are put out with.
    dtypes: Vec<Vec<DType>>,
    /// By the bits of the inputs that have a row.
    outcomes: Vec<Outcome>,
}

impl KeyedTask {
    /// `dtypes` are the types that the columns of each input are put out with; `outcome` says what comes out
    /// given, for every input, whether it has a row.
    pub(super) fn new(context: TaskContext, dtypes: Vec<Vec<DType>>, outcome: impl Fn(&[bool]) -> Outcome) -> Self {
        let inputs = dtypes.len();
        let outcomes = (0..1usize << inputs).map(|bits| {
            let present: Vec<bool> = (0..inputs).map(|input| bits & (1 << input) != 0).collect();
            outcome(&present)
        });
        Self {
            reporter: context.reporter,
            tables: dtypes
                .iter()
                .map(|columns| KeyedRows::new(columns.iter().map(DType::physical)).keeping(context.keeps_state))
                .collect(),
            waiting: dtypes.iter().map(|_| Waiting::default()).collect(),
            outcomes: outcomes.collect(),
            dtypes,
        }
    }

    /// What comes out for `keys` now, and what is wrong with them, as failures that come or go.
    fn rows(&self, keys: &[Key], diff: i64) -> (Batch, Vec<RowError>) {
        let mut wrong = Vec::new();
        // Keys with one outcome are gathered together.
        let mut chosen: Vec<(Vec<Key>, Vec<Vec<u32>>)> =
            vec![(Vec::new(), vec![Vec::new(); self.tables.len()]); self.outcomes.len()];
        for key in keys {
            let slots: Vec<Option<u32>> = self.tables.iter().map(|table| table.get(key)).collect();
            let bits = slots
                .iter()
                .enumerate()
                .fold(0, |bits, (input, slot)| bits | usize::from(slot.is_some()) << input);
            if let Outcome::Wrong(message, _) = &self.outcomes[bits] {
                wrong.push(RowError::new(ErrorKind::Key, format!("{message}, key: {key}")).of(*key, diff));
            }
            if matches!(self.outcomes[bits], Outcome::Row(_) | Outcome::Wrong(_, Some(_))) {
                let (keys, chosen) = &mut chosen[bits];
                keys.push(*key);
                for (chosen, slot) in chosen.iter_mut().zip(slots) {
                    chosen.extend(slot);
                }
            }
        }
        let mut batches = Vec::new();
        for ((keys, slots), outcome) in chosen.into_iter().zip(&self.outcomes) {
            if let Outcome::Row(cells) | Outcome::Wrong(_, Some(cells)) = outcome
                && !keys.is_empty()
            {
                let column = |cell: &Cell| match cell {
                    Cell::Of(input, column) => self.tables[*input].gather_column(*column, &slots[*input]),
                    Cell::Error(input, column) => self.dtypes[*input][*column].physical().errors(keys.len()),
                };
                let columns = cells.iter().map(column).collect();
                batches.push(Batch::new(keys, columns, None));
            }
        }
        (Batch::concat(&batches), wrong)
    }
}

impl Task for KeyedTask {
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
        let (old, old_wrong) = self.rows(&keys, -1);
        let mut wrong = Vec::new();
        for (table, updates) in self.tables.iter_mut().zip(&updates) {
            wrong.extend(table.apply(updates)?);
        }
        let (new, new_wrong) = self.rows(&keys, 1);
        wrong.extend(new_wrong);
        // First what comes: what was wrong before and still is, is no news.
        wrong.sort_by_key(|error| error.diff < 0);
        let mut wrong = wrong.into_iter().chain(old_wrong);
        wrong.try_for_each(|error| self.reporter.report(error))?;
        output.push(changes(&old, &new));
        Ok(())
    }

    fn save(&mut self, saved: &mut Saved) {
        for (input, rows) in self.tables.iter_mut().enumerate() {
            rows.save(2 * input as u16, saved);
        }
    }

    fn restore(&mut self, table: u16, rows: Batch, owners: &[Key]) -> Result<(), EngineError> {
        let own = self.tables.get_mut(usize::from(table / 2));
        own.ok_or_else(|| no_table(table))?
            .restore(table % 2 == 1, &rows, owners)
    }
}
