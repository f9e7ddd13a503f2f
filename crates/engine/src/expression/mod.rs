//! How a column is computed from others, a whole batch at a time.
//!
//! An [`Expression`] knows its type from the start: [`Expression::call`] asks the function, and a
//! mistake is found while the plan is built. Every function is one entry in a `const` list of its
//! family; **to add one, add an entry**, and its echo of the same name in Python.
//!
//! A row that fails becomes an error in the result and is reported once; rows with an error among the
//! arguments become errors without another report. Branches that are not taken are not evaluated:
//! `if_else(x != 0, 1 / x, 0)` fails for no row.
//!
//! | file | |
//! |---|---|
//! | this one | the tree, and what is asked of it while a plan is made |
//! | `build` | how expressions are made and typed |
//! | `function`, `functions` | what can be called |
//! | `evaluate` | the column of an expression, for a batch |
//! | `call` | one call of a function: masks and failures |
//! | `branches` | the expressions that evaluate an argument only for the rows that need it |

use std::sync::Arc;

use towpath_types::{DType, Value};

use crate::error::Origin;

mod branches;
mod build;
mod call;
mod evaluate;
mod function;
mod functions;
#[cfg(test)]
mod tests;

pub use call::{Evaluation, Operand};
pub use evaluate::Rows;
pub use function::{ConstantRule, Function, UserFunction, function, function_names};
pub(crate) use functions::shown;

/// How a column is computed.
#[derive(Clone, Debug)]
pub struct Expression {
    kind: Kind,
    dtype: DType,
    origin: Option<Origin>,
}

#[derive(Clone, Debug)]
enum Kind {
    /// A column: in a plan its id, in a program its slot.
    Column(usize),
    /// The key of the row.
    Id,
    Literal(Value),
    Call(&'static Function, Vec<Expression>),
    User(Arc<dyn UserFunction>, Vec<Expression>),
    /// Condition, then, otherwise.
    IfElse(Box<[Expression; 3]>),
    /// The first that is not `None`.
    Coalesce(Vec<Expression>),
    /// The first if none of the others is `None`, otherwise `None`.
    Require(Vec<Expression>),
    /// The first, or the second where it is an error.
    FillError(Box<[Expression; 2]>),
    /// The key made from values; optionally on the shard of an instance, optionally `None` for a `None`.
    Pointer {
        values: Vec<Expression>,
        instance: bool,
        optional: bool,
    },
    /// The same cells under another type.
    Declare(Box<Expression>),
}

impl Expression {
    /// The type of the values.
    pub fn dtype(&self) -> &DType {
        &self.dtype
    }

    /// Where it was made.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// The column, if the expression is nothing but one.
    pub fn as_column(&self) -> Option<usize> {
        match &self.kind {
            Kind::Column(column) => Some(*column),
            _ => None,
        }
    }

    fn children(&self) -> &[Expression] {
        match &self.kind {
            Kind::Column(_) | Kind::Id | Kind::Literal(_) => &[],
            Kind::Call(_, arguments)
            | Kind::User(_, arguments)
            | Kind::Coalesce(arguments)
            | Kind::Require(arguments)
            | Kind::Pointer { values: arguments, .. } => arguments,
            Kind::IfElse(arguments) => &arguments[..],
            Kind::FillError(arguments) => &arguments[..],
            Kind::Declare(argument) => std::slice::from_ref(argument),
        }
    }

    fn children_mut(&mut self) -> &mut [Expression] {
        match &mut self.kind {
            Kind::Column(_) | Kind::Id | Kind::Literal(_) => &mut [],
            Kind::Call(_, arguments)
            | Kind::User(_, arguments)
            | Kind::Coalesce(arguments)
            | Kind::Require(arguments)
            | Kind::Pointer { values: arguments, .. } => arguments,
            Kind::IfElse(arguments) => &mut arguments[..],
            Kind::FillError(arguments) => &mut arguments[..],
            Kind::Declare(argument) => std::slice::from_mut(argument),
        }
    }

    /// Calls `visit` with every column the expression reads.
    pub fn for_each_column(&self, visit: &mut dyn FnMut(usize)) {
        if let Kind::Column(column) = self.kind {
            visit(column);
        }
        for child in self.children() {
            child.for_each_column(visit);
        }
    }

    /// The same expression with its columns renumbered.
    pub fn map_columns(&self, map: &dyn Fn(usize) -> usize) -> Self {
        let mut mapped = self.clone();
        mapped.renumber(map);
        mapped
    }

    fn renumber(&mut self, map: &dyn Fn(usize) -> usize) {
        if let Kind::Column(column) = &mut self.kind {
            *column = map(*column);
        }
        for child in self.children_mut() {
            child.renumber(map);
        }
    }

    /// Whether equal rows always give equal results.
    pub fn is_deterministic(&self) -> bool {
        let own = match &self.kind {
            Kind::User(function, _) => function.is_deterministic(),
            _ => true,
        };
        own && self.children().iter().all(Expression::is_deterministic)
    }

    /// Whether some row may fail.
    fn can_fail(&self) -> bool {
        let own = match &self.kind {
            Kind::User(..) => true,
            Kind::Call(function, _) => function.can_fail,
            _ => false,
        };
        own || self.children().iter().any(Expression::can_fail)
    }

    /// Whether it calls a function of the user's, which must see no row that does not need it.
    fn is_users(&self) -> bool {
        matches!(self.kind, Kind::User(..)) || self.children().iter().any(Expression::is_users)
    }
}
