//! Arithmetic of numpy arrays: element by element with a number or an array of the same shape, and `@`.
//!
//! Arrays are values of a row each, so this goes row by row; the loops over the elements are what counts.

use std::sync::Arc;

use towpath_types::{Column, DType, NdArray, Value};

use super::kernels::Flaw;
use super::rules::{arity, unsupported};
use crate::error::{ErrorKind, PlanError, RowError};
use crate::expression::{Evaluation, Function, Operand};

pub(super) const FUNCTIONS: &[Function] = &[Function::new("@", matmul_rule, matmul).failing()];

/// The error for values that do not fit an operator, of columns whose type does not tell.
pub(super) fn mismatch(name: &str, left: &Value, right: &Value) -> RowError {
    RowError::new(
        ErrorKind::Type,
        format!(
            "unsupported operand types for {name}: {} and {}",
            left.type_name(),
            right.type_name()
        ),
    )
}

/// The type of `left name right`, if one of them is an array and they fit.
pub(super) fn arithmetic_rule(name: &str, left: &DType, right: &DType) -> Option<DType> {
    let element = |dtype: &DType| match dtype {
        DType::Array(_, element) => Some((**element).clone()),
        DType::Int | DType::Float => Some(dtype.clone()),
        _ => None,
    };
    let joined = element(left)?.least_upper_bound(&element(right)?);
    let joined = if name == "/" { DType::Float } else { joined };
    let dimensions = match (left, right) {
        (DType::Array(a, _), DType::Array(b, _)) => (a == b).then_some(*a).flatten(),
        (DType::Array(dimensions, _), _) | (_, DType::Array(dimensions, _)) => *dimensions,
        _ => return None,
    };
    Some(DType::Array(dimensions, Arc::new(joined)))
}

/// A number or an array of them, spread over `len` elements.
enum Elements {
    Ints(Arc<[i64]>),
    Floats(Arc<[f64]>),
}

impl Elements {
    /// The elements and the shape, which a number has not.
    fn of(value: &Value) -> Option<(Self, Option<Arc<[usize]>>)> {
        Some(match value {
            Value::Int(value) => (Elements::Ints([*value].into()), None),
            Value::Float(value) => (Elements::Floats([*value].into()), None),
            Value::IntArray(array) => (Elements::Ints(array.elements.clone()), Some(array.shape.clone())),
            Value::FloatArray(array) => (Elements::Floats(array.elements.clone()), Some(array.shape.clone())),
            _ => return None,
        })
    }

    fn floats(&self) -> Arc<[f64]> {
        match self {
            Elements::Ints(values) => values.iter().map(|value| *value as f64).collect(),
            Elements::Floats(values) => values.clone(),
        }
    }
}

/// `function` of each pair of elements; a lone element is paired with all of the other side.
fn zip<T: Copy, O>(
    left: &[T],
    right: &[T],
    shape: &[usize],
    function: impl Fn(T, T) -> (O, Flaw),
) -> Result<Arc<[O]>, RowError> {
    let at = |values: &[T], position: usize| if values.len() == 1 { values[0] } else { values[position] };
    (0..shape.iter().product())
        .map(|position| {
            let (result, flaw) = function(at(left, position), at(right, position));
            flaw.error().map_or(Ok(result), Err)
        })
        .collect()
}

/// An operation element by element; on `int`s only if `int` is given.
pub(super) fn elementwise(
    arguments: &[Operand],
    evaluation: &mut Evaluation<'_>,
    int: Option<impl Fn(i64, i64) -> (i64, Flaw) + Copy>,
    float: impl Fn(f64, f64) -> (f64, Flaw) + Copy,
) -> Column {
    evaluation.collect(|row| {
        let (left_value, right_value) = (arguments[0].value(row), arguments[1].value(row));
        let (Some((left, left_shape)), Some((right, right_shape))) =
            (Elements::of(&left_value), Elements::of(&right_value))
        else {
            return Err(mismatch("arithmetic", &left_value, &right_value));
        };
        let shape = match (left_shape, right_shape) {
            (Some(left), Some(right)) if left != right => {
                return Err(RowError::new(
                    ErrorKind::Value,
                    format!("arrays of shapes {left:?} and {right:?} do not fit together"),
                ));
            }
            (Some(shape), _) | (_, Some(shape)) => shape,
            (None, None) => return Err(mismatch("array arithmetic", &left_value, &right_value)),
        };
        match (int, &left, &right) {
            (Some(int), Elements::Ints(left), Elements::Ints(right)) => Ok(Value::IntArray(NdArray {
                elements: zip(left, right, &shape, int)?,
                shape,
            })),
            _ => Ok(Value::FloatArray(NdArray {
                elements: zip(&left.floats(), &right.floats(), &shape, float)?,
                shape,
            })),
        }
    })
}

