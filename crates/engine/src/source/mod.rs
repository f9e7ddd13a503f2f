//! How data comes in.
//!
//! A [`Source`] is inert until a run starts it; then it fills a [`SourceQueue`] from threads of its own.
//! The queue is the one way into the dataflow: batches, and commits between them. All rows between two
//! commits carry one time and become visible together; a big commit travels in many batches, so that
//! memory does not wait for it.
//!
//! The queue is bounded by what is *in flight*: rows that were accepted and whose time is not complete at
//! every output. A producer that finds no space waits; so that the wait ends, the engine then closes the
//! commit at what it has.
//!
//! A source may be read by several workers at the same time, in *streams*: each has a queue, commits and a thread of its
//! own. Most sources are one stream, read in the first process.

mod error_table;
mod kept;
mod keys;
mod queue;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use towpath_types::DType;

pub use error_table::{ErrorRows, ErrorTable};
pub use kept::{Kept, Resume, Resumption};
pub use keys::{Arrival, Keys, Unkeyed};
pub use queue::SourceQueue;
pub(crate) use queue::{Queued, weight};

use crate::clock::Clock;
use crate::description::Description;
use crate::error::EngineError;
use crate::reporter::Reporter;

/// Where rows come from: a node of the plan.
pub trait Source: fmt::Debug + Send + Sync {
    /// The connector's name, for monitoring and messages.
    fn name(&self) -> String;

    /// Says what it is besides its name and columns, so that another process or run can tell whether it has the same.
    /// Rows are not part of it.
    fn describe(&self, description: &mut Description) {
        description.set("", format_args!("{self:?}"));
    }

    /// The types of the columns it can fill.
    fn columns(&self) -> Vec<DType>;

    /// Whether it never removes a row.
    fn is_append_only(&self) -> bool;

    /// Whether no two of its rows have the same key.
    fn has_unique_keys(&self) -> bool;

    /// When its rows become visible.
    fn commits(&self) -> Commits;

    /// Whether it reads the file at the path, or would if there were one.
    fn may_read(&self, path: &Path) -> bool {
        let _ = path;
        false
    }

    /// How much may be in flight.
    fn limits(&self) -> Limits {
        Limits::default()
    }

    /// How the rows of a stream get their keys, where it is divided like this.
    fn keys(&self, stream: usize, division: &Division) -> Keys {
        let _ = (stream, division);
        Keys::Chosen
    }

    /// What a run keeps of it.
    fn kept(&self) -> Kept;

    /// What a stream of it is called among its streams, in every run; nothing if there is just one.
    fn stream_name(&self, stream: usize, division: &Division) -> Option<String> {
        (division.streams > 1).then(|| stream.to_string())
    }

    /// Where its rows are made.
    fn fed_by(&self) -> Feeder {
        Feeder::Outside
    }

    /// Into how many streams it is divided. Asked once a run, in the first process; all processes hear the answer.
    ///
    /// # Errors
    /// If that cannot be found out.
    fn divide(&self, team: Team) -> Result<Division, EngineError> {
        let _ = team;
        Ok(Division::whole())
    }

    /// Adds streams of these names to a division, which runs before have kept and which it does not have any more: what was
    /// kept of them is sent again, and nothing else. A source whose streams have no lasting names has none.
    fn add_former(&self, division: &mut Division, names: Vec<String>) {
        let _ = (division, names);
    }

    /// Starts to fill the queues of the streams that are read in this process, in threads of its own. Called in every
    /// process that reads any.
    ///
    /// # Errors
    /// If the outside world is not as it should be, such as a file that is not there.
    fn start(&self, context: SourceContext) -> Result<Box<dyn SourceHandle>, EngineError>;

    /// Called instead of [`Source::start`] in a process that reads nothing of it, with the number of that process.
    fn is_read_elsewhere(&self, process: usize) {
        let _ = process;
    }
}

/// Where the rows of a source are made.
///
/// A source that the run itself feeds ends when its feeder has ended, in all workers and processes. Where it commits itself,
/// as often as it has a row, its commits are put together where they would run ahead of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feeder {
    /// Outside; it ends when the source says so.
    Outside,
    /// By the node of this number, which comes before the source in the plan.
    Node(usize),
    /// By all nodes but those that read such a source, directly or not.
    AllOthers,
}

