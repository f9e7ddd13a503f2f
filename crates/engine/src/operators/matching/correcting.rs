//! Rows that have several partners though the pairs would have their ids: an error ends the run, or takes their place.

use super::complaints::several_partners;
use super::inputs::{Inputs, JoinId, LEFT, RIGHT, Unmatched};
use crate::error::EngineError;
use crate::operators::side::END;

impl Inputs {
    /// Notes that a group changes in the open time.
    pub(super) fn touch(&mut self, group: u32) {
        if self.groups.touch(group) {
            self.correct(group, -1);
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
