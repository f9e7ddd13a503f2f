//! `+ - * / // % **`, `neg` and `abs`.
//!
//! Signs of `//` and `%` follow Python. An `int` that does not fit in 64 bits is an error, never a wrapped
//! number. `/` turns `int`s into floats first, so beyond 2^53 its last bit may differ from that of Python, which
//! rounds once. Dividing by zero is an error also for floats. Moments and durations are in [`super::moments`],
//! arrays in [`super::arrays`].

use towpath_types::{Column, DType, Physical, Value};

use super::arrays;
use super::kernels::{
    Flaw, checked_binary, checked_unary, float_column, floats, int_at, int_column, ints, text_column, texts, unary,
};
use super::moments;
use super::rules::{arity, unsupported};
use crate::error::{ErrorKind, PlanError};
use crate::expression::{Evaluation, Function, Operand};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("+", |dtypes| binary_rule("+", dtypes), add).failing(),
    Function::new("-", |dtypes| binary_rule("-", dtypes), subtract).failing(),
    Function::new("*", |dtypes| binary_rule("*", dtypes), multiply).failing(),
    Function::new("/", |dtypes| binary_rule("/", dtypes), divide).failing(),
    Function::new("//", |dtypes| binary_rule("//", dtypes), floor_divide).failing(),
    Function::new("%", |dtypes| binary_rule("%", dtypes), modulo).failing(),
    Function::new("**", |dtypes| binary_rule("**", dtypes), power).failing(),
    Function::new("neg", |dtypes| unary_rule("neg", dtypes), negate).failing(),
    Function::new("abs", |dtypes| unary_rule("abs", dtypes), absolute).failing(),
];

fn binary_rule(name: &str, dtypes: &[DType]) -> Result<DType, PlanError> {
    arity(name, dtypes, 2)?;
    match (name, &dtypes[0], &dtypes[1]) {
        ("/", DType::Int | DType::Float, DType::Int | DType::Float) => Ok(DType::Float),
        (_, DType::Int, DType::Int) => Ok(DType::Int),
        (_, DType::Int | DType::Float, DType::Int | DType::Float) => Ok(DType::Float),
        ("+", DType::Str, DType::Str) | ("*", DType::Str, DType::Int) | ("*", DType::Int, DType::Str) => Ok(DType::Str),
        ("+", DType::Tuple(left), DType::Tuple(right)) => Ok(DType::tuple(left.iter().chain(right.iter()).cloned())),
        ("+", DType::List(_) | DType::Tuple(_), DType::List(_) | DType::Tuple(_)) => {
            Ok(dtypes[0].least_upper_bound(&dtypes[1]))
        }
        _ => moments::arithmetic_rule(name, &dtypes[0], &dtypes[1])
            .or_else(|| arrays::arithmetic_rule(name, &dtypes[0], &dtypes[1]))
            .ok_or_else(|| unsupported(name, dtypes)),
    }
}

fn unary_rule(name: &str, dtypes: &[DType]) -> Result<DType, PlanError> {
    arity(name, dtypes, 1)?;
    match &dtypes[0] {
        DType::Int | DType::Float | DType::Duration => Ok(dtypes[0].clone()),
        _ => Err(unsupported(name, dtypes)),
    }
}

/// Numbers, or arrays of numbers, by an operation on `int`s and the same one on floats.
fn numbers(
    arguments: &[Operand],
    evaluation: &mut Evaluation<'_>,
    int: impl Fn(i64, i64) -> (i64, Flaw) + Copy,
    float: impl Fn(f64, f64) -> (f64, Flaw) + Copy,
) -> Column {
    let (left, right) = (&arguments[0], &arguments[1]);
    match (left.cells().physical(), right.cells().physical()) {
        (Physical::Any, _) | (_, Physical::Any) => arrays::elementwise(arguments, evaluation, Some(int), float),
        (Physical::Int, Physical::Int) => int_column(
            Physical::Int,
            checked_binary(evaluation, &ints(left), &ints(right), int),
        ),
        _ => float_column(checked_binary(evaluation, &floats(left), &floats(right), float)),
    }
}

