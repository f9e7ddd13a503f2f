//! What a run keeps of its streams and outputs, and what the runs before have kept of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::comparing::Comparing;
use super::history::History;
use super::journal::{Journal, KeptOutput, Positions, StreamJournal};
use super::recovering::Recovering;
use super::resuming::Resuming;
use crate::source::Resumption;

/// See the module. Nodes are known by their positions in the physical plan.
#[derive(Debug, Default)]
pub(crate) struct Keeping {
    /// Where what comes is kept, unless what was kept is only read.
    pub(crate) journal: Option<Arc<Journal>>,
    /// By node and stream; each is taken by the worker that reads the stream.
    pub(crate) streams: Mutex<BTreeMap<(usize, usize), KeptStream>>,
    /// By node, and worker where each has a part of the output.
    pub(crate) outputs: BTreeMap<(usize, usize), KeptOutput>,
    /// Whether sources end after what was kept of them, and are not asked.
    pub(crate) only_plays: bool,
    /// Where the streams go on.
    pub(crate) resumptions: BTreeMap<(usize, usize), Resumption>,
    /// The positions of the streams that are not on disk yet.
    pub(crate) positions: BTreeMap<(usize, usize), Arc<Positions>>,
}

/// What is kept of a stream.
#[derive(Debug, Default)]
pub(crate) struct KeptStream {
    /// What the runs before have kept.
    pub(crate) history: Option<History>,
    /// Is told when that has been sent.
    pub(crate) recovering: Option<Arc<Recovering>>,
    /// What of it comes again.
    pub(crate) resuming: Option<Resuming>,
    /// What is compared with what comes, where the source sends everything again.
    pub(crate) comparing: Option<Comparing>,
    /// Whether there was a run before, so that it has no rows at time 0.
    pub(crate) begins_late: bool,
    /// Whether it ends after that.
    pub(crate) ends_with_history: bool,
    /// Whether what was kept is sent with the pauses that were in it.
    pub(crate) in_real_time: bool,
    /// Where what comes is kept.
    pub(crate) journal: Option<StreamJournal>,
}

impl Drop for Keeping {
    fn drop(&mut self) {
        if let Some(journal) = &self.journal {
            journal.end(false);
        }
    }
}

impl Keeping {
    /// What is kept of a stream, for the worker that reads it.
    pub(crate) fn stream(&self, node: usize, stream: usize) -> KeptStream {
        self.streams.lock().remove(&(node, stream)).unwrap_or_default()
    }

    /// What an output of this worker has to know.
    pub(crate) fn output(&self, node: usize, worker: usize) -> Option<&KeptOutput> {
        self.outputs.get(&(node, worker))
    }
}
