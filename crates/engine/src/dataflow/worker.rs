//! The threads of a run: each builds the same dataflow and turns it until it ends or fails.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use timely::communication::WorkerGuards;
use timely::worker::Worker;

use super::RunContext;
use super::build::build;
use super::ending::LOOK;
use super::network::{Connected, Network};
use super::worker_ending::WorkerEnding;
use crate::error::{EngineError, ErrorKind};
use crate::source::SourceQueue;

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
pub(crate) fn start_workers(run: &Arc<RunContext>, network: Option<Network>) -> Result<Workers, String> {
    let workers = run.team.threads;
    let work = {
        let run = Arc::clone(run);
        move |worker: &mut Worker| run_worker(worker, &run)
    };
    let (guards, connected) = match network {
        Some(network) => {
            let (builders, connected) = network.start(workers).map_err(|error| error.to_string())?;
            let config = timely::WorkerConfig::default();
            match timely::execute::execute_from(builders, Box::new(()), config, work) {
                Ok(guards) => (guards, Some(connected)),
                Err(error) => {
                    connected.abandon();
                    return Err(error);
                }
            }
        }
        None if workers == 1 => (timely::execute(timely::Config::thread(), work)?, None),
        None => (timely::execute(timely::Config::process(workers), work)?, None),
    };
    Ok(Workers { guards, connected })
}

fn run_worker(worker: &mut Worker, run: &RunContext) {
    SourceQueue::never_wait_here();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| turn(worker, run)));
    if let Err(panic) = outcome {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default();
        run.ending.fail(EngineError::new(
            ErrorKind::Runtime,
            format!("a fault in the engine itself, please report it: {text}"),
        ));
    }
    if run.ending.is_failed() {
        for dataflow in worker.installed_dataflows() {
            worker.drop_dataflow(dataflow);
        }
    }
}

/// So many turns a worker takes after a commit before the thread is told that writes it: in them, the rows come to outputs
/// that wait for nothing. On few cores, that thread would take one from the function that gets the rows, or from the source.
const TURNS_FIRST: u32 = 4;

fn turn(worker: &mut Worker, run: &RunContext) {
    let ending = Rc::new(WorkerEnding::new(&run.ending, &run.times));
    let opening = run.opening.worker();
    let mut probes = build(worker, run, &ending);
    drop(opening);
    // One worker of each process tells its sources what is complete.
    let is_first = worker.index() == run.process * run.team.threads;
    let completed = Cell::new(Some(0));
    let journal = run.keeping.as_ref().and_then(|keeping| keeping.journal.as_ref());
    let mut turns = 0;
    while worker.has_dataflows() && !run.ending.is_failed() {
        let frontier = probes.outputs.with_frontier(|frontier| frontier.first().copied());
        if is_first {
            if completed.replace(frontier) != frontier {
                run.ending.moved();
                for queue in run.ending.queues() {
                    queue.completed(frontier);
                }
            }
            probes.fed.retain(|fed| !fed.end());
        }
        let is_ending = ending.settle(frontier, false);
        if run.ending.is_failed() {
            break;
        }
        if let Some(journal) = journal.filter(|journal| journal.is_put_off()) {
            turns += 1;
            if turns < TURNS_FIRST {
                worker.step();
                continue;
            }
            journal.nudge();
        }
        turns = 0;
        worker.step_or_park(is_ending.then_some(LOOK));
    }
    ending.settle(None, true);
    if is_first && !run.ending.is_failed() {
        for queue in run.ending.queues() {
            queue.completed(None);
        }
    }
}
