//! A join in which the rows of a side, or of both, find one partner and are used up by it (`left_exactly_once`).
//!
//! A row leaves with its first partner: later ones do not see it, and its memory is free. So a group never has waiting
//! rows of a side that is used up beside rows of the other. That a row finds two partners at one time is an error, and so
//! is the removal of a row that was used up: what it was paired with is not known any more. A row that still waits can be
//! removed, and so can one of the other side; the pairs that it has made stay.
//!
//! | saved | columns | identity | owner |
//! |---|---|---|---|
//! | 0, 1: a row of the left, of the right | key, whether it has met, cells | when it came, its number in that time | join key |

use std::collections::HashMap;

use towpath_types::{Batch, BuildKeyHasher, Column, DType, DistinctKeys, Key, Physical, Shared, Time, hash_columns};

use super::keyed::Waiting;
use super::matching::JoinId;
use super::once_side::{OnceSide, Standing};
use super::{keys_of, report_routed, usable};
use crate::error::{EngineError, ErrorKind};
use crate::operator::{Output, Task, TaskContext};
use crate::reporter::Reporter;
use crate::state::{Saved, no_table};
use crate::store::shrink;

const LEFT: usize = 0;
const RIGHT: usize = 1;

/// See the module.
pub(super) struct JoinOnce {
    reporter: Reporter,
    id: JoinId,
    /// The sides whose rows are put out also without a partner, and those whose rows are used up.
    keeps: [bool; 2],
    once: [bool; 2],
    sides: [OnceSide; 2],
    /// The rows of each side that have a join key.
    groups: HashMap<Key, [Vec<u32>; 2], BuildKeyHasher>,
    waiting: [Waiting; 2],
}

/// What has come of a side.
#[derive(Default)]
struct Taken {
    /// The join keys whose groups have changed.
    touched: Vec<Key>,
    /// Rows that have no partner, since their join key is an error.
    single: Vec<u32>,
    /// Rows that were removed, and those of them that had been put out without a partner.
    gone: Vec<u32>,
    retracted: Vec<u32>,
}

impl JoinOnce {
    pub(super) fn new(context: TaskContext, id: JoinId, keeps: [bool; 2], once: [bool; 2]) -> Self {
        let rows = |side: usize| {
            let layouts = context.dtypes[side][1..].iter().map(DType::physical).collect();
            OnceSide::new(layouts, context.append_only[side], context.keeps_state)
        };
        Self {
            id,
            keeps,
            once,
            sides: [rows(LEFT), rows(RIGHT)],
            groups: HashMap::default(),
            waiting: [Waiting::default(), Waiting::default()],
            reporter: context.reporter,
        }
    }

    /// Takes the changes of a side that have come.
    fn take(&mut self, side: usize) -> Result<Taken, EngineError> {
        let batch = self.waiting[side].take_consolidated();
        let mut taken = Taken::default();
        if batch.is_empty() {
            return Ok(taken);
        }
        let pointer = batch.column(0);
        report_routed(&batch, pointer, pointer.errors(), "join condition", &self.reporter)?;
        let removed = (0..batch.len()).take_while(|row| batch.diff(*row) < 0).count();
        let (usable, keys) = (usable(pointer), keys_of(pointer));
        let is_usable = |row: usize| usable.as_ref().is_none_or(|usable| usable.value(row));
        let rows = &mut self.sides[side];
        let mut single = Vec::new();
        for row in 0..removed {
            if !is_usable(row) {
                single.push(row as u32);
                continue;
            }
            let key = batch.keys()[row];
            let Some(slot) = rows.positions.as_mut().and_then(|positions| positions.remove(&key)) else {
                let message = format!("Expected table to be append-only, but got deletion for key: {key}.");
                return Err(EngineError::new(ErrorKind::Value, message));
            };
            if rows.standing[slot as usize] == Standing::Alone {
                taken.retracted.push(slot);
            }
            rows.standing[slot as usize] = Standing::Gone;
            taken.gone.push(slot);
            taken.touched.push(keys[row]);
        }
        let carried = |rows: &Batch| rows.with_columns(rows.columns()[1..].to_vec());
        // Rows without a partner were not kept, but they are known by what is removed.
        let single = rows.add(&carried(&batch.take(&single)));
        taken.retracted.extend_from_slice(&single);
        taken.gone.extend(single);
        let slots = rows.add(&carried(&batch.slice(removed, batch.len() - removed)));
        for (row, slot) in (removed..).zip(slots) {
            if !is_usable(row) {
                taken.single.push(slot);
                continue;
            }
            if let Some(positions) = &mut rows.positions {
                positions.insert(batch.keys()[row], slot);
            }
            if let Some(changes) = &mut rows.changes {
                changes.add(slot, keys[row]);
            }
            self.groups.entry(keys[row]).or_default()[side].push(slot);
            taken.touched.push(keys[row]);
        }
        Ok(taken)
    }

    fn keys(&self, keys: [Vec<Key>; 2]) -> Vec<Key> {
        let [left, right] = keys;
        match self.id {
            JoinId::Left => left,
            JoinId::Right => right,
            JoinId::Pair => left
                .into_iter()
                .zip(right)
                .map(|(left, right)| Key::pair(left, right))
                .collect(),
        }
    }

