//! Rows of one side paired with those of the other, a batch at a time.

use arrow_buffer::BooleanBuffer;
use towpath_types::{Batch, Key};

use super::complaints::several_partners;
use super::inputs::{Inputs, JoinId, Unmatched};
use crate::error::EngineError;
use crate::operator::Output;
use crate::operators::side::END;

/// Rows of a side that are being paired.
pub(super) struct Pairing {
    side: usize,
    batch: Batch,
    /// The group of every row.
    groups: Vec<u32>,
    /// Where it stands: the row, and its next partner if it has had some.
    row: usize,
    slot: Option<u32>,
    /// Of rows that are not kept: those that have no group, with their join keys.
    passed: Option<Alone>,
}

/// Rows without a group.
pub(super) struct Alone {
    rows: Batch,
    keys: Vec<Key>,
}

impl Pairing {
    pub(super) fn new(side: usize, batch: Batch, groups: Vec<u32>) -> Self {
        Self {
            side,
            batch,
            groups,
            row: 0,
            slot: None,
            passed: None,
        }
    }
}

impl Inputs {
    /// The group of every row.
    pub(super) fn find_groups(&mut self, keys: &[Key]) -> Vec<u32> {
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

    /// Rows whose other side has ended: they are paired without being kept.
    pub(super) fn passing(&self, side: usize, batch: Batch, keys: &[Key]) -> Pairing {
        let mut groups = Vec::with_capacity(keys.len());
        let found = BooleanBuffer::collect_bool(keys.len(), |row| {
            let group = self.groups.get(&keys[row]);
            groups.extend(group);
            group.is_some()
        });
        let alone = if self.looks_back() {
            !&found
        } else {
            BooleanBuffer::new_unset(keys.len())
        };
        let passed = Alone {
            rows: batch.filter(&alone),
            keys: alone.set_indices().map(|row| keys[row]).collect(),
        };
        Pairing {
            passed: Some(passed),
            ..Pairing::new(side, batch.filter(&found), groups)
        }
    }

    /// What else they mean, once they have been paired.
    fn passed(
        &mut self,
        side: usize,
        partnered: &Batch,
        groups: &[u32],
        alone: &Alone,
        output: &mut Output,
    ) -> Result<(), EngineError> {
        if !self.looks_back() {
            return Ok(());
        }
        // What the other side's rows without partners and the ids of its rows depend on is still counted.
        for (row, group) in groups.iter().enumerate() {
            self.touch(*group);
            self.groups[*group].counts[side] += partnered.diff(row);
            if self.id == JoinId::of(side) && self.groups[*group].counts[1 - side] > 1 {
                return Err(several_partners(partnered.keys()[row]).into());
            }
        }
        let how = self.unmatched[side];
        if how == Unmatched::Drop || alone.rows.is_empty() {
            return Ok(());
        }
        if how == Unmatched::Errors {
            for (row, key) in alone.keys.iter().enumerate() {
                self.complaints.miss(alone.rows.keys()[row], *key, alone.rows.diff(row));
            }
        }
        let alone = self.alone(side, &alone.rows, how);
        self.put_out(alone, output);
        Ok(())
    }

    /// Pairs rows with what the other side holds, until the output is full; whether all are.
    pub(super) fn pair(&mut self, pairing: &mut Pairing, output: &mut Output) -> bool {
        let (side, other) = (pairing.side, 1 - pairing.side);
        while !output.is_full() {
            let (mut rows, mut slots, mut diffs) = (Vec::new(), Vec::new(), Vec::new());
            while pairing.row < pairing.groups.len() && rows.len() < Output::ROWS {
                let head = || self.groups[pairing.groups[pairing.row]].heads[other];
                let mut slot = pairing.slot.take().unwrap_or_else(head);
                while slot != END && rows.len() < Output::ROWS {
                    rows.push(pairing.row as u32);
                    slots.push(slot);
                    diffs.push(pairing.batch.diff(pairing.row) * self.sides[other].count(slot));
                    slot = self.sides[other].next(slot);
                }
                if slot == END {
                    pairing.row += 1;
                } else {
                    pairing.slot = Some(slot);
                }
            }
            if rows.is_empty() {
                return true;
            }
            let joined = self.joined(side, &pairing.batch, &rows, &slots, diffs);
            self.put_out(joined, output);
        }
        pairing.row == pairing.groups.len()
    }

    /// Rows of a side have been paired.
    pub(super) fn paired(&mut self, pairing: Pairing, output: &mut Output) -> Result<(), EngineError> {
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
}
