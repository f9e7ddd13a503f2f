//! Runs a plan.

mod error_log;
mod streams;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use towpath_cluster::{Declared, Peer};
use towpath_types::Time;

use crate::clock::{Clock, SystemClock};
use crate::cluster::{Cluster, Connections, Lines, Orders, Told, gone};
use crate::dataflow::{Ledger, LostWire, Network, Shared, SourceTimes, Workers, start_workers};
use crate::error::{EngineError, ErrorKind, Origin, PlanError};
use crate::fingerprint::Description;
use crate::live_errors::LiveErrors;
use crate::monitor::{Counts, Part, Statistics, Watched};
use crate::operator::{ErrorLog, Reporter};
use crate::physical::{PhysicalNode, PhysicalPlan, Work};
use crate::plan::{NodeId, Plan};
use crate::source::{Commits, Division, ErrorRows, Readers, SourceContext, SourceStream, Team};

use error_log::{AsideLog, RunLog, SourceLog};
use streams::{Sources, divide, watch};

/// How to run a plan.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// How many worker threads.
    pub workers: usize,
    /// Whether the first row that fails ends the run; otherwise failures flow on as errors and are logged.
    pub terminate_on_error: bool,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The time of the first commits; the time of day at the start if there is none. That of the first process holds
    /// in all.
    pub start: Option<Time>,
    /// Whether every node runs that is no output, or only those that an output needs.
    pub everything: bool,
    /// The outputs that run; all of the plan's if there is none.
    pub outputs: Option<Vec<NodeId>>,
    /// The other processes of the run, if there are any; each has as many workers.
    pub cluster: Option<Cluster>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            workers: 1,
            terminate_on_error: true,
            clock: Arc::new(SystemClock),
            start: None,
            everything: false,
            outputs: None,
            cluster: None,
        }
    }
}

/// Makes sure that no output writes to what a source reads, before anything is opened: an output begins with an empty
/// file, and what it wrote to a folder that is followed would be read again.
fn check_that_no_output_is_read(plan: &PhysicalPlan) -> Result<(), EngineError> {
    let at = |origin: Option<&Origin>| origin.map_or_else(String::new, |origin| format!(" ({origin})"));
    for sink in &plan.nodes {
        let Work::Operator { operator, .. } = &sink.work else {
            continue;
        };
        let Some(path) = operator.writes() else {
            continue;
        };
        for other in &plan.nodes {
            if let Work::Source { source, .. } = &other.work
                && source.may_read(&path)
            {
                let message = format!(
                    "{} would write to {}, which {}{} reads: what is there would be lost, or what is written would be \
                     read again. Write to another file, outside of folders that are read",
                    operator.label(),
                    path.display(),
                    source.name(),
                    at(other.origin.as_ref()),
                );
                return Err(EngineError::new(ErrorKind::Value, message).at(sink.origin.as_ref()));
            }
        }
    }
    Ok(())
}

/// What all processes of a run have to have in common.
fn program(plan: &Plan, options: &RunOptions) -> Vec<Declared> {
    let mut settings = Description::default();
    settings.set("terminate_on_error", options.terminate_on_error);
    settings.set("runs every table", options.everything);
    let mut program = plan.fingerprint();
    for output in options.outputs.as_ref().unwrap_or(&plan.outputs) {
        program.set(*output, "is part of the run", true);
    }
    program
        .declared
        .insert(0, settings.declared("the run".to_owned(), None));
    program.declared
}

/// Meets the other processes, if there are any, and agrees with them on how the sources are read, which the first says.
fn agree(
    plan: &Plan,
    physical: &PhysicalPlan,
    options: &RunOptions,
    team: Team,
) -> Result<(Vec<Peer>, Orders), EngineError> {
    let mut orders = Orders {
        start: options.start.unwrap_or_else(|| options.clock.time()) & !1,
        ..Orders::default()
    };
    let Some(cluster) = &options.cluster else {
        check_that_no_output_is_read(physical)?;
        orders.divisions = divide(physical, team)?;
        return Ok((Vec::new(), orders));
    };
    let program = program(plan, options);
    if cluster.process == 0 {
        match check_that_no_output_is_read(physical).and_then(|()| divide(physical, team)) {
            Ok(divisions) => orders.divisions = divisions,
            Err(error) => {
                // The others hear of it when they have come; if they do not, this is still what has failed.
                orders.failure = Some(error.message.clone());
                drop(cluster.connect(&program, team.threads, orders));
                return Err(error);
            }
        }
    }
    let (peers, orders) = cluster.connect(&program, team.threads, orders)?;
    if let Some(message) = &orders.failure {
        let message = format!("process 0 has failed: {message}");
        tracing::error!(target: "pathway", "{message}; this process ends with it");
        return Err(EngineError::new(ErrorKind::Process, message));
    }
    Ok((peers, orders))
}

