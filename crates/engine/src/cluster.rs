//! A run in several processes: what they tell each other besides data.
//!
//! Every process builds the same plan and has its share of the workers. The first says how sources are divided, reads
//! those that are not, and writes the outputs. What fails anywhere ends the run everywhere: the process where it happened reports it, the
//! others end with [`ErrorKind::Process`].

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use towpath_cluster::{Channel, Declared, Line, Listener, Membership, Message, Peer};
use towpath_types::Time;

use crate::error::{EngineError, ErrorKind};
use crate::monitor::Counts;
use crate::source::Division;

/// One process among those of a run, and what it has to know of the others.
#[derive(Clone)]
pub struct Member {
    /// The number of this process, from 0.
    pub process: usize,
    /// Where each process listens, as `host:port`.
    pub addresses: Vec<String>,
    /// What the processes prove to each other that they know.
    pub secret: String,
    /// How long to wait for the others.
    pub timeout: Duration,
    /// How long another process may say nothing before it counts as gone.
    pub silence: Duration,
    /// Which run of the program this is, from 0.
    pub run: u64,
    /// Whether to give up waiting for the others, asked several times a second.
    pub is_interrupted: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Member({} of {:?})", self.process, self.addresses)
    }
}

impl Member {
    /// Finds the other processes and makes sure that they run the same. `orders` are those of the first process; what
    /// comes back are the orders that hold.
    pub(crate) fn connect(
        &self,
        program: &[Declared],
        threads: usize,
        orders: Orders,
    ) -> Result<(Vec<Peer>, Orders), EngineError> {
        let membership = Membership {
            process: self.process,
            addresses: self.addresses.clone(),
            secret: self.secret.clone(),
            timeout: self.timeout,
            run: self.run,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            threads,
            program: program.to_vec(),
            orders: serde_json::to_string(&orders).unwrap_or_default(),
        };
        let fail = |message: String| EngineError::new(ErrorKind::Runtime, message);
        let (peers, heard) =
            towpath_cluster::connect(&membership, &*self.is_interrupted).map_err(|error| fail(error.to_string()))?;
        let orders = match heard {
            Some(heard) => serde_json::from_str(&heard)
                .map_err(|error| fail(format!("process 0 has given no orders that can be read: {error}")))?,
            None => orders,
        };
        Ok((peers, orders))
    }
}

/// What the first process decides for all.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Orders {
    /// The time of the first commits.
    pub(crate) start: Time,
    /// In a run that is kept, which run it is.
    pub(crate) generation: u64,
    /// For every node of the physical plan that is a source, how it is divided.
    pub(crate) divisions: BTreeMap<usize, Division>,
    /// Why there is no run: the first process has failed to find that out.
    pub(crate) failure: Option<String>,
}

/// The lines to the other processes, once there are any.
#[derive(Debug, Default)]
pub(crate) struct Lines(OnceLock<Vec<(usize, Line)>>);

impl Lines {
    fn tell(&self, message: &Message) {
        for (_, line) in self.0.get().into_iter().flatten() {
            line.tell(message);
        }
    }

    /// Tells all others that the run has failed, unless they know.
    pub(crate) fn failed(&self, error: &EngineError) {
        if error.kind != ErrorKind::Process {
            let place = error
                .origin
                .as_ref()
                .map_or_else(String::new, |origin| format!(" ({origin})"));
            let message = format!("{}{place}", error.message);
            self.tell(&Message::Failed { message });
        }
    }

    /// Asks all others to end the run.
    pub(crate) fn stop(&self) {
        self.tell(&Message::Stop);
    }

    /// Tells the first process what this one has done of each node.
    pub(crate) fn counted(&self, counts: Vec<Counts>) {
        if let Some(line) = self.0.get().and_then(|lines| lines.first()).map(|(_, line)| line) {
            let counts = serde_json::to_string(&counts).unwrap_or_default();
            line.tell(&Message::Counted { counts });
        }
    }

    /// Tells all others that a stream has opened a commit.
    pub(crate) fn opened(&self, time: Time, presses: bool) {
        self.tell(&Message::Opened { time, presses });
    }

    /// Tells all others that what came into this process before a time is on disk.
    pub(crate) fn saved(&self, time: Time) {
        self.tell(&Message::Saved { time });
    }

    /// Tells another process something of snapshots, or all others.
    pub(crate) fn snapshot(&self, process: Option<usize>, word: String) {
        let message = Message::Snapshot { word };
        for (other, line) in self.0.get().into_iter().flatten() {
            if process.is_none_or(|process| process == *other) {
                line.tell(&message);
            }
        }
    }

