//! The thread that writes what is kept.
//!
//! Workers put records in line and go on. The thread takes all that wait and writes them together, so that many commits
//! share one wait for the disk. Before it takes them it looks up to which time all records of this process are in line;
//! when they are written, that is *durable*, and outputs may go so far.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use towpath_durability::{Group, JournalWriter, Record};
use towpath_types::Time;

use super::durable::Durable;
use super::figures::{Figures, KeptFigures};
use crate::error::EngineError;

/// So many bytes wait to be written before those who add more have to wait.
const MOST_BYTES: usize = 64 << 20;

/// From so many bytes on, rows are written before their commit ends.
const MANY_BYTES: usize = 4 << 20;

/// Makes what an output has written durable, before it is noted that it is.
pub(super) type Sync = Box<dyn FnOnce() -> io::Result<()> + Send>;

/// What the thread is asked to do besides, and who waits for it.
enum Request {
    /// To go on in a new file, and to say which.
    Rotate(Sender<u32>),
    /// To say when all that is in line is on disk.
    Flush(Sender<()>),
}

/// How long a run that has ended well waits for other processes to have written what came into them.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Default)]
struct Waiting {
    records: Vec<Record>,
    /// What outputs have noted of times up to which not everything is durable in all processes.
    early: Vec<Record>,
    bytes: usize,
    syncs: Vec<Sync>,
    requests: Vec<Request>,
    /// Somebody waits for what is in line, or for news of how far it is durable.
    is_wanted: bool,
    /// Nothing more is put in line; whether the run has ended well.
    end: Option<bool>,
    has_failed: bool,
    /// The thread has ended.
    has_ended: bool,
}

/// What a run keeps.
pub(crate) struct Journal {
    waiting: Mutex<Waiting>,
    work: Condvar,
    /// The thread is not told yet that it is wanted, see [`want_soon`](Self::want_soon).
    is_put_off: AtomicBool,
    space: Condvar,
    durable: Durable,
    /// What people see of it.
    figures: Figures,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Journal(durable {})", self.durable.time())
    }
}

impl Journal {
    /// Starts the thread. `closed` says before which time this process puts nothing in line any more; `saved` is told
    /// before which time everything of this process is on disk, for the `others`, and `fail` what cannot be written.
    ///
    /// # Errors
    /// If there can be no thread.
    pub(crate) fn start(
        writer: JournalWriter,
        figures: Figures,
        others: impl Iterator<Item = usize>,
        closed: impl Fn() -> Time + Send + 'static,
        saved: impl Fn(Time) + Send + 'static,
        fail: impl Fn(EngineError) + Send + 'static,
    ) -> Result<Arc<Self>, EngineError> {
        let journal = Arc::new(Self {
            waiting: Mutex::default(),
            work: Condvar::new(),
            is_put_off: AtomicBool::new(false),
            space: Condvar::new(),
            durable: Durable::new(others),
            figures,
            thread: Mutex::default(),
        });
        let work = {
            let journal = Arc::clone(&journal);
            move || {
                journal.write(writer, &closed, &saved, &fail);
                let mut waiting = journal.waiting.lock();
                waiting.has_ended = true;
                waiting.requests.clear();
            }
        };
        let thread = std::thread::Builder::new()
            .name("pathway-journal".to_owned())
            .spawn(work)
            .map_err(|error| EngineError::os("the thread of the journal did not start", &error))?;
        *journal.thread.lock() = Some(thread);
        Ok(journal)
    }

    /// How far all that came into the run is on disk.
    pub(crate) fn durable(&self) -> &Durable {
        &self.durable
    }

    pub(super) fn figures(&self) -> &Figures {
        &self.figures
    }

    /// What people see of it now.
    pub(crate) fn shown(&self) -> KeptFigures {
        self.figures.shown(self.durable.time())
    }

    /// All outputs have come so far that they may wait for more to be durable.
    pub(crate) fn want(&self) {
        self.waiting.lock().is_wanted = true;
        self.work.notify_one();
    }

    /// The same, but the thread is told by [`nudge`](Self::nudge): what a worker has just committed goes to outputs that
    /// wait for nothing before another thread gets its core.
    pub(crate) fn want_soon(&self) {
        self.waiting.lock().is_wanted = true;
        self.is_put_off.store(true, Ordering::Release);
    }

    /// Whether the thread is to be told.
    pub(crate) fn is_put_off(&self) -> bool {
        self.is_put_off.load(Ordering::Acquire)
    }

    /// Tells the thread what was put off.
    pub(crate) fn nudge(&self) {
        if self.is_put_off.swap(false, Ordering::AcqRel) {
            self.work.notify_one();
        }
    }

    /// Goes on in a new file once all that is in line is on disk, and says which; nothing if the thread has ended.
    pub(crate) fn rotate(&self) -> Option<u32> {
        self.ask(Request::Rotate).recv().ok()
    }

