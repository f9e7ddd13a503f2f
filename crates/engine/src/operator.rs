//! What an operator answers about itself.
//!
//! An [`Operator`] is inert: its name, the types of its outputs, how rows find their worker. When a
//! run starts, every worker asks it for a [`Task`], which holds the state and does the work. Neither
//! knows about threads, channels or frontiers: the dataflow hands a task its updates in the order
//! of their times, and says when a time is complete.
//!
//! **One file an operator.** To add one: a file in `operators/`, a `mod` line, a method of the
//! Python binding, and a method in Python; ARCHITECTURE.md walks through it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use towpath_types::{Batch, DType, Time};

use crate::clock::Clock;
use crate::error::{EngineError, Origin, PlanError, RowError};
use crate::fingerprint::Description;
use crate::live_errors::{Failing, LiveErrors};
use crate::monitor::Counters;

/// How rows are spread over the workers before an operator sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing {
    /// A row stays where it is.
    Local,
    /// A row goes to the worker that owns its key.
    ByKey,
    /// A row goes to the worker that owns the key in the pointer column at this position.
    ByPointer(usize),
    /// All rows go to the first worker.
    ToFirst,
    /// All rows go to one worker of each process, to each in the same order.
    ToEveryProcess,
    /// All updates of a key come to one worker: where no key can have a second one they stay where they are, else they
    /// go to the worker that owns the key.
    KeysTogether,
}

impl Routing {
    /// What it comes to for an input, of which may be known that no key has more than one update.
    pub(crate) fn settled(self, has_one_update_a_key: bool) -> Self {
        match self {
            Routing::KeysTogether if has_one_update_a_key => Routing::Local,
            Routing::KeysTogether => Routing::ByKey,
            other => other,
        }
    }
}

/// An operator that puts out fewer columns, and for every input the positions of the columns it still reads.
pub type Pruned = (Arc<dyn Operator>, Vec<Vec<usize>>);

/// A node of the plan.
pub trait Operator: fmt::Debug + Send + Sync {
    /// What the operator is called in plans, monitoring and messages.
    fn name(&self) -> &'static str;

    /// What this one is called in monitoring; a sink is called by its connector's name.
    fn label(&self) -> String {
        self.name().to_owned()
    }

    /// Says what it is besides its name and inputs, so that another process or run can tell whether it has the same:
    /// everything that makes a difference, and no addresses.
    fn describe(&self, description: &mut Description) {
        description.set("", format_args!("{self:?}"));
    }

    /// The types of the columns it puts out, given those of the columns it reads from each input.
    ///
    /// # Errors
    /// If the inputs do not fit.
    fn output(&self, inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError>;

    /// The file that it writes, as far as that can be said before the run: no source may read it.
    fn writes(&self) -> Option<PathBuf> {
        None
    }

    /// How the rows of an input are spread.
    fn routing(&self, input: usize) -> Routing;

    /// An operator that puts out only the columns at `outputs`, in that order, and for every input the
    /// positions of the columns it reads, if the operator can do with less. `widths` are the numbers of
    /// columns of the inputs.
    fn pruned(&self, outputs: &[usize], widths: &[usize]) -> Option<Pruned> {
        let _ = (outputs, widths);
        None
    }

    /// Whether it never removes a row, given which inputs never do.
    fn append_only(&self, inputs: &[bool]) -> bool;

    /// Whether, where a failure does not end the run, it may take back a row that was a failure, though it never removes
    /// one otherwise.
    fn takes_back_failures(&self) -> bool {
        false
    }

    /// Whether no two of its rows at one time have the same key, as is right for a table. Sources whose
    /// keys come from the user cannot promise that; what comes of them is checked where it matters.
    fn unique_keys(&self, inputs: &[bool]) -> bool {
        inputs.iter().all(|unique| *unique)
    }

    /// What makes fewer rows of those of an input before they go to other workers, if the task can do with them. Asked
    /// with the context that the task is started with, where there are several workers.
    fn combiner(&self, input: usize, context: &TaskContext) -> Option<Box<dyn Combine>> {
        let _ = (input, context);
        None
    }

    /// The state of one worker and what it does.
    ///
    /// # Errors
    /// If the outside world is not as it should be, such as a file that cannot be created.
    fn start(&self, context: TaskContext) -> Result<Box<dyn Task>, EngineError>;
}

/// Makes fewer rows of those that one worker has of a time, before they go to the workers that own them.
pub trait Combine {
    /// Takes rows. What it does not hold goes out, in the columns of what stands for others.
    ///
    /// # Errors
    /// Any error ends the run.
    fn absorb(&mut self, batch: Batch, output: &mut Output) -> Result<(), EngineError>;

    /// Puts out what stands for the rows it holds: there are no more of the time.
    fn flush(&mut self, output: &mut Output);

    /// For each column of what it puts out, the column of the input that it comes of.
    fn reads(&self) -> Vec<usize>;
}

/// An operator at work on one worker.
pub trait Task {
    /// `time` is now the least time that is open: what is absorbed next is of it.
    fn open(&mut self, time: Time) {
        let _ = time;
    }