fn is_time(arguments: &[Operand]) -> bool {
    arguments.iter().any(|argument| {
        matches!(
            argument.cells().physical(),
            Physical::Duration | Physical::DateTimeNaive | Physical::DateTimeUtc
        )
    })
}

fn add(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    if is_time(arguments) {
        return moments::whole_nanoseconds(arguments, evaluation, add_ints);
    }
    match evaluation.dtype {
        DType::Str => {
            let (left, right) = (texts(&arguments[0]), texts(&arguments[1]));
            text_column(evaluation.len, |row, out| {
                out.push_str(left.at(row));
                out.push_str(right.at(row));
            })
        }
        DType::Tuple(_) | DType::List(_) => {
            evaluation.collect(|row| match (arguments[0].value(row), arguments[1].value(row)) {
                (Value::Tuple(left), Value::Tuple(right)) => Ok(Value::tuple(left.iter().chain(right.iter()).cloned())),
                (left, right) => Err(arrays::mismatch("+", &left, &right)),
            })
        }
        _ => numbers(arguments, evaluation, add_ints, |a, b| (a + b, Flaw::None)),
    }
}

/// The sum; the sign of an overflowing sum differs from the signs of both terms.
#[inline]
fn add_ints(a: i64, b: i64) -> (i64, Flaw) {
    let sum = a.wrapping_add(b);
    (sum, Flaw::overflow((sum ^ a) & (sum ^ b) < 0))
}

#[inline]
fn subtract_ints(a: i64, b: i64) -> (i64, Flaw) {
    let difference = a.wrapping_sub(b);
    (difference, Flaw::overflow((a ^ b) & (a ^ difference) < 0))
}

#[inline]
fn multiply_ints(a: i64, b: i64) -> (i64, Flaw) {
    let (product, overflows) = a.overflowing_mul(b);
    (product, Flaw::overflow(overflows))
}

fn subtract(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    if is_time(arguments) {
        return moments::whole_nanoseconds(arguments, evaluation, subtract_ints);
    }
    numbers(arguments, evaluation, subtract_ints, |a, b| (a - b, Flaw::None))
}

fn multiply(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    if is_time(arguments) {
        return moments::multiply(arguments, evaluation, multiply_ints);
    }
    if evaluation.dtype == &DType::Str {
        return repeat_text(arguments, evaluation);
    }
    numbers(arguments, evaluation, multiply_ints, |a, b| (a * b, Flaw::None))
}

fn repeat_text(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    let (text, times) = if arguments[0].cells().physical() == Physical::Str {
        (&arguments[0], &arguments[1])
    } else {
        (&arguments[1], &arguments[0])
    };
    let text = texts(text);
    text_column(evaluation.len, |row, out| {
        let (text, times) = (text.at(row), int_at(Some(times), row).unwrap_or(0).max(0) as usize);
        if text.len().saturating_mul(times) > i32::MAX as usize {
            evaluation.fail(row, ErrorKind::Overflow, "the repeated str is longer than 2 GiB");
        } else if !text.is_empty() {
            out.extend(std::iter::repeat_n(text, times));
        }
    })
}

#[inline]
fn divide_floats(a: f64, b: f64) -> (f64, Flaw) {
    if b == 0.0 {
        (0.0, Flaw::ZeroDivision)
    } else {
        (a / b, Flaw::None)
    }
}

fn divide(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    if is_time(arguments) {
        return moments::divide(arguments, evaluation, divide_floats);
    }
    match (arguments[0].cells().physical(), arguments[1].cells().physical()) {
        (Physical::Any, _) | (_, Physical::Any) => arrays::elementwise(
            arguments,
            evaluation,
            None::<fn(i64, i64) -> (i64, Flaw)>,
            divide_floats,
        ),
        _ => float_column(checked_binary(
            evaluation,
            &floats(&arguments[0]),
            &floats(&arguments[1]),
            divide_floats,
        )),
    }
}

