//! A file that is read from its beginning to its end, a part of it at a time.

use std::io;

use crate::storage::{Entry, Storage};

/// How much of a file is held at a time when all of it is read.
pub(super) const WINDOW: usize = 1 << 20;

/// A part of a file that is held in memory.
pub(super) struct Window<'a> {
    storage: &'a dyn Storage,
    name: &'a str,
    pub(super) size: u64,
    /// How much of it is read at a time, or more if more is asked for.
    capacity: usize,
    /// Where the bytes are in the file.
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    pub(super) fn new(storage: &'a dyn Storage, entry: &'a Entry, capacity: usize) -> Self {
        Self {
            storage,
            name: &entry.name,
            size: entry.bytes,
            capacity,
            start: 0,
            bytes: Vec::new(),
        }
    }

    /// So many bytes; fewer where the file ends.
    pub(super) fn get(&mut self, offset: u64, length: usize) -> io::Result<&[u8]> {
        let end = |length: usize| self.size.min(offset.saturating_add(length as u64));
        if offset < self.start || end(length) > self.start + self.bytes.len() as u64 {
            let range = offset..end(length.max(self.capacity));
            self.bytes = self.storage.read(self.name, Some(range))?;
            self.start = offset;
        }
        let held = self.held(offset);
        Ok(&held[..held.len().min(length)])
    }

    /// At least one byte and at most so many; none where the file ends.
    pub(super) fn piece(&mut self, offset: u64, most: u64) -> io::Result<&[u8]> {
        if self.held(offset).is_empty() {
            self.get(offset, 1)?;
        }
        let held = self.held(offset);
        Ok(&held[..held.len().min(usize::try_from(most).unwrap_or(usize::MAX))])
    }

    /// What is held from an offset on.
    fn held(&self, offset: u64) -> &[u8] {
        let at = offset.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| self.bytes.get(at..)).unwrap_or(&[])
    }
}
