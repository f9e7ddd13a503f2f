//! The column of an expression for a batch of rows.

use arrow_buffer::BooleanBuffer;
use towpath_types::{Cells, Column, Key, PointerArray, Shared, hash_columns};

use super::call::union;
use super::{Evaluation, Expression, Kind, Operand};
use crate::error::EngineError;
use crate::operator::Reporter;

/// The rows an expression is evaluated for.
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    /// The slots of the program.
    pub columns: &'a [Column],
    /// The keys.
    pub keys: &'a Shared<Key>,
}

impl Expression {
    /// The column of the results, in the layout of the expression's type.
    ///
    /// # Errors
    /// If a row fails and the run is to end with it.
    pub fn evaluate(&self, rows: &Rows<'_>, reporter: &Reporter) -> Result<Column, EngineError> {
        let operand = self.operand(rows, reporter)?;
        let column = operand.expanded(&self.dtype, rows.keys.len());
        Ok(column.with_layout_of(&self.dtype))
    }

    /// The results as an operand, which need not be in the layout of the expression's type.
    pub(super) fn operand(&self, rows: &Rows<'_>, reporter: &Reporter) -> Result<Operand, EngineError> {
        let len = rows.keys.len();
        if len == 0 {
            // Not even constants are evaluated, which could fail.
            return Ok(Operand::column(Column::empty(self.dtype.physical())));
        }
        match &self.kind {
            Kind::Column(slot) => Ok(Operand::column(rows.columns[*slot].clone())),
            Kind::Id => Ok(Operand::column(Column::pointers(rows.keys.clone()))),
            Kind::Literal(value) => Ok(Operand::scalar(value, &self.dtype)),
            Kind::Declare(inner) => Ok(inner.operand(rows, reporter)?.with_layout_of(&self.dtype)),
            Kind::Call(function, arguments) => {
                let call = |arguments: &[Operand], evaluation: &mut Evaluation<'_>| {
                    Ok((function.evaluate)(arguments, evaluation))
                };
                self.apply(arguments, function.takes_none, rows, reporter, &call)
            }
            Kind::User(function, arguments) => {
                let call =
                    |arguments: &[Operand], evaluation: &mut Evaluation<'_>| function.call(arguments, evaluation);
                self.apply(arguments, true, rows, reporter, &call)
            }
            Kind::IfElse(parts) => self.evaluate_if_else(parts, rows, reporter).map(Operand::column),
            Kind::Coalesce(arguments) => self.evaluate_coalesce(arguments, rows, reporter).map(Operand::column),
            Kind::Require(arguments) => self.evaluate_require(arguments, rows, reporter).map(Operand::column),
            Kind::FillError(parts) => self.evaluate_fill_error(parts, rows, reporter).map(Operand::column),
            Kind::Pointer {
                values,
                instance,
                optional,
            } => {
                let columns: Vec<Column> = values
                    .iter()
                    .map(|value| value.evaluate(rows, reporter))
                    .collect::<Result<_, _>>()?;
                Ok(Operand::column(pointers(&columns, *instance, *optional, len)))
            }
        }
    }
}

/// The keys made from the cells of `columns`, the last of which is the instance if there is one.
fn pointers(columns: &[Column], instance: bool, optional: bool, len: usize) -> Column {
    let all: Vec<&Column> = columns.iter().collect();
    let mut keys = hash_columns(&all, len);
    if instance && let Some(instance) = all.last() {
        let instances = hash_columns(&[instance], len);
        for (key, instance) in keys.iter_mut().zip(instances) {
            *key = key.with_shard_of(instance);
        }
    }
    let mut errors = None;
    for column in columns {
        errors = union(errors, column.errors().cloned());
    }
    let nulls = optional
        .then(|| BooleanBuffer::collect_bool(len, |row| !columns.iter().any(|column| column.is_none(row))))
        .filter(|present| present.count_set_bits() < len)
        .map(Into::into);
    let array = PointerArray::new(keys.into(), nulls);
    Column::with_errors(Cells::Pointer(array), errors)
}