    /// Waits until all that is in line is on disk; nothing if the thread has ended.
    pub(crate) fn flush(&self) -> Option<()> {
        self.ask(Request::Flush).recv().ok()
    }

    fn ask<T>(&self, request: impl FnOnce(Sender<T>) -> Request) -> Receiver<T> {
        let (answer, answered) = channel();
        let mut waiting = self.waiting.lock();
        if !waiting.has_ended {
            waiting.requests.push(request(answer));
            waiting.is_wanted = true;
            self.work.notify_one();
        }
        answered
    }

    pub(super) fn put(&self, record: Record, is_wanted: bool) {
        let mut waiting = self.waiting.lock();
        while waiting.bytes > MOST_BYTES && !waiting.has_failed {
            self.space.wait(&mut waiting);
        }
        waiting.bytes += record.payload.len() + size_of::<Record>();
        waiting.records.push(record);
        waiting.is_wanted |= is_wanted;
        if is_wanted {
            self.is_put_off.store(true, Ordering::Release);
        }
        if waiting.bytes > MANY_BYTES {
            self.work.notify_one();
        }
    }

    pub(super) fn keep_output(&self, record: Record, sync: Option<Sync>) {
        let mut waiting = self.waiting.lock();
        waiting.bytes += record.payload.len() + size_of::<Record>();
        if self.durable.is_of_one_process() {
            // Behind all that it comes of, which is in line.
            waiting.records.push(record);
        } else {
            waiting.early.push(record);
        }
        // What is noted here is for the next run; nobody waits for it.
        waiting.syncs.extend(sync);
    }

    /// Writes what is still in line, and the end; whether the run has ended well.
    pub(crate) fn end(&self, well: bool) {
        self.waiting.lock().end.get_or_insert(well);
        self.work.notify_one();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            // It reports its failures itself.
            drop(thread.join());
        }
    }

    fn write(
        &self,
        mut writer: JournalWriter,
        closed: &dyn Fn() -> Time,
        saved: &dyn Fn(Time),
        fail: &dyn Fn(EngineError),
    ) {
        loop {
            let (closed, group, syncs, requests, end) = {
                let mut waiting = self.waiting.lock();
                while !waiting.is_wanted && waiting.end.is_none() && waiting.bytes <= MANY_BYTES {
                    self.work.wait(&mut waiting);
                }
                waiting.is_wanted = false;
                waiting.bytes = 0;
                // Before the records are taken: all before this time are among them, or were written.
                let closed = closed();
                if waiting.end == Some(true) && !waiting.early.is_empty() {
                    self.wait_for_others(&mut waiting);
                }
                let durable = self.durable.time();
                let mut records = std::mem::take(&mut waiting.records);
                records.extend(waiting.early.extract_if(.., |record| record.time < durable));
                self.space.notify_all();
                // When all streams have ended, nothing is open; a time that is kept is one that something has had.
                let last = records.iter().map(|record| record.time + 1).max();
                let group = Group {
                    closed: closed.min(last.unwrap_or(closed)),
                    records,
                };
                let (syncs, requests) = (
                    std::mem::take(&mut waiting.syncs),
                    std::mem::take(&mut waiting.requests),
                );
                (closed, group, syncs, requests, waiting.end)
            };
            let written = self.write_group(&mut writer, &group, syncs);
            let written = written.and_then(|()| {
                let count = |writer: &JournalWriter| {
                    let bytes = writer.bytes();
                    self.figures.wrote(bytes, bytes - writer.file_bytes());
                };
                count(&writer);
                for request in requests {
                    // Who has asked may have given up.
                    let _ = match request {
                        Request::Rotate(answer) => {
                            writer.rotate()?;
                            count(&writer);
                            answer.send(writer.file()).ok()
                        }
                        Request::Flush(answer) => answer.send(()).ok(),
                    };
                }
                if end == Some(true) {
                    writer.end()?;
                }
                Ok(())
            });
            if let Err(error) = written {
                self.waiting.lock().has_failed = true;
                self.space.notify_all();
                fail(error);
                return;
            }
            self.durable.wrote(&group.records);
            self.durable.saved_here(closed, saved);
            if end.is_some() {
                return;
            }
        }
    }

    /// Waits until all that came into other processes is on disk: all their sources have ended.
    fn wait_for_others(&self, waiting: &mut MutexGuard<'_, Waiting>) {
        let until = Instant::now() + PATIENCE;
        while !self.durable.is_all_saved_elsewhere() && Instant::now() < until {
            self.work.wait_for(waiting, Duration::from_millis(10));
        }
        self.durable.publish();
    }

    fn write_group(&self, writer: &mut JournalWriter, group: &Group, syncs: Vec<Sync>) -> Result<(), EngineError> {
        for sync in syncs {
            sync().map_err(|error| EngineError::os("what an output has written cannot be made durable", &error))?;
        }
        if !group.records.is_empty() {
            writer.write(group)?;
        }
        Ok(())
    }
}
