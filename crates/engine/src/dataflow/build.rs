//! The dataflow of a plan, as every worker builds it.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, RandomState};
use std::rc::Rc;
use std::sync::Arc;

use timely::dataflow::operators::probe::{Handle, Probe};
use timely::dataflow::{Scope, Stream};
use timely::worker::Worker;
use towpath_types::{Batch, Key, Time};

use super::RunContext;
use super::edges::{Edge, Node};
use super::exchange::Parcel;
use super::fed::Fed;
use super::operators::add_operator;
use super::sources::{Reading, add_source};
use super::worker_ending::WorkerEnding;
use crate::error::EngineError;
use crate::monitor::{Counters, Part, Role, Watched};
use crate::operator::{ColumnName, Operator, Output, Routing, Task, TaskContext};
use crate::persistence::{KeptOutput, KeptStream, StatePart};
use crate::physical::{PhysicalInput, PhysicalNode, PhysicalPlan, Work};
use crate::program::RunningProgram;
use crate::reporter::Reporter;
use crate::source::{Commits, Kept, Source};
use crate::state::{Saved, no_table};

/// What the worker watches to know how far its dataflow has come.
pub(super) struct Probes {
    /// The nodes nobody reads.
    pub(super) outputs: Handle<Time>,
    pub(super) fed: Vec<Fed>,
}

type Parcels<'scope> = Stream<'scope, Time, Parcel>;

/// Builds the dataflow of one worker.
pub(super) fn build(worker: &mut Worker, run: &RunContext, ending: &Rc<WorkerEnding>) -> Probes {
    let plan = &run.plan;
    let probes = Probes {
        outputs: Handle::new(),
        fed: Fed::all(plan, &run.watched),
    };
    let mut readers = vec![0; plan.nodes.len()];
    for input in plan.nodes.iter().flat_map(|node| node.work.inputs()) {
        readers[input.node] += 1;
    }
    let waker = worker.dataflow::<Time, _, _>(|scope| {
        let mut builder = Builder {
            run,
            ending,
            scope,
            streams: Vec::new(),
            ends_for_good: ends_for_good(plan),
        };
        for (position, node) in plan.nodes.iter().enumerate() {
            let mut stream = builder.node(position, node, &run.watched[position]);
            if readers[position] == 0 {
                stream = stream.probe_with(&probes.outputs);
            }
            for fed in &probes.fed {
                stream = fed.watch(stream, position, node);
            }
            builder.streams.push(stream);
        }
        if let Some(cut) = run.keeping.as_ref().and_then(|keeping| keeping.cut.as_ref()) {
            cut.worker_is_built();
        }
        scope.worker().sync_activator_for(scope.addr().to_vec())
    });
    run.ending.wakes(waker);
    probes
}

struct Builder<'a, 'scope> {
    run: &'a RunContext,
    ending: &'a Rc<WorkerEnding>,
    scope: Scope<'scope, Time>,
    /// What the nodes so far put out.
    streams: Vec<Parcels<'scope>>,
    /// For every node whether nothing comes of it in the runs after this one, once it has ended.
    ends_for_good: Vec<bool>,
}

/// For every node whether nothing comes of it in later runs, once it has ended: all that it comes of is the same in every
/// run.
fn ends_for_good(plan: &PhysicalPlan) -> Vec<bool> {
    let mut all: Vec<bool> = Vec::with_capacity(plan.nodes.len());
    for node in &plan.nodes {
        let ends = match &node.work {
            Work::Source { source, .. } => source.kept() == Kept::Nothing && node.ends_after.is_none(),
            work => work.inputs().iter().all(|input| all[input.node]),
        };
        all.push(ends);
    }
    all
}

