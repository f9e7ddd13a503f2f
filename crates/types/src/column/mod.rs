//! The cells of one column for many rows, immutable and shared: cloning and slicing copy nothing.
//!
//! A cell is one of three: a value, `None` (Arrow's validity), or an error (a mask of our own).
//! What lies below a masked cell means nothing, and a cell is never both `None` and an error.
//! Pointers have an array of their own, rather than Arrow's fixed-size binary, so that the keys
//! of a batch are its `id` column without a copy.

use arrow_array::Array;
use arrow_buffer::{BooleanBuffer, NullBuffer};

use crate::dtype::Physical;
use crate::key::Key;
use crate::shared::Shared;
use crate::value::Value;

mod builder;
mod cells;
mod gather;
mod hash;
mod select;
mod size;

pub use builder::ColumnBuilder;
use cells::for_arrow;
pub use cells::{Cells, PointerArray};
pub(crate) use hash::hash_row;
pub use hash::{encode_rows, hash_columns};

/// The cells of one column for many rows.
#[derive(Clone, Debug)]
pub struct Column {
    cells: Cells,
    /// True where the cell is an error; absent when none is.
    errors: Option<BooleanBuffer>,
}

impl Column {
    /// A column without errors.
    pub fn new(cells: Cells) -> Self {
        Self { cells, errors: None }
    }

    /// A column with an error wherever `errors` is true.
    pub fn with_errors(cells: Cells, errors: Option<BooleanBuffer>) -> Self {
        let column = Self {
            cells,
            errors: errors.filter(|errors| errors.count_set_bits() > 0),
        };
        assert!(
            column.errors.as_ref().is_none_or(|errors| errors.len() == column.len()),
            "an error mask is as long as its column"
        );
        column
    }

    /// The same cells with errors also where `errors` is true.
    pub fn masked(&self, errors: Option<&BooleanBuffer>) -> Self {
        let errors = match (&self.errors, errors) {
            (None, None) => None,
            (Some(errors), None) | (None, Some(errors)) => Some(errors.clone()),
            (Some(a), Some(b)) => Some(a | b),
        };
        Self::with_errors(self.cells.clone(), errors)
    }

    /// A column of keys.
    pub fn pointers(keys: Shared<Key>) -> Self {
        Self::new(Cells::Pointer(PointerArray::new(keys, None)))
    }

    /// The cells.
    pub fn cells(&self) -> &Cells {
        &self.cells
    }

    /// Where the errors are, if there are any.
    pub fn errors(&self) -> Option<&BooleanBuffer> {
        self.errors.as_ref()
    }

    /// Arrow's validity of the cells, if any may be `None`; not for [`Cells::Any`], which holds `Value::None`.
    pub fn nulls(&self) -> Option<&NullBuffer> {
        for_arrow!(&self.cells, array => array.nulls(), pointer pointers => pointers.nulls.as_ref(), any _values => None)
    }

    /// How the column is laid out.
    pub fn physical(&self) -> Physical {
        match &self.cells {
            Cells::Bool(_) => Physical::Bool,
            Cells::Int(_) => Physical::Int,
            Cells::Float(_) => Physical::Float,
            Cells::Str(_) => Physical::Str,
            Cells::Bytes(_) => Physical::Bytes,
            Cells::Pointer(_) => Physical::Pointer,
            Cells::DateTimeNaive(_) => Physical::DateTimeNaive,
            Cells::DateTimeUtc(_) => Physical::DateTimeUtc,
            Cells::Duration(_) => Physical::Duration,
            Cells::Any(_) => Physical::Any,
        }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        for_arrow!(&self.cells, array => array.len(), pointer pointers => pointers.values.len(), any values => values.len())
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the cell is an error.
    #[inline]
    pub fn is_error(&self, row: usize) -> bool {
        self.errors.as_ref().is_some_and(|errors| errors.value(row))
    }

    /// Whether the cell is `None`. An error is not.
    #[inline]
    pub fn is_none(&self, row: usize) -> bool {
        match &self.cells {
            Cells::Any(values) => values[row].is_none() && !self.is_error(row),
            _ => self.nulls().is_some_and(|nulls| nulls.is_null(row)) && !self.is_error(row),
        }
    }

    /// The cell as a value.
    pub fn value(&self, row: usize) -> Value {
        if self.is_error(row) {
            return Value::Error;
        }
        if self.is_none(row) {
            return Value::None;
        }
        match &self.cells {
            Cells::Bool(array) => Value::Bool(array.value(row)),
            Cells::Int(array) => Value::Int(array.value(row)),
            Cells::Float(array) => Value::Float(array.value(row)),
            Cells::Str(array) => Value::str(array.value(row)),
            Cells::Bytes(array) => Value::Bytes(array.value(row).into()),
            Cells::Pointer(array) => Value::Pointer(array.values[row]),
            Cells::DateTimeNaive(array) => Value::DateTimeNaive(array.value(row)),
            Cells::DateTimeUtc(array) => Value::DateTimeUtc(array.value(row)),
            Cells::Duration(array) => Value::Duration(array.value(row)),
            Cells::Any(values) => values[row].clone(),
        }
    }

    /// The cells as values, first to last.
    pub fn values(&self) -> impl Iterator<Item = Value> + '_ {
        (0..self.len()).map(|row| self.value(row))
    }

    /// Whether the cells of two rows, perhaps of two columns, are equal; errors and `None`s equal themselves.
    pub fn cell_eq(&self, row: usize, other: &Column, other_row: usize) -> bool {
        let plain =
            !self.is_error(row) && !other.is_error(other_row) && !self.is_none(row) && !other.is_none(other_row);
        if plain {
            match (&self.cells, &other.cells) {
                (Cells::Int(a), Cells::Int(b)) => return a.value(row) == b.value(other_row),
                (Cells::Str(a), Cells::Str(b)) => return a.value(row) == b.value(other_row),
                (Cells::Bool(a), Cells::Bool(b)) => return a.value(row) == b.value(other_row),
                (Cells::Pointer(a), Cells::Pointer(b)) => return a.values[row] == b.values[other_row],
                (Cells::Any(a), Cells::Any(b)) => return a[row] == b[other_row],
                _ => {}
            }
        }
        self.value(row) == other.value(other_row)
    }
}

impl PartialEq for Column {
    /// Whether all cells are equal; the layouts may differ.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && (0..self.len()).all(|row| self.cell_eq(row, other, row))
    }
}
