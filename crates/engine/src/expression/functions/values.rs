//! `is_none`, `is_not_none`, `unwrap` and `make_tuple`.

use arrow_buffer::BooleanBuffer;
use towpath_types::{Column, DType, Value};

use super::kernels::{bool_column, nones};
use super::rules::{ANYTHING, entry};
use crate::error::ErrorKind;
use crate::expression::{Evaluation, Function, Operand};

pub(super) const FUNCTIONS: &[Function] = &[
    entry!("is_none"(ANYTHING) -> DType::Bool, is_none).taking_none(),
    entry!("is_not_none"(ANYTHING) -> DType::Bool, is_not_none).taking_none(),
    entry!("unwrap"(ANYTHING) => |dtypes| dtypes[0].required().clone(), unwrap)
        .taking_none()
        .failing(),
    Function::new(
        "make_tuple",
        |dtypes| Ok(DType::tuple(dtypes.iter().cloned())),
        make_tuple,
    )
    .taking_none(),
];

fn is_none(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    let len = evaluation.len;
    bool_column(nones(&arguments[0], len).unwrap_or_else(|| BooleanBuffer::new_unset(len)))
}

fn is_not_none(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    let len = evaluation.len;
    bool_column(nones(&arguments[0], len).map_or_else(|| BooleanBuffer::new_set(len), |nones| !&nones))
}

fn unwrap(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    if let Some(nones) = nones(&arguments[0], evaluation.len) {
        for row in nones.set_indices() {
            evaluation.fail(
                row,
                ErrorKind::Value,
                "cannot unwrap a None value: use pw.coalesce() to supply a default, or filter out the rows with None",
            );
        }
    }
    arguments[0].expanded(evaluation.dtype, evaluation.len)
}

fn make_tuple(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    evaluation.collect(|row| Ok(Value::tuple(arguments.iter().map(|argument| argument.value(row)))))
}

#[cfg(test)]
mod tests {
    use towpath_types::{DType, Value};

    use crate::expression::functions::testing::{Table, call, constant, outcome};

    #[test]
    fn none_or_not() {
        for (value, is_none) in [(Value::None, true), (1.into(), false), ("".into(), false)] {
            assert_eq!(outcome("is_none", [value.clone()]), is_none.to_string());
            assert_eq!(outcome("is_not_none", [value]), (!is_none).to_string());
        }
        for dtype in [DType::Int.optional(), DType::Any] {
            let table = Table::new([(dtype, vec![1.into(), ().into()])]);
            let [a] = table.columns();
            let none = call("is_none", [a]).expect("fits");
            assert_eq!(table.evaluate(&none).0, [false, true].map(Value::from));
        }
    }

    #[test]
    fn unwrapping_none_fails() {
        let table = Table::new([(DType::Str.optional(), vec!["a".into(), ().into()])]);
        let [a] = table.columns();
        let unwrapped = call("unwrap", [a]).expect("fits");
        assert_eq!(unwrapped.dtype(), &DType::Str);
        let (values, failures) = table.evaluate(&unwrapped);
        assert_eq!(values, ["a".into(), Value::Error]);
        assert!(
            failures.len() == 1 && failures[0].starts_with("Value: cannot unwrap"),
            "{failures:?}"
        );
        assert_eq!(outcome("unwrap", [5.into()]), "5");
    }

    #[test]
    fn tuples_are_made_of_anything_but_errors() {
        let table = Table::new([(DType::Int, vec![0.into(), 2.into()])]);
        let [a] = table.columns();
        let quotient = call("//", [constant(4), a.clone()]).expect("fits");
        let tuple = call("make_tuple", [a, constant(()), quotient]).expect("fits");
        assert_eq!(tuple.dtype(), &DType::tuple([DType::Int, DType::None, DType::Int]));
        let (values, failures) = table.evaluate(&tuple);
        assert_eq!(values, [Value::Error, Value::tuple([2.into(), ().into(), 2.into()])]);
        assert_eq!(failures, ["ZeroDivision: division by zero"]);
        let empty = call("make_tuple", []).expect("fits");
        assert_eq!(table.evaluate(&empty).0, [Value::tuple([]), Value::tuple([])]);
    }
}
