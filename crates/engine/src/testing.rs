//! Small tables of updates in, small tables of updates out: for tests of plans and operators.
//!
//! [`Script`] is a source that plays commits, [`Collect`] an output that remembers what arrives,
//! [`check`] runs a plan with one and with three workers and compares the updates with a text. Time starts
//! at 2 and every commit takes 2.

use std::sync::Arc;

use parking_lot::Mutex;
use towpath_types::{Batch, Column, DType, Key, Time, Value};

use crate::clock::ManualClock;
use crate::error::{EngineError, PlanError};
use crate::operator::{Operator, Output, Routing, Task, TaskContext};
use crate::plan::{ColumnId, Input, NodeId, Plan};
use crate::runtime::{RunOptions, run};
use crate::source::{Commits, Limits, Source, SourceContext, SourceHandle};

/// One update: key, cells, difference.
pub type Update = (Key, Vec<Value>, i64);

/// A source that plays commits.
#[derive(Clone, Debug)]
pub struct Script {
    dtypes: Vec<DType>,
    commits: Vec<Vec<Update>>,
    batch_rows: usize,
    is_static: bool,
    unique_keys: bool,
}

impl Script {
    /// A streaming source with a commit for every list of updates. Commits without updates take no time.
    pub fn new(dtypes: Vec<DType>, commits: Vec<Vec<Update>>) -> Self {
        Self {
            dtypes,
            commits,
            batch_rows: usize::MAX,
            is_static: false,
            unique_keys: true,
        }
    }

    /// A static source: all updates have time 0.
    pub fn fixed(dtypes: Vec<DType>, updates: Vec<Update>) -> Self {
        Self {
            is_static: true,
            ..Self::new(dtypes, vec![updates])
        }
    }

    /// The same with at most `rows` rows in a batch.
    #[must_use]
    pub fn in_batches_of(mut self, rows: usize) -> Self {
        self.batch_rows = rows.max(1);
        self
    }

    /// The same with keys that the engine must not trust to be unique.
    #[must_use]
    pub fn with_keys_of_the_user(mut self) -> Self {
        self.unique_keys = false;
        self
    }
}

/// A batch of updates with the given columns of types `dtypes`.
pub fn batch(dtypes: &[DType], columns: &[usize], updates: &[Update]) -> Batch {
    Batch::new(
        updates.iter().map(|(key, ..)| *key).collect::<Vec<_>>(),
        columns
            .iter()
            .map(|column| Column::from_values(&dtypes[*column], updates.iter().map(|(_, values, _)| &values[*column])))
            .collect(),
        Some(updates.iter().map(|(.., diff)| *diff).collect()),
    )
}

struct Played;

impl SourceHandle for Played {
    fn stop(&self) {}

    fn join(self: Box<Self>) {}
}

impl Source for Script {
    fn name(&self) -> String {
        "script".to_owned()
    }

    fn columns(&self) -> Vec<DType> {
        self.dtypes.clone()
    }

    fn is_append_only(&self) -> bool {
        self.commits.iter().flatten().all(|(.., diff)| *diff > 0)
    }

    fn has_unique_keys(&self) -> bool {
        self.unique_keys
    }

    fn commits(&self) -> Commits {
        if self.is_static {
            Commits::AtEnd
        } else {
            Commits::Streaming(None)
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            rows: usize::MAX,
            bytes: usize::MAX,
        }
    }

    fn start(&self, context: SourceContext) -> Result<Box<dyn SourceHandle>, EngineError> {
        for commit in &self.commits {
            for updates in commit.chunks(self.batch_rows) {
                let batch = batch(&self.dtypes, &context.columns, updates);
                // If the run is over already, the rest of the script goes nowhere either.
                let _ = context.queue.push(batch);
            }
            let _ = context.queue.commit();
        }
        context.queue.close(Ok(()));
        Ok(Box::new(Played))
    }
}

/// What a [`Collect`] saw: time, key, cells and difference, consolidated, in order.
pub type Collected = Arc<Mutex<Vec<(Time, Key, Vec<Value>, i64)>>>;

/// An output that remembers what arrives.
#[derive(Clone, Debug, Default)]
pub struct Collect {
    updates: Collected,
}

impl Operator for Collect {
    fn name(&self) -> &'static str {
        "collect"
    }

    fn output(&self, _inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
        Ok(Vec::new())
    }

    fn routing(&self, _input: usize) -> Routing {
        Routing::ToFirst
    }

    fn append_only(&self, _inputs: &[bool]) -> bool {
        true
    }

    fn start(&self, _context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        Ok(Box::new(CollectTask {
            updates: Arc::clone(&self.updates),
            pending: Vec::new(),
        }))
    }
}

