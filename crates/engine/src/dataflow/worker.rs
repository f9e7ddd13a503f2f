//! The threads of a run: each builds the same dataflow and turns it until it ends or fails.

use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use timely::communication::WorkerGuards;
use timely::dataflow::Stream;
use timely::dataflow::operators::probe::{Handle, Probe};
use timely::scheduling::SyncActivator;
use timely::worker::Worker;
use towpath_types::Time;

use super::edges::Edge;
use super::exchange::Parcel;
use super::network::{Connected, Network};
use super::on_the_way::Ledger;
use super::operators::add_operator;
use super::sources::{Reading, add_source};
use super::times::SourceTimes;
use crate::clock::Clock;
use crate::cluster::Lines;
use crate::error::{EngineError, ErrorKind};
use crate::monitor::{Part, Role, Watched, count_returned};
use crate::operator::{ErrorLog, Output, Reporter, Routing, Task, TaskContext};
use crate::physical::{EndsAfter, PhysicalInput, PhysicalNode, PhysicalPlan, Work};
use crate::program::RunningProgram;
use crate::source::{Commits, SourceQueue, Team};

/// What the workers of a run share.
pub(crate) struct Shared {
    pub(crate) plan: PhysicalPlan,
    /// For every node: what is watched, and the streams of a source that are read here.
    pub(crate) watched: Vec<Watched>,
    pub(crate) team: Team,
    /// The number of this process.
    pub(crate) process: usize,
    /// What the streams of all sources know of each other.
    pub(crate) times: Arc<SourceTimes>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) start: Time,
    /// Where failures go, and where those of what is computed from the tables of errors.
    pub(crate) logs: [Arc<dyn ErrorLog>; 2],
    /// Where the other processes hear of a failure.
    lines: Arc<Lines>,
    /// What rows are on their way to other processes, and from them.
    pub(crate) ledger: Arc<Ledger>,
    /// What ended the run; the first counts.
    failure: Mutex<Option<EngineError>>,
    is_failed: Arc<AtomicBool>,
    /// Whether a stream has failed, or the end of an output, and the run ends when what was committed is complete.
    is_ending: AtomicBool,
    /// The thread that waits for this, if there is one.
    patience: Mutex<Option<JoinHandle<()>>>,
    /// Whether the workers have ended.
    is_over: AtomicBool,
    /// How often the outputs have come further, as this process has seen it.
    moves: AtomicU64,
    wakers: Mutex<Vec<SyncActivator>>,
}

impl Shared {
    #[expect(clippy::too_many_arguments, reason = "called once, with all that workers share")]
    pub(crate) fn new(
        plan: PhysicalPlan,
        watched: Vec<Watched>,
        (team, process): (Team, usize),
        times: Arc<SourceTimes>,
        clock: Arc<dyn Clock>,
        start: Time,
        logs: [Arc<dyn ErrorLog>; 2],
        is_failed: Arc<AtomicBool>,
        lines: Arc<Lines>,
    ) -> Self {
        Self {
            plan,
            watched,
            team,
            process,
            times,
            clock,
            start,
            logs,
            ledger: Arc::new(Ledger::new(process, team.processes, Arc::clone(&lines))),
            lines,
            failure: Mutex::new(None),
            is_failed,
            is_ending: AtomicBool::new(false),
            patience: Mutex::default(),
            is_over: AtomicBool::new(false),
            moves: AtomicU64::new(0),
            wakers: Mutex::default(),
        }
    }

