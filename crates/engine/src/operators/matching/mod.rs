//! Pairs the rows of two inputs that have the same join key: the work behind `join` and `lookup`.
//!
//! With the changes dL and dR of a time, (L+dL)⋈(R+dR) − L⋈R = dL⋈R + (L+dL)⋈dR: every batch is paired with
//! what the other side holds at that moment and then added to its own side, so batches may come in any order.
//! Which rows have no partner is settled at the end of the time, for the join keys that were touched.
//!
//! Rows with one join key form a *group*; a side keeps the rows of a group in a linked list of slots.
//!
//! What comes out may be the product of the two sides, so it is put out in parts; see [`Task::go_on`]. What only adds rows
//! goes out as it is made. What also removes some is held back, since much of that often cancels, but only so much of it:
//! within a time, removals may come in any order.
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
mod groups;
mod held;
mod pairing;
mod settling;

use std::collections::VecDeque;

use arrow_buffer::BooleanBuffer;
use towpath_types::{Batch, Column, DType, Key, Physical, Time};

use super::side::Side;
use super::{keys_of, usable};
use crate::error::EngineError;
use crate::operator::{Output, Task, TaskContext};
use crate::reporter::Reporter;
use crate::state::{self, Name, Saved, no_table};
use complaints::Complaints;
use groups::Groups;
use held::Held;
use pairing::Pairing;
use settling::Settling;

/// Which key a joined row gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JoinId {
    /// One made of the keys of both rows.
    #[default]
    Pair,
    /// That of the left row.
    Left,
    /// That of the right row.
    Right,
}

/// What becomes of rows without a partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unmatched {
    /// Nothing.
    Drop,
    /// The cells of the other side are `None`.
    Nones,
    /// The cells of the other side are errors, which are reported.
    Errors,
}

const LEFT: usize = 0;
const RIGHT: usize = 1;

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
    reporter: Reporter,
    id: JoinId,
    unmatched: [Unmatched; 2],
    /// Where each input has its join key; the key of the row itself where there is none.
    pointers: [Option<usize>; 2],
    /// The layouts of the columns of each side.
    layouts: [Vec<Physical>; 2],
    sides: [Side; 2],
    keeping: [Keeping; 2],
    /// Whether something of the open time was absorbed.
    is_open: bool,
    groups: Groups,
    /// Changes to rows whose groups had no partners before, with their groups.
    deltas: [VecDeque<(Batch, Vec<u32>)>; 2],
    held: Held,
    /// What is left to be done when the output was full.
    left: Option<Left>,
    complaints: Complaints,
}

/// What is left to be done.
enum Left {
    Pairing(Pairing),
    Settling(Settling),
}

impl JoinId {
    /// That of a row of this side.
    fn of(side: usize) -> Self {
        if side == LEFT { Self::Left } else { Self::Right }
    }
}

impl Matching {
    /// A matching of inputs whose columns, but for the join keys, are put out.
    pub(super) fn new(
        context: TaskContext,
        id: JoinId,
        unmatched: [Unmatched; 2],
        pointers: [Option<usize>; 2],
    ) -> Self {
        let layouts = [LEFT, RIGHT].map(|side| {
            let dtypes = context.dtypes[side].iter().enumerate();
            dtypes
                .filter(|(position, _)| Some(*position) != pointers[side])
                .map(|(_, dtype)| DType::physical(dtype))
                .collect::<Vec<_>>()
        });
        Self {
            id,
            unmatched,
            pointers,
            sides: [LEFT, RIGHT].map(|side| {
                Side::new(&layouts[side], context.append_only[side], context.unique_keys[side])
                    .keeping(context.keeps_state)
            }),
            keeping: [Keeping::Kept; 2],
            is_open: false,
            reporter: context.reporter,
            layouts,
            groups: Groups::new(context.keeps_state),
            deltas: [VecDeque::new(), VecDeque::new()],
            held: Held::default(),
            left: None,
            complaints: Complaints::default(),
        }
    }

    /// Whether what was before must be known at the end of a time.
    fn looks_back(&self) -> bool {
        self.id != JoinId::Pair || self.unmatched != [Unmatched::Drop; 2]
    }

    /// Notes that a group changes in the open time.
    fn touch(&mut self, group: u32) {
        if self.groups.touch(group) {
            self.correct(group, -1);
        }
    }

