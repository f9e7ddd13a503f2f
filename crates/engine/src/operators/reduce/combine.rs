//! Groups of one worker's rows, before they go to the workers that own them.
//!
//! Rows of one group become one row: the key of the group, the grouping values, what each reducer knows of them, and as
//! its difference how many they are. Between workers then travels a row a group, not a row a row, wherever rows are many
//! and groups are few. Where they are not, rows go as they are, in the same columns.
//!
//! Only where rows are never removed, and every reducer can tell what it knows in columns.

use std::collections::HashMap;

use towpath_types::{Batch, BuildKeyHasher, Column, DType};

use super::Aggregate;
use crate::operator::Combine;
use crate::operators::{keys_of, usable};
use crate::reducers::{ReducerState, Setup, Updates};

/// Where groups are more than half as many as the rows, so many batches go as they are before the next is looked at.
const PAUSE: usize = 32;

/// See the module.
pub(super) struct Combiner {
    aggregates: Vec<Aggregate>,
    groups: Vec<usize>,
    dtypes: Vec<DType>,
    results: Vec<DType>,
    /// So many batches still go as they are.
    pause: usize,
}

impl Combiner {
    /// A combiner of rows with columns of these types, whose aggregates have results of those.
    pub(super) fn new(aggregates: Vec<Aggregate>, groups: Vec<usize>, dtypes: Vec<DType>, results: Vec<DType>) -> Self {
        Self {
            aggregates,
            groups,
            dtypes,
            results,
            pause: 0,
        }
    }

    fn states(&self) -> Vec<Box<dyn ReducerState>> {
        let state = |(aggregate, dtype): (&Aggregate, &DType)| {
            (aggregate.reducer.start)(&Setup {
                arguments: &aggregate.argument_types(&self.dtypes),
                dtype,
                options: aggregate.options,
                append_only: true,
            })
        };
        self.aggregates.iter().zip(&self.results).map(state).collect()
    }

    fn arguments(batch: &Batch, aggregate: &Aggregate) -> Vec<Column> {
        let column = |place: &usize| batch.column(*place).clone();
        aggregate.arguments.iter().map(column).collect()
    }

    /// Whether all rows are added and can be used.
    fn is_sound(&self, batch: &Batch) -> bool {
        let arguments = self.aggregates.iter().flat_map(|aggregate| &aggregate.arguments);
        batch.diffs().is_none_or(|diffs| diffs.iter().all(|diff| *diff > 0))
            && usable(batch.column(0)).is_none()
            && arguments
                .into_iter()
                .all(|place| batch.column(*place).errors().is_none())
    }

    /// A row a group, if that is worth it and possible.
    fn grouped(&mut self, batch: &Batch) -> Option<Batch> {
        let keys = keys_of(batch.column(0));
        let mut index: HashMap<_, u32, BuildKeyHasher> = HashMap::default();
        let mut slots = Vec::with_capacity(keys.len());
        let (mut first_rows, mut counts) = (Vec::new(), Vec::new());
        for (row, key) in keys.iter().enumerate() {
            let slot = *index.entry(*key).or_insert_with(|| {
                first_rows.push(row as u32);
                counts.push(0);
                first_rows.len() as u32 - 1
            });
            counts[slot as usize] += batch.diff(row);
            slots.push(slot);
        }
        if first_rows.len() > keys.len() / 2 {
            self.pause = PAUSE;
            return None;
        }
        let updates = Updates {
            slots: &slots,
            keys: batch.keys(),
            diffs: batch.diffs().map(|diffs| &**diffs),
            commit: 0,
        };
        let all: Vec<u32> = (0..first_rows.len() as u32).collect();
        let named: Vec<usize> = std::iter::once(0).chain(self.groups.iter().copied()).collect();
        let named = batch.project(&named).take(&first_rows);
        let mut columns = named.columns().to_vec();
        for (aggregate, mut state) in self.aggregates.iter().zip(self.states()) {
            state.grow(all.len());
            state.update(&updates, &Self::arguments(batch, aggregate)).ok()?;
            columns.extend(state.partial(&all)?);
        }
        let keys = keys_of(&columns[0]).clone();
        Some(Batch::new(keys, columns, Some(counts.into())))
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
        columns.extend(self.groups.iter().map(|place| batch.column(*place).clone()));
        for (aggregate, state) in self.aggregates.iter().zip(self.states()) {
            columns.extend(state.partial_of_rows(&Self::arguments(batch, aggregate)));
        }
        Batch::new(batch.keys().clone(), columns, batch.diffs().cloned())
    }
}

impl Combine for Combiner {
    fn combine(&mut self, batch: Batch) -> Batch {
        if self.pause > 0 {
            self.pause -= 1;
        } else if self.is_sound(&batch)
            && let Some(grouped) = self.grouped(&batch)
        {
            return grouped;
        }
        self.as_it_is(&batch)
    }

    fn reads(&self) -> Vec<usize> {
        let mut reads = vec![0];
        reads.extend(&self.groups);
        for (aggregate, state) in self.aggregates.iter().zip(self.states()) {
            let width = state.partial(&[]).map_or(0, |columns| columns.len());
            reads.extend(aggregate.arguments.iter().cycle().take(width));
        }
        reads
    }
}
