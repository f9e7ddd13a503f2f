//! Where a run is cut: a time after which the state of every operator is saved.
//!
//! Times are totally ordered and each operator takes them one after the other, so a cut needs no marks among the rows: an
//! operator saves what has changed before it opens a later time, or when nothing earlier can come any more. The time is
//! published first and then looked at: if an operator or a stream has opened a later one before it could see that, the cut is
//! made later. Whoever opens a time says so before it looks for a cut, so one of the two sees the other.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use towpath_types::Time;

use crate::state::SavedRows;

/// No cut was asked for.
const NONE: Time = 0;

/// What all operators and streams of a process know of cuts, and what the operators have saved.
pub(crate) struct Cut {
    /// The time after which all is to be saved.
    wanted: AtomicU64,
    /// The greatest time that an operator has opened, or at which a stream has committed.
    reached: AtomicU64,
    savers: Mutex<Savers>,
    changed: Condvar,
    /// So many rows are not held back until the run is cut.
    early_rows: usize,
    /// Is told that many rows wait to be written.
    write: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

#[derive(Debug, Default)]
struct Savers {
    all: Vec<Saver>,
    /// How many workers have named theirs.
    workers: usize,
    /// When nobody waits any more, since the run has ended and no more is saved.
    over: Option<Instant>,
    /// How many rows wait to be written.
    waiting: usize,
}

/// What an operator of a worker has saved.
#[derive(Debug)]
struct Saver {
    part: StatePart,
    /// Up to which cut all is; [`Time::MAX`] when it has ended.
    saved: Time,
    /// The rows, and after which time they hold.
    rows: Vec<(Time, Vec<SavedRows>)>,
}

/// Whose state it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StatePart {
    /// The position of the node in the physical plan.
    pub(crate) node: usize,
    /// Whether it is that of its program, and not of its task.
    pub(crate) is_program: bool,
}

/// Rows that were saved, by whose state they are.
pub(super) type Collected = Vec<(StatePart, Vec<SavedRows>)>;

impl fmt::Debug for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cut({:?})", self.wanted)
    }
}

impl Cut {
    /// So many new rows of an operator are saved at once.
    pub(crate) fn new(early_rows: usize) -> Self {
        Self {
            wanted: AtomicU64::new(NONE),
            reached: AtomicU64::new(0),
            savers: Mutex::default(),
            changed: Condvar::new(),
            early_rows,
            write: OnceLock::new(),
        }
    }

    /// How many new rows of an operator do not wait for a cut.
    pub(crate) fn early_rows(&self) -> usize {
        self.early_rows
    }

    /// The state of a part will be saved by a worker; the number by which it does so.
    pub(crate) fn join(&self, part: StatePart) -> usize {
        let mut savers = self.savers.lock();
        savers.all.push(Saver {
            part,
            saved: NONE,
            rows: Vec::new(),
        });
        savers.all.len() - 1
    }

    /// A worker has named all of its parts.
    pub(crate) fn worker_is_built(&self) {
        self.savers.lock().workers += 1;
        self.changed.notify_all();
    }

    /// An operator opens a time, or a stream commits at one: after which earlier time what it has is to be saved first.
    pub(crate) fn opens(&self, time: Time) -> Option<Time> {
        self.reached.fetch_max(time, Ordering::SeqCst);
        self.due(time)
    }

    /// After which time before this one all is to be saved.
    pub(crate) fn due(&self, time: Time) -> Option<Time> {
        Some(self.wanted.load(Ordering::SeqCst)).filter(|wanted| *wanted != NONE && *wanted < time)
    }

    /// After which time all is to be saved by one to whom nothing comes any more.
    pub(crate) fn wanted(&self) -> Option<Time> {
        self.due(Time::MAX)
    }

    /// A saver has saved rows that hold after `time`; if `until` is said, that is all up to that cut.
    pub(crate) fn saved(&self, number: usize, time: Time, until: Option<Time>, rows: Vec<SavedRows>) {
        let mut savers = self.savers.lock();
        let saver = &mut savers.all[number];
        saver.saved = until.unwrap_or(saver.saved);
        if !rows.is_empty() {
            let count: usize = rows.iter().map(|rows| rows.rows.len()).sum();
            saver.rows.push((time, rows));
            savers.waiting += count;
        }
        let are_many = savers.waiting >= self.early_rows;
        drop(savers);
        self.changed.notify_all();
        if are_many && let Some(write) = self.write.get() {
            write();
        }
    }

    /// Installs what is told that many rows wait to be written.
    pub(super) fn on_many_rows(&self, write: impl Fn() + Send + Sync + 'static) {
        // There is one thread that writes.
        let _ = self.write.set(Box::new(write));
    }

    /// The greatest time that somebody has opened.
    pub(super) fn reached(&self) -> Time {
        self.reached.load(Ordering::SeqCst)
    }

    /// Asks for a cut.
    pub(super) fn publish(&self, time: Time) {
        self.wanted.store(time, Ordering::SeqCst);
    }

    /// The run has ended: nobody waits longer than that for anything but operators, and for those not at all.
    pub(super) fn end(&self, patience: Duration) {
        self.savers.lock().over = Some(Instant::now() + patience);
        self.changed.notify_all();
    }

    /// Looks again at what is waited for.
    pub(crate) fn look(&self) {
        let _savers = self.savers.lock();
        self.changed.notify_all();
    }

    /// Waits until so many workers are built, all have saved up to a time, and something else is so, of which
    /// [`Cut::look`] tells; whether that has come before the end of the run.
    pub(super) fn wait(&self, workers: usize, time: Time, is_so: impl Fn() -> bool) -> bool {
        let mut savers = self.savers.lock();
        loop {
            let are_saved = savers.workers >= workers && savers.all.iter().all(|saver| saver.saved >= time);
            if are_saved && is_so() {
                return true;
            }
            match savers.over {
                None => self.changed.wait(&mut savers),
                Some(over) if !are_saved || Instant::now() >= over => return false,
                Some(over) => drop(self.changed.wait_until(&mut savers, over)),
            }
        }
    }

    /// Takes what was saved and holds after a time.
    pub(super) fn take(&self, time: Time) -> Collected {
        let mut savers = self.savers.lock();
        savers.waiting = 0;
        let taken = |saver: &mut Saver| {
            let count = saver.rows.iter().take_while(|(saved, _)| *saved <= time).count();
            let rows: Vec<SavedRows> = saver.rows.drain(..count).flat_map(|(_, rows)| rows).collect();
            (saver.part, rows)
        };
        savers
            .all
            .iter_mut()
            .map(taken)
            .filter(|(_, rows)| !rows.is_empty())
            .collect()
    }
}
