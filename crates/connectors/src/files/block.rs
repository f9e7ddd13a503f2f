//! The content of a file in blocks that begin where a record begins.
//!
//! A block is big enough to pay for its overhead, and immutable, so that columns can refer to its text.
//! What is left after the last complete record of a block begins the next one.

use std::io::{self, Read};

use arrow_buffer::Buffer;

/// The usual size of a block.
const BLOCK_BYTES: usize = 1 << 20;

/// A record must fit in memory, and places in a block in 32 bits.
const LONGEST_RECORD: usize = 1 << 30;

/// A piece of a file that begins with a record.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) buffer: Buffer,
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
#[derive(Debug)]
pub(crate) struct Blocks<R> {
    input: R,
    rest: Vec<u8>,
    is_first: bool,
    is_at_end: bool,
}

impl<R: Read> Blocks<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            rest: Vec::new(),
            is_first: true,
            is_at_end: false,
        }
    }

    /// The next block, if there is one. A byte order mark at the start of the file is no part of it.
    pub(crate) fn next_block(&mut self) -> io::Result<Option<Block>> {
        if self.is_at_end {
            return Ok(None);
        }
        let rest = std::mem::take(&mut self.rest);
        // A record that is longer than a block makes the blocks grow, so that it is looked at only a few times.
        let size = BLOCK_BYTES.max(rest.len() * 2);
        if rest.len() > LONGEST_RECORD {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a record is longer than 1 GiB; perhaps a quote is not closed",
            ));
        }
        let mut bytes = Vec::with_capacity(size);
        bytes.extend_from_slice(&rest);
        let wanted = size - bytes.len();
        let read = (&mut self.input).take(wanted as u64).read_to_end(&mut bytes)?;
        self.is_at_end = read < wanted;
        let buffer = Buffer::from_vec(bytes);
        let is_marked = std::mem::take(&mut self.is_first) && buffer.starts_with(b"\xef\xbb\xbf");
        let buffer = if is_marked { buffer.slice(3) } else { buffer };
        let is_last = self.is_at_end;
        Ok(Some(Block { buffer, is_last }))
    }

    /// Begins the next block with what follows the first `consumed` bytes of this one.
    pub(crate) fn keep_rest(&mut self, block: &Block, consumed: usize) {
        self.rest = block.bytes()[consumed..].to_vec();
    }
}
