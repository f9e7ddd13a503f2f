//! A file that is written: rows are rendered, and what waits for something goes in later or not at all.
//!
//! What may still have to be consolidated is rendered as a *draft*, which is kept or thrown away at the end of its time.
//!
//! A run that fails may leave a time unfinished of which rows are in the file already. They were never committed: the
//! file is cut back to where it was when the last time was complete.
//!
//! In a run that is kept, the text of a time waits until all that it comes of is on disk, see [`Gate`](super::gate::Gate).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use towpath_engine::{EngineError, ErrorKind, Reporter};
use towpath_types::{Batch, Time};

use super::format::RowFormat;
use super::gate::Gate;
use super::target::Target;

/// How many bytes gather before they are written within a commit.
pub(super) const WRITE_BYTES: usize = 1 << 18;

/// How many rows are rendered before the size of the buffer is looked at.
const ROWS_A_TURN: usize = 1 << 12;

/// What a writer is asked to do.
pub(super) enum Job {
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

/// The file and what is still to be written to it.
pub(super) struct Page {
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
    /// A page of what was opened; `name` and `path` are for messages.
    pub(super) fn new(
        name: String,
        path: PathBuf,
        target: Target,
        format: Arc<dyn RowFormat>,
        reporter: Reporter,
        gate: Option<Gate>,
    ) -> Self {
        Self {
            name,
            path,
            target,
            reporter,
            format,
            has_header: gate.as_ref().is_some_and(Gate::has_text),
            gate,
            buffer: Vec::new(),
            draft: Vec::new(),
        }
    }

    /// In a run that is kept, about how many bytes wait for what they come of to be on disk.
    pub(super) fn waiting_bytes(&self) -> Option<usize> {
        self.gate.as_ref().map(Gate::bytes)
    }

    /// Whether nothing waits for that.
    pub(super) fn is_whole(&self) -> bool {
        self.gate.as_ref().is_none_or(Gate::is_whole)
    }

    /// Does what the writer is asked to.
    pub(super) fn run(&mut self, job: Job) -> Result<(), EngineError> {
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

    /// Writes what stands before the first row.
    pub(super) fn begin(&mut self) {
        if !self.has_header {
            self.has_header = true;
            self.format.write_header(&mut self.buffer);
        }
    }

    /// Ends the draft: its text is written, or thrown away.
    pub(super) fn end_draft(&mut self, keep: bool) -> Result<(), EngineError> {
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

    /// What is written is that of times that are complete.
    pub(super) fn complete(&mut self) -> Result<(), EngineError> {
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
    pub(super) fn note(&mut self, at_once: bool) -> Result<(), EngineError> {
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

    /// Hands what was rendered to the operating system.
    pub(super) fn flush(&mut self) -> Result<(), EngineError> {
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
    pub(super) fn cut_back(&mut self) {
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
