//! How expressions are made, and the types they get.

use std::sync::Arc;

use towpath_types::{DType, Value};

use super::{Expression, Function, Kind, UserFunction, function};
use crate::error::{Origin, PlanError};

impl Expression {
    /// A column of type `dtype`.
    pub fn column(column: usize, dtype: DType) -> Self {
        Self::new(Kind::Column(column), Vec::new(), dtype)
    }

    /// The key of the row.
    pub fn id() -> Self {
        Self::new(Kind::Id, Vec::new(), DType::ANY_POINTER)
    }

    /// A constant.
    pub fn literal(value: Value, dtype: DType) -> Self {
        Self::new(Kind::Literal(value), Vec::new(), dtype)
    }

    /// A function applied to arguments.
    ///
    /// # Errors
    /// If the types of the arguments do not fit.
    pub fn call(function: &'static Function, arguments: Vec<Expression>) -> Result<Self, PlanError> {
        let mut dtype = function.result_of(&arguments)?;
        if !function.takes_none && arguments.iter().any(|argument| argument.dtype().is_optional()) {
            dtype = dtype.optional();
        }
        if dtype == DType::Bool && matches!(function.name, "&" | "|") && arguments[1].can_fail() {
            return Ok(Self::short_circuit(function.name == "&", arguments));
        }
        Ok(Self::new(Kind::Call(function), arguments, dtype))
    }

    /// `left & right` or `left | right`, with `right` evaluated only for the rows where it decides.
    fn short_circuit(and: bool, mut arguments: Vec<Expression>) -> Self {
        let constant = Self::literal(Value::Bool(!and), DType::Bool);
        let right = arguments.swap_remove(1);
        let left = arguments.swap_remove(0);
        let parts = if and {
            vec![left, right, constant]
        } else {
            vec![left, constant, right]
        };
        Self::new(Kind::IfElse, parts, DType::Bool)
    }

    /// A function of the user's that returns `dtype`.
    pub fn user(function: Arc<dyn UserFunction>, arguments: Vec<Expression>, mut dtype: DType) -> Self {
        if function.propagates_none() && arguments.iter().any(|argument| argument.dtype().is_optional()) {
            dtype = dtype.optional();
        }
        Self::new(Kind::User(function), arguments, dtype)
    }

    /// `then` where `condition` is true, elsewhere `otherwise`.
    ///
    /// # Errors
    /// If the condition is no `bool`, or the branches have no common type.
    pub fn if_else(condition: Expression, then: Expression, otherwise: Expression) -> Result<Self, PlanError> {
        if condition.dtype() != &DType::Bool {
            return Err(PlanError::mismatch(format!(
                "the condition of if_else must be bool, not {}",
                condition.dtype()
            )));
        }
        let dtype = common_type("if_else", &[&then, &otherwise])?;
        Ok(Self::new(Kind::IfElse, vec![condition, then, otherwise], dtype))
    }

    /// The first of `arguments` that is not `None`.
    ///
    /// # Errors
    /// If there are none, or they have no common type.
    pub fn coalesce(arguments: Vec<Expression>) -> Result<Self, PlanError> {
        let mut dtype = common_type("coalesce", &arguments.iter().collect::<Vec<_>>())?;
        if arguments.iter().any(|argument| !argument.dtype().is_optional()) {
            dtype = dtype.required().clone();
        }
        Ok(Self::new(Kind::Coalesce, arguments, dtype))
    }

    /// `value` where none of `others` is `None`, elsewhere `None`.
    pub fn require(value: Expression, others: Vec<Expression>) -> Self {
        let dtype = value.dtype().clone().optional();
        let mut arguments = vec![value];
        arguments.extend(others);
        Self::new(Kind::Require, arguments, dtype)
    }

    /// `value`, or `replacement` where it is an error.
    ///
    /// # Errors
    /// If they have no common type.
    pub fn fill_error(value: Expression, replacement: Expression) -> Result<Self, PlanError> {
        let dtype = common_type("fill_error", &[&value, &replacement])?;
        Ok(Self::new(Kind::FillError, vec![value, replacement], dtype))
    }

    /// The key made from `values`, on the shard of `instance`. If `optional`, a `None` among the values
    /// makes it `None`.
    pub fn pointer(mut values: Vec<Expression>, instance: Option<Expression>, optional: bool) -> Self {
        let has_instance = instance.is_some();
        values.extend(instance);
        let types = values.iter().map(Expression::dtype);
        let dtype = if optional {
            let key = DType::pointer(types.clone().map(|dtype| dtype.required().clone()));
            if types.clone().any(DType::is_optional) {
                key.optional()
            } else {
                key
            }
        } else {
            DType::pointer(types.cloned())
        };
        Self::new(
            Kind::Pointer {
                instance: has_instance,
                optional,
            },
            values,
            dtype,
        )
    }

    /// The same cells under another type, which the user vouches for.
    pub fn declare(self, dtype: DType) -> Self {
        Self::new(Kind::Declare, vec![self], dtype)
    }

    /// The same cells under a narrower or wider type; `what` is how the user has asked for it.
    ///
    /// # Errors
    /// If none of the types includes the other.
    pub fn narrow(self, dtype: DType, what: &str) -> Result<Self, PlanError> {
        let own = self.dtype();
        if own.is_subtype_of(&dtype) || dtype.is_subtype_of(own) {
            return Ok(self.declare(dtype));
        }
        Err(PlanError::mismatch(format!(
            "Cannot change type from {own} to {dtype}.\n{what} should be used only for type narrowing or type \
             extending; pw.cast converts values."
        )))
    }

    /// The value converted to `int`, `float`, `bool` or `str`, or to a type that it has already, at a place of the user's
    /// program.
    ///
    /// # Errors
    /// If it cannot be converted.
    pub fn cast(self, target: DType, origin: Option<Origin>) -> Result<Self, PlanError> {
        let own = self.dtype();
        let is_there = own.is_subtype_of(&target) && (own.required() == target.required() || target == DType::Any);
        let mut converted = if is_there {
            self
        } else {
            let name = match target.required() {
                DType::Int => "cast_int",
                DType::Float => "cast_float",
                DType::Bool => "cast_bool",
                DType::Str => "cast_str",
                _ => {
                    return Err(PlanError::mismatch(format!(
                        "Pathway doesn't support casting {own} to {target}; values can be cast to int, float, bool and \
                         str"
                    )));
                }
            };
            Self::call(named(name), vec![self])?.at(origin.clone())
        };
        if converted.dtype().is_optional() && !target.is_optional() {
            converted = Self::call(named("unwrap"), vec![converted])?.at(origin);
        }
        if converted.dtype() == &target {
            return Ok(converted);
        }
        Ok(converted.declare(target))
    }

    /// The same expression, made at a place of the user's program.
    #[must_use]
    pub fn at(mut self, origin: Option<Origin>) -> Self {
        if origin.is_some() {
            Arc::make_mut(&mut self.0).origin = origin;
        }
        self
    }
}

fn named(name: &str) -> &'static Function {
    function(name).unwrap_or_else(|| panic!("there is no function {name}"))
}

fn common_type(what: &str, expressions: &[&Expression]) -> Result<DType, PlanError> {
    let mut dtypes = expressions.iter().map(|expression| expression.dtype().clone());
    let first = dtypes
        .next()
        .ok_or_else(|| PlanError::mismatch(format!("{what} needs at least one argument")))?;
    dtypes.try_fold(first, |joined, dtype| {
        joined.joined(&dtype).ok_or_else(|| {
            PlanError::mismatch(format!(
                "the arguments of {what} have no common type: {joined} and {dtype}"
            ))
        })
    })
}
