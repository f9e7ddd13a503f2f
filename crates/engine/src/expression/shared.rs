//! Results of parts of an expression that have several readers: each row of a batch is computed once, when the first
//! reader asks for it.
//!
//! Readers may want different rows, since branches evaluate their arguments for the rows that need them. So what is kept
//! says for which rows it is, and grows. What was computed for somebody who hides failures (`fill_error`, a branch that
//! is tried) has not been reported; its errors are computed again for the first who does not hide them.

use std::cell::RefCell;
use std::collections::HashSet;

use arrow_buffer::BooleanBuffer;
use towpath_types::Column;

use super::evaluate::Part;
use super::{Expression, Operand};
use crate::error::EngineError;

/// No place in `Results::column`.
const NOWHERE: u32 = u32::MAX;

/// The results of all shared parts for one batch.
pub(super) struct SharedResults {
    /// The number of rows of the batch.
    len: usize,
    slots: RefCell<Vec<Option<Results>>>,
}

#[derive(Clone)]
struct Results {
    /// In the order in which they were computed.
    operand: Operand,
    /// For each row of the batch, where its result is; nothing if there is one for each, in order.
    positions: Option<Vec<u32>>,
    /// The positions of errors that have not been reported.
    hidden: HashSet<u32>,
}

impl SharedResults {
    pub(super) fn new(len: usize) -> Self {
        Self {
            len,
            slots: RefCell::default(),
        }
    }

    fn take(&self, slot: usize) -> Option<Results> {
        self.slots.borrow_mut().get_mut(slot).and_then(Option::take)
    }

    fn put(&self, slot: usize, results: Results) {
        let mut slots = self.slots.borrow_mut();
        if slots.len() <= slot {
            slots.resize_with(slot + 1, || None);
        }
        slots[slot] = Some(results);
    }
}

impl Results {
    /// Where the result for a row of the batch is, if it can be read by the part.
    fn position(&self, row: u32, part: &Part<'_>) -> Option<u32> {
        let position = match &self.positions {
            _ if self.operand.is_scalar() => 0,
            Some(positions) => positions[row as usize],
            None => row,
        };
        (position != NOWHERE && (part.is_silent || !self.hidden.contains(&position))).then_some(position)
    }

    /// Remembers the errors that have just been put at the end, if nobody was told of them.
    fn hide(&mut self, from: usize, part: &Part<'_>) {
        let column = self.operand.cells();
        if part.is_silent && column.errors().is_some() {
            let wrong = (from..column.len()).filter(|position| column.is_error(*position));
            self.hidden.extend(wrong.map(|position| position as u32));
        }
    }
}

impl Expression {
    /// The results, computed for the rows for which that has not been done yet.
    pub(super) fn shared_operand(&self, slot: usize, part: &Part<'_>) -> Result<Operand, EngineError> {
        let rows = |row: usize| part.positions.map_or(row as u32, |positions| positions[row]);
        let Some(mut results) = part.shared.take(slot) else {
            let operand = self.computed(part)?;
            let positions = part.positions.filter(|_| !operand.is_scalar()).map(|rows| {
                let mut positions = vec![NOWHERE; part.shared.len];
                for (position, row) in rows.iter().enumerate() {
                    positions[*row as usize] = position as u32;
                }
                positions
            });
            let mut results = Results {
                operand: operand.clone(),
                positions,
                hidden: HashSet::new(),
            };
            results.hide(0, part);
            part.shared.put(slot, results);
            return Ok(operand);
        };
        let missing = BooleanBuffer::collect_bool(part.len(), |row| results.position(rows(row), part).is_none());
        if missing.count_set_bits() > 0 {
            let more = part.only(&[self], &missing, |part| self.computed(part))?;
            if more.is_scalar() {
                // What is the same for all rows was an error that nobody was told of.
                part.shared.put(
                    slot,
                    Results {
                        operand: more.clone(),
                        positions: None,
                        hidden: HashSet::new(),
                    },
                );
                return Ok(more);
            }
            let kept = results.operand.cells().with_layout_of(self.dtype());
            let from = kept.len();
            let column = Column::concat(&[&kept, &more.cells().with_layout_of(self.dtype())]);
            let positions = results
                .positions
                .get_or_insert_with(|| (0..part.shared.len as u32).collect());
            for (number, row) in missing.set_indices().enumerate() {
                positions[rows(row) as usize] = (from + number) as u32;
            }
            results.operand = Operand::column(column);
            results.hide(from, part);
        }
        let operand = match (&results.positions, part.positions) {
            _ if results.operand.is_scalar() => results.operand.clone(),
            (None, None) => results.operand.clone(),
            (None, Some(positions)) => Operand::column(results.operand.cells().take(positions)),
            (Some(positions), _) => {
                let positions: Vec<u32> = (0..part.len()).map(|row| positions[rows(row) as usize]).collect();
                Operand::column(results.operand.cells().take(&positions))
            }
        };
        part.shared.put(slot, results);
        Ok(operand)
    }
}
