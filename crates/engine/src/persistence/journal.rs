//! The thread that writes what is kept, and what is known of how far it has come.
//!
//! Workers put records in line and go on. The thread takes all that wait and writes them together, so that many commits
//! share one wait for the disk. Before it takes them it looks up to which time all records of this process are in line;
//! when they are written, that is *durable*, and outputs may go so far.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use towpath_durability::{Group, JournalWriter, Record};
use towpath_types::Time;

use super::cut::Cut;
use super::figures::{Figures, KeptFigures};
use super::history::History;
use super::record::{Committed, encode_rows, kind};
use super::resuming::Rolling;
use super::standing::{Note, Standing, StreamStanding};
use crate::error::EngineError;
use crate::source::{Arrival, Resume};

/// So many bytes wait to be written before those who add more have to wait.
const MOST_BYTES: usize = 64 << 20;

/// From so many bytes on, rows are written before their commit ends.
const MANY_BYTES: usize = 4 << 20;

/// Makes what an output has written durable, before it is noted that it is.
type Sync = Box<dyn FnOnce() -> io::Result<()> + Send>;

/// What the thread is asked to do besides, and who waits for it.
enum Request {
    /// To go on in a new file, and to say which.
    Rotate(Sender<u32>),
    /// To say when all that is in line is on disk.
    Flush(Sender<()>),
}

/// Is told that more is durable.
type Waker = Box<dyn Fn() + Send>;

/// How long a run that has ended well waits for other processes to have written what came into them.
const PATIENCE: Duration = Duration::from_secs(2);

/// Up to which time all that came into the run is on disk.
#[derive(Debug, Default)]
pub(crate) struct Durable(AtomicU64);

impl Durable {
    /// Everything that was committed at an earlier time is.
    pub(crate) fn time(&self) -> Time {
        self.0.load(Ordering::Acquire)
    }
}

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

/// How many notes of an output are in line, and how many of them on disk.
#[derive(Debug, Default)]
struct Prepared {
    put: u64,
    written: u64,
}

/// What a run keeps.
pub(crate) struct Journal {
    waiting: Mutex<Waiting>,
    work: Condvar,
    space: Condvar,
    /// In all processes.
    durable: Durable,
    /// Up to which time it is in this one, and in each of the others.
    own: AtomicU64,
    others: BTreeMap<usize, AtomicU64>,
    wakers: Mutex<Vec<Waker>>,
    /// Of outputs that wait for what they have prepared to be noted on disk.
    prepared: Mutex<BTreeMap<u32, Prepared>>,
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
            space: Condvar::new(),
            durable: Durable::default(),
            own: AtomicU64::new(0),
            others: others.map(|process| (process, AtomicU64::new(0))).collect(),
            wakers: Mutex::default(),
            prepared: Mutex::default(),
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

    /// Calls this whenever more is durable.
    pub(crate) fn wakes(&self, waker: impl Fn() + Send + 'static) {
        self.wakers.lock().push(Box::new(waker));
    }

    /// Nobody is told any more.
    pub(crate) fn forget_wakers(&self) {
        self.wakers.lock().clear();
    }

