//! Shared parts are computed once and give what they would give alone; expressions may be as deep as they like.

use std::sync::Arc;

use parking_lot::Mutex;
use proptest::prelude::*;
use towpath_types::{Column, DType, Value};

use super::functions::testing::{Table, call, constant};
use super::{Evaluation, Expression, Operand, UserFunction};
use crate::error::{EngineError, ErrorKind};

/// Adds one, fails for multiples of five, and remembers the rows it was called for.
#[derive(Debug, Default)]
struct Counted(Mutex<Vec<Value>>);

impl UserFunction for Counted {
    fn name(&self) -> &str {
        "counted"
    }

    fn call(&self, arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Result<Column, EngineError> {
        let mut called = self.0.lock();
        Ok(evaluation.collect(|row| {
            // The second argument tells the rows apart.
            called.push(arguments[1].value(row));
            match arguments[0].value(row) {
                Value::Int(value) if value % 5 == 0 => Err(crate::error::RowError::new(ErrorKind::Value, "five")),
                Value::Int(value) => Ok(Value::Int(value + 1)),
                other => Ok(other),
            }
        }))
    }

    fn is_deterministic(&self) -> bool {
        true
    }
}

fn add(left: &Expression, right: &Expression) -> Expression {
    call("+", [left.clone(), right.clone()]).expect("fits")
}

/// The same expression as lowering makes it, with places for the results of shared parts.
fn lowered(expression: &Expression) -> Expression {
    expression.map_columns(&|column| column)
}

#[test]
fn doubled_sixty_times() {
    let table = Table::new([(DType::Float, vec![1.5.into(), (-2.0).into()])]);
    let [mut sum] = table.columns();
    for _ in 0..60 {
        sum = add(&sum, &sum);
    }
    let factor = 2f64.powi(60);
    let mut columns = Vec::new();
    sum.for_each_column(&mut |column| columns.push(column));
    assert!(columns.len() < 5);
    assert_eq!(sum.in_order().len(), 61);
    assert!(format!("{sum:?}").len() < 100);
    assert_eq!(
        table.evaluate(&lowered(&sum)),
        (vec![(1.5 * factor).into(), (-2.0 * factor).into()], vec![])
    );
}

#[test]
fn branches_of_branches_are_evaluated_once_a_row() {
    let numbers: Vec<Value> = (0..40).map(Value::Int).collect();
    let table = Table::new([(DType::Int, numbers)]);
    let [a] = table.columns();
    // Every level wants other rows of the level below, twice.
    let counted = Arc::new(Counted::default());
    let mut sum = Expression::user(counted.clone(), vec![a.clone(), a.clone()], DType::Int);
    for level in 0..40 {
        let is_below = call("<", [a.clone(), constant(40 - level)]).expect("fits");
        let one = Expression::if_else(is_below.clone(), sum.clone(), constant(0)).expect("fits");
        let other = Expression::if_else(call("~", [is_below]).expect("fits"), constant(0), sum).expect("fits");
        sum = call("-", [add(&one, &other), one.clone()]).expect("fits");
    }
    table.evaluate(&lowered(&sum));
    let called = counted.0.lock();
    assert_eq!(called.len(), 1, "one row is below all: {called:?}");
}

#[test]
fn nested_branches_that_fail_take_no_time() {
    let table = Table::new([(DType::Int, (0..50).map(Value::Int).collect())]);
    let [a] = table.columns();
    let mut chosen = call("//", [constant(100), a.clone()]).expect("fits");
    for level in 10..50 {
        let here = call("==", [a.clone(), constant(level)]).expect("fits");
        chosen = Expression::if_else(here, constant(level), chosen).expect("fits");
    }
    let (values, failures) = table.evaluate(&lowered(&chosen));
    assert_eq!(values[..3], [Value::Error, 100.into(), 50.into()]);
    assert_eq!(values[10..], (10..50).map(Value::Int).collect::<Vec<_>>());
    assert_eq!(failures, ["ZeroDivision: division by zero"]);
}

#[test]
fn thousands_deep() {
    let table = Table::new([(DType::Int, vec![1.into(), 2.into()])]);
    let [a] = table.columns();
    let mut sum = a.clone();
    let mut choice = constant(-1);
    let mut guarded = a.clone();
    for level in 0..20_000 {
        sum = add(&sum, &constant(1));
        let here = call("==", [a.clone(), constant(level)]).expect("fits");
        choice = Expression::if_else(here, constant(level * 10), choice).expect("fits");
        guarded = Expression::fill_error(guarded, constant(0)).expect("fits");
    }
    assert_eq!(table.evaluate(&lowered(&sum)).0, [20_001.into(), 20_002.into()]);
    assert_eq!(table.evaluate(&lowered(&choice)).0, [10.into(), 20.into()]);
    assert_eq!(table.evaluate(&lowered(&guarded)).0, [1.into(), 2.into()]);
}

#[test]
fn errors_of_shared_parts_are_reported_once_and_never_lost() {
    let table = Table::new([(DType::Int, vec![0.into(), 2.into()])]);
    let [a] = table.columns();
    let ratio = call("//", [constant(6), a.clone()]).expect("fits");
    let filled = Expression::fill_error(ratio.clone(), constant(1)).expect("fits");
    let check = |expression: Expression, values: [Value; 2], reports: usize| {
        let (found, failures) = table.evaluate(&lowered(&expression));
        assert_eq!(found, values);
        assert_eq!(failures.len(), reports, "{failures:?}");
    };
    check(add(&filled, &filled), [2.into(), 6.into()], 0);
    check(add(&ratio, &ratio), [Value::Error, 6.into()], 1);
    check(add(&filled, &ratio), [Value::Error, 6.into()], 1);
    check(add(&ratio, &filled), [Value::Error, 6.into()], 1);
    let constant_ratio = call("//", [constant(6), constant(0)]).expect("fits");
    let filled = Expression::fill_error(constant_ratio.clone(), a.clone()).expect("fits");
    check(filled.clone(), [0.into(), 2.into()], 0);
    check(add(&filled, &constant_ratio), [Value::Error, Value::Error], 1);
}

/// What a part is made of: a function and the parts before it that it reads, as numbers that wrap around.
type Recipe = Vec<(u8, [usize; 3])>;

fn built(recipe: &Recipe, table: &Table, counted: &Arc<Counted>) -> Expression {
    let [a, b, number] = table.columns();
    let plus = |expression: Expression| Expression::fill_error(expression, constant(7)).expect("fits");
    let mut parts = vec![Expression::coalesce(vec![b.clone(), constant(3)]).expect("fits"), a];
    for (function, reads) in recipe {
        let [one, two, three] = reads.map(|position| parts[position % parts.len()].clone());
        parts.push(match function % 7 {
            0 => add(&one, &two),
            1 => call("//", [one, two]).expect("fits"),
            2 => {
                let condition = call("<", [one, two.clone()]).expect("fits");
                Expression::if_else(condition, two, three).expect("fits")
            }
            3 => plus(one),
            4 => Expression::coalesce(vec![Expression::require(one, vec![b.clone(), two]), three]).expect("fits"),
            5 => Expression::user(counted.clone(), vec![one, number.clone()], DType::Int),
            _ => {
                let condition = call("==", [call("%", [one, constant(3)]).expect("fits"), constant(0)]).expect("fits");
                Expression::if_else(condition, two, three).expect("fits")
            }
        });
    }
    parts.pop().expect("two parts at least")
}

proptest! {
    #[test]
    fn sharing_makes_no_difference(
        rows in proptest::collection::vec((-4i64..9, proptest::option::of(-4i64..9)), 1..12),
        recipe in proptest::collection::vec((any::<u8>(), any::<[usize; 3]>()), 1..14),
    ) {
        let table = Table::new([
            (DType::Int, rows.iter().map(|(a, _)| Value::Int(*a)).collect()),
            (DType::Int.optional(), rows.iter().map(|(_, b)| b.map_or(Value::None, Value::Int)).collect()),
            (DType::Int, (0..rows.len() as i64).map(Value::Int).collect()),
        ]);
        let counted = Arc::new(Counted::default());
        let expression = built(&recipe, &table, &counted);
        let (alone, reports) = table.evaluate(&expression);
        let functions = recipe.iter().filter(|(function, _)| function % 7 == 5).count();
        let fills = recipe.iter().filter(|(function, _)| function % 7 == 3).count();
        counted.0.lock().clear();
        let (shared, fewer) = table.evaluate(&lowered(&expression));
        prop_assert_eq!(&shared, &alone);
        // Where each path was computed for itself, each reported its failures.
        prop_assert!(fewer.len() <= reports.len());
        prop_assert_eq!(fewer.is_empty(), reports.is_empty());
        for row in 0..rows.len() as i64 {
            let calls = counted.0.lock().iter().filter(|called| **called == Value::Int(row)).count();
            // A failure that was hidden is asked for again.
            prop_assert!(calls <= functions * (1 + fills.min(1)), "{} calls for row {}", calls, row);
        }
    }
}
