//! Expressions that evaluate an argument only for the rows that need it: `if_else`, `coalesce`, `require` and
//! `fill_error`.
//!
//! Rows are parted by a mask, an argument is evaluated for its part alone, and the parts are merged in order.

use arrow_buffer::BooleanBuffer;
use towpath_types::{Cells, Column, DType, Key, Shared};

use super::call::union;
use super::evaluate::Part;
use super::{Expression, Operand};
use crate::error::EngineError;

impl Expression {
    pub(super) fn evaluate_if_else(&self, part: &Part<'_>) -> Result<Column, EngineError> {
        let [condition, then, otherwise] = self.children() else {
            panic!("if_else has three parts");
        };
        let condition = condition.results(part)?;
        let Cells::Bool(chosen) = condition.cells() else {
            panic!("the condition of if_else is laid out as bool");
        };
        let Some(errors) = condition.errors() else {
            return self.choose(chosen.values(), then, otherwise, part);
        };
        // An error in the condition chooses neither branch.
        let good = !errors;
        let chosen = condition.filter(&good);
        let Cells::Bool(chosen) = chosen.cells() else {
            panic!("a filter keeps the layout");
        };
        let column = part.only(&[then, otherwise], &good, |part| {
            self.choose(chosen.values(), then, otherwise, part)
        })?;
        Ok(self.with_nones_elsewhere(&good, &column).masked(Some(errors)))
    }

    pub(super) fn evaluate_coalesce(&self, part: &Part<'_>) -> Result<Column, EngineError> {
        let mut result = self.children()[0].results(part)?.with_layout_of(self.dtype());
        for argument in &self.children()[1..] {
            let full = BooleanBuffer::collect_bool(part.len(), |row| !result.is_none(row));
            if full.count_set_bits() == part.len() {
                break;
            }
            let rest = self.branch(argument, &!&full, part)?;
            result = merge(&full, &result.filter(&full), &rest, self.dtype());
        }
        Ok(result)
    }

    pub(super) fn evaluate_require(&self, part: &Part<'_>) -> Result<Column, EngineError> {
        let mut wanted = BooleanBuffer::new_set(part.len());
        let mut errors = None;
        for argument in &self.children()[1..] {
            let column = argument.results(part)?;
            wanted = &wanted & &BooleanBuffer::collect_bool(part.len(), |row| !column.is_none(row));
            errors = union(errors, column.errors().cloned());
        }
        // Where another is an error, so is the result, and the value need not be known.
        if let Some(errors) = &errors {
            wanted = &wanted & &!errors;
        }
        let value = self.branch(&self.children()[0], &wanted, part)?;
        Ok(self.with_nones_elsewhere(&wanted, &value).masked(errors.as_ref()))
    }

    pub(super) fn evaluate_fill_error(&self, part: &Part<'_>) -> Result<Column, EngineError> {
        let [value, replacement] = self.children() else {
            panic!("fill_error has two parts");
        };
        let value = silently(part, |part| value.results(part))?.with_layout_of(self.dtype());
        let Some(errors) = value.errors() else {
            return Ok(value);
        };
        let filled = self.branch(replacement, errors, part)?;
        Ok(merge(errors, &filled, &value.filter(&!errors), self.dtype()))
    }

    /// The cells of `column` where `chosen`, in order, and `None` elsewhere.
    fn with_nones_elsewhere(&self, chosen: &BooleanBuffer, column: &Column) -> Column {
        let nones = self.dtype().physical().nones(chosen.len() - column.len());
        merge(chosen, column, &nones, self.dtype())
    }

