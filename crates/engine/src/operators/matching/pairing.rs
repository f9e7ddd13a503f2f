//! Rows of one side paired with those of the other, a batch at a time.

use arrow_buffer::BooleanBuffer;
use towpath_types::{Batch, Column, Key, Physical, Shared, hash_columns};

use super::complaints::several_partners;
use super::{JoinId, LEFT, Matching, Unmatched};
use crate::error::EngineError;
use crate::operator::Output;
use crate::operators::side::END;

/// Rows of a side that are being paired.
pub(super) struct Pairing {
    pub(super) side: usize,
    pub(super) batch: Batch,
    /// The group of every row.
    pub(super) groups: Vec<u32>,
    /// Where it stands: the row, and its next partner if it has had some.
    row: usize,
    slot: Option<u32>,
    /// Of rows that are not kept: those that have no group, with their join keys.
    pub(super) passed: Option<Alone>,
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

impl Matching {
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
    pub(super) fn passed(
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
        self.held.put_out(alone, output);
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
            self.held.put_out(joined, output);
        }
        pairing.row == pairing.groups.len()
    }

    /// The pairs of rows of a batch with slots of the other side.
    pub(super) fn joined(&self, side: usize, batch: &Batch, rows: &[u32], slots: &[u32], diffs: Vec<i64>) -> Batch {
        let own_keys: Vec<Key> = rows.iter().map(|row| batch.keys()[*row as usize]).collect();
        // Very often every row has exactly one partner.
        let is_every_row = rows.len() == batch.len() && rows.iter().enumerate().all(|(at, row)| at == *row as usize);
        let own: Vec<Column> = if is_every_row {
            batch.columns().to_vec()
        } else {
            batch.columns().iter().map(|column| column.take(rows)).collect()
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
    pub(super) fn alone(&self, side: usize, rows: &Batch, how: Unmatched) -> Batch {
        let len = rows.len();
        let other = |layout: &Physical| match how {
            Unmatched::Errors => layout.errors(len),
            _ => layout.nones(len),
        };
        let others: Vec<Column> = self.layouts[1 - side].iter().map(other).collect();
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
}
