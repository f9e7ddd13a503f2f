//! Pairs the rows of two inputs that have the same join key: the work behind `join` and `lookup`.
//!
//! With the changes dL and dR of a time, (L+dL)⋈(R+dR) − L⋈R = dL⋈R + (L+dL)⋈dR: every batch is paired with
//! what the other side holds at that moment and then added to its own side, so batches may come in any order.
//! Which rows have no partner is settled at the end of the time, for the join keys that were touched.
//!
//! Rows with one join key form a *group*; a side keeps the rows of a group in a linked list of slots.
//!
//! When an input ends, the other side's rows will never be sought again: they are forgotten, and those that come
//! are no longer kept. A stream that is joined with a static table takes no memory.

use std::collections::HashMap;

use arrow_array::UInt32Array;
use arrow_buffer::BooleanBuffer;
use towpath_types::{Batch, BuildKeyHasher, Column, DType, Key, Physical, Shared, Time, hash_columns};

use super::side::{END, Side};
use super::{keys_of, usable};
use crate::error::{EngineError, ErrorKind, RowError};
use crate::operator::{Output, Reporter, Task, TaskContext};
use crate::store::Slots;

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

/// How many joined rows go into one batch, roughly.
const ROWS_A_BATCH: usize = 1 << 16;

const LEFT: usize = 0;
const RIGHT: usize = 1;

