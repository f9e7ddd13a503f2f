//! The file transport: bytes of a format at the end of a file.
//!
//! One file is written by the first worker, which gets all rows. A partitioned output is a folder with a file of every
//! worker (see `destination`), and each sees all updates of its rows.
//!
//! A file is created, or emptied, when the run starts; what is no ordinary file is written to as it is (see `target`). Rows of a time are consolidated first, unless the input cannot
//! hold anything to consolidate; then they are written as they arrive. Where only a key that came twice would have to be
//! consolidated, rows are rendered as they arrive, and written at the end of the time. What was written is handed to the
//! operating system at every commit, and earlier when much has gathered. If the run fails before the commit is
//! complete, that is taken back.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_buffer::BooleanBuffer;
use towpath_engine::monitor::Counters;
use towpath_engine::state::{Saved, no_table};
use towpath_engine::{
    Description, EngineError, ErrorKind, KeptOutput, Operator, Output, PlanError, Reporter, Routing, RowError, Task,
    TaskContext, listed,
};
use towpath_types::{Batch, Cells, DType, DistinctKeys, Key, Time, Value};

use super::destination::Destination;
use super::format::RowFormat;
use super::gate::Gate;
use super::mark::Mark;
use super::writer::Writer;

/// Writes a table's updates to a file.
#[derive(Clone, Debug)]
pub struct FileSink {
    name: String,
    destination: Destination,
    format: Arc<dyn RowFormat>,
    sort_by: Vec<usize>,
}

impl FileSink {
    /// A sink called `name` that writes to the file `path`.
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>, format: Arc<dyn RowFormat>) -> Self {
        Self {
            name: name.into(),
            destination: Destination::File(path.into()),
            format,
            sort_by: Vec::new(),
        }
    }

    /// The same sink with a file of every worker in a folder at the path.
    #[must_use]
    pub fn partitioned(self) -> Self {
        let (Destination::File(path) | Destination::Folder(path)) = self.destination;
        Self {
            destination: Destination::Folder(path),
            ..self
        }
    }

    /// The same sink with the rows of each commit in the order of the columns at these positions, in each file.
    #[must_use]
    pub fn sorted_by(self, sort_by: Vec<usize>) -> Self {
        Self { sort_by, ..self }
    }
}

impl Operator for FileSink {
    fn name(&self) -> &'static str {
        self.format.name()
    }

    fn label(&self) -> String {
        self.name.clone()
    }

    fn describe(&self, description: &mut Description) {
        description.known_as(&self.name);
        description.called(format!("{}.write", self.format.name()));
        description.set("partitioned", matches!(self.destination, Destination::Folder(_)));
        match &self.destination {
            Destination::Folder(path) => description.set("path", path.display()),
            // Process 0 alone writes it; it may be another machine, with other folders.
            Destination::File(path) => description.hint("path", path.display()),
        }
        description.set("format", self.format.name());
        description.set("sort_by", listed(&self.sort_by));
        self.format.describe(description);
    }

    fn output(&self, inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
        let columns = inputs.first().map_or(0, Vec::len);
        if self.sort_by.iter().any(|position| *position >= columns) {
            return Err(PlanError::value(format!(
                "the output {} is to be sorted by a column it does not write",
                self.name
            )));
        }
        Ok(Vec::new())
    }

    fn writes(&self) -> Option<PathBuf> {
        Some(self.destination.example(self.format.extension()))
    }

    fn routing(&self, _input: usize) -> Routing {
        match self.destination {
            Destination::File(_) => Routing::ToFirst,
            Destination::Folder(_) => Routing::KeysTogether,
        }
    }

    fn append_only(&self, _inputs: &[bool]) -> bool {
        true
    }

    fn start(&self, context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        let nothing_to_consolidate = context.append_only == [true] && context.unique_keys == [true];
        let is_sorted = !self.sort_by.is_empty();
        let may_draft = context.append_only == [true] && !nothing_to_consolidate && !is_sorted;
        let token = context.kept.as_ref().and_then(KeptOutput::delivered);
        let mut header = Vec::new();
        self.format.write_header(&mut header);
        let mark = token.and_then(|(_, token)| Some(Mark::decode(token)?.with_header(header)));
        let opened = self.destination.open(
            &self.name,
            self.format.extension(),
            context.worker,
            context.workers,
            mark.as_ref(),
        )?;
        let mut writer = None;
        if let Some((path, target)) = opened {
            let gate = match context.kept {
                Some(kept) => Some(Gate::new(kept, mark.as_ref(), &path).map_err(|error| {
                    EngineError::os(format!("{}: cannot read {}", self.name, path.display()), &error)
                })?),
                None => None,
            };
            let (format, reporter) = (Arc::clone(&self.format), context.reporter.clone());
            writer = Some(Writer::new(self.name.clone(), path, target, format, reporter, gate));
        }
        if let (Destination::Folder(_), Some(writer)) = (&self.destination, &mut writer) {
            // Each part is to be read by itself, also one without rows.
            writer.begin()?;
        }
        Ok(Box::new(FileTask {
            sort_by: self.sort_by.clone(),
            writer,
            counters: context.counters,
            reporter: context.reporter,
            writes_at_once: nothing_to_consolidate && !is_sorted,
            time: 0,
            gathered: Vec::new(),
            draft: may_draft.then(Draft::default),
        }))
    }
}

/// How many bytes of rendered text wait for the end of a time; more rows wait as they are.
const DRAFT_BYTES: usize = 1 << 26;

