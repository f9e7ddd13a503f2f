//! How a run ends before its sources do: something has failed, or is about to.
//!
//! What fails at once stops all queues and wakes all workers, which then drop their dataflows. Where a stream has failed,
//! or the end of an output, what was committed before is still to be completed: each worker sees to that, see
//! [`WorkerEnding`](super::worker_ending::WorkerEnding), and a thread here sees to it that the run ends all the same if
//! nothing comes further.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use timely::scheduling::SyncActivator;

use crate::cluster::Lines;
use crate::error::EngineError;
use crate::monitor::{Watched, count_returned};
use crate::source::SourceQueue;

/// The end of a run, as all its threads see it.
pub(crate) struct Ending {
    /// For every node: what is watched, and the streams of a source that are read here.
    watched: Arc<[Watched]>,
    /// Where the other processes hear of a failure.
    lines: Arc<Lines>,
    /// Whether there is no other process.
    is_alone: bool,
    /// What ended the run; the first counts.
    failure: Mutex<Option<EngineError>>,
    is_failed: AtomicBool,
    /// Whether a stream has failed, or the end of an output, and the run ends when what was committed is complete.
    is_near: AtomicBool,
    /// The thread that waits for this, if there is one.
    patience: Mutex<Option<JoinHandle<()>>>,
    /// Whether the workers have ended.
    is_over: AtomicBool,
    /// How often the outputs have come further, as this process has seen it.
    moves: AtomicU64,
    wakers: Mutex<Vec<SyncActivator>>,
}

/// How often somebody looks whether what was committed is complete.
pub(super) const LOOK: Duration = Duration::from_millis(20);

/// How long a run of several processes waits when the outputs do not come further.
const PATIENCE: Duration = Duration::from_millis(1500);

/// How long a run of one process waits when nothing comes further and no function returns.
const PATIENCE_ALONE: Duration = Duration::from_secs(5);

impl Ending {
    pub(crate) fn new(watched: Arc<[Watched]>, lines: Arc<Lines>, is_alone: bool) -> Self {
        Self {
            watched,
            lines,
            is_alone,
            failure: Mutex::default(),
            is_failed: AtomicBool::new(false),
            is_near: AtomicBool::new(false),
            patience: Mutex::default(),
            is_over: AtomicBool::new(false),
            moves: AtomicU64::new(0),
            wakers: Mutex::default(),
        }
    }

    /// A stream, or the end of an output, has failed with this error. The run ends soon, also while the workers that
    /// should see to it are inside functions of the user's, or other processes hold up what was committed before.
    pub(crate) fn end_soon(self: &Arc<Self>, error: &EngineError) {
        if self.is_near.swap(true, Ordering::AcqRel) {
            return;
        }
        let is_alone = self.is_alone;
        let patience = if is_alone { PATIENCE_ALONE } else { PATIENCE };
        let watch = {
            let (ending, error) = (Arc::downgrade(self), error.clone());
            move || {
                let (mut moves, mut since) = (0, Instant::now());
                while let Some(ending) = ending.upgrade()
                    && !ending.is_failed()
                    && !ending.is_over.load(Ordering::Acquire)
                {
                    let mut seen = ending.moves.load(Ordering::Relaxed);
                    if is_alone {
                        seen += ending.rows_moved() + count_returned();
                    }
                    if seen != moves {
                        (moves, since) = (seen, Instant::now());
                    }
                    if since.elapsed() >= patience {
                        return ending.fail(error);
                    }
                    drop(ending);
                    std::thread::park_timeout(LOOK);
                }
            }
        };
        let mut patience = self.patience.lock();
        if self.is_over.load(Ordering::Acquire) {
            return;
        }
        let thread = std::thread::Builder::new().name("pathway-patience".to_owned());
        match thread.spawn(watch) {
            Ok(thread) => *patience = Some(thread),
            Err(_) => self.fail(error.clone()),
        }
    }

    /// The workers have ended: nobody waits for a failure any more. What failed, which may hold objects of the user's,
    /// is given back before the run is over.
    pub(crate) fn end_patience(&self) {
        let thread = {
            let mut patience = self.patience.lock();
            self.is_over.store(true, Ordering::Release);
            patience.take()
        };
        if let Some(thread) = thread {
            thread.thread().unpark();
            // It has nothing to say but the failure.
            drop(thread.join());
        }
    }

    /// How many rows came into and out of the nodes of this process.
    fn rows_moved(&self) -> u64 {
        let counts = self.watched.iter().map(|watched| watched.statistics().all);
        counts.map(|counts| counts.rows_in + counts.rows_out).sum()
    }

    /// The outputs have come further.
    pub(super) fn moved(&self) {
        self.moves.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends the run at once.
    pub(crate) fn fail(&self, error: EngineError) {
        {
            let mut failure = self.failure.lock();
            if failure.is_none() {
                // It is only queued: the others hear of it while this process ends.
                self.lines.failed(&error);
                *failure = Some(error);
            }
        }
        self.is_failed.store(true, Ordering::Release);
        for queue in self.queues() {
            queue.stop();
        }
        for waker in self.wakers.lock().iter() {
            // A worker that is gone needs no waking.
            let _ = waker.activate();
        }
    }

    /// A worker hears of a failure by this.
    pub(super) fn wakes(&self, waker: SyncActivator) {
        self.wakers.lock().push(waker);
    }

    pub(crate) fn is_failed(&self) -> bool {
        self.is_failed.load(Ordering::Acquire)
    }

    pub(crate) fn failure(&self) -> Option<EngineError> {
        self.failure.lock().clone()
    }

    pub(crate) fn take_failure(&self) -> Option<EngineError> {
        self.failure.lock().take()
    }

    /// The streams of sources that are read in this process.
    pub(crate) fn queues(&self) -> impl Iterator<Item = &Arc<SourceQueue>> {
        let parts = self.watched.iter().flat_map(|watched| &watched.parts);
        parts.filter_map(|part| part.queue.as_ref())
    }
}