/// Whether several processes read a source that goes on.
fn is_followed_elsewhere(plan: &PhysicalPlan, orders: &Orders) -> bool {
    let is_streaming = |node: &PhysicalNode| matches!(&node.work, Work::Source { source, .. } if matches!(source.commits(), Commits::Streaming(_)));
    let is_divided = |division: &Division| division.streams > 1 && division.readers == Readers::All;
    let mut divided = orders.divisions.iter().filter(|(_, division)| is_divided(division));
    divided.any(|(place, _)| is_streaming(&plan.nodes[*place]))
}

/// What this process has done of each node.
fn counts(shared: &Shared) -> Vec<Counts> {
    let watched = shared.watched.iter();
    watched.map(|watched| watched.statistics().all).collect()
}

#[derive(Default)]
struct Finish {
    result: Mutex<Option<Result<(), EngineError>>>,
    changed: Condvar,
}

/// A plan that is running. Dropping it aborts the run.
pub struct Run {
    shared: Arc<Shared>,
    finish: Arc<Finish>,
    sources: Arc<Sources>,
    lines: Arc<Lines>,
    counted: Arc<Mutex<Counted>>,
    /// When the first process was told last what this one has done.
    told: Mutex<Instant>,
    thread: Option<JoinHandle<()>>,
}

/// What other processes may ask of a run.
struct Asked {
    sources: Arc<Sources>,
    ledger: Arc<Ledger>,
    times: Arc<SourceTimes>,
    counts: Arc<Mutex<Counted>>,
}

/// What other processes have done of each node, as far as the first has heard.
type Counted = BTreeMap<usize, Vec<Counts>>;

impl Told for Asked {
    fn counted(&self, process: usize, counts: Vec<Counts>) {
        self.counts.lock().insert(process, counts);
    }

    fn stop(&self) {
        self.sources.stop();
    }

    fn were_taken(&self, counts: &[(u64, u64)]) {
        self.ledger.were_taken(counts);
    }

    fn opened(&self, time: Time, presses: bool) {
        self.times.opened_elsewhere(time, presses);
    }
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Run({} nodes)", self.shared.watched.len())
    }
}