    /// The results of `then` where `chosen`, and of `otherwise` elsewhere.
    fn choose(
        &self,
        chosen: &BooleanBuffer,
        then: &Expression,
        otherwise: &Expression,
        part: &Part<'_>,
    ) -> Result<Column, EngineError> {
        let count = chosen.count_set_bits();
        if count == part.len() {
            return Ok(then.results(part)?.with_layout_of(self.dtype()));
        }
        if count == 0 {
            return Ok(otherwise.results(part)?.with_layout_of(self.dtype()));
        }
        if !then.is_users() && !otherwise.is_users() && self.dtype().physical().arrow().is_some() {
            // Failures are rare: evaluate both for all rows, and only if a row fails that is wanted, begin again with
            // the rows that are, to report it.
            let speculate = |branch: &Expression| {
                if branch.can_fail() {
                    silently(part, |part| branch.operand(part))
                } else {
                    branch.operand(part)
                }
            };
            let (left, right) = (speculate(then)?, speculate(otherwise)?);
            let column = zip(chosen, &left, &right, self.dtype());
            if part.is_silent || column.errors().is_none() {
                return Ok(column);
            }
        }
        let then = self.branch(then, chosen, part)?;
        let otherwise = self.branch(otherwise, &!chosen, part)?;
        Ok(merge(chosen, &then, &otherwise, self.dtype()))
    }

    /// The results of `expression` for the rows of `mask` alone.
    fn branch(&self, expression: &Expression, mask: &BooleanBuffer, part: &Part<'_>) -> Result<Column, EngineError> {
        part.only(&[expression], mask, |part| {
            Ok(expression.results(part)?.with_layout_of(self.dtype()))
        })
    }
}

impl Part<'_> {
    /// What `evaluate` says for the rows of `mask` alone; it may read what `expressions` read.
    pub(super) fn only<T>(
        &self,
        expressions: &[&Expression],
        mask: &BooleanBuffer,
        evaluate: impl FnOnce(&Part<'_>) -> T,
    ) -> T {
        let columns = columns_where(expressions, mask, self.columns);
        let keys: Shared<Key> = mask.set_indices().map(|row| self.keys[row]).collect();
        let position = |row: usize| self.positions.map_or(row as u32, |positions| positions[row]);
        let positions: Vec<u32> = mask.set_indices().map(position).collect();
        evaluate(&Part {
            columns: &columns,
            keys: &keys,
            positions: Some(&positions),
            ..*self
        })
    }
}

/// What `evaluate` says, without a report of what fails.
fn silently<T>(part: &Part<'_>, evaluate: impl FnOnce(&Part<'_>) -> T) -> T {
    if part.is_silent {
        return evaluate(part);
    }
    evaluate(&Part {
        reporter: &part.reporter.silent(),
        is_silent: true,
        ..*part
    })
}

/// The columns that `expressions` read, with the rows of `mask` alone.
fn columns_where(expressions: &[&Expression], mask: &BooleanBuffer, all: &[Column]) -> Vec<Column> {
    let mut columns: Vec<Column> = all.iter().map(|column| Column::empty(column.physical())).collect();
    for expression in expressions {
        expression.for_each_column(&mut |slot| {
            if columns[slot].is_empty() {
                columns[slot] = all[slot].filter(mask);
            }
        });
    }
    columns
}

/// The cells of `then` where `chosen`, in order, and those of `otherwise` elsewhere, in order.
pub(super) fn merge(chosen: &BooleanBuffer, then: &Column, otherwise: &Column, dtype: &DType) -> Column {
    let both = Column::concat(&[&then.with_layout_of(dtype), &otherwise.with_layout_of(dtype)]);
    let (mut next_then, mut next_otherwise) = (0, then.len() as u32);
    let indices: Vec<u32> = chosen
        .iter()
        .map(|chosen| {
            let next = if chosen { &mut next_then } else { &mut next_otherwise };
            *next += 1;
            *next - 1
        })
        .collect();
    both.take(&indices)
}

/// A choice between whole columns or scalars.
fn zip(chosen: &BooleanBuffer, then: &Operand, otherwise: &Operand, dtype: &DType) -> Column {
    let (left, right) = (
        then.cells().with_layout_of(dtype),
        otherwise.cells().with_layout_of(dtype),
    );
    Column::zip(chosen, (&left, then.is_scalar()), (&right, otherwise.is_scalar()))
}
