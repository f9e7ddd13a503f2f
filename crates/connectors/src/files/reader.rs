//! The thread of a source: reads files, or follows them, until it has read all or is told to stop.

use std::fs::File;
use std::io::{self, Read as _};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use towpath_engine::source::Stopped;
use towpath_engine::{EngineError, SourceContext, SourceHandle, SourceQueue};
use towpath_types::{Batch, Field};

use super::block::{Block, Blocks, Prefix};
use super::csv::CsvFormat;
use super::follow::Follower;
use super::lines::Lines;
use super::listing::{Found, Listing};
use super::metadata::file_metadata;
use super::rows::{Failures, Layout, Rejections, Reported, Rows};
use super::whole::push_file;
use super::{FileFormat, FileSource, ReadMode};
use crate::json::JsonRowParser;

/// Cuts the blocks of one file into records.
pub(crate) trait RecordFormat {
    /// Hands the complete records of a block to `rows`, and returns how many bytes they took.
    fn parse(&mut self, block: &Block, rows: &mut Rows<'_>) -> usize;
}

/// Tells a reader that something has happened.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    state: Mutex<SignalState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct SignalState {
    stop: bool,
    files_changed: bool,
}

impl Signal {
    pub(crate) fn stop(&self) {
        self.state.lock().stop = true;
        self.changed.notify_all();
    }

    pub(crate) fn files_changed(&self) {
        self.state.lock().files_changed = true;
        self.changed.notify_all();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.state.lock().stop
    }

    /// Waits for a signal, at most for `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) {
        let mut state = self.state.lock();
        if !state.stop && !state.files_changed {
            self.changed.wait_for(&mut state, timeout);
        }
        state.files_changed = false;
    }
}

/// A source at work.
pub(crate) struct Handle {
    pub(crate) signal: Arc<Signal>,
    pub(crate) thread: JoinHandle<()>,
}

impl SourceHandle for Handle {
    fn stop(&self) {
        self.signal.stop();
    }

    fn join(self: Box<Self>) {
        self.signal.stop();
        if self.thread.join().is_err() {
            tracing::error!(target: "pathway", "the thread of a file source ended unexpectedly, please report it");
        }
    }
}

/// Why reading ends early.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The run is over, or the source has been told to stop.
    Stopped,
    /// The file cannot be read.
    Unreadable(io::Error),
}

impl From<Stopped> for Halt {
    fn from(_: Stopped) -> Self {
        Halt::Stopped
    }
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        Halt::Unreadable(error)
    }
}

/// Where the reading of a file can go on when more has been written to its end.
pub(crate) struct Progress {
    format: Box<dyn RecordFormat>,
    prefix: Prefix,
    position: (u64, u64),
}

/// How the reading of a file ended.
pub(crate) enum ReadEnd {
    /// At the end of the file.
    Whole(Option<Progress>),
    /// Before a last record without an end.
    BeforeLast(Option<Progress>),
    /// What has been read before is not there any more; nothing was read.
    Changed,
    /// The file is there and cannot be read.
    Unreadable,
}

/// A source at work, seen from its own thread.
pub(crate) struct Reader {
    pub(crate) source: FileSource,
    pub(crate) context: SourceContext,
    pub(crate) signal: Arc<Signal>,
    layout: Layout,
    failures: Failures,
}

impl Reader {
    pub(crate) fn new(source: FileSource, context: SourceContext, signal: Arc<Signal>) -> Self {
        let layout = Layout::new(&source, &context.columns);
        Self {
            source,
            context,
            signal,
            layout,
            failures: Failures::default(),
        }
    }

    /// Reads until the source ends.
    pub(crate) fn run(mut self) {
        // A panic here must not leave the engine waiting for more rows.
        let closing = CloseOnDrop(Arc::clone(self.context.queue()));
        let result = match self.source.mode {
            ReadMode::Static => self.read_all(),
            ReadMode::Streaming(period) => {
                Follower::new(&mut self, period.is_none()).run();
                Ok(())
            }
        };
        if self.failures.rejected > 0 {
            tracing::warn!(
                target: "pathway",
                "{}: {} records could not be read and were left out; the error log has them all",
                self.source.name,
                self.failures.rejected
            );
        }
        if self.failures.values > 0 {
            tracing::warn!(
                target: "pathway",
                "{}: {} values could not be read and are errors; the error log has them all",
                self.source.name,
                self.failures.values
            );
        }
        self.context.queue().close(result);
        drop(closing);
    }