    /// The group of every row.
    fn find_groups(&mut self, keys: &[Key]) -> Vec<u32> {
        let looks_back = self.looks_back();
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            let group = self.groups.find(*key);
            if looks_back {
                self.touch(group);
            }
            found.push(group);
        }
        found
    }

    /// Forgets the rows of a side whose other side has ended, and the groups that only they had.
    fn forget(&mut self, side: usize) {
        self.keeping[side] = Keeping::Forgotten;
        self.sides[side].forget();
        self.groups.forget(side, self.looks_back());
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
        let unmatched = self.unmatched[side];
        if let Some(errors) = pointer.errors() {
            let wrong = batch.filter(errors);
            if unmatched != Unmatched::Errors {
                // Otherwise the error, which is known, spreads to the cells that were looked up.
                super::report_routed(&batch, pointer, Some(errors), "join condition", &self.reporter)?;
            }
            if unmatched != Unmatched::Drop {
                let alone = self.alone(side, &wrong, unmatched);
                self.held.put_out(alone, output);
            }
        }
        if let Some(nulls) = pointer.nulls()
            && unmatched != Unmatched::Drop
        {
            let mut none = !nulls.inner();
            if let Some(errors) = pointer.errors() {
                none = &none & &!errors;
            }
            let alone = self.alone(side, &batch.filter(&none), Unmatched::Nones);
            self.held.put_out(alone, output);
        }
        Ok((batch.filter(&mask), Some(mask)))
    }

    /// Rows of a side have been paired.
    fn paired(&mut self, pairing: Pairing, output: &mut Output) -> Result<(), EngineError> {
        let Pairing {
            side,
            batch,
            groups,
            passed,
            ..
        } = pairing;
        if let Some(alone) = passed {
            return self.passed(side, &batch, &groups, &alone, output);
        }
        let states = &mut self.groups;
        let owners: Vec<Key> = if self.sides[side].keeps_state() {
            groups.iter().map(|group| states[*group].key).collect()
        } else {
            Vec::new()
        };
        self.sides[side].add(&batch, &groups, &owners, |group, head| {
            std::mem::replace(&mut states[group].heads[side], head)
        });
        for (row, group) in groups.iter().enumerate() {
            self.groups[*group].counts[side] += batch.diff(row);
        }
        if self.unmatched[side] != Unmatched::Drop {
            self.deltas[side].push_back((batch, groups));
        }
        Ok(())
    }

    /// All that the touched groups mean has been put out or is held: the end of a time.
    fn settled(&mut self, touched: &[u32], output: &mut Output) -> Result<(), EngineError> {
        self.check_ids(touched)?;
        for group in touched {
            self.correct(*group, 1);
        }
        self.complaints.report(&self.reporter)?;
        output.push(self.held.take());
        self.groups.close(self.sides.iter_mut().flat_map(Side::take_emptied));
        self.sides.iter_mut().for_each(Side::shrink);
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
        self.sides.iter_mut().for_each(|side| side.open(time));
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
            let groups = self.find_groups(&keys);
            Pairing::new(side, batch, groups)
        } else {
            self.passing(side, batch, &keys)
        };
        self.left = Some(Left::Pairing(pairing));
        self.go_on(output)
    }

    fn go_on(&mut self, output: &mut Output) -> Result<(), EngineError> {
        match self.left.take() {
            Some(Left::Pairing(mut pairing)) => {
                if self.pair(&mut pairing, output) {
                    self.paired(pairing, output)?;
                } else {
                    self.left = Some(Left::Pairing(pairing));
                }
            }
            Some(Left::Settling(mut settling)) => {
                if self.settle(&mut settling, output) {
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
        if self.corrects() {
            // Whether a row that comes has several partners depends on those there were.
            return;
        }
        // Which rows have had no partner until now is settled at the end of the time, if one is open.
        if self.looks_back() && self.is_open {
            self.keeping[1 - input] = Keeping::UntilComplete;
        } else {
            self.forget(1 - input);
        }
    }

    fn complete(&mut self, _time: Time, output: &mut Output) -> Result<(), EngineError> {
        self.left = Some(Left::Settling(Settling::new(self.groups.take_touched())));
        self.go_on(output)
    }

    fn save(&mut self, saved: &mut Saved) {
        for side in [LEFT, RIGHT] {
            self.sides[side].save(side as u16, saved);
        }
        self.groups.save(COUNTS, saved);
    }

    fn restore(&mut self, table: u16, rows: Batch, owners: &[Key]) -> Result<(), EngineError> {
        match usize::from(table) {
            side @ (LEFT | RIGHT) => {
                let batch = self.sides[side].saved_rows(&rows, owners)?;
                let groups: Vec<u32> = owners.iter().map(|owner| self.groups.find(*owner)).collect();
                let names = rows.keys().iter().zip(owners);
                let names = names.map(|(identity, owner)| Name {
                    identity: *identity,
                    owner: *owner,
                });
                let states = &mut self.groups;
                self.sides[side].restore(&batch, &groups, names, |group, head| {
                    std::mem::replace(&mut states[group].heads[side], head)
                });
                for (row, group) in groups.iter().enumerate() {
                    self.groups[*group].counts[side] += batch.diff(row);
                }
                Ok(())
            }
            _ if table == COUNTS => {
                state::check(&rows, owners, &[Physical::Int; 2])?;
                let (left, right) = (state::ints(rows.column(LEFT))?, state::ints(rows.column(RIGHT))?);
                for ((key, left), right) in rows.keys().iter().zip(left).zip(right) {
                    self.groups.restore(*key, [*left, *right]);
                }
                Ok(())
            }
            _ => Err(no_table(table)),
        }
    }
}
