//! The file transport: bytes of a format at the end of a file.
//!
//! The file is created, or emptied, when the run starts. Rows of a time are consolidated first, unless
//! the input cannot hold anything to consolidate; then they are written as they arrive. What was written
//! is handed to the operating system at every commit, and earlier when much has gathered.

use std::fs::File;
use std::io::{ErrorKind as IoErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_buffer::BooleanBuffer;
use towpath_engine::{
    EngineError, ErrorKind, Operator, Output, PlanError, Reporter, Routing, RowError, Task, TaskContext,
};
use towpath_types::{Batch, Cells, DType, Time, Value};

use super::RowFormat;

/// How many bytes gather before they are written within a commit.
const WRITE_BYTES: usize = 1 << 18;

/// How many rows are rendered before the size of the buffer is looked at.
const ROWS_A_TURN: usize = 1 << 12;

/// Writes a table's updates to a file.
#[derive(Clone, Debug)]
pub struct FileSink {
    name: String,
    path: PathBuf,
    format: Arc<dyn RowFormat>,
    sort_by: Vec<usize>,
}

impl FileSink {
    /// A sink called `name` that writes to `path`.
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>, format: Arc<dyn RowFormat>) -> Self {
        Self {
            name: name.into(),
            path: path.into(),
            format,
            sort_by: Vec::new(),
        }
    }

    /// The same sink with the rows of each commit in the order of the columns at these positions.
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

    fn routing(&self, _input: usize) -> Routing {
        Routing::ToFirst
    }

    fn append_only(&self, _inputs: &[bool]) -> bool {
        true
    }

    fn start(&self, context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        let file = match context.worker {
            0 => Some(File::create(&self.path).map_err(|error| cannot_create(&self.name, &self.path, &error))?),
            // No row ever comes here.
            _ => None,
        };
        let nothing_to_consolidate = context.append_only == [true] && context.unique_keys == [true];
        Ok(Box::new(FileTask {
            sink: self.clone(),
            file,
            reporter: context.reporter,
            writes_at_once: nothing_to_consolidate && self.sort_by.is_empty(),
            time: 0,
            has_header: false,
            gathered: Vec::new(),
            buffer: Vec::new(),
        }))
    }
}

/// Says why a file cannot be created, and what to do.
fn cannot_create(name: &str, path: &Path, error: &std::io::Error) -> EngineError {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let advice = match (error.kind(), directory) {
        (IoErrorKind::NotFound, Some(directory)) if !directory.exists() => format!(
            ". The directory {} does not exist: create it first, or write to another place",
            directory.display()
        ),
        (IoErrorKind::IsADirectory, _) => ". It is a directory: give the path of a file".to_owned(),
        (IoErrorKind::NotADirectory, Some(directory)) => {
            format!(". {} is no directory: write to another place", directory.display())
        }
        (IoErrorKind::PermissionDenied, _) => {
            ". Change the permissions of the file or its directory, or write to another place".to_owned()
        }
        _ => String::new(),
    };
    EngineError::new(
        ErrorKind::Os,
        format!(
            "{name}: cannot create the output file {}: {error}{advice}",
            path.display()
        ),
    )
}

struct FileTask {
    sink: FileSink,
    file: Option<File>,
    reporter: Reporter,
    /// Whether rows can be written as they come.
    writes_at_once: bool,
    /// The open time.
    time: Time,
    has_header: bool,
    /// The batches of the open time, if they wait for its end.
    gathered: Vec<Batch>,
    buffer: Vec<u8>,
}

impl FileTask {
    fn write(&mut self, batch: &Batch) -> Result<(), EngineError> {
        let batch = writable(batch, &self.reporter)?;
        if batch.is_empty() {
            return Ok(());
        }
        if !self.has_header {
            self.has_header = true;
            self.sink.format.write_header(&mut self.buffer);
        }
        for start in (0..batch.len()).step_by(ROWS_A_TURN) {
            let rows = ROWS_A_TURN.min(batch.len() - start);
            let turn = batch.slice(start, rows);
            self.sink.format.write_rows(&turn, self.time, &mut self.buffer);
            if self.buffer.len() >= WRITE_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), EngineError> {
        if let Some(file) = &mut self.file
            && !self.buffer.is_empty()
        {
            file.write_all(&self.buffer).map_err(|error| {
                EngineError::os(
                    format!("{}: cannot write to {}", self.sink.name, self.sink.path.display()),
                    &error,
                )
            })?;
            self.buffer.clear();
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
        self.gathered.push(batch);
        Ok(())
    }

    fn complete(&mut self, time: Time, _output: &mut Output) -> Result<(), EngineError> {
        assert_eq!(time, self.time, "the time that is completed is the open one");
        let gathered = std::mem::take(&mut self.gathered);
        if !gathered.is_empty() {
            let mut batches = Batch::consolidate(gathered);
            if !self.sink.sort_by.is_empty() {
                batches = vec![Batch::concat(&batches).sorted_by(&self.sink.sort_by)];
            }
            for batch in batches {
                self.write(&batch)?;
            }
        }
        self.flush()
    }
}

/// The rows that can be written: rows with an error are reported, rows whose values are not known yet are left out.
fn writable(batch: &Batch, reporter: &Reporter) -> Result<Batch, EngineError> {
    let unknown = |row: usize| {
        batch
            .columns()
            .iter()
            .any(|column| matches!(column.cells(), Cells::Any(values) if matches!(values[row], Value::Pending)))
    };
    let has_errors = batch.columns().iter().any(|column| column.errors().is_some());
    let has_values = batch
        .columns()
        .iter()
        .any(|column| matches!(column.cells(), Cells::Any(_)));
    if !(has_errors || has_values && (0..batch.len()).any(unknown)) {
        return Ok(batch.clone());
    }
    let mut rows = Vec::with_capacity(batch.len());
    for row in 0..batch.len() {
        let is_error = batch.columns().iter().any(|column| column.is_error(row));
        if is_error {
            reporter.report(RowError {
                key: Some(batch.keys()[row]),
                ..RowError::new(ErrorKind::Value, "Error value encountered in output, skipping the row")
            })?;
        }
        rows.push(!is_error && !unknown(row));
    }
    Ok(batch.filter(&BooleanBuffer::from(rows)))
}
