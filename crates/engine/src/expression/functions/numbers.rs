//! The `num.` family: `num.round` and `num.fill_na`; `num.abs` is `abs`.

use std::cmp::Ordering;

use towpath_types::{Column, DType, Physical};

use super::kernels::{Flaw, binary, checked_binary, float_column, floats, int_column, ints, nones};
use super::rules::{INT, NUMBER, arity, entry, unsupported};
use crate::error::PlanError;
use crate::expression::{Evaluation, Function, Operand};

pub(super) const FUNCTIONS: &[Function] = &[
    entry!("num.round"(NUMBER, INT) => |dtypes| dtypes[0].clone(), round).failing(),
    Function::new("num.fill_na", fill_na_rule, fill_na).taking_none(),
];

fn round(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    let decimals = ints(&arguments[1]);
    match arguments[0].cells().physical() {
        Physical::Int => {
            let rounded = checked_binary(evaluation, &ints(&arguments[0]), &decimals, round_int);
            int_column(Physical::Int, rounded)
        }
        _ => float_column(binary(evaluation.len, &floats(&arguments[0]), &decimals, round_float)),
    }
}

/// To a multiple of `10 ** -decimals`, the even one of two that are equally near.
fn round_int(value: i64, decimals: i64) -> (i64, Flaw) {
    if decimals >= 0 {
        return (value, Flaw::None);
    }
    if decimals < -19 {
        return (0, Flaw::None);
    }
    let unit = 10_i128.pow(decimals.unsigned_abs() as u32);
    let value = i128::from(value);
    let (below, rest) = (value.div_euclid(unit), value.rem_euclid(unit));
    let up = 2 * rest > unit || (2 * rest == unit && below % 2 != 0);
    match i64::try_from((below + i128::from(up)) * unit) {
        Ok(rounded) => (rounded, Flaw::None),
        Err(_) => (0, Flaw::Overflow),
    }
}

/// The float nearest to the decimal number that is nearest to the exact value, as Python's `round`.
fn round_float(value: f64, decimals: i64) -> f64 {
    match decimals {
        _ if !value.is_finite() => value,
        0 => value.round_ties_even(),
        // No float has digits beyond these.
        1..=323 => format!("{value:.*}", decimals as usize).parse().unwrap_or(value),
        324.. => value,
        // A quotient may be rounded to a tie that the value is not: below 10 ** 38, whole numbers say it exactly.
        -38..=-1 if value.abs() < 1e38 => {
            let unit = 10_i128.pow(decimals.unsigned_abs() as u32);
            let (whole, has_fraction) = (value.abs().trunc() as i128, value.fract() != 0.0);
            let (below, rest) = (whole / unit, whole % unit);
            let up = match rest.cmp(&(unit - rest)) {
                Ordering::Less => false,
                Ordering::Equal => has_fraction || below % 2 != 0,
                Ordering::Greater => true,
            };
            (((below + i128::from(up)) * unit) as f64).copysign(value)
        }
        -308..=-1 => {
            let unit = 10_f64.powi(-decimals as i32);
            (value / unit).round_ties_even() * unit
        }
        _ => 0.0_f64.copysign(value),
    }
}

fn fill_na_rule(dtypes: &[DType]) -> Result<DType, PlanError> {
    arity("num.fill_na", dtypes, 2)?;
    match (dtypes[0].required(), &dtypes[1]) {
        (DType::Int | DType::Float, DType::Int | DType::Float) => {
            Ok(dtypes[0].required().least_upper_bound(&dtypes[1]))
        }
        _ => Err(unsupported("num.fill_na", dtypes)),
    }
}

/// The value, or the default where it is `None` or `NaN`.
fn fill_na(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    let (value, default, len) = (&arguments[0], &arguments[1], evaluation.len);
    let nones = nones(value, len);
    let is_none = |row: usize| nones.as_ref().is_some_and(|nones| nones.value(row));
    if evaluation.dtype == &DType::Int {
        let (values, defaults) = (ints(value), ints(default));
        let filled = (0..len).map(|row| if is_none(row) { defaults.at(row) } else { values.at(row) });
        return int_column(Physical::Int, filled.collect());
    }
    let (values, defaults) = (floats(value), floats(default));
    let filled = (0..len).map(|row| {
        let value = values.at(row);
        if is_none(row) || value.is_nan() {
            defaults.at(row)
        } else {
            value
        }
    });
    float_column(filled.collect())
}

#[cfg(test)]
mod tests {
    use towpath_types::{DType, Value};

    use crate::expression::functions::testing::{Table, call, constant, outcome};

    #[test]
    fn rounding_is_half_to_even() {
        let check = |value: Value, decimals: i64, expected: &str| {
            assert_eq!(
                outcome("num.round", [value.clone(), decimals.into()]),
                expected,
                "{value:?}"
            );
        };
        check(2.5.into(), 0, "2.0");
        check(3.5.into(), 0, "4.0");
        check(2.25.into(), 1, "2.2");
        check(2.675.into(), 2, "2.67");
        check(1234.5678.into(), -2, "1200.0");
        check(1234.5678.into(), 400, "1234.5678");
        check((-1234.5678).into(), -400, "-0.0");
        check(f64::NAN.into(), 1, "NaN");
        check(25.into(), -1, "20");
        check(35.into(), -1, "40");
        check((-25).into(), -1, "-20");
        check(26.into(), 3, "26");
        check(i64::MAX.into(), -1, "Overflow: the result does not fit in 64 bits");
        check(7.into(), -20, "0");
    }

    #[test]
    fn gaps_are_filled() {
        let table = Table::new([
            (DType::Int.optional(), vec![1.into(), ().into(), 3.into()]),
            (DType::Float.optional(), vec![1.5.into(), ().into(), f64::NAN.into()]),
        ]);
        let [a, b] = table.columns();
        let check = |expression, dtype, expected: [Value; 3]| {
            let filled = call("num.fill_na", expression).expect("fits");
            assert_eq!(filled.dtype(), &dtype);
            assert_eq!(table.evaluate(&filled).0, expected);
        };
        check([a.clone(), constant(7)], DType::Int, [1.into(), 7.into(), 3.into()]);
        check([a, constant(7.5)], DType::Float, [1.0.into(), 7.5.into(), 3.0.into()]);
        check([b, constant(7)], DType::Float, [1.5.into(), 7.0.into(), 7.0.into()]);
    }
}