    /// Tells another process that rows of it were taken, by the numbers of their counts.
    pub(crate) fn taken(&self, process: usize, counts: Vec<(u64, u64)>) {
        let mut lines = self.0.get().into_iter().flatten();
        if let Some((_, line)) = lines.find(|(other, _)| *other == process) {
            line.tell(&Message::Taken { counts });
        }
    }

    fn open(&self, lines: Vec<(usize, Line)>) {
        // There is one run, which opens them once.
        let _ = self.0.set(lines);
    }

    /// Says that this process is done, and waits for the others, unless the run has failed.
    fn close(self: Arc<Self>, has_failed: bool) {
        self.tell(&Message::Done);
        let deadline = Instant::now() + LAST_WORDS;
        for (_, line) in self.0.get().into_iter().flatten() {
            line.finish(has_failed.then(|| deadline.saturating_duration_since(Instant::now())));
        }
    }
}

/// How long a process that has failed waits until all others have heard of it.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a process does with what another tells it.
struct Ear {
    process: usize,
    address: String,
    run: Arc<dyn Told>,
}

/// Says that another process is not there any more.
pub(crate) fn gone(process: usize, address: &str, reason: &io::Error) -> String {
    format!(
        "process {process} at {address} is gone without a word ({reason}): it was killed or stopped, or its machine or \
         the network has failed"
    )
}

/// What the run does with what it is told.
pub(crate) trait Told: Send + Sync {
    /// To end the run at once with an error.
    fn fail(&self, error: EngineError);
    /// Whether it has failed already.
    fn has_failed(&self) -> bool;
    /// To end the run in good order.
    fn stop(&self);
    /// A stream of another process has opened a commit.
    fn opened(&self, time: Time, presses: bool);
    /// What came into another process before a time is on disk.
    fn saved(&self, process: usize, time: Time);
    /// Another process says something of snapshots.
    fn snapshot(&self, process: usize, word: &str);
    /// Another process has taken rows of this one, by the numbers of their counts.
    fn were_taken(&self, counts: &[(u64, u64)]);
    /// What another process has done of each node.
    fn counted(&self, process: usize, counts: Vec<Counts>);
}

impl Ear {
    fn fail(&self, kind: ErrorKind, message: String) {
        self.run.fail(EngineError::new(kind, message));
    }
}

impl Listener for Ear {
    fn heard(&mut self, message: Message) {
        match message {
            Message::Failed { message } => {
                let message = format!("process {} has failed: {message}", self.process);
                if !self.run.has_failed() {
                    tracing::error!(target: "pathway", "{message}; this process ends with it");
                }
                self.fail(ErrorKind::Process, message);
            }
            Message::Opened { time, presses } => self.run.opened(time, presses),
            Message::Saved { time } => self.run.saved(self.process, time),
            Message::Taken { counts } => self.run.were_taken(&counts),
            // What cannot be read is of another version, and those do not come together.
            Message::Counted { counts } => {
                self.run
                    .counted(self.process, serde_json::from_str(&counts).unwrap_or_default());
            }
            Message::Snapshot { word } => self.run.snapshot(self.process, &word),
            Message::Stop => self.run.stop(),
            Message::Hello { .. } | Message::Alive | Message::Done => {}
        }
    }

    fn lost(&mut self, reason: &io::Error) {
        self.fail(ErrorKind::Runtime, gone(self.process, &self.address, reason));
    }
}

/// The connections of a run to its other processes.
#[derive(Debug)]
pub(crate) struct Connections {
    lines: Arc<Lines>,
}

impl Connections {
    /// Opens the lines; gives back the connections for data, in the order of the processes.
    pub(crate) fn open(
        peers: Vec<Peer>,
        lines: &Arc<Lines>,
        run: &Arc<dyn Told>,
        silence: Duration,
    ) -> Result<(Self, Vec<(usize, Channel)>), EngineError> {
        let (mut data, mut opened) = (Vec::new(), Vec::new());
        for peer in peers {
            let ear = Ear {
                process: peer.process,
                address: peer.address,
                run: Arc::clone(run),
            };
            let line = Line::open(peer.process, peer.line, silence, ear)
                .map_err(|error| EngineError::os("the line to another process cannot be opened", &error))?;
            data.push((peer.process, peer.data));
            opened.push((peer.process, line));
        }
        lines.open(opened);
        let lines = Arc::clone(lines);
        Ok((Self { lines }, data))
    }

    /// Ends them, after the others have ended theirs unless the run has failed.
    pub(crate) fn close(self, has_failed: bool) {
        self.lines.close(has_failed);
    }
}
