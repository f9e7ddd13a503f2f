//! A plan made ready to run: unread columns dropped, chains of filters and computed columns fused into
//! the operators before them, every column reference a position in a batch.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use towpath_types::DType;

use crate::error::Origin;
use crate::expression::Expression;
use crate::operator::Operator;
use crate::plan::{ColumnId, NodeId, Plan, Rows};
use crate::program::{Program, Step};
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
    /// Whether it, or a node it reads, directly or not, reads the error log.
    pub after_error_log: bool,
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
    /// Their types.
    pub dtypes: Vec<DType>,
    /// Whether rows of the input are never removed.
    pub append_only: bool,
    /// Whether the input has one row for a key.
    pub unique_keys: bool,
}

impl PhysicalPlan {
    /// Lowers the part of a plan that the nodes of `roots` need.
    pub fn lower(plan: &Plan, roots: &[NodeId]) -> Self {
        Lowering::new(plan, roots).run()
    }
}

/// What is needed of a node of the plan.
#[derive(Clone, Default)]
struct Need {
    is_needed: bool,
    /// The columns that its batches must carry for its readers.
    columns: BTreeSet<ColumnId>,
    /// How many nodes read it.
    readers: usize,
}

struct Lowering<'a> {
    plan: &'a Plan,
    needs: Vec<Need>,
    /// For operators: the pruned operator and the columns it puts out and reads.
    pruned: HashMap<usize, Pruned>,
}

struct Pruned {
    operator: Option<Arc<dyn Operator>>,
    /// Positions among the columns of the node.
    outputs: Vec<usize>,
    /// For every input, the columns it reads.
    inputs: Vec<Vec<ColumnId>>,
}

impl<'a> Lowering<'a> {
    fn new(plan: &'a Plan, roots: &[NodeId]) -> Self {
        let mut needs = vec![Need::default(); plan.nodes.len()];
        for root in roots {
            needs[root.0].is_needed = true;
        }
        Self {
            plan,
            needs,
            pruned: HashMap::new(),
        }
    }

    /// All columns that must be at hand in the program of a node to fill `wanted`: what is computed there, in
    /// order, and what must come from its operator or from the node it filters.
    fn closure(&self, node: usize) -> BTreeSet<ColumnId> {
        let mut all = BTreeSet::new();
        let mut open: Vec<ColumnId> = self.needs[node].columns.iter().copied().collect();
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
        let need = &mut self.needs[node.0];
        need.is_needed = true;
        need.readers += 1;
        need.columns.extend(columns);
    }

    /// Finds out, from the last node to the first, what each must carry.
    fn collect_needs(&mut self) {
        for node in (0..self.plan.nodes.len()).rev() {
            if !self.needs[node].is_needed {
                continue;
            }
            let closure = self.closure(node);
            match &self.plan.nodes[node].rows {
                Rows::Filter { input, condition } => {
                    let foreign = closure
                        .into_iter()
                        .filter(|column| self.plan.columns[column.0].node.0 != node)
                        .chain([*condition])
                        .collect::<Vec<_>>();
                    self.need(*input, foreign);
                }
                Rows::Source(_) => {
                    let outputs = self.own_outputs(node, &closure);
                    let pruned = Pruned {
                        operator: None,
                        outputs,
                        inputs: Vec::new(),
                    };
                    self.pruned.insert(node, pruned);
                }
                Rows::Operator { operator, inputs } => {
                    let outputs = self.own_outputs(node, &closure);
                    let widths: Vec<usize> = inputs.iter().map(|input| input.columns.len()).collect();
                    let pruned = match operator.pruned(&outputs, &widths) {
                        Some((operator, reads)) => Pruned {
                            operator: Some(operator),
                            outputs,
                            inputs: inputs
                                .iter()
                                .zip(reads)
                                .map(|(input, read)| read.into_iter().map(|place| input.columns[place]).collect())
                                .collect(),
                        },
                        None => Pruned {
                            operator: Some(Arc::clone(operator)),
                            outputs: (0..self.plan.nodes[node].columns.len()).collect(),
                            inputs: inputs.iter().map(|input| input.columns.clone()).collect(),
                        },
                    };
                    for (input, columns) in inputs.iter().zip(pruned.inputs.clone()) {
                        self.need(input.node, columns);
                    }
                    self.pruned.insert(node, pruned);
                }
            }
        }
    }

    fn own_outputs(&self, node: usize, closure: &BTreeSet<ColumnId>) -> Vec<usize> {
        let columns = &self.plan.nodes[node].columns;
        (0..columns.len())
            .filter(|place| closure.contains(&columns[*place]))
            .collect()
    }

    /// Whether a filter becomes part of the program of the node it filters.
    fn is_fused(&self, node: usize) -> Option<NodeId> {
        match self.plan.nodes[node].rows {
            Rows::Filter { input, .. } if self.needs[input.0].readers == 1 => Some(input),
            _ => None,
        }
    }

