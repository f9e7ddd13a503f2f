//! Small tables of updates in, small tables of updates out: for tests of plans and operators.
//!
//! [`Script`] is a source that plays commits, [`Collect`] an output that remembers what arrives,
//! [`check`] runs a plan with one and with three workers and compares the updates with a text. Time starts
//! at 2 and every commit takes 2.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use towpath_durability::{Holder, Storage};
use towpath_types::{Batch, DType};

use crate::clock::ManualClock;
use crate::cluster::Member;
use crate::error::{EngineError, PlanError};
use crate::operator::Operator;
use crate::persistence::{Access, Persistence, Play, Snapshots};
use crate::plan::{ColumnId, Input, NodeId, Plan};
use crate::runtime::{RunOptions, run};
use crate::source::{Queued, SourceQueue};

mod collect;
mod random;
mod restarts;
mod script;

pub use collect::{Collect, Collected, Seen, collect, in_order, lines, text};
pub use random::{Random, RandomTable, Rows};
pub use restarts::{check_restarts, saved_bytes};
pub use script::{Script, Update, batch, tables, update};

/// Runs a plan to its end with a clock that stands still.
///
/// # Errors
/// What ended the run.
pub fn run_with(plan: &Plan, workers: usize, terminate_on_error: bool) -> Result<(), EngineError> {
    let options = RunOptions {
        workers,
        terminate_on_error,
        clock: Arc::new(ManualClock::default()),
        start: Some(2),
        ..RunOptions::default()
    };
    run(plan, options)
}

/// The same in a run that is kept.
///
/// # Errors
/// What ended the run.
pub fn run_kept(
    plan: &Plan,
    workers: usize,
    terminate_on_error: bool,
    persistence: Persistence,
) -> Result<(), EngineError> {
    let options = RunOptions {
        workers,
        terminate_on_error,
        clock: Arc::new(ManualClock::default()),
        start: Some(2),
        persistence: Some(persistence),
        ..RunOptions::default()
    };
    run(plan, options)
}

/// Everything is kept in a storage.
pub fn kept_in(storage: Arc<dyn Storage>) -> Persistence {
    Persistence {
        storage,
        holder: Holder::current(0),
        access: Access::Full,
        play: Play::AsRecorded,
        continues: true,
        snapshots: None,
    }
}

/// The same, and the state of operators is kept as often as possible.
pub fn kept_with_state_in(storage: Arc<dyn Storage>) -> Persistence {
    Persistence {
        snapshots: Some(Snapshots {
            interval: Duration::ZERO,
            early_rows: 3,
        }),
        ..kept_in(storage)
    }
}

/// Takes the batches that a source has put into its queue, for tests of sources without a run.
pub fn take_batches(queue: &SourceQueue) -> Vec<Batch> {
    let mut batches = Vec::new();
    while let Some(queued) = queue.pop() {
        if let Queued::Rows(rows) = queued {
            queue.discarded(std::slice::from_ref(&rows));
            batches.push(rows.keyed(&mut queue.keys().clone(), &[]));
        }
    }
    batches
}

/// Runs a plan in as many processes as that, each a thread here that talks to the others over the network, and
/// returns how each ended. It is kept, if that is said.
///
/// # Panics
/// If the machine has no free ports.
pub fn run_in_processes(
    plan: &Plan,
    processes: usize,
    workers: usize,
    terminate_on_error: bool,
    persistence: Option<&Persistence>,
) -> Vec<Result<(), EngineError>> {
    // Held together, so that all differ.
    let free: Vec<TcpListener> = (0..processes)
        .map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"))
        .collect();
    let addresses: Vec<String> = free
        .iter()
        .map(|listener| listener.local_addr().expect("a port has an address").to_string())
        .collect();
    drop(free);
    std::thread::scope(|scope| {
        let run_one = |process| {
            let options = RunOptions {
                workers,
                terminate_on_error,
                clock: Arc::new(ManualClock::default()),
                start: Some(2),
                cluster: Some(Member {
                    process,
                    addresses: addresses.clone(),
                    secret: "secret".to_owned(),
                    timeout: Duration::from_secs(30),
                    silence: Duration::from_secs(20),
                    run: 0,
                    is_interrupted: Arc::new(|| false),
                }),
                persistence: persistence.cloned(),
                ..RunOptions::default()
            };
            scope.spawn(move || run(plan, options))
        };
        let threads: Vec<_> = (0..processes).map(run_one).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a run does not panic"))
            .collect()
    })
}