    /// A stream, or the end of an output, has failed with this error. The run ends soon, also while the workers that
    /// should see to it are inside functions of the user's, or other processes hold up what was committed before.
    pub(crate) fn end_soon(self: &Arc<Self>, error: &EngineError) {
        if self.is_ending.swap(true, Ordering::AcqRel) {
            return;
        }
        let is_alone = self.team.processes == 1;
        let patience = if is_alone { PATIENCE_ALONE } else { PATIENCE };
        let watch = {
            let (shared, error) = (Arc::downgrade(self), error.clone());
            move || {
                let (mut moves, mut since) = (0, Instant::now());
                while let Some(shared) = shared.upgrade()
                    && !shared.is_failed()
                    && !shared.is_over.load(Ordering::Acquire)
                {
                    let mut seen = shared.moves.load(Ordering::Relaxed);
                    if is_alone {
                        seen += shared.rows_moved() + count_returned();
                    }
                    if seen != moves {
                        (moves, since) = (seen, Instant::now());
                    }
                    if since.elapsed() >= patience {
                        return shared.fail(error);
                    }
                    drop(shared);
                    std::thread::park_timeout(LOOK);
                }
            }
        };
        let mut patience = self.patience.lock();
        if self.is_over.load(Ordering::Acquire) {
            return;
        }
        let thread = std::thread::Builder::new().name("pathway-patience".to_owned());
        match thread.spawn(watch) {
            Ok(thread) => *patience = Some(thread),
            Err(_) => self.fail(error.clone()),
        }
    }

    /// The workers have ended: nobody waits for a failure any more. What failed, which may hold objects of the user's,
    /// is given back before the run is over.
    pub(crate) fn end_patience(&self) {
        let thread = {
            let mut patience = self.patience.lock();
            self.is_over.store(true, Ordering::Release);
            patience.take()
        };
        if let Some(thread) = thread {
            thread.thread().unpark();
            // It has nothing to say but the failure.
            drop(thread.join());
        }
    }

    /// How many rows came into and out of the nodes of this process.
    fn rows_moved(&self) -> u64 {
        let counts = self.watched.iter().map(|watched| watched.statistics().all);
        counts.map(|counts| counts.rows_in + counts.rows_out).sum()
    }

    /// Ends the run at once.
    pub(crate) fn fail(&self, error: EngineError) {
        {
            let mut failure = self.failure.lock();
            if failure.is_none() {
                // It is only queued: the others hear of it while this process ends.
                self.lines.failed(&error);
                *failure = Some(error);
            }
        }
        self.is_failed.store(true, Ordering::Release);
        for queue in self.queues() {
            queue.stop();
        }
        for waker in self.wakers.lock().iter() {
            // A worker that is gone needs no waking.
            let _ = waker.activate();
        }
    }

    pub(crate) fn is_failed(&self) -> bool {
        self.is_failed.load(Ordering::Acquire)
    }

    pub(crate) fn failure(&self) -> Option<EngineError> {
        self.failure.lock().clone()
    }

    pub(crate) fn take_failure(&self) -> Option<EngineError> {
        self.failure.lock().take()
    }

    pub(crate) fn queues(&self) -> impl Iterator<Item = &Arc<SourceQueue>> {
        let parts = self.watched.iter().flat_map(|watched| &watched.parts);
        parts.filter_map(|part| part.queue.as_ref())
    }
}

/// How the operators of one worker end the run.
pub(crate) struct Failures {
    shared: Arc<Shared>,
    /// A stream, or the end of an output, has failed; what was committed before is still completed.
    after_commits: RefCell<Option<AfterCommits>>,
}

/// The end of a run that waits for what was committed before.
struct AfterCommits {
    error: EngineError,
    /// How much every queue of this process had received.
    received: Vec<u64>,
    /// When all of that had been read: the time before which commits that a timer would close are closed, since they
    /// hold up what others have committed since.
    pressed: Option<Time>,
    /// When they were closed: the earliest time that was still open.
    open: Option<Time>,
}

/// How often a worker looks whether what was committed is complete.
const LOOK: Duration = Duration::from_millis(20);

/// How long a run of several processes waits when the outputs do not come further.
const PATIENCE: Duration = Duration::from_millis(1500);

/// How long a run of one process waits when nothing comes further and no function returns.
const PATIENCE_ALONE: Duration = Duration::from_secs(5);

