//! A plan made ready to run: unread columns dropped, chains of filters and computed columns fused into
//! the operators before them, every column reference a position in a batch.
//!
//! Lowering takes two passes: `needs` goes from the outputs backwards and finds what each node must carry; `lowering`
//! goes forwards and places what is needed, with a `program_builder` for each operator it places. Where state is kept, a
//! third, `results_apart`, follows.

mod lowering;
mod needs;
mod nodes;
mod program_builder;
mod results_apart;

use crate::plan::{NodeId, Plan};
pub use nodes::{EndsAfter, PhysicalInput, PhysicalNode, PhysicalPlan, Work};

impl PhysicalPlan {
    /// Lowers the part of a plan that the nodes of `roots` need.
    ///
    /// Where `everything`, each of the nodes `roots` has all its columns, whether an output reads them or not. Where
    /// `errors_flow`, a failure does not end the run. Where it `keeps_sources`, sources give all their columns; where
    /// it `keeps_state`, too, results that are kept with their rows are in a node of their own.
    pub fn lower(
        plan: &Plan,
        roots: &[NodeId],
        everything: bool,
        errors_flow: bool,
        keeps_sources: bool,
        keeps_state: bool,
    ) -> Self {
        let plan = lowering::lower(plan, roots, everything, errors_flow, keeps_sources);
        if keeps_state {
            results_apart::with_results_apart(plan)
        } else {
            plan
        }
    }
}