/// The quotient rounded down, as Python's `//`.
#[inline]
pub(super) fn floor_divide_ints(a: i64, b: i64) -> (i64, Flaw) {
    match a.checked_div(b) {
        Some(quotient) if a % b != 0 && (a < 0) != (b < 0) => (quotient - 1, Flaw::None),
        Some(quotient) => (quotient, Flaw::None),
        None if b == 0 => (0, Flaw::ZeroDivision),
        None => (0, Flaw::Overflow),
    }
}

/// The remainder with the sign of the divisor, as Python's `%`.
#[inline]
pub(super) fn modulo_ints(a: i64, b: i64) -> (i64, Flaw) {
    if b == 0 {
        return (0, Flaw::ZeroDivision);
    }
    let remainder = a.wrapping_rem(b);
    if remainder != 0 && (remainder < 0) != (b < 0) {
        (remainder + b, Flaw::None)
    } else {
        (remainder, Flaw::None)
    }
}

#[inline]
fn modulo_floats(a: f64, b: f64) -> (f64, Flaw) {
    if b == 0.0 {
        return (0.0, Flaw::ZeroDivision);
    }
    let remainder = a % b;
    let result = if remainder == 0.0 {
        0.0_f64.copysign(b)
    } else if (remainder < 0.0) != (b < 0.0) {
        remainder + b
    } else {
        remainder
    };
    (result, Flaw::None)
}

/// Python's `//` on floats: the quotient that fits the remainder, which `(a / b).floor()` may miss by one.
#[inline]
fn floor_divide_floats(a: f64, b: f64) -> (f64, Flaw) {
    if b == 0.0 {
        return (0.0, Flaw::ZeroDivision);
    }
    let remainder = a % b;
    let mut quotient = (a - remainder) / b;
    if remainder != 0.0 && (remainder < 0.0) != (b < 0.0) {
        quotient -= 1.0;
    }
    let result = if quotient == 0.0 {
        0.0_f64.copysign(a / b)
    } else {
        let floor = quotient.floor();
        if quotient - floor > 0.5 { floor + 1.0 } else { floor }
    };
    (result, Flaw::None)
}

fn floor_divide(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    if is_time(arguments) {
        return moments::whole_nanoseconds(arguments, evaluation, floor_divide_ints);
    }
    numbers(arguments, evaluation, floor_divide_ints, floor_divide_floats)
}

fn modulo(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    if is_time(arguments) {
        return moments::whole_nanoseconds(arguments, evaluation, modulo_ints);
    }
    numbers(arguments, evaluation, modulo_ints, modulo_floats)
}

fn power_ints(base: i64, exponent: i64) -> (i64, Flaw) {
    if exponent < 0 {
        return (0, Flaw::NegativePower);
    }
    let result = match base {
        // The only bases with powers beyond the 63rd that fit.
        -1..=1 => base.checked_pow(if exponent == 0 { 0 } else { 2 - (exponent & 1) as u32 }),
        _ => u32::try_from(exponent)
            .ok()
            .and_then(|exponent| base.checked_pow(exponent)),
    };
    result.map_or((0, Flaw::Overflow), |result| (result, Flaw::None))
}

fn power(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    numbers(arguments, evaluation, power_ints, |a, b| (a.powf(b), Flaw::None))
}

fn negate(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    sign(arguments, evaluation, i64::overflowing_neg, |value| -value)
}

fn absolute(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    sign(arguments, evaluation, i64::overflowing_abs, f64::abs)
}