    /// All outputs have come so far that they may wait for more to be durable.
    pub(crate) fn want(&self) {
        self.waiting.lock().is_wanted = true;
        self.work.notify_one();
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

    fn put(&self, record: Record, is_wanted: bool) {
        let mut waiting = self.waiting.lock();
        while waiting.bytes > MOST_BYTES && !waiting.has_failed {
            self.space.wait(&mut waiting);
        }
        waiting.bytes += record.payload.len() + size_of::<Record>();
        waiting.records.push(record);
        waiting.is_wanted |= is_wanted;
        if is_wanted || waiting.bytes > MANY_BYTES {
            self.work.notify_one();
        }
    }

    /// What came into another process before a time is on disk.
    pub(crate) fn saved_elsewhere(&self, process: usize, time: Time) {
        if let Some(other) = self.others.get(&process) {
            other.fetch_max(time, Ordering::AcqRel);
            self.publish();
        }
    }

    /// Says up to which time everything is durable in all processes, if that is news.
    fn publish(&self) {
        let others = self.others.values().map(|other| other.load(Ordering::Acquire));
        let durable = others.min().unwrap_or(Time::MAX).min(self.own.load(Ordering::Acquire));
        if self.durable.0.fetch_max(durable, Ordering::AcqRel) < durable {
            self.wake();
        }
    }

    fn wake(&self) {
        for waker in self.wakers.lock().iter() {
            waker();
        }
    }

    /// These records are on disk: tells the outputs that wait for what they have prepared.
    fn wrote(&self, records: &[Record]) {
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

    fn keep_output(&self, record: Record, sync: Option<Sync>) {
        let mut waiting = self.waiting.lock();
        waiting.bytes += record.payload.len() + size_of::<Record>();
        if self.others.is_empty() {
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
            self.wrote(&group.records);
            if self.own.fetch_max(closed, Ordering::AcqRel) < closed {
                saved(closed);
                self.publish();
            }
            if end.is_some() {
                return;
            }
        }
    }

    /// Waits until all that came into other processes is on disk: all their sources have ended.
    fn wait_for_others(&self, waiting: &mut MutexGuard<'_, Waiting>) {
        let until = Instant::now() + PATIENCE;
        let is_saved = |other: &AtomicU64| other.load(Ordering::Acquire) == Time::MAX;
        while !self.others.values().all(is_saved) && Instant::now() < until {
            self.work.wait_for(waiting, Duration::from_millis(10));
        }
        self.publish();
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

/// The positions that a stream has given, until they are durable.
#[derive(Debug, Default)]
pub(crate) struct Positions(Mutex<VecDeque<(Time, Vec<u8>)>>);

impl Positions {
    /// The last one that is durable, if there is a new one.
    pub(crate) fn durable(&self, time: Time) -> Option<Vec<u8>> {
        let mut waiting = self.0.lock();
        let mut last = None;
        while waiting.front().is_some_and(|(committed, _)| *committed < time) {
            last = waiting.pop_front();
        }
        last.map(|(_, position)| position)
    }
}

/// Keeps what a stream sends.
#[derive(Debug)]
pub(crate) struct StreamJournal {
    journal: Arc<Journal>,
    stream: u32,
    resume: Resume,
    /// The rows since the position.
    rolling: Rolling,
    /// The first rows that it has ever sent, where those of another run should not be the same.
    first: Option<Rolling>,
    position: Option<Vec<u8>>,
    positions: Arc<Positions>,
    /// Where the run is cut, if it is, and where the stream stands.
    cut: Option<Arc<Cut>>,
    standing: Arc<Mutex<StreamStanding>>,
}

impl StreamJournal {
    /// For a stream of this number in the journal, after what was kept of it.
    pub(crate) fn new(
        journal: &Arc<Journal>,
        stream: u32,
        resume: Resume,
        history: Option<&History>,
        cut: Option<&Arc<Cut>>,
    ) -> Self {
        let mut standing = StreamStanding::default();
        if let Some(history) = history {
            standing.begins(history.standing());
        }
        let committed = history.map(History::committed).cloned().unwrap_or_default();
        let Committed { rows, hash, position } = committed;
        Self {
            journal: Arc::clone(journal),
            stream,
            resume,
            rolling: Rolling { rows, hash },
            first: history.and_then(History::first),
            position,
            positions: Arc::default(),
            cut: cut.cloned(),
            standing: Arc::new(Mutex::new(standing)),
        }
    }

    /// Where the stream stands, for a snapshot.
    pub(crate) fn standing(&self) -> &Arc<Mutex<StreamStanding>> {
        &self.standing
    }

    /// What was kept has been sent again; the row with this number is next.
    pub(crate) fn has_recovered(&self, next: u64) {
        self.standing.lock().has_recovered(next);
    }

    /// The positions that are not durable yet.
    pub(crate) fn positions(&self) -> &Arc<Positions> {
        &self.positions
    }

    /// Whether the timer commits only what the stream has given a position for.
    pub(crate) fn minds_positions(&self) -> bool {
        self.resume == Resume::Seek
    }

    /// Keeps rows of the open commit, before they go anywhere.
    pub(crate) fn rows(&mut self, time: Time, arrival: &Arrival) -> Result<(), EngineError> {
        let payload = encode_rows(arrival)?;
        if self.resume == Resume::New && self.first.is_none() && !arrival.is_empty() {
            self.first = Some(Rolling::of_first(arrival));
        }
        if matches!(self.resume, Resume::New | Resume::Compare) {
            self.rolling.rows += arrival.len() as u64;
        } else {
            self.rolling.add_rows(arrival, arrival.len());
        }
        self.put(kind::ROWS, time, payload, false);
        Ok(())
    }

    /// All rows so far are before this position.
    pub(crate) fn position(&mut self, position: Vec<u8>) {
        self.rolling = Rolling::default();
        self.position = Some(position);
    }

    /// The commit ends; the row with this number is next.
    pub(crate) fn commit(&mut self, time: Time, has_position: bool, next: u64) {
        let committed = Committed {
            rows: self.rolling.rows,
            hash: self.rolling.hash,
            position: self.position.clone(),
        };
        if let (true, Some(position)) = (has_position, &self.position) {
            self.positions.0.lock().push_back((time, position.clone()));
        }
        if let Some(cut) = &self.cut {
            let standing = Standing::new(time, &committed, next, self.first);
            self.standing.lock().commits(cut.opens(time), standing);
        }
        self.journal.figures.commits(time);
        self.put(kind::COMMIT, time, committed.encode(), true);
    }

    fn put(&self, kind: u8, time: Time, payload: Vec<u8>, is_wanted: bool) {
        let record = Record {
            stream: self.stream,
            kind,
            time,
            payload,
        };
        self.journal.put(record, is_wanted);
    }
}

/// What an output has to know in a run that is kept.
#[derive(Clone, Debug)]
pub struct KeptOutput {
    journal: Arc<Journal>,
    stream: u32,
    delivered: Option<(Time, Arc<[u8]>)>,
    /// What it is called where the run goes on with what the runs before have kept.
    name: Option<Arc<str>>,
    last_time: Option<Time>,
    /// What it had noted when the state of the operators was kept, at that time or before.
    settled: Option<(Time, Arc<[u8]>)>,
    /// What is noted last.
    noted: Arc<Mutex<Option<Note>>>,
}

impl KeptOutput {
    pub(crate) fn new(journal: &Arc<Journal>, stream: u32, delivered: Option<(Time, Vec<u8>)>) -> Self {
        Self {
            journal: Arc::clone(journal),
            stream,
            noted: Arc::new(Mutex::new(delivered.clone())),
            delivered: delivered.map(|(time, token)| (time, token.into())),
            name: None,
            last_time: None,
            settled: None,
        }
    }

    /// The same in a run that goes on with a state that has something up to this time, and calls the output so.
    pub(crate) fn going_on(self, name: &str, last_time: Option<Time>, settled: Option<Note>) -> Self {
        Self {
            name: Some(name.into()),
            last_time,
            settled: settled.map(|(time, token)| (time, token.into())),
            ..self
        }
    }

    /// What the state calls the output, if the run goes on with what the state has, and does not only add to it.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The last time of anything that the runs before have kept.
    pub fn last_time(&self) -> Option<Time> {
        self.last_time
    }

    /// Up to which time nothing is computed again, since only the state of the operators is kept, and what was noted then.
    pub fn settled(&self) -> Option<(Time, &[u8])> {
        self.settled.as_ref().map(|(time, token)| (*time, &**token))
    }

    /// What is noted last; it may not be on disk yet.
    pub(super) fn noted(&self) -> Option<Note> {
        self.noted.lock().clone()
    }

    /// Before which time all that came into the run is on disk.
    pub(crate) fn durable(&self) -> Time {
        self.journal.durable().time()
    }

    /// Calls this whenever more is.
    pub(crate) fn wakes(&self, waker: impl Fn() + Send + 'static) {
        self.journal.wakes(waker);
    }

    /// The output waits for more to be, or for what it has noted.
    pub fn want(&self) {
        self.journal.want();
    }

    /// Up to which time the runs before have delivered everything, and what they have noted of it. Nothing at these times
    /// comes again.
    pub fn delivered(&self) -> Option<(Time, &[u8])> {
        self.delivered.as_ref().map(|(time, token)| (*time, &**token))
    }

    /// Notes that everything up to `time` is delivered. What is noted may get lost in a crash; then it is delivered again.
    pub fn deliver(&self, time: Time, token: Vec<u8>) {
        self.note(time, token, None);
    }

    /// The same, after `sync` has made durable what was delivered. It is called in another thread.
    pub fn deliver_durably(&self, time: Time, token: Vec<u8>, sync: impl FnOnce() -> io::Result<()> + Send + 'static) {
        self.note(time, token, Some(Box::new(sync)));
    }

    /// Notes what finishes the delivery of `time`, for which everything is ready. The output waits until that is on disk,
    /// see [`is_prepared`](Self::is_prepared); then it delivers, and says so, see [`finish`](Self::finish).
    pub fn prepare(&self, time: Time, token: Vec<u8>) {
        self.journal.prepared.lock().entry(self.stream).or_default().put += 1;
        self.put(time, token, None);
        self.want();
    }

    /// Whether all that was prepared is noted on disk.
    pub fn is_prepared(&self) -> bool {
        let prepared = self.journal.prepared.lock();
        let own = prepared.get(&self.stream);
        own.is_none_or(|prepared| prepared.written >= prepared.put)
    }

    /// What was prepared is delivered.
    pub fn finish(&self, time: Time, token: Vec<u8>) {
        *self.noted.lock() = Some((time, token));
    }

    fn note(&self, time: Time, payload: Vec<u8>, sync: Option<Sync>) {
        *self.noted.lock() = Some((time, payload.clone()));
        self.put(time, payload, sync);
    }

    fn put(&self, time: Time, payload: Vec<u8>, sync: Option<Sync>) {
        let record = Record {
            stream: self.stream,
            kind: kind::DELIVERED,
            time,
            payload,
        };
        self.journal.keep_output(record, sync);
    }
}
