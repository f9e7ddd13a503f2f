//! A run in several processes: what they tell each other besides data.
//!
//! Every process builds the same plan and has its share of the workers; sources are read in the first, which also
//! writes the outputs. What fails anywhere ends the run everywhere: the process where it happened reports it, the
//! others end with [`ErrorKind::Process`].

use std::io;
use std::net::TcpStream;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use towpath_cluster::{Line, Listener, Membership, Message, Peer};

use crate::dataflow::Shared;
use crate::error::{EngineError, ErrorKind, Origin, RowError};
use crate::plan::Plan;

/// The place of this process among those of a run.
#[derive(Clone)]
pub struct Cluster {
    /// The number of this process, from 0.
    pub process: usize,
    /// Where each process listens, as `host:port`.
    pub addresses: Vec<String>,
    /// What the processes prove to each other that they know.
    pub secret: String,
    /// How long to wait for the others.
    pub timeout: Duration,
    /// Which run of the program this is, from 0.
    pub run: u64,
    /// Whether to give up waiting for the others, asked several times a second.
    pub is_interrupted: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cluster({} of {:?})", self.process, self.addresses)
    }
}

impl Cluster {
    /// Finds the other processes and makes sure that they run the same.
    pub(crate) fn connect(&self, plan: &Plan, threads: usize) -> Result<Vec<Peer>, EngineError> {
        let membership = Membership {
            process: self.process,
            addresses: self.addresses.clone(),
            secret: self.secret.clone(),
            timeout: self.timeout,
            run: self.run,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            threads,
            plan: plan.fingerprint(),
        };
        towpath_cluster::connect(membership, &*self.is_interrupted)
            .map_err(|error| EngineError::new(ErrorKind::Runtime, error.to_string()))
    }
}

/// The lines to the other processes, once there are any.
#[derive(Debug, Default)]
pub(crate) struct Lines(OnceLock<Vec<(usize, Line)>>);

impl Lines {
    fn tell(&self, message: &Message, is_for: impl Fn(usize) -> bool) -> bool {
        let mut told = false;
        for (process, line) in self.0.get().into_iter().flatten() {
            if is_for(*process) {
                line.tell(message);
                told = true;
            }
        }
        told
    }

    /// Tells all others that the run has failed, unless they know.
    pub(crate) fn failed(&self, error: &EngineError) {
        if error.kind != ErrorKind::Process {
            let place = error
                .origin
                .as_ref()
                .map_or_else(String::new, |origin| format!(" ({origin})"));
            let message = format!("{}{place}", error.message);
            self.tell(&Message::Failed { message }, |_| true);
        }
    }

    /// Tells the first process of a row that has failed; whether this is another process.
    pub(crate) fn row_failed(&self, operator: usize, origin: Option<&Origin>, error: &RowError) -> bool {
        let message = Message::RowFailed {
            operator,
            message: error.message.clone(),
            trace: origin.map_or_else(String::new, ToString::to_string),
        };
        self.tell(&message, |process| process == 0)
    }

    /// Asks the first process to end the run, if this is another.
    pub(crate) fn stop(&self) {
        self.tell(&Message::Stop, |process| process == 0);
    }

    fn open(&self, lines: Vec<(usize, Line)>) {
        // There is one run, which opens them once.
        let _ = self.0.set(lines);
    }

    /// Says that this process is done, and waits for the others, unless the run has failed.
    fn close(self: Arc<Self>, has_failed: bool) {
        self.tell(&Message::Done, |_| true);
        for (_, line) in self.0.get().into_iter().flatten() {
            if has_failed {
                line.hang_up();
            }
            line.wait();
        }
    }
}

/// What a process does with what another tells it.
struct Ear {
    process: usize,
    address: String,
    shared: Weak<Shared>,
    run: Arc<dyn Told>,
}

/// What the run does with what it is told.
pub(crate) trait Told: Send + Sync {
    /// To end the run in good order.
    fn stop(&self);
    /// A row has failed in another process.
    fn row_failed(&self, operator: usize, message: &str, trace: &str);
}

impl Ear {
    fn fail(&self, kind: ErrorKind, message: String) {
        if let Some(shared) = self.shared.upgrade() {
            shared.fail(EngineError::new(kind, message));
        }
    }
}

impl Listener for Ear {
    fn heard(&mut self, message: Message) {
        match message {
            Message::Failed { message } => {
                let message = format!("process {} has failed: {message}", self.process);
                if self.shared.upgrade().is_some_and(|shared| !shared.is_failed()) {
                    tracing::error!(target: "pathway", "{message}; this process ends with it");
                }
                self.fail(ErrorKind::Process, message);
            }
            Message::RowFailed {
                operator,
                message,
                trace,
            } => self.run.row_failed(operator, &message, &trace),
            Message::Stop => self.run.stop(),
            Message::Hello { .. } | Message::Done => {}
        }
    }

    fn lost(&mut self, reason: &io::Error) {
        let Self { process, address, .. } = self;
        let message = format!(
            "process {process} at {address} is gone without a word ({reason}): it was killed, or its machine or the network has failed"
        );
        self.fail(ErrorKind::Runtime, message);
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
        shared: &Arc<Shared>,
        run: &Arc<dyn Told>,
    ) -> Result<(Self, Vec<(usize, TcpStream)>), EngineError> {
        let (mut data, mut opened) = (Vec::new(), Vec::new());
        for peer in peers {
            let ear = Ear {
                process: peer.process,
                address: peer.address,
                shared: Arc::downgrade(shared),
                run: Arc::clone(run),
            };
            let line = Line::open(peer.process, peer.line, ear)
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