fn sign(
    arguments: &[Operand],
    evaluation: &mut Evaluation<'_>,
    int: impl Fn(i64) -> (i64, bool),
    float: impl Fn(f64) -> f64,
) -> Column {
    match arguments[0].cells().physical() {
        Physical::Float => float_column(unary(evaluation.len, &floats(&arguments[0]), float)),
        physical => {
            let results = checked_unary(evaluation, &ints(&arguments[0]), |value| {
                let (result, overflows) = int(value);
                (result, Flaw::overflow(overflows))
            });
            int_column(physical, results)
        }
    }
}

#[cfg(test)]
mod tests {
    use towpath_types::Value;

    use crate::expression::functions::testing::{check, outcome};

    #[test]
    fn numbers() {
        check("+", 1, 2, "3");
        check("+", 1, 2.5, "3.5");
        check("-", 1.0, 2, "-1.0");
        check("*", -3, 2, "-6");
        check("/", 7, 2, "3.5");
        check("/", 5_258_986_265_376_043_509, 870, "6044811799282808.0");
        check("//", -7, 2, "-4");
        check("//", 7, -2, "-4");
        check("//", -7.0, 2, "-4.0");
        check("//", 2, -1.0, "-2.0");
        check("%", 7, -2, "-1");
        check("%", -7, 2, "1");
        check("%", -6.5, 2, "1.5");
        check("%", 2, -1.0, "-0.0");
        check("**", 2, 10, "1024");
        check("**", -1, i64::MAX, "-1");
        check("**", -1, 6, "1");
        check("**", 0, 0, "1");
        check("**", 0, 5, "0");
        check("**", 2, -1.0, "0.5");
        check("**", 0.0, -1, "inf");
    }

    #[test]
    fn numbers_that_fail() {
        let overflow = "Overflow: the result does not fit in 64 bits";
        check("+", i64::MAX, 1, overflow);
        check("-", i64::MIN, 1, overflow);
        check("-", 0, i64::MIN, overflow);
        check("*", i64::MAX, 2, overflow);
        check("//", i64::MIN, -1, overflow);
        check("%", i64::MIN, -1, "0");
        check("**", 2, 63, overflow);
        check(
            "**",
            2,
            -1,
            "Value: an int cannot be raised to a negative power: cast it to float first",
        );
        for name in ["/", "//", "%"] {
            check(name, 1, 0, "ZeroDivision: division by zero");
            check(name, 1.0, 0.0, "ZeroDivision: division by zero");
            check(
                name,
                Value::Duration(1),
                Value::Duration(0),
                "ZeroDivision: division by zero",
            );
        }
        assert_eq!(outcome("neg", [Value::Int(i64::MIN)]), overflow);
        assert_eq!(outcome("abs", [Value::Int(i64::MIN)]), overflow);
    }

    #[test]
    fn signs() {
        assert_eq!(outcome("neg", [Value::Float(0.0)]), "-0.0");
        assert_eq!(outcome("neg", [Value::Duration(5)]), "-5ns");
        assert_eq!(outcome("abs", [Value::Int(-5)]), "5");
        assert_eq!(outcome("abs", [Value::Float(-1.5)]), "1.5");
        assert_eq!(
            outcome("neg", [Value::str("x")]),
            "! unsupported operand type for neg: str"
        );
    }

    #[test]
    fn texts_and_tuples() {
        check("+", "añb", "c", "\"añbc\"");
        check("*", "ab", 2, "\"abab\"");
        check("*", -1, "ab", "\"\"");
        check("*", "", i64::MAX, "\"\"");
        check("*", "ab", i64::MAX, "Overflow: the repeated str is longer than 2 GiB");
        check(
            "+",
            Value::tuple([1.into(), "a".into()]),
            Value::tuple([2.5.into()]),
            "(1, \"a\", 2.5)",
        );
        check("+", 1, "a", "! unsupported operand types for +: int and str");
        check("+", true, 1, "! unsupported operand types for +: bool and int");
        check("-", "a", "a", "! unsupported operand types for -: str and str");
        check("+", 1, (), "! unsupported operand types for +: int and None");
    }
}
