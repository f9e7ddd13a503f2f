//! What the streams of sources know of each other: how far the latest has come, so that idle ones follow.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use timely::scheduling::SyncActivator;
use towpath_types::Time;

use crate::cluster::Lines;

/// What the streams of all sources in one process know of each other, and of those in other processes.
pub(crate) struct SourceTimes {
    /// The latest time at which a commit was opened.
    latest: AtomicU64,
    /// The greatest time of a commit that a source has opened itself.
    chosen: AtomicU64,
    /// Commits that are open at an earlier time are closed, unless only the source may: somebody waits for rows in flight
    /// to be complete, because there is no space or a stream has failed.
    pressed: AtomicU64,
    streams: Mutex<Vec<OpenStream>>,
    /// The other processes, if they read streams that have to follow.
    lines: Option<Arc<Lines>>,
    /// Is told that a stream of this process has come further.
    on_advance: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

/// How far a stream is.
pub(super) struct StreamTime {
    /// The time of its open commit; [`CLOSED`] when it has ended.
    pub(super) open: AtomicU64,
    /// Whether it stays there until it commits; otherwise it follows the others.
    pub(super) stays: AtomicBool,
    /// The latest time of [`SourceTimes::pressed`] to which its reader has done what it can.
    pub(super) answered: AtomicU64,
}

/// A stream as the others see it.
struct OpenStream {
    own: Arc<StreamTime>,
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
            chosen: AtomicU64::new(0),
            pressed: AtomicU64::new(0),
            streams: Mutex::default(),
            lines,
            on_advance: OnceLock::new(),
        }
    }

    /// Installs what is told that a stream of this process has come further.
    pub(crate) fn on_advance(&self, told: impl Fn() + Send + Sync + 'static) {
        // There is one run, which installs one.
        let _ = self.on_advance.set(Box::new(told));
    }

    /// A stream of this process has come further, or ended.
    pub(super) fn advanced(&self) {
        if let Some(told) = self.on_advance.get() {
            told();
        }
    }

    /// A stream of this process begins; `waker` wakes its reader, if it may follow.
    pub(super) fn join(&self, own: &Arc<StreamTime>, waker: Option<SyncActivator>) {
        let own = Arc::clone(own);
        self.streams.lock().push(OpenStream { own, waker });
    }

    /// The latest time at which a commit was opened.
    pub(super) fn latest(&self) -> Time {
        self.latest.load(Ordering::Acquire)
    }

    /// A source opens a commit at a time that it has chosen; nobody follows it.
    pub(super) fn chooses(&self, time: Time) {
        self.chosen.fetch_max(time, Ordering::SeqCst);
    }

    /// The greatest time at which a commit was opened, as far as this process knows.
    pub(crate) fn reached(&self) -> Time {
        let latest = self.latest.load(Ordering::SeqCst);
        latest.max(self.chosen.load(Ordering::SeqCst))
    }

    /// Has all streams go on that have nothing to send, in all processes, so that nothing comes any more before a time.
    pub(crate) fn pass(&self, time: Time) {
        if self.note(time, false) {
            self.wake(|_| true);
            if let Some(lines) = &self.lines {
                lines.opened(time, false);
            }
        }
    }

    /// The time before which no commit stays open that the engine may close.
    pub(super) fn pressed(&self) -> Time {
        self.pressed.load(Ordering::Acquire)
    }

    /// Has the commits closed that are open at an earlier time than the latest, and says which that is.
    pub(super) fn press(&self) -> Time {
        let time = self.latest();
        if self.note(time, true) {
            self.wake(|_| true);
            if let Some(lines) = &self.lines {
                lines.opened(time, true);
            }
        }
        time
    }

    /// Whether every stream of this process has closed its commit if it was open before a time that was pressed for.
    pub(super) fn have_answered(&self, time: Time) -> bool {
        self.streams.lock().iter().all(|OpenStream { own, waker }| {
            waker.is_none()
                || own.answered.load(Ordering::Acquire) >= time
                || own.open.load(Ordering::Acquire) == CLOSED
        })
    }

    /// Before which time no stream of this process sends anything any more; there are so many of them.
    pub(crate) fn closed(&self, streams: usize) -> Time {
        let joined = self.streams.lock();
        if joined.len() < streams {
            return 0;
        }
        let open = joined.iter().map(|stream| stream.own.open.load(Ordering::Acquire));
        open.min().unwrap_or(CLOSED)
    }

    /// A stream of this process has opened a commit; `presses` if it waits for space, until what it has sent is complete.
    pub(super) fn opened(&self, time: Time, stream: &Arc<StreamTime>, presses: bool) {
        self.advanced();
        if self.note(time, presses) {
            self.wake(|other| !Arc::ptr_eq(other, stream));
            if let Some(lines) = &self.lines {
                lines.opened(time, presses);
            }
        }
    }

    /// A stream of another process has.
    pub(crate) fn opened_elsewhere(&self, time: Time, presses: bool) {
        if self.note(time, presses) {
            self.wake(|_| true);
        }
    }

    /// Whether that is new.
    fn note(&self, time: Time, presses: bool) -> bool {
        let is_pressing = presses && self.pressed.fetch_max(time, Ordering::AcqRel) < time;
        self.latest.fetch_max(time, Ordering::SeqCst) < time || is_pressing
    }

    fn wake(&self, is_wanted: impl Fn(&Arc<StreamTime>) -> bool) {
        for OpenStream { own, waker } in self.streams.lock().iter() {
            if let Some(waker) = waker
                && own.open.load(Ordering::Relaxed) != CLOSED
                && is_wanted(own)
            {
                // A worker that is gone follows nobody.
                let _ = waker.activate();
            }
        }
    }

    /// The earliest time at which a commit of this process is open, when all who follow have followed.
    pub(crate) fn earliest(&self) -> Option<Time> {
        let streams = self.streams.lock();
        let times = streams.iter().map(|OpenStream { own, .. }| {
            let stays = own.stays.load(Ordering::Acquire);
            let open = own.open.load(Ordering::Acquire);
            if stays { open } else { open.max(self.latest()) }
        });
        times.filter(|time| *time != CLOSED).min()
    }
}

impl std::fmt::Debug for SourceTimes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SourceTimes({})", self.latest())
    }
}
