//! An expression in words, and a hash that is equal exactly for equal ones.

use std::sync::Arc;

use towpath_types::{Object, Value};

use super::functions::shown;
use super::{Expression, Kind, UserFunction};
use crate::description::{Said, listed};
use crate::error::Origin;

/// What an expression is made of, as its plan calls it.
pub(crate) trait Names {
    /// A column.
    fn column(&mut self, column: usize) -> Said;

    /// A function of the user's, called at a place of the program.
    fn function(&mut self, function: &Arc<dyn UserFunction>, origin: Option<&Origin>) -> Said;

    /// An object, in a constant at a place of the program.
    fn object(&mut self, object: &Arc<dyn Object>, origin: Option<&Origin>) -> Said;

    /// What was said of the expression at an address.
    fn known(&self, address: usize) -> Option<Said>;

    /// Remembers what was said of the expression at an address.
    fn remember(&mut self, address: usize, said: &Said);
}

impl Expression {
    /// The expression in words. Each of its parts is looked at once.
    pub(crate) fn said(&self, names: &mut dyn Names) -> Said {
        let mut whole = None;
        for part in self.in_order() {
            let address = part.address() as usize;
            let said = names.known(address).unwrap_or_else(|| {
                let said = part.said_of_parts(names, self.origin());
                names.remember(address, &said);
                said
            });
            // The last is all of it.
            whole = Some(said);
        }
        whole.unwrap_or_else(|| self.said_of_parts(names, None))
    }

    /// The same, when all that it reads has been said. `around` is where the expression around it is; a constant does
    /// not know where it is.
    fn said_of_parts(&self, names: &mut dyn Names, around: Option<&Origin>) -> Said {
        let children = self.children().iter();
        let children: Vec<Said> = children
            .filter_map(|child| names.known(child.address() as usize))
            .collect();
        let simple = |kind: &'static str| (kind, kind.to_owned(), 0);
        let (kind, name, digest) = match self.kind() {
            Kind::Column(column) => return names.column(*column),
            Kind::Id => simple("id"),
            Kind::Literal(value) => {
                let mut objects = Vec::new();
                let value = with_objects_as(value, &mut |object| {
                    let said = names.object(object, around);
                    objects.extend(said.digest.to_le_bytes());
                    said.text
                });
                ("literal", shown(&value), Said::new(String::new(), &objects).digest)
            }
            Kind::Call(function) => ("call", function.name.to_owned(), 0),
            Kind::User(function) => {
                let said = names.function(function, self.origin());
                ("user", said.text, said.digest)
            }
            Kind::IfElse => simple("if_else"),
            Kind::Coalesce => simple("coalesce"),
            Kind::Require => simple("require"),
            Kind::FillError => simple("fill_error"),
            Kind::Pointer { instance, optional } => {
                let digest = u128::from(*instance) << 1 | u128::from(*optional);
                ("pointer", "pointer_from".to_owned(), digest)
            }
            Kind::Declare => ("declare", format!("declare_type {}", self.dtype()), 0),
        };
        let mut exactly = format!("{kind}\0{}\0{name}\0", self.dtype()).into_bytes();
        exactly.extend(digest.to_le_bytes());
        for child in &children {
            exactly.extend(child.digest.to_le_bytes());
        }
        let is_symbol = name.starts_with(|c: char| !c.is_alphanumeric() && c != '_');
        let text = match (self.kind(), &children[..]) {
            (Kind::Id | Kind::Literal(_), _) => name,
            (Kind::Call(_), [left, right]) if is_symbol => format!("({} {name} {})", left.text, right.text),
            _ => format!("{name}({})", listed(children.iter().map(|child| &child.text))),
        };
        Said::new(text, &exactly)
    }
}

/// A value with words for its objects, which are only known by their addresses.
pub(crate) fn with_objects_as(value: &Value, words: &mut dyn FnMut(&Arc<dyn Object>) -> String) -> Value {
    match value {
        Value::Object(object) => Value::str(&words(object)),
        Value::Tuple(items) => Value::Tuple(items.iter().map(|item| with_objects_as(item, words)).collect()),
        other => other.clone(),
    }
}