impl<'scope> Builder<'_, 'scope> {
    fn node(&self, position: usize, node: &PhysicalNode, watched: &Watched) -> Parcels<'scope> {
        let reporter = self.reporter(node, watched);
        let keeping = self.run.keeping.as_ref();
        let keeps_state = self.keeps_state();
        let mut program = RunningProgram::new(node.program.clone(), reporter.clone()).keeping(keeps_state);
        if program.has_state() {
            let part = StatePart {
                node: position,
                is_program: true,
            };
            self.restore(node, part, |table, rows, owners| program.restore(table, &rows, owners));
        }
        match &node.work {
            Work::Source { source, columns } => self.source(position, &**source, columns, watched, program),
            Work::Pass(input) => {
                // Results that are kept are on the worker that owns their row.
                let is_kept = keeps_state && program.has_state();
                let routing = if is_kept { Routing::ByKey } else { Routing::Local };
                let edges = vec![self.edge(input, routing)];
                let counters = self.counters(watched);
                self.driven(("filter", position), edges, Box::new(Pass), program, counters, None)
            }
            Work::Operator { operator, inputs } => {
                let counters = self.counters(watched);
                let kept = keeping.and_then(|keeping| keeping.output(position, self.scope.index()));
                let context = TaskContext {
                    kept: kept.cloned(),
                    ..self.task_context(inputs, &node.layout.names, reporter, &counters)
                };
                let edges = self.edges(&**operator, inputs, &context);
                let mut task = operator.start(context).unwrap_or_else(|error| {
                    self.fail(node, error);
                    Box::new(Pass)
                });
                let part = StatePart {
                    node: position,
                    is_program: false,
                };
                self.restore(node, part, |table, rows, owners| task.restore(table, rows, owners));
                self.driven((&watched.name, position), edges, task, program, counters, kept)
            }
        }
    }

    /// Gives an operator of this worker back what was saved of its state.
    fn restore(
        &self,
        node: &PhysicalNode,
        part: StatePart,
        take: impl FnMut(u16, Batch, &[Key]) -> Result<(), EngineError>,
    ) {
        let keeping = self.run.keeping.as_ref();
        if let Some(restoring) = keeping.and_then(|keeping| keeping.restoring.as_ref())
            && let Err(error) = restoring.restore(part, (self.scope.index(), self.scope.peers()), take)
        {
            self.fail(node, error);
        }
    }

    /// The run does not begin: a node cannot be made.
    fn fail(&self, node: &PhysicalNode, error: EngineError) {
        self.ending.fail(error.at(node.origin.as_ref()));
        self.run.opening.fail();
    }

    /// Where failures of a node go. What is wrong with rows that several outputs put out is told once.
    fn reporter(&self, node: &PhysicalNode, watched: &Watched) -> Reporter {
        let log = &self.run.logs[usize::from(node.after_all)];
        let reporter = Reporter::new(node.id.0, node.origin.clone(), Arc::clone(log));
        let is_final = node.work.inputs().iter().all(|input| input.append_only);
        let reporter = reporter.for_rows(is_final);
        if watched.role != Role::Sink {
            return reporter;
        }
        let rows = rows_read(&node.work);
        let nodes = self.run.plan.nodes.iter().zip(&*self.run.watched);
        let outputs = nodes.filter(|(node, watched)| watched.role == Role::Sink && rows_read(&node.work) == rows);
        if outputs.count() > 1 {
            reporter.for_output(rows)
        } else {
            reporter
        }
    }

    /// Which of the workers of this process this is.
    fn thread(&self) -> usize {
        self.scope.index() % self.run.team.threads
    }

    /// What of a node this worker does.
    fn own<'w>(&self, watched: &'w Watched) -> impl Iterator<Item = &'w Part> + use<'w> {
        let thread = self.thread();
        watched.parts.iter().filter(move |part| part.thread == thread)
    }

    fn counters(&self, watched: &Watched) -> Arc<Counters> {
        let mut own = self.own(watched);
        own.next().map_or_else(Arc::default, |part| Arc::clone(&part.counters))
    }

    fn source(
        &self,
        position: usize,
        source: &dyn Source,
        columns: &[usize],
        watched: &Watched,
        program: RunningProgram,
    ) -> Parcels<'scope> {
        let node = &self.run.plan.nodes[position];
        let reading = |part: &Part| {
            let keeping = self.run.keeping.as_ref();
            let KeptStream {
                history,
                recovering,
                resuming,
                comparing,
                begins_late,
                ends_with_history,
                in_real_time,
                journal,
            } = keeping.map_or_else(KeptStream::default, |keeping| keeping.stream(position, part.stream));
            Some(Reading {
                name: watched.name.clone(),
                queue: Arc::clone(part.queue.as_ref()?),
                counters: Arc::clone(&part.counters),
                columns: columns.to_vec(),
                commits: source.commits(),
                joins_commits: node.ends_after.is_some() && source.commits() == Commits::Streaming(None),
                start: match source.commits() {
                    Commits::AtEnd | Commits::Scripted if !begins_late => 0,
                    _ => self.run.start,
                },
                clock: Arc::clone(&self.run.clock),
                history,
                recovering,
                resuming,
                comparing,
                ends_with_history,
                in_real_time,
                journal,
                known: keeping
                    .and_then(|keeping| keeping.known)
                    .filter(|_| source.kept() == Kept::Nothing && node.ends_after.is_none()),
            })
        };
        let readings = self.own(watched).filter_map(reading).collect();
        let ending = Rc::clone(self.ending);
        add_source(self.scope, &watched.name, readings, program, &self.run.times, ending)
    }

    fn task_context(
        &self,
        inputs: &[PhysicalInput],
        output_names: &[ColumnName],
        reporter: Reporter,
        counters: &Arc<Counters>,
    ) -> TaskContext {
        TaskContext {
            worker: self.scope.index(),
            workers: self.scope.peers(),
            reporter,
            clock: Arc::clone(&self.run.clock),
            dtypes: inputs.iter().map(|input| input.dtypes.clone()).collect(),
            names: inputs.iter().map(|input| input.names.clone()).collect(),
            output_names: output_names.to_vec(),
            append_only: inputs.iter().map(|input| input.append_only).collect(),
            unique_keys: inputs.iter().map(|input| input.unique_keys).collect(),
            counters: Arc::clone(counters),
            kept: None,
            keeps_state: self.keeps_state(),
            seeds: self
                .run
                .keeping
                .as_ref()
                .and_then(|keeping| keeping.seeds)
                .unwrap_or_else(|| [0, 1].map(|number| RandomState::new().hash_one(number))),
        }
    }

    fn edges(&self, operator: &dyn Operator, inputs: &[PhysicalInput], context: &TaskContext) -> Vec<Edge<'scope>> {
        let edge = |(position, input)| {
            let routing = if context.keeps_state {
                operator.routing_of_kept(position)
            } else {
                operator.routing(position)
            };
            let mut edge = self.edge(input, routing);
            if context.workers > 1 {
                edge.combiner = operator.combiner(position, context);
            }
            edge
        };
        inputs.iter().enumerate().map(edge).collect()
    }

    /// For every input of a node whether it stays ended in the runs after this one; where no state is kept, that is all the
    /// same.
    fn ends_for_good(&self, position: usize) -> Vec<bool> {
        let inputs = self.run.plan.nodes[position].work.inputs().iter();
        inputs
            .map(|input| !self.keeps_state() || self.ends_for_good[input.node])
            .collect()
    }

    fn edge(&self, input: &PhysicalInput, routing: Routing) -> Edge<'scope> {
        Edge {
            stream: self.streams[input.node].clone(),
            columns: input.columns.clone(),
            names: input.names.clone(),
            routing: routing.settled(input.append_only && input.unique_keys),
            combiner: None,
            threads: self.run.team.threads,
        }
    }

    /// Whether the state of operators is kept.
    fn keeps_state(&self) -> bool {
        self.run.keeping.as_ref().is_some_and(|keeping| keeping.cut.is_some())
    }

    fn driven(
        &self,
        (name, position): (&str, usize),
        edges: Vec<Edge<'scope>>,
        task: Box<dyn Task>,
        program: RunningProgram,
        counters: Arc<Counters>,
        kept: Option<&KeptOutput>,
    ) -> Parcels<'scope> {
        let node = Node {
            name: name.into(),
            origin: program.origin().cloned(),
            ending: Rc::clone(self.ending),
            ledger: Arc::clone(&self.run.ledger),
            position,
            saving: self.run.keeping.as_ref().and_then(|keeping| keeping.cut.clone()),
            ends_for_good: self.ends_for_good(position),
            kept: kept.cloned(),
        };
        add_operator(self.scope, &node, edges, task, program, counters)
    }
}

/// A number that tells the rows that a node reads, and the columns of them, from what others read.
fn rows_read(work: &Work) -> u64 {
    let read = |input: &PhysicalInput| {
        let mut columns = input.columns.clone();
        columns.sort_unstable();
        (input.node, columns)
    };
    let read: Vec<_> = work.inputs().iter().map(read).collect();
    BuildHasherDefault::<DefaultHasher>::default().hash_one(read)
}

/// Passes batches on.
struct Pass;

impl Task for Pass {
    fn absorb(&mut self, _input: usize, batch: Batch, output: &mut Output) -> Result<(), EngineError> {
        output.push(batch);
        Ok(())
    }

    fn is_stateless(&self) -> bool {
        true
    }

    fn save(&mut self, _saved: &mut Saved) {
        // It has no state.
    }

    fn restore(&mut self, table: u16, _rows: Batch, _owners: &[Key]) -> Result<(), EngineError> {
        Err(no_table(table))
    }
}
