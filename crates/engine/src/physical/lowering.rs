//! The pass forwards: what is needed, placed in the order of the dataflow.

use std::collections::HashMap;
use std::sync::Arc;

use super::needs::Needs;
use super::nodes::{EndsAfter, PhysicalInput, PhysicalNode, PhysicalPlan, Work};
use super::program_builder::ProgramBuilder;
use crate::plan::{ColumnId, NodeId, NodeKind, Plan};
use crate::program::Program;
use crate::source::{Feeder, Kept, Resume};

/// Lowers the part of `plan` that the nodes of `roots` need.
pub(super) fn lower(
    plan: &Plan,
    roots: &[NodeId],
    everything: bool,
    errors_flow: bool,
    keeps_sources: bool,
) -> PhysicalPlan {
    let mut lowering = Lowering {
        plan,
        append_only: append_only(plan, errors_flow, keeps_sources),
        needs: Needs::of(plan, roots, everything, keeps_sources),
        placed: HashMap::new(),
        nodes: Vec::new(),
        builders: Vec::new(),
    };
    for node in 0..plan.nodes.len() {
        if lowering.needs.is_needed(node) {
            lowering.place(node);
        }
    }
    lowering.finish()
}

/// Whether the rows of each node are never removed, where failures flow on or end the run, and where what was kept of
/// sources may have to be taken back.
fn append_only(plan: &Plan, errors_flow: bool, keeps_sources: bool) -> Vec<bool> {
    if !errors_flow && !keeps_sources {
        return plan.nodes.iter().map(|node| node.append_only).collect();
    }
    let mut all: Vec<bool> = Vec::with_capacity(plan.nodes.len());
    for node in &plan.nodes {
        all.push(match &node.rows {
            NodeKind::Source(source) => {
                let is_compared = keeps_sources && source.kept() == Kept::Rows(Resume::Compare);
                source.is_append_only() && !is_compared
            }
            NodeKind::Filter { input, .. } => all[input.0],
            NodeKind::Operator { operator, inputs } => {
                let inputs: Vec<bool> = inputs.iter().map(|input| all[input.node.0]).collect();
                operator.append_only(&inputs) && !(errors_flow && operator.takes_back_failures())
            }
        });
    }
    all
}

struct Lowering<'a> {
    plan: &'a Plan,
    append_only: Vec<bool>,
    needs: Needs<'a>,
    /// Where the batches of the nodes of the plan come from.
    placed: HashMap<usize, Placed>,
    nodes: Vec<PhysicalNode>,
    /// For every physical node.
    builders: Vec<ProgramBuilder>,
}

struct Placed {
    /// The position of the physical node.
    node: usize,
    /// The order of the columns in its batches.
    layout: Vec<ColumnId>,
}

impl Lowering<'_> {
    /// Places a node: in the program of the node it filters, or in a physical node of its own.
    fn place(&mut self, node: usize) {
        let position = match self.needs.fused(node) {
            Some(input) => self.placed[&input.0].node,
            None => self.place_alone(node),
        };
        let plan_node = &self.plan.nodes[node];
        let builder = &mut self.builders[position];
        if let NodeKind::Filter { condition, .. } = plan_node.rows {
            builder.filter(condition, node, plan_node.origin.clone(), !self.append_only[node]);
        }
        for column in self.needs.closure(node) {
            let definition = &self.plan.columns[column.0];
            if definition.node.0 == node
                && let Some(expression) = &definition.expression
            {
                builder.compute(column, definition.name.clone(), expression, !self.append_only[node]);
            }
        }
        let layout = self.needs.columns(node);
        builder.output(layout.clone());
        self.placed.insert(node, Placed { node: position, layout });
    }

    /// Makes a physical node, with an empty program, and returns its position.
    fn place_alone(&mut self, node: usize) -> usize {
        let plan_node = &self.plan.nodes[node];
        let (work, layout) = self.work(node);
        let ends_after = self.ends_after(&work);
        let after_all = match ends_after {
            Some(EndsAfter::AllOthers) => true,
            Some(EndsAfter::Node(feeder)) => self.nodes[feeder].after_all,
            None => work.inputs().iter().any(|input| self.nodes[input.node].after_all),
        };
        self.nodes.push(PhysicalNode {
            id: NodeId(node),
            work,
            program: Program::default(),
            origin: plan_node.origin.clone(),
            ends_after,
            after_all,
            layout: self.described(self.nodes.len(), NodeId(node), &layout, (0..layout.len()).collect()),
        });
        self.builders.push(ProgramBuilder::new(layout));
        self.nodes.len() - 1
    }

    /// When a source ends that the run feeds.
    fn ends_after(&self, work: &Work) -> Option<EndsAfter> {
        let Work::Source { source, .. } = work else {
            return None;
        };
        match source.fed_by() {
            Feeder::Outside => None,
            Feeder::Node(feeder) => Some(EndsAfter::Node(self.placed[&feeder].node)),
            Feeder::AllOthers => Some(EndsAfter::AllOthers),
        }
    }

    /// What a node does, and the columns it puts out.
    fn work(&self, node: usize) -> (Work, Vec<ColumnId>) {
        let plan_node = &self.plan.nodes[node];
        let own_columns = |positions: &[usize]| positions.iter().map(|position| plan_node.columns[*position]).collect();
        match &plan_node.rows {
            NodeKind::Source(source) => {
                let columns = self.needs.remains(node).outputs.clone();
                let layout = own_columns(&columns);
                let source = Arc::clone(source);
                (Work::Source { source, columns }, layout)
            }
            NodeKind::Filter { input, .. } => {
                let layout = self.placed[&input.0].layout.clone();
                (Work::Pass(self.input(*input, &layout)), layout)
            }
            NodeKind::Operator { operator, inputs } => {
                let pruned = self.needs.remains(node);
                let work = Work::Operator {
                    operator: Arc::clone(pruned.operator.as_ref().unwrap_or(operator)),
                    inputs: inputs
                        .iter()
                        .zip(&pruned.inputs)
                        .map(|(input, columns)| self.input(input.node, columns))
                        .collect(),
                };
                (work, own_columns(&pruned.outputs))
            }
        }
    }

    /// `columns` of a node that is placed.
    fn input(&self, id: NodeId, columns: &[ColumnId]) -> PhysicalInput {
        let placed = &self.placed[&id.0];
        let position = |column: &ColumnId| {
            let position = placed.layout.iter().position(|other| other == column);
            position.expect("a needed column is carried")
        };
        self.described(placed.node, id, columns, columns.iter().map(position).collect())
    }

    /// Columns of the node `id`, which are at these positions in the batches of a physical node.
    fn described(&self, node: usize, id: NodeId, columns: &[ColumnId], positions: Vec<usize>) -> PhysicalInput {
        PhysicalInput {
            node,
            columns: positions,
            names: columns
                .iter()
                .map(|column| self.plan.columns[column.0].name.clone())
                .collect(),
            dtypes: columns.iter().map(|column| self.plan.dtype(*column).clone()).collect(),
            append_only: self.append_only[id.0],
            unique_keys: self.plan.nodes[id.0].unique_keys,
        }
    }

    fn finish(mut self) -> PhysicalPlan {
        for (node, builder) in self.nodes.iter_mut().zip(self.builders) {
            node.program = builder.finish();
        }
        PhysicalPlan { nodes: self.nodes }
    }
}