impl Failures {
    pub(crate) fn is_failed(&self) -> bool {
        self.shared.is_failed()
    }

    pub(super) fn ledger(&self) -> &Arc<Ledger> {
        &self.shared.ledger
    }

    pub(crate) fn fail(&self, error: EngineError) {
        self.shared.fail(error);
    }

    /// Ends the run when what was committed before has been completed.
    pub(crate) fn fail_after_commits(&self, error: EngineError) {
        self.shared.end_soon(&error);
        self.after_commits.borrow_mut().get_or_insert_with(|| AfterCommits {
            error,
            received: self.shared.queues().map(|queue| queue.received()).collect(),
            pressed: None,
            open: None,
        });
    }

    /// Ends the run if what was committed before the failure of a stream is complete, or the worker `has_ended`;
    /// `frontier` is how far the outputs are. Whether there was such a failure.
    fn settle(&self, frontier: Option<Time>, has_ended: bool) -> bool {
        let mut after_commits = self.after_commits.borrow_mut();
        let Some(waiting) = &mut *after_commits else {
            return false;
        };
        if (has_ended || self.is_complete(waiting, frontier))
            && let Some(waiting) = after_commits.take()
        {
            self.shared.fail(waiting.error);
        }
        true
    }

    /// Whether what was committed before the failure is complete, as far as this process can tell.
    fn is_complete(&self, waiting: &mut AfterCommits, frontier: Option<Time>) -> bool {
        let times = &self.shared.times;
        // Another worker may not have read yet what was committed.
        let mut queues = self.shared.queues().zip(&waiting.received);
        if waiting.pressed.is_none() && queues.all(|(queue, received)| queue.has_handled(*received)) {
            waiting.pressed = Some(times.press());
        }
        if !waiting.pressed.is_some_and(|pressed| times.have_answered(pressed)) {
            return false;
        }
        let earliest = times.earliest().unwrap_or(Time::MAX);
        // Streams go on, and what they commit from now on is not waited for.
        let open = earliest.min(*waiting.open.get_or_insert(earliest));
        frontier.is_none_or(|frontier| frontier >= open)
    }
}

/// The workers of this process, and what connects them with those of others.
pub(crate) struct Workers {
    guards: WorkerGuards<()>,
    connected: Option<Connected>,
}

impl Workers {
    /// Waits until they have ended; whether one did so unexpectedly.
    pub(crate) fn join(self) -> (bool, Option<Connected>) {
        let has_panicked = self.guards.join().into_iter().any(|worker| worker.is_err());
        (has_panicked, self.connected)
    }
}

/// Starts the workers of this process; each runs until the dataflow ends or fails.
pub(crate) fn start_workers(shared: &Arc<Shared>, workers: usize, network: Option<Network>) -> Result<Workers, String> {
    let run = {
        let shared = Arc::clone(shared);
        move |worker: &mut Worker| run_worker(worker, &shared)
    };
    let (guards, connected) = match network {
        Some(network) => {
            let (builders, connected) = network.start(workers).map_err(|error| error.to_string())?;
            let config = timely::WorkerConfig::default();
            match timely::execute::execute_from(builders, Box::new(()), config, run) {
                Ok(guards) => (guards, Some(connected)),
                Err(error) => {
                    connected.abandon();
                    return Err(error);
                }
            }
        }
        None if workers == 1 => (timely::execute(timely::Config::thread(), run)?, None),
        None => (timely::execute(timely::Config::process(workers), run)?, None),
    };
    Ok(Workers { guards, connected })
}

fn run_worker(worker: &mut Worker, shared: &Arc<Shared>) {
    SourceQueue::never_wait_here();
    let failures = Rc::new(Failures {
        shared: Arc::clone(shared),
        after_commits: RefCell::new(None),
    });
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| turn(worker, shared, &failures)));
    if let Err(panic) = outcome {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default();
        shared.fail(EngineError::new(
            ErrorKind::Runtime,
            format!("a fault in the engine itself, please report it: {text}"),
        ));
    }
    if shared.is_failed() {
        for dataflow in worker.installed_dataflows() {
            worker.drop_dataflow(dataflow);
        }
    }
}

