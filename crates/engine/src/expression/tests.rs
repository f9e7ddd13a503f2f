//! What expressions do beyond the functions they call: branches, errors, `None`, keys.

use std::sync::Arc;

use parking_lot::Mutex;
use towpath_types::{Column, DType, Json, Value};

use super::functions::testing::{Table, call, constant, dtype_of};
use super::{Evaluation, Expression, Operand, UserFunction};
use crate::error::EngineError;

const ERROR: Value = Value::Error;

/// Returns its argument, and remembers what it was called with.
#[derive(Debug, Default)]
struct Witness(Mutex<Vec<Value>>);

impl UserFunction for Witness {
    fn name(&self) -> &str {
        "witness"
    }

    fn call(&self, arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Result<Column, EngineError> {
        let column = evaluation.collect(|row| Ok(arguments[0].value(row)));
        self.0
            .lock()
            .extend((0..evaluation.len).map(|row| arguments[0].value(row)));
        Ok(column)
    }

    fn is_deterministic(&self) -> bool {
        true
    }
}

fn witnessed(expression: Expression) -> (Expression, Arc<Witness>) {
    let witness = Arc::new(Witness::default());
    let dtype = expression.dtype().clone();
    (Expression::user(witness.clone(), vec![expression], dtype), witness)
}

fn seen(witness: &Witness) -> Vec<Value> {
    std::mem::take(&mut *witness.0.lock())
}

fn ints<const N: usize>(values: [i64; N]) -> Vec<Value> {
    values.map(Value::Int).to_vec()
}

/// `6 // column`.
fn six_by(column: &Expression) -> Expression {
    call("//", [constant(6), column.clone()]).expect("fits")
}

fn is_zero(column: &Expression) -> Expression {
    call("==", [column.clone(), constant(0)]).expect("fits")
}

#[test]
fn branches_not_taken_do_not_fail() {
    let table = Table::new([(DType::Int, ints([0, 2, 3, 0]))]);
    let [a] = table.columns();
    let safe = Expression::if_else(is_zero(&a), constant(-1), six_by(&a)).expect("fits");
    assert_eq!(table.evaluate(&safe), (ints([-1, 3, 2, -1]), vec![]));
    let reversed = Expression::if_else(is_zero(&a), six_by(&a), constant(-1)).expect("fits");
    let (values, failures) = table.evaluate(&reversed);
    assert_eq!(values, [ERROR, (-1).into(), (-1).into(), ERROR]);
    assert_eq!(failures.len(), 2);
}

#[test]
fn users_functions_see_only_the_rows_that_need_them() {
    let table = Table::new([(DType::Int, ints([0, 2, 3, 0]))]);
    let [a] = table.columns();
    let (then, for_zero) = witnessed(a.clone());
    let (otherwise, for_others) = witnessed(a.clone());
    let chosen = Expression::if_else(is_zero(&a), then, otherwise).expect("fits");
    assert_eq!(table.evaluate(&chosen).0, ints([0, 2, 3, 0]));
    assert_eq!((seen(&for_zero), seen(&for_others)), (ints([0, 0]), ints([2, 3])));
}

#[test]
fn an_error_in_the_condition_chooses_no_branch() {
    let table = Table::new([(DType::Int, ints([0, 2, 6]))]);
    let [a] = table.columns();
    let condition = call(">", [six_by(&a), constant(1)]).expect("fits");
    let (otherwise, witness) = witnessed(a.clone());
    let chosen = Expression::if_else(condition, constant(100), otherwise).expect("fits");
    let (values, failures) = table.evaluate(&chosen);
    assert_eq!(values, [ERROR, 100.into(), 6.into()]);
    assert_eq!(failures, ["ZeroDivision: division by zero"]);
    assert_eq!(seen(&witness), ints([6]));
}

#[test]
fn branches_have_a_common_type() {
    let table = Table::new([(DType::Bool, vec![true.into(), false.into()])]);
    let [a] = table.columns();
    let check = |then: Value, otherwise: Value, dtype: DType, expected: [Value; 2]| {
        let chosen = Expression::if_else(a.clone(), constant(then), constant(otherwise)).expect("fits");
        assert_eq!(chosen.dtype(), &dtype);
        assert_eq!(table.evaluate(&chosen).0, expected);
    };
    check(1.into(), 2.5.into(), DType::Float, [1.0.into(), 2.5.into()]);
    check(1.into(), ().into(), DType::Int.optional(), [1.into(), ().into()]);
    check(().into(), ().into(), DType::None, [().into(), ().into()]);
    assert!(Expression::if_else(a.clone(), constant(1), constant("x")).is_err());
    assert!(Expression::if_else(constant(1), a.clone(), a).is_err());
}

#[test]
fn coalesce_stops_at_the_first_value() {
    let table = Table::new([
        (DType::Int.optional(), vec![1.into(), ().into(), ().into()]),
        (DType::Int.optional(), vec![().into(), 2.into(), ().into()]),
        (DType::Int, ints([0, 0, 3])),
    ]);
    let [a, b, c] = table.columns();
    let (b, witness) = witnessed(b);
    let first = Expression::coalesce(vec![a.clone(), b.clone(), six_by(&c)]).expect("fits");
    assert_eq!(first.dtype(), &DType::Int);
    assert_eq!(table.evaluate(&first), (ints([1, 2, 2]), vec![]));
    assert_eq!(seen(&witness), [2.into(), ().into()]);
    let optional = Expression::coalesce(vec![a, b]).expect("fits");
    assert_eq!(optional.dtype(), &DType::Int.optional());
    assert_eq!(table.evaluate(&optional).0, [1.into(), 2.into(), ().into()]);
    assert!(Expression::coalesce(vec![]).is_err());
}

#[test]
fn require_needs_all_others() {
    let table = Table::new([
        (DType::Int.optional(), vec![1.into(), ().into(), 3.into(), 4.into()]),
        (DType::Int, ints([2, 0, 0, 1])),
    ]);
    let [a, b] = table.columns();
    let (value, witness) = witnessed(b.clone());
    let required = Expression::require(value, vec![a.clone()]);
    assert_eq!(required.dtype(), &DType::Int.optional());
    assert_eq!(table.evaluate(&required).0, [2.into(), ().into(), 0.into(), 1.into()]);
    assert_eq!(seen(&witness), ints([2, 0, 1]));
    let (values, failures) = table.evaluate(&Expression::require(a, vec![six_by(&b)]));
    assert_eq!(values, [1.into(), ERROR, ERROR, 4.into()]);
    assert_eq!(failures.len(), 2);
}

#[test]
fn errors_are_filled_without_a_report() {
    let table = Table::new([(DType::Int, ints([0, 2]))]);
    let [a] = table.columns();
    let filled = Expression::fill_error(six_by(&a), constant(0.5)).expect("fits");
    assert_eq!(filled.dtype(), &DType::Float);
    assert_eq!(table.evaluate(&filled), (vec![0.5.into(), 3.0.into()], vec![]));
    let again = Expression::fill_error(six_by(&a), six_by(&a)).expect("fits");
    assert_eq!(table.evaluate(&again).1, ["ZeroDivision: division by zero"]);
}

#[test]
fn a_failure_is_reported_once_however_far_the_error_goes() {
    let table = Table::new([(DType::Int, ints([0, 2]))]);
    let [a] = table.columns();
    let sum = call("+", [six_by(&a), a.clone()]).expect("fits");
    let text = call("to_string", [call("is_none", [sum]).expect("fits")]).expect("fits");
    let (values, failures) = table.evaluate(&text);
    assert_eq!(values, [ERROR, "False".into()]);
    assert_eq!(failures.len(), 1);
}

#[test]
fn nothing_is_evaluated_for_no_rows() {
    let table = Table::new([(DType::Int, vec![])]);
    let failing = call("//", [constant(1), constant(0)]).expect("fits");
    assert_eq!(table.evaluate(&failing), (vec![], vec![]));
}

#[test]
fn declared_types_change_the_layout() {
    let table = Table::new([(DType::Any, vec![1.into(), 2.into()])]);
    let [a] = table.columns();
    let sum = call("+", [a.declare(DType::Int), constant(1)]).expect("fits");
    assert_eq!(table.evaluate(&sum).0, ints([2, 3]));
    let any = Expression::declare(constant(1), DType::Any);
    assert_eq!(table.evaluate(&any).0, ints([1, 1]));
}

#[test]
fn pointers_depend_on_the_values_alone() {
    let table = Table::new([
        (DType::Int.optional(), vec![1.into(), ().into(), 1.into()]),
        (DType::Int, ints([5, 5, 0])),
    ]);
    let [a, b] = table.columns();
    let keys = |expression: &Expression| table.evaluate(expression).0;
    let plain = keys(&Expression::pointer(vec![a.clone()], None, false));
    assert_eq!(plain[0], plain[2]);
    assert_ne!(plain[0], plain[1]);
    let constants = keys(&Expression::pointer(vec![constant(1)], None, false));
    assert_eq!(constants[0], plain[0]);
    let optional = Expression::pointer(vec![a.clone()], None, true);
    assert_eq!(optional.dtype(), &DType::pointer([DType::Int]).optional());
    assert_eq!(keys(&optional), [plain[0].clone(), Value::None, plain[0].clone()]);
    let with_instance = keys(&Expression::pointer(vec![a.clone()], Some(b.clone()), false));
    assert_ne!(with_instance[0], with_instance[2]);
    let with_error = keys(&Expression::pointer(vec![six_by(&b)], None, false));
    assert_eq!(with_error[2], ERROR);
    assert_ne!(with_error[0], ERROR);
    assert_eq!(dtype_of(&with_error[0]), DType::ANY_POINTER);
}

#[test]
fn none_goes_through_functions_that_do_not_take_it() {
    let json = |text: &str| Value::from(Json::parse(text).expect("JSON"));
    let table = Table::new([(DType::Json.optional(), vec![json("1"), ().into(), json("null")])]);
    let [a] = table.columns();
    let ints = call("as_int", [a]).expect("fits");
    assert_eq!(table.evaluate(&ints), (vec![1.into(), ().into(), ().into()], vec![]));
}
