//! Runs a plan.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use towpath_types::{Batch, Column, DType, Key, Time, Value};

use crate::clock::{Clock, SystemClock};
use crate::cluster::{Cluster, Connections, Lines, Told};
use crate::dataflow::{LostWire, Network, Shared, Workers, start_workers};
use crate::error::{EngineError, ErrorKind, Origin, PlanError, RowError};
use crate::monitor::{Counters, Role, Statistics, Watched};
use crate::operator::{ErrorLog, Reporter};
use crate::physical::{PhysicalPlan, Work};
use crate::plan::{NodeId, Plan};
use crate::source::{Commits, Limits, Source, SourceContext, SourceHandle, SourceQueue};

/// How to run a plan.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// How many worker threads.
    pub workers: usize,
    /// Whether the first row that fails ends the run; otherwise failures flow on as errors and are logged.
    pub terminate_on_error: bool,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The time of the first commits; the time of day at the start if there is none.
    pub start: Option<Time>,
    /// Whether every node runs, or only those that an output needs.
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

/// The error log of a run: logs or ends the run, and feeds the tables of errors.
struct RunLog {
    terminate: bool,
    is_failed: Arc<AtomicBool>,
    /// The tables of errors: where their rows go, and which of the columns.
    tables: Vec<(Arc<SourceQueue>, Vec<usize>)>,
    reported: AtomicU64,
    /// The first process has the tables of errors.
    lines: Arc<Lines>,
}

impl RunLog {
    /// Adds a row to the tables of errors.
    fn record(&self, operator: usize, origin: Option<&Origin>, error: &RowError) {
        if !self.lines.row_failed(operator, origin, error) {
            self.record_row(
                operator,
                &error.message,
                &origin.map_or_else(String::new, ToString::to_string),
            );
        }
    }

    fn record_row(&self, operator: usize, message: &str, trace: &str) {
        let number = self.reported.fetch_add(1, Ordering::Relaxed);
        for (queue, positions) in &self.tables {
            let columns = vec![
                Column::repeat(&Value::Int(operator as i64), &DType::Int, 1),
                Column::repeat(&Value::str(message), &DType::Str, 1),
                Column::repeat(&Value::str(trace), &DType::Str, 1),
            ];
            let batch = Batch::new(vec![Key::sequence(0x6572_726f_7273, number)], columns, None).project(positions);
            // After the end of the run nobody reads the table any more.
            let _ = queue.push(batch);
            let _ = queue.commit();
        }
    }
}

impl ErrorLog for RunLog {
    fn report(&self, operator: usize, origin: Option<&Origin>, error: RowError) -> Result<(), EngineError> {
        if self.terminate {
            return Err(EngineError::from(error).at(origin));
        }
        tracing::error!(target: "pathway", operator, "{}{}", error.message, origin.map_or_else(String::new, |origin| format!(" ({origin})")));
        self.record(operator, origin, &error);
        Ok(())
    }

    fn is_cancelled(&self) -> bool {
        self.is_failed.load(Ordering::Relaxed)
    }
}

/// Failures of rows at a source: they never end the run, and are always recorded.
struct SourceLog(Arc<RunLog>);

impl ErrorLog for SourceLog {
    fn report(&self, operator: usize, origin: Option<&Origin>, error: RowError) -> Result<(), EngineError> {
        self.0.record(operator, origin, &error);
        Ok(())
    }
}

/// The table of a run's own errors: `operator_id: int`, `message: str`, `trace: str`.
#[derive(Clone, Copy, Debug)]
pub struct ErrorTable;

struct NothingToStop;

impl SourceHandle for NothingToStop {
    fn stop(&self) {}

    fn join(self: Box<Self>) {}
}

impl Source for ErrorTable {
    fn name(&self) -> String {
        "error log".to_owned()
    }

    fn columns(&self) -> Vec<DType> {
        vec![DType::Int, DType::Str, DType::Str]
    }

    fn is_append_only(&self) -> bool {
        true
    }

    fn has_unique_keys(&self) -> bool {
        true
    }

    fn commits(&self) -> Commits {
        Commits::Streaming(None)
    }

    fn limits(&self) -> Limits {
        Limits {
            rows: usize::MAX,
            bytes: usize::MAX,
        }
    }

    fn is_error_log(&self) -> bool {
        true
    }

    fn start(&self, _context: SourceContext) -> Result<Box<dyn SourceHandle>, EngineError> {
        Ok(Box::new(NothingToStop))
    }
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
    thread: Option<JoinHandle<()>>,
}

/// The sources of a run, all of which are read in the first process.
#[derive(Default)]
struct Sources {
    handles: Mutex<Vec<Box<dyn SourceHandle>>>,
    stopped: AtomicBool,
}

impl Sources {
    fn add(&self, handle: Box<dyn SourceHandle>) {
        let mut handles = self.handles.lock();
        if self.stopped.load(Ordering::Acquire) {
            handle.stop();
        }
        handles.push(handle);
    }

    fn stop(&self) {
        let handles = self.handles.lock();
        if !self.stopped.swap(true, Ordering::AcqRel) {
            handles.iter().for_each(|handle| handle.stop());
        }
    }

    /// Waits for all of them at once: each may take its time to end.
    fn join(&self) {
        let handles = std::mem::take(&mut *self.handles.lock());
        std::thread::scope(|scope| {
            for handle in handles {
                scope.spawn(move || handle.join());
            }
        });
    }
}

