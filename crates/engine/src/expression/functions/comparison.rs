//! `== != < <= > >=`.
//!
//! `int` and `float` compare as floats; `NaN` differs from everything, itself included. `==` and `!=` also
//! take `None`, which equals itself alone, and always give a `bool`. Under `Any` values of different types differ.

use std::cmp::Ordering;

use arrow_array::GenericByteViewArray;
use arrow_array::types::ByteViewType;
use arrow_buffer::BooleanBuffer;
use arrow_data::MAX_INLINE_VIEW_LEN;
use towpath_types::{Cells, Column, DType, Value};

use super::kernels::{Slice, bits, bool_column, floats, ints, nones};
use super::rules::{arity, unsupported};
use crate::error::PlanError;
use crate::expression::{Evaluation, Function, Operand};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "==",
        |dtypes| equality_rule("==", dtypes),
        |a, e| equality(a, e, Relation::Equal),
    )
    .taking_none(),
    Function::new(
        "!=",
        |dtypes| equality_rule("!=", dtypes),
        |a, e| equality(a, e, Relation::NotEqual),
    )
    .taking_none(),
    Function::new(
        "<",
        |dtypes| order_rule("<", dtypes),
        |a, e| order(a, e, Relation::Less),
    ),
    Function::new(
        "<=",
        |dtypes| order_rule("<=", dtypes),
        |a, e| order(a, e, Relation::LessOrEqual),
    ),
    Function::new(
        ">",
        |dtypes| order_rule(">", dtypes),
        |a, e| order(a, e, Relation::Greater),
    ),
    Function::new(
        ">=",
        |dtypes| order_rule(">=", dtypes),
        |a, e| order(a, e, Relation::GreaterOrEqual),
    ),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Relation {
    /// Whether it holds between values that compare so; `None` is for `NaN`.
    fn holds(self, ordering: Option<Ordering>) -> bool {
        match self {
            Relation::Equal => ordering == Some(Ordering::Equal),
            Relation::NotEqual => ordering != Some(Ordering::Equal),
            Relation::Less => ordering == Some(Ordering::Less),
            Relation::LessOrEqual => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
            Relation::Greater => ordering == Some(Ordering::Greater),
            Relation::GreaterOrEqual => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

/// Whether values of the types may be equal.
fn may_equal(left: &DType, right: &DType) -> bool {
    match (left.required(), right.required()) {
        (DType::Any | DType::None, _) | (_, DType::Any | DType::None) => true,
        (DType::Int | DType::Float, DType::Int | DType::Float) => true,
        (DType::Array(..), DType::Array(..)) => true,
        (DType::Tuple(left), DType::Tuple(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right.iter())
                    .all(|(left, right)| may_equal(left, right))
        }
        (DType::List(left), DType::List(right)) => may_equal(left, right),
        (DType::Tuple(items), DType::List(item)) | (DType::List(item), DType::Tuple(items)) => {
            items.iter().all(|each| may_equal(each, item))
        }
        (DType::Pointer(_), DType::Pointer(_)) => left.required().joined(right.required()).is_some(),
        (left, right) => left == right,
    }
}

fn equality_rule(name: &str, dtypes: &[DType]) -> Result<DType, PlanError> {
    arity(name, dtypes, 2)?;
    if may_equal(&dtypes[0], &dtypes[1]) {
        Ok(DType::Bool)
    } else {
        Err(unsupported(name, dtypes))
    }
}

fn order_rule(name: &str, dtypes: &[DType]) -> Result<DType, PlanError> {
    arity(name, dtypes, 2)?;
    let ordered = |dtype: &DType| match dtype {
        DType::Bool
        | DType::Int
        | DType::Float
        | DType::Str
        | DType::Bytes
        | DType::Pointer(_)
        | DType::DateTimeNaive
        | DType::DateTimeUtc
        | DType::Duration
        | DType::Tuple(_)
        | DType::List(_) => true,
        DType::None
        | DType::Any
        | DType::Json
        | DType::Array(..)
        | DType::Optional(_)
        | DType::Object
        | DType::Callable
        | DType::Future(_) => false,
    };
    if dtypes.iter().all(ordered) && may_equal(&dtypes[0], &dtypes[1]) {
        Ok(DType::Bool)
    } else {
        Err(unsupported(name, dtypes))
    }
}

fn equality(arguments: &[Operand], evaluation: &mut Evaluation<'_>, relation: Relation) -> Column {
    let (left, right, len) = (&arguments[0], &arguments[1], evaluation.len);
    let negate = |equal: BooleanBuffer| bool_column(if relation == Relation::NotEqual { !&equal } else { equal });
    for (one, other) in [(left, right), (right, left)] {
        if one.is_scalar() && one.cells().is_none(0) {
            return negate(nones(other, len).unwrap_or_else(|| BooleanBuffer::new_unset(len)));
        }
    }
    if evaluation.arguments.iter().any(|dtype| dtype == &DType::Any) {
        return negate(BooleanBuffer::collect_bool(len, |row| {
            left.value(row) == right.value(row)
        }));
    }
    let equal = compare(arguments, len, Relation::Equal);
    negate(match (nones(left, len), nones(right, len)) {
        (None, None) => equal,
        (Some(nones), None) | (None, Some(nones)) => &equal & &!&nones,
        (Some(left), Some(right)) => &(&equal & &!&(&left | &right)) | &(&left & &right),
    })
}

fn order(arguments: &[Operand], evaluation: &mut Evaluation<'_>, relation: Relation) -> Column {
    bool_column(compare(arguments, evaluation.len, relation))
}

/// Where the relation holds; means nothing where a value is `None`.
fn compare(arguments: &[Operand], len: usize, relation: Relation) -> BooleanBuffer {
    let (left, right) = (&arguments[0], &arguments[1]);
    match (left.cells().cells(), right.cells().cells()) {
        (Cells::Int(_), Cells::Float(_)) | (Cells::Float(_), Cells::Int(_) | Cells::Float(_)) => {
            loops(relation, len, &floats(left), &floats(right))
        }
        (Cells::Pointer(a), Cells::Pointer(b)) => BooleanBuffer::collect_bool(len, |row| {
            let (a, b) = (a.values()[left.position(row)], b.values()[right.position(row)]);
            relation.holds(Some(a.cmp(&b)))
        }),
        (Cells::Any(a), Cells::Any(b)) => BooleanBuffer::collect_bool(len, |row| {
            relation.holds(compare_values(&a[left.position(row)], &b[right.position(row)]))
        }),
        _ if left.cells().physical() != right.cells().physical() => {
            // One of the types is `None`: there is no value to compare with.
            BooleanBuffer::new_unset(len)
        }
        (Cells::Str(a), Cells::Str(b)) => views(relation, len, (left, a), (right, b)),
        (Cells::Bytes(a), Cells::Bytes(b)) => views(relation, len, (left, a), (right, b)),
        (Cells::Bool(_), Cells::Bool(_)) => bools(relation, &bits(left, len), &bits(right, len)),
        _ => loops(relation, len, &ints(left), &ints(right)),
    }
}

fn bools(relation: Relation, left: &BooleanBuffer, right: &BooleanBuffer) -> BooleanBuffer {
    match relation {
        Relation::Equal => !&(left ^ right),
        Relation::NotEqual => left ^ right,
        Relation::Less => &!left & right,
        Relation::LessOrEqual => &!left | right,
        Relation::Greater => left & &!right,
        Relation::GreaterOrEqual => left | &!right,
    }
}

/// Texts, or other bytes. Most are told apart by what is in their views: the length, and the first four bytes or, of a
/// short text, all of it.
fn views<T: ByteViewType>(
    relation: Relation,
    len: usize,
    (left, a): (&Operand, &GenericByteViewArray<T>),
    (right, b): (&Operand, &GenericByteViewArray<T>),
) -> BooleanBuffer {
    let (left, right) = (|row| left.position(row), |row| right.position(row));
    let equal = |row| {
        let (at_a, at_b) = (left(row), right(row));
        let (view_a, view_b) = (a.views()[at_a], b.views()[at_b]);
        if view_a as u32 <= MAX_INLINE_VIEW_LEN || view_a as u64 != view_b as u64 {
            view_a == view_b
        } else {
            bytes(a, at_a) == bytes(b, at_b)
        }
    };
    let order = |row| {
        let (at_a, at_b) = (left(row), right(row));
        // Texts that are shorter than that end in zeros here, and come first as they should.
        let beginning = |view: u128| ((view >> 32) as u32).swap_bytes();
        let (first_a, first_b) = (beginning(a.views()[at_a]), beginning(b.views()[at_b]));
        if first_a == first_b {
            bytes(a, at_a).cmp(bytes(b, at_b))
        } else {
            first_a.cmp(&first_b)
        }
    };
    match relation {
        Relation::Equal => BooleanBuffer::collect_bool(len, equal),
        Relation::NotEqual => BooleanBuffer::collect_bool(len, |row| !equal(row)),
        _ => BooleanBuffer::collect_bool(len, |row| relation.holds(Some(order(row)))),
    }
}

fn bytes<T: ByteViewType>(array: &GenericByteViewArray<T>, row: usize) -> &[u8] {
    array.value(row).as_ref()
}

fn loops<T: Copy + PartialOrd>(
    relation: Relation,
    len: usize,
    left: &Slice<'_, T>,
    right: &Slice<'_, T>,
) -> BooleanBuffer {
    match relation {
        Relation::Equal => left.relate(len, right, |a, b| a == b),
        Relation::NotEqual => left.relate(len, right, |a, b| a != b),
        Relation::Less => left.relate(len, right, |a, b| a < b),
        Relation::LessOrEqual => left.relate(len, right, |a, b| a <= b),
        Relation::Greater => left.relate(len, right, |a, b| a > b),
        Relation::GreaterOrEqual => left.relate(len, right, |a, b| a >= b),
    }
}

/// Compares values of types that [`may_equal`]: numbers by their size, also inside tuples and arrays.
pub(super) fn compare_values(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Int(a), Value::Float(b)) => (*a as f64).partial_cmp(b),
        (Value::Float(a), Value::Int(b)) => a.partial_cmp(&(*b as f64)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Tuple(a), Value::Tuple(b)) => {
            for (a, b) in a.iter().zip(b.iter()) {
                match compare_values(a, b) {
                    Some(Ordering::Equal) => {}
                    other => return other,
                }
            }
            Some(a.len().cmp(&b.len()))
        }
        (Value::IntArray(a), Value::FloatArray(b)) => {
            let a = a.elements.iter().map(|value| *value as f64);
            a.partial_cmp(b.elements.iter().copied())
                .map(|order| order.then_with(|| shape(left).cmp(shape(right))))
        }
        (Value::FloatArray(a), Value::IntArray(b)) => {
            let b = b.elements.iter().map(|value| *value as f64);
            a.elements
                .iter()
                .copied()
                .partial_cmp(b)
                .map(|order| order.then_with(|| shape(left).cmp(shape(right))))
        }
        (Value::FloatArray(a), Value::FloatArray(b)) => {
            let order = a.elements.iter().partial_cmp(b.elements.iter());
            order.map(|order| order.then_with(|| a.shape.cmp(&b.shape)))
        }
        _ => Some(left.cmp(right)),
    }
}

fn shape(value: &Value) -> &[usize] {
    match value {
        Value::IntArray(array) => &array.shape,
        Value::FloatArray(array) => &array.shape,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use towpath_types::{DType, Value};

    use crate::expression::functions::testing::{Table, call, check, constant, outcome};

    #[test]
    fn values_of_one_type() {
        let ascending: [(Value, Value); 8] = [
            (1.into(), 2.into()),
            (1.into(), 1.5.into()),
            ((-0.5).into(), 0.into()),
            ("a longer beginning, then a".into(), "a longer beginning, then b".into()),
            (false.into(), true.into()),
            (Value::DateTimeUtc(-1), Value::DateTimeUtc(1)),
            (Value::Duration(-1), Value::Duration(1)),
            (
                Value::tuple([1.into(), "b".into()]),
                Value::tuple([1.5.into(), "a".into()]),
            ),
        ];
        for (small, large) in ascending {
            let results = |a: &Value, b: &Value| {
                ["==", "!=", "<", "<=", ">", ">="].map(|name| outcome(name, [a.clone(), b.clone()]) == "true")
            };
            assert_eq!(
                results(&small, &large),
                [false, true, true, true, false, false],
                "{small:?} {large:?}"
            );
            assert_eq!(
                results(&large, &small),
                [false, true, false, false, true, true],
                "{large:?} {small:?}"
            );
            assert_eq!(
                results(&large, &large),
                [true, false, false, true, false, true],
                "{large:?}"
            );
        }
    }

    #[test]
    fn texts_compare_as_their_bytes() {
        let texts = [
            "",
            "\0",
            "a",
            "a\0",
            "a\0\0\0\0",
            "abc",
            "abcd",
            "abcd\0",
            "abce",
            "twelve bytes",
            "twelve bytes\0",
            "twelve bytes, then more",
            "twelve bytes, then mork",
            "grün",
            "\u{10ffff}",
        ];
        let bytes = |text: &str| Value::Bytes(text.as_bytes().into());
        for (a, b) in texts.iter().flat_map(|a| texts.iter().map(move |b| (*a, *b))) {
            let right = [a == b, a != b, a < b, a <= b, a > b, a >= b].map(|holds| holds.to_string());
            for pair in [[Value::str(a), Value::str(b)], [bytes(a), bytes(b)]] {
                let results = ["==", "!=", "<", "<=", ">", ">="].map(|name| outcome(name, pair.clone()));
                assert_eq!(results, right, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn nan_differs_from_itself_and_the_zeros_are_one() {
        check("==", f64::NAN, f64::NAN, "false");
        check("!=", f64::NAN, f64::NAN, "true");
        check(">=", f64::NAN, 1.0, "false");
        check("<", f64::NAN, 1.0, "false");
        check("==", -0.0, 0.0, "true");
        check("==", -0.0, 0, "true");
    }

    #[test]
    fn types_that_do_not_compare() {
        check("==", 1, "a", "! unsupported operand types for ==: int and str");
        check("==", 1, true, "! unsupported operand types for ==: int and bool");
        check("<", 1, (), "! unsupported operand types for <: int and None");
        check(
            "!=",
            Value::DateTimeNaive(0),
            Value::DateTimeUtc(0),
            "! unsupported operand types for !=: DateTimeNaive and DateTimeUtc",
        );
    }

    #[test]
    fn none_equals_only_itself() {
        check("==", (), (), "true");
        check("!=", "a", (), "true");
        let table = Table::new([
            (DType::Int.optional(), vec![1.into(), ().into(), ().into(), 4.into()]),
            (
                DType::Float.optional(),
                vec![1.0.into(), ().into(), 3.0.into(), ().into()],
            ),
        ]);
        let [a, b] = table.columns();
        let equal = call("==", [a.clone(), b.clone()]).expect("fits");
        assert_eq!(equal.dtype(), &DType::Bool);
        assert_eq!(table.evaluate(&equal).0, [true, true, false, false].map(Value::from));
        let different = call("!=", [a.clone(), constant(1)]).expect("fits");
        assert_eq!(table.evaluate(&different).0, [false, true, true, true].map(Value::from));
        let none = call("==", [constant(()), b]).expect("fits");
        assert_eq!(table.evaluate(&none).0, [false, true, false, true].map(Value::from));
        assert!(call("<", [a.clone(), a]).is_err());
    }

    #[test]
    fn under_any_values_of_different_types_differ() {
        let table = Table::new([
            (DType::Any, vec![1.into(), 1.into(), ().into(), "x".into()]),
            (DType::Any, vec![1.into(), 1.0.into(), ().into(), ().into()]),
        ]);
        let [a, b] = table.columns();
        let equal = call("==", [a.clone(), b]).expect("fits");
        assert_eq!(table.evaluate(&equal).0, [true, false, true, false].map(Value::from));
        let text = call("==", [a, constant("x")]).expect("fits");
        assert_eq!(table.evaluate(&text).0, [false, false, false, true].map(Value::from));
    }
}
