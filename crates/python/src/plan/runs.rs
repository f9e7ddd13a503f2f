//! Which outputs of a plan a run has, and what they must not have in common.
//!
//! A program declares its outputs and runs them. In a notebook, a loop or a test the same lines are run again, and
//! declare them anew. So a run has the outputs that were declared since the run before; if there are none, it does what
//! the run before did, from the beginning. What one run has, and nothing else, must not collide: an output that cannot
//! run spoils no later run.
//!
//! If several outputs of one run write to one file, because a cell was run again that only declares them, the last one
//! counts. Two lines of one file of a program that write to one file are a mistake.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use towpath_connectors::sink::may_be_shared;
use towpath_engine::{NodeId, Plan};

/// When an output runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutputKind {
    Ordinary,
    /// Prints what happens, where a run is told to.
    Debug,
    /// Keeps what happens, for whoever runs it.
    Capture,
}

/// What a run has.
pub(super) struct Chosen {
    pub(super) outputs: Vec<NodeId>,
    /// What people are told.
    pub(super) messages: Vec<String>,
    /// To be held for as long as the run goes on.
    pub(super) running: Arc<()>,
}

/// Why something is not run.
pub(super) enum Refusal {
    /// A run that goes on has it.
    Running(String),
    /// Two things that are to run have something in common.
    Collision(String),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Runs {
    outputs: Vec<(NodeId, OutputKind)>,
    /// The names that the user gave to connectors.
    names: Vec<(String, NodeId)>,
    /// The files that outputs write to.
    files: BTreeMap<NodeId, PathBuf>,
    /// The sources that can be read by one run at a time.
    single: BTreeSet<NodeId>,
    /// The first node that was declared since the run before the last, and since the last.
    since: (NodeId, NodeId),
    /// What the runs that go on have to themselves.
    running: Vec<(Weak<()>, BTreeSet<NodeId>)>,
}

impl Default for Runs {
    fn default() -> Self {
        Self {
            outputs: Vec::new(),
            names: Vec::new(),
            files: BTreeMap::new(),
            single: BTreeSet::new(),
            since: (NodeId(0), NodeId(0)),
            running: Vec::new(),
        }
    }
}

impl Runs {
    /// An output was added.
    pub(super) fn declared(&mut self, output: NodeId, kind: OutputKind) {
        self.outputs.push((output, kind));
    }

    /// A connector was given a name.
    pub(super) fn named(&mut self, name: &str, node: NodeId) {
        self.names.push((name.to_owned(), node));
    }

    /// An output writes to a file, or to something that several may write to.
    pub(super) fn writes_to(&mut self, path: &str, output: NodeId) {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
        if !may_be_shared(&path) {
            self.files.insert(output, path);
        }
    }

    /// A source can be read by one run at a time.
    pub(super) fn serves_one_run(&mut self, source: NodeId) {
        self.single.insert(source);
    }

    /// A run of captures.
    pub(super) fn of_captures(&mut self, plan: &Plan, captures: Vec<NodeId>) -> Result<Chosen, Refusal> {
        self.chosen(plan, captures, false, Vec::new())
    }

    /// A run of outputs: see the module. `everything` are all that were ever declared.
    pub(super) fn of_outputs(&mut self, plan: &Plan, everything: bool, debug: bool) -> Result<Chosen, Refusal> {
        let is_wanted = |kind: OutputKind| kind == OutputKind::Ordinary || (debug && kind == OutputKind::Debug);
        let wanted = self.outputs.iter().filter(|(_, kind)| is_wanted(*kind));
        let wanted: Vec<NodeId> = wanted.map(|(node, _)| *node).collect();
        if wanted.iter().any(|node| *node >= self.since.1) {
            self.since.0 = self.since.1;
        }
        self.since.1 = NodeId(plan.len());
        let first = if everything { NodeId(0) } else { self.since.0 };
        let outputs = wanted.into_iter().filter(|node| *node >= first).collect();
        let (outputs, messages) = self.one_a_file(plan, outputs)?;
        self.chosen(plan, outputs, everything, messages)
    }