/// What other processes may ask of a run.
struct Asked {
    sources: Arc<Sources>,
    log: Arc<RunLog>,
}

impl Told for Asked {
    fn stop(&self) {
        self.sources.stop();
    }

    fn row_failed(&self, operator: usize, message: &str, trace: &str) {
        self.log.record_row(operator, message, trace);
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
        let roots: Vec<NodeId> = if options.everything {
            (0..plan.nodes.len()).map(NodeId).collect()
        } else {
            options.outputs.clone().unwrap_or_else(|| plan.outputs.clone())
        };
        let physical = PhysicalPlan::lower(plan, &roots);
        let mut watched = Vec::new();
        for node in &physical.nodes {
            let (name, role, queue) = match &node.work {
                Work::Source { source, .. } => (
                    source.name(),
                    Role::Source,
                    Some(Arc::new(SourceQueue::new(source.limits()))),
                ),
                Work::Pass(_) => ("filter".to_owned(), Role::Operator, None),
                Work::Operator { operator, .. } if roots.contains(&node.id) && !options.everything => {
                    (operator.label(), Role::Sink, None)
                }
                Work::Operator { operator, .. } => (operator.label(), Role::Operator, None),
            };
            watched.push(Watched {
                name,
                role,
                counters: Arc::new(Counters::default()),
                queue,
            });
        }
        let mut error_logs = Vec::new();
        for (node, watched) in physical.nodes.iter().zip(&watched) {
            if let (Work::Source { source, columns }, Some(queue)) = (&node.work, &watched.queue)
                && source.is_error_log()
            {
                error_logs.push((Arc::clone(queue), columns.clone()));
            }
        }
        let workers = options.workers.max(1);
        let peers = match &options.cluster {
            Some(cluster) => cluster.connect(plan, workers)?,
            None => Vec::new(),
        };
        let lines = Arc::new(Lines::default());
        let is_failed = Arc::new(AtomicBool::new(false));
        let log = Arc::new(RunLog {
            terminate: options.terminate_on_error,
            is_failed: Arc::clone(&is_failed),
            tables: error_logs,
            reported: AtomicU64::new(0),
            lines: Arc::clone(&lines),
        });
        let start = options.start.unwrap_or_else(|| options.clock.time()) & !1;
        let errors: Arc<dyn ErrorLog> = log.clone();
        let shared = Arc::new(Shared::new(
            physical,
            watched,
            Arc::clone(&options.clock),
            start,
            errors,
            is_failed,
            Arc::clone(&lines),
        ));
        let sources = Arc::new(Sources::default());
        let mut network = None;
        let mut connections = None;
        if let Some(cluster) = &options.cluster {
            let asked: Arc<dyn Told> = Arc::new(Asked {
                sources: Arc::clone(&sources),
                log: Arc::clone(&log),
            });
            let (opened, sockets) = Connections::open(peers, &lines, &shared, &asked)?;
            connections = Some(opened);
            let weak = Arc::downgrade(&shared);
            let lost = LostWire(Arc::new(move || {
                if let Some(shared) = weak.upgrade() {
                    let message = "a connection to another process has ended too early";
                    shared.fail(EngineError::new(ErrorKind::Runtime, message));
                }
            }));
            network = Some(Network {
                process: cluster.process,
                sockets,
                lost,
            });
        }
        let guards = start_workers(&shared, workers, network)
            .map_err(|error| EngineError::new(ErrorKind::Runtime, format!("the workers did not start: {error}")))?;
        let run = Run {
            finish: Arc::default(),
            sources,
            lines,
            thread: None,
            shared,
        };
        if options.cluster.as_ref().is_none_or(|cluster| cluster.process == 0) {
            run.start_sources(&log);
        }
        run.supervise(guards, connections)
    }

    fn start_sources(&self, log: &Arc<RunLog>) {
        for (node, watched) in self.shared.plan.nodes.iter().zip(&self.shared.watched) {
            let (Work::Source { source, columns }, Some(queue)) = (&node.work, &watched.queue) else {
                continue;
            };
            let context = SourceContext {
                columns: columns.clone(),
                queue: Arc::clone(queue),
                reporter: Reporter::new(node.id.0, node.origin.clone(), Arc::new(SourceLog(Arc::clone(log)))),
                clock: Arc::clone(&self.shared.clock),
                keeps_bad_rows: !log.terminate,
            };
            match source.start(context) {
                Ok(handle) => self.sources.add(handle),
                Err(error) => self.shared.fail(error.at(node.origin.as_ref())),
            }
        }
    }

    /// Waits for the workers in a thread of its own.
    fn supervise(mut self, workers: Workers, connections: Option<Connections>) -> Result<Run, EngineError> {
        let (shared, finish, sources) = (
            Arc::clone(&self.shared),
            Arc::clone(&self.finish),
            Arc::clone(&self.sources),
        );
        let wait = move || {
            let (panicked, connected) = workers.join();
            for queue in shared.queues() {
                queue.stop();
            }
            sources.join();
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
        let mut result = self.finish.result.lock();
        if result.is_none() {
            match timeout {
                Some(timeout) => drop(self.finish.changed.wait_for(&mut result, timeout)),
                None => self.finish.changed.wait_while(&mut result, |result| result.is_none()),
            }
        }
        result.clone()
    }

    /// Asks all sources to end, so that the run ends when what they have committed is complete.
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
        self.shared.watched.iter().map(Watched::statistics).collect()
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
