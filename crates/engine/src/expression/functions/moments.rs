//! Arithmetic of moments and durations, all of it on whole nanoseconds.
//!
//! | | |
//! |---|---|
//! | `+` | moment and duration in either order; two durations |
//! | `-` | moment and duration; two moments of one kind; two durations |
//! | `*` | duration and `int` or `float` in either order; a `float` product is truncated |
//! | `/` | duration by `int` or `float`, truncated; two durations give a `float` |
//! | `//` | duration by `int`, rounded down; two durations give an `int` |
//! | `%` | two durations |

use towpath_types::{Column, DType, Physical};

use super::kernels::{Flaw, checked_binary, float_column, floats, int_column, ints};
use crate::expression::{Evaluation, Operand};

/// The type of `left name right`, if one of them is a moment or a duration and they fit.
pub(super) fn arithmetic_rule(name: &str, left: &DType, right: &DType) -> Option<DType> {
    use DType::{DateTimeNaive, DateTimeUtc, Duration, Float, Int};
    match (name, left, right) {
        ("+", DateTimeNaive | DateTimeUtc, Duration) | ("-", DateTimeNaive | DateTimeUtc, Duration) => {
            Some(left.clone())
        }
        ("+", Duration, DateTimeNaive | DateTimeUtc) => Some(right.clone()),
        ("-", DateTimeNaive, DateTimeNaive) | ("-", DateTimeUtc, DateTimeUtc) => Some(Duration),
        ("+" | "-" | "%", Duration, Duration) => Some(Duration),
        ("*" | "/", Duration, Int | Float) | ("*", Int | Float, Duration) | ("//", Duration, Int) => Some(Duration),
        ("//", Duration, Duration) => Some(Int),
        ("/", Duration, Duration) => Some(Float),
        _ => None,
    }
}

/// An operation on the nanoseconds as they are, in the layout of the result.
pub(super) fn whole_nanoseconds(
    arguments: &[Operand],
    evaluation: &mut Evaluation<'_>,
    function: impl Fn(i64, i64) -> (i64, Flaw),
) -> Column {
    let results = checked_binary(evaluation, &ints(&arguments[0]), &ints(&arguments[1]), function);
    int_column(evaluation.dtype.physical(), results)
}

/// A number of nanoseconds, truncated.
pub(super) fn truncate(nanoseconds: f64) -> (i64, Flaw) {
    let fits = nanoseconds >= i64::MIN as f64 && nanoseconds < i64::MAX as f64;
    (nanoseconds as i64, Flaw::overflow(!fits))
}

/// A duration times a number, or the reverse.
pub(super) fn multiply(
    arguments: &[Operand],
    evaluation: &mut Evaluation<'_>,
    multiply_ints: impl Fn(i64, i64) -> (i64, Flaw),
) -> Column {
    let (duration, factor) = if arguments[0].cells().physical() == Physical::Duration {
        (&arguments[0], &arguments[1])
    } else {
        (&arguments[1], &arguments[0])
    };
    if factor.cells().physical() == Physical::Int {
        return whole_nanoseconds(arguments, evaluation, multiply_ints);
    }
    let results = checked_binary(evaluation, &ints(duration), &floats(factor), |duration, factor| {
        truncate(duration as f64 * factor)
    });
    int_column(Physical::Duration, results)
}

/// A duration by a duration or a number.
pub(super) fn divide(
    arguments: &[Operand],
    evaluation: &mut Evaluation<'_>,
    divide_floats: impl Fn(f64, f64) -> (f64, Flaw),
) -> Column {
    let duration = ints(&arguments[0]);
    match arguments[1].cells().physical() {
        Physical::Duration => {
            let results = checked_binary(evaluation, &duration, &ints(&arguments[1]), |a, b| {
                divide_floats(a as f64, b as f64)
            });
            float_column(results)
        }
        Physical::Int => {
            let results = checked_binary(evaluation, &duration, &ints(&arguments[1]), |a, b| {
                match a.checked_div(b) {
                    Some(quotient) => (quotient, Flaw::None),
                    None if b == 0 => (0, Flaw::ZeroDivision),
                    None => (0, Flaw::Overflow),
                }
            });
            int_column(Physical::Duration, results)
        }
        _ => {
            let results = checked_binary(
                evaluation,
                &duration,
                &floats(&arguments[1]),
                |a, b| match divide_floats(a as f64, b) {
                    (quotient, Flaw::None) => truncate(quotient),
                    (_, flaw) => (0, flaw),
                },
            );
            int_column(Physical::Duration, results)
        }
    }
}

#[cfg(test)]
mod tests {
    use towpath_types::Value;

    use crate::expression::functions::testing::check;

    #[test]
    fn moments_and_durations() {
        use Value::{DateTimeNaive as Naive, DateTimeUtc as Utc, Duration};
        const HOUR: i64 = 3_600_000_000_000;
        check("+", Naive(0), Duration(HOUR), "1970-01-01T01:00:00.000000000");
        check("+", Duration(HOUR), Utc(0), "1970-01-01T01:00:00.000000000+0000");
        check("-", Utc(0), Duration(HOUR), "1969-12-31T23:00:00.000000000+0000");
        check("-", Naive(5), Naive(7), "-2ns");
        check(
            "-",
            Naive(5),
            Utc(7),
            "! unsupported operand types for -: DateTimeNaive and DateTimeUtc",
        );
        check(
            "+",
            Naive(5),
            Naive(7),
            "! unsupported operand types for +: DateTimeNaive and DateTimeNaive",
        );
        check("+", Duration(5), Duration(7), "12ns");
        check("*", Duration(5), 3, "15ns");
        check("*", -2.5, Duration(1), "-2ns");
        check("/", Duration(7), 2, "3ns");
        check("/", Duration(7), 0.5, "14ns");
        check("/", Duration(7), 0, "ZeroDivision: division by zero");
        check("//", Duration(-7), 2, "-4ns");
        check("/", Duration(7), Duration(2), "3.5");
        check("//", Duration(-HOUR), Duration(HOUR / 60 * 7), "-9");
        check("%", Duration(-HOUR), Duration(HOUR / 60 * 7), "180000000000ns");
        check(
            "%",
            Duration(7),
            2,
            "! unsupported operand types for %: Duration and int",
        );
        check(
            "+",
            Naive(i64::MAX),
            Duration(1),
            "Overflow: the result does not fit in 64 bits",
        );
        check(
            "*",
            Duration(i64::MAX),
            1.5,
            "Overflow: the result does not fit in 64 bits",
        );
    }
}
