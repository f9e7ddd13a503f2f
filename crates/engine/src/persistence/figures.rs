//! What people see of a run that is kept: figures that the threads of the journal and of the snapshots leave here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use towpath_types::Time;

/// What this process has kept so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptFigures {
    /// Up to which time all that came into the run is on disk, in all processes; nothing if nothing is.
    pub durable_time: Option<Time>,
    /// How far that is behind the latest commit of this process, in milliseconds.
    pub lag: u64,
    /// How many bytes of the journal this process has written in this run.
    pub journal_written: u64,
    /// How many bytes of it are kept; those of earlier runs are counted by the first process.
    pub journal_bytes: u64,
    /// The last snapshot, if there is one.
    pub snapshot: Option<SnapshotFigures>,
}

/// The last snapshot of the state of the operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotFigures {
    /// The time after which it holds.
    pub time: Time,
    /// How long this process took for it, if it was taken in this run.
    pub duration: Option<Duration>,
    /// How many bytes it has, in how many files. Only the first process knows.
    pub size: Option<(u64, usize)>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Figures {
    /// Up to this time everything was kept by earlier runs.
    before: Option<Time>,
    /// The first and the latest time of a commit of this run.
    first: AtomicU64,
    committed: AtomicU64,
    /// The bytes of the journal that earlier runs have written.
    earlier: AtomicU64,
    /// Those of this run; those of them that are in files before the present one, and that were deleted.
    written: AtomicU64,
    rotated: AtomicU64,
    deleted: AtomicU64,
    snapshot: Mutex<Option<SnapshotFigures>>,
}

impl Figures {
    /// For a run after this time, and so many bytes.
    pub(crate) fn new(before: Option<Time>, earlier: u64) -> Self {
        Self {
            before,
            first: AtomicU64::new(Time::MAX),
            committed: AtomicU64::new(0),
            earlier: AtomicU64::new(earlier),
            written: AtomicU64::new(0),
            rotated: AtomicU64::new(0),
            deleted: AtomicU64::new(0),
            snapshot: Mutex::new(None),
        }
    }

    /// A stream commits.
    pub(super) fn commits(&self, time: Time) {
        self.first.fetch_min(time, Ordering::Relaxed);
        self.committed.fetch_max(time, Ordering::Relaxed);
    }

    /// The journal has so many bytes, and so many of them are in files before the present one.
    pub(super) fn wrote(&self, bytes: u64, rotated: u64) {
        self.rotated.store(rotated, Ordering::Relaxed);
        self.written.store(bytes, Ordering::Relaxed);
    }

    /// A snapshot has what is in files before the present one, if the journal has begun one for it: they can go.
    pub(super) fn is_in_snapshot(&self) {
        let rotated = self.rotated.load(Ordering::Relaxed);
        if rotated > 0 {
            self.deleted.store(rotated, Ordering::Relaxed);
            self.earlier.store(0, Ordering::Relaxed);
        }
    }

    /// This is the last snapshot.
    pub(super) fn has_snapshot(&self, snapshot: SnapshotFigures) {
        *self.snapshot.lock() = Some(snapshot);
    }

    /// The last snapshot has another size now.
    pub(super) fn resized_snapshot(&self, size: (u64, usize)) {
        if let Some(snapshot) = &mut *self.snapshot.lock() {
            snapshot.size = Some(size);
        }
    }

    /// All of them; everything before the time `durable` is on disk.
    pub(super) fn shown(&self, durable: Time) -> KeptFigures {
        let (first, committed) = (
            self.first.load(Ordering::Relaxed),
            self.committed.load(Ordering::Relaxed),
        );
        let own = durable
            .checked_sub(1)
            .map(|last| last.min(committed))
            .filter(|last| *last >= first);
        let written = self.written.load(Ordering::Relaxed);
        let kept = written.saturating_sub(self.deleted.load(Ordering::Relaxed));
        KeptFigures {
            durable_time: own.max(self.before),
            // What came before this run is no part of it.
            lag: committed.saturating_sub(own.unwrap_or(first)),
            journal_written: written,
            journal_bytes: self.earlier.load(Ordering::Relaxed) + kept,
            snapshot: *self.snapshot.lock(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_the_disk_is_behind() {
        let figures = Figures::new(None, 0);
        let shown = |durable| {
            let KeptFigures { durable_time, lag, .. } = figures.shown(durable);
            (durable_time, lag)
        };
        assert_eq!(shown(0), (None, 0));
        assert_eq!(shown(Time::MAX), (None, 0), "nothing has come");
        figures.commits(100);
        figures.commits(900);
        figures.commits(700);
        assert_eq!(shown(0), (None, 800));
        assert_eq!(shown(100), (None, 800), "what is at that time is not on disk yet");
        assert_eq!(shown(101), (Some(100), 800));
        assert_eq!(shown(701), (Some(700), 200));
        assert_eq!(shown(901), (Some(900), 0));
        assert_eq!(shown(Time::MAX), (Some(900), 0));

        let later = Figures::new(Some(40), 0);
        assert_eq!((later.shown(0).durable_time, later.shown(0).lag), (Some(40), 0));
        later.commits(100);
        assert_eq!((later.shown(50).durable_time, later.shown(50).lag), (Some(40), 0));
        later.commits(102);
        assert_eq!((later.shown(50).durable_time, later.shown(50).lag), (Some(40), 2));
    }

    #[test]
    fn bytes_that_a_snapshot_has_are_not_kept() {
        let figures = Figures::new(None, 1000);
        let bytes = || (figures.shown(0).journal_written, figures.shown(0).journal_bytes);
        figures.wrote(50, 0);
        assert_eq!(bytes(), (50, 1050));
        // All that came in is kept besides.
        figures.is_in_snapshot();
        assert_eq!(bytes(), (50, 1050));
        figures.wrote(60, 50);
        assert_eq!(bytes(), (60, 1060));
        figures.is_in_snapshot();
        assert_eq!(bytes(), (60, 10));
        figures.wrote(90, 50);
        assert_eq!(bytes(), (90, 40));
    }
}
