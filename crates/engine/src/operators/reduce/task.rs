//! The groups at work: their slots, which were touched, and what they put out for a time.

use std::collections::HashMap;

use arrow_buffer::BooleanBuffer;
use towpath_types::{Batch, BuildKeyHasher, Column, Key, Physical, Shared, Time};

use super::aggregate::RunningAggregate;
use super::{find_slots, same_groups};
use crate::error::{EngineError, ErrorKind, RowError};
use crate::operator::{Output, Task};
use crate::operators::{keys_of, report_routed, usable};
use crate::reducers::{FailedGroups, Updates};
use crate::reporter::Reporter;
use crate::store::{CellStore, Slots, shrink};

/// When a slot was touched, and where its old values are.
#[derive(Clone, Copy, Debug, Default)]
struct Visit {
    commit: u64,
    /// Its position among the old rows, if the group was there before.
    old: Option<u32>,
}

pub(super) struct ReduceTask {
    reporter: Reporter,
    /// For groups, whose results change.
    group_reporter: Reporter,
    index: HashMap<Key, u32, BuildKeyHasher>,
    slots: Slots,
    /// For every slot: the key of its group, the number of its rows, when it was touched.
    keys: Vec<Key>,
    counts: Vec<i64>,
    visits: Vec<Visit>,
    group_columns: Vec<usize>,
    groups: Vec<CellStore>,
    /// Which of them are put out.
    shown: Vec<usize>,
    aggregates: Vec<RunningAggregate>,
    /// Numbers the times.
    commit: u64,
    /// What was touched at the open time; which of it was there before, and the old results of that.
    touched: Vec<u32>,
    old_slots: Vec<u32>,
    old: Vec<Vec<Column>>,
    /// What was wrong with the old results.
    old_failures: Vec<RowError>,
}

impl ReduceTask {
    /// A task whose groups are made by columns at these positions, in these layouts.
    pub(super) fn new(
        reporter: Reporter,
        groups: impl Iterator<Item = (usize, Physical)>,
        shown: Vec<usize>,
        aggregates: Vec<RunningAggregate>,
    ) -> Self {
        let (group_columns, groups) = groups
            .map(|(position, physical)| (position, CellStore::new(physical)))
            .unzip();
        Self {
            group_reporter: reporter.for_rows(false),
            reporter,
            index: HashMap::default(),
            slots: Slots::default(),
            keys: Vec::new(),
            counts: Vec::new(),
            visits: Vec::new(),
            group_columns,
            groups,
            shown,
            aggregates,
            commit: 1,
            touched: Vec::new(),
            old_slots: Vec::new(),
            old: Vec::new(),
            old_failures: Vec::new(),
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
        for (cells, position) in self.groups.iter_mut().zip(&self.group_columns) {
            cells.put(
                &found.new_slots,
                batch.column(*position),
                found.new_rows.iter().copied(),
            );
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
            let (columns, failures) = self.results(new, -1);
            self.old.push(columns);
            self.old_failures.extend(failures);
        }
    }

    /// Groups and their results as rows.
    fn rows(&self, slots: &[u32], results: Vec<Column>) -> Batch {
        let keys: Shared<Key> = slots.iter().map(|slot| self.keys[*slot as usize]).collect();
        let mut columns: Vec<Column> = self
            .shown
            .iter()
            .map(|group| self.groups[*group].gather(slots))
            .collect();
        columns.extend(results);
        Batch::new(keys, columns, None)
    }

    /// The results of groups, and what is wrong with them, as failures that come or go.
    fn results(&self, slots: &[u32], diff: i64) -> (Vec<Column>, Vec<RowError>) {
        let (mut columns, mut wrong) = (Vec::with_capacity(self.aggregates.len()), Vec::new());
        for aggregate in &self.aggregates {
            let mut failures = FailedGroups::new();
            columns.push(aggregate.output(slots, &self.counts, &mut failures));
            let failures = failures.into_iter();
            wrong.extend(failures.map(|(position, error)| error.of(self.keys[slots[position] as usize], diff)));
        }
        (columns, wrong)
    }

    /// Reports the rows whose key is that of a group of other values.
    fn report_strangers(&self, batch: &Batch, strangers: &BooleanBuffer) -> Result<(), EngineError> {
        let groups = keys_of(batch.column(0));
        strangers.set_indices().try_for_each(|row| {
            let message = format!(
                "the key {} of the row's group is that of another group with other values, skipping the row; such values \
                 do not come up by chance",
                groups[row]
            );
            self.reporter
                .report(RowError::new(ErrorKind::Value, message).of(batch.keys()[row], batch.diff(row)))
        })
    }

    /// Reports the rows that an aggregate skips, each once for its group.
    fn report_skipped(&self, batch: &Batch) -> Result<(), EngineError> {
        let mut skipped: Option<BooleanBuffer> = None;
        for errors in self.aggregates.iter().flat_map(|aggregate| aggregate.errors(batch)) {
            skipped = Some(skipped.map_or_else(|| errors.clone(), |skipped| &skipped | errors));
        }
        let Some(skipped) = skipped else {
            return Ok(());
        };
        let what = "the argument of a reducer";
        report_routed(batch, batch.column(0), Some(&skipped), what, &self.reporter)
    }

    /// Takes rows into their groups.
    fn take(&mut self, batch: Batch) -> Result<(), EngineError> {
        let pointer = batch.column(0);
        report_routed(&batch, pointer, pointer.errors(), "grouping columns", &self.reporter)?;
        let batch = match usable(pointer) {
            Some(mask) => batch.filter(&mask),
            None => batch,
        };
        let slots = self.find_slots(&batch);
        if let Some(same) = same_groups(&self.groups, &self.group_columns, &batch, &slots) {
            self.report_strangers(&batch, &!&same)?;
            // Those that are left have found their groups.
            return self.take(batch.filter(&same));
        }
        self.report_skipped(&batch)?;
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
        shrink(&mut self.index);
        if self.index.is_empty() {
            self.groups.iter_mut().for_each(CellStore::forget_all);
        }
    }
}

impl Task for ReduceTask {
    fn absorb(&mut self, _input: usize, batch: Batch, _output: &mut Output) -> Result<(), EngineError> {
        self.take(batch)
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
        let (new, failures) = self.results(&live, 1);
        let old_failures = std::mem::take(&mut self.old_failures);
        let mut failures = failures.into_iter().chain(old_failures);
        failures.try_for_each(|error| self.group_reporter.report(error))?;
        let old: Vec<Column> = (0..self.aggregates.len())
            .map(|position| {
                let parts: Vec<&Column> = old_chunks.iter().map(|columns| &columns[position]).collect();
                Column::concat(&parts)
            })
            .collect();
        if old_slots.is_empty() {
            output.push(self.rows(&live, new));
        } else {
            let mut is_changed = vec![true; old_slots.len()];
            let is_new = BooleanBuffer::collect_bool(live.len(), |row| {
                let Some(position) = self.visits[live[row] as usize].old else {
                    return true;
                };
                let position = position as usize;
                is_changed[position] = !old.iter().zip(&new).all(|(old, new)| old.cell_eq(position, new, row));
                is_changed[position]
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