fn matmul_rule(dtypes: &[DType]) -> Result<DType, PlanError> {
    arity("@", dtypes, 2)?;
    match (&dtypes[0], &dtypes[1]) {
        (DType::Array(_, left), DType::Array(_, right)) => {
            Ok(DType::Array(None, Arc::new(left.least_upper_bound(right))))
        }
        _ => Err(unsupported("@", dtypes)),
    }
}

fn matmul(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    evaluation.collect(|row| match (arguments[0].value(row), arguments[1].value(row)) {
        (Value::IntArray(left), Value::IntArray(right)) => {
            // Sums of products are kept in 128 bits, so that only the result must fit.
            let (shape, sums) = product(&left, &right, |a, b| i128::from(a) * i128::from(b))?;
            let elements = sums
                .into_iter()
                .map(|sum| i64::try_from(sum).ok())
                .collect::<Option<Arc<[i64]>>>();
            match elements {
                Some(elements) => Ok(Value::IntArray(NdArray { shape, elements })),
                None => Err(Flaw::Overflow
                    .error()
                    .unwrap_or_else(|| mismatch("@", &Value::None, &Value::None))),
            }
        }
        (left @ (Value::IntArray(_) | Value::FloatArray(_)), right @ (Value::IntArray(_) | Value::FloatArray(_))) => {
            let (shape, elements) = product(&as_floats(left), &as_floats(right), |a, b| a * b)?;
            Ok(Value::FloatArray(NdArray {
                shape,
                elements: elements.into(),
            }))
        }
        (left, right) => Err(mismatch("@", &left, &right)),
    })
}

fn as_floats(value: Value) -> NdArray<f64> {
    match value {
        Value::FloatArray(array) => array,
        Value::IntArray(array) => NdArray {
            shape: array.shape,
            elements: array.elements.iter().map(|value| *value as f64).collect(),
        },
        other => panic!("{} is no array", other.type_name()),
    }
}

/// The matrix product of arrays of one or two dimensions, as numpy's.
fn product<T: Copy, S: Default + std::ops::AddAssign>(
    left: &NdArray<T>,
    right: &NdArray<T>,
    multiply: impl Fn(T, T) -> S,
) -> Result<(Arc<[usize]>, Vec<S>), RowError> {
    let misfit = || {
        RowError::new(
            ErrorKind::Value,
            format!("can't multiply arrays of shapes {:?} and {:?}", left.shape, right.shape),
        )
    };
    let (rows, inner) = match *left.shape {
        [inner] => (None, inner),
        [rows, inner] => (Some(rows), inner),
        _ => return Err(misfit()),
    };
    let (right_inner, columns) = match *right.shape {
        [inner] => (inner, None),
        [inner, columns] => (inner, Some(columns)),
        _ => return Err(misfit()),
    };
    if inner != right_inner {
        return Err(misfit());
    }
    let width = columns.unwrap_or(1);
    let mut sums = Vec::with_capacity(rows.unwrap_or(1) * width);
    for row in 0..rows.unwrap_or(1) {
        for column in 0..width {
            let mut sum = S::default();
            for position in 0..inner {
                sum += multiply(
                    left.elements[row * inner + position],
                    right.elements[position * width + column],
                );
            }
            sums.push(sum);
        }
    }
    Ok((rows.into_iter().chain(columns).collect(), sums))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::functions::testing::check;

    fn ints(shape: &[usize], elements: &[i64]) -> Value {
        Value::IntArray(NdArray {
            shape: shape.into(),
            elements: elements.into(),
        })
    }

    fn floats(shape: &[usize], elements: &[f64]) -> Value {
        Value::FloatArray(NdArray {
            shape: shape.into(),
            elements: elements.into(),
        })
    }

    #[test]
    fn arrays() {
        check("+", ints(&[2], &[1, 2]), 1, "[2] [2, 3]");
        check("-", 1.5, ints(&[2], &[1, 2]), "[2] [0.5, -0.5]");
        check(
            "*",
            ints(&[1, 2], &[1, 2]),
            floats(&[1, 2], &[0.5, 2.0]),
            "[1, 2] [0.5, 4.0]",
        );
        check("/", ints(&[2], &[1, 2]), 2, "[2] [0.5, 1.0]");
        check("//", ints(&[2], &[1, 2]), 0, "ZeroDivision: division by zero");
        check(
            "+",
            ints(&[1], &[1]),
            ints(&[2], &[1, 2]),
            "Value: arrays of shapes [1] and [2] do not fit together",
        );
        let square = ints(&[2, 2], &[1, 2, 3, 4]);
        check("@", square.clone(), square.clone(), "[2, 2] [7, 10, 15, 22]");
        check("@", square.clone(), floats(&[2], &[1.5, 2.0]), "[2] [5.5, 12.5]");
        check("@", ints(&[2], &[1, 5]), ints(&[2], &[1, 2]), "[] [11]");
        check(
            "@",
            square,
            ints(&[1], &[1]),
            "Value: can't multiply arrays of shapes [2, 2] and [1]",
        );
        check("@", 1, 2, "! unsupported operand types for @: int and int");
    }
}