/// When rows of a source become visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commits {
    /// All at time 0, when the source ends.
    AtEnd,
    /// At times the source sets itself, from 0; see [`SourceQueue::advance_to`].
    Scripted,
    /// At the source's own commits, and, if there is a duration, whenever it has passed.
    Streaming(Option<Duration>),
}

/// How much of a source may be in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rows.
    pub rows: usize,
    /// Bytes.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows: 1 << 20,
            bytes: 64 << 20,
        }
    }
}

impl Limits {
    /// What each of `streams` may have in flight, so that together they keep to these limits.
    #[must_use]
    pub fn shared_by(self, streams: usize) -> Self {
        let share = |whole: usize| (whole / streams.max(1)).max(1);
        Self {
            rows: share(self.rows),
            bytes: share(self.bytes),
        }
    }
}

/// Who computes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Team {
    /// How many processes.
    pub processes: usize,
    /// How many workers each of them has.
    pub threads: usize,
}

impl Team {
    /// One worker alone.
    pub const ALONE: Self = Self {
        processes: 1,
        threads: 1,
    };

    /// How many workers there are.
    pub fn workers(self) -> usize {
        self.processes * self.threads
    }
}

/// How a source is divided into streams, each with commits of its own and read by one worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Division {
    /// How many.
    pub streams: usize,
    /// Who reads them, in turn.
    pub readers: Readers,
    /// What all processes have to agree on, such as the names of the parts.
    pub manifest: Vec<String>,
    /// How many of the streams, the last ones, are not there any more, see [`Source::add_former`].
    pub former: usize,
}

/// The workers that read a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Readers {
    /// Those of all processes.
    All,
    /// Those of the first process: what they read need not be there for the others.
    FirstProcess,
}

impl Division {
    /// One stream, read by the first worker of the first process.
    pub fn whole() -> Self {
        Self {
            streams: 1,
            readers: Readers::FirstProcess,
            manifest: Vec::new(),
            former: 0,
        }
    }

    /// Whether the stream of this number is not there any more.
    pub fn is_former(&self, stream: usize) -> bool {
        stream + self.former >= self.streams
    }

    /// Where the stream of this number is read: the process, and which of its workers.
    pub fn reader(&self, stream: usize, team: Team) -> (usize, usize) {
        let processes = match self.readers {
            Readers::All => team.processes,
            Readers::FirstProcess => 1,
        };
        (stream % processes, stream / processes % team.threads)
    }
}

/// One stream of a source, read in this process.
#[derive(Clone, Debug)]
pub struct SourceStream {
    /// Its number among all streams of the source.
    pub number: usize,
    /// Where its batches go.
    pub queue: Arc<SourceQueue>,
    /// Where it goes on, if what it sends is kept.
    pub resumption: Option<Resumption>,
}

/// What a source is given when it starts.
#[derive(Debug)]
pub struct SourceContext {
    /// The positions of the columns that are read; batches carry just these, in this order. [`Unkeyed`] rows carry all.
    pub columns: Vec<usize>,
    /// The streams that are read in this process, at least one.
    pub streams: Vec<SourceStream>,
    /// What the first process said when it divided the source.
    pub manifest: Vec<String>,
    /// The number of this process.
    pub process: usize,
    /// Who computes together.
    pub team: Team,
    /// Where failures of rows go.
    pub reporter: Reporter,
    /// The errors of this process, for who makes a table of them.
    pub errors: Arc<ErrorRows>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Whether a row with a bad value outside its key is accepted, with an error in its place; otherwise it is
    /// rejected.
    pub keeps_bad_rows: bool,
}

impl SourceContext {
    /// Where the batches of a source go that is not divided.
    ///
    /// # Panics
    /// If no stream is read in this process; then the source is not started.
    pub fn queue(&self) -> &Arc<SourceQueue> {
        &self.streams[0].queue
    }
}

/// A source at work.
pub trait SourceHandle: Send {
    /// Asks it to end soon, as if its data had ended. Called at most once, from any thread.
    fn stop(&self);

    /// All that a stream has sent before it gave this position is on disk, and will not be asked for again. Called from
    /// any thread, which must not wait.
    fn durable(&self, stream: usize, position: Vec<u8>) {
        let _ = (stream, position);
    }

    /// Waits until its threads have ended. The run is over, or has been told to stop.
    fn join(self: Box<Self>);
}

/// The run is over; nothing more is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;