/// What the worker watches to know how far its dataflow has come.
struct Probes {
    /// The nodes nobody reads.
    outputs: Handle<Time>,
    /// The sources that the run feeds.
    fed: Vec<Fed>,
}

/// A source that the run feeds.
struct Fed {
    ends_after: EndsAfter,
    /// Its streams in this process.
    queues: Vec<Arc<SourceQueue>>,
    /// The nodes that feed it.
    feeders: Handle<Time>,
}

impl Fed {
    /// The sources of a plan that the run feeds.
    fn all(plan: &PhysicalPlan, watched: &[Watched]) -> Vec<Self> {
        let nodes = plan.nodes.iter().zip(watched);
        let fed = nodes.filter_map(|(node, watched)| {
            Some(Self {
                ends_after: node.ends_after?,
                queues: watched.parts.iter().filter_map(|part| part.queue.clone()).collect(),
                feeders: Handle::new(),
            })
        });
        fed.collect()
    }

    /// Ends it if its feeders have ended.
    fn end(&self) -> bool {
        let has_ended = self.feeders.done();
        if has_ended {
            for queue in &self.queues {
                queue.flush();
                queue.close(Ok(()));
            }
        }
        has_ended
    }
}

fn turn(worker: &mut Worker, shared: &Arc<Shared>, failures: &Rc<Failures>) {
    let mut probes = build(worker, shared, failures);
    // One worker of each process tells its sources what is complete.
    let is_first = worker.index() == shared.process * shared.team.threads;
    let completed = Cell::new(Some(0));
    while worker.has_dataflows() && !shared.is_failed() {
        let frontier = probes.outputs.with_frontier(|frontier| frontier.first().copied());
        if is_first {
            if completed.replace(frontier) != frontier {
                shared.moves.fetch_add(1, Ordering::Relaxed);
                for queue in shared.queues() {
                    queue.completed(frontier);
                }
            }
            probes.fed.retain(|fed| !fed.end());
        }
        let is_ending = failures.settle(frontier, false);
        if shared.is_failed() {
            break;
        }
        worker.step_or_park(is_ending.then_some(LOOK));
    }
    failures.settle(None, true);
    if is_first && !shared.is_failed() {
        for queue in shared.queues() {
            queue.completed(None);
        }
    }
}

