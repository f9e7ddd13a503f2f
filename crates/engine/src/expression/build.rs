//! How expressions are made, and the types they get.

use std::sync::Arc;

use towpath_types::{DType, Value};

use super::{Expression, Function, Kind, UserFunction};
use crate::error::{Origin, PlanError};

impl Expression {
    fn new(kind: Kind, dtype: DType) -> Self {
        Self {
            kind,
            dtype,
            origin: None,
        }
    }

    /// A column of type `dtype`.
    pub fn column(column: usize, dtype: DType) -> Self {
        Self::new(Kind::Column(column), dtype)
    }

    /// The key of the row.
    pub fn id() -> Self {
        Self::new(Kind::Id, DType::Pointer)
    }

    /// A constant.
    pub fn literal(value: Value, dtype: DType) -> Self {
        Self::new(Kind::Literal(value), dtype)
    }

    /// A function applied to arguments.
    ///
    /// # Errors
    /// If the types of the arguments do not fit.
    pub fn call(function: &'static Function, arguments: Vec<Expression>) -> Result<Self, PlanError> {
        let mut dtype = function.result_of(&arguments)?;
        if !function.takes_none && arguments.iter().any(|argument| argument.dtype.is_optional()) {
            dtype = dtype.optional();
        }
        if dtype == DType::Bool && matches!(function.name, "&" | "|") && arguments[1].can_fail() {
            return Ok(Self::short_circuit(function.name == "&", arguments));
        }
        Ok(Self::new(Kind::Call(function, arguments), dtype))
    }

    /// `left & right` or `left | right`, with `right` evaluated only for the rows where it decides.
    fn short_circuit(and: bool, mut arguments: Vec<Expression>) -> Self {
        let constant = Self::literal(Value::Bool(!and), DType::Bool);
        let right = arguments.swap_remove(1);
        let left = arguments.swap_remove(0);
        let parts = if and {
            [left, right, constant]
        } else {
            [left, constant, right]
        };
        Self::new(Kind::IfElse(Box::new(parts)), DType::Bool)
    }

    /// A function of the user's that returns `dtype`.
    pub fn user(function: Arc<dyn UserFunction>, arguments: Vec<Expression>, dtype: DType) -> Self {
        Self::new(Kind::User(function, arguments), dtype)
    }

    /// `then` where `condition` is true, elsewhere `otherwise`.
    ///
    /// # Errors
    /// If the condition is no `bool`, or the branches have no common type.
    pub fn if_else(condition: Expression, then: Expression, otherwise: Expression) -> Result<Self, PlanError> {
        if condition.dtype != DType::Bool {
            return Err(PlanError::mismatch(format!(
                "the condition of if_else must be bool, not {}",
                condition.dtype
            )));
        }
        let dtype = common_type("if_else", &[&then, &otherwise])?;
        Ok(Self::new(Kind::IfElse(Box::new([condition, then, otherwise])), dtype))
    }

    /// The first of `arguments` that is not `None`.
    ///
    /// # Errors
    /// If there are none, or they have no common type.
    pub fn coalesce(arguments: Vec<Expression>) -> Result<Self, PlanError> {
        let mut dtype = common_type("coalesce", &arguments.iter().collect::<Vec<_>>())?;
        if arguments.iter().any(|argument| !argument.dtype.is_optional()) {
            dtype = dtype.required().clone();
        }
        Ok(Self::new(Kind::Coalesce(arguments), dtype))
    }

    /// `value` where none of `others` is `None`, elsewhere `None`.
    pub fn require(value: Expression, others: Vec<Expression>) -> Self {
        let dtype = value.dtype.clone().optional();
        let mut arguments = vec![value];
        arguments.extend(others);
        Self::new(Kind::Require(arguments), dtype)
    }

    /// `value`, or `replacement` where it is an error.
    ///
    /// # Errors
    /// If they have no common type.
    pub fn fill_error(value: Expression, replacement: Expression) -> Result<Self, PlanError> {
        let dtype = common_type("fill_error", &[&value, &replacement])?;
        Ok(Self::new(Kind::FillError(Box::new([value, replacement])), dtype))
    }

    /// The key made from `values`, on the shard of `instance`. If `optional`, a `None` among the values
    /// makes it `None`.
    pub fn pointer(mut values: Vec<Expression>, instance: Option<Expression>, optional: bool) -> Self {
        let dtype = if optional && values.iter().any(|value| value.dtype.is_optional()) {
            DType::Pointer.optional()
        } else {
            DType::Pointer
        };
        let has_instance = instance.is_some();
        values.extend(instance);
        Self::new(
            Kind::Pointer {
                values,
                instance: has_instance,
                optional,
            },
            dtype,
        )
    }

    /// The same cells under another type, which the user vouches for.
    pub fn declare(self, dtype: DType) -> Self {
        Self::new(Kind::Declare(Box::new(self)), dtype)
    }

    /// The same expression, made at a place of the user's program.
    #[must_use]
    pub fn at(mut self, origin: Option<Origin>) -> Self {
        self.origin = origin.or(self.origin);
        self
    }
}

fn common_type(what: &str, expressions: &[&Expression]) -> Result<DType, PlanError> {
    let mut dtypes = expressions.iter().map(|expression| expression.dtype.clone());
    let first = dtypes
        .next()
        .ok_or_else(|| PlanError::mismatch(format!("{what} needs at least one argument")))?;
    dtypes.try_fold(first, |joined, dtype| match joined.least_upper_bound(&dtype) {
        DType::Any if joined != DType::Any && dtype != DType::Any => Err(PlanError::mismatch(format!(
            "the arguments of {what} have no common type: {joined} and {dtype}"
        ))),
        upper => Ok(upper),
    })
}