impl Run {
    /// Starts a plan. The threads it makes end when the run does.
    ///
    /// # Errors
    /// If two connectors share a name, or a source or worker cannot start.
    pub fn start(plan: &Plan, options: RunOptions) -> Result<Run, EngineError> {
        let outputs = options.outputs.as_ref().unwrap_or(&plan.outputs);
        let roots: Vec<NodeId> = if options.everything {
            let is_left_out = |node: &NodeId| plan.outputs.contains(node) && !outputs.contains(node);
            (0..plan.nodes.len())
                .map(NodeId)
                .filter(|node| !is_left_out(node))
                .collect()
        } else {
            outputs.clone()
        };
        let physical = PhysicalPlan::lower(plan, &roots, options.everything, !options.terminate_on_error);
        let process = options.cluster.as_ref().map_or(0, |cluster| cluster.process);
        let team = Team {
            processes: options.cluster.as_ref().map_or(1, |cluster| cluster.addresses.len()),
            threads: options.workers.max(1),
        };
        let (peers, orders) = agree(plan, &physical, &options, team)?;
        let is_output = |node: &PhysicalNode| roots.contains(&node.id) && !options.everything;
        let watched: Vec<Watched> = physical
            .nodes
            .iter()
            .enumerate()
            .map(|(place, node)| {
                let division = orders.divisions.get(&place);
                watch(node, is_output(node), division, team, process)
            })
            .collect();
        let lines = Arc::new(Lines::default());
        let is_failed = Arc::new(AtomicBool::new(false));
        let log = Arc::new(RunLog {
            terminate: options.terminate_on_error,
            is_failed: Arc::clone(&is_failed),
            rows: Arc::new(ErrorRows::new(process)),
            live: LiveErrors::default(),
        });
        let is_read_elsewhere = team.processes > 1 && is_followed_elsewhere(&physical, &orders);
        let times = Arc::new(SourceTimes::new(is_read_elsewhere.then(|| Arc::clone(&lines))));
        let errors: [Arc<dyn ErrorLog>; 2] = [log.clone(), Arc::new(AsideLog(Arc::clone(&log)))];
        let shared = Arc::new(Shared::new(
            physical,
            watched,
            (team, process),
            Arc::clone(&times),
            Arc::clone(&options.clock),
            orders.start,
            errors,
            is_failed,
            Arc::clone(&lines),
        ));
        for queue in shared.queues() {
            let shared = Arc::downgrade(&shared);
            queue.on_failure(move |error| {
                if let Some(shared) = shared.upgrade() {
                    shared.end_soon(error);
                }
            });
        }
        let sources = Arc::new(Sources::default());
        let counted = Arc::new(Mutex::default());
        let mut network = None;
        let mut connections = None;
        if let Some(cluster) = &options.cluster {
            let asked: Arc<dyn Told> = Arc::new(Asked {
                sources: Arc::clone(&sources),
                ledger: Arc::clone(&shared.ledger),
                times,
                counts: Arc::clone(&counted),
            });
            let (opened, channels) = Connections::open(peers, &lines, &shared, &asked, cluster.silence)?;
            connections = Some(opened);
            let weak = Arc::downgrade(&shared);
            let addresses = cluster.addresses.clone();
            let lost = LostWire(Arc::new(move |process, reason| {
                if let Some(shared) = weak.upgrade() {
                    let message = gone(process, &addresses[process], reason);
                    shared.fail(EngineError::new(ErrorKind::Runtime, message));
                }
            }));
            network = Some(Network {
                process: cluster.process,
                channels,
                lost,
            });
        }
        let guards = match start_workers(&shared, team.threads, network) {
            Ok(guards) => guards,
            Err(error) => {
                let error = EngineError::new(ErrorKind::Runtime, format!("the workers did not start: {error}"));
                // Those that did start end, and so do the other processes.
                shared.fail(error.clone());
                if let Some(connections) = connections {
                    connections.close(true);
                }
                return Err(error);
            }
        };
        let run = Run {
            finish: Arc::default(),
            sources,
            lines,
            counted,
            told: Mutex::new(Instant::now()),
            thread: None,
            shared,
        };
        run.start_sources(&log, &orders);
        run.supervise(guards, connections)
    }

    fn start_sources(&self, log: &Arc<RunLog>, orders: &Orders) {
        let nodes = self.shared.plan.nodes.iter().zip(&self.shared.watched).enumerate();
        // Those that the run feeds are there before what feeds them.
        let (fed, others): (Vec<_>, Vec<_>) = nodes.partition(|(_, (node, _))| node.ends_after.is_some());
        for (place, (node, watched)) in fed.into_iter().chain(others) {
            let (Work::Source { source, columns }, Some(division)) = (&node.work, orders.divisions.get(&place)) else {
                continue;
            };
            let stream = |part: &Part| {
                Some(SourceStream {
                    number: part.stream,
                    queue: Arc::clone(part.queue.as_ref()?),
                })
            };
            let streams: Vec<SourceStream> = watched.parts.iter().filter_map(stream).collect();
            if streams.is_empty() {
                source.is_read_elsewhere(self.shared.process);
                continue;
            }
            let context = SourceContext {
                columns: columns.clone(),
                streams,
                manifest: division.manifest.clone(),
                process: self.shared.process,
                team: self.shared.team,
                reporter: Reporter::new(node.id.0, node.origin.clone(), Arc::new(SourceLog(Arc::clone(log)))),
                errors: Arc::clone(&log.rows),
                clock: Arc::clone(&self.shared.clock),
                keeps_bad_rows: !log.terminate,
            };
            match source.start(context) {
                Ok(handle) => {
                    let queues = watched.parts.iter().filter_map(|part| part.queue.clone()).collect();
                    self.sources.add(source.name(), handle, queues);
                }
                Err(error) => self.shared.fail(error.at(node.origin.as_ref())),
            }
        }
    }

