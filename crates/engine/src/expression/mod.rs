//! How a column is computed from others, a whole batch at a time.
//!
//! An [`Expression`] knows its type from the start: [`Expression::call`] asks the function, and a
//! mistake is found while the plan is built. Every function is one entry in a `const` list of its
//! family; **to add one, add an entry**, and its echo of the same name in Python.
//!
//! Expressions share their parts: `e + e` has one `e`, however often it is doubled. Whoever walks one meets each part
//! once (`walk`), and a batch computes each once a row (`shared`). They may be deep, too: nothing here relies on the stack.
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
//! | `walk` | every part of an expression, once |
//! | `evaluate` | the column of an expression, for a batch |
//! | `call` | one call of a function: masks and failures |
//! | `brief` | values and calls in messages |
//! | `shared` | results of parts with several readers |
//! | `said` | an expression in words |
//! | `branches` | the expressions that evaluate an argument only for the rows that need it |

use std::fmt;
use std::sync::Arc;

use towpath_types::{DType, Value};

use crate::error::Origin;

mod branches;
mod brief;
mod build;
mod call;
mod evaluate;
mod function;
mod functions;
mod said;
mod shared;
#[cfg(test)]
mod shared_tests;
#[cfg(test)]
mod tests;
mod walk;

pub(crate) use brief::{brief, brief_quoted, brief_text};
pub use call::{Evaluation, Operand};
pub use evaluate::Rows;
pub use function::{ConstantRule, Function, UserFunction, function, function_names};
pub(crate) use functions::shown;
pub(crate) use said::{Names, with_objects_as};

/// How a column is computed. A clone is the same expression, not another one.
#[derive(Clone)]
pub struct Expression(Arc<Node>);

#[derive(Clone)]
struct Node {
    kind: Kind,
    children: Vec<Expression>,
    dtype: DType,
    origin: Option<Origin>,
    traits: Traits,
    /// Where results are kept while a batch is evaluated, for parts with several readers; see `shared`.
    slot: Option<usize>,
}

#[derive(Clone, Debug)]
enum Kind {
    /// A column: in a plan its id, in a program its slot.
    Column(usize),
    /// The key of the row.
    Id,
    Literal(Value),
    Call(&'static Function),
    User(Arc<dyn UserFunction>),
    /// Condition, then, otherwise.
    IfElse,
    /// The first that is not `None`.
    Coalesce,
    /// The first if none of the others is `None`, otherwise `None`.
    Require,
    /// The first, or the second where it is an error.
    FillError,
    /// The key made from values; optionally on the shard of an instance, optionally `None` for a `None`.
    Pointer {
        instance: bool,
        optional: bool,
    },
    /// The same cells under another type.
    Declare,
}

/// What holds for an expression because of any of its parts.
#[derive(Clone, Copy, Debug)]
struct Traits {
    can_fail: bool,
    is_users: bool,
    is_deterministic: bool,
}

impl Expression {
    fn new(kind: Kind, children: Vec<Expression>, dtype: DType) -> Self {
        let own = Traits {
            can_fail: match &kind {
                Kind::User(_) => true,
                Kind::Call(function) => function.can_fail,
                Kind::Declare => evaluate::is_checked(children[0].dtype(), &dtype),
                _ => false,
            },
            is_users: matches!(kind, Kind::User(_)),
            is_deterministic: match &kind {
                Kind::User(function) => function.is_deterministic(),
                _ => true,
            },
        };
        let traits = children.iter().fold(own, |traits, child| Traits {
            can_fail: traits.can_fail || child.can_fail(),
            is_users: traits.is_users || child.is_users(),
            is_deterministic: traits.is_deterministic && child.is_deterministic(),
        });
        Self(Arc::new(Node {
            kind,
            children,
            dtype,
            origin: None,
            traits,
            slot: None,
        }))
    }

    fn kind(&self) -> &Kind {
        &self.0.kind
    }

    fn children(&self) -> &[Expression] {
        &self.0.children
    }

    /// The type of the values.
    pub fn dtype(&self) -> &DType {
        &self.0.dtype
    }

    /// Where it was made.
    pub fn origin(&self) -> Option<&Origin> {
        self.0.origin.as_ref()
    }

    /// The column, if the expression is nothing but one.
    pub fn as_column(&self) -> Option<usize> {
        match self.kind() {
            Kind::Column(column) => Some(*column),
            _ => None,
        }
    }

    /// Whether equal rows always give equal results.
    pub fn is_deterministic(&self) -> bool {
        self.0.traits.is_deterministic
    }

    /// Whether some row may fail.
    fn can_fail(&self) -> bool {
        self.0.traits.can_fail
    }

    /// Whether it calls a function of the user's, which must see no row that does not need it.
    fn is_users(&self) -> bool {
        self.0.traits.is_users
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its parts may be too many to be written out.
        write!(
            f,
            "{:?} of {} parts: {}",
            self.kind(),
            self.in_order().len(),
            self.dtype()
        )
    }
}
