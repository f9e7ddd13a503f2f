//! The numbers of lines of a file that is read in pieces.
//!
//! Who reads a piece does not know how many lines there are before it, and needs it only for messages. Then the part
//! of the file before it is read again, but no part more than once: what has been counted is remembered.

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use parking_lot::Mutex;

use super::open::open_plain;

/// What is counted in one go; another thread that asks for a position not far before counts no more than this.
const STEP: u64 = 1 << 24;

/// See the module.
#[derive(Debug)]
pub(crate) struct LineNumbers {
    path: PathBuf,
    /// The numbers, from 1, of the lines in which some positions of the file are.
    known: Mutex<BTreeMap<u64, u64>>,
}

impl LineNumbers {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            known: Mutex::new(BTreeMap::from([(0, 1)])),
        }
    }

    /// The number of the line in which a position of the file is, if the file can be read again.
    pub(crate) fn at(&self, offset: u64) -> Option<u64> {
        let mut known = self.known.lock();
        let (mut from, mut line) = known.range(..=offset).next_back().map(|(from, line)| (*from, *line))?;
        while from < offset {
            let to = offset.min(from + STEP);
            line += self.count(from, to - from)?;
            from = to;
            known.insert(from, line);
        }
        Some(line)
    }

    /// Remembers what has been found out.
    pub(crate) fn remember(&self, offset: u64, line: u64) {
        self.known.lock().insert(offset, line);
    }

    /// The number of line feeds in a part of the file.
    fn count(&self, from: u64, mut rest: u64) -> Option<u64> {
        let mut count = 0;
        let mut file = open_plain(&self.path).ok()?;
        file.seek(SeekFrom::Start(from)).ok()?;
        let mut bytes = vec![0; 1 << 16];
        while rest > 0 {
            let wanted = bytes.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
            let bytes = &mut bytes[..wanted];
            file.read_exact(bytes).ok()?;
            count += memchr::memchr_iter(b'\n', bytes).count() as u64;
            rest -= wanted as u64;
        }
        Some(count)
    }
}
