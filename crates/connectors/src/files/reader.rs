//! Reading the files of a source, as its threads do.

use std::fs::Metadata;
use std::io::{self, Read as _};
use std::sync::Arc;

use towpath_engine::clock::Clock;
use towpath_engine::source::Stopped;
use towpath_engine::{EngineError, ErrorKind, Reporter, RowError, SourceContext, SourceQueue};
use towpath_types::{Batch, Field, Value};

use super::block::{Block, Blocks, too_long_for_a_value};
use super::csv::CsvFormat;
use super::declared::{FileFormat, FileSource};
use super::failures::{FailureCounts, Rejections, Reported};
use super::lines::Lines;
use super::listing::Found;
use super::metadata::file_metadata;
use super::named::Named;
use super::open::{Input, open};
use super::position::KeyOrigin;
use super::records::{RecordFormat, parse_block};
use super::rows::{Projection, RowBuilder, Stamping};
use super::sending::Halt;
use super::signal::Signal;
use super::whole::push_file;
use crate::json::JsonRowParser;

/// So much of a file that is one value is read between looks at whether anybody still wants it.
const PIECE: u64 = 1 << 20;

/// A source at work, seen from a thread of its own.
pub(crate) struct FileReader {
    pub(crate) source: FileSource,
    pub(crate) queue: Arc<SourceQueue>,
    pub(crate) signal: Arc<Signal>,
    pub(crate) clock: Arc<dyn Clock>,
    reporter: Reporter,
    pub(crate) keeps_bad_rows: bool,
    /// Whether a file that has not what the schema wants of it ends the run.
    needs_all: bool,
    projection: Projection,
    /// The fields of the schema that are read.
    pub(crate) fields: Vec<Field>,
    pub(crate) failures: Arc<FailureCounts>,
}

/// A file has not what the schema wants of it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Lacking(String);

impl FileReader {
    pub(crate) fn new(
        source: FileSource,
        context: &SourceContext,
        queue: Arc<SourceQueue>,
        signal: Arc<Signal>,
        failures: Arc<FailureCounts>,
    ) -> Self {
        let projection = Projection::new(&source, &context.columns);
        let fields = projection
            .fields
            .iter()
            .map(|field| source.schema.fields[*field].clone());
        Self {
            fields: fields.collect(),
            source,
            queue,
            signal,
            clock: Arc::clone(&context.clock),
            reporter: context.reporter.clone(),
            keeps_bad_rows: context.keeps_bad_rows,
            needs_all: !context.keeps_bad_rows,
            projection,
            failures,
        }
    }

    pub(crate) fn unreadable(&self, file: &Named, error: &io::Error) -> EngineError {
        if let Some(Lacking(what)) = error.get_ref().and_then(|error| error.downcast_ref()) {
            let message = format!(
                "{}: {}: {what}; with terminate_on_error=False such a file is left out",
                self.source.name, file.shown
            );
            return EngineError::new(ErrorKind::Value, message);
        }
        EngineError::os(format!("{}: cannot read {}", self.source.name, file.shown), error)
    }

    /// A file and what its rows say of it now.
    pub(crate) fn named(&self, file: &Found) -> Named {
        Named::of(&self.source, file, self.clock.unix_milliseconds())
    }

    /// What the rows of a file say of it now, if anybody asked.
    pub(crate) fn metadata(&self, file: &Named, metadata: &Metadata) -> Option<Value> {
        let now = self.clock.unix_milliseconds();
        let is_asked = self.source.with_metadata && self.has_metadata();
        is_asked.then(|| file_metadata(&file.shown, metadata, now))
    }