/// Runs the plan that `build` makes with one and with three workers, and compares the updates of the columns it
/// returns with the lines of `expected`, see [`lines`].
///
/// # Panics
/// If they differ, or the plan cannot run.
pub fn check(build: impl Fn(&mut Plan) -> Result<(NodeId, Vec<ColumnId>), PlanError>, expected: &str) {
    for workers in [1, 3] {
        let outcome = try_run(&build, workers, true);
        let updates = outcome.unwrap_or_else(|error| panic!("with {workers} workers: {error:?}"));
        let expected: Vec<&str> = expected
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        assert_eq!(updates, expected, "with {workers} workers");
    }
}

/// Runs the plan that `build` makes and returns the updates of its columns, see [`lines`].
///
/// # Errors
/// What ended the run.
pub fn try_run(
    build: impl Fn(&mut Plan) -> Result<(NodeId, Vec<ColumnId>), PlanError>,
    workers: usize,
    terminate_on_error: bool,
) -> Result<Vec<String>, EngineError> {
    let mut plan = Plan::default();
    let (node, columns) = build(&mut plan)?;
    let collected = collect(&mut plan, node, columns)?;
    run_with(&plan, workers, terminate_on_error)?;
    Ok(lines(&collected))
}

/// A plan with one operator on tables that change together, see [`tables`].
fn one_operator(
    plan: &mut Plan,
    operator: &Arc<dyn Operator>,
    scripts: &[(Vec<DType>, Vec<Vec<Update>>)],
    batch_rows: usize,
) -> Result<(NodeId, Vec<ColumnId>), PlanError> {
    let inputs = tables(plan, scripts, batch_rows, Duration::ZERO)?
        .into_iter()
        .map(|(node, columns)| Input { node, columns })
        .collect();
    let node = plan.operator(Arc::clone(operator), inputs, None)?;
    Ok((node, plan.columns(node).to_vec()))
}

/// Runs an operator on tables that change together, in batches of several sizes, and compares its updates with
/// the lines of `expected`; see [`check`].
///
/// # Panics
/// If they differ, or the plan cannot run.
pub fn check_operator(operator: impl Operator + 'static, scripts: &[(Vec<DType>, Vec<Vec<Update>>)], expected: &str) {
    let operator: Arc<dyn Operator> = Arc::new(operator);
    for batch_rows in [1, 3, usize::MAX] {
        check(|plan| one_operator(plan, &operator, scripts, batch_rows), expected);
    }
}

/// Runs an operator on tables that change together, and returns its updates; see [`try_run`].
///
/// # Errors
/// What ended the run.
pub fn try_operator(
    operator: impl Operator + 'static,
    scripts: &[(Vec<DType>, Vec<Vec<Update>>)],
    workers: usize,
    terminate_on_error: bool,
) -> Result<Vec<String>, EngineError> {
    let operator: Arc<dyn Operator> = Arc::new(operator);
    try_run(
        |plan| one_operator(plan, &operator, scripts, usize::MAX),
        workers,
        terminate_on_error,
    )
}

/// Runs an operator that must fail, and returns how it does.
///
/// # Panics
/// If it does not fail.
pub fn fail_operator(operator: impl Operator + 'static, scripts: &[(Vec<DType>, Vec<Vec<Update>>)]) -> EngineError {
    try_operator(operator, scripts, 1, true).expect_err("the operator fails")
}
