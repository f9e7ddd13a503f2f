//! Loops over the buffers of whole columns, shared by the families.
//!
//! A scalar stays one value: the loop reads it from a register. Failures cost nothing while there are none:
//! a loop only remembers that some row was flawed, and a second pass finds which. Rows that are masked are
//! computed like all others (whatever lies there is harmless) and their failures are dropped.

use std::borrow::Cow;

use arrow_array::{Array, Float64Array, Int64Array, StringViewArray, builder::StringViewBuilder};
use arrow_buffer::BooleanBuffer;
use towpath_types::{Cells, Column, Physical, Value};

use crate::error::{ErrorKind, RowError};
use crate::expression::{Evaluation, Operand};

/// The values of an operand with a buffer of `T`, one or one for each row.
#[derive(Clone, Debug)]
pub(super) struct Slice<'a, T: Clone> {
    values: Cow<'a, [T]>,
    scalar: bool,
}

impl<T: Copy> Slice<'_, T> {
    /// One value for all rows.
    pub(super) fn scalar(value: T) -> Self {
        Self {
            values: Cow::Owned(vec![value]),
            scalar: true,
        }
    }

    /// A value for each row.
    pub(super) fn owned(values: Vec<T>) -> Self {
        Self {
            values: Cow::Owned(values),
            scalar: false,
        }
    }

    #[inline]
    pub(super) fn at(&self, row: usize) -> T {
        if self.scalar { self.values[0] } else { self.values[row] }
    }

    /// Where `relation` holds between the values of both.
    #[inline]
    pub(super) fn relate(&self, len: usize, right: &Self, relation: impl Fn(T, T) -> bool) -> BooleanBuffer {
        match (self.scalar, right.scalar) {
            (false, false) => {
                let (left, right) = (&self.values[..len], &right.values[..len]);
                BooleanBuffer::collect_bool(len, |row| relation(left[row], right[row]))
            }
            (false, true) => {
                let (left, right) = (&self.values[..len], right.values[0]);
                BooleanBuffer::collect_bool(len, |row| relation(left[row], right))
            }
            (true, false) => {
                let (left, right) = (self.values[0], &right.values[..len]);
                BooleanBuffer::collect_bool(len, |row| relation(left, right[row]))
            }
            (true, true) => {
                let (left, right) = (self.values[0], right.values[0]);
                BooleanBuffer::collect_bool(len, |_| relation(left, right))
            }
        }
    }
}

/// The 64-bit integers of an operand: `int`s, or nanoseconds.
pub(super) fn ints(operand: &Operand) -> Slice<'_, i64> {
    let values: &[i64] = match operand.cells().cells() {
        Cells::Int(array) => array.values(),
        Cells::DateTimeNaive(array) | Cells::DateTimeUtc(array) => array.values(),
        Cells::Duration(array) => array.values(),
        other => panic!("{other:?} is not laid out as integers"),
    };
    Slice {
        values: Cow::Borrowed(values),
        scalar: operand.is_scalar(),
    }
}

/// The floats of an operand; `int`s are converted.
pub(super) fn floats(operand: &Operand) -> Slice<'_, f64> {
    let values = match operand.cells().cells() {
        Cells::Float(array) => Cow::Borrowed(&array.values()[..]),
        Cells::Int(array) => Cow::Owned(array.values().iter().map(|value| *value as f64).collect()),
        other => panic!("{other:?} is not laid out as numbers"),
    };
    Slice {
        values,
        scalar: operand.is_scalar(),
    }
}

/// The texts of an operand, one or one for each row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Texts<'a> {
    array: &'a StringViewArray,
    scalar: bool,
}

impl<'a> Texts<'a> {
    #[inline]
    pub(super) fn at(&self, row: usize) -> &'a str {
        self.array.value(if self.scalar { 0 } else { row })
    }

    /// The text of all rows, if there is only one.
    pub(super) fn single(&self) -> Option<&'a str> {
        (self.scalar && self.array.is_valid(0)).then(|| self.array.value(0))
    }
}

/// The texts of an operand.
pub(super) fn texts(operand: &Operand) -> Texts<'_> {
    match operand.cells().cells() {
        Cells::Str(array) => Texts {
            array,
            scalar: operand.is_scalar(),
        },
        other => panic!("{other:?} is not laid out as text"),
    }
}

/// The bits of an operand, one for each row.
pub(super) fn bits(operand: &Operand, len: usize) -> BooleanBuffer {
    match operand.cells().cells() {
        Cells::Bool(array) if !operand.is_scalar() => array.values().clone(),
        Cells::Bool(array) if array.value(0) => BooleanBuffer::new_set(len),
        Cells::Bool(_) => BooleanBuffer::new_unset(len),
        other => panic!("{other:?} is not laid out as bool"),
    }
}

/// `function` of every value.
pub(super) fn unary<T: Copy, O>(len: usize, operand: &Slice<'_, T>, mut function: impl FnMut(T) -> O) -> Vec<O> {
    if operand.scalar {
        let value = operand.values[0];
        (0..len).map(|_| function(value)).collect()
    } else {
        operand.values.iter().map(|value| function(*value)).collect()
    }
}

