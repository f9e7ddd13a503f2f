//! Expressions that evaluate an argument only for the rows that need it: `if_else`, `coalesce`, `require` and
//! `fill_error`.
//!
//! Rows are parted by a mask, an argument is evaluated for its part alone, and the parts are merged in order.

use arrow_array::BooleanArray;
use arrow_buffer::BooleanBuffer;
use towpath_types::{Cells, Column, DType, Key, Shared};

use super::call::union;
use super::{Expression, Operand, Rows};
use crate::error::EngineError;
use crate::operator::Reporter;

impl Expression {
    pub(super) fn evaluate_if_else(
        &self,
        parts: &[Expression; 3],
        rows: &Rows<'_>,
        reporter: &Reporter,
    ) -> Result<Column, EngineError> {
        let [condition, then, otherwise] = parts;
        let condition = condition.evaluate(rows, reporter)?;
        let Cells::Bool(chosen) = condition.cells() else {
            panic!("the condition of if_else is laid out as bool");
        };
        let Some(errors) = condition.errors() else {
            return self.choose(chosen.values(), then, otherwise, rows, reporter);
        };
        // An error in the condition chooses neither branch.
        let good = !errors;
        let columns = columns_where(&[then, otherwise], &good, rows);
        let keys = keys_where(&good, rows);
        let chosen = condition.filter(&good);
        let Cells::Bool(chosen) = chosen.cells() else {
            panic!("a filter keeps the layout");
        };
        let part = Rows {
            columns: &columns,
            keys: &keys,
        };
        let column = self.choose(chosen.values(), then, otherwise, &part, reporter)?;
        Ok(self.with_nones_elsewhere(&good, &column).masked(Some(errors)))
    }

    pub(super) fn evaluate_coalesce(
        &self,
        arguments: &[Expression],
        rows: &Rows<'_>,
        reporter: &Reporter,
    ) -> Result<Column, EngineError> {
        let len = rows.keys.len();
        let mut result = arguments[0].evaluate(rows, reporter)?.with_layout_of(&self.dtype);
        for argument in &arguments[1..] {
            let full = BooleanBuffer::collect_bool(len, |row| !result.is_none(row));
            if full.count_set_bits() == len {
                break;
            }
            let rest = self.branch(argument, &!&full, rows, reporter)?;
            result = merge(&full, &result.filter(&full), &rest, &self.dtype);
        }
        Ok(result)
    }

    pub(super) fn evaluate_require(
        &self,
        arguments: &[Expression],
        rows: &Rows<'_>,
        reporter: &Reporter,
    ) -> Result<Column, EngineError> {
        let len = rows.keys.len();
        let mut wanted = BooleanBuffer::new_set(len);
        let mut errors = None;
        for argument in &arguments[1..] {
            let column = argument.evaluate(rows, reporter)?;
            wanted = &wanted & &BooleanBuffer::collect_bool(len, |row| !column.is_none(row));
            errors = union(errors, column.errors().cloned());
        }
        // Where another is an error, so is the result, and the value need not be known.
        if let Some(errors) = &errors {
            wanted = &wanted & &!errors;
        }
        let value = self.branch(&arguments[0], &wanted, rows, reporter)?;
        Ok(self.with_nones_elsewhere(&wanted, &value).masked(errors.as_ref()))
    }

    pub(super) fn evaluate_fill_error(
        &self,
        parts: &[Expression; 2],
        rows: &Rows<'_>,
        reporter: &Reporter,
    ) -> Result<Column, EngineError> {
        let [value, replacement] = parts;
        let value = value.evaluate(rows, &reporter.silent())?.with_layout_of(&self.dtype);
        let Some(errors) = value.errors() else {
            return Ok(value);
        };
        let filled = self.branch(replacement, errors, rows, reporter)?;
        Ok(merge(errors, &filled, &value.filter(&!errors), &self.dtype))
    }

    /// The cells of `column` where `chosen`, in order, and `None` elsewhere.
    fn with_nones_elsewhere(&self, chosen: &BooleanBuffer, column: &Column) -> Column {
        let nones = self.dtype.physical().nones(chosen.len() - column.len());
        merge(chosen, column, &nones, &self.dtype)
    }

