//! Processes that compute together: how they find each other, make sure that they may trust each other and run
//! the same plan, and tell each other how it ends.
//!
//! Between any two processes there are two connections, made by the one with the higher number. One carries the
//! data; what it carries is the engine's business. The other is the [`Line`], for the few words that are not data:
//! *I have failed*, *please stop*, *I am done*. It is also how a process learns that another one is gone.
//!
//! Nothing a stranger sends is looked at beyond a few bytes of fixed length: see [`handshake`].

mod calls;
mod channel;
mod comparison;
mod connect;
mod handshake;
mod line;
mod program;

use std::time::Duration;

pub use channel::{Channel, Incoming, Outgoing};
pub use connect::connect;
pub use line::{Ends, Line, Listener, Message};
pub use program::{Declared, Setting, first_difference_of};

/// Who this process is among the others, and what all must agree on.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The number of this process, from 0.
    pub process: usize,
    /// Where each process listens, as `host:port`; as many as there are processes.
    pub addresses: Vec<String>,
    /// What the processes prove to each other that they know.
    pub secret: String,
    /// How long to wait for the others.
    pub timeout: Duration,
    /// Which run of the program this is, from 0: a process may be a run ahead of another.
    pub run: u64,
    /// The version of the program; all must have the same.
    pub version: String,
    /// The number of worker threads of each process; all must have the same.
    pub threads: usize,
    /// What the program has declared; all must have the same.
    pub program: Vec<Declared>,
    /// What the first process decides for all; of no meaning in the others.
    pub orders: String,
}

/// The connections to one other process.
#[derive(Debug)]
pub struct Peer {
    /// Its number.
    pub process: usize,
    /// Where it listens.
    pub address: String,
    /// For data.
    pub data: Channel,
    /// For everything else.
    pub line: Ends,
}

/// Why the processes did not come together.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ClusterError {
    /// The address of this process cannot be listened at.
    #[error("process {process} cannot listen at {address}: {reason}")]
    Listen {
        /// This process.
        process: usize,
        /// Where it was to listen.
        address: String,
        /// What the operating system says.
        reason: String,
    },
    /// Some other process was not there in time.
    #[error("process {process} was not found at {address} within {seconds} s: {reason}")]
    Absent {
        /// The process that is missing.
        process: usize,
        /// Where it was to be.
        address: String,
        /// How long it was waited for.
        seconds: f64,
        /// What was seen last.
        reason: String,
    },
    /// Another process runs something else.
    #[error("process {process} does not fit: {reason}")]
    Mismatch {
        /// The other process.
        process: usize,
        /// What differs.
        reason: String,
    },
    /// Another process ended before it was known what it runs.
    #[error("process {process} ended while it was being compared: {reason}")]
    Lost {
        /// The other process.
        process: usize,
        /// What was seen of it.
        reason: String,
    },
    /// The operating system failed.
    #[error("{0}")]
    Os(String),
    /// The wait was broken off.
    #[error("the wait for the other processes was interrupted")]
    Interrupted,
}
