//! The groups at work: their slots, which were touched, and what they put out for a time.

use std::collections::HashMap;

use arrow_buffer::BooleanBuffer;
use towpath_types::{Batch, BuildKeyHasher, Column, Key, Physical, Shared, Time};

use super::aggregate::RunningAggregate;
use super::find_slots;
use crate::error::EngineError;
use crate::operator::{Output, Reporter, Task};
use crate::operators::{keys_of, without_unusable};
use crate::reducers::{Failures, Updates};
use crate::store::{CellStore, Slots};

/// When a slot was touched, and where its old values are.
#[derive(Clone, Copy, Debug, Default)]
struct Visit {
    commit: u64,
    /// Its place among the old rows, if the group was there before.
    old: Option<u32>,
}

pub(super) struct ReduceTask {
    reporter: Reporter,
    index: HashMap<Key, u32, BuildKeyHasher>,
    slots: Slots,
    /// For every slot: the key of its group, the number of its rows, when it was touched.
    keys: Vec<Key>,
    counts: Vec<i64>,
    visits: Vec<Visit>,
    group_columns: Vec<usize>,
    groups: Vec<CellStore>,
    aggregates: Vec<RunningAggregate>,
    /// Numbers the times.
    commit: u64,
    /// What was touched at the open time; which of it was there before, and the old results of that.
    touched: Vec<u32>,
    old_slots: Vec<u32>,
    old: Vec<Vec<Column>>,
}

impl ReduceTask {
    /// A task whose groups are made by columns at these positions, in these layouts.
    pub(super) fn new(
        reporter: Reporter,
        groups: impl Iterator<Item = (usize, Physical)>,
        aggregates: Vec<RunningAggregate>,
    ) -> Self {
        let (group_columns, groups) = groups
            .map(|(place, physical)| (place, CellStore::new(physical)))
            .unzip();
        Self {
            reporter,
            index: HashMap::default(),
            slots: Slots::default(),
            keys: Vec::new(),
            counts: Vec::new(),
            visits: Vec::new(),
            group_columns,
            groups,
            aggregates,
            commit: 1,
            touched: Vec::new(),
            old_slots: Vec::new(),
            old: Vec::new(),
        }
    }

    /// The slot of the group of every row, new ones included.
    fn find_slots(&mut self, batch: &Batch) -> Vec<u32> {
        let keys = keys_of(batch.column(0));
        let found = find_slots(&mut self.index, keys, || self.slots.take());
        let len = self.slots.len();
        self.keys.resize(len, Key::default());
        self.counts.resize(len, 0);
        self.visits.resize(len, Visit::default());
        for (slot, row) in found.new_slots.iter().zip(&found.new_rows) {
            self.keys[*slot as usize] = keys[*row as usize];
        }
        for (cells, place) in self.groups.iter_mut().zip(&self.group_columns) {
            cells.put(&found.new_slots, batch.column(*place), found.new_rows.iter().copied());
        }
        found.slots
    }

    /// Notes which groups are touched for the first time, and reads off the results they had.
    fn visit(&mut self, slots: &[u32]) {
        let known = self.old_slots.len();
        for slot in slots {
            let visit = &mut self.visits[*slot as usize];
            if visit.commit == self.commit {
                continue;
            }
            *visit = Visit {
                commit: self.commit,
                old: None,
            };
            self.touched.push(*slot);
            if self.counts[*slot as usize] > 0 {
                visit.old = Some(self.old_slots.len() as u32);
                self.old_slots.push(*slot);
            }
        }
        let new = &self.old_slots[known..];
        if !new.is_empty() {
            let columns = self
                .aggregates
                .iter()
                .map(|aggregate| aggregate.output(new, &mut Vec::new()));
            self.old.push(columns.collect());
        }
    }

    /// Groups and their results as rows.
    fn rows(&self, slots: &[u32], results: Vec<Column>) -> Batch {
        let keys: Shared<Key> = slots.iter().map(|slot| self.keys[*slot as usize]).collect();
        let mut columns: Vec<Column> = self.groups.iter().map(|cells| cells.gather(slots)).collect();
        columns.extend(results);
        Batch::new(keys, columns, None)
    }

    fn new_results(&self, slots: &[u32]) -> Result<Vec<Column>, EngineError> {
        let mut columns = Vec::with_capacity(self.aggregates.len());
        for aggregate in &self.aggregates {
            let mut failures = Failures::new();
            columns.push(aggregate.output(slots, &mut failures));
            for (place, mut error) in failures {
                error.key = Some(self.keys[slots[place] as usize]);
                self.reporter.report(error)?;
            }
        }
        Ok(columns)
    }

    /// Frees the slots of groups without rows.
    fn forget_empty(&mut self, touched: &[u32]) {
        for slot in touched {
            if self.counts[*slot as usize] != 0 {
                continue;
            }
            self.index.remove(&self.keys[*slot as usize]);
            for cells in &mut self.groups {
                cells.clear(*slot);
            }
            for aggregate in &mut self.aggregates {
                aggregate.clear(*slot);
            }
            self.slots.give_back(*slot);
        }
    }
}

impl Task for ReduceTask {
    fn absorb(&mut self, _input: usize, batch: Batch, _output: &mut Output) -> Result<(), EngineError> {
        let batch = without_unusable(batch, 0, "grouping columns", &self.reporter)?;
        let slots = self.find_slots(&batch);
        self.visit(&slots);
        let updates = Updates {
            slots: &slots,
            keys: batch.keys(),
            diffs: batch.diffs().map(|diffs| &**diffs),
            commit: self.commit,
        };
        match updates.diffs {
            None => slots.iter().for_each(|slot| self.counts[*slot as usize] += 1),
            Some(diffs) => {
                for (slot, diff) in slots.iter().zip(diffs) {
                    self.counts[*slot as usize] += diff;
                }
            }
        }
        for aggregate in &mut self.aggregates {
            aggregate.update(&updates, &batch, self.slots.len())?;
        }
        Ok(())
    }

    fn complete(&mut self, _time: Time, output: &mut Output) -> Result<(), EngineError> {
        let touched = std::mem::take(&mut self.touched);
        let old_slots = std::mem::take(&mut self.old_slots);
        let old_chunks = std::mem::take(&mut self.old);
        let live: Vec<u32> = touched
            .iter()
            .copied()
            .filter(|slot| self.counts[*slot as usize] > 0)
            .collect();
        let new = self.new_results(&live)?;
        let old: Vec<Column> = (0..self.aggregates.len())
            .map(|place| {
                let parts: Vec<&Column> = old_chunks.iter().map(|columns| &columns[place]).collect();
                Column::concat(&parts)
            })
            .collect();
        if old_slots.is_empty() {
            output.push(self.rows(&live, new));
        } else {
            let mut is_changed = vec![true; old_slots.len()];
            let is_new = BooleanBuffer::collect_bool(live.len(), |row| {
                let Some(place) = self.visits[live[row] as usize].old else {
                    return true;
                };
                let place = place as usize;
                is_changed[place] = !old.iter().zip(&new).all(|(old, new)| old.cell_eq(place, new, row));
                is_changed[place]
            });
            let old = self.rows(&old_slots, old).filter(&is_changed.into_iter().collect());
            let new = self.rows(&live, new).filter(&is_new);
            output.push(match (old.is_empty(), new.is_empty()) {
                (true, _) => new,
                (false, true) => old.negated(),
                (false, false) => Batch::concat(&[old.negated(), new]),
            });
        }
        self.forget_empty(&touched);
        self.commit += 1;
        Ok(())
    }
}
