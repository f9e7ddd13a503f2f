//! What to compute, as inert data: making a plan starts no thread, opens no file and calls no user code.
//!
//! A plan has *nodes*, each a stream of keyed rows made by an operator, and *columns*, each belonging to
//! a node: put out by its operator, or computed from other columns by an expression. So `select`, `rename`
//! and `without` make no nodes at all; they only define and name columns. A *table* is a node and some names
//! for columns.
//!
//! A column is visible at its own node and at every node that filters that node, however often: rows lose
//! nothing on the way. `filtered.select(original.x)` therefore costs no join. Which columns a batch really
//! carries is decided when the plan is lowered (`physical`): only what somebody reads.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use towpath_types::DType;

use crate::description::Description;
use crate::error::{Origin, PlanError};
use crate::expression::Expression;
use crate::operator::Operator;
use crate::source::{Feeder, Source};
use crate::type_rules::check_condition;

/// Numbers a node of a plan. A node reads only nodes of smaller numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

/// Numbers a column of a plan. A column is computed only from columns of smaller numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnId(pub usize);

/// What an operator reads: columns of a node.
#[derive(Clone, Debug)]
pub struct Input {
    /// The node.
    pub node: NodeId,
    /// The columns, in the order the operator expects.
    pub columns: Vec<ColumnId>,
}

/// How the rows of a node come to be.
#[derive(Clone, Debug)]
pub(crate) enum NodeKind {
    Source(Arc<dyn Source>),
    /// The rows of another node where a column is true, with all of that node's columns.
    Filter {
        input: NodeId,
        condition: ColumnId,
    },
    Operator {
        operator: Arc<dyn Operator>,
        inputs: Vec<Input>,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) rows: NodeKind,
    /// The columns its operator puts out.
    pub(crate) columns: Vec<ColumnId>,
    pub(crate) origin: Option<Origin>,
    pub(crate) append_only: bool,
    pub(crate) unique_keys: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct ColumnDefinition {
    pub(crate) node: NodeId,
    pub(crate) dtype: DType,
    /// What it is called, for messages.
    pub(crate) name: Option<Arc<str>>,
    /// How it is computed; `None` if the node's operator puts it out.
    pub(crate) expression: Option<Expression>,
}

/// What to compute. See the module.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub(crate) nodes: Vec<Node>,
    pub(crate) columns: Vec<ColumnDefinition>,
    /// The nodes that write to the outside world.
    pub(crate) outputs: Vec<NodeId>,
}

impl Plan {
    fn add(
        &mut self,
        rows: NodeKind,
        dtypes: Vec<DType>,
        append_only: bool,
        unique_keys: bool,
        origin: Option<Origin>,
    ) -> NodeId {
        let node = NodeId(self.nodes.len());
        let columns = dtypes
            .into_iter()
            .map(|dtype| self.add_column(node, dtype, None))
            .collect();
        self.nodes.push(Node {
            rows,
            columns,
            origin,
            append_only,
            unique_keys,
        });
        node
    }

    fn add_column(&mut self, node: NodeId, dtype: DType, expression: Option<Expression>) -> ColumnId {
        self.columns.push(ColumnDefinition {
            node,
            dtype,
            name: None,
            expression,
        });
        ColumnId(self.columns.len() - 1)
    }

    /// A node with the rows of a source.
    pub fn source(&mut self, source: Arc<dyn Source>, origin: Option<Origin>) -> NodeId {
        let dtypes = source.columns();
        let (append_only, unique_keys) = (source.is_append_only(), source.has_unique_keys());
        self.add(NodeKind::Source(source), dtypes, append_only, unique_keys, origin)
    }

    /// The types of the columns that a source has, by what the program calls it.
    pub fn columns_of_source(&self, name: &str) -> Option<Vec<DType>> {
        self.nodes.iter().find_map(|node| {
            let NodeKind::Source(source) = &node.rows else {
                return None;
            };
            let mut description = Description::default();
            source.describe(&mut description);
            (description.name() == Some(name)).then(|| source.columns())
        })
    }

    /// A node with the rows that an operator makes of its inputs.
    ///
    /// # Errors
    /// If a column is not visible at its input, or the operator does not take the inputs.
    pub fn operator(
        &mut self,
        operator: Arc<dyn Operator>,
        inputs: Vec<Input>,
        origin: Option<Origin>,
    ) -> Result<NodeId, PlanError> {
        for input in &inputs {
            for column in &input.columns {
                self.check_visible(*column, input.node)?;
            }
        }
        let dtypes: Vec<Vec<DType>> = inputs
            .iter()
            .map(|input| input.columns.iter().map(|column| self.dtype(*column).clone()).collect())
            .collect();
        let output = operator.output(&dtypes)?;
        let of_inputs = |property: fn(&Node) -> bool| -> Vec<bool> {
            inputs.iter().map(|input| property(&self.nodes[input.node.0])).collect()
        };
        let append_only = operator.append_only(&of_inputs(|node| node.append_only));
        let unique_keys = operator.unique_keys(&of_inputs(|node| node.unique_keys));
        Ok(self.add(
            NodeKind::Operator { operator, inputs },
            output,
            append_only,
            unique_keys,
            origin,
        ))
    }

