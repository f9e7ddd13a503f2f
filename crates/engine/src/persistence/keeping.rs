//! What a run keeps of its streams and outputs, and what the runs before have kept of them.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use towpath_types::Time;

use super::comparing::Comparing;
use super::cut::Cut;
use super::history::History;
use super::journal::Journal;
use super::kept_output::KeptOutput;
use super::recovering::Recovering;
use super::resuming::Resuming;
use super::snapshots::Restoring;
use super::standing::StreamStanding;
use super::stream_journal::{Positions, StreamJournal};
use super::taking::{Taking, ToTake};
use crate::error::EngineError;
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
    /// Where the streams stand that are read here.
    pub(crate) standings: BTreeMap<(usize, usize), Arc<Mutex<StreamStanding>>>,
    /// Where the run is cut, if the state of operators is kept.
    pub(crate) cut: Option<Arc<Cut>>,
    /// Random numbers that are the same in all runs, for operators whose state is kept.
    pub(crate) seeds: Option<[u64; 2]>,
    /// What operators get back of their state, and up to which time they know all.
    pub(crate) restoring: Option<Arc<Restoring>>,
    pub(crate) known: Option<Time>,
    /// The thread that takes snapshots, once all processes can hear each other.
    pub(crate) taking: OnceLock<Taking>,
    pub(crate) to_take: Mutex<Option<ToTake>>,
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
        self.end(false);
    }
}

impl Keeping {
    /// What is kept of a stream, for the worker that reads it.
    pub(crate) fn stream(&self, node: usize, stream: usize) -> KeptStream {
        self.streams.lock().remove(&(node, stream)).unwrap_or_default()
    }

    /// Begins to take snapshots, if any are to be taken.
    pub(crate) fn take_snapshots(&self) -> Result<(), EngineError> {
        let to_take = self.to_take.lock().take();
        if let Some(to_take) = to_take {
            let taking = Taking::start(to_take)?;
            // There is one run, which starts it once.
            let _ = self.taking.set(taking);
        }
        Ok(())
    }

    /// The run has ended, well or not: writes what is still to be written.
    pub(crate) fn end(&self, well: bool) {
        if let Some(taking) = self.taking.get() {
            taking.finish(well);
        }
        if let Some(journal) = &self.journal {
            journal.end(well);
        }
    }

    /// What an output of this worker has to know.
    pub(crate) fn output(&self, node: usize, worker: usize) -> Option<&KeptOutput> {
        self.outputs.get(&(node, worker))
    }
}
