//! One large file in pieces, for threads and processes that read it at the same time.
//!
//! Piece n has the records that begin in the bytes from n times the size of a piece to (n + 1) times it, so that
//! pieces depend on the file alone. A record that is longer than a piece leaves the pieces after it empty. Process p
//! of P has every P-th piece.
//!
//! Where a record ends at every end of a line, a process goes straight to its pieces: a piece begins after the first
//! end of a line that is not before the last byte before it. A quoted field of csv may hold ends of lines, and whether
//! a quote opens or closes depends on all quotes before it; so every process looks at all quotes of the file, which
//! takes a fraction of the time that parsing takes, and parses only its own pieces.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

use arrow_buffer::Buffer;

use super::block::{Block, LONGEST_RECORD, MARK, too_long};
use super::csv::grammar::QuotedEnds;
use super::declared::FileFormat;
use super::numbers::LineNumbers;

/// Where records end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ends {
    /// At every line feed.
    Lines,
    /// At every line feed or carriage return.
    AnyLines,
    /// At every line feed or carriage return that is not inside quotes.
    OutsideQuotes(QuotedEnds),
}

impl Ends {
    /// Where the records of a format end; `None` if its files are not split.
    pub(crate) fn of(format: &FileFormat) -> Option<Self> {
        match format {
            FileFormat::Csv(settings) if !settings.quoting => Some(Ends::AnyLines),
            FileFormat::Csv(settings) => QuotedEnds::new(settings).map(Ends::OutsideQuotes),
            FileFormat::JsonLines(_) | FileFormat::Plaintext => Some(Ends::Lines),
            FileFormat::PlaintextByFile | FileFormat::Binary | FileFormat::OnlyMetadata => None,
        }
    }

    /// Where the first record ends whose last byte is at `from` or later, in bytes that begin with a record. A search
    /// that has found nothing goes on when more has been read.
    fn find(&mut self, bytes: &[u8], from: usize, is_all: bool) -> Option<usize> {
        let rest = bytes.get(from..).unwrap_or_default();
        let found = match self {
            Ends::Lines => memchr::memchr(b'\n', rest)?,
            Ends::AnyLines => memchr::memchr2(b'\n', b'\r', rest)?,
            Ends::OutsideQuotes(ends) => return ends.find(bytes, from, is_all),
        };
        Some(from + found + 1)
    }
}

/// Which pieces of a file a process reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub(crate) process: u64,
    pub(crate) processes: u64,
    /// Whose piece 0 is.
    pub(crate) first: u64,
}

impl Share {
    pub(crate) fn has(self, piece: u64) -> bool {
        (self.first + piece) % self.processes == self.process
    }

    /// The first piece of this process from `piece` on.
    pub(crate) fn next(self, piece: u64) -> u64 {
        let owner = (self.first + piece) % self.processes;
        piece + (self.process + self.processes - owner) % self.processes
    }
}

/// Cuts one file into pieces.
#[derive(Debug)]
pub(crate) struct Splitter {
    file: File,
    /// The file is read up to here, even if it has grown.
    size: u64,
    piece_bytes: u64,
    ends: Ends,
    share: Share,
    /// Where the next record begins.
    start: u64,
    /// What has been read from there on.
    bytes: Vec<u8>,
}

impl Splitter {
    /// Begins with the first record of a file, after its byte order mark.
    pub(crate) fn new(file: File, size: u64, piece_bytes: u64, ends: Ends, share: Share) -> io::Result<Self> {
        let mut splitter = Self {
            file,
            size,
            piece_bytes,
            ends,
            share,
            start: 0,
            bytes: Vec::new(),
        };
        splitter.fill(MARK.len())?;
        if splitter.bytes == MARK {
            splitter.advance(MARK.len());
        }
        Ok(splitter)
    }

    /// Hands what the file begins with to `read` until it says that this was enough. It answers how many bytes it
    /// took, which are whole records, and whether that was enough.
    pub(crate) fn read_head(&mut self, mut read: impl FnMut(&Block) -> (usize, bool)) -> io::Result<()> {
        let mut wanted = self.beyond();
        while self.start < self.size {
            self.fill(wanted)?;
            let block = Block {
                buffer: Buffer::from(self.bytes.as_slice()),
                offset: self.start,
                is_last: self.is_all_read(),
            };
            let (consumed, is_enough) = read(&block);
            self.advance(consumed);
            if is_enough || block.is_last {
                return Ok(());
            }
            if self.bytes.len() > LONGEST_RECORD {
                return Err(too_long());
            }
            wanted = block.bytes().len() * 2;
        }
        Ok(())
    }

