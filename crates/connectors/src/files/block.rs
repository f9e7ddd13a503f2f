//! The content of a file in blocks that begin where a record begins.
//!
//! A block is big enough to pay for its overhead, and immutable, so that columns can refer to its text.
//! What is left after the last complete record of a block begins the next one.

use std::io::{self, Read};

use arrow_buffer::Buffer;

use super::position::Seen;

/// The usual size of a block: big enough to pay for its overhead, small enough for the processor's cache.
pub(crate) const BLOCK_BYTES: usize = 1 << 19;

/// How a file is cut into blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// The usual size of a block.
    pub(crate) block: usize,
    /// A file with a longer record is not read.
    pub(crate) longest: usize,
}

impl Sizes {
    pub(crate) const USUAL: Self = Self {
        block: BLOCK_BYTES,
        longest: LONGEST_RECORD,
    };
}

/// The byte order mark.
pub(crate) const MARK: &[u8] = b"\xef\xbb\xbf";

/// A record must fit in memory a few times.
pub(crate) const LONGEST_RECORD: usize = 1 << 28;

/// Why a file is not read that has a record longer than that.
pub(crate) fn too_long() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "a record is longer than 256 MiB: perhaps a quote is not closed, or the file is no text",
    )
}

/// The same of a file that is one value.
pub(crate) fn too_long_for_a_value() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "it is longer than 256 MiB, and each file is one value",
    )
}

/// A piece of a file that begins with a record.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) buffer: Buffer,
    /// Where it begins in the file.
    pub(crate) offset: u64,
    /// Whether the file ends here.
    pub(crate) is_last: bool,
}

impl Block {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.buffer.as_slice()
    }

    /// The content, if it is valid UTF-8 but for a character that may be cut off at its end.
    pub(crate) fn text(&self) -> Option<&str> {
        let bytes = self.bytes();
        match std::str::from_utf8(bytes) {
            Ok(text) => Some(text),
            Err(error) if error.error_len().is_none() && !self.is_last => {
                std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()
            }
            Err(_) => None,
        }
    }
}

/// Reads a file in blocks.
pub(crate) struct Blocks<R> {
    input: R,
    sizes: Sizes,
    /// What the next block begins with.
    rest: Vec<u8>,
    /// Where that begins in the file.
    offset: u64,
    is_at_end: bool,
    /// What has been consumed, if that is to be known.
    seen: Option<Seen>,
}

impl<R: Read> Blocks<R> {
    /// Reads from the start.
    pub(crate) fn new(input: R, sizes: Sizes) -> Self {
        Self {
            input,
            sizes,
            rest: Vec::new(),
            offset: 0,
            is_at_end: false,
            seen: None,
        }
    }

    /// Goes on behind what was seen of the file.
    pub(crate) fn after(input: R, sizes: Sizes, seen: Seen) -> Self {
        Self {
            offset: seen.bytes(),
            seen: Some(seen),
            ..Self::new(input, sizes)
        }
    }

    /// What has been consumed of the file, if it was to be known.
    pub(crate) fn seen(&self) -> Option<&Seen> {
        self.seen.as_ref()
    }

    /// The next block, if there is one. A byte order mark at the start of the file is no part of it.
    pub(crate) fn next_block(&mut self) -> io::Result<Option<Block>> {
        if self.is_at_end {
            return Ok(None);
        }
        let mut bytes = std::mem::take(&mut self.rest);
        if bytes.len() > self.sizes.longest {
            return Err(too_long());
        }
        // A record that is longer than a block makes the blocks grow, so that it is looked at only a few times.
        let wanted = self.sizes.block.max(bytes.len() * 2) - bytes.len();
        bytes.reserve_exact(wanted);
        let read = (&mut self.input).take(wanted as u64).read_to_end(&mut bytes)?;
        self.is_at_end = read < wanted;
        if bytes.len() < bytes.capacity() / 2 {
            // Columns keep the block alive, and a file that grows line by line has many.
            bytes.shrink_to_fit();
        }
        let buffer = Buffer::from_vec(bytes);
        let is_marked = self.offset == 0 && buffer.starts_with(MARK);
        let buffer = if is_marked { buffer.slice(MARK.len()) } else { buffer };
        if is_marked {
            self.offset = MARK.len() as u64;
            if let Some(seen) = &mut self.seen {
                seen.add(MARK);
            }
        }
        Ok(Some(Block {
            buffer,
            offset: self.offset,
            is_last: self.is_at_end,
        }))
    }

    /// Begins the next block with what follows the first `consumed` bytes of this one.
    pub(crate) fn consume(&mut self, block: &Block, consumed: usize) {
        let (consumed, rest) = block.bytes().split_at(consumed);
        if !self.is_at_end {
            self.rest = Vec::with_capacity(self.sizes.block.max(rest.len() * 2));
            self.rest.extend_from_slice(rest);
        }
        self.offset += consumed.len() as u64;
        if let Some(seen) = &mut self.seen {
            seen.add(consumed);
        }
    }
}
