//! Groups of one worker's rows, before they go to the workers that own them.
//!
//! Rows of one group become one row: the key of the group, the grouping values, what each reducer knows of them, and as
//! its difference how many they are. Between workers then travels a row a group and time, not a row a row. Where groups
//! are not much fewer than rows, rows go as they are, in the same columns.
//!
//! Only where rows are never removed, and every reducer can tell what it knows in columns.

use towpath_types::{Batch, Column, DType, Key, Shared};

use super::Aggregate;
use super::groups::Groups;
use crate::error::EngineError;
use crate::operator::{Combiner, Output};
use crate::operators::{keys_of, usable};
use crate::reducers::{ReducerState, Setup, Updates};

/// So many groups are held at most.
const GROUPS: usize = 1 << 16;

/// Where groups are more than half as many as rows, so many batches go as they are before it is tried again.
const PAUSE: usize = 32;

/// See the module.
pub(super) struct ReduceCombiner {
    aggregates: Vec<Aggregate>,
    /// The groups of the rows that are held, what each reducer knows of them, and how many rows they are.
    groups: Groups,
    states: Vec<Box<dyn ReducerState>>,
    rows: usize,
    /// So many batches still go as they are.
    pause: usize,
}

impl ReduceCombiner {
    /// A combiner of rows with columns of these types, whose aggregates have results of those.
    pub(super) fn new(aggregates: Vec<Aggregate>, groups: Groups, dtypes: &[DType], results: &[DType]) -> Self {
        let state = |(aggregate, dtype): (&Aggregate, &DType)| {
            (aggregate.reducer.start)(&Setup {
                arguments: &aggregate.argument_types(dtypes),
                dtype,
                options: aggregate.options,
                append_only: true,
                keeps_state: false,
            })
        };
        let states = aggregates.iter().zip(results).map(state).collect();
        Self {
            aggregates,
            groups,
            states,
            rows: 0,
            pause: 0,
        }
    }

    fn arguments(batch: &Batch, aggregate: &Aggregate) -> Vec<Column> {
        let column = |position: &usize| batch.column(*position).clone();
        aggregate.arguments.iter().map(column).collect()
    }

    /// Whether all rows are added and can be used.
    fn is_sound(&self, batch: &Batch) -> bool {
        let mut arguments = self.aggregates.iter().flat_map(|aggregate| &aggregate.arguments);
        batch.diffs().is_none_or(|diffs| diffs.iter().all(|diff| *diff > 0))
            && usable(batch.column(0)).is_none()
            && arguments.all(|position| batch.column(*position).errors().is_none())
    }

    /// Holds the rows of a batch; whether it could.
    fn hold(&mut self, batch: &Batch) -> Result<bool, EngineError> {
        let slots = self.groups.find(batch).slots;
        if self.groups.same(batch, &slots).is_some() {
            return Ok(false);
        }
        self.groups.count(&slots, batch.diffs().map(|diffs| &**diffs));
        let updates = Updates {
            slots: &slots,
            groups: keys_of(batch.column(0)),
            keys: batch.keys(),
            diffs: batch.diffs().map(|diffs| &**diffs),
            // Whoever minds it does not combine.
            time: 0,
        };
        for (state, aggregate) in self.states.iter_mut().zip(&self.aggregates) {
            state.grow(self.groups.len());
            state.update(&updates, &Self::arguments(batch, aggregate))?;
        }
        self.rows += batch.len();
        Ok(true)
    }

    /// The rows as they are, each added or removed once.
    fn as_it_is(&self, batch: &Batch) -> Batch {
        let is_repeated = |diffs: &[i64]| diffs.iter().any(|diff| diff.abs() > 1);
        let expanded = batch.diffs().filter(|diffs| is_repeated(diffs)).map(|diffs| {
            let times = |row: usize| std::iter::repeat_n(row as u32, diffs[row].unsigned_abs() as usize);
            let rows: Vec<u32> = (0..diffs.len()).flat_map(times).collect();
            let signs: Vec<i64> = rows.iter().map(|row| diffs[*row as usize].signum()).collect();
            let taken = batch.take(&rows);
            Batch::new(taken.keys().clone(), taken.columns().to_vec(), Some(signs.into()))
        });
        let batch = expanded.as_ref().unwrap_or(batch);
        let mut columns = vec![batch.column(0).clone()];
        columns.extend(
            self.groups
                .columns()
                .iter()
                .map(|position| batch.column(*position).clone()),
        );
        for (aggregate, state) in self.aggregates.iter().zip(&self.states) {
            columns.extend(state.partial_of_rows(&Self::arguments(batch, aggregate)));
        }
        Batch::new(batch.keys().clone(), columns, batch.diffs().cloned())
    }
}

impl Combiner for ReduceCombiner {
    fn absorb(&mut self, batch: Batch, output: &mut Output) -> Result<(), EngineError> {
        if self.pause > 0 {
            self.pause -= 1;
            output.push(self.as_it_is(&batch));
        } else if self.is_sound(&batch) {
            if !self.hold(&batch)? {
                output.push(self.as_it_is(&batch));
            }
            if self.groups.len() > GROUPS {
                self.flush(output);
            }
        } else {
            output.push(self.as_it_is(&batch));
        }
        Ok(())
    }

    fn flush(&mut self, output: &mut Output) {
        if self.rows == 0 {
            return;
        }
        // A batch that was not held may have left groups without rows.
        let slots = self.groups.with_rows();
        if slots.len() > self.rows / 2 && slots.len() > 1 {
            self.pause = PAUSE;
        }
        let keys: Shared<Key> = slots.iter().map(|slot| self.groups.key(*slot)).collect();
        let counts: Vec<i64> = slots.iter().map(|slot| self.groups.counts()[*slot as usize]).collect();
        let mut columns = vec![Column::pointers(keys.clone())];
        columns.extend(self.groups.gather(&slots));
        columns.extend(self.states.iter().flat_map(|state| state.partial(&slots)));
        output.push(Batch::new(keys, columns, Some(counts.into())));
        self.groups.clear();
        self.rows = 0;
        for slot in slots {
            self.states.iter_mut().for_each(|state| state.clear(slot));
        }
    }

    fn reads(&self) -> Vec<usize> {
        let mut reads = vec![0];
        reads.extend(self.groups.columns());
        for (aggregate, state) in self.aggregates.iter().zip(&self.states) {
            let width = state.partial(&[]).len();
            reads.extend(aggregate.arguments.iter().cycle().take(width));
        }
        reads
    }
}