/// What two inputs have in common under one join key.
#[derive(Clone, Copy, Debug)]
struct Group {
    key: Key,
    /// The first slot of each side.
    heads: [u32; 2],
    /// The number of rows of each side, and what it was before the open time.
    counts: [i64; 2],
    before: [i64; 2],
    /// When it was last touched.
    commit: u64,
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
    /// Whether the rows of each side may still be sought, and so are kept.
    kept: [bool; 2],
    /// Whether something of the open time was absorbed.
    is_open: bool,
    /// Whether the other side of each has ended in the open time.
    ending: [bool; 2],
    index: HashMap<Key, u32, BuildKeyHasher>,
    slots: Slots,
    groups: Vec<Group>,
    commit: u64,
    touched: Vec<u32>,
    /// Changes to rows whose groups had no partners before, with their groups.
    deltas: [Vec<(Batch, Vec<u32>)>; 2],
    /// What cannot be put out before the end of the time, since some of it may cancel.
    held: Vec<Batch>,
    /// By the keys of their rows, the join keys that must have a partner and may have none.
    missing: HashMap<Key, Missing, BuildKeyHasher>,
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
                .filter(|(place, _)| Some(*place) != pointers[side])
                .map(|(_, dtype)| DType::physical(dtype))
                .collect::<Vec<_>>()
        });
        Self {
            id,
            unmatched,
            pointers,
            sides: [LEFT, RIGHT]
                .map(|side| Side::new(&layouts[side], context.append_only[side], context.unique_keys[side])),
            kept: [true; 2],
            is_open: false,
            ending: [false; 2],
            reporter: context.reporter,
            layouts,
            index: HashMap::default(),
            slots: Slots::default(),
            groups: Vec::new(),
            commit: 1,
            touched: Vec::new(),
            deltas: [Vec::new(), Vec::new()],
            held: Vec::new(),
            missing: HashMap::default(),
        }
    }

    /// Whether what was before must be known at the end of a time.
    fn looks_back(&self) -> bool {
        self.id != JoinId::Pair || self.unmatched != [Unmatched::Drop; 2]
    }

    /// Notes that a group changes in the open time.
    fn touch(&mut self, group: u32) {
        let state = &mut self.groups[group as usize];
        if state.commit != self.commit {
            state.commit = self.commit;
            state.before = state.counts;
            self.touched.push(group);
        }
    }

    /// The group of every row.
    fn find_groups(&mut self, keys: &[Key]) -> Vec<u32> {
        let looks_back = self.looks_back();
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            let group = *self.index.entry(*key).or_insert_with(|| self.slots.take());
            let place = group as usize;
            if place >= self.groups.len() || self.groups[place].heads == [END; 2] && self.groups[place].key != *key {
                let new = Group {
                    key: *key,
                    heads: [END; 2],
                    counts: [0; 2],
                    before: [0; 2],
                    commit: 0,
                };
                if place == self.groups.len() {
                    self.groups.push(new);
                } else {
                    self.groups[place] = new;
                }
            }
            if looks_back {
                self.touch(group);
            }
            found.push(group);
        }
        found
    }

    /// Pairs rows with the other side, which has ended, without keeping them.
    fn pass(&mut self, side: usize, batch: &Batch, keys: &[Key], output: &mut Output) -> Result<(), EngineError> {
        let other = 1 - side;
        let mut groups = Vec::with_capacity(keys.len());
        let found = BooleanBuffer::collect_bool(keys.len(), |row| {
            let group = self.index.get(&keys[row]);
            groups.extend(group);
            group.is_some()
        });
        let partnered = batch.filter(&found);
        self.pair(side, &partnered, &groups, output);
        if !self.looks_back() {
            return Ok(());
        }
        // What the other side's rows without partners and the ids of its rows depend on is still counted.
        for (row, group) in groups.iter().enumerate() {
            self.touch(*group);
            self.groups[*group as usize].counts[side] += partnered.diff(row);
            if self.id == JoinId::of(side) && self.groups[*group as usize].counts[other] > 1 {
                return Err(several_partners(partnered.keys()[row]));
            }
        }
        let how = self.unmatched[side];
        if how != Unmatched::Drop && groups.len() < keys.len() {
            if how == Unmatched::Errors {
                for row in (0..keys.len()).filter(|row| !found.value(*row)) {
                    miss(&mut self.missing, batch.keys()[row], keys[row], batch.diff(row));
                }
            }
            let alone = self.alone(side, &batch.filter(&!&found), how);
            self.put_out(alone, output);
        }
        Ok(())
    }

    /// Forgets the rows of a side whose other side has ended, and the groups that only they had.
    fn forget(&mut self, side: usize) {
        self.kept[side] = false;
        self.sides[side] = Side::new(&self.layouts[side], true, false);
        let (groups, slots) = (&mut self.groups, &mut self.slots);
        self.index.retain(|_, place| {
            let group = &mut groups[*place as usize];
            group.heads[side] = END;
            let may_match = group.heads[1 - side] != END;
            if !may_match {
                group.counts = [0; 2];
                slots.give_back(*place);
            }
            may_match
        });
    }

    /// Pairs the rows of a batch with what the other side holds.
    fn pair(&mut self, side: usize, batch: &Batch, groups: &[u32], output: &mut Output) {
        let other = 1 - side;
        let (mut rows, mut slots, mut diffs) = (Vec::new(), Vec::new(), Vec::new());
        for (row, group) in groups.iter().enumerate() {
            let mut slot = self.groups[*group as usize].heads[other];
            while slot != END {
                rows.push(row as u32);
                slots.push(slot);
                diffs.push(batch.diff(row) * self.sides[other].count(slot));
                slot = self.sides[other].next(slot);
            }
            if rows.len() >= ROWS_A_BATCH {
                let joined = self.joined(side, batch, &rows, &slots, std::mem::take(&mut diffs));
                self.put_out(joined, output);
                rows.clear();
                slots.clear();
            }
        }
        if !rows.is_empty() {
            let joined = self.joined(side, batch, &rows, &slots, diffs);
            self.put_out(joined, output);
        }
    }

    fn joined(&self, side: usize, batch: &Batch, rows: &[u32], slots: &[u32], diffs: Vec<i64>) -> Batch {
        let own_keys: Vec<Key> = rows.iter().map(|row| batch.keys()[*row as usize]).collect();
        // Very often every row has exactly one partner.
        let is_every_row = rows.len() == batch.len() && rows.iter().enumerate().all(|(at, row)| at == *row as usize);
        let own: Vec<Column> = if is_every_row {
            batch.columns().to_vec()
        } else {
            let indices = UInt32Array::from(rows.to_vec());
            batch.columns().iter().map(|column| column.take(&indices)).collect()
        };
        let other = &self.sides[1 - side];
        let other_keys: Vec<Key> = slots.iter().map(|slot| other.key(*slot)).collect();
        let other = other.gather(slots);
        let (left_keys, right_keys, mut columns, right) = if side == LEFT {
            (own_keys, other_keys, own, other)
        } else {
            (other_keys, own_keys, other, own)
        };
        columns.extend(right);
        let keys: Vec<Key> = match self.id {
            JoinId::Left => left_keys,
            JoinId::Right => right_keys,
            JoinId::Pair => left_keys
                .into_iter()
                .zip(right_keys)
                .map(|(left, right)| Key::pair(left, right))
                .collect(),
        };
        Batch::new(keys, columns, Some(diffs.into()))
    }

    /// Rows of a side without a partner.
    fn alone(&self, side: usize, rows: &Batch, how: Unmatched) -> Batch {
        let len = rows.len();
        let mut others: Vec<Column> = self.layouts[1 - side].iter().map(|layout| layout.nones(len)).collect();
        if how == Unmatched::Errors {
            let all = BooleanBuffer::new_set(len);
            others = others.iter().map(|column| column.masked(Some(&all))).collect();
        }
        let own = rows.columns().to_vec();
        let (mut columns, right) = if side == LEFT { (own, others) } else { (others, own) };
        columns.extend(right);
        let keys: Shared<Key> = if self.id == JoinId::Pair {
            let own = Column::pointers(rows.keys().clone());
            let none = Physical::Pointer.nones(len);
            let both = if side == LEFT { [&own, &none] } else { [&none, &own] };
            hash_columns(&both, len).into()
        } else {
            rows.keys().clone()
        };
        Batch::new(keys, columns, rows.diffs().cloned())
    }

    /// Puts out what only adds rows, and holds what also removes some: much of that often cancels at the end of the
    /// time. It may remove what has been put out at this time, which is as good as any other order within a time.
    fn put_out(&mut self, batch: Batch, output: &mut Output) {
        if batch.is_insert_only() {
            output.push(batch);
        } else {
            self.held.push(batch);
        }
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
                super::report_skipped(&batch, pointer, "join condition", &self.reporter)?;
            }
            if unmatched != Unmatched::Drop {
                let alone = self.alone(side, &wrong, unmatched);
                self.put_out(alone, output);
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
            self.put_out(alone, output);
        }
        Ok((batch.filter(&mask), Some(mask)))
    }

    /// What the touched groups mean for rows without partners.
    fn settle(&mut self, side: usize, touched: &[u32]) {
        let (other, how) = (1 - side, self.unmatched[side]);
        if how == Unmatched::Drop {
            return;
        }
        let is_alone = |group: &Group| (group.before[other] == 0, group.counts[other] == 0);
        for (batch, groups) in std::mem::take(&mut self.deltas[side]) {
            let mask = BooleanBuffer::collect_bool(batch.len(), |row| {
                let group = &self.groups[groups[row] as usize];
                match is_alone(group) {
                    (true, true) => true,
                    // The rows there were are all that are there now, less the changes: see below.
                    (true, false) => group.before[side] != 0,
                    (false, _) => false,
                }
            });
            if how == Unmatched::Errors {
                for row in mask.set_indices() {
                    let pointer = self.groups[groups[row] as usize].key;
                    miss(&mut self.missing, batch.keys()[row], pointer, batch.diff(row));
                }
            }
            self.held.push(self.alone(side, &batch.filter(&mask), how));
        }
        let (mut slots, mut diffs) = (Vec::new(), Vec::new());
        for group in touched {
            let group = &self.groups[*group as usize];
            let sign = match is_alone(group) {
                (true, false) if group.before[side] != 0 => -1,
                (false, true) => 1,
                _ => continue,
            };
            let mut slot = group.heads[side];
            while slot != END {
                slots.push(slot);
                diffs.push(sign * self.sides[side].count(slot));
                if how == Unmatched::Errors {
                    let diff = sign * self.sides[side].count(slot);
                    miss(&mut self.missing, self.sides[side].key(slot), group.key, diff);
                }
                slot = self.sides[side].next(slot);
            }
        }
        if !slots.is_empty() {
            let rows = self.sides[side].rows(&slots, diffs);
            self.held.push(self.alone(side, &rows, how));
        }
    }

    /// Reports the rows that come out and whose partners are missing though they must not be.
    fn report_missing(&mut self) -> Result<(), EngineError> {
        let mut missing: Vec<Missing> = std::mem::take(&mut self.missing).into_values().collect();
        missing.retain(|missing| missing.count > 0);
        missing.sort_by_key(|missing| (missing.row, missing.pointer));
        for Missing { row, pointer, .. } in missing {
            let message = format!("key {pointer} is not in the table it is looked up in");
            let mut error = RowError::new(ErrorKind::Key, message);
            error.key = Some(row);
            self.reporter.report(error)?;
        }
        Ok(())
    }

    /// Finds rows that were given the key of a row they share with others.
    fn check_ids(&self, touched: &[u32]) -> Result<(), EngineError> {
        let (own, other) = match self.id {
            JoinId::Pair => return Ok(()),
            JoinId::Left => (LEFT, RIGHT),
            JoinId::Right => (RIGHT, LEFT),
        };
        for group in touched {
            let group = &self.groups[*group as usize];
            if group.counts[other] > 1 && group.counts[own] > 0 && group.heads[own] != END {
                let key = self.sides[own].key(group.heads[own]);
                return Err(several_partners(key));
            }
        }
        Ok(())
    }
}

