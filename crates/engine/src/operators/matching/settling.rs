//! The end of a time: which rows are without a partner now, and which were until now.

use arrow_buffer::BooleanBuffer;
use towpath_types::Batch;

use super::complaints::several_partners;
use super::groups::Group;
use super::{JoinId, LEFT, Matching, RIGHT, Unmatched};
use crate::error::EngineError;
use crate::operator::Output;
use crate::operators::side::END;

/// Where the end of a time stands.
pub(super) struct Settling {
    /// The groups that were touched.
    pub(super) touched: Vec<u32>,
    /// The side whose rows are looked at; the group, and the row in it if some have been looked at.
    side: usize,
    position: usize,
    slot: Option<u32>,
}

impl Settling {
    pub(super) fn new(touched: Vec<u32>) -> Self {
        Self {
            touched,
            side: LEFT,
            position: 0,
            slot: None,
        }
    }
}

/// Whether the rows of a side have no partner, before the open time and now.
fn is_alone(group: &Group, other: usize) -> (bool, bool) {
    (group.before[other] == 0, group.counts[other] == 0)
}

impl Matching {
    /// What the touched groups mean for rows without partners, until the output is full; whether that is all.
    pub(super) fn settle(&mut self, settling: &mut Settling, output: &mut Output) -> bool {
        while settling.side <= RIGHT {
            let side = settling.side;
            let how = self.unmatched[side];
            if how == Unmatched::Drop {
                settling.side += 1;
            } else if output.is_full() {
                return false;
            } else if let Some((batch, groups)) = self.deltas[side].pop_front() {
                self.settle_changes(side, &batch, &groups, output);
            } else if settling.position < settling.touched.len() {
                self.settle_groups(settling, output);
            } else {
                (settling.side, settling.position) = (side + 1, 0);
            }
        }
        true
    }

    /// Rows that have changed.
    fn settle_changes(&mut self, side: usize, batch: &Batch, groups: &[u32], output: &mut Output) {
        let (other, how) = (1 - side, self.unmatched[side]);
        let mask = BooleanBuffer::collect_bool(batch.len(), |row| {
            let group = &self.groups[groups[row]];
            match is_alone(group, other) {
                (true, true) => true,
                // The rows there were are all that are there now, less the changes: see below.
                (true, false) => group.before[side] != 0,
                (false, _) => false,
            }
        });
        if how == Unmatched::Errors {
            for row in mask.set_indices() {
                let pointer = self.groups[groups[row]].key;
                self.complaints.miss(batch.keys()[row], pointer, batch.diff(row));
            }
        }
        let alone = self.alone(side, &batch.filter(&mask), how);
        self.held.hold(alone, output);
    }

    /// Rows of groups whose partners have come or gone.
    fn settle_groups(&mut self, settling: &mut Settling, output: &mut Output) {
        let side = settling.side;
        let (other, how) = (1 - side, self.unmatched[side]);
        let (mut slots, mut diffs) = (Vec::new(), Vec::new());
        while settling.position < settling.touched.len() && slots.len() < Output::ROWS {
            let group = self.groups[settling.touched[settling.position]];
            let sign = match is_alone(&group, other) {
                (true, false) if group.before[side] != 0 => -1,
                (false, true) => 1,
                _ => {
                    settling.position += 1;
                    continue;
                }
            };
            let mut slot = settling.slot.take().unwrap_or(group.heads[side]);
            while slot != END && slots.len() < Output::ROWS {
                let diff = sign * self.sides[side].count(slot);
                slots.push(slot);
                diffs.push(diff);
                if how == Unmatched::Errors {
                    self.complaints.miss(self.sides[side].key(slot), group.key, diff);
                }
                slot = self.sides[side].next(slot);
            }
            if slot == END {
                settling.position += 1;
            } else {
                settling.slot = Some(slot);
            }
        }
        if !slots.is_empty() {
            let rows = self.sides[side].rows(&slots, diffs);
            let alone = self.alone(side, &rows, how);
            self.held.hold(alone, output);
        }
    }

    /// The side whose ids the rows have, if it is one of the two.
    fn own_side(&self) -> Option<usize> {
        match self.id {
            JoinId::Pair => None,
            JoinId::Left => Some(LEFT),
            JoinId::Right => Some(RIGHT),
        }
    }

    /// Finds rows that were given the key of a row they share with others, where the run ends with that.
    pub(super) fn check_ids(&self, touched: &[u32]) -> Result<(), EngineError> {
        let Some(own) = self.own_side().filter(|_| self.reporter.is_strict()) else {
            return Ok(());
        };
        for group in touched {
            let group = &self.groups[*group];
            if group.counts[1 - own] > 1 && group.counts[own] > 0 && group.heads[own] != END {
                return Err(several_partners(self.sides[own].key(group.heads[own])).into());
            }
        }
        Ok(())
    }

    /// Whether a row that has several partners, and whose id the pairs would have, is put out with errors instead.
    pub(super) fn corrects(&self) -> bool {
        self.id != JoinId::Pair && !self.reporter.is_strict()
    }

    /// Puts errors in place of the pairs of rows that have several partners as they are now, or, with the sign -1, takes
    /// that back.
    pub(super) fn correct(&mut self, group: u32, sign: i64) {
        let Some(own) = self.own_side().filter(|_| self.corrects()) else {
            return;
        };
        let other = 1 - own;
        let group = self.groups[group];
        if group.counts[other] <= 1 {
            return;
        }
        let slots = |side: usize| {
            let there = |slot: u32| Some(slot).filter(|slot| *slot != END);
            let next = |slot: &u32| there(self.sides[side].next(*slot));
            std::iter::successors(there(group.heads[side]), next).collect::<Vec<u32>>()
        };
        let (owns, others) = (slots(own), slots(other));
        let counts: Vec<i64> = owns.iter().map(|slot| sign * self.sides[own].count(*slot)).collect();
        let rows = self.sides[own].rows(&owns, counts);
        for (row, key) in rows.keys().iter().enumerate() {
            self.complaints.several(*key, rows.diff(row));
        }
        let (mut pair_rows, mut pair_slots, mut diffs) = (Vec::new(), Vec::new(), Vec::new());
        for row in 0..rows.len() {
            for slot in &others {
                pair_rows.push(row as u32);
                pair_slots.push(*slot);
                diffs.push(-rows.diff(row) * self.sides[other].count(*slot));
            }
        }
        let pairs = self.joined(own, &rows, &pair_rows, &pair_slots, diffs);
        let errors = self.alone(own, &rows, Unmatched::Errors);
        self.held.keep(pairs);
        self.held.keep(errors);
    }
}
