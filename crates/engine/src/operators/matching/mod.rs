//! Pairs the rows of two inputs that have the same join key: the work behind `join` and `lookup`.
//!
//! With the changes dL and dR of a time, (L+dL)⋈(R+dR) − L⋈R = dL⋈R + (L+dL)⋈dR: every batch is paired with
//! what the other side holds at that moment and then added to its own side, so batches may come in any order.
//! Which rows have no partner is settled at the end of the time, for the join keys that were touched.
//!
//! Rows with one join key form a *group*; a side keeps the rows of a group in a linked list of slots.
//!
//! What comes out may be the product of the two sides, so it is put out in parts; see [`Task::go_on`]. Where rows are only
//! added it goes out as it is made. Elsewhere it is held back, since a pair may be gone at the end of the time, but only so
//! much of it: within a time, removals may come in any order.
//!
//! When an input ends, the other side's rows will never be sought again: they are forgotten, and those that come
//! are no longer kept. A stream that is joined with a static table takes no memory.
//!
//! | saved | columns | identity | owner |
//! |---|---|---|---|
//! | 0, 1: a row of the left, of the right | key, how often it is there, cells | when it came, its number in that time | join key |
//! | 2: a join key of which rows are forgotten, but counted | how many on the left, on the right | join key | join key |
//!
//! All else that is known of a join key follows from its rows.

mod complaints;
mod correcting;
mod groups;
mod inputs;
mod pairing;
mod settling;

use arrow_buffer::BooleanBuffer;
use towpath_types::{Batch, Column, Key, Physical, Time};

use super::side::Side;
use super::{keys_of, usable};
use crate::error::EngineError;
use crate::operator::{Output, Task, TaskContext};
use crate::state::{self, Name, Saved, no_table};
use inputs::{Inputs, LEFT, RIGHT};
use pairing::Pairing;
use settling::Settling;

pub use inputs::JoinId;
pub(super) use inputs::Unmatched;

/// The number of the table of counts.
const COUNTS: u16 = 2;

/// Whether the rows of a side are kept: whether they may still be sought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeping {
    Kept,
    /// The other side has ended: they are forgotten at the end of the open time.
    UntilComplete,
    Forgotten,
}

/// See the module.
pub(super) struct Matching {
    inputs: Inputs,
    /// Where each input has its join key; the key of the row itself where there is none.
    pointers: [Option<usize>; 2],
    keeping: [Keeping; 2],
    /// Whether something of the open time was absorbed.
    is_open: bool,
    /// What is left to be done when the output was full.
    left: Option<Left>,
}

/// What is left to be done.
enum Left {
    Pairing(Pairing),
    Settling(Settling),
}

impl Matching {
    /// A matching of inputs whose columns, but for the join keys, are put out.
    pub(super) fn new(
        context: TaskContext,
        id: JoinId,
        unmatched: [Unmatched; 2],
        pointers: [Option<usize>; 2],
    ) -> Self {
        Self {
            inputs: Inputs::new(context, id, unmatched, pointers),
            pointers,
            keeping: [Keeping::Kept; 2],
            is_open: false,
            left: None,
        }
    }

    /// Forgets the rows of a side whose other side has ended, and the groups that only they had.
    fn forget(&mut self, side: usize) {
        self.keeping[side] = Keeping::Forgotten;
        self.inputs.sides[side].forget();
        self.inputs.groups.forget(side, self.inputs.looks_back());
    }

    /// Takes out the rows whose join key is an error or `None`: they have no partner.
    fn split_unusable(
        &mut self,
        side: usize,
        batch: Batch,
        pointer: &Column,
        output: &mut Output,
    ) -> Result<(Batch, Option<BooleanBuffer>), EngineError> {
        let Some(mask) = usable(pointer) else {
            return Ok((batch, None));
        };
        let unmatched = self.inputs.unmatched[side];
        if let Some(errors) = pointer.errors() {
            let wrong = batch.filter(errors);
            let is_looked_up = matches!(unmatched, Unmatched::Errors | Unmatched::Misses);
            if !is_looked_up {
                super::report_routed(&batch, pointer, Some(errors), "join condition", &self.inputs.reporter)?;
            }
            if unmatched != Unmatched::Drop {
                // The error, which is known, spreads to the cells that were looked up.
                let how = if is_looked_up { Unmatched::Errors } else { unmatched };
                let alone = self.inputs.alone(side, &wrong, how);
                self.inputs.put_out(alone, output);
            }
        }
        if let Some(nulls) = pointer.nulls()
            && unmatched != Unmatched::Drop
        {
            let mut none = !nulls.inner();
            if let Some(errors) = pointer.errors() {
                none = &none & &!errors;
            }
            let alone = self.inputs.alone(side, &batch.filter(&none), Unmatched::Nones);
            self.inputs.put_out(alone, output);
        }
        Ok((batch.filter(&mask), Some(mask)))
    }

