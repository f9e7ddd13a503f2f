//! Runs a plan.

mod acknowledging;
mod agreement;
mod counts;
mod error_log;
mod keeping;
mod kept_parts;
mod options;
mod start;
mod streams;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use towpath_durability::State;

use self::acknowledging::Acknowledging;
use self::counts::{Heard, counts};
use self::start::Started;
use self::streams::Sources;
use crate::cluster::{Connections, Lines};
use crate::dataflow::{RunContext, Workers};
use crate::error::{EngineError, ErrorKind};
use crate::monitor::Statistics;
use crate::persistence::KeptFigures;
use crate::plan::Plan;

pub use self::options::RunOptions;

#[derive(Default)]
struct Finish {
    result: Mutex<Option<Result<(), EngineError>>>,
    changed: Condvar,
}

/// A plan that is running. Dropping it aborts the run.
pub struct Run {
    run: Arc<RunContext>,
    finish: Arc<Finish>,
    sources: Arc<Sources>,
    lines: Arc<Lines>,
    heard: Arc<Heard>,
    /// When the first process was told last what this one has done.
    told: Mutex<Instant>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Run({} nodes)", self.run.watched.len())
    }
}

impl Run {
    /// Starts a plan. The threads it makes end when the run does.
    ///
    /// # Errors
    /// If two connectors share a name, or a source or worker cannot start.
    pub fn start(plan: &Plan, options: RunOptions) -> Result<Run, EngineError> {
        let Started {
            run,
            sources,
            lines,
            heard,
            workers,
            connections,
            state,
        } = start::start(plan, options)?;
        let run = Run {
            run,
            finish: Arc::default(),
            sources,
            lines,
            heard,
            told: Mutex::new(Instant::now()),
            thread: None,
        };
        run.supervise(workers, connections, state)
    }

    /// Waits for the workers in a thread of its own.
    fn supervise(
        mut self,
        workers: Workers,
        connections: Option<Connections>,
        state: Option<State>,
    ) -> Result<Run, EngineError> {
        let (run, finish, sources, lines) = (
            Arc::clone(&self.run),
            Arc::clone(&self.finish),
            Arc::clone(&self.sources),
            Arc::clone(&self.lines),
        );
        let acknowledging = Acknowledging::start(&run, &sources)?;
        let wait = move || {
            let (panicked, connected) = workers.join();
            if let Some(keeping) = &run.keeping {
                keeping.end(!panicked && !run.ending.is_failed());
            }
            if let Some(acknowledging) = acknowledging {
                acknowledging.finish(&run);
            }
            run.ending.end_patience();
            for queue in run.ending.queues() {
                queue.stop();
            }
            sources.join();
            if run.process > 0 {
                lines.counted(counts(&run.watched));
            }
            if let (Some(connected), Some(connections)) = (connected, connections) {
                let has_failed = panicked || run.ending.is_failed();
                connected.close(has_failed);
                connections.close(has_failed);
            }
            let failure = run.ending.take_failure().or_else(|| {
                panicked.then(|| EngineError::new(ErrorKind::Runtime, "a worker ended unexpectedly, please report it"))
            });
            // From now on another run may use it.
            drop(state);
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
        if let Some(journal) = self.run.keeping.as_ref().and_then(|keeping| keeping.journal.as_ref()) {
            // The worker that should do so may be in a function of the user, which may even wait for it.
            journal.nudge();
        }
        let mut result = self.finish.result.lock();
        if result.is_none() {
            match timeout {
                Some(timeout) => drop(self.finish.changed.wait_for(&mut result, timeout)),
                None => self.finish.changed.wait_while(&mut result, |result| result.is_none()),
            }
        }
        result.clone()
    }

    /// Waits until this process has what the run reads and writes, for `timeout` at most: whether it has, `None` if nobody
    /// knows yet. If it has not, the run has failed.
    pub fn opened(&self, timeout: Duration) -> Option<bool> {
        self.run.opening.wait(timeout)
    }

    /// What the run has failed with, though threads of it may still be in functions of the user.
    pub fn failure(&self) -> Option<EngineError> {
        match &*self.finish.result.lock() {
            Some(result) => result.clone().err(),
            None => self.run.ending.failure(),
        }
    }

    /// Tells the first process what this one has done, not more often than people can read.
    fn tell_counts(&self) {
        let mut told = self.told.lock();
        if self.run.process > 0 && told.elapsed() >= Duration::from_millis(250) {
            *told = Instant::now();
            self.lines.counted(counts(&self.run.watched));
        }
    }

    /// Asks all sources to end, so that the run ends when what they have committed is complete. Waits for none.
    pub fn stop(&self) {
        self.sources.stop();
        self.lines.stop();
    }

    /// Ends the run at once with an error.
    pub fn abort(&self, error: EngineError) {
        self.run.ending.fail(error);
    }

    /// What this process has kept so far, if it keeps anything.
    pub fn kept(&self) -> Option<KeptFigures> {
        let journal = self.run.keeping.as_ref()?.journal.as_ref()?;
        Some(journal.shown())
    }

    /// What every node has done so far, in the order of the plan.
    pub fn statistics(&self) -> Vec<Statistics> {
        self.heard.statistics(&self.run.watched)
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
