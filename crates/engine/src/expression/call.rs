//! One call of a function for one batch: its arguments, which rows it is spared, and what fails.
//!
//! The function answers for plain rows only. Rows with an error among the arguments, or with a `None` that it does not
//! take, are settled here, before and after the call: they are masked, and their results are put in afterwards.

use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};
use towpath_types::{Cells, Column, ColumnBuilder, DType, Value};

use super::evaluate::Part;
use super::{Expression, Kind, brief};
use crate::error::{EngineError, ErrorKind, RowError};
use crate::reporter::Reporter;

/// An argument of a function: a column, or one value for all rows.
#[derive(Clone, Debug)]
pub struct Operand {
    column: Column,
    scalar: bool,
}

impl Operand {
    /// A cell for every row.
    pub fn column(column: Column) -> Self {
        Self { column, scalar: false }
    }

    /// One value for all rows.
    pub fn scalar(value: &Value, dtype: &DType) -> Self {
        Self {
            column: Column::repeat(value, dtype, 1),
            scalar: true,
        }
    }

    /// The column; of length one for a scalar.
    pub fn cells(&self) -> &Column {
        &self.column
    }

    /// Whether there is one value for all rows.
    pub fn is_scalar(&self) -> bool {
        self.scalar
    }

    /// Where the cell of a row is in [`Operand::cells`].
    #[inline]
    pub fn position(&self, row: usize) -> usize {
        if self.scalar { 0 } else { row }
    }

    /// The cell of a row.
    pub fn value(&self, row: usize) -> Value {
        self.column.value(self.position(row))
    }

    /// A column with a cell for each of `len` rows.
    pub fn expanded(&self, dtype: &DType, len: usize) -> Column {
        if self.scalar {
            Column::repeat(&self.column.value(0), dtype, len)
        } else {
            self.column.clone()
        }
    }

    /// The same in the layout of another type.
    pub(super) fn with_layout_of(&self, dtype: &DType) -> Self {
        Self {
            column: self.column.with_layout_of(dtype),
            scalar: self.scalar,
        }
    }
}

/// The evaluation of one function for one batch: takes the failures of rows.
#[derive(Debug)]
pub struct Evaluation<'a> {
    /// The number of rows.
    pub len: usize,
    /// The type of the result.
    pub dtype: &'a DType,
    /// The types of the arguments.
    pub arguments: &'a [DType],
    masked: Option<BooleanBuffer>,
    failures: Vec<(usize, RowError)>,
    reporter: &'a Reporter,
}

impl Evaluation<'_> {
    /// Whether the run has been ended, or will be by a failure here: user code should not be called any more.
    pub fn is_cancelled(&self) -> bool {
        self.reporter.is_cancelled() || !self.failures.is_empty() && self.reporter.is_strict()
    }

    /// Whether the row has an error among its arguments, or a `None` that the function does not take:
    /// its result is settled and it must not fail.
    #[inline]
    pub fn is_masked(&self, row: usize) -> bool {
        self.masked.as_ref().is_some_and(|masked| masked.value(row))
    }

    /// The rows that are settled, if any; see [`Evaluation::is_masked`].
    pub fn masked(&self) -> Option<&BooleanBuffer> {
        self.masked.as_ref()
    }

    /// Makes the result of a row an error.
    pub fn fail(&mut self, row: usize, kind: ErrorKind, message: impl Into<String>) {
        self.fail_with(row, RowError::new(kind, message));
    }

    /// Makes the result of a row an error, with all that is known of it.
    pub fn fail_with(&mut self, row: usize, error: RowError) {
        if !self.is_masked(row) {
            self.failures.push((row, error));
        }
    }

    /// The results of rows computed one at a time; masked rows are skipped.
    pub fn collect(&mut self, mut row: impl FnMut(usize) -> Result<Value, RowError>) -> Column {
        let mut builder = ColumnBuilder::new(self.dtype);
        for position in 0..self.len {
            if self.is_masked(position) {
                builder.push_none();
                continue;
            }
            match row(position) {
                Ok(value) => builder.push(&value),
                Err(error) => {
                    self.fail_with(position, error);
                    builder.push_none();
                }
            }
        }
        builder.finish()
    }
}

/// What computes the column of a call from its arguments.
type Call<'a> = dyn Fn(&[Operand], &mut Evaluation<'_>) -> Result<Column, EngineError> + 'a;

impl Expression {
    /// Evaluates the arguments and calls a function with them.
    pub(super) fn apply(&self, takes_none: bool, part: &Part<'_>, call: &Call<'_>) -> Result<Operand, EngineError> {
        let arguments = self.children();
        let operands: Vec<Operand> = arguments
            .iter()
            .map(|argument| argument.operand(part))
            .collect::<Result<_, _>>()?;
        let scalar =
            !operands.is_empty() && operands.iter().all(Operand::is_scalar) && matches!(self.kind(), Kind::Call(_));
        let len = if scalar { 1 } else { part.len() };
        let dtypes: Vec<DType> = arguments.iter().map(|argument| argument.dtype().clone()).collect();
        let errors = marked(&operands, len, Column::is_error, |column| column.errors().is_some());
        let nones = if takes_none {
            None
        } else {
            marked(&operands, len, Column::is_none, |column| {
                column.nulls().is_some() || matches!(column.cells(), Cells::Any(_))
            })
        };
        let mut evaluation = Evaluation {
            len,
            dtype: self.dtype(),
            arguments: &dtypes,
            masked: union(errors.clone(), nones.clone()),
            failures: Vec::new(),
            reporter: part.reporter,
        };
        let mut column = call(&operands, &mut evaluation)?;
        let failures = evaluation.failures;
        if let Some(nones) = nones {
            column = column.with_layout_of(self.dtype()).with_nones(&nones);
        }
        let mut errors = errors;
        if !failures.is_empty() {
            let mut mask = BooleanBufferBuilder::new(len);
            mask.append_n(len, false);
            for (row, error) in failures {
                mask.set_bit(row, true);
                // The failure of a constant is one failure, of no row.
                let mut error = match part.keys.get(row).filter(|_| !scalar) {
                    Some(key) => error.of(*key, part.diff(row)),
                    None => error,
                };
                // Nobody is told of the others.
                if let Kind::Call(function) = self.kind()
                    && error.diff > 0
                    && !part.is_silent
                {
                    error = error.computing(brief::call(function.name, &operands, row));
                }
                part.reporter.report_at(self.origin(), error)?;
            }
            errors = union(errors, Some(mask.finish()));
        }
        column = column.masked(errors.as_ref());
        Ok(if scalar {
            Operand { column, scalar }
        } else {
            Operand::column(column)
        })
    }
}

/// The rows of either mask; `None` is no row.
pub(super) fn union(left: Option<BooleanBuffer>, right: Option<BooleanBuffer>) -> Option<BooleanBuffer> {
    match (left, right) {
        (Some(left), Some(right)) => Some(&left | &right),
        (left, right) => left.or(right),
    }
}

/// The rows where `is_marked` holds for some operand; `None` if `may_be_marked` holds for no column.
fn marked(
    operands: &[Operand],
    len: usize,
    is_marked: fn(&Column, usize) -> bool,
    may_be_marked: fn(&Column) -> bool,
) -> Option<BooleanBuffer> {
    let mut mask: Option<BooleanBuffer> = None;
    for operand in operands {
        if may_be_marked(operand.cells()) {
            let own = BooleanBuffer::collect_bool(len, |row| is_marked(operand.cells(), operand.position(row)));
            mask = union(mask, Some(own));
        }
    }
    mask.filter(|mask| mask.count_set_bits() > 0)
}
