//! The program of a node, built up while filters are fused into it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::error::Origin;
use crate::expression::Expression;
use crate::plan::ColumnId;
use crate::program::{Program, Step};

/// Assigns slots to columns.
pub(super) struct ProgramBuilder {
    slots: HashMap<ColumnId, usize>,
    width: usize,
    inputs: usize,
    steps: Vec<Step>,
    output: Vec<ColumnId>,
}

impl ProgramBuilder {
    /// A program of batches with these columns.
    pub(super) fn new(layout: Vec<ColumnId>) -> Self {
        Self {
            width: layout.len(),
            inputs: layout.len(),
            slots: layout
                .into_iter()
                .enumerate()
                .map(|(slot, column)| (column, slot))
                .collect(),
            steps: Vec::new(),
            output: Vec::new(),
        }
    }

    /// Computes a column of this name; if rows may be removed, results that may differ the next time are kept.
    pub(super) fn compute(
        &mut self,
        column: ColumnId,
        name: Option<Arc<str>>,
        expression: &Expression,
        may_remove: bool,
    ) {
        let expression = expression.map_columns(&|column| self.slots[&ColumnId(column)]);
        let kept = may_remove && !expression.is_deterministic();
        self.steps.push(Step::Compute {
            expression,
            column: column.0,
            name,
            kept,
            may_remove,
        });
        self.slots.insert(column, self.width);
        self.width += 1;
    }

    /// Drops rows where the column is not true, as this node of the plan does.
    pub(super) fn filter(&mut self, condition: ColumnId, node: usize, origin: Option<Origin>, may_remove: bool) {
        self.steps.push(Step::Filter {
            condition: self.slots[&condition],
            node,
            origin,
            may_remove,
            live: Vec::new(),
        });
    }

    /// The columns that are left at the end; the last call counts.
    pub(super) fn output(&mut self, columns: Vec<ColumnId>) {
        self.output = columns;
    }

    pub(super) fn finish(mut self) -> Program {
        let output: Vec<usize> = self.output.iter().map(|column| self.slots[column]).collect();
        let mut live: BTreeSet<usize> = output.iter().copied().collect();
        let mut slot = self.width;
        for step in self.steps.iter_mut().rev() {
            match step {
                Step::Compute { expression, .. } => {
                    slot -= 1;
                    live.remove(&slot);
                    expression.for_each_column(&mut |read| {
                        live.insert(read);
                    });
                }
                Step::Filter {
                    condition, live: after, ..
                } => {
                    *after = live.iter().copied().collect();
                    live.insert(*condition);
                }
            }
        }
        let is_identity = self.steps.is_empty() && output == (0..self.inputs).collect::<Vec<_>>();
        Program {
            steps: self.steps,
            output,
            is_identity,
        }
    }
}