    fn read_all(&mut self) -> Result<(), EngineError> {
        let Listing { found: files, unseen } = self.source.location.list();
        for (path, error) in &unseen {
            tracing::warn!(target: "pathway", "{}: cannot look at {}: {error}", self.source.name, path.display());
        }
        if files.is_empty() {
            tracing::warn!(target: "pathway", "{}: {} has no files", self.source.name, self.source.location);
        }
        for file in files {
            let queue = Arc::clone(self.context.queue());
            let send = |batch: Batch| push(&queue, &batch);
            match self.read_file(&file, None, true, None, send) {
                Ok(_) => {}
                Err(Halt::Stopped) => break,
                Err(Halt::Unreadable(error)) => {
                    let what = format!("{}: cannot read {}", self.source.name, file.shown);
                    return Err(EngineError::os(what, &error));
                }
            }
        }
        Ok(())
    }

    /// Reads one file, or what follows in it after some progress, and sends the batches. A last record without an
    /// end is read only `to_the_end`.
    pub(crate) fn read_file(
        &mut self,
        file: &Found,
        progress: Option<Progress>,
        to_the_end: bool,
        reported: Option<&mut Reported>,
        mut send: impl FnMut(Batch) -> Result<(), Stopped>,
    ) -> Result<ReadEnd, Halt> {
        let fields: Vec<Field> = self
            .layout
            .fields
            .iter()
            .map(|field| self.source.schema.fields[*field].clone())
            .collect();
        let metadata = self
            .source
            .with_metadata
            .then(|| file_metadata(&file.shown, &file.metadata, self.context.clock.unix_milliseconds()));
        let rejections = Rejections {
            source: &self.source.name,
            queue: self.context.queue(),
            reporter: &self.context.reporter,
            failures: &mut self.failures,
            reported,
        };
        let mut rows = Rows::new(&self.source, &self.layout, &file.shown, metadata, rejections);
        let is_static = self.source.mode == ReadMode::Static;
        let (mut format, mut blocks) = if let Some(progress) = progress {
            let Some(blocks) = Blocks::resume(File::open(&file.path)?, progress.prefix)? else {
                return Ok(ReadEnd::Changed);
            };
            rows.resume(progress.position);
            (progress.format, blocks)
        } else if let Some(format) = record_format(&self.source.format, &fields, self.context.keeps_bad_rows) {
            // The metadata of all rows changes when the file grows.
            let can_go_on = !is_static && !self.source.with_metadata;
            (format, Blocks::new(File::open(&file.path)?, can_go_on))
        } else {
            let mut content = Vec::new();
            if !matches!(self.source.format, FileFormat::OnlyMetadata) {
                File::open(&file.path)?.read_to_end(&mut content)?;
            }
            push_file(&self.source.format, content, &fields, &mut rows);
            for batch in rows.take_batches() {
                send(batch)?;
            }
            return Ok(ReadEnd::Whole(None));
        };
        let mut last = None;
        while let Some(Block { buffer, is_last }) = blocks.next_block()? {
            if is_static && self.signal.is_stopped() {
                return Err(Halt::Stopped);
            }
            let block = Block { buffer, is_last: false };
            rows.begin_block(&block.buffer);
            let consumed = format.parse(&block, &mut rows);
            rows.end_block(consumed);
            for batch in rows.take_batches() {
                send(batch)?;
            }
            blocks.consume(&block, consumed);
            if is_last && consumed < block.bytes().len() {
                last = Some(block.buffer.slice(consumed));
            }
        }
        let Some(buffer) = last.filter(|_| to_the_end) else {
            let has_rest = blocks.has_rest();
            let position = rows.position();
            let progress = blocks.into_prefix().map(|prefix| Progress {
                format,
                prefix,
                position,
            });
            return Ok(if has_rest {
                ReadEnd::BeforeLast(progress)
            } else {
                ReadEnd::Whole(progress)
            });
        };
        rows.begin_block(&buffer);
        let block = Block { buffer, is_last: true };
        let consumed = format.parse(&block, &mut rows);
        rows.end_block(consumed);
        for batch in rows.take_batches() {
            send(batch)?;
        }
        // What is written next may belong to the last record.
        Ok(ReadEnd::Whole(None))
    }
}

