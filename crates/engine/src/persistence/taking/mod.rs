//! The thread that takes snapshots, one in each process. The first process says when; the others do as they are told.
//!
//! It agrees with the others on a time at which the run is [cut](super::cut). When all operators have saved, all that came in
//! up to the cut is on disk and every output has noted what it has delivered, each process writes its part, and the first
//! one the manifest. Then what is not needed any more is deleted.
//!
//! ```text
//! mod              the thread
//!   taker          when a snapshot is taken, and the manifest
//!     participant  what each process adds to it
//!       words      what they tell each other
//! ```

mod participant;
mod taker;
mod words;

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use towpath_cluster::Declared;

use super::cut::Cut;
use super::snapshots::{Manifest, Merging};
use crate::error::EngineError;
use participant::Participant;
use taker::{PATIENCE, Taker};

pub(crate) use participant::{Local, Surroundings};
pub(crate) use words::Word;

/// What the thread that takes snapshots is started with.
pub(crate) struct ToTake {
    pub(crate) local: Local,
    /// How many other processes there are.
    pub(crate) others: usize,
    /// How often at most.
    pub(crate) interval: Duration,
    /// The snapshot that the run has gone on from.
    pub(crate) before: Option<Manifest>,
    /// What the program is.
    pub(crate) program: Vec<Declared>,
    /// Whether all that came in is kept, besides.
    pub(crate) keeps_journal: bool,
}

impl std::fmt::Debug for ToTake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ToTake")
    }
}

/// The thread that takes snapshots.
pub(crate) struct Taking {
    inbox: Sender<(usize, Word)>,
    cut: Arc<Cut>,
    process: usize,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Taking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Taking")
    }
}

impl Taking {
    /// Starts it.
    pub(crate) fn start(to_take: ToTake) -> Result<Self, EngineError> {
        let ToTake {
            local,
            others,
            interval,
            before,
            program,
            keeps_journal,
        } = to_take;
        let (inbox, received) = channel();
        let (cut, process) = (Arc::clone(&local.cut), local.process);
        if let Some(before) = &before {
            local.note(before.time, None, Some(before.size()).filter(|_| process == 0));
        }
        let work = move || {
            let surroundings = Arc::clone(&local.surroundings);
            let is_first = local.process == 0;
            let mut taker = Taker {
                last: before.as_ref().map_or(0, |before| before.time),
                own: Participant {
                    local,
                    begun: 0,
                    writer: None,
                    pending: None,
                },
                others,
                received,
                ended: None,
                before,
                program,
                keeps_journal,
                merging: None,
                has_swept: false,
            };
            let taken = if is_first { taker.lead(interval) } else { taker.follow() };
            let cancelled = taker.merging.take().map_or(Ok(()), Merging::cancel);
            if let Err(error) = taken.and(cancelled) {
                surroundings.fail(error);
            }
        };
        let write = inbox.clone();
        cut.on_many_rows(move || {
            // It has ended with the run.
            let _ = write.send((process, Word::Write));
        });
        let thread = std::thread::Builder::new()
            .name("pathway-snapshots".to_owned())
            .spawn(work)
            .map_err(|error| EngineError::os("the thread that takes snapshots did not start", &error))?;
        Ok(Self {
            inbox,
            cut,
            process,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Another process says something.
    pub(crate) fn heard(&self, process: usize, word: Word) {
        // It has ended with the run.
        let _ = self.inbox.send((process, word));
    }

    /// The run has ended; if `well`, the last snapshot is taken.
    pub(crate) fn finish(&self, well: bool) {
        let _ = self.inbox.send((self.process, Word::End(well)));
        // One that has failed waits for nothing.
        self.cut.end(if well { PATIENCE } else { Duration::ZERO });
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            // It reports its failures itself.
            drop(thread.join());
        }
    }
}
