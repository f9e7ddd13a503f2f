//! How far a file was written, for the next run to go on there.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_128;

/// So many bytes at the end tell whether a file is the one that was written.
const TAIL: usize = 4096;

/// How long a file was, and a hash of its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) length: u64,
    tail: u128,
    /// What the file begins with, if it has a header. It is not part of what is noted.
    header: Vec<u8>,
}

/// The last bytes that were written to a file.
#[derive(Debug, Default)]
pub(super) struct Tail(Vec<u8>);

impl Tail {
    /// The end of what was written before.
    pub(super) fn of_file(path: &Path, length: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let start = length.saturating_sub(TAIL as u64);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(length - start).read_to_end(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// This was written.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        let kept = TAIL.saturating_sub(bytes.len()).min(self.0.len());
        self.0.drain(..self.0.len() - kept);
        self.0.extend(&bytes[bytes.len().saturating_sub(TAIL)..]);
    }

    /// The mark at the end of a file of this length.
    pub(super) fn mark(&self, length: u64) -> Mark {
        Mark {
            length,
            tail: xxh3_128(&self.0),
            header: Vec::new(),
        }
    }
}

impl Mark {
    pub(super) fn encode(&self) -> Vec<u8> {
        [&self.length.to_le_bytes()[..], &self.tail.to_le_bytes()].concat()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (length, tail) = bytes.split_first_chunk()?;
        Some(Self {
            length: u64::from_le_bytes(*length),
            tail: u128::from_le_bytes(tail.try_into().ok()?),
            header: Vec::new(),
        })
    }

    /// The mark of a file that the run would begin like this.
    pub(super) fn with_header(self, header: Vec<u8>) -> Self {
        Self { header, ..self }
    }

    /// Makes sure that the file is the one that was written.
    pub(super) fn check(&self, path: &Path) -> io::Result<()> {
        let advice = "the rows that are kept continue it, and would be wrong at the end of another file. Put it back, or \
                      begin anew: reset the state, and all outputs are written again";
        let other = |what: String| io::Error::new(io::ErrorKind::InvalidData, format!("{what}; {advice}"));
        let length = match std::fs::metadata(path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let what = format!("it is not there, though {} bytes were written to it", self.length);
                return Err(other(what));
            }
            Err(error) => return Err(error),
        };
        if length < self.length {
            let what = format!("it has {length} bytes, and {} were written to it", self.length);
            return Err(other(what));
        }
        if Tail::of_file(path, self.length)?.mark(self.length).tail != self.tail {
            return Err(other(
                "it is not the file that was written, or was changed since".to_owned(),
            ));
        }
        let mut header = vec![0; self.header.len()];
        if self.length > 0 && (File::open(path)?.read_exact(&mut header).is_err() || header != self.header) {
            let message = "it has other columns than those that would be written now. Write them to another file, under \
                           another name, or begin anew: reset the state, and all outputs are written again";
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_tells_the_file_that_was_written_from_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.csv");
        let text: Vec<u8> = (0..20_000_u32).map(|number| (number % 251) as u8).collect();
        for parts in [vec![20_000], vec![1, 4095, 4096, 11_808], vec![10; 2000]] {
            let (mut tail, mut start) = (Tail::default(), 0);
            for part in parts {
                tail.add(&text[start..start + part]);
                start += part;
            }
            let mark = tail.mark(20_000);
            assert_eq!(Mark::decode(&mark.encode()), Some(mark.clone()));
            std::fs::write(&path, [&text[..], b"more"].concat()).expect("it can be written");
            mark.check(&path).expect("it begins with what was written");
            std::fs::write(&path, [&text[..19_999], b"?", b"more"].concat()).expect("it can be written");
            assert!(mark.check(&path).is_err());
            std::fs::write(&path, &text[..19_999]).expect("it can be written");
            assert!(mark.check(&path).is_err());
        }
    }
}