/// Sends rows, no more at once than may be in flight.
pub(crate) fn push(queue: &SourceQueue, batch: &Batch) -> Result<(), Stopped> {
    let size = queue.limits().rows.max(1);
    let mut start = 0;
    while start < batch.len() {
        let len = size.min(batch.len() - start);
        queue.push(batch.slice(start, len))?;
        queue.wait_for_space()?;
        start += len;
    }
    Ok(())
}

/// What cuts a file into records; `None` if the file is one record.
fn record_format(format: &FileFormat, fields: &[Field], keeps_bad_rows: bool) -> Option<Box<dyn RecordFormat>> {
    match format {
        FileFormat::Csv(settings) => Some(Box::new(CsvFormat::new(settings.clone(), fields, keeps_bad_rows))),
        FileFormat::JsonLines(paths) => {
            let mut parser = JsonRowParser::with_paths(fields, paths);
            parser.keep_bad_rows(keeps_bad_rows);
            Some(Box::new(parser))
        }
        FileFormat::Plaintext => Some(Box::new(Lines {
            is_read: !fields.is_empty(),
        })),
        FileFormat::PlaintextByFile | FileFormat::Binary | FileFormat::OnlyMetadata => None,
    }
}

/// Ends a source whose thread ends in any other way than it should.
struct CloseOnDrop(Arc<SourceQueue>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        if !self.0.is_closed() {
            let message = "the thread of a file source ended unexpectedly, please report it";
            self.0
                .close(Err(EngineError::new(towpath_engine::ErrorKind::Runtime, message)));
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::sync::Arc;
    use towpath_engine::clock::ManualClock;
    use towpath_engine::operator::ErrorLog;
    use towpath_engine::source::{Limits, SourceStream, Team};
    use towpath_engine::{Origin, Reporter, RowError, Source as _};
    use towpath_types::{Schema, Value};

    #[derive(Default)]
    struct Messages(Mutex<Vec<String>>);

    impl ErrorLog for Messages {
        fn report(&self, _operator: usize, _origin: Option<&Origin>, error: RowError) -> Result<(), EngineError> {
            self.0.lock().push(error.message);
            Ok(())
        }
    }

    /// The rows of a file with this content, and why others were rejected.
    pub(crate) fn read_text(format: FileFormat, schema: Schema, content: &[u8]) -> (Vec<Vec<Value>>, Vec<String>) {
        read_with(format, schema, content, false)
    }

    /// The same, and whether rows with bad values are kept.
    pub(crate) fn read_with(
        format: FileFormat,
        schema: Schema,
        content: &[u8],
        keeps_bad_rows: bool,
    ) -> (Vec<Vec<Value>>, Vec<String>) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("file");
        std::fs::write(&path, content).expect("the file is written");
        let source = FileSource::new("s", path.to_string_lossy(), format, ReadMode::Static, schema)
            .expect("the source is right");
        let log = Arc::new(Messages::default());
        let context = SourceContext {
            columns: (0..source.columns().len()).collect(),
            streams: vec![SourceStream {
                number: 0,
                queue: Arc::new(SourceQueue::new(Limits::default())),
            }],
            manifest: Vec::new(),
            process: 0,
            team: Team::ALONE,
            reporter: Reporter::new(0, None, log.clone()),
            clock: Arc::new(ManualClock::default()),
            keeps_bad_rows,
        };
        let mut reader = Reader::new(source.clone(), context, Arc::default());
        let mut rows = Vec::new();
        for file in source.location.list().found {
            reader
                .read_file(&file, None, true, None, |batch| {
                    rows.extend((0..batch.len()).map(|row| batch.row(row)));
                    Ok(())
                })
                .expect("the file can be read");
        }
        let messages = log.0.lock().clone();
        (rows, messages)
    }

    pub(crate) fn rejected(format: FileFormat, schema: Schema, content: &[u8]) -> Vec<String> {
        read_text(format, schema, content).1
    }
}