struct CollectTask {
    updates: Collected,
    pending: Vec<Batch>,
}

impl Task for CollectTask {
    fn absorb(&mut self, _input: usize, batch: Batch, _output: &mut Output) -> Result<(), EngineError> {
        self.pending.push(batch);
        Ok(())
    }

    fn complete(&mut self, time: Time, _output: &mut Output) -> Result<(), EngineError> {
        let batch = Batch::concat(&std::mem::take(&mut self.pending)).consolidated();
        let mut rows: Vec<_> = (0..batch.len())
            .map(|row| (batch.diff(row) > 0, batch.row(row), batch.keys()[row], batch.diff(row)))
            .collect();
        rows.sort();
        let rows = rows.into_iter().map(|(_, values, key, diff)| (time, key, values, diff));
        self.updates.lock().extend(rows);
        Ok(())
    }
}

/// Adds an output that collects columns of a node.
///
/// # Errors
/// If the columns are not visible at the node.
pub fn collect(plan: &mut Plan, node: NodeId, columns: Vec<ColumnId>) -> Result<Collected, PlanError> {
    let collect = Collect::default();
    let updates = Arc::clone(&collect.updates);
    plan.output(Arc::new(collect), Input { node, columns }, None)?;
    Ok(updates)
}

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

/// Several tables that change together: one source plays the commits of all, so that the k-th commits of
/// all tables have the same time. Commits without updates in any table take no time.
///
/// # Errors
/// Never, unless this function is wrong.
pub fn tables(
    plan: &mut Plan,
    scripts: &[(Vec<DType>, Vec<Vec<Update>>)],
    batch_rows: usize,
) -> Result<Vec<(NodeId, Vec<ColumnId>)>, PlanError> {
    let mut dtypes = vec![DType::Bool; scripts.len()];
    dtypes.extend(scripts.iter().flat_map(|(own, _)| own.iter().cloned()));
    let commits = scripts.iter().map(|(_, commits)| commits.len()).max().unwrap_or(0);
    let mut merged = vec![Vec::new(); commits];
    let mut start = scripts.len();
    for (table, (own, commits)) in scripts.iter().enumerate() {
        for (number, commit) in commits.iter().enumerate() {
            for (key, values, diff) in commit {
                let mut cells = vec![Value::None; dtypes.len()];
                for (other, cell) in cells.iter_mut().enumerate().take(scripts.len()) {
                    *cell = Value::Bool(other == table);
                }
                cells[start..start + own.len()].clone_from_slice(values);
                merged[number].push((*key, cells, *diff));
            }
        }
        start += own.len();
    }
    let source = plan.source(Arc::new(Script::new(dtypes, merged).in_batches_of(batch_rows)), None);
    let columns = plan.columns(source).to_vec();
    let mut start = scripts.len();
    scripts
        .iter()
        .enumerate()
        .map(|(table, (own, _))| {
            let node = plan.filter(source, columns[table], None)?;
            start += own.len();
            Ok((node, columns[start - own.len()..start].to_vec()))
        })
        .collect()
}

/// A value as tests write it.
pub fn text(value: &Value) -> String {
    match value {
        Value::None => "None".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
        Value::Str(value) => value.to_string(),
        Value::Pointer(key) => format!("^{:x}", key.0),
        Value::Tuple(items) => format!("({})", items.iter().map(text).collect::<Vec<_>>().join(",")),
        Value::Json(document) => document.to_string(),
        Value::Error => "Error".to_owned(),
        other => format!("{other:?}").replace(' ', ""),
    }
}

/// The collected updates as tests write them: a line an update, `time diff cell cell…`, without keys.
pub fn lines(collected: &Collected) -> Vec<String> {
    collected
        .lock()
        .iter()
        .map(|(time, _, values, diff)| {
            let cells: Vec<String> = values.iter().map(text).collect();
            format!("{time} {diff:+} {}", cells.join(" "))
        })
        .collect()
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

/// A shorthand for rows of scripts: key, cells, difference.
pub fn update<const N: usize>(key: u128, cells: [Value; N], diff: i64) -> Update {
    (Key(key), cells.to_vec(), diff)
}

/// A plan with one operator on tables that change together, see [`tables`].
fn one_operator(
    plan: &mut Plan,
    operator: &Arc<dyn Operator>,
    scripts: &[(Vec<DType>, Vec<Vec<Update>>)],
    batch_rows: usize,
) -> Result<(NodeId, Vec<ColumnId>), PlanError> {
    let inputs = tables(plan, scripts, batch_rows)?
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