    /// Takes updates of the least time that is still open. Updates of different inputs come in any order.
    ///
    /// # Errors
    /// Any error ends the run.
    fn absorb(&mut self, input: usize, batch: Batch, output: &mut Output) -> Result<(), EngineError>;

    /// All updates of `time` have been absorbed. Called once for every time at which something was absorbed.
    ///
    /// # Errors
    /// Any error ends the run.
    fn complete(&mut self, time: Time, output: &mut Output) -> Result<(), EngineError> {
        let _ = (time, output);
        Ok(())
    }

    /// Goes on with what `absorb` or `complete` has left undone because the output was full, until it is full again or
    /// nothing is left. Nothing else is asked of the task before it is done.
    ///
    /// # Errors
    /// Any error ends the run.
    fn go_on(&mut self, output: &mut Output) -> Result<(), EngineError> {
        let _ = output;
        Ok(())
    }

    /// Whether nothing was left undone.
    fn is_done(&self) -> bool {
        true
    }

    /// An input has ended: no update of it is absorbed any more, while the open time may still have updates of others.
    /// What was kept for it can go.
    fn input_ended(&mut self, input: usize) {
        let _ = input;
    }

    /// All inputs have ended, after the last time was completed; not called when the run fails.
    ///
    /// # Errors
    /// Any error ends the run.
    fn finish(&mut self) -> Result<(), EngineError> {
        Ok(())
    }

    /// Whether the order of times does not matter, so that updates need not wait for earlier ones.
    fn is_stateless(&self) -> bool {
        false
    }
}

/// Where a task puts the batches it makes.
#[derive(Debug, Default)]
pub struct Output {
    batches: Vec<Batch>,
    rows: usize,
}

impl Output {
    /// So many rows go into a batch at most, and roughly so many make the output full.
    pub const ROWS: usize = 1 << 16;

    /// Sends a batch on, at the time that is being absorbed or completed; a large one in parts.
    pub fn push(&mut self, batch: Batch) {
        let len = batch.len();
        self.rows += len;
        if len > Self::ROWS {
            let starts = (0..len).step_by(Self::ROWS);
            let parts = starts.map(|start| batch.slice(start, Self::ROWS.min(len - start)));
            self.batches.extend(parts);
        } else if len > 0 {
            self.batches.push(batch);
        }
    }

    /// Whether a task that has more to put out should stop, and go on when it is asked to.
    pub fn is_full(&self) -> bool {
        self.rows >= Self::ROWS
    }

    /// Takes what was put out.
    pub fn drain(&mut self) -> std::vec::Drain<'_, Batch> {
        self.rows = 0;
        self.batches.drain(..)
    }
}

/// What a task knows of its surroundings.
#[derive(Clone, Debug)]
pub struct TaskContext {
    /// This worker, from 0.
    pub worker: usize,
    /// How many workers there are.
    pub workers: usize,
    /// Where failures of rows go.
    pub reporter: Reporter,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The types of the columns of each input.
    pub dtypes: Vec<Vec<DType>>,
    /// Whether each input never removes a row.
    pub append_only: Vec<bool>,
    /// Whether each input has one row for a key.
    pub unique_keys: Vec<bool>,
    /// Where a sink says what it has delivered before the end of a time.
    pub counters: Arc<Counters>,
}

/// Where failures of rows go: to the error log, or, if the run is to stop at the first, out of the run.
#[derive(Clone)]
pub struct Reporter {
    /// The operator, numbered as in the plan.
    pub operator: usize,
    /// Where it was declared.
    pub origin: Option<Origin>,
    /// What is computed here, so that what fails can be told from what fails elsewhere.
    site: (u64, u64),
    /// For an output that is not the only one of these rows: which they are.
    rows: Option<u64>,
    /// Whether the rows here are never removed.
    is_final: bool,
    /// The time that is open.
    time: Arc<AtomicU64>,
    /// Where failures are kept for the moment, unless the run ends with the first.
    gathered: Option<Arc<Gathered>>,
    log: Arc<dyn ErrorLog>,
}

/// Takes the failures of a run; see [`Reporter`].
pub trait ErrorLog: Send + Sync {
    /// Takes one failure.
    ///
    /// # Errors
    /// If the run is to end with it.
    fn report(&self, operator: usize, origin: Option<&Origin>, error: RowError) -> Result<(), EngineError>;

    /// Takes a failure of what came from outside, which never ends the run.
    fn note(&self, operator: usize, origin: Option<&Origin>, error: RowError) {
        // Whoever has nothing to note it in goes on.
        let _ = self.report(operator, origin, error);
    }

    /// Which errors there are, so that each is reported once.
    fn live(&self) -> Option<&LiveErrors> {
        None
    }

    /// Whether the run has been ended, so that long work should not go on.
    fn is_cancelled(&self) -> bool {
        false
    }

    /// Whether the run ends with the first failure that is reported.
    fn is_strict(&self) -> bool {
        false
    }
}