    /// All that the touched groups mean has been put out or is held: the end of a time.
    fn settled(&mut self, touched: &[u32], output: &mut Output) -> Result<(), EngineError> {
        self.inputs.check_ids(touched)?;
        for group in touched {
            self.inputs.correct(*group, 1);
        }
        self.inputs.complaints.report(&self.inputs.reporter)?;
        self.inputs.held.release(output);
        self.inputs
            .groups
            .close(self.inputs.sides.iter_mut().flat_map(Side::take_emptied));
        self.inputs.sides.iter_mut().for_each(Side::shrink);
        for side in [LEFT, RIGHT] {
            if self.keeping[side] == Keeping::UntilComplete {
                self.forget(side);
            }
        }
        self.is_open = false;
        Ok(())
    }
}

impl Task for Matching {
    fn open(&mut self, time: Time) {
        self.inputs.sides.iter_mut().for_each(|side| side.open(time));
    }

    fn absorb(&mut self, side: usize, batch: Batch, output: &mut Output) -> Result<(), EngineError> {
        self.is_open = true;
        let (batch, keys) = match self.pointers[side] {
            None => (batch.clone(), batch.keys().clone()),
            Some(position) => {
                let pointer = batch.column(position).clone();
                let mut columns = batch.columns().to_vec();
                columns.remove(position);
                let (batch, mask) = self.split_unusable(side, batch.with_columns(columns), &pointer, output)?;
                let keys = keys_of(&pointer).clone();
                let keys = match mask {
                    None => keys,
                    Some(mask) => mask.set_indices().map(|row| keys[row]).collect(),
                };
                (batch, keys)
            }
        };
        if batch.is_empty() {
            return Ok(());
        }
        let pairing = if self.keeping[side] != Keeping::Forgotten {
            let groups = self.inputs.find_groups(&keys);
            Pairing::new(side, batch, groups)
        } else {
            self.inputs.passing(side, batch, &keys)
        };
        self.left = Some(Left::Pairing(pairing));
        self.go_on(output)
    }

    fn go_on(&mut self, output: &mut Output) -> Result<(), EngineError> {
        match self.left.take() {
            Some(Left::Pairing(mut pairing)) => {
                if self.inputs.pair(&mut pairing, output) {
                    self.inputs.paired(pairing, output)?;
                } else {
                    self.left = Some(Left::Pairing(pairing));
                }
            }
            Some(Left::Settling(mut settling)) => {
                if self.inputs.settle(&mut settling, output) {
                    self.settled(&settling.touched, output)?;
                } else {
                    self.left = Some(Left::Settling(settling));
                }
            }
            None => {}
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.left.is_none()
    }

    fn input_ended(&mut self, input: usize) {
        if self.inputs.corrects() {
            // Whether a row that comes has several partners depends on those there were.
            return;
        }
        // Which rows have had no partner until now is settled at the end of the time, if one is open.
        if self.inputs.looks_back() && self.is_open {
            self.keeping[1 - input] = Keeping::UntilComplete;
        } else {
            self.forget(1 - input);
        }
    }

    fn complete(&mut self, _time: Time, output: &mut Output) -> Result<(), EngineError> {
        self.left = Some(Left::Settling(Settling::new(self.inputs.groups.take_touched())));
        self.go_on(output)
    }

    fn save(&mut self, saved: &mut Saved) {
        for side in [LEFT, RIGHT] {
            self.inputs.sides[side].save(side as u16, saved);
        }
        self.inputs.groups.save(COUNTS, saved);
    }

    fn restore(&mut self, table: u16, rows: Batch, owners: &[Key]) -> Result<(), EngineError> {
        match usize::from(table) {
            side @ (LEFT | RIGHT) => {
                let batch = self.inputs.sides[side].saved_rows(&rows, owners)?;
                let groups: Vec<u32> = owners.iter().map(|owner| self.inputs.groups.find(*owner)).collect();
                let names = rows.keys().iter().zip(owners);
                let names = names.map(|(identity, owner)| Name {
                    identity: *identity,
                    owner: *owner,
                });
                let states = &mut self.inputs.groups;
                self.inputs.sides[side].restore(&batch, &groups, names, |group, head| {
                    std::mem::replace(&mut states[group].heads[side], head)
                });
                for (row, group) in groups.iter().enumerate() {
                    self.inputs.groups[*group].counts[side] += batch.diff(row);
                }
                Ok(())
            }
            _ if table == COUNTS => {
                state::check(&rows, owners, &[Physical::Int; 2])?;
                let (left, right) = (state::ints(rows.column(LEFT))?, state::ints(rows.column(RIGHT))?);
                for ((key, left), right) in rows.keys().iter().zip(left).zip(right) {
                    self.inputs.groups.restore(*key, [*left, *right]);
                }
                Ok(())
            }
            _ => Err(no_table(table)),
        }
    }
}
