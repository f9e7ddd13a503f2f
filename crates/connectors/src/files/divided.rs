//! A thread that reads what there is together with others: whole files, and pieces of big ones.

use std::io;
use std::sync::Arc;

use towpath_engine::EngineError;
use towpath_engine::source::Stopped;
use towpath_types::Batch;

use super::block::Block;
use super::csv::CsvFormat;
use super::declared::FileFormat;
use super::named::Named;
use super::position::KeyOrigin;
use super::reader::FileReader;
use super::records::{RecordFormat, parse_block};
use super::sending::{Halt, push};
use super::signal::Closing;
use super::split::Splitter;
use super::work::{Job, LargeFile, Work};

/// What has parsed a piece of a file, for its other pieces.
pub(crate) type PieceParser = (Arc<LargeFile>, Box<dyn RecordFormat>);

impl FileReader {
    /// Reads what is there for this thread and others.
    pub(crate) fn run_divided(self, work: &Work) {
        let closing = Closing::new(Arc::clone(&self.queue));
        let result = self.read_divided(work);
        self.failures.leave(&self.source.name);
        closing.close(result);
    }

    fn read_divided(&self, work: &Work) -> Result<(), EngineError> {
        let mut parser = None;
        while !self.signal.is_stopped() && self.read_next(work, &mut parser, |batch| push(&self.queue, &batch))? {}
        Ok(())
    }

    /// Reads the next thing there is to read, and says whether there was one. A parser is kept for other pieces of
    /// the same file.
    pub(crate) fn read_next(
        &self,
        work: &Work,
        parser: &mut Option<PieceParser>,
        send: impl FnMut(Batch) -> Result<(), Stopped>,
    ) -> Result<bool, EngineError> {
        let task = match work.next(self) {
            Ok(Some(task)) => task,
            Ok(None) => return Ok(false),
            Err((file, error)) => return Err(self.unreadable(&file, &error)),
        };
        let result = match &task {
            Job::File(file) => self.read_file(file, send),
            Job::Piece(file, block) => self.read_piece(file, block, parser, send).map_err(Halt::from),
        };
        match result {
            Ok(()) => return Ok(true),
            // The others need not go on.
            Err(_) => work.end(),
        }
        match (result, task) {
            (Err(Halt::Unreadable(error)), Job::File(file)) => Err(self.unreadable(&file, &error)),
            _ => Ok(false),
        }
    }

    /// Reads the header of a file that is read in pieces, if its format has one, and reports what is wrong with it
    /// unless it is to be silent.
    pub(crate) fn read_header(
        &self,
        file: &Named,
        is_silent: bool,
        splitter: &mut Splitter,
    ) -> io::Result<Option<CsvFormat>> {
        let FileFormat::Csv(settings) = &self.source.format else {
            return Ok(None);
        };
        let mut rows = self.rows(file, &KeyOrigin::of(&file.shown), None);
        rows.set_silent(is_silent);
        let mut format = CsvFormat::new(settings.clone(), &self.fields, self.keeps_bad_rows);
        splitter.read_head(|block| {
            rows.begin_block(block);
            let (consumed, is_read) = format.parse_header(block, &mut rows);
            rows.end_block(consumed);
            (consumed, is_read)
        })?;
        self.has_all(&format)?;
        if format.is_hopeless() {
            splitter.skip_rest();
        }
        Ok(Some(format))
    }

    fn read_piece(
        &self,
        file: &Arc<LargeFile>,
        block: &Block,
        parser: &mut Option<PieceParser>,
        mut send: impl FnMut(Batch) -> Result<(), Stopped>,
    ) -> Result<(), Stopped> {
        if parser.as_ref().is_none_or(|(other, _)| !Arc::ptr_eq(other, file)) {
            let format: Option<Box<dyn RecordFormat>> = match &file.header {
                Some(header) => Some(Box::new(header.clone())),
                None => self.record_format(),
            };
            *parser = format.map(|format| (Arc::clone(file), format));
        }
        let Some((_, format)) = parser else {
            panic!("a file of {:?} was split", self.source.format);
        };
        let origin = KeyOrigin::of(&file.file.shown);
        let mut rows = self.rows(&file.file, &origin, None).of_piece(&file.lines);
        let consumed = parse_block(&mut **format, block, &mut rows);
        self.queue.has_read(consumed);
        rows.take_batches().into_iter().try_for_each(&mut send)?;
        assert!(
            consumed == block.bytes().len(),
            "a piece of {} ends within a record, at byte {}, please report it",
            file.file.shown,
            block.offset + consumed as u64
        );
        Ok(())
    }
}