impl Reporter {
    /// Whether the run has been ended: what takes long, such as calls of user code, should look now and then.
    pub fn is_cancelled(&self) -> bool {
        self.log.is_cancelled()
    }

    /// Whether the run ends with the first failure that is reported: what is computed after one is for nobody.
    pub fn is_strict(&self) -> bool {
        self.log.is_strict()
    }

    /// A reporter for one operator.
    pub fn new(operator: usize, origin: Option<Origin>, log: Arc<dyn ErrorLog>) -> Self {
        Self {
            operator,
            origin,
            site: (operator as u64, u64::MAX),
            rows: None,
            is_final: false,
            time: Arc::default(),
            gathered: None,
            log,
        }
    }

    /// For one column that is computed at the operator; rows may be removed unless it `is_final`.
    pub(crate) fn for_column(&self, column: usize, is_final: bool) -> Self {
        Self {
            site: (COLUMNS, column as u64),
            is_final,
            ..self.clone()
        }
    }

    /// For a filter, another node of the plan that is part of the operator; rows may be removed unless it `is_final`.
    pub(crate) fn for_filter(&self, node: usize, origin: Option<Origin>, is_final: bool) -> Self {
        Self {
            operator: node,
            origin,
            site: (node as u64, u64::MAX),
            is_final,
            ..self.clone()
        }
    }

    /// For an output of rows that others put out as well: what is wrong with them is told once. `rows` tells them from
    /// other rows.
    pub(crate) fn for_output(&self, rows: u64) -> Self {
        Self {
            rows: Some(rows),
            ..self.clone()
        }
    }

    /// For rows that are never removed if `is_final`.
    pub(crate) fn for_rows(&self, is_final: bool) -> Self {
        Self {
            is_final,
            ..self.clone()
        }
    }

    /// What fails is kept in `gathered` instead.
    pub(crate) fn gathering(&self, gathered: Arc<Gathered>) -> Self {
        Self {
            gathered: Some(gathered),
            ..self.clone()
        }
    }

    /// What is reported next is of this time.
    pub(crate) fn open(&self, time: Time) {
        self.time.store(time, Ordering::Relaxed);
    }

    /// A reporter that takes failures and forgets them, for computations whose failure is provided for.
    pub fn silent(&self) -> Self {
        Self {
            log: Arc::new(Forget(Arc::clone(&self.log))),
            gathered: None,
            ..self.clone()
        }
    }

    /// Reports a failure at the operator.
    ///
    /// # Errors
    /// If the run is to end with it.
    pub fn report(&self, error: RowError) -> Result<(), EngineError> {
        self.report_at(self.origin.as_ref(), error)
    }

    /// Reports a failure of what came from outside, which never ends the run. Logging it is up to the caller.
    pub fn note(&self, error: RowError) {
        self.log.note(self.operator, self.origin.as_ref(), error);
    }

    /// Reports a failure at another place of the program, such as that of an expression.
    ///
    /// # Errors
    /// If the run is to end with it.
    pub fn report_at(&self, origin: Option<&Origin>, error: RowError) -> Result<(), EngineError> {
        if let Some(gathered) = &self.gathered
            && !self.is_strict()
        {
            gathered.0.lock().push((origin.cloned(), error));
            return Ok(());
        }
        let failing = Failing {
            site: self.site,
            key: error.key,
            message: &error.message,
        };
        let is_news = match self.log.live() {
            Some(live) => {
                let (time, is_final) = (self.time.load(Ordering::Relaxed), self.is_final && error.key.is_some());
                let is_first = |rows| {
                    let site = (OUTPUTS, rows);
                    live.is_first(Failing { site, ..failing }, time)
                };
                live.is_news(failing, error.diff, time, is_final) && self.rows.is_none_or(is_first)
            }
            None => error.diff > 0,
        };
        if is_news {
            self.log.report(self.operator, origin, error)
        } else {
            Ok(())
        }
    }

    /// Reports what was gathered: first what comes, so that what only changes places has never been gone.
    ///
    /// # Errors
    /// If the run is to end with it.
    pub(crate) fn report_gathered(&self, gathered: &Gathered) -> Result<(), EngineError> {
        let (come, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut *gathered.0.lock())
            .into_iter()
            .partition(|(_, error)| error.diff > 0);
        let mut all = come.into_iter().chain(gone);
        all.try_for_each(|(origin, error)| self.report_at(origin.as_ref(), error))
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reporter({})", self.operator)
    }
}

/// The first parts of sites that are no operators.
const COLUMNS: u64 = u64::MAX;
const OUTPUTS: u64 = u64::MAX - 1;

/// Failures that are looked at together.
#[derive(Debug, Default)]
pub(crate) struct Gathered(Mutex<Vec<(Option<Origin>, RowError)>>);

struct Forget(Arc<dyn ErrorLog>);

impl ErrorLog for Forget {
    fn report(&self, _operator: usize, _origin: Option<&Origin>, _error: RowError) -> Result<(), EngineError> {
        Ok(())
    }

    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}
