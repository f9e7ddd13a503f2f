//! Evaluates expressions on small tables, for the tests of all families.

use std::sync::Arc;

use parking_lot::Mutex;
use towpath_types::{Column, DType, Key, Shared, Value};

use crate::error::{EngineError, Origin, PlanError, RowError};
use crate::expression::{Expression, Rows, function};
use crate::reporter::{ErrorLog, Reporter};

#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl ErrorLog for Log {
    fn report(&self, _operator: usize, _origin: Option<&Origin>, error: RowError) -> Result<(), EngineError> {
        self.0.lock().push(format!("{error:?}"));
        Ok(())
    }
}

/// A table of values, and what is computed from it.
pub(crate) struct Table {
    dtypes: Vec<DType>,
    columns: Vec<Column>,
    keys: Shared<Key>,
}

impl Table {
    /// A table of columns, each a type and its values.
    pub(crate) fn new<const N: usize>(columns: [(DType, Vec<Value>); N]) -> Self {
        let len = columns.first().map_or(0, |(_, values)| values.len());
        Self {
            keys: (0..len).map(|row| Key(row as u128)).collect(),
            dtypes: columns.iter().map(|(dtype, _)| dtype.clone()).collect(),
            columns: columns
                .iter()
                .map(|(dtype, values)| Column::from_values(dtype, values))
                .collect(),
        }
    }

    /// The columns as expressions.
    pub(crate) fn columns<const N: usize>(&self) -> [Expression; N] {
        std::array::from_fn(|slot| Expression::column(slot, self.dtypes[slot].clone()))
    }

    /// The results, and the failures that were reported.
    pub(crate) fn evaluate(&self, expression: &Expression) -> (Vec<Value>, Vec<String>) {
        let log = Arc::new(Log::default());
        let reporter = Reporter::new(0, None, log.clone());
        let rows = Rows {
            columns: &self.columns,
            keys: &self.keys,
            diffs: None,
        };
        let column = expression.evaluate(&rows, &reporter).expect("the log never ends a run");
        assert_eq!(
            column.physical(),
            expression.dtype().physical(),
            "the layout of {expression:?}"
        );
        let failures = std::mem::take(&mut *log.0.lock());
        (column.values().collect(), failures)
    }
}

/// A call by name.
pub(crate) fn call<const N: usize>(name: &str, arguments: [Expression; N]) -> Result<Expression, PlanError> {
    let function = function(name).unwrap_or_else(|| panic!("there is no function {name}"));
    Expression::call(function, arguments.to_vec())
}

/// A constant of the type its value has.
pub(crate) fn constant(value: impl Into<Value>) -> Expression {
    let value = value.into();
    let dtype = dtype_of(&value);
    Expression::literal(value, dtype)
}

/// The type of a value.
pub(crate) fn dtype_of(value: &Value) -> DType {
    match value {
        Value::None => DType::None,
        Value::Bool(_) => DType::Bool,
        Value::Int(_) => DType::Int,
        Value::Float(_) => DType::Float,
        Value::Str(_) => DType::Str,
        Value::Bytes(_) => DType::Bytes,
        Value::Pointer(_) => DType::ANY_POINTER,
        Value::DateTimeNaive(_) => DType::DateTimeNaive,
        Value::DateTimeUtc(_) => DType::DateTimeUtc,
        Value::Duration(_) => DType::Duration,
        Value::Json(_) => DType::Json,
        Value::Tuple(items) => DType::tuple(items.iter().map(dtype_of)),
        Value::IntArray(array) => DType::Array(Some(array.shape.len()), DType::Int.into()),
        Value::FloatArray(array) => DType::Array(Some(array.shape.len()), DType::Float.into()),
        Value::Object(_) | Value::Error | Value::Pending => DType::Any,
    }
}

/// The outcome of one call on one row, as text: the value, the reported error, or the mistake in the plan.
/// The call is made with columns and with constants, in all combinations, which must agree.
pub(crate) fn outcome<const N: usize>(name: &str, arguments: [Value; N]) -> String {
    let outcomes: Vec<String> = (0..1 << N)
        .map(|constants: usize| {
            let parts: [Expression; N] = std::array::from_fn(|slot| {
                if constants >> slot & 1 == 1 {
                    constant(arguments[slot].clone())
                } else {
                    Expression::column(slot, dtype_of(&arguments[slot]))
                }
            });
            // The row twice, so that a scalar is told from a column.
            let table = Table::new(
                arguments
                    .clone()
                    .map(|value| (dtype_of(&value), vec![value.clone(), value])),
            );
            match call(name, parts) {
                Err(error) => format!("! {error}"),
                Ok(expression) => {
                    let (values, failures) = table.evaluate(&expression);
                    assert_eq!(values[0], values[1]);
                    match (&values[0], failures.first()) {
                        (Value::Error, Some(failure)) => failure.clone(),
                        (value, None) => show(value),
                        (value, Some(failure)) => panic!("{value:?} with the failure {failure}"),
                    }
                }
            }
        })
        .collect();
    let first = &outcomes[0];
    assert!(outcomes.iter().all(|outcome| outcome == first), "{name}: {outcomes:?}");
    first.clone()
}

/// Compares the outcome of an operator.
#[track_caller]
pub(crate) fn check(name: &str, left: impl Into<Value>, right: impl Into<Value>, expected: &str) {
    let (left, right) = (left.into(), right.into());
    assert_eq!(
        outcome(name, [left.clone(), right.clone()]),
        expected,
        "{left:?} {name} {right:?}"
    );
}

/// A short text of a value that tells types apart.
pub(crate) fn show(value: &Value) -> String {
    match value {
        Value::Int(value) => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
        Value::Str(text) => format!("{text:?}"),
        Value::Bool(value) => value.to_string(),
        Value::Tuple(items) => format!("({})", items.iter().map(show).collect::<Vec<_>>().join(", ")),
        Value::Json(document) => document.to_string(),
        Value::DateTimeNaive(_) | Value::DateTimeUtc(_) => towpath_types::json_text(value).trim_matches('"').to_owned(),
        Value::Duration(nanoseconds) => format!("{nanoseconds}ns"),
        Value::IntArray(array) => format!("{:?} {:?}", array.shape, array.elements),
        Value::FloatArray(array) => format!("{:?} {:?}", array.shape, array.elements),
        other => format!("{other:?}"),
    }
}
