//! The end of a time: which rows are without a partner now, and which were until now.

use arrow_buffer::BooleanBuffer;
use towpath_types::Batch;

use super::groups::Group;
use super::inputs::{Inputs, LEFT, RIGHT, Unmatched};
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

impl Inputs {
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
}