    /// An operator that writes to the outside world; its columns are read by nobody.
    ///
    /// # Errors
    /// As for [`Plan::operator`].
    pub fn output(
        &mut self,
        operator: Arc<dyn Operator>,
        input: Input,
        origin: Option<Origin>,
    ) -> Result<NodeId, PlanError> {
        let node = self.operator(operator, vec![input], origin)?;
        self.outputs.push(node);
        Ok(node)
    }

    /// The number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The nodes that write to the outside world.
    pub fn outputs(&self) -> &[NodeId] {
        &self.outputs
    }

    /// All nodes that the rows of these come from, and these.
    pub fn upstream(&self, nodes: &[NodeId]) -> BTreeSet<NodeId> {
        let mut found = BTreeSet::new();
        let mut open = nodes.to_vec();
        while let Some(node) = open.pop() {
            if found.insert(node) {
                match &self.nodes[node.0].rows {
                    NodeKind::Source(source) => {
                        if let Feeder::Node(feeder) = source.fed_by() {
                            open.push(NodeId(feeder));
                        }
                    }
                    NodeKind::Filter { input, .. } => open.push(*input),
                    NodeKind::Operator { inputs, .. } => open.extend(inputs.iter().map(|input| input.node)),
                }
            }
        }
        found
    }

    /// The sources that the rows of a node come from.
    pub fn sources(&self, node: NodeId) -> Vec<NodeId> {
        let is_source = |node: &NodeId| matches!(self.nodes[node.0].rows, NodeKind::Source(_));
        self.upstream(&[node]).into_iter().filter(is_source).collect()
    }

    /// Where in the user's program a node was made.
    pub fn origin(&self, node: NodeId) -> Option<&Origin> {
        self.nodes[node.0].origin.as_ref()
    }

    /// A node with the rows of `input` where `condition` is true.
    ///
    /// # Errors
    /// If the condition is not visible at the input, or no `bool`.
    pub fn filter(&mut self, input: NodeId, condition: ColumnId, origin: Option<Origin>) -> Result<NodeId, PlanError> {
        self.check_visible(condition, input)?;
        check_condition(self.dtype(condition))?;
        let (append_only, unique_keys) = (self.nodes[input.0].append_only, self.nodes[input.0].unique_keys);
        Ok(self.add(
            NodeKind::Filter { input, condition },
            Vec::new(),
            append_only,
            unique_keys,
            origin,
        ))
    }

    /// A column of `node` computed from columns visible there; the column itself if the expression is one.
    ///
    /// # Errors
    /// If a column the expression reads is not visible at the node.
    pub fn define(&mut self, node: NodeId, expression: Expression) -> Result<ColumnId, PlanError> {
        let mut read = BTreeSet::new();
        expression.for_each_column(&mut |column| {
            read.insert(ColumnId(column));
        });
        for column in read {
            self.check_visible(column, node)?;
        }
        if let Some(column) = expression.as_column() {
            return Ok(ColumnId(column));
        }
        Ok(self.add_column(node, expression.dtype().clone(), Some(expression)))
    }

    /// Says what messages call a column; the first name counts.
    pub fn name(&mut self, column: ColumnId, name: &str) {
        self.columns[column.0].name.get_or_insert_with(|| name.into());
    }

    /// An expression that is one column.
    pub fn expression(&self, column: ColumnId) -> Expression {
        Expression::column(column.0, self.dtype(column).clone())
    }

    /// The columns that the operator of a node puts out.
    pub fn columns(&self, node: NodeId) -> &[ColumnId] {
        &self.nodes[node.0].columns
    }

    /// The type of a column.
    pub fn dtype(&self, column: ColumnId) -> &DType {
        &self.columns[column.0].dtype
    }

    /// Whether rows of the node are never removed.
    pub fn is_append_only(&self, node: NodeId) -> bool {
        self.nodes[node.0].append_only
    }

    /// Whether the column is there for every row of the node.
    pub fn is_visible(&self, column: ColumnId, node: NodeId) -> bool {
        let owner = self.columns[column.0].node;
        let mut at = node;
        loop {
            if at == owner {
                return true;
            }
            match self.nodes[at.0].rows {
                NodeKind::Filter { input, .. } => at = input,
                _ => return false,
            }
        }
    }

    fn check_visible(&self, column: ColumnId, node: NodeId) -> Result<(), PlanError> {
        if self.is_visible(column, node) {
            return Ok(());
        }
        Err(PlanError::value(
            "a column of one table is used in another with other rows; use a join, ix or with_universe_of",
        ))
    }

    /// The plan as text, a line a node, with the places of the user's program.
    pub fn explain(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, node) in self.nodes.iter().enumerate() {
            write!(f, "{number}: ")?;
            match &node.rows {
                NodeKind::Source(source) => write!(f, "source {}", source.name())?,
                NodeKind::Filter { input, .. } => write!(f, "filter <- {}", input.0)?,
                NodeKind::Operator { operator, inputs } => {
                    write!(f, "{}", operator.name())?;
                    for (position, input) in inputs.iter().enumerate() {
                        write!(f, "{}{}", if position == 0 { " <- " } else { ", " }, input.node.0)?;
                    }
                }
            }
            let dtypes: Vec<String> = node
                .columns
                .iter()
                .map(|column| self.dtype(*column).to_string())
                .collect();
            write!(f, " ({})", dtypes.join(", "))?;
            if node.append_only {
                f.write_str(" append-only")?;
            }
            if let Some(origin) = &node.origin {
                write!(f, "  # {origin}")?;
            }
            f.write_str("\n")?;
        }
        Ok(())
    }
}
