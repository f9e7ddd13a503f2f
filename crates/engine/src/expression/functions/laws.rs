//! The loops over columns agree with the obvious definition on one row at a time.

use proptest::prelude::*;
use towpath_types::{DType, Value};

use super::testing::{Table, call, constant};
use crate::expression::Expression;

/// The result of an operator, or nothing if it fails; in 128 bits where that says what must not overflow.
fn expected(name: &str, left: &Value, right: &Value) -> Option<Value> {
    let fits = |value: i128| i64::try_from(value).ok().map(Value::Int);
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => {
            let (wide_a, wide_b) = (i128::from(*a), i128::from(*b));
            match name {
                "+" => fits(wide_a + wide_b),
                "-" => fits(wide_a - wide_b),
                "*" => fits(wide_a * wide_b),
                "/" => (*b != 0).then(|| Value::Float(*a as f64 / *b as f64)),
                "//" => (*b != 0)
                    .then(|| (wide_a - wide_a.rem_euclid(wide_b.abs())) / wide_b)
                    .and_then(|quotient| {
                        // The Euclidean quotient is the floor for positive divisors only.
                        let floor = if wide_b < 0 && wide_a.rem_euclid(wide_b.abs()) != 0 {
                            quotient - 1
                        } else {
                            quotient
                        };
                        fits(floor)
                    }),
                "%" => (*b != 0).then(|| {
                    let remainder = wide_a.rem_euclid(wide_b.abs());
                    Value::Int(
                        (if wide_b < 0 && remainder != 0 {
                            remainder + wide_b
                        } else {
                            remainder
                        }) as i64,
                    )
                }),
                _ => Some(Value::Bool(relation(name, wide_a.partial_cmp(&wide_b)))),
            }
        }
        (Value::Int(a), Value::Float(_)) => expected(name, &Value::Float(*a as f64), right),
        (Value::Float(_), Value::Int(b)) => expected(name, left, &Value::Float(*b as f64)),
        (Value::Float(a), Value::Float(b)) => match name {
            "+" => Some(Value::Float(a + b)),
            "-" => Some(Value::Float(a - b)),
            "*" => Some(Value::Float(a * b)),
            "/" => (*b != 0.0).then(|| Value::Float(a / b)),
            "%" => (*b != 0.0).then(|| {
                let remainder = a % b;
                Value::Float(if remainder != 0.0 && remainder.signum() != b.signum() {
                    remainder + b
                } else {
                    remainder
                })
            }),
            _ => Some(Value::Bool(relation(name, a.partial_cmp(b)))),
        },
        (Value::Str(a), Value::Str(b)) if name == "+" => Some(Value::from(&*format!("{a}{b}"))),
        (a, b) => Some(Value::Bool(relation(name, Some(a.cmp(b))))),
    }
}

fn relation(name: &str, ordering: Option<std::cmp::Ordering>) -> bool {
    match name {
        "==" => ordering.is_some_and(|ordering| ordering.is_eq()),
        "!=" => ordering.is_none_or(|ordering| ordering.is_ne()),
        "<" => ordering.is_some_and(|ordering| ordering.is_lt()),
        "<=" => ordering.is_some_and(|ordering| ordering.is_le()),
        ">" => ordering.is_some_and(|ordering| ordering.is_gt()),
        ">=" => ordering.is_some_and(|ordering| ordering.is_ge()),
        other => panic!("{other} has no definition here"),
    }
}

fn int() -> BoxedStrategy<Value> {
    prop_oneof![
        -3..4i64,
        any::<i64>(),
        Just(i64::MAX),
        Just(i64::MIN),
        any::<i32>().prop_map(i64::from)
    ]
    .prop_map(Value::Int)
    .boxed()
}

fn float() -> BoxedStrategy<Value> {
    prop_oneof![
        Just(0.0),
        Just(-0.0),
        Just(f64::NAN),
        Just(f64::INFINITY),
        -1e3..1e3f64,
        any::<f64>()
    ]
    .prop_map(Value::Float)
    .boxed()
}

fn text() -> BoxedStrategy<Value> {
    "[abż]{0,20}".prop_map(|text| Value::str(&text)).boxed()
}

fn typed() -> impl Strategy<Value = (DType, BoxedStrategy<Value>)> {
    prop_oneof![
        Just((DType::Int, int())),
        Just((DType::Float, float())),
        Just((DType::Str, text())),
        Just((DType::Bool, any::<bool>().prop_map(Value::Bool).boxed())),
    ]
}

type Sides = ((DType, Vec<Value>), (DType, Vec<Value>));

fn sides() -> impl Strategy<Value = Sides> {
    (typed(), typed(), 1..70usize).prop_flat_map(|((left_type, left), (right_type, right), len)| {
        (
            (Just(left_type), prop::collection::vec(left, len)),
            (Just(right_type), prop::collection::vec(right, len)),
        )
    })
}

/// Equal, and floats to the bit except for `NaN`s and zeros.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Float(a), Value::Float(b)) => a == b || (a.is_nan() && b.is_nan()),
        _ => left == right,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn columns_agree_with_rows(
        ((left_type, left), (right_type, right)) in sides(),
        name in prop::sample::select(vec!["+", "-", "*", "/", "//", "%", "==", "!=", "<", "<=", ">", ">="]),
        constants in (any::<bool>(), any::<bool>()),
    ) {
        let types = [&left_type, &right_type];
        // Neither has a simpler definition than its own.
        let floor_of_floats = name == "//" && types.contains(&&DType::Float);
        let repeated_text = name == "*" && types.contains(&&DType::Str);
        if floor_of_floats || repeated_text {
            return Ok(());
        }
        let table = Table::new([(left_type, left.clone()), (right_type, right.clone())]);
        let [a, b] = table.columns();
        let side = |column: Expression, values: &[Value], is_constant: bool| {
            if is_constant { constant(values[0].clone()) } else { column }
        };
        let Ok(expression) = call(name, [side(a, &left, constants.0), side(b, &right, constants.1)]) else {
            return Ok(());
        };
        let (values, failures) = table.evaluate(&expression);
        let mut failed = 0;
        for (row, value) in values.iter().enumerate() {
            let a = &left[if constants.0 { 0 } else { row }];
            let b = &right[if constants.1 { 0 } else { row }];
            let expected = expected(name, a, b).unwrap_or(Value::Error);
            prop_assert!(same(value, &expected), "{a:?} {name} {b:?} is {value:?}, not {expected:?}");
            failed += usize::from(value.is_error());
        }
        // The failure of a constant is one failure.
        prop_assert_eq!(failures.len(), if constants == (true, true) { failed.min(1) } else { failed });
    }
}
