//! What a plan is lowered to.

use std::sync::Arc;

use towpath_types::DType;

use crate::error::Origin;
use crate::operator::Operator;
use crate::plan::NodeId;
use crate::program::Program;
use crate::source::Source;

/// A plan made ready to run. Nodes read only nodes before them.
#[derive(Clone, Debug, Default)]
pub struct PhysicalPlan {
    /// The nodes.
    pub nodes: Vec<PhysicalNode>,
}

/// One operator of the dataflow.
#[derive(Clone, Debug)]
pub struct PhysicalNode {
    /// The node of the plan, for messages and monitoring.
    pub id: NodeId,
    /// What it is.
    pub work: Work,
    /// What happens to its batches before others read them.
    pub program: Program,
    /// Where it was declared.
    pub origin: Option<Origin>,
    /// For a source that the run feeds: when it ends.
    pub ends_after: Option<EndsAfter>,
    /// Whether it comes of a source that all others feed.
    pub after_all: bool,
    /// Its rows before its program, as another node would read them.
    pub(crate) layout: PhysicalInput,
}

/// After which nodes a source ends that the run feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndsAfter {
    /// After the node at this position in [`PhysicalPlan::nodes`].
    Node(usize),
    /// After all that are not [`PhysicalNode::after_all`].
    AllOthers,
}

impl EndsAfter {
    /// Whether it has to wait for the node at a position.
    pub(crate) fn waits_for(self, position: usize, node: &PhysicalNode) -> bool {
        match self {
            EndsAfter::Node(own) => own == position,
            EndsAfter::AllOthers => !node.after_all,
        }
    }
}

/// What a node does.
#[derive(Clone, Debug)]
pub enum Work {
    /// Brings rows in.
    Source {
        /// From where.
        source: Arc<dyn Source>,
        /// The positions of the source's columns that are read.
        columns: Vec<usize>,
    },
    /// Passes the rows of a node on, to be thinned by the program.
    Pass(PhysicalInput),
    /// Makes rows of other rows.
    Operator {
        /// How.
        operator: Arc<dyn Operator>,
        /// Of which.
        inputs: Vec<PhysicalInput>,
    },
}

impl Work {
    pub(super) fn inputs_mut(&mut self) -> &mut [PhysicalInput] {
        match self {
            Work::Source { .. } => &mut [],
            Work::Pass(input) => std::slice::from_mut(input),
            Work::Operator { inputs, .. } => inputs,
        }
    }

    /// What the node reads.
    pub fn inputs(&self) -> &[PhysicalInput] {
        match self {
            Work::Source { .. } => &[],
            Work::Pass(input) => std::slice::from_ref(input),
            Work::Operator { inputs, .. } => inputs,
        }
    }
}

/// What an operator reads.
#[derive(Clone, Debug)]
pub struct PhysicalInput {
    /// The position of the node in [`PhysicalPlan::nodes`].
    pub node: usize,
    /// The positions of the columns in the node's batches.
    pub columns: Vec<usize>,
    /// What they are called, where they have a name.
    pub names: Vec<Option<Arc<str>>>,
    /// Their types.
    pub dtypes: Vec<DType>,
    /// Whether rows of the input are never removed.
    pub append_only: bool,
    /// Whether the input has one row for a key.
    pub unique_keys: bool,
}
