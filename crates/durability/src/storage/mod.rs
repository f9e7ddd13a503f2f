//! Where a state is kept.

mod faulty;
mod local;
mod memory;
mod objects;

use std::fmt::Debug;
use std::io;
use std::ops::Range;

use serde::{Deserialize, Serialize};

pub use faulty::{Fault, FaultyStorage};
pub use local::LocalStorage;
pub use memory::MemoryStorage;
pub use objects::{AzureContainer, ObjectStorage, Patience, S3Bucket};

/// Keeps blobs by names such as `journal/00000001-0000-000000.journal`.
///
/// A name has parts between `/`, none of them empty, `.` or `..`.
pub trait Storage: Debug + Send + Sync {
    /// Where it is, for messages.
    fn location(&self) -> String;

    /// The blobs whose names begin like this, in the order of their names. A place that is not there has none.
    ///
    /// # Errors
    /// If it cannot be read.
    fn list(&self, prefix: &str) -> io::Result<Vec<Entry>>;

    /// The name of something that is here, of ours or of others, if there is anything.
    ///
    /// # Errors
    /// If it cannot be read.
    fn any(&self) -> io::Result<Option<String>> {
        Ok(self.list("")?.into_iter().next().map(|entry| entry.name))
    }

    /// The bytes of a blob, or those of a range; fewer where the blob ends before.
    ///
    /// # Errors
    /// `NotFound` if there is no such blob; others if it cannot be read.
    fn read(&self, name: &str, range: Option<Range<u64>>) -> io::Result<Vec<u8>>;

    /// The bytes of several ranges of blobs, in their order; many at a time, where each takes its time.
    ///
    /// # Errors
    /// The position of the first that fails, and why, as [`Self::read`] says.
    fn read_many(&self, ranges: &[(&str, Range<u64>)]) -> Result<Vec<Vec<u8>>, (usize, io::Error)> {
        let read = |(position, (name, range)): (usize, &(&str, Range<u64>))| {
            self.read(name, Some(range.clone())).map_err(|error| (position, error))
        };
        ranges.iter().enumerate().map(read).collect()
    }

    /// Makes or replaces a blob. It is durable when this returns; after a failure or a crash it is as it was or as it
    /// is to be.
    ///
    /// # Errors
    /// If it cannot be written.
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Makes a blob to which bytes are added. That it is there is durable when this returns.
    ///
    /// # Errors
    /// `AlreadyExists` if there is such a blob; others if it cannot be made.
    fn create(&self, name: &str) -> io::Result<Box<dyn Appender>>;

    /// Removes a blob.
    ///
    /// # Errors
    /// `NotFound` if there is no such blob; others if it cannot be removed.
    fn delete(&self, name: &str) -> io::Result<()>;

    /// Takes the storage for one holder. It is given back when the lock is dropped and when the process dies.
    ///
    /// # Errors
    /// If another one holds it, or it cannot be taken.
    fn lock(&self, holder: &Holder) -> Result<Box<dyn Lock>, LockError>;

    /// Whether nobody holds the storage now. Nothing is written.
    ///
    /// # Errors
    /// If somebody holds it, or that cannot be found out.
    fn check_free(&self) -> Result<(), LockError>;
}

/// Adds bytes to a blob.
pub trait Appender: Debug + Send {
    /// Adds all these bytes at the end.
    ///
    /// # Errors
    /// If they cannot be written; some of them may be there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes durable what was added.
    ///
    /// # Errors
    /// If that fails. What was added since the last success may be there or not.
    fn sync(&mut self) -> io::Result<()>;
}

/// Holds a storage until it is dropped.
pub trait Lock: Debug + Send + Sync {}

/// A blob in a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// How long it is.
    pub bytes: u64,
}

/// Who holds a storage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The name of the machine.
    pub host: String,
    /// The id of the process there.
    pub process: u32,
    /// Since when, in unix milliseconds.
    pub since: u64,
}

impl Holder {
    /// This process.
    pub fn current(since: u64) -> Self {
        Self {
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            process: std::process::id(),
            since,
        }
    }
}

/// Why a storage could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it, or this one has it already; who, if that is known.
    #[error("it is held")]
    Held(Option<Holder>),
    /// The storage failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Sees to it that a name is one.
fn check_name(name: &str) -> io::Result<()> {
    let is_part = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0']);
    if name.split('/').all(is_part) {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("'{name}' is no name of a blob"),
    ))
}

/// That part of some bytes that a range names.
fn part<'a>(bytes: &'a [u8], range: &Range<u64>) -> &'a [u8] {
    let within = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    let start = within(range.start);
    &bytes[start..within(range.end).max(start)]
}
