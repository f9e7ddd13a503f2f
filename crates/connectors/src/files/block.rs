//! The content of a file in blocks that begin where a record begins.
//!
//! A block is big enough to pay for its overhead, and immutable, so that columns can refer to its text.
//! What is left after the last complete record of a block begins the next one.

use std::io::{self, Read};

use arrow_buffer::Buffer;
use xxhash_rust::xxh3::Xxh3;

/// The usual size of a block: big enough to pay for its overhead, small enough for the processor's cache.
pub(crate) const BLOCK_BYTES: usize = 1 << 19;

/// The byte order mark.
pub(crate) const MARK: &[u8] = b"\xef\xbb\xbf";

/// A record must fit in memory, and places in a block in 32 bits.
pub(crate) const LONGEST_RECORD: usize = 1 << 30;

/// Why a file is not read that has a record longer than that.
pub(crate) fn too_long() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "a record is longer than 1 GiB; perhaps a quote is not closed",
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

/// How far a file has been read, and what stood there.
#[derive(Clone)]
pub(crate) struct Prefix {
    bytes: u64,
    hash: Xxh3,
}

impl Prefix {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.hash.update(bytes);
    }

    /// Reads as many bytes as had been read, and says whether they are the same.
    fn is_prefix_of(&self, input: &mut impl Read) -> io::Result<bool> {
        let mut hash = Xxh3::new();
        let mut rest = self.bytes;
        let mut bytes = vec![0; 1 << 16];
        while rest > 0 {
            let wanted = bytes.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
            let read = input.read(&mut bytes[..wanted])?;
            if read == 0 {
                return Ok(false);
            }
            hash.update(&bytes[..read]);
            rest -= read as u64;
        }
        Ok(hash.digest128() == self.hash.digest128())
    }
}

/// Reads a file in blocks.
pub(crate) struct Blocks<R> {
    input: R,
    rest: Vec<u8>,
    /// Where that begins in the file.
    offset: u64,
    is_at_end: bool,
    /// What has been consumed, if that is to be known.
    prefix: Option<Prefix>,
}

impl<R: Read> Blocks<R> {
    /// Reads from the start; with `keeps_prefix` the reading can be resumed when the file has grown.
    pub(crate) fn new(input: R, keeps_prefix: bool) -> Self {
        Self {
            input,
            rest: Vec::new(),
            offset: 0,
            is_at_end: false,
            prefix: keeps_prefix.then(|| Prefix {
                bytes: 0,
                hash: Xxh3::new(),
            }),
        }
    }

    /// Goes on after `prefix`, or says that the file no longer begins with it.
    pub(crate) fn resume(mut input: R, prefix: Prefix) -> io::Result<Option<Self>> {
        let is_same = prefix.is_prefix_of(&mut input)?;
        Ok(is_same.then_some(Self {
            input,
            rest: Vec::new(),
            offset: prefix.bytes,
            is_at_end: false,
            prefix: Some(prefix),
        }))
    }

    /// Whether something was not consumed.
    pub(crate) fn has_rest(&self) -> bool {
        !self.rest.is_empty()
    }

    /// What has been consumed.
    pub(crate) fn into_prefix(self) -> Option<Prefix> {
        self.prefix
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
            return Err(too_long());
        }
        let mut bytes = Vec::with_capacity(size);
        bytes.extend_from_slice(&rest);
        let wanted = size - bytes.len();
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
            if let Some(prefix) = &mut self.prefix {
                prefix.add(MARK);
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
        self.rest = rest.to_vec();
        self.offset += consumed.len() as u64;
        if let Some(prefix) = &mut self.prefix {
            prefix.add(consumed);
        }
    }
}
