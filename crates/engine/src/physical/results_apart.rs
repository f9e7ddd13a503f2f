//! A last pass, where state is kept: results that are kept with their rows, in nodes of their own.

use super::nodes::{EndsAfter, PhysicalInput, PhysicalNode, PhysicalPlan, Work};
use crate::program::Program;

/// The same plan in which programs that keep results have nodes of their own, so that rows can be brought to the workers
/// that own them before.
pub(super) fn with_results_apart(plan: PhysicalPlan) -> PhysicalPlan {
    let mut nodes = Vec::with_capacity(plan.nodes.len());
    // Where each node is now.
    let mut places = Vec::with_capacity(plan.nodes.len());
    for mut node in plan.nodes {
        for input in node.work.inputs_mut() {
            input.node = places[input.node];
        }
        if let Some(EndsAfter::Node(other)) = &mut node.ends_after {
            *other = places[*other];
        }
        if node.program.keeps_results() && !matches!(node.work, Work::Pass(_)) {
            let program = std::mem::replace(&mut node.program, Program::identity(node.layout.columns.len()));
            let input = PhysicalInput {
                node: nodes.len(),
                ..node.layout.clone()
            };
            let results = PhysicalNode {
                work: Work::Pass(input),
                program,
                ends_after: None,
                ..node.clone()
            };
            nodes.push(node);
            nodes.push(results);
        } else {
            nodes.push(node);
        }
        places.push(nodes.len() - 1);
    }
    PhysicalPlan { nodes }
}
