//! How far all that came into the run is on disk, in this process and in the others; and who waits for it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use towpath_durability::Record;
use towpath_types::Time;

use super::record::kind;

/// Is told that more is durable.
type Waker = Box<dyn Fn() + Send>;

/// How many notes of an output are in line, and how many of them on disk.
#[derive(Debug, Default)]
struct Prepared {
    put: u64,
    written: u64,
}

/// Up to which time all that came into the run is on disk.
#[derive(Default)]
pub(crate) struct Durable {
    /// In all processes.
    time: AtomicU64,
    /// In this one, and in each of the others.
    own: AtomicU64,
    others: BTreeMap<usize, AtomicU64>,
    wakers: Mutex<Vec<Waker>>,
    /// Of outputs that wait for what they have prepared to be noted on disk.
    prepared: Mutex<BTreeMap<u32, Prepared>>,
}

impl Durable {
    /// Nothing is yet, in this process and in others with these numbers.
    pub(super) fn new(others: impl Iterator<Item = usize>) -> Self {
        Self {
            others: others.map(|process| (process, AtomicU64::new(0))).collect(),
            ..Self::default()
        }
    }

    /// Everything that was committed at an earlier time is, in all processes.
    pub(crate) fn time(&self) -> Time {
        self.time.load(Ordering::Acquire)
    }

    /// Whether there are no other processes.
    pub(super) fn is_of_one_process(&self) -> bool {
        self.others.is_empty()
    }

    /// Calls this whenever more is durable.
    pub(crate) fn wakes(&self, waker: impl Fn() + Send + 'static) {
        self.wakers.lock().push(Box::new(waker));
    }

    /// Nobody is told any more.
    pub(crate) fn forget_wakers(&self) {
        self.wakers.lock().clear();
    }

    /// What came into this process before a time is on disk. If that is news, `tell` is told, for the others.
    pub(super) fn saved_here(&self, time: Time, tell: impl FnOnce(Time)) {
        if self.own.fetch_max(time, Ordering::AcqRel) < time {
            tell(time);
            self.publish();
        }
    }

    /// What came into another process before a time is on disk.
    pub(crate) fn saved_elsewhere(&self, process: usize, time: Time) {
        if let Some(other) = self.others.get(&process) {
            other.fetch_max(time, Ordering::AcqRel);
            self.publish();
        }
    }

    /// Whether all that ever comes into other processes is.
    pub(super) fn is_all_saved_elsewhere(&self) -> bool {
        let is_all = |other: &AtomicU64| other.load(Ordering::Acquire) == Time::MAX;
        self.others.values().all(is_all)
    }

    /// Says up to which time everything is durable in all processes, if that is news.
    pub(super) fn publish(&self) {
        let others = self.others.values().map(|other| other.load(Ordering::Acquire));
        let durable = others.min().unwrap_or(Time::MAX).min(self.own.load(Ordering::Acquire));
        if self.time.fetch_max(durable, Ordering::AcqRel) < durable {
            self.wake();
        }
    }

    fn wake(&self) {
        for waker in self.wakers.lock().iter() {
            waker();
        }
    }

    /// An output puts a note in line of something that it has only prepared.
    pub(super) fn prepares(&self, stream: u32) {
        self.prepared.lock().entry(stream).or_default().put += 1;
    }

    /// Whether all such notes of an output are on disk.
    pub(super) fn is_prepared(&self, stream: u32) -> bool {
        let prepared = self.prepared.lock();
        prepared
            .get(&stream)
            .is_none_or(|prepared| prepared.written >= prepared.put)
    }

    /// These records are on disk: tells the outputs that wait for what they have prepared.
    pub(super) fn wrote(&self, records: &[Record]) {
        let mut is_news = false;
        let mut prepared = self.prepared.lock();
        for record in records.iter().filter(|record| record.kind == kind::DELIVERED) {
            if let Some(prepared) = prepared.get_mut(&record.stream) {
                prepared.written += 1;
                is_news = true;
            }
        }
        drop(prepared);
        if is_news {
            self.wake();
        }
    }
}