struct FileTask {
    sort_by: Vec<usize>,
    /// None on the workers that get no rows.
    writer: Option<Writer>,
    reporter: Reporter,
    counters: Arc<Counters>,
    /// Whether rows can be written as they come.
    writes_at_once: bool,
    /// The open time.
    time: Time,
    /// The batches of the open time, if they wait for its end.
    gathered: Vec<Batch>,
    /// What tells while a time is open that nothing in it can be consolidated, if that may be so.
    draft: Option<Draft>,
}

/// The rendered text of the first batches of a time, for as long as no key has come twice.
#[derive(Default)]
struct Draft {
    keys: DistinctKeys,
    batches: usize,
    bytes: usize,
    is_spoilt: bool,
}

impl FileTask {
    fn write(&mut self, batch: &Batch) -> Result<(), EngineError> {
        let batch = writable(batch, &self.reporter, &self.counters)?;
        match &mut self.writer {
            Some(writer) if !batch.is_empty() => {
                self.counters.deliver(batch.len());
                writer.write(batch, self.time)
            }
            _ => Ok(()),
        }
    }

    /// Renders a batch before the end of its time, if it will be written as it is.
    fn write_draft(&mut self, batch: &Batch) -> Result<(), EngineError> {
        let (Some(draft), Some(writer)) = (&mut self.draft, &mut self.writer) else {
            return Ok(());
        };
        // One that needs care, or does not fit, is left for the end, and so are those after it.
        draft.is_spoilt = draft.is_spoilt || !batch.is_insert_only() || !draft.keys.insert_all(batch.keys());
        let follows = draft.batches == self.gathered.len() && draft.bytes < DRAFT_BYTES;
        if !draft.is_spoilt && follows && !needs_care(batch) {
            draft.batches += 1;
            draft.bytes += batch.bytes();
            writer.draft(batch.clone(), self.time)?;
        }
        Ok(())
    }
}

impl Task for FileTask {
    fn open(&mut self, time: Time) {
        self.time = time;
    }

    fn absorb(&mut self, _input: usize, batch: Batch, _output: &mut Output) -> Result<(), EngineError> {
        if self.writes_at_once {
            return self.write(&batch);
        }
        self.write_draft(&batch)?;
        self.gathered.push(batch);
        Ok(())
    }

    fn complete(&mut self, time: Time, _output: &mut Output) -> Result<(), EngineError> {
        assert_eq!(time, self.time, "the time that is completed is the open one");
        let mut batches = std::mem::take(&mut self.gathered);
        let is_drafted = match &mut self.draft {
            Some(draft) => {
                let Draft { batches, is_spoilt, .. } = std::mem::take(draft);
                if batches > 0
                    && let Some(writer) = &mut self.writer
                {
                    writer.end_draft(!is_spoilt)?;
                }
                (!is_spoilt).then_some(batches)
            }
            None => None,
        };
        match is_drafted {
            Some(drafted) => drop(batches.drain(..drafted)),
            None if !batches.is_empty() => {
                batches = Batch::consolidate(batches);
                if !self.sort_by.is_empty() {
                    batches = vec![Batch::concat(&batches).sorted_by(&self.sort_by)];
                }
            }
            None => {}
        }
        for batch in &batches {
            self.write(batch)?;
        }
        match &mut self.writer {
            Some(writer) => writer.complete(time),
            None => Ok(()),
        }
    }

    fn durable(&mut self, time: Time) -> Result<(), EngineError> {
        self.writer.as_mut().map_or(Ok(()), |writer| writer.durable(time))
    }

    fn awaits_durability(&self) -> bool {
        self.writer.as_ref().is_some_and(Writer::awaits_durability)
    }

    fn note_delivered(&mut self) -> Result<bool, EngineError> {
        self.writer.as_mut().map_or(Ok(true), Writer::note)
    }

    fn finish(&mut self) -> Result<(), EngineError> {
        self.writer.as_mut().map_or(Ok(()), Writer::finish)
    }

    fn save(&mut self, _saved: &mut Saved) {
        // It has no state between times; what it has delivered is kept with the journal.
    }

    fn restore(&mut self, table: u16, _rows: Batch, _owners: &[Key]) -> Result<(), EngineError> {
        Err(no_table(table))
    }
}

/// Whether a batch may hold rows that cannot be written.
fn needs_care(batch: &Batch) -> bool {
    batch
        .columns()
        .iter()
        .any(|column| column.errors().is_some() || matches!(column.cells(), Cells::Any(_)))
}

/// The rows that can be written: rows with an error are reported, rows whose values are not known yet are left out.
fn writable(batch: &Batch, reporter: &Reporter, counters: &Counters) -> Result<Batch, EngineError> {
    let unknown = |row: usize| {
        batch
            .columns()
            .iter()
            .any(|column| matches!(column.cells(), Cells::Any(values) if matches!(values[row], Value::Pending)))
    };
    let has_errors = batch.columns().iter().any(|column| column.errors().is_some());
    if !needs_care(batch) || !has_errors && !(0..batch.len()).any(unknown) {
        return Ok(batch.clone());
    }
    let mut rows = Vec::with_capacity(batch.len());
    for row in 0..batch.len() {
        let is_error = batch.columns().iter().any(|column| column.is_error(row));
        if is_error {
            let error = RowError::new(ErrorKind::Value, "Error value encountered in output, skipping the row");
            reporter.report(error.of(batch.keys()[row], batch.diff(row)))?;
            counters.leave_out(1);
        }
        rows.push(!is_error && !unknown(row));
    }
    Ok(batch.filter(&BooleanBuffer::from(rows)))
}