/// `function` of every pair of values.
pub(super) fn binary<L: Copy, R: Copy, O>(
    len: usize,
    left: &Slice<'_, L>,
    right: &Slice<'_, R>,
    mut function: impl FnMut(L, R) -> O,
) -> Vec<O> {
    match (left.scalar, right.scalar) {
        (false, false) => left
            .values
            .iter()
            .zip(right.values.iter())
            .map(|(left, right)| function(*left, *right))
            .collect(),
        (false, true) => {
            let right = right.values[0];
            left.values.iter().map(|left| function(*left, right)).collect()
        }
        (true, false) => {
            let left = left.values[0];
            right.values.iter().map(|right| function(left, *right)).collect()
        }
        (true, true) => {
            let (left, right) = (left.values[0], right.values[0]);
            (0..len).map(|_| function(left, right)).collect()
        }
    }
}

/// What is wrong with the result of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Flaw {
    None = 0,
    ZeroDivision = 1,
    Overflow = 2,
    NegativePower = 4,
    NegativeShift = 8,
}

impl Flaw {
    #[inline]
    pub(super) fn overflow(overflows: bool) -> Self {
        if overflows { Flaw::Overflow } else { Flaw::None }
    }

    pub(super) fn error(self) -> Option<RowError> {
        Some(match self {
            Flaw::None => return None,
            Flaw::ZeroDivision => RowError::new(ErrorKind::ZeroDivision, "division by zero"),
            Flaw::Overflow => RowError::new(ErrorKind::Overflow, "the result does not fit in 64 bits"),
            Flaw::NegativePower => RowError::new(
                ErrorKind::Value,
                "an int cannot be raised to a negative power: cast it to float first",
            ),
            Flaw::NegativeShift => RowError::new(ErrorKind::Value, "negative shift count"),
        })
    }
}

/// [`binary`] for a function that may fail.
pub(super) fn checked_binary<L: Copy, R: Copy, O>(
    evaluation: &mut Evaluation<'_>,
    left: &Slice<'_, L>,
    right: &Slice<'_, R>,
    function: impl Fn(L, R) -> (O, Flaw),
) -> Vec<O> {
    let mut flawed = 0;
    let results = binary(evaluation.len, left, right, |left, right| {
        let (result, flaw) = function(left, right);
        flawed |= flaw as u8;
        result
    });
    if flawed != 0 {
        for row in 0..evaluation.len {
            if let Some(error) = function(left.at(row), right.at(row)).1.error() {
                evaluation.fail_with(row, error);
            }
        }
    }
    results
}

/// [`unary`] for a function that may fail.
pub(super) fn checked_unary<T: Copy, O>(
    evaluation: &mut Evaluation<'_>,
    operand: &Slice<'_, T>,
    function: impl Fn(T) -> (O, Flaw),
) -> Vec<O> {
    let nothing = Slice {
        values: Cow::Borrowed(&[()][..]),
        scalar: true,
    };
    checked_binary(evaluation, operand, &nothing, |value, ()| function(value))
}

/// A column of 64-bit integers in the layout of `physical`.
pub(super) fn int_column(physical: Physical, values: Vec<i64>) -> Column {
    Column::new(match physical {
        Physical::Int => Cells::Int(Int64Array::new(values.into(), None)),
        Physical::DateTimeNaive => Cells::DateTimeNaive(arrow_array::PrimitiveArray::new(values.into(), None)),
        Physical::DateTimeUtc => Cells::DateTimeUtc(arrow_array::PrimitiveArray::new(values.into(), None)),
        Physical::Duration => Cells::Duration(arrow_array::PrimitiveArray::new(values.into(), None)),
        other => panic!("{other:?} is not laid out as integers"),
    })
}

/// A column of floats.
pub(super) fn float_column(values: Vec<f64>) -> Column {
    Column::new(Cells::Float(Float64Array::new(values.into(), None)))
}

/// A column of `bool`.
pub(super) fn bool_column(values: BooleanBuffer) -> Column {
    Column::new(Cells::Bool(arrow_array::BooleanArray::new(values, None)))
}

/// A column of texts, each written by `write` into an empty string.
pub(super) fn text_column(len: usize, mut write: impl FnMut(usize, &mut String)) -> Column {
    let mut builder = StringViewBuilder::with_capacity(len);
    let mut scratch = String::new();
    for row in 0..len {
        scratch.clear();
        write(row, &mut scratch);
        builder.append_value(&scratch);
    }
    Column::new(Cells::Str(builder.finish()))
}

/// A column of texts, each a part of another text.
pub(super) fn part_column<'a>(len: usize, part: impl Fn(usize) -> &'a str) -> Column {
    let mut builder = StringViewBuilder::with_capacity(len);
    for row in 0..len {
        builder.append_value(part(row));
    }
    Column::new(Cells::Str(builder.finish()))
}

/// The `int` of a row; nothing for `None`, or if the argument is left out.
pub(super) fn int_at(operand: Option<&Operand>, row: usize) -> Option<i64> {
    match operand?.value(row) {
        Value::Int(value) => Some(value),
        _ => None,
    }
}

/// Where the operand is `None`; nothing if it is nowhere.
pub(super) fn nones(operand: &Operand, len: usize) -> Option<BooleanBuffer> {
    let column = operand.cells();
    match column.cells() {
        Cells::Any(_) => {}
        _ => {
            let nulls = column.nulls()?;
            if !operand.is_scalar() {
                return (nulls.null_count() > 0).then(|| !nulls.inner());
            }
        }
    }
    let nones = BooleanBuffer::collect_bool(len, |row| column.is_none(operand.position(row)));
    (nones.count_set_bits() > 0).then_some(nones)
}
