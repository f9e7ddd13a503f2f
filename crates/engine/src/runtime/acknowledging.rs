//! Tells sources how much of what they have sent is on disk, in a thread of its own: they may tell others, and wait for
//! them.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::streams::Sources;
use crate::dataflow::RunContext;
use crate::error::EngineError;

/// How long a source may take to acknowledge what was the last of a run.
const PATIENCE: Duration = Duration::from_secs(2);

/// The thread that tells sources.
pub(super) struct Acknowledging {
    /// Asks it to look; it ends when nobody can.
    look: Sender<()>,
    /// Ends with it.
    ended: Receiver<()>,
}

impl Acknowledging {
    /// Starts the thread, if anything is kept.
    pub(super) fn start(run: &Arc<RunContext>, sources: &Arc<Sources>) -> Result<Option<Self>, EngineError> {
        let Some(journal) = run.keeping.as_ref().and_then(|keeping| keeping.journal.clone()) else {
            return Ok(None);
        };
        let (look, asked) = channel();
        let (ends, ended) = channel();
        let (work_run, work_sources) = (Arc::downgrade(run), Arc::clone(sources));
        let work = move || {
            let _ends: Sender<()> = ends;
            while asked.recv().is_ok() {
                // One look is enough for all who have asked so far.
                while asked.try_recv().is_ok() {}
                let Some(run) = work_run.upgrade() else {
                    return;
                };
                tell(&run, &work_sources);
            }
        };
        std::thread::Builder::new()
            .name("pathway-durable".to_owned())
            .spawn(work)
            .map_err(|error| EngineError::os("the thread that tells sources what is kept did not start", &error))?;
        let asks = look.clone();
        journal.durable().wakes(move || {
            // It has ended with the run.
            let _ = asks.send(());
        });
        // What is durable already was told to nobody.
        let _ = look.send(());
        Ok(Some(Self { look, ended }))
    }

    /// All is written: waits until the sources know, though not for ever.
    pub(super) fn finish(self, run: &RunContext) {
        if let Some(journal) = run.keeping.as_ref().and_then(|keeping| keeping.journal.as_ref()) {
            journal.durable().forget_wakers();
        }
        // The last look.
        let _ = self.look.send(());
        drop(self.look);
        if self.ended.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            tracing::warn!(
                target: "pathway",
                "on_durable() of a connector has not returned within {} seconds after the run has ended, and is left behind",
                PATIENCE.as_secs()
            );
        }
    }
}

fn tell(run: &RunContext, sources: &Sources) {
    let Some(keeping) = &run.keeping else {
        return;
    };
    let Some(journal) = &keeping.journal else {
        return;
    };
    let durable = journal.durable().time();
    for ((node, stream), positions) in &keeping.positions {
        if let Some(position) = positions.durable(durable) {
            sources.durable(*node, *stream, position);
        }
    }
}
