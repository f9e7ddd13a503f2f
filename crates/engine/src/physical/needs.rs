//! The pass from the outputs backwards: which columns anybody reads.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::operator::Operator;
use crate::plan::{ColumnId, NodeId, NodeKind, Plan};
use crate::source::Feeder;

/// What is needed of a node of the plan.
#[derive(Clone, Default)]
struct Need {
    is_needed: bool,
    /// The columns that its batches must carry for its readers.
    columns: BTreeSet<ColumnId>,
    /// How many nodes read it.
    readers: usize,
}

/// What is left of a source or an operator when unread columns are dropped.
pub(super) struct Remains {
    /// Nothing for a source.
    pub(super) operator: Option<Arc<dyn Operator>>,
    /// Positions among the columns of the node.
    pub(super) outputs: Vec<usize>,
    /// For every input, the columns it reads.
    pub(super) inputs: Vec<Vec<ColumnId>>,
}

/// What is needed of all nodes.
pub(super) struct Needs<'a> {
    plan: &'a Plan,
    nodes: Vec<Need>,
    /// Whether sources give all their columns.
    keeps_sources: bool,
    /// For every source and operator that is needed.
    remains: HashMap<usize, Remains>,
}

impl<'a> Needs<'a> {
    /// What the outputs `roots` need; all their columns if `everything`.
    /// Where it `keeps_sources`, sources give all columns, whether anybody reads them or not.
    pub(super) fn of(plan: &'a Plan, roots: &[NodeId], everything: bool, keeps_sources: bool) -> Self {
        let mut needs = Self {
            plan,
            nodes: vec![Need::default(); plan.nodes.len()],
            keeps_sources,
            remains: HashMap::new(),
        };
        for root in roots {
            needs.nodes[root.0].is_needed = true;
        }
        if everything {
            for (column, definition) in plan.columns.iter().enumerate() {
                let need = &mut needs.nodes[definition.node.0];
                if need.is_needed {
                    need.columns.insert(ColumnId(column));
                }
            }
        }
        needs.collect();
        needs
    }

    /// Whether the node is needed at all.
    pub(super) fn is_needed(&self, node: usize) -> bool {
        self.nodes[node].is_needed
    }

    /// The columns that the batches of a node must carry for its readers.
    pub(super) fn columns(&self, node: usize) -> Vec<ColumnId> {
        self.nodes[node].columns.iter().copied().collect()
    }

    /// What is left of a source or an operator that is needed.
    pub(super) fn remains(&self, node: usize) -> &Remains {
        &self.remains[&node]
    }

    /// The node that a filter filters, if the filter becomes part of its program.
    pub(super) fn fused(&self, node: usize) -> Option<NodeId> {
        match self.plan.nodes[node].rows {
            NodeKind::Filter { input, .. } if self.nodes[input.0].readers == 1 => Some(input),
            _ => None,
        }
    }

    /// All columns that must be at hand in the program of a node to fill its columns: what is computed there, in
    /// order, and what must come from its operator or from the node it filters.
    pub(super) fn closure(&self, node: usize) -> BTreeSet<ColumnId> {
        let mut all = BTreeSet::new();
        let mut open: Vec<ColumnId> = self.nodes[node].columns.iter().copied().collect();
        while let Some(column) = open.pop() {
            if !all.insert(column) {
                continue;
            }
            let definition = &self.plan.columns[column.0];
            if definition.node.0 == node
                && let Some(expression) = &definition.expression
            {
                expression.for_each_column(&mut |read| open.push(ColumnId(read)));
            }
        }
        all
    }

    fn need(&mut self, node: NodeId, columns: impl IntoIterator<Item = ColumnId>) {
        let need = &mut self.nodes[node.0];
        need.is_needed = true;
        need.readers += 1;
        need.columns.extend(columns);
    }

    /// Finds out, from the last node to the first, what each must carry.
    fn collect(&mut self) {
        for node in (0..self.plan.nodes.len()).rev() {
            if !self.nodes[node].is_needed {
                continue;
            }
            let closure = self.closure(node);
            match &self.plan.nodes[node].rows {
                NodeKind::Filter { input, condition } => {
                    let foreign = closure
                        .into_iter()
                        .filter(|column| self.plan.columns[column.0].node.0 != node)
                        .chain([*condition])
                        .collect::<Vec<_>>();
                    self.need(*input, foreign);
                }
                NodeKind::Source(source) => {
                    if let Feeder::Node(feeder) = source.fed_by() {
                        assert!(feeder < node, "a node comes before the source that it feeds");
                        self.nodes[feeder].is_needed = true;
                    }
                    let outputs = match self.keeps_sources {
                        true => (0..self.plan.nodes[node].columns.len()).collect(),
                        false => self.own_outputs(node, &closure),
                    };
                    let pruned = Remains {
                        operator: None,
                        outputs,
                        inputs: Vec::new(),
                    };
                    self.remains.insert(node, pruned);
                }
                NodeKind::Operator { operator, inputs } => {
                    let outputs = self.own_outputs(node, &closure);
                    let widths: Vec<usize> = inputs.iter().map(|input| input.columns.len()).collect();
                    let pruned = match operator.pruned(&outputs, &widths) {
                        Some((operator, reads)) => Remains {
                            operator: Some(operator),
                            outputs,
                            inputs: inputs
                                .iter()
                                .zip(reads)
                                .map(|(input, read)| read.into_iter().map(|position| input.columns[position]).collect())
                                .collect(),
                        },
                        None => Remains {
                            operator: Some(Arc::clone(operator)),
                            outputs: (0..self.plan.nodes[node].columns.len()).collect(),
                            inputs: inputs.iter().map(|input| input.columns.clone()).collect(),
                        },
                    };
                    for (input, columns) in inputs.iter().zip(pruned.inputs.clone()) {
                        self.need(input.node, columns);
                    }
                    self.remains.insert(node, pruned);
                }
            }
        }
    }

    fn own_outputs(&self, node: usize, closure: &BTreeSet<ColumnId>) -> Vec<usize> {
        let columns = &self.plan.nodes[node].columns;
        (0..columns.len())
            .filter(|position| closure.contains(&columns[*position]))
            .collect()
    }
}
