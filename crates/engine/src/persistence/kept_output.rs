//! What an output knows of the runs before, and where it notes what it delivers.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use towpath_durability::Record;
use towpath_types::Time;

use super::journal::{Journal, Sync};
use super::record::kind;
use super::standing::Note;

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
        self.journal.durable().wakes(waker);
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
        self.journal.durable().prepares(self.stream);
        self.put(time, token, None);
        self.want();
    }

    /// Whether all that was prepared is noted on disk.
    pub fn is_prepared(&self) -> bool {
        self.journal.durable().is_prepared(self.stream)
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
