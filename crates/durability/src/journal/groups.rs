//! Reads the groups of a file, and checks every byte of them.

use std::io;

use memchr::memmem;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::Time;
use crate::format::fixed;
use crate::journal::layout::{CONTENT_HEADER, GROUP_HEADER, GROUP_MAGIC, GroupHeader, RECORD_HEADER};
use crate::journal::window::{WINDOW, Window};

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// The number of its file in the index.
    pub file: u32,
    /// Where in it the payload begins.
    pub offset: u64,
    /// How long the payload is.
    pub length: u64,
    /// What it is, for who wrote it.
    pub kind: u8,
    /// Its time.
    pub time: Time,
    /// XXH3-64 of the payload, which is read later.
    pub(super) hash: u64,
}

/// What is where a group should be.
pub(super) enum Found {
    Whole(FoundGroup),
    /// Why it is none.
    Bad(&'static str),
}

pub(super) struct FoundGroup {
    pub(super) closed: Time,
    pub(super) is_end: bool,
    /// With the numbers of their streams.
    pub(super) records: Vec<(u32, IndexEntry)>,
    /// Where the next one begins.
    pub(super) next: u64,
}

pub(super) fn read_group(window: &mut Window<'_>, offset: u64, number: u64, seed: u64, file: u32) -> io::Result<Found> {
    let Some(header) = GroupHeader::new(window.get(offset, GROUP_HEADER)?, seed) else {
        return Ok(Found::Bad("there is no group"));
    };
    if header.number != number {
        return Ok(Found::Bad("there is another group than the next"));
    }
    let start = offset + GROUP_HEADER as u64;
    let Some(next) = start.checked_add(header.length).filter(|next| *next <= window.size) else {
        return Ok(Found::Bad("it ends within a group"));
    };
    let mut content = Content {
        window,
        offset: start,
        end: next,
        hasher: header.hasher(seed),
    };
    let Some(group) = content.read(file)? else {
        return Ok(Found::Bad("the content of a group is not what was written"));
    };
    if !header.fits(&content.hasher) {
        return Ok(Found::Bad("the checksum of a group is not that of its content"));
    }
    Ok(Found::Whole(group))
}

/// The content of a group, read from its beginning to its end.
struct Content<'a, 'b> {
    window: &'a mut Window<'b>,
    offset: u64,
    end: u64,
    hasher: Xxh3,
}

impl Content<'_, '_> {
    /// What it says, if it can be what was written; its checksum has not been looked at.
    fn read(&mut self, file: u32) -> io::Result<Option<FoundGroup>> {
        let Some(header) = self.take::<CONTENT_HEADER>()? else {
            return Ok(None);
        };
        let count = u64::from_le_bytes(fixed(&header[8..16]));
        let mut records = Vec::new();
        for _ in 0..count {
            let Some(header) = self.take::<RECORD_HEADER>()? else {
                return Ok(None);
            };
            let length = u64::from_le_bytes(fixed(&header[13..]));
            let offset = self.offset;
            let Some(hash) = self.skip(length)? else {
                return Ok(None);
            };
            let entry = IndexEntry {
                file,
                offset,
                length,
                kind: header[4],
                time: u64::from_le_bytes(fixed(&header[5..13])),
                hash,
            };
            records.push((u32::from_le_bytes(fixed(&header[..4])), entry));
        }
        Ok((self.offset == self.end).then(|| FoundGroup {
            closed: u64::from_le_bytes(fixed(&header[..8])),
            is_end: header[16] != 0,
            records,
            next: self.end,
        }))
    }

    /// The next bytes, if there are so many.
    fn take<const N: usize>(&mut self) -> io::Result<Option<[u8; N]>> {
        if self.end - self.offset < N as u64 {
            return Ok(None);
        }
        let bytes = self.window.get(self.offset, N)?;
        if bytes.len() < N {
            return Ok(None);
        }
        self.hasher.update(bytes);
        self.offset += N as u64;
        Ok(Some(fixed(bytes)))
    }

    /// XXH3-64 of so many bytes, if there are so many.
    fn skip(&mut self, length: u64) -> io::Result<Option<u64>> {
        let Some(end) = self.offset.checked_add(length).filter(|end| *end <= self.end) else {
            return Ok(None);
        };
        // Mostly it is all at hand.
        let piece = self.window.piece(self.offset, length)?;
        if piece.len() as u64 == length {
            self.hasher.update(piece);
            self.offset = end;
            return Ok(Some(xxh3_64(piece)));
        }
        let mut hasher = Xxh3::new();
        while self.offset < end {
            let piece = self.window.piece(self.offset, end - self.offset)?;
            if piece.is_empty() {
                return Ok(None);
            }
            self.hasher.update(piece);
            hasher.update(piece);
            self.offset += piece.len() as u64;
        }
        Ok(Some(hasher.digest()))
    }
}

/// Whether a group was begun behind the one that is not whole. Then that one had been durable.
pub(super) fn finds_group(window: &mut Window<'_>, bad: u64, number: u64, seed: u64) -> io::Result<bool> {
    let finder = memmem::Finder::new(GROUP_MAGIC);
    let mut offset = bad;
    while offset + (GROUP_HEADER as u64) <= window.size {
        let piece = window.get(offset, WINDOW)?;
        if piece.len() < GROUP_HEADER {
            break;
        }
        for at in finder.find_iter(piece) {
            // The one that is not whole may have its header.
            let is_next = |header: GroupHeader| header.number != number || offset + at as u64 > bad;
            if GroupHeader::new(&piece[at..], seed).is_some_and(is_next) {
                return Ok(true);
            }
        }
        // A header that is cut off here is found in the next piece.
        offset += (piece.len() - (GROUP_HEADER - 1)) as u64;
    }
    Ok(false)
}
