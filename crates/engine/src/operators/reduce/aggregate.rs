//! One aggregate at work: the state of its reducer, and the errors among its arguments.

use std::collections::HashMap;

use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};
use towpath_types::{Batch, Column, DType, Key, Physical};

use super::Aggregate;
use crate::error::EngineError;
use crate::operator::TaskContext;
use crate::reducers::{FailedGroups, Options, ReducerState, Setup, Updates};
use crate::state::{self, Saved};

/// One aggregate at work.
pub(super) struct RunningAggregate {
    state: Box<dyn ReducerState>,
    arguments: Vec<usize>,
    options: Options,
    /// Whether it gets what other workers know, not rows.
    merges: bool,
    /// How many rows with an error among the arguments a group has, if any.
    errors: HashMap<u32, i64>,
}

impl RunningAggregate {
    pub(super) fn new(aggregate: &Aggregate, result: &DType, context: &TaskContext) -> Self {
        let setup = Setup {
            arguments: &aggregate.argument_types(&context.dtypes[0]),
            dtype: result,
            options: aggregate.options,
            append_only: context.append_only[0],
            keeps_state: context.keeps_state,
        };
        Self {
            state: (aggregate.reducer.start)(&setup),
            arguments: aggregate.arguments.clone(),
            options: aggregate.options,
            merges: false,
            errors: HashMap::new(),
        }
    }

    /// The same, of what other workers know: the columns from `next` on, which is moved behind them.
    pub(super) fn merging(self, next: &mut usize) -> Self {
        let width = self.state.partial(&[]).len();
        let arguments = (*next..*next + width).collect();
        *next += width;
        Self {
            arguments,
            merges: true,
            ..self
        }
    }

    /// Takes the rows of a batch; there are `slots` slots by now.
    pub(super) fn update(&mut self, updates: &Updates<'_>, batch: &Batch, slots: usize) -> Result<(), EngineError> {
        self.state.grow(slots);
        let arguments: Vec<Column> = self
            .arguments
            .iter()
            .map(|position| batch.column(*position).clone())
            .collect();
        let Some(mask) = self.chosen(updates, &arguments) else {
            return self.take(updates, &arguments);
        };
        let arguments: Vec<Column> = arguments.iter().map(|column| column.filter(&mask)).collect();
        let slots: Vec<u32> = mask.set_indices().map(|row| updates.slots[row]).collect();
        let groups: Vec<Key> = mask.set_indices().map(|row| updates.groups[row]).collect();
        let keys: Vec<Key> = mask.set_indices().map(|row| updates.keys[row]).collect();
        let diffs: Vec<i64> = mask.set_indices().map(|row| updates.diff(row)).collect();
        let updates = Updates {
            slots: &slots,
            groups: &groups,
            keys: &keys,
            diffs: Some(&diffs),
            time: updates.time,
        };
        self.take(&updates, &arguments)
    }

    fn take(&mut self, updates: &Updates<'_>, arguments: &[Column]) -> Result<(), EngineError> {
        if self.merges {
            self.state.merge(updates, arguments)
        } else {
            self.state.update(updates, arguments)
        }
    }

    /// The results of the groups in `slots`, of so many rows each; adds those that fail to `failures`. Where all rows
    /// have an error among the arguments, so is the result.
    pub(super) fn output(&self, slots: &[u32], counts: &[i64], failures: &mut FailedGroups) -> Column {
        let column = self.state.output(slots, failures);
        if self.errors.is_empty() && failures.is_empty() {
            return column;
        }
        let mut mask = BooleanBufferBuilder::new(slots.len());
        mask.append_n(slots.len(), false);
        for (position, slot) in slots.iter().enumerate() {
            if self
                .errors
                .get(slot)
                .is_some_and(|errors| *errors == counts[*slot as usize])
            {
                mask.set_bit(position, true);
            }
        }
        for (position, _) in failures {
            mask.set_bit(*position, true);
        }
        column.masked(Some(&mask.finish()))
    }

    /// Where there is an error among the arguments.
    pub(super) fn errors<'a>(&self, batch: &'a Batch) -> impl Iterator<Item = &'a BooleanBuffer> {
        self.arguments
            .iter()
            .filter_map(|position| batch.column(*position).errors())
    }

    /// Forgets a group.
    pub(super) fn clear(&mut self, slot: u32) {
        self.state.clear(slot);
        self.errors.remove(&slot);
    }

    /// How many rows with an error a group has.
    pub(super) fn errors_of(&self, slot: u32) -> i64 {
        self.errors.get(&slot).copied().unwrap_or(0)
    }

    /// Takes that.
    pub(super) fn set_errors(&mut self, slot: u32, errors: i64) {
        if errors != 0 {
            self.errors.insert(slot, errors);
        }
    }

    /// The layouts of the columns of [`RunningAggregate::save`].
    pub(super) fn layouts(&self) -> Vec<Physical> {
        self.state.layouts()
    }

    /// What the reducer knows of groups, in columns.
    pub(super) fn save(&self, slots: &[u32]) -> Vec<Column> {
        self.state.save(slots)
    }

    /// Takes what was saved of groups; there are `len` slots by now.
    pub(super) fn restore(&mut self, slots: &[u32], len: usize, columns: &[Column]) -> Result<(), EngineError> {
        self.state.grow(len);
        self.state.restore(slots, columns)
    }

    /// Saves items as a table of their own, if groups have many.
    pub(super) fn save_items(&mut self, table: u16, saved: &mut Saved, find: &dyn Fn(&Key) -> Option<u32>) {
        if let Some(items) = self.state.items() {
            items.save(table, saved, find);
        }
    }

    /// Takes items of groups that were saved; whether it has some.
    pub(super) fn restore_items(&mut self, slots: &[u32], rows: &Batch, owners: &[Key]) -> Result<bool, EngineError> {
        let Some(items) = self.state.items() else {
            return Ok(false);
        };
        state::check(rows, owners, &items.layouts())?;
        items.restore(slots, rows.columns())?;
        Ok(true)
    }

    /// The rows that the reducer is to see; `None` if it is all of them. Counts errors.
    fn chosen(&mut self, updates: &Updates<'_>, arguments: &[Column]) -> Option<BooleanBuffer> {
        let mut mask: Option<BooleanBuffer> = None;
        let mut restrict = |other: BooleanBuffer| {
            mask = Some(mask.take().map_or_else(|| other.clone(), |mask| &mask & &other));
        };
        for column in arguments {
            if let Some(errors) = column.errors() {
                restrict(!errors);
            }
        }
        if let Some(sound) = &mask {
            for row in (0..sound.len()).filter(|row| !sound.value(*row)) {
                let count = self.errors.entry(updates.slots[row]).or_insert(0);
                *count += updates.diff(row);
                if *count == 0 {
                    self.errors.remove(&updates.slots[row]);
                }
            }
        }
        if self.options.skip_nones
            && let Some(column) = arguments.first()
        {
            let present = BooleanBuffer::collect_bool(column.len(), |row| !column.is_none(row));
            mask = Some(mask.map_or_else(|| present.clone(), |mask| &mask & &present));
        }
        mask.filter(|mask| mask.count_set_bits() < mask.len())
    }
}
