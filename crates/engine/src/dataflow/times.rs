//! What the streams of sources know of each other: how far the latest has come, so that idle ones follow.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use timely::scheduling::SyncActivator;
use towpath_types::Time;

use crate::cluster::Lines;

/// What the streams of all sources in one process know of each other, and of those in other processes.
pub(crate) struct SourceTimes {
    /// The latest time at which a commit was opened.
    latest: AtomicU64,
    streams: Mutex<Vec<OpenStream>>,
    /// The other processes, if they read streams that have to follow.
    lines: Option<Arc<Lines>>,
}

/// A stream as the others see it.
struct OpenStream {
    /// The time of its open commit; [`CLOSED`] when it has ended.
    open: Arc<AtomicU64>,
    /// Wakes its reader, if it may follow.
    waker: Option<SyncActivator>,
}

/// The time of the open commit of a stream that has ended.
pub(super) const CLOSED: Time = Time::MAX;

impl SourceTimes {
    /// The times of a process; `lines` lead to others that read streams, too.
    pub(crate) fn new(lines: Option<Arc<Lines>>) -> Self {
        Self {
            latest: AtomicU64::new(0),
            streams: Mutex::default(),
            lines,
        }
    }

    /// A stream of this process begins; `waker` wakes its reader, if it may follow.
    pub(super) fn join(&self, open: &Arc<AtomicU64>, waker: Option<SyncActivator>) {
        let open = Arc::clone(open);
        self.streams.lock().push(OpenStream { open, waker });
    }

    /// The latest time at which a commit was opened.
    pub(super) fn latest(&self) -> Time {
        self.latest.load(Ordering::Acquire)
    }

    /// A stream of this process has opened a commit.
    pub(super) fn opened(&self, time: Time, stream: &Arc<AtomicU64>) {
        if self.latest.fetch_max(time, Ordering::AcqRel) < time {
            self.wake(|other| !Arc::ptr_eq(other, stream));
            if let Some(lines) = &self.lines {
                lines.opened(time);
            }
        }
    }

    /// A stream of another process has.
    pub(crate) fn opened_elsewhere(&self, time: Time) {
        if self.latest.fetch_max(time, Ordering::AcqRel) < time {
            self.wake(|_| true);
        }
    }

    fn wake(&self, is_wanted: impl Fn(&Arc<AtomicU64>) -> bool) {
        for OpenStream { open, waker } in self.streams.lock().iter() {
            if let Some(waker) = waker
                && open.load(Ordering::Relaxed) != CLOSED
                && is_wanted(open)
            {
                // A worker that is gone follows nobody.
                let _ = waker.activate();
            }
        }
    }

    /// The earliest open commit in this process.
    pub(crate) fn earliest(&self) -> Option<Time> {
        let streams = self.streams.lock();
        let open = streams.iter().map(|stream| stream.open.load(Ordering::Acquire));
        open.filter(|time| *time != CLOSED).min()
    }
}

impl std::fmt::Debug for SourceTimes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SourceTimes({})", self.latest())
    }
}
