//! `& | ^ ~` on `bool` and `int`, `<< >>` on `int`.
//!
//! `&` and `|` of `bool`s whose right side can fail never get here: they are made into `if_else` when the
//! plan is built, so that `(b != 0) & (a / b > 1)` fails for no row. A shift that loses bits is an error.

use towpath_types::{Column, DType, Physical};

use super::kernels::{Flaw, binary, bits, bool_column, checked_binary, int_column, ints, unary};
use super::rules::{INT, arity, entry, unsupported};
use crate::error::PlanError;
use crate::expression::{Evaluation, Function, Operand};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("&", |dtypes| rule("&", dtypes, 2), and),
    Function::new("|", |dtypes| rule("|", dtypes, 2), or),
    Function::new("^", |dtypes| rule("^", dtypes, 2), xor),
    Function::new("~", |dtypes| rule("~", dtypes, 1), not),
    entry!("<<"(INT, INT) -> DType::Int, shift_left).failing(),
    entry!(">>"(INT, INT) -> DType::Int, shift_right).failing(),
];

fn rule(name: &str, dtypes: &[DType], count: usize) -> Result<DType, PlanError> {
    arity(name, dtypes, count)?;
    let first = &dtypes[0];
    if matches!(first, DType::Bool | DType::Int) && dtypes.iter().all(|dtype| dtype == first) {
        Ok(first.clone())
    } else {
        Err(unsupported(name, dtypes))
    }
}

macro_rules! bitwise {
    ($name:ident, $operator:tt) => {
        fn $name(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
            let len = evaluation.len;
            if evaluation.dtype == &DType::Bool {
                return bool_column(&bits(&arguments[0], len) $operator &bits(&arguments[1], len));
            }
            let results = binary(len, &ints(&arguments[0]), &ints(&arguments[1]), |a, b| a $operator b);
            int_column(Physical::Int, results)
        }
    };
}

bitwise!(and, &);
bitwise!(or, |);
bitwise!(xor, ^);

fn not(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    if evaluation.dtype == &DType::Bool {
        return bool_column(!&bits(&arguments[0], evaluation.len));
    }
    int_column(
        Physical::Int,
        unary(evaluation.len, &ints(&arguments[0]), |value| !value),
    )
}

fn shift_left(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    let results = checked_binary(
        evaluation,
        &ints(&arguments[0]),
        &ints(&arguments[1]),
        |value, count| {
            if count < 0 {
                return (0, Flaw::NegativeShift);
            }
            let shifted = if count < 64 { value << count } else { 0 };
            let fits = value == 0 || (count < 64 && shifted >> count == value);
            (shifted, Flaw::overflow(!fits))
        },
    );
    int_column(Physical::Int, results)
}

fn shift_right(arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Column {
    let results = checked_binary(
        evaluation,
        &ints(&arguments[0]),
        &ints(&arguments[1]),
        |value, count| {
            if count < 0 {
                (0, Flaw::NegativeShift)
            } else {
                (value >> count.min(63), Flaw::None)
            }
        },
    );
    int_column(Physical::Int, results)
}

#[cfg(test)]
mod tests {
    use towpath_types::{DType, Value};

    use crate::expression::functions::testing::{Table, call, constant, outcome};

    #[test]
    fn bits() {
        let check = |name: &str, left: Value, right: Value, expected: &str| {
            assert_eq!(outcome(name, [left, right]), expected, "{name}");
        };
        check("&", true.into(), false.into(), "false");
        check("|", true.into(), false.into(), "true");
        check("^", true.into(), true.into(), "false");
        check("&", 6.into(), 3.into(), "2");
        check("|", 6.into(), 3.into(), "7");
        check("^", 6.into(), 3.into(), "5");
        check("<<", 3.into(), 2.into(), "12");
        check("<<", (-1).into(), 63.into(), &i64::MIN.to_string());
        check(
            "<<",
            1.into(),
            63.into(),
            "Overflow: the result does not fit in 64 bits",
        );
        check("<<", 0.into(), 99.into(), "0");
        check(">>", (-8).into(), 1.into(), "-4");
        check(">>", (-8).into(), 99.into(), "-1");
        check(">>", 8.into(), (-1).into(), "Value: negative shift count");
        check(
            "&",
            true.into(),
            1.into(),
            "! unsupported operand types for &: bool and int",
        );
        assert_eq!(outcome("~", [true.into()]), "false");
        assert_eq!(outcome("~", [5.into()]), "-6");
    }

    #[test]
    fn the_right_side_is_evaluated_only_where_it_decides() {
        let table = Table::new([(DType::Int, vec![0.into(), 2.into(), 1.into()])]);
        let [a] = table.columns();
        let half = || call(">", [call("//", [constant(2), a.clone()])?, constant(1)]);
        let half = half().expect("fits");
        let not_zero = call("!=", [a.clone(), constant(0)]).expect("fits");
        let and = call("&", [not_zero, half.clone()]).expect("fits");
        assert_eq!(
            table.evaluate(&and),
            ([false, false, true].map(Value::from).to_vec(), vec![])
        );
        let zero = call("==", [a, constant(0)]).expect("fits");
        let or = call("|", [zero, half]).expect("fits");
        assert_eq!(
            table.evaluate(&or),
            ([true, false, true].map(Value::from).to_vec(), vec![])
        );
    }
}