    /// Leaves out the outputs whose files others write to that were declared later.
    fn one_a_file(&self, plan: &Plan, outputs: Vec<NodeId>) -> Result<(Vec<NodeId>, Vec<String>), Refusal> {
        let mut last: BTreeMap<&Path, NodeId> = BTreeMap::new();
        let mut replaced: BTreeMap<NodeId, NodeId> = BTreeMap::new();
        for output in &outputs {
            if let Some(path) = self.files.get(output)
                && let Some(before) = last.insert(path, *output)
            {
                if are_two_lines_of_one_file(plan, before, *output) {
                    return Err(Refusal::Collision(format!(
                        "two outputs write to the file {}, declared at {} and {}; give each a file of its own",
                        path.display(),
                        place(plan, before),
                        place(plan, *output)
                    )));
                }
                replaced.insert(before, *output);
            }
        }
        let mut messages = BTreeMap::new();
        for output in replaced.values() {
            if !replaced.contains_key(output) {
                let path = &self.files[output];
                messages.insert(
                    path,
                    format!(
                        "several outputs write to the file {}: only the one that was declared last is run, at {}; \
                         pw.testing.reset() forgets what was declared before",
                        path.display(),
                        place(plan, *output)
                    ),
                );
            }
        }
        let outputs = outputs.into_iter().filter(|output| !replaced.contains_key(output));
        Ok((outputs.collect(), messages.into_values().collect()))
    }

    /// A run of these outputs, if nothing they need collides, or is needed by a run that goes on.
    fn chosen(
        &mut self,
        plan: &Plan,
        outputs: Vec<NodeId>,
        everything: bool,
        messages: Vec<String>,
    ) -> Result<Chosen, Refusal> {
        let mut nodes = plan.upstream(&outputs);
        if everything {
            let left_out: BTreeSet<&NodeId> = plan.outputs().iter().collect();
            nodes.extend((0..plan.len()).map(NodeId).filter(|node| !left_out.contains(node)));
        }
        self.running.retain(|(run, _)| run.strong_count() > 0);
        let own: BTreeSet<NodeId> = nodes
            .iter()
            .filter(|node| self.single.contains(node) || outputs.contains(node))
            .copied()
            .collect();
        let taken = self.running.iter().flat_map(|(_, taken)| own.intersection(taken));
        let taken: Vec<&NodeId> = taken.collect();
        if taken.iter().any(|node| outputs.contains(node)) {
            return Err(Refusal::Running(
                "a run that is going on has these outputs already: call pw.run() once, or after that run has ended"
                    .to_owned(),
            ));
        }
        if let Some(source) = taken.first() {
            return Err(Refusal::Running(format!(
                "a run that is going on reads the connector that was declared at {}: run what needs it in the same run, \
                 or after that run has ended",
                place(plan, **source)
            )));
        }
        let mut names = BTreeMap::new();
        for (name, node) in self.names.iter().filter(|(_, node)| nodes.contains(node)) {
            if let Some(before) = names.insert(name, node) {
                return Err(Refusal::Collision(format!(
                    "Unique name '{name}' used more than once, at {} and {}; if the same lines were run again without a \
                     run in between, pw.testing.reset() forgets what was declared before",
                    place(plan, *before),
                    place(plan, *node)
                )));
            }
        }
        let running = Arc::new(());
        self.running.push((Arc::downgrade(&running), own));
        Ok(Chosen {
            outputs,
            messages,
            running,
        })
    }
}

/// Where in the user's program a node was declared.
fn place(plan: &Plan, node: NodeId) -> String {
    plan.origin(node).map_or_else(
        || "an unknown place".to_owned(),
        |origin| format!("{}:{}", origin.file, origin.line),
    )
}

/// Whether the lines are those of one program: a cell has a file of its own, and a loop comes to its line again.
fn are_two_lines_of_one_file(plan: &Plan, first: NodeId, second: NodeId) -> bool {
    match (plan.origin(first), plan.origin(second)) {
        (Some(first), Some(second)) => {
            // What was typed, "<stdin>", begins anew with every statement.
            first.file == second.file && first.line != second.line && !first.file.starts_with('<')
        }
        _ => false,
    }
}