    /// Why the file cannot be read, and where.
    pub(crate) fn with_line(&self, error: io::Error, lines: &LineNumbers) -> io::Error {
        match lines.at(self.start) {
            Some(line) if error.kind() == io::ErrorKind::InvalidData => {
                io::Error::new(error.kind(), format!("the record in line {line} or after it: {error}"))
            }
            _ => error,
        }
    }

    /// Nothing of the rest is read.
    pub(crate) fn skip_rest(&mut self) {
        self.start = self.size;
    }

    /// The next piece of this process.
    pub(crate) fn next_piece(&mut self) -> io::Result<Option<Block>> {
        while self.start < self.size {
            let number = self.start / self.piece_bytes;
            if self.share.has(number) {
                let end = self.find_end(number)?;
                return Ok(Some(self.take(end)));
            }
            if let Ends::OutsideQuotes(_) = self.ends {
                let end = self.find_end(number)?;
                self.advance(end);
            } else {
                self.seek(self.share.next(number))?;
            }
        }
        Ok(None)
    }

    /// How much is read beyond the size of a piece at first, to find the end of its last record.
    fn beyond(&self) -> usize {
        (self.piece_bytes / 64).max(1) as usize
    }

    fn is_all_read(&self) -> bool {
        self.start + self.bytes.len() as u64 >= self.size
    }

    /// Reads until there are `wanted` bytes, or as many as there are.
    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        let there = self.size - self.start;
        let wanted = wanted.min(usize::try_from(there).unwrap_or(usize::MAX));
        let missing = wanted.saturating_sub(self.bytes.len());
        self.bytes.reserve_exact(missing);
        let read = (&mut self.file).take(missing as u64).read_to_end(&mut self.bytes)?;
        if read < missing {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "it is shorter than it was at the start of the run; it must not change while it is read, and be the \
                 same for all processes",
            ));
        }
        Ok(())
    }

    /// Where piece `number` ends, which begins with the bytes at hand.
    fn find_end(&mut self, number: u64) -> io::Result<usize> {
        // The last byte of the last record is not before this one.
        let from = ((number + 1) * self.piece_bytes - self.start - 1) as usize;
        let mut wanted = from + 1 + self.beyond();
        let mut search = self.ends;
        loop {
            self.fill(wanted)?;
            if let Some(end) = search.find(&self.bytes, from, self.is_all_read()) {
                return Ok(end);
            }
            if self.is_all_read() {
                return Ok(self.bytes.len());
            }
            if self.bytes.len() - from > LONGEST_RECORD {
                return Err(too_long());
            }
            // It grows fast, so that a long record is not copied often.
            wanted = self.bytes.len() * 2;
        }
    }

    /// Takes the first `end` bytes.
    fn take(&mut self, end: usize) -> Block {
        let rest = &self.bytes[end..];
        let mut next = Vec::with_capacity(self.piece_bytes as usize + self.beyond());
        next.extend_from_slice(rest);
        let mut bytes = std::mem::replace(&mut self.bytes, next);
        bytes.truncate(end);
        if bytes.len() < bytes.capacity() / 2 {
            // Columns keep it alive.
            bytes.shrink_to_fit();
        }
        let offset = self.start;
        self.start += end as u64;
        Block {
            buffer: Buffer::from_vec(bytes),
            offset,
            is_last: self.start >= self.size,
        }
    }

    /// Leaves out the first `end` bytes.
    fn advance(&mut self, end: usize) {
        self.bytes.drain(..end);
        self.start += end as u64;
    }

    /// Goes to the first record of a later piece, or after it if it is empty.
    fn seek(&mut self, piece: u64) -> io::Result<()> {
        let target = piece * self.piece_bytes;
        self.bytes.clear();
        if target >= self.size {
            self.start = self.size;
            return Ok(());
        }
        self.start = target - 1;
        self.file.seek(SeekFrom::Start(self.start))?;
        while self.start < self.size {
            self.fill(self.beyond())?;
            let mut search = self.ends;
            if let Some(end) = search.find(&self.bytes, 0, self.is_all_read()) {
                self.advance(end);
                break;
            }
            self.advance(self.bytes.len());
        }
        Ok(())
    }
}
