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

use towpath_types::{Batch, DType, Key, Time};

use crate::clock::Clock;
use crate::description::Description;
use crate::error::{EngineError, PlanError};
use crate::monitor::Counters;
use crate::persistence::KeptOutput;
use crate::reporter::Reporter;
use crate::state::Saved;

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

    /// The same in a run whose state is kept: a row has to come to the worker that owns what the task has saved of it.
    fn routing_of_kept(&self, input: usize) -> Routing {
        self.routing(input)
    }

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
    fn combiner(&self, input: usize, context: &TaskContext) -> Option<Box<dyn Combiner>> {
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
pub trait Combiner {
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
    /// What was kept for it can go. In a run whose state is kept that has to hold for the runs after it, too.
    fn input_ended(&mut self, input: usize) {
        let _ = input;
    }

    /// Of an output, in a run that is kept: all that came into the run before `time` is on disk, so that what was prepared
    /// for the times before it may go out. Called with growing times.
    ///
    /// # Errors
    /// Any error ends the run.
    fn durable(&mut self, time: Time) -> Result<(), EngineError> {
        let _ = time;
        Ok(())
    }

    /// Of an output, in a run that is kept, after `durable`: before which time everything has gone out. Later than that may
    /// be what waits for a note of the output to be on disk, too.
    fn released(&self, durable: Time) -> Time {
        durable
    }

    /// Of an output, in a run that is kept, before anything else: up to which time the runs before have delivered
    /// everything, so that it does not come again. `noted` is what they have noted of it; what is outside may know better.
    fn delivered(&self, noted: Option<Time>) -> Option<Time> {
        noted
    }

    /// Whether something of the times that are complete was prepared and may not go out yet. The output has not ended, and
    /// what came in counts as in flight, until it has.
    fn awaits_durability(&self) -> bool {
        false
    }

    /// Notes what was delivered, at once, since the state of the operators is kept; whether all that was delivered is noted
    /// now. If not, it is asked again.
    ///
    /// # Errors
    /// Any error ends the run.
    fn note_delivered(&mut self) -> Result<bool, EngineError> {
        Ok(true)
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

    /// Puts the rows of its state that have changed since it was saved last, or since it was restored. Called between
    /// times: after `complete`, when all is done, and before the next `absorb`; and only if [`TaskContext::keeps_state`].
    fn save(&mut self, saved: &mut Saved);

    /// Takes rows of one of its tables that were saved by this or other workers: some of those that this worker owns, each
    /// as it was put last, and none that is gone. Called on a task that has just started, before anything else, any number
    /// of times, in the order of the tables' numbers.
    ///
    /// # Errors
    /// If these are no rows of such a task.
    fn restore(&mut self, table: u16, rows: Batch, owners: &[Key]) -> Result<(), EngineError>;
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

/// What a program calls a column, if it does.
pub type ColumnName = Option<Arc<str>>;

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
    /// What the program calls them, where they have a name.
    pub names: Vec<Vec<ColumnName>>,
    /// What the program calls the columns of the output, where they have a name.
    pub output_names: Vec<ColumnName>,
    /// Whether each input never removes a row.
    pub append_only: Vec<bool>,
    /// Whether each input has one row for a key.
    pub unique_keys: Vec<bool>,
    /// Where a sink says what it has delivered before the end of a time.
    pub counters: Arc<Counters>,
    /// For an output in a run that is kept: what it has delivered in the runs before, and where it says what it delivers.
    pub kept: Option<KeptOutput>,
    /// Whether the state of the task will be saved.
    pub keeps_state: bool,
    /// Random numbers for hashes that nobody is to foresee. Where state is kept, so are they: they are the same in all
    /// workers, and in all runs.
    pub seeds: [u64; 2],
}