fn build(worker: &mut Worker, shared: &Arc<Shared>, failures: &Rc<Failures>) -> Probes {
    let probes = Probes {
        outputs: Handle::new(),
        fed: Fed::all(&shared.plan, &shared.watched),
    };
    let (index, peers) = (worker.index(), worker.peers());
    let threads = shared.team.threads;
    let thread = index % threads;
    let plan = &shared.plan;
    let mut readers = vec![0; plan.nodes.len()];
    for input in plan.nodes.iter().flat_map(|node| node.work.inputs()) {
        readers[input.node] += 1;
    }
    let waker = worker.dataflow::<Time, _, _>(|scope| {
        let mut streams = Vec::new();
        for (place, node) in plan.nodes.iter().enumerate() {
            let watched = &shared.watched[place];
            let log = &shared.logs[usize::from(node.after_all)];
            let mut reporter = Reporter::new(node.id.0, node.origin.clone(), Arc::clone(log));
            if watched.role == Role::Sink {
                let rows = rows_read(&node.work);
                let also = |(node, watched): (&PhysicalNode, &Watched)| {
                    watched.role == Role::Sink && rows_read(&node.work) == rows
                };
                if plan
                    .nodes
                    .iter()
                    .zip(&shared.watched)
                    .filter(|both| also(*both))
                    .count()
                    > 1
                {
                    reporter = reporter.for_output(rows);
                }
            }
            let reporter = reporter.for_rows(node.work.inputs().iter().all(|input| input.append_only));
            let program = RunningProgram::new(node.program.clone(), reporter.clone());
            let own: Vec<&Part> = watched.parts.iter().filter(|part| part.thread == thread).collect();
            let counters = || own.first().map_or_else(Arc::default, |part| Arc::clone(&part.counters));
            let stream = match &node.work {
                Work::Source { source, .. } => {
                    let reading = |part: &&Part| {
                        part.queue.as_ref().map(|queue| Reading {
                            name: watched.name.clone(),
                            queue: Arc::clone(queue),
                            counters: Arc::clone(&part.counters),
                            commits: source.commits(),
                            is_fed: node.ends_after.is_some(),
                            start: match source.commits() {
                                Commits::AtEnd | Commits::Scripted => 0,
                                Commits::Streaming(_) => shared.start,
                            },
                            clock: Arc::clone(&shared.clock),
                        })
                    };
                    let readings = own.iter().filter_map(reading).collect();
                    let (times, failures) = (&shared.times, Rc::clone(failures));
                    add_source(scope, &watched.name, readings, program, times, failures)
                }
                Work::Pass(input) => {
                    let edges = vec![edge(input, Routing::Local, threads, &streams)];
                    add_operator(
                        scope,
                        "filter",
                        edges,
                        Box::new(Pass),
                        program,
                        counters(),
                        Rc::clone(failures),
                    )
                }
                Work::Operator { operator, inputs } => {
                    let counters = counters();
                    let context = TaskContext {
                        worker: index,
                        workers: peers,
                        reporter,
                        clock: Arc::clone(&shared.clock),
                        dtypes: inputs.iter().map(|input| input.dtypes.clone()).collect(),
                        append_only: inputs.iter().map(|input| input.append_only).collect(),
                        unique_keys: inputs.iter().map(|input| input.unique_keys).collect(),
                        counters: Arc::clone(&counters),
                    };
                    let edges = inputs
                        .iter()
                        .enumerate()
                        .map(|(place, input)| Edge {
                            combiner: if peers > 1 {
                                operator.combiner(place, &context)
                            } else {
                                None
                            },
                            ..edge(input, operator.routing(place), threads, &streams)
                        })
                        .collect();
                    let task = operator.start(context).unwrap_or_else(|error| {
                        failures.fail(error.at(node.origin.as_ref()));
                        Box::new(Pass)
                    });
                    add_operator(
                        scope,
                        &watched.name,
                        edges,
                        task,
                        program,
                        counters,
                        Rc::clone(failures),
                    )
                }
            };
            let stream = if readers[place] == 0 {
                stream.probe_with(&probes.outputs)
            } else {
                stream
            };
            let fed = probes.fed.iter().filter(|fed| fed.ends_after.waits_for(place, node));
            streams.push(fed.fold(stream, |stream, fed| stream.probe_with(&fed.feeders)));
        }
        scope.worker().sync_activator_for(scope.addr().to_vec())
    });
    shared.wakers.lock().push(waker);
    probes
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

fn edge<'scope>(
    input: &PhysicalInput,
    routing: Routing,
    threads: usize,
    streams: &[Stream<'scope, Time, Parcel>],
) -> Edge<'scope> {
    Edge {
        stream: streams[input.node].clone(),
        columns: input.columns.clone(),
        names: input.names.clone(),
        routing: routing.settled(input.append_only && input.unique_keys),
        combiner: None,
        threads,
    }
}

/// Passes batches on.
struct Pass;

impl Task for Pass {
    fn absorb(&mut self, _input: usize, batch: towpath_types::Batch, output: &mut Output) -> Result<(), EngineError> {
        output.push(batch);
        Ok(())
    }

    fn is_stateless(&self) -> bool {
        true
    }
}
