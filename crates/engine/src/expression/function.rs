//! What can be called: functions of the engine, found by name, and functions of the user's.

use std::fmt;

use towpath_types::{Column, DType, Value};

use super::functions::FAMILIES;
use super::{Evaluation, Expression, Kind, Operand};
use crate::description::Description;
use crate::error::{EngineError, PlanError};

/// A function of the engine: an entry in the list of its family.
pub struct Function {
    /// The name, such as `+` or `str.upper`; unique.
    pub name: &'static str,
    /// The type of the result, or why the arguments do not fit.
    pub result: fn(&[DType]) -> Result<DType, PlanError>,
    /// The results for all rows, in the layout of the result's type. What it returns for rows with an error
    /// or (unless `takes_none`) a `None` among the arguments is ignored and must not be reported.
    pub evaluate: fn(&[Operand], &mut Evaluation<'_>) -> Column,
    /// Whether it is called with `None`s; otherwise a `None` among the arguments makes the result `None`.
    pub takes_none: bool,
    /// Whether it can fail; one that cannot may be evaluated for rows that do not need it.
    pub can_fail: bool,
    /// Where the type of the result depends on the values of constant arguments, such as the index into a tuple.
    pub constant_rule: Option<ConstantRule>,
}

/// The type of a function's result, from what [`Function::result`] says, the types of the arguments, and the
/// values of those that are constants.
pub type ConstantRule = fn(DType, &[DType], &[Option<&Value>]) -> Result<DType, PlanError>;

impl Function {
    pub(super) const fn new(
        name: &'static str,
        result: fn(&[DType]) -> Result<DType, PlanError>,
        evaluate: fn(&[Operand], &mut Evaluation<'_>) -> Column,
    ) -> Self {
        Self {
            name,
            result,
            evaluate,
            takes_none: false,
            can_fail: false,
            constant_rule: None,
        }
    }

    /// The same function, called with `None`s.
    pub(super) const fn taking_none(mut self) -> Self {
        self.takes_none = true;
        self
    }

    /// The same function, which can fail.
    pub(super) const fn failing(mut self) -> Self {
        self.can_fail = true;
        self
    }

    /// The same function with a rule for constant arguments.
    pub(super) const fn with_constants(mut self, rule: ConstantRule) -> Self {
        self.constant_rule = Some(rule);
        self
    }

    /// The type of the result for these arguments.
    pub(super) fn result_of(&self, arguments: &[Expression]) -> Result<DType, PlanError> {
        let dtypes: Vec<DType> = arguments.iter().map(|argument| argument.dtype().clone()).collect();
        let general = (self.result)(&dtypes)?;
        let Some(rule) = self.constant_rule else {
            return Ok(general);
        };
        let constants: Vec<Option<&Value>> = arguments
            .iter()
            .map(|argument| match argument.kind() {
                Kind::Literal(value) => Some(value),
                _ => None,
            })
            .collect();
        rule(general, &dtypes, &constants)
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Finds a function by its name.
pub fn function(name: &str) -> Option<&'static Function> {
    FAMILIES
        .iter()
        .flat_map(|family| family.iter())
        .find(|function| function.name == name)
}

/// The names of all functions.
pub fn function_names() -> impl Iterator<Item = &'static str> {
    FAMILIES
        .iter()
        .flat_map(|family| family.iter())
        .map(|function| function.name)
}

/// A function of the user's.
pub trait UserFunction: fmt::Debug + Send + Sync {
    /// What it is called in messages.
    fn name(&self) -> &str;

    /// The results for all rows, in the layout of `evaluation.dtype`. Rows with an error among the arguments
    /// must be skipped: see [`Evaluation::is_masked`].
    ///
    /// # Errors
    /// If the run cannot go on. The failure of a row is no such error: see [`Evaluation::fail`].
    fn call(&self, arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Result<Column, EngineError>;

    /// Says what it is, so that another process or run can tell whether it has the same.
    fn describe(&self, description: &mut Description) {
        description.set("", format_args!("{self:?}"));
    }

    /// Whether equal arguments always give equal results. Results of functions that are not are kept with
    /// their rows, so that a removal repeats the value that was sent.
    fn is_deterministic(&self) -> bool;

    /// Whether `None` among the arguments is the result.
    fn propagates_none(&self) -> bool {
        false
    }
}