    /// The results of `then` where `chosen`, and of `otherwise` elsewhere.
    fn choose(
        &self,
        chosen: &BooleanBuffer,
        then: &Expression,
        otherwise: &Expression,
        rows: &Rows<'_>,
        reporter: &Reporter,
    ) -> Result<Column, EngineError> {
        let len = rows.keys.len();
        let count = chosen.count_set_bits();
        if count == len {
            return Ok(then.evaluate(rows, reporter)?.with_layout_of(&self.dtype));
        }
        if count == 0 {
            return Ok(otherwise.evaluate(rows, reporter)?.with_layout_of(&self.dtype));
        }
        if !then.is_users() && !otherwise.is_users() {
            // Failures are rare: evaluate both for all rows, and only if a row fails, which may well be one
            // that does not need it, begin again with the rows that do.
            let silent = reporter.silent();
            let reporter = |branch: &Expression| if branch.can_fail() { &silent } else { reporter };
            let then = then.operand(rows, reporter(then))?;
            let otherwise = otherwise.operand(rows, reporter(otherwise))?;
            if let Some(column) = zip(chosen, &then, &otherwise, &self.dtype) {
                return Ok(column);
            }
        }
        let then = self.branch(then, chosen, rows, reporter)?;
        let otherwise = self.branch(otherwise, &!chosen, rows, reporter)?;
        Ok(merge(chosen, &then, &otherwise, &self.dtype))
    }

    /// The results of `expression` for the rows of `mask` alone.
    fn branch(
        &self,
        expression: &Expression,
        mask: &BooleanBuffer,
        rows: &Rows<'_>,
        reporter: &Reporter,
    ) -> Result<Column, EngineError> {
        let columns = columns_where(&[expression], mask, rows);
        let keys = keys_where(mask, rows);
        let rows = Rows {
            columns: &columns,
            keys: &keys,
        };
        Ok(expression.evaluate(&rows, reporter)?.with_layout_of(&self.dtype))
    }
}

/// The columns that `expressions` read, with the rows of `mask` alone.
fn columns_where(expressions: &[&Expression], mask: &BooleanBuffer, rows: &Rows<'_>) -> Vec<Column> {
    let mut columns: Vec<Column> = rows
        .columns
        .iter()
        .map(|column| Column::empty(column.physical()))
        .collect();
    for expression in expressions {
        expression.for_each_column(&mut |slot| {
            if columns[slot].is_empty() {
                columns[slot] = rows.columns[slot].filter(mask);
            }
        });
    }
    columns
}

/// The keys of the rows of `mask`.
fn keys_where(mask: &BooleanBuffer, rows: &Rows<'_>) -> Shared<Key> {
    mask.set_indices().map(|row| rows.keys[row]).collect()
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
    both.take(&indices.into())
}

/// A choice between whole columns or scalars in one kernel, for layouts that have one.
fn zip(chosen: &BooleanBuffer, then: &Operand, otherwise: &Operand, dtype: &DType) -> Option<Column> {
    let (left, right) = (
        then.cells().with_layout_of(dtype),
        otherwise.cells().with_layout_of(dtype),
    );
    if left.errors().is_some() || right.errors().is_some() {
        return None;
    }
    dtype.physical().arrow()?;
    let mask = BooleanArray::new(chosen.clone(), None);
    let scalar = |column: &Column| arrow_array::Scalar::new(column.cells().as_arrow().slice(0, 1));
    let (left_cells, right_cells) = (left.cells().as_arrow(), right.cells().as_arrow());
    let zipped = match (then.is_scalar(), otherwise.is_scalar()) {
        (false, false) => arrow_select::zip::zip(&mask, &left_cells, &right_cells),
        (true, false) => arrow_select::zip::zip(&mask, &scalar(&left), &right_cells),
        (false, true) => arrow_select::zip::zip(&mask, &left_cells, &scalar(&right)),
        (true, true) => arrow_select::zip::zip(&mask, &scalar(&left), &scalar(&right)),
    };
    Some(Column::new(Cells::from_arrow(dtype.physical(), zipped.ok()?)))
}
