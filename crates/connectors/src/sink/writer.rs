//! Has rows rendered and written to a [page](super::page), on a thread of its own when there is much to write.
//!
//! A sink sees its rows while a time is still open, often long before its end: the worker goes on with what comes
//! next while they are rendered. At the end of the time it waits, so a time that is complete is in the file.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use towpath_engine::{EngineError, Reporter};
use towpath_types::{Batch, Time};

use super::format::RowFormat;
use super::gate::Gate;
use super::page::{Job, Page, WRITE_BYTES};
use super::target::Target;

/// From how many rows on a batch is worth another thread: below, waking it costs as much as the rows do.
const ROWS_FOR_THREAD: usize = 1 << 10;

/// How many jobs wait for the thread before the worker waits for it.
const QUEUED_JOBS: usize = 4;

/// Writes to a file; see the module.
pub(super) struct Writer {
    name: String,
    page: Arc<Mutex<Page>>,
    thread: Option<Thread>,
    /// In a run that is kept, the last time that is complete, while not everything that it comes of is on disk.
    awaiting: Option<Time>,
    /// About how many bytes wait for that.
    waiting_bytes: usize,
}

struct Thread {
    jobs: SyncSender<Job>,
    handle: JoinHandle<Result<(), EngineError>>,
    /// Whether it may still be at work.
    is_busy: bool,
}

impl Writer {
    /// A writer to what was opened; `name` and `path` are for messages.
    pub(super) fn new(
        name: String,
        path: PathBuf,
        target: Target,
        format: Arc<dyn RowFormat>,
        reporter: Reporter,
        gate: Option<Gate>,
    ) -> Self {
        let page = Page::new(name.clone(), path, target, format, reporter, gate);
        Self {
            name,
            page: Arc::new(Mutex::new(page)),
            thread: None,
            awaiting: None,
            waiting_bytes: 0,
        }
    }

    /// Writes what stands before the first row, though none may come.
    pub(super) fn begin(&mut self) -> Result<(), EngineError> {
        let mut page = self.page.lock();
        page.begin();
        page.flush()?;
        page.complete()
    }

    /// Renders rows and writes them, now or soon.
    pub(super) fn write(&mut self, batch: Batch, time: Time) -> Result<(), EngineError> {
        let is_much = batch.len() >= ROWS_FOR_THREAD;
        self.run(Job::Write(batch, time), is_much)
    }

    /// Renders rows that may not come to be written.
    pub(super) fn draft(&mut self, batch: Batch, time: Time) -> Result<(), EngineError> {
        let is_much = batch.len() >= ROWS_FOR_THREAD;
        self.run(Job::Draft(batch, time), is_much)
    }

    /// Ends the draft: its text is written, or thrown away.
    pub(super) fn end_draft(&mut self, keep: bool) -> Result<(), EngineError> {
        self.wait()?;
        self.page.lock().end_draft(keep)
    }

    /// Ends a time: returns when everything is with the operating system.
    pub(super) fn complete(&mut self, time: Time) -> Result<(), EngineError> {
        self.run(Job::Complete(time), false)?;
        self.wait()?;
        if let Some(bytes) = self.page.lock().waiting_bytes() {
            self.awaiting = Some(time);
            self.waiting_bytes = bytes;
        }
        Ok(())
    }

    /// All that the times before `time` come of is on disk: their text is written, now or soon.
    pub(super) fn durable(&mut self, time: Time) -> Result<(), EngineError> {
        let is_much = self.waiting_bytes >= WRITE_BYTES;
        if self.awaiting.is_some_and(|last| last < time) {
            self.awaiting = None;
            self.waiting_bytes = 0;
        }
        self.run(Job::Release(time), is_much)
    }

    /// Whether there is text of complete times that waits for that.
    pub(super) fn awaits_durability(&self) -> bool {
        self.awaiting.is_some()
    }

    /// Notes how far the file is; whether all that is written is noted now.
    pub(super) fn note(&mut self) -> Result<bool, EngineError> {
        self.wait()?;
        let mut page = self.page.lock();
        page.note(true)?;
        Ok(page.is_whole())
    }

    /// No more comes.
    pub(super) fn finish(&mut self) -> Result<(), EngineError> {
        self.wait()?;
        self.page.lock().note(true)
    }

    fn run(&mut self, job: Job, is_much: bool) -> Result<(), EngineError> {
        if is_much && self.thread.is_none() {
            self.thread = Some(self.start()?);
        }
        match &mut self.thread {
            Some(thread) if is_much || thread.is_busy => {
                thread.is_busy = true;
                match thread.jobs.send(job) {
                    Ok(()) => Ok(()),
                    Err(_) => self.ended(),
                }
            }
            _ => self.page.lock().run(job),
        }
    }

    /// Waits until the thread has nothing to do.
    fn wait(&mut self) -> Result<(), EngineError> {
        let Some(thread) = &mut self.thread else {
            return Ok(());
        };
        if !thread.is_busy {
            return Ok(());
        }
        let (answer, answered) = sync_channel(1);
        if thread.jobs.send(Job::Answer(answer)).is_err() || answered.recv().is_err() {
            return self.ended();
        }
        thread.is_busy = false;
        Ok(())
    }

    fn start(&self) -> Result<Thread, EngineError> {
        let (jobs, queue): (SyncSender<Job>, Receiver<Job>) = sync_channel(QUEUED_JOBS);
        let page = Arc::clone(&self.page);
        let handle = std::thread::Builder::new()
            .name("pathway-write".to_owned())
            .spawn(move || queue.into_iter().try_for_each(|job| page.lock().run(job)))
            .map_err(|error| EngineError::os(format!("{}: cannot start a thread", self.name), &error))?;
        Ok(Thread {
            jobs,
            handle,
            is_busy: false,
        })
    }

    /// Why the thread has ended though it was not told to.
    fn ended(&mut self) -> Result<(), EngineError> {
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        drop(thread.jobs);
        match thread.handle.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            drop(thread.jobs);
            // Only a run that failed leaves work behind, and has an error of its own.
            let _ = thread.handle.join();
        }
        self.page.lock().cut_back();
    }
}
