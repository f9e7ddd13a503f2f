//! How far a followed file has been read, and whether what was read of it is still there.
//!
//! A file is told by its device, its number there and when it was made: it keeps them when it is renamed, and another
//! that takes its place has others. Whether what was read of it has changed is told by a hash of a bounded part of it:
//! the first [`PART`] bytes, and the last before the byte where reading stopped. All of a file that is no longer
//! than twice that is covered. What escapes is a change in place of the middle of a longer file that has grown
//! before anybody looked, and has moved nothing behind it; a file that has changed and not grown is not compared
//! at all but read again.
//!
//! Positions are plain data: what a restart hands back is what it needs to go on.

use std::fs::Metadata;
use std::io::{self, Read, Seek, SeekFrom};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// How much of the beginning of a file, and of what was read last, is compared.
pub(crate) const PART: usize = 1 << 16;

/// Which file it is, whatever its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct FileIdentity {
    device: u64,
    number: u64,
    /// When it was made, in nanoseconds since the unix epoch, where that is known: numbers are used again.
    made: u64,
}

impl FileIdentity {
    #[cfg(unix)]
    pub(crate) fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        let made = metadata.created().ok();
        let since = made.and_then(|made| made.duration_since(std::time::UNIX_EPOCH).ok());
        Self {
            device: metadata.dev(),
            number: metadata.ino(),
            made: since.map_or(0, |since| since.as_nanos() as u64),
        }
    }

    #[cfg(not(unix))]
    pub(crate) fn of(_metadata: &Metadata) -> Self {
        Self::default()
    }

    pub(crate) fn hash(self) -> u64 {
        let words = [self.device, self.number, self.made].map(u64::to_le_bytes);
        xxh3_64(words.as_flattened())
    }
}

/// What the keys of a file's rows are made from, beside their numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeyOrigin {
    /// The path at which the file was found first.
    pub(crate) path: String,
    /// How many files were read at that path before it whose rows are still there.
    pub(crate) generation: u32,
}

impl KeyOrigin {
    /// That of the first file at a path.
    pub(crate) fn of(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            generation: 0,
        }
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FilePosition {
    pub(crate) file: FileIdentity,
    pub(crate) origin: KeyOrigin,
    /// The bytes of the records that were read.
    pub(crate) bytes: u64,
    /// How many records these are, with those that were left out.
    pub(crate) records: u64,
    /// The number of the line in which the next begins.
    pub(crate) line: u64,
    /// The hashes of the first bytes, and of the last.
    pub(crate) head: u64,
    pub(crate) tail: u64,
    /// The hash of the row of the next record if that was taken before it had an end, and is not kept.
    pub(crate) taken: Option<u64>,
}

impl FilePosition {
    /// The beginning of a file.
    pub(crate) fn start(file: FileIdentity, origin: KeyOrigin) -> Self {
        let (bytes, head, tail) = Seen::default().hashes();
        Self {
            file,
            origin,
            bytes,
            records: 0,
            line: 1,
            head,
            tail,
            taken: None,
        }
    }
}

/// The part of a file that was read, as far as it is needed for its hashes.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    bytes: u64,
    /// The hash of the first bytes, once there are enough of them.
    head: Option<u64>,
    /// The last bytes; all, while they are few.
    recent: Vec<u8>,
}

impl Seen {
    /// What was read of a file up to a position, after which `input` then stands; `None` if it has changed.
    pub(crate) fn again(position: &FilePosition, input: &mut (impl Read + Seek)) -> io::Result<Option<Self>> {
        if position.bytes == 0 {
            return Ok(Some(Self::default()));
        }
        let len = position.bytes.min(PART as u64);
        let mut part = vec![0; len as usize];
        let mut has = |start: u64, part: &mut [u8], hash: u64| -> io::Result<bool> {
            input.seek(SeekFrom::Start(start))?;
            match input.read_exact(part) {
                Ok(()) => Ok(xxh3_64(part) == hash),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
                Err(error) => Err(error),
            }
        };
        let is_long = position.bytes > len;
        let is_same =
            (!is_long || has(0, &mut part, position.head)?) && has(position.bytes - len, &mut part, position.tail)?;
        Ok(is_same.then_some(Self {
            bytes: position.bytes,
            head: (len == PART as u64).then_some(position.head),
            recent: part,
        }))
    }

    /// How much was read.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// More was read.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        let missing = PART.saturating_sub(self.recent.len());
        if self.head.is_none() && bytes.len() >= missing {
            let first = [&self.recent, &bytes[..missing]].concat();
            self.head = Some(xxh3_64(&first));
        }
        let bytes = &bytes[bytes.len().saturating_sub(PART)..];
        let surplus = (self.recent.len() + bytes.len()).saturating_sub(PART);
        self.recent.drain(..surplus);
        self.recent.extend_from_slice(bytes);
    }

    /// How much was read, and the hashes of the first and the last bytes.
    pub(crate) fn hashes(&self) -> (u64, u64, u64) {
        let tail = xxh3_64(&self.recent);
        (self.bytes, self.head.unwrap_or(tail), tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    fn position(seen: &Seen) -> FilePosition {
        let (bytes, head, tail) = seen.hashes();
        FilePosition {
            file: FileIdentity::default(),
            origin: KeyOrigin {
                path: "x".to_owned(),
                generation: 0,
            },
            bytes,
            records: 0,
            line: 1,
            head,
            tail,
            taken: None,
        }
    }

    fn content(len: usize) -> Vec<u8> {
        (0..len).map(|position| (position * position % 251) as u8).collect()
    }

    #[test]
    fn a_position_is_plain_data() {
        let mut seen = Seen::default();
        seen.add(b"a,b\n");
        let position = position(&seen);
        let text = serde_json::to_string(&position).expect("it can be written");
        let again: FilePosition = serde_json::from_str(&text).expect("it can be read");
        assert_eq!(again, position);
    }

    proptest! {
        #[test]
        fn hashes_do_not_depend_on_how_reads_were_cut(
            len in prop_oneof![0..1000_usize, 0..300_000_usize, Just(PART), Just(2 * PART)],
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let content = content(len);
            let mut whole = Seen::default();
            whole.add(&content);
            let mut bounds: Vec<usize> = cuts.iter().map(|cut| cut.index(len + 1)).chain([0, len]).collect();
            bounds.sort_unstable();
            let mut seen = Seen::default();
            for cut in bounds.windows(2) {
                // And every other time it is found again.
                if cut[0] % 2 == 0 {
                    seen = Seen::again(&position(&seen), &mut Cursor::new(&content))?.expect("nothing has changed");
                }
                seen.add(&content[cut[0]..cut[1]]);
            }
            prop_assert_eq!(seen.hashes(), whole.hashes());
        }

        #[test]
        fn a_change_of_what_is_covered_is_noticed(
            len in prop_oneof![1..1000_usize, 1..400_000_usize],
            changed in any::<prop::sample::Index>(),
            more in 0..10_usize,
        ) {
            let mut content = content(len);
            let mut seen = Seen::default();
            seen.add(&content);
            let position = position(&seen);
            let changed = changed.index(len);
            content[changed] ^= 1;
            content.extend(vec![b'x'; more]);
            let found = Seen::again(&position, &mut Cursor::new(&content))?;
            let is_covered = changed < PART || changed >= len - PART.min(len);
            prop_assert_eq!(found.is_none(), is_covered);
            content.truncate(len - 1);
            prop_assert!(Seen::again(&position, &mut Cursor::new(&content))?.is_none(), "it is shorter");
        }
    }
}