    /// Rows of both sides next to each other.
    fn pairs(&self, slots: &[Vec<u32>; 2]) -> Batch {
        let (left_keys, mut columns) = self.sides[LEFT].gather(&slots[LEFT]);
        let (right_keys, right) = self.sides[RIGHT].gather(&slots[RIGHT]);
        columns.extend(right);
        Batch::new(self.keys([left_keys, right_keys]), columns, None)
    }

    /// Rows of a side without a partner.
    fn alone(&self, side: usize, slots: &[u32]) -> Batch {
        let (keys, own) = self.sides[side].gather(slots);
        let none = |layout: &Physical| layout.nones(slots.len());
        let others = self.sides[1 - side].layouts.iter().map(none).collect();
        let (mut columns, right) = if side == LEFT { (own, others) } else { (others, own) };
        columns.extend(right);
        if self.id != JoinId::Pair {
            return Batch::new(keys, columns, None);
        }
        let own: Shared<Key> = keys.into();
        let (own, none) = (Column::pointers(own), Physical::Pointer.nones(slots.len()));
        let both = if side == LEFT { [&own, &none] } else { [&none, &own] };
        Batch::new(hash_columns(&both, slots.len()), columns, None)
    }
}

impl Task for JoinOnce {
    fn open(&mut self, time: Time) {
        for changes in self.sides.iter_mut().filter_map(|side| side.changes.as_mut()) {
            changes.open(time);
        }
    }

    fn absorb(&mut self, side: usize, batch: Batch, _output: &mut Output) -> Result<(), EngineError> {
        self.waiting[side].push(batch);
        Ok(())
    }

    fn complete(&mut self, _time: Time, output: &mut Output) -> Result<(), EngineError> {
        let taken = [self.take(LEFT)?, self.take(RIGHT)?];
        let mut touched: Vec<Key> = taken.iter().flat_map(|taken| taken.touched.iter().copied()).collect();
        let mut seen = DistinctKeys::with_capacity(touched.len());
        touched.retain(|key| seen.insert_all(std::slice::from_ref(key)));
        let removes = taken.iter().any(|taken| !taken.gone.is_empty());
        let mut pairs = [Vec::new(), Vec::new()];
        // Rows that are put out without a partner, and those that were until now.
        let mut alone = [LEFT, RIGHT].map(|side| taken[side].single.clone());
        let mut met = [LEFT, RIGHT].map(|side| taken[side].retracted.clone());
        let mut used = taken.map(|taken| [taken.single, taken.gone].concat());
        for key in touched {
            let Some(group) = self.groups.get_mut(&key) else {
                continue;
            };
            if removes {
                for (slots, rows) in group.iter_mut().zip(&self.sides) {
                    slots.retain(|slot| rows.standing[*slot as usize] != Standing::Gone);
                }
                if group.iter().all(Vec::is_empty) {
                    self.groups.remove(&key);
                    continue;
                }
            }
            if let Some(side) = [LEFT, RIGHT].into_iter().find(|side| group[1 - *side].is_empty()) {
                let rows = &self.sides[side];
                // Those that are new are the last.
                let new = group[side].partition_point(|slot| rows.standing[*slot as usize] != Standing::New);
                alone[side].extend_from_slice(&group[side][new..]);
                continue;
            }
            if self.once[LEFT] && group[RIGHT].len() > 1 || self.once[RIGHT] && group[LEFT].len() > 1 {
                let message =
                    "Repeated entry in a batch: a row that is to find exactly one partner finds several at once";
                return Err(EngineError::new(ErrorKind::Value, message));
            }
            for left in &group[LEFT] {
                pairs[LEFT].extend(std::iter::repeat_n(*left, group[RIGHT].len()));
                pairs[RIGHT].extend_from_slice(&group[RIGHT]);
            }
            for side in [LEFT, RIGHT] {
                let rows = &self.sides[side];
                met[side].extend(
                    group[side]
                        .iter()
                        .filter(|slot| rows.standing[**slot as usize] == Standing::Alone),
                );
                if self.once[side] {
                    used[side].append(&mut group[side]);
                }
            }
            if group.iter().all(Vec::is_empty) {
                self.groups.remove(&key);
            }
        }
        for side in [LEFT, RIGHT].into_iter().filter(|side| self.keeps[*side]) {
            output.push(self.alone(side, &met[side]).negated());
            output.push(self.alone(side, &alone[side]));
        }
        for side in [LEFT, RIGHT] {
            for (slots, standing) in [(&alone[side], Standing::Alone), (&pairs[side], Standing::Met)] {
                for slot in slots {
                    self.sides[side].stand(*slot, standing);
                }
            }
        }
        output.push(self.pairs(&pairs));
        for (side, used) in used.into_iter().enumerate() {
            used.into_iter().for_each(|slot| self.sides[side].remove(slot));
        }
        shrink(&mut self.groups);
        Ok(())
    }

    fn save(&mut self, saved: &mut Saved) {
        for side in [LEFT, RIGHT] {
            self.sides[side].save(side as u16, saved);
        }
    }

    fn restore(&mut self, table: u16, rows: Batch, owners: &[Key]) -> Result<(), EngineError> {
        let side = usize::from(table);
        let rows_of_side = self.sides.get_mut(side).ok_or_else(|| no_table(table))?;
        for (slot, owner) in rows_of_side.restore(&rows, owners)?.into_iter().zip(owners) {
            self.groups.entry(*owner).or_default()[side].push(slot);
        }
        Ok(())
    }
}