    /// Takes the records of a file, whose rows have keys made from `origin`.
    pub(crate) fn rows<'a>(
        &'a self,
        file: &'a Named,
        origin: &KeyOrigin,
        reported: Option<&'a mut Reported>,
    ) -> RowBuilder<'a> {
        let rejections = Rejections {
            source: &self.source.name,
            queue: &self.queue,
            reporter: &self.reporter,
            failures: &self.failures,
            is_silent: false,
            needs_file: self.needs_all && reported.is_none(),
            left_out: None,
            reported,
        };
        let stamping = self.stamping(origin, file.metadata.clone());
        RowBuilder::new(&self.source, &file.shown, stamping, rejections)
    }

    /// What the rows of a file have in common.
    pub(crate) fn stamping(&self, origin: &KeyOrigin, metadata: Option<Value>) -> Stamping<'_> {
        Stamping::new(&self.source, &self.projection, origin, metadata)
    }

    /// Whether rows say of which file they are, and somebody asks.
    pub(crate) fn has_metadata(&self) -> bool {
        self.projection.has_metadata()
    }

    /// Reports something about a file that is followed.
    pub(crate) fn report(&self, message: String) {
        tracing::error!(target: "pathway", "{message}");
        // What happens to files never ends a run.
        let _ = self.reporter.report(RowError::new(ErrorKind::Value, message));
    }

    /// Reads one file from its beginning to its end, and sends the batches.
    pub(crate) fn read_file(
        &self,
        file: &Named,
        mut send: impl FnMut(Batch) -> Result<(), Stopped>,
    ) -> Result<(), Halt> {
        let mut rows = self.rows(file, &KeyOrigin::of(&file.shown), None);
        let mut send_all = |rows: &mut RowBuilder<'_>| rows.take_batches().into_iter().try_for_each(&mut send);
        let mut input = open(&file.path, &self.signal)?;
        let Some(mut format) = self.record_format() else {
            self.read_record(&mut input, &mut rows)?;
            return Ok(send_all(&mut rows)?);
        };
        let mut blocks = Blocks::new(&mut input, self.source.sizes);
        let last = self.read_blocks(&mut *format, &mut blocks, &mut rows, |rows| {
            if self.signal.is_stopped() {
                Err(Stopped)
            } else {
                send_all(rows)
            }
        })?;
        if let Some(block) = last {
            parse_block(&mut *format, &block, &mut rows);
            self.queue.has_read(block.bytes().len());
            send_all(&mut rows)?;
        }
        Ok(self.has_all(&*format)?)
    }

    /// Makes sure that a file that is read once, to its end, has what the schema wants of it. Where bad rows are kept, it was
    /// reported.
    pub(crate) fn has_all(&self, format: &dyn RecordFormat) -> io::Result<()> {
        match format.lacks() {
            Some(what) if self.needs_all => Err(io::Error::new(io::ErrorKind::InvalidData, Lacking(what.to_owned()))),
            _ => Ok(()),
        }
    }

    /// Reads a file that is one record.
    pub(crate) fn read_record(&self, input: &mut Input, rows: &mut RowBuilder<'_>) -> Result<(), Halt> {
        let mut content = Vec::new();
        if !matches!(self.source.format, FileFormat::OnlyMetadata) {
            while input.take(PIECE).read_to_end(&mut content)? > 0 {
                if self.signal.is_overdue() {
                    return Err(Halt::Stopped);
                }
                if content.len() > self.source.sizes.longest {
                    return Err(too_long_for_a_value().into());
                }
            }
        }
        self.queue.has_read(content.len());
        push_file(&self.source.format, content, &self.fields, rows);
        Ok(())
    }

    /// Reads all records but a last one without an end, which is what it answers. After every block `take` has the rows.
    pub(crate) fn read_blocks<R: io::Read>(
        &self,
        format: &mut dyn RecordFormat,
        blocks: &mut Blocks<R>,
        rows: &mut RowBuilder<'_>,
        mut take: impl FnMut(&mut RowBuilder<'_>) -> Result<(), Stopped>,
    ) -> Result<Option<Block>, Halt> {
        loop {
            let Some(block) = blocks.next_block().map_err(|error| rows.with_line(error))? else {
                return Ok(None);
            };
            // It may not be the last one any more when it is looked at again.
            let part = Block {
                buffer: block.buffer.clone(),
                offset: block.offset,
                is_last: false,
            };
            let consumed = parse_block(format, &part, rows);
            blocks.consume(&part, consumed);
            self.queue.has_read(consumed);
            take(rows)?;
            if block.is_last {
                let rest = Block {
                    buffer: block.buffer.slice(consumed),
                    offset: block.offset + consumed as u64,
                    is_last: true,
                };
                return Ok((!rest.bytes().is_empty()).then_some(rest));
            }
        }
    }

    /// What cuts a file into records; `None` if the file is one record.
    pub(crate) fn record_format(&self) -> Option<Box<dyn RecordFormat>> {
        match &self.source.format {
            FileFormat::Csv(settings) => {
                let format = CsvFormat::new(settings.clone(), &self.fields, self.keeps_bad_rows);
                Some(Box::new(format))
            }
            FileFormat::JsonLines(paths) => {
                let mut parser = JsonRowParser::with_paths(&self.fields, paths);
                parser.keep_bad_rows(self.keeps_bad_rows);
                Some(Box::new(parser))
            }
            FileFormat::Plaintext => Some(Box::new(Lines {
                is_read: !self.fields.is_empty(),
            })),
            FileFormat::PlaintextByFile | FileFormat::Binary | FileFormat::OnlyMetadata => None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::declared::ReadMode;
    use super::super::work::Work;
    use super::*;
    use parking_lot::Mutex;
    use std::sync::Arc;
    use towpath_engine::clock::ManualClock;
    use towpath_engine::reporter::ErrorLog;
    use towpath_engine::source::{Limits, Team};
    use towpath_engine::{Origin, Reporter, RowError, Source as _};
    use towpath_types::{DType, Schema, Value};

    #[derive(Default)]
    pub(crate) struct Messages(pub(crate) Mutex<Vec<String>>);

    impl ErrorLog for Messages {
        fn report(&self, _operator: usize, _origin: Option<&Origin>, error: RowError) -> Result<(), EngineError> {
            self.0.lock().push(error.message);
            Ok(())
        }
    }

    /// A reader of all columns of a source.
    pub(crate) fn reader(source: &FileSource, keeps_bad_rows: bool, log: &Arc<Messages>) -> FileReader {
        let queue = Arc::new(SourceQueue::new(Limits::default()));
        let context = SourceContext {
            columns: (0..source.columns().len()).collect(),
            streams: Vec::new(),
            manifest: Vec::new(),
            process: 0,
            team: Team::ALONE,
            reporter: Reporter::new(0, None, Arc::clone(log) as Arc<dyn ErrorLog>),
            errors: Arc::default(),
            clock: Arc::new(ManualClock::default()),
            keeps_bad_rows,
        };
        let failures = Arc::new(FailureCounts::new(1));
        FileReader {
            needs_all: false,
            ..FileReader::new(source.clone(), &context, queue, Arc::default(), failures)
        }
    }

    #[test]
    fn a_file_has_what_the_schema_wants_or_ends_the_run() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for (content, piece_bytes, is_right) in [
            ("a,b\nx,1\n", 1 << 20, true),
            ("sep=,\na,b\nx,1\n", 1 << 20, true),
            ("", 1 << 20, true),
            ("a,c\nx,1\n", 1 << 20, false),
            ("a,c\nx,1\n", 1, false),
            ("a,c\n", 1, false),
        ] {
            let path = directory.path().join("file");
            std::fs::write(&path, content).expect("the file is written");
            let format = FileFormat::Csv(super::super::CsvSettings::default());
            let schema = Schema::of([("a", DType::Str), ("b", DType::Int)]);
            let source = FileSource::new("s", path.to_string_lossy(), format, ReadMode::Static, schema);
            let source = FileSource {
                piece_bytes,
                ..source.expect("the source is right")
            };
            for needs_all in [true, false] {
                let reader = FileReader {
                    needs_all,
                    ..reader(&source, false, &Arc::default())
                };
                let work = Work::new(source.entries(&source.location.list().found, 0), source.cut(), (0, 1));
                let mut parser = None;
                let mut result = Ok(true);
                while matches!(result, Ok(true)) {
                    result = reader.read_next(&work, &mut parser, |_| Ok(()));
                }
                assert_eq!(result.is_ok(), is_right || !needs_all, "{content:?}: {result:?}");
            }
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
        let log: Arc<Messages> = Arc::default();
        let reader = reader(&source, keeps_bad_rows, &log);
        let mut rows = Vec::new();
        for file in source.location.list().found {
            reader
                .read_file(&reader.named(&file), |batch| {
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
