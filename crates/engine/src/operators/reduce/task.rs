//! The groups at work: their slots, which were touched, and what they put out for a time.

use arrow_buffer::BooleanBuffer;
use towpath_types::{Batch, Cells, Column, ColumnBuilder, Key, Physical, Shared, Time, Value};

use super::aggregate::RunningAggregate;
use super::groups::Groups;
use crate::error::{EngineError, ErrorKind, RowError};
use crate::expression::brief;
use crate::operator::{ColumnName, Output, Task};
use crate::operators::{keys_of, report_routed, usable};
use crate::reducers::{FailedGroups, Updates};
use crate::reporter::Reporter;
use crate::state::{self, Changes, Name, Saved, no_table};

/// When a slot was touched, and where its old values are.
#[derive(Clone, Copy, Debug, Default)]
struct Visit {
    /// The number of the time among those that this task has seen.
    commit: u64,
    /// Its position among the old rows, if the group was there before.
    old: Option<u32>,
}

/// The number of the table of groups.
const GROUPS: u16 = 0;

/// What the program calls the grouping values and the results, for messages.
pub(super) struct Names {
    pub(super) groups: Vec<ColumnName>,
    pub(super) results: Vec<ColumnName>,
}

pub(super) struct ReduceTask {
    reporter: Reporter,
    /// For groups, whose results change.
    group_reporter: Reporter,
    groups: Groups,
    /// For every slot when it was touched.
    visits: Vec<Visit>,
    /// Which of the grouping values are put out.
    shown: Vec<usize>,
    aggregates: Vec<RunningAggregate>,
    names: Names,
    /// The open time, and its number among those that this task has seen.
    time: Time,
    commit: u64,
    /// What was touched at the open time; which of it was there before, and the old results of that.
    touched: Vec<u32>,
    old_slots: Vec<u32>,
    old: Vec<Vec<Column>>,
    /// What was wrong with the old results.
    old_failures: Vec<RowError>,
    /// The groups that have changed, where that will be saved.
    changes: Option<Changes>,
}

impl ReduceTask {
    /// A task of aggregates of groups, which puts out also the grouping values that are `shown`.
    pub(super) fn new(
        reporter: Reporter,
        groups: Groups,
        shown: Vec<usize>,
        aggregates: Vec<RunningAggregate>,
        names: Names,
    ) -> Self {
        Self {
            group_reporter: reporter.for_rows(false),
            reporter,
            groups,
            visits: Vec::new(),
            shown,
            aggregates,
            names,
            time: 0,
            commit: 1,
            touched: Vec::new(),
            old_slots: Vec::new(),
            old: Vec::new(),
            old_failures: Vec::new(),
            changes: None,
        }
    }

    /// The same; notes what changes if that will be saved.
    pub(super) fn keeping(self, keeps_state: bool) -> Self {
        Self {
            changes: keeps_state.then(Changes::default),
            ..self
        }
    }

    /// The layouts of the columns in which groups are saved.
    fn layouts(&self) -> Vec<Physical> {
        let mut layouts: Vec<Physical> = self.groups.layouts().collect();
        layouts.extend([Physical::Int, Physical::Any]);
        layouts.extend(self.aggregates.iter().flat_map(RunningAggregate::layouts));
        layouts
    }

