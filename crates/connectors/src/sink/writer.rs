//! Renders rows and writes them to a file, on a thread of its own when there is much to write.
//!
//! A sink sees its rows while a time is still open, often long before its end: the worker goes on with what comes
//! next while they are rendered. At the end of the time it waits, so a time that is complete is in the file.
//! What may still have to be consolidated is rendered as a *draft*, which is kept or thrown away at the end.
//!
//! A run that fails may leave a time unfinished of which rows are in the file already. They were never committed: the
//! file is cut back to where it was when the last time was complete.
//!
//! In a run that is kept, the text of a time waits until all that it comes of is on disk, see [`Gate`](super::gate::Gate).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use towpath_engine::{EngineError, ErrorKind, Reporter};
use towpath_types::{Batch, Time};

use super::format::RowFormat;
use super::gate::Gate;
use super::target::Target;

/// How many bytes gather before they are written within a commit.
const WRITE_BYTES: usize = 1 << 18;

/// How many rows are rendered before the size of the buffer is looked at.
const ROWS_A_TURN: usize = 1 << 12;

/// From how many rows on a batch is worth another thread: below, waking it costs as much as the rows do.
const ROWS_FOR_THREAD: usize = 1 << 10;

/// How many jobs wait for the thread before the worker waits for it.
const QUEUED_JOBS: usize = 4;

/// What a writer is asked to do.
enum Job {
    /// Write rows.
    Write(Batch, Time),
    /// Render rows into the draft.
    Draft(Batch, Time),
    /// Hand what was rendered to the operating system: the time is complete.
    Complete(Time),
    /// Write what waited for everything before this time to be on disk.
    Release(Time),
    /// Answer once all before is done.
    Answer(SyncSender<()>),
}

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
        let page = Page {
            name: name.clone(),
            path,
            target,
            reporter,
            format,
            has_header: gate.as_ref().is_some_and(Gate::has_text),
            gate,
            buffer: Vec::new(),
            draft: Vec::new(),
        };
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
        if let Some(gate) = &self.page.lock().gate {
            self.awaiting = Some(time);
            self.waiting_bytes = gate.bytes();
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
        Ok(page.gate.as_ref().is_none_or(Gate::is_whole))
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

/// The file and what is still to be written to it.
struct Page {
    name: String,
    path: PathBuf,
    target: Target,
    /// Says when the run is over.
    reporter: Reporter,
    format: Arc<dyn RowFormat>,
    has_header: bool,
    gate: Option<Gate>,
    buffer: Vec<u8>,
    draft: Vec<u8>,
}

impl Page {
    fn run(&mut self, job: Job) -> Result<(), EngineError> {
        match job {
            Job::Write(batch, time) => {
                self.begin();
                for turn in turns(&batch) {
                    self.format.write_rows(&turn, time, &mut self.buffer);
                    match &mut self.gate {
                        None if self.buffer.len() >= WRITE_BYTES => self.flush()?,
                        Some(gate) if gate.overflows(self.buffer.len()) => {
                            let texts = gate.spill(time);
                            texts.iter().try_for_each(|text| self.write_all(text))?;
                            self.flush()?;
                        }
                        _ => {}
                    }
                }
            }
            Job::Draft(batch, time) => {
                for turn in turns(&batch) {
                    self.format.write_rows(&turn, time, &mut self.draft);
                }
            }
            Job::Complete(time) => match &mut self.gate {
                Some(gate) => gate.close(time, std::mem::take(&mut self.buffer)),
                None => {
                    self.flush()?;
                    self.complete()?;
                }
            },
            Job::Release(time) => self.release(time)?,
            Job::Answer(answer) => {
                // Who asked waits for the answer, unless it has ended.
                let _ = answer.send(());
            }
        }
        Ok(())
    }

    fn begin(&mut self) {
        if !self.has_header {
            self.has_header = true;
            self.format.write_header(&mut self.buffer);
        }
    }

    fn end_draft(&mut self, keep: bool) -> Result<(), EngineError> {
        let draft = std::mem::take(&mut self.draft);
        if keep && !draft.is_empty() {
            self.begin();
            if self.gate.is_some() {
                self.buffer.extend(draft);
                return Ok(());
            }
            self.flush()?;
            self.write_all(&draft)?;
        }
        Ok(())
    }

    fn complete(&mut self) -> Result<(), EngineError> {
        self.target.complete().map_err(|error| self.failed(&error))
    }

    /// Writes what waited for everything before `time` to be on disk.
    fn release(&mut self, time: Time) -> Result<(), EngineError> {
        while let Some(text) = self.gate.as_mut().and_then(|gate| gate.open(time)) {
            self.write_all(&text)?;
        }
        if self.gate.as_ref().is_some_and(Gate::is_whole) {
            self.complete()?;
            self.note(false)?;
        }
        Ok(())
    }

    /// Notes, now and then or `at_once`, how far the file is written.
    fn note(&mut self, at_once: bool) -> Result<(), EngineError> {
        let Some(gate) = &mut self.gate else {
            return Ok(());
        };
        if gate.is_to_note(at_once) {
            let durable = self
                .target
                .durable()
                .map_err(|error| failed(&self.name, &self.path, &error))?;
            gate.note(durable, &self.path);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), EngineError> {
        let buffer = std::mem::take(&mut self.buffer);
        self.write_all(&buffer)?;
        self.buffer = buffer;
        self.buffer.clear();
        Ok(())
    }

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), EngineError> {
        if bytes.is_empty() {
            return Ok(());
        }
        if let Some(gate) = &mut self.gate {
            gate.wrote(bytes);
        }
        let written = self.target.write(bytes, &self.reporter);
        written.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> EngineError {
        failed(&self.name, &self.path, error)
    }

    /// Takes back what was written of a time that was not completed; of a pipe or a device nothing can be.
    fn cut_back(&mut self) {
        if let Err(error) = self.target.cut_back() {
            tracing::error!(
                target: "pathway",
                "{}: rows that were not committed cannot be taken out of {}: {error}",
                self.name,
                self.path.display()
            );
        }
    }
}

fn failed(name: &str, path: &Path, error: &io::Error) -> EngineError {
    let what = format!("{name}: cannot write to {}", path.display());
    if error.kind() == io::ErrorKind::BrokenPipe {
        let message = format!("{what}: who read from it is gone ({error})");
        return EngineError::new(ErrorKind::BrokenPipe, message);
    }
    EngineError::os(what, error)
}

/// A batch in pieces.
fn turns(batch: &Batch) -> impl Iterator<Item = Batch> {
    (0..batch.len())
        .step_by(ROWS_A_TURN)
        .map(|start| batch.slice(start, ROWS_A_TURN.min(batch.len() - start)))
}