fn several_partners(key: Key) -> EngineError {
    EngineError::new(
        ErrorKind::Key,
        format!("duplicate key {key}: a row has several partners, so their pairs cannot have its id"),
    )
}

/// A row whose partner is missing though it must not be.
struct Missing {
    row: Key,
    pointer: Key,
    /// How often it comes out in this time; a row may come and go within it.
    count: i64,
}

fn miss(missing: &mut HashMap<Key, Missing, BuildKeyHasher>, row: Key, pointer: Key, diff: i64) {
    let entry = missing
        .entry(Key::pair(row, pointer))
        .or_insert(Missing { row, pointer, count: 0 });
    entry.count += diff;
}

impl Task for Matching {
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
        if !self.kept[side] {
            return self.pass(side, &batch, &keys, output);
        }
        let groups = self.find_groups(&keys);
        self.pair(side, &batch, &groups, output);
        let states = &mut self.groups;
        self.sides[side].add(&batch, &groups, |group, head| {
            std::mem::replace(&mut states[group as usize].heads[side], head)
        });
        for (row, group) in groups.iter().enumerate() {
            self.groups[*group as usize].counts[side] += batch.diff(row);
        }
        if self.unmatched[side] != Unmatched::Drop {
            self.deltas[side].push((batch, groups));
        }
        Ok(())
    }

    fn input_ended(&mut self, input: usize) {
        // Which rows have had no partner until now is settled at the end of the time, if one is open.
        if self.looks_back() && self.is_open {
            self.ending[1 - input] = true;
        } else {
            self.forget(1 - input);
        }
    }

    fn complete(&mut self, _time: Time, output: &mut Output) -> Result<(), EngineError> {
        let touched = std::mem::take(&mut self.touched);
        self.settle(LEFT, &touched);
        self.settle(RIGHT, &touched);
        self.check_ids(&touched)?;
        let held = Batch::concat(
            &std::mem::take(&mut self.held)
                .into_iter()
                .filter(|batch| !batch.is_empty())
                .collect::<Vec<_>>(),
        );
        let held = if held.is_insert_only() {
            held
        } else {
            held.consolidated()
        };
        self.report_missing()?;
        output.push(held);
        for group in self.sides.iter_mut().flat_map(Side::take_emptied) {
            let state = self.groups[group as usize];
            if state.heads == [END; 2] && self.index.remove(&state.key).is_some() {
                self.slots.give_back(group);
                self.groups[group as usize].counts = [0; 2];
            }
        }
        for side in [LEFT, RIGHT] {
            if std::mem::take(&mut self.ending[side]) {
                self.forget(side);
            }
        }
        self.commit += 1;
        self.is_open = false;
        Ok(())
    }
}
