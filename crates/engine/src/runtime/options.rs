//! How a plan is run.

use std::sync::Arc;

use towpath_types::Time;

use crate::clock::{Clock, SystemClock};
use crate::cluster::Member;
use crate::persistence::Persistence;
use crate::plan::NodeId;

/// How to run a plan.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// How many worker threads.
    pub workers: usize,
    /// Whether the first row that fails ends the run; otherwise failures flow on as errors and are logged.
    pub terminate_on_error: bool,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The time of the first commits; the time of day at the start if there is none. That of the first process holds
    /// in all.
    pub start: Option<Time>,
    /// Whether every node runs that is no output, or only those that an output needs.
    pub everything: bool,
    /// The outputs that run; all of the plan's if there is none.
    pub outputs: Option<Vec<NodeId>>,
    /// The other processes of the run, if there are any; each has as many workers.
    pub cluster: Option<Member>,
    /// Where the run is kept, if it is.
    pub persistence: Option<Persistence>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            workers: 1,
            terminate_on_error: true,
            clock: Arc::new(SystemClock),
            start: None,
            everything: false,
            outputs: None,
            cluster: None,
            persistence: None,
        }
    }
}