    fn run(mut self) -> PhysicalPlan {
        self.collect_needs();
        let mut physical = PhysicalPlan::default();
        // Where the batches of a node of the plan come from: the physical node and the order of their columns.
        let mut placed: HashMap<usize, (usize, Vec<ColumnId>)> = HashMap::new();
        // Programs are built up while filters are fused into them.
        let mut builders: Vec<ProgramBuilder> = Vec::new();
        for node in 0..self.plan.nodes.len() {
            if !self.needs[node].is_needed {
                continue;
            }
            let wanted: Vec<ColumnId> = self.needs[node].columns.iter().copied().collect();
            let plan_node = &self.plan.nodes[node];
            let fused = self.is_fused(node);
            let place = if let Some(input) = fused {
                placed[&input.0].0
            } else {
                let input_of = |id: NodeId, columns: &[ColumnId]| {
                    let (place, layout) = &placed[&id.0];
                    PhysicalInput {
                        node: *place,
                        columns: columns
                            .iter()
                            .map(|column| {
                                layout
                                    .iter()
                                    .position(|other| other == column)
                                    .expect("a needed column is carried")
                            })
                            .collect(),
                        dtypes: columns.iter().map(|column| self.plan.dtype(*column).clone()).collect(),
                        append_only: self.plan.nodes[id.0].append_only,
                        unique_keys: self.plan.nodes[id.0].unique_keys,
                    }
                };
                let (work, layout, inputs) = match &plan_node.rows {
                    Rows::Source(source) => {
                        let outputs = &self.pruned[&node].outputs;
                        let layout = outputs.iter().map(|place| plan_node.columns[*place]).collect();
                        let work = Work::Source {
                            source: Arc::clone(source),
                            columns: outputs.clone(),
                        };
                        (work, layout, vec![])
                    }
                    Rows::Filter { input, .. } => {
                        let layout = placed[&input.0].1.clone();
                        (Work::Pass(input_of(*input, &layout)), layout, vec![placed[&input.0].0])
                    }
                    Rows::Operator { operator, inputs } => {
                        let pruned = &self.pruned[&node];
                        let physical_inputs: Vec<PhysicalInput> = inputs
                            .iter()
                            .zip(&pruned.inputs)
                            .map(|(input, columns)| input_of(input.node, columns))
                            .collect();
                        let operator = pruned.operator.clone().unwrap_or_else(|| Arc::clone(operator));
                        let layout = pruned.outputs.iter().map(|place| plan_node.columns[*place]).collect();
                        let read = physical_inputs.iter().map(|input| input.node).collect();
                        (
                            Work::Operator {
                                operator,
                                inputs: physical_inputs,
                            },
                            layout,
                            read,
                        )
                    }
                };
                let own = matches!(&work, Work::Source { source, .. } if source.is_error_log());
                let after = own || inputs.iter().any(|input| physical.nodes[*input].after_error_log);
                physical.nodes.push(PhysicalNode {
                    id: NodeId(node),
                    work,
                    program: Program::default(),
                    origin: plan_node.origin.clone(),
                    after_error_log: after,
                });
                builders.push(ProgramBuilder::new(layout));
                physical.nodes.len() - 1
            };
            let builder = &mut builders[place];
            if let Rows::Filter { condition, .. } = plan_node.rows {
                builder.filter(condition);
            }
            for column in self.closure(node) {
                let definition = &self.plan.columns[column.0];
                if definition.node.0 == node
                    && let Some(expression) = &definition.expression
                {
                    builder.compute(column, expression, !plan_node.append_only);
                }
            }
            builder.output.clone_from(&wanted);
            placed.insert(node, (place, wanted));
        }
        for (node, builder) in physical.nodes.iter_mut().zip(builders) {
            node.program = builder.finish();
        }
        physical
    }
}

/// Assigns slots to columns.
struct ProgramBuilder {
    slots: HashMap<ColumnId, usize>,
    width: usize,
    inputs: usize,
    steps: Vec<Step>,
    output: Vec<ColumnId>,
}

impl ProgramBuilder {
    fn new(layout: Vec<ColumnId>) -> Self {
        Self {
            width: layout.len(),
            inputs: layout.len(),
            slots: layout
                .into_iter()
                .enumerate()
                .map(|(slot, column)| (column, slot))
                .collect(),
            steps: Vec::new(),
            output: Vec::new(),
        }
    }

    fn compute(&mut self, column: ColumnId, expression: &Expression, may_remove: bool) {
        let expression = expression.map_columns(&|column| self.slots[&ColumnId(column)]);
        let kept = may_remove && !expression.is_deterministic();
        self.steps.push(Step::Compute { expression, kept });
        self.slots.insert(column, self.width);
        self.width += 1;
    }

    fn filter(&mut self, condition: ColumnId) {
        self.steps.push(Step::Filter {
            condition: self.slots[&condition],
            live: Vec::new(),
        });
    }

    fn finish(mut self) -> Program {
        let output: Vec<usize> = self.output.iter().map(|column| self.slots[column]).collect();
        let mut live: BTreeSet<usize> = output.iter().copied().collect();
        let mut slot = self.width;
        for step in self.steps.iter_mut().rev() {
            match step {
                Step::Compute { expression, .. } => {
                    slot -= 1;
                    live.remove(&slot);
                    expression.for_each_column(&mut |read| {
                        live.insert(read);
                    });
                }
                Step::Filter { condition, live: after } => {
                    *after = live.iter().copied().collect();
                    live.insert(*condition);
                }
            }
        }
        let is_identity = self.steps.is_empty() && output == (0..self.inputs).collect::<Vec<_>>();
        Program {
            steps: self.steps,
            output,
            is_identity,
        }
    }
}