    /// Waits for the workers in a thread of its own.
    fn supervise(mut self, workers: Workers, connections: Option<Connections>) -> Result<Run, EngineError> {
        let (shared, finish, sources, lines) = (
            Arc::clone(&self.shared),
            Arc::clone(&self.finish),
            Arc::clone(&self.sources),
            Arc::clone(&self.lines),
        );
        let wait = move || {
            let (panicked, connected) = workers.join();
            shared.end_patience();
            for queue in shared.queues() {
                queue.stop();
            }
            sources.join();
            if shared.process > 0 {
                lines.counted(counts(&shared));
            }
            if let (Some(connected), Some(connections)) = (connected, connections) {
                let has_failed = panicked || shared.is_failed();
                connected.close(has_failed);
                connections.close(has_failed);
            }
            let failure = shared.take_failure().or_else(|| {
                panicked.then(|| EngineError::new(ErrorKind::Runtime, "a worker ended unexpectedly, please report it"))
            });
            *finish.result.lock() = Some(failure.map_or(Ok(()), Err));
            finish.changed.notify_all();
        };
        let thread = std::thread::Builder::new()
            .name("pathway-run".to_owned())
            .spawn(wait)
            .map_err(|error| EngineError::os("the run's thread did not start", &error))?;
        self.thread = Some(thread);
        Ok(self)
    }

    /// Waits for the end, at most for `timeout`; `None` if it has not come.
    pub fn wait(&self, timeout: Option<Duration>) -> Option<Result<(), EngineError>> {
        self.tell_counts();
        let mut result = self.finish.result.lock();
        if result.is_none() {
            match timeout {
                Some(timeout) => drop(self.finish.changed.wait_for(&mut result, timeout)),
                None => self.finish.changed.wait_while(&mut result, |result| result.is_none()),
            }
        }
        result.clone()
    }

    /// What the run has failed with, though threads of it may still be in functions of the user.
    pub fn failure(&self) -> Option<EngineError> {
        match &*self.finish.result.lock() {
            Some(result) => result.clone().err(),
            None => self.shared.failure(),
        }
    }

    /// Tells the first process what this one has done, not more often than people can read.
    fn tell_counts(&self) {
        let mut told = self.told.lock();
        if self.shared.process > 0 && told.elapsed() >= Duration::from_millis(250) {
            *told = Instant::now();
            self.lines.counted(counts(&self.shared));
        }
    }

    /// Asks all sources to end, so that the run ends when what they have committed is complete. Waits for none.
    pub fn stop(&self) {
        self.sources.stop();
        self.lines.stop();
    }

    /// Ends the run at once with an error.
    pub fn abort(&self, error: EngineError) {
        self.shared.fail(error);
    }

    /// What every node has done so far, in the order of the plan.
    pub fn statistics(&self) -> Vec<Statistics> {
        let mut statistics: Vec<Statistics> = self.shared.watched.iter().map(Watched::statistics).collect();
        for counts in self.counted.lock().values() {
            for (node, counts) in statistics.iter_mut().zip(counts) {
                node.all = node.all.and(*counts);
            }
        }
        statistics
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.wait(Some(Duration::ZERO)).is_none() {
            self.abort(EngineError::new(ErrorKind::Runtime, "the run was abandoned"));
        }
        if let Some(thread) = self.thread.take() {
            // It reports its failures in the result.
            drop(thread.join());
        }
    }
}

/// Runs a plan to its end.
///
/// # Errors
/// What ended the run.
pub fn run(plan: &Plan, options: RunOptions) -> Result<(), EngineError> {
    Run::start(plan, options)?.wait(None).unwrap_or(Ok(()))
}

impl From<PlanError> for EngineError {
    fn from(error: PlanError) -> Self {
        EngineError::new(error.kind, error.message)
    }
}
