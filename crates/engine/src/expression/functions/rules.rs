//! Type rules: which arguments a function takes.
//!
//! Most functions take a fixed list of arguments and say so in their entry, with [`entry`]. The operators,
//! which are overloaded, match on the types themselves and report what does not fit with [`unsupported`].

use towpath_types::DType;

use crate::error::PlanError;

/// What one argument may be.
#[derive(Clone, Debug)]
pub(super) enum Parameter {
    /// Exactly this type.
    Is(DType),
    /// The type, `None`, or either.
    OrNone(DType),
    /// `int` or `float`.
    Number,
    /// `DateTimeNaive` or `DateTimeUtc`.
    Moment,
    /// Any type at all.
    Anything,
}

pub(super) const INT: Parameter = Parameter::Is(DType::Int);
pub(super) const STR: Parameter = Parameter::Is(DType::Str);
pub(super) const NAIVE: Parameter = Parameter::Is(DType::DateTimeNaive);
pub(super) const UTC: Parameter = Parameter::Is(DType::DateTimeUtc);
pub(super) const DURATION: Parameter = Parameter::Is(DType::Duration);
pub(super) const INT_OR_NONE: Parameter = Parameter::OrNone(DType::Int);
pub(super) const STR_OR_NONE: Parameter = Parameter::OrNone(DType::Str);
pub(super) const NUMBER: Parameter = Parameter::Number;
pub(super) const MOMENT: Parameter = Parameter::Moment;
pub(super) const ANYTHING: Parameter = Parameter::Anything;

impl Parameter {
    fn accepts(&self, dtype: &DType) -> bool {
        match self {
            Parameter::Is(expected) => dtype == expected,
            Parameter::OrNone(expected) => dtype == &DType::None || dtype.required() == expected,
            Parameter::Number => matches!(dtype, DType::Int | DType::Float),
            Parameter::Moment => matches!(dtype, DType::DateTimeNaive | DType::DateTimeUtc),
            Parameter::Anything => true,
        }
    }
}

/// Checks the arguments of a function with a fixed list of parameters. Those at the end that may be `None`
/// may also be left out.
pub(super) fn check(name: &str, dtypes: &[DType], parameters: &[Parameter]) -> Result<(), PlanError> {
    let left_out = parameters.get(dtypes.len()..).unwrap_or_default();
    let may_be_left_out = |parameter: &Parameter| matches!(parameter, Parameter::OrNone(_));
    if dtypes.len() > parameters.len() || !left_out.iter().all(may_be_left_out) {
        arity(name, dtypes, parameters.len())?;
    }
    let fits = |(parameter, dtype): (&Parameter, &DType)| parameter.accepts(dtype);
    if parameters.iter().zip(dtypes).all(fits) {
        Ok(())
    } else {
        Err(unsupported(name, dtypes))
    }
}

/// Checks the number of arguments.
pub(super) fn arity(name: &str, dtypes: &[DType], expected: usize) -> Result<(), PlanError> {
    if dtypes.len() == expected {
        return Ok(());
    }
    Err(PlanError::mismatch(format!(
        "{name} takes {expected} operands, but {} were given",
        dtypes.len()
    )))
}

/// The error for arguments that do not fit.
pub(super) fn unsupported(name: &str, dtypes: &[DType]) -> PlanError {
    let types: Vec<String> = dtypes.iter().map(DType::to_string).collect();
    PlanError::mismatch(match types.as_slice() {
        [one] => format!("unsupported operand type for {name}: {one}"),
        [left, right] => format!("unsupported operand types for {name}: {left} and {right}"),
        more => format!("unsupported operand types for {name}: {}", more.join(", ")),
    })
}

/// An entry of a function with a fixed list of parameters: `entry!("str.len"(STR) -> DType::Int, evaluate)`.
/// A result that depends on the arguments is a closure: `=> |dtypes| dtypes[0].clone()`.
macro_rules! entry {
    ($name:literal ( $($parameter:expr),* ) -> $result:expr, $evaluate:expr) => {
        $crate::expression::functions::rules::entry!($name($($parameter),*) => |_: &[DType]| $result, $evaluate)
    };
    ($name:literal ( $($parameter:expr),* ) => $result:expr, $evaluate:expr) => {
        $crate::expression::Function::new(
            $name,
            |dtypes| {
                $crate::expression::functions::rules::check($name, dtypes, &[$($parameter),*])?;
                let result: fn(&[DType]) -> DType = $result;
                Ok(result(dtypes))
            },
            $evaluate,
        )
    };
}
pub(super) use entry;
