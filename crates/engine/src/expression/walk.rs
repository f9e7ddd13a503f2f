//! Every part of an expression, once: parts are shared, so that paths through an expression may be far too many, and
//! they may be nested too deeply for the stack.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Expression, Kind, Node};

impl Expression {
    /// What tells a part from others.
    pub(super) fn address(&self) -> *const Node {
        Arc::as_ptr(&self.0)
    }

    /// All parts, each after those it reads.
    pub(super) fn in_order(&self) -> Vec<&Expression> {
        let mut order = Vec::new();
        let mut met = HashSet::new();
        let mut open = vec![(self, false)];
        while let Some((part, is_ready)) = open.pop() {
            if is_ready {
                order.push(part);
            } else if met.insert(part.address()) {
                open.push((part, true));
                open.extend(part.children().iter().rev().map(|child| (child, false)));
            }
        }
        order
    }

    /// Calls `visit` with every column the expression reads, at least once.
    pub fn for_each_column(&self, visit: &mut dyn FnMut(usize)) {
        let mut met = HashSet::new();
        let mut open = vec![self];
        while let Some(part) = open.pop() {
            // What has one reader is met once without a note.
            if Arc::strong_count(&part.0) > 1 && !part.children().is_empty() && !met.insert(part.address()) {
                continue;
            }
            if let Kind::Column(column) = part.kind() {
                visit(*column);
            }
            open.extend(part.children());
        }
    }

    /// The same expression with its columns renumbered, ready to be evaluated: parts with several readers get places for
    /// their results.
    pub fn map_columns(&self, map: &dyn Fn(usize) -> usize) -> Self {
        let order = self.in_order();
        let mut readers: HashMap<*const Node, usize> = HashMap::new();
        for child in order.iter().flat_map(|part| part.children()) {
            *readers.entry(child.address()).or_default() += 1;
        }
        let mut slots = 0;
        let mut mapped: HashMap<*const Node, Expression> = HashMap::new();
        for part in order {
            let mut node = Node {
                children: part
                    .children()
                    .iter()
                    .map(|child| mapped[&child.address()].clone())
                    .collect(),
                kind: part.kind().clone(),
                dtype: part.dtype().clone(),
                origin: part.origin().cloned(),
                traits: part.0.traits,
                slot: None,
            };
            if let Kind::Column(column) = &mut node.kind {
                *column = map(*column);
            }
            let is_shared = readers.get(&part.address()).is_some_and(|readers| *readers > 1);
            if is_shared && !node.children.is_empty() {
                node.slot = Some(slots);
                slots += 1;
            }
            mapped.insert(part.address(), Expression(Arc::new(node)));
        }
        mapped[&self.address()].clone()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // One after the other: the stack would not do for a chain of thousands.
        let mut open = std::mem::take(&mut self.children);
        while let Some(Expression(part)) = open.pop() {
            if let Some(mut node) = Arc::into_inner(part) {
                open.append(&mut node.children);
            }
        }
    }
}