    /// Takes groups that were saved.
    fn restore_groups(&mut self, rows: &Batch, owners: &[Key]) -> Result<(), EngineError> {
        state::check(rows, owners, &self.layouts())?;
        let (values, rest) = rows.columns().split_at(self.groups.columns().len());
        let restored = self.groups.restore(rows.keys(), state::ints(&rest[0])?, values);
        let slots =
            restored.map_err(|key| state::unreadable(format_args!("the group {key} is there twice, or empty")))?;
        self.visits.resize(self.groups.len(), Visit::default());
        if let Some(changes) = &mut self.changes {
            slots.iter().for_each(|slot| changes.restored(*slot));
        }
        for (slot, value) in slots.iter().zip(rest[1].values()) {
            let errors = match &value {
                Value::None => continue,
                Value::Tuple(errors) if errors.len() == self.aggregates.len() => errors,
                _ => {
                    return Err(state::unreadable(
                        "the errors of a group are not those of its aggregates",
                    ));
                }
            };
            for (aggregate, errors) in self.aggregates.iter_mut().zip(errors.iter()) {
                if let Value::Int(errors) = errors {
                    aggregate.set_errors(*slot, *errors);
                }
            }
        }
        let mut rest = &rest[2..];
        for aggregate in &mut self.aggregates {
            let (own, others) = rest.split_at(aggregate.layouts().len());
            aggregate.restore(&slots, self.groups.len(), own)?;
            rest = others;
        }
        Ok(())
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
            if self.groups.counts()[*slot as usize] > 0 {
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
        let keys: Shared<Key> = slots.iter().map(|slot| self.groups.key(*slot)).collect();
        let mut columns: Vec<Column> = self
            .shown
            .iter()
            .map(|group| self.groups.gather_column(*group, slots))
            .collect();
        columns.extend(results);
        Batch::new(keys, columns, None)
    }

    /// The results of groups, and what is wrong with them, as failures that come or go.
    fn results(&self, slots: &[u32], diff: i64) -> (Vec<Column>, Vec<RowError>) {
        let (mut columns, mut wrong) = (Vec::with_capacity(self.aggregates.len()), Vec::new());
        for (number, aggregate) in self.aggregates.iter().enumerate() {
            let mut failures = FailedGroups::new();
            columns.push(aggregate.output(slots, self.groups.counts(), &mut failures));
            wrong.extend(failures.into_iter().map(|(position, error)| {
                let slot = slots[position];
                let error = error.of(self.groups.key(slot), diff);
                // Nobody is told of what goes.
                if diff > 0 {
                    self.placed(error, number, slot)
                } else {
                    error
                }
            }));
        }
        (columns, wrong)
    }

    /// A failure, in the column of a result and in a group.
    fn placed(&self, mut error: RowError, result: usize, slot: u32) -> RowError {
        if let Some(Some(name)) = self.names.results.get(result) {
            error = error.in_column(name);
        }
        if self.groups.columns().is_empty() {
            return error;
        }
        let value = |(values, name): (Column, &ColumnName)| {
            let value = brief(&values.value(0));
            name.as_ref().map_or(value.clone(), |name| format!("{name}={value}"))
        };
        let values: Vec<String> = self.groups.gather(&[slot]).zip(&self.names.groups).map(value).collect();
        error.computing(format!("the group {}", values.join(", ")))
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
        let found = self.groups.find(&batch);
        self.groups.settle_floats(&found);
        self.visits.resize(self.groups.len(), Visit::default());
        let slots = found.slots;
        if let Some(same) = self.groups.same(&batch, &slots) {
            self.report_strangers(&batch, &!&same)?;
            // Those that are left have found their groups.
            return self.take(batch.filter(&same));
        }
        self.report_skipped(&batch)?;
        self.visit(&slots);
        let updates = Updates {
            slots: &slots,
            groups: keys_of(batch.column(0)),
            keys: batch.keys(),
            diffs: batch.diffs().map(|diffs| &**diffs),
            time: self.time,
        };
        self.groups.count(&slots, updates.diffs);
        for aggregate in &mut self.aggregates {
            aggregate.update(&updates, &batch, self.groups.len())?;
        }
        Ok(())
    }

    /// Frees the slots of groups without rows.
    fn forget_empty(&mut self, touched: &[u32]) {
        for slot in touched {
            if self.groups.counts()[*slot as usize] != 0 {
                if let Some(changes) = &mut self.changes {
                    changes.put(*slot);
                }
                continue;
            }
            if let Some(changes) = &mut self.changes {
                changes.remove(*slot, Name::of(self.groups.key(*slot)));
            }
            for aggregate in &mut self.aggregates {
                aggregate.clear(*slot);
            }
            self.groups.forget(*slot);
        }
        self.groups.shrink();
    }
}

/// How many rows with an error each aggregate has in groups: a tuple, or `None` where it is nowhere any.
fn errors(aggregates: &[RunningAggregate], slots: &[u32]) -> Column {
    let mut builder = ColumnBuilder::with_physical(Physical::Any);
    for slot in slots {
        let errors = || aggregates.iter().map(|aggregate| aggregate.errors_of(*slot));
        if errors().all(|errors| errors == 0) {
            builder.push_none();
        } else {
            builder.push(&Value::tuple(errors().map(Value::Int)));
        }
    }
    builder.finish()
}

impl Task for ReduceTask {
    fn open(&mut self, time: Time) {
        self.time = time;
    }

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
            .filter(|slot| self.groups.counts()[*slot as usize] > 0)
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

    fn save(&mut self, saved: &mut Saved) {
        let Some(changes) = &mut self.changes else {
            return;
        };
        let (groups, aggregates) = (&self.groups, &self.aggregates);
        let name = |slot: u32| Name::of(groups.key(slot));
        changes.save(GROUPS, saved, name, |slots| {
            let counts: Vec<i64> = slots.iter().map(|slot| groups.counts()[*slot as usize]).collect();
            let mut columns: Vec<Column> = groups.gather(slots).collect();
            columns.push(Column::new(Cells::Int(counts.into())));
            columns.push(errors(aggregates, slots));
            columns.extend(aggregates.iter().flat_map(|aggregate| aggregate.save(slots)));
            columns
        });
        for (table, aggregate) in (GROUPS + 1..).zip(&mut self.aggregates) {
            aggregate.save_items(table, saved, &|key| groups.slot(key));
        }
    }

    fn restore(&mut self, table: u16, rows: Batch, owners: &[Key]) -> Result<(), EngineError> {
        if table == GROUPS {
            return self.restore_groups(&rows, owners);
        }
        let aggregate = self.aggregates.get_mut(usize::from(table) - 1);
        let aggregate = aggregate.ok_or_else(|| no_table(table))?;
        let slots = owners.iter().map(|owner| self.groups.slot(owner));
        let slots: Option<Vec<u32>> = slots.collect();
        let slots = slots.ok_or_else(|| state::unreadable("items are of no group"))?;
        match aggregate.restore_items(&slots, &rows, owners)? {
            true => Ok(()),
            false => Err(no_table(table)),
        }
    }
}
