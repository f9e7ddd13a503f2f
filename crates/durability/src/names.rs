//! How the files of a state are called: those of journals, and the parts of snapshots.

use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{StateError, StateErrorKind};
use crate::format::StateId;
use crate::storage::Storage;

/// Where journals are.
pub(crate) const JOURNAL: &str = "journal/";

/// Where the files of snapshots are.
pub(crate) const SNAPSHOTS: &str = "snapshots/";

/// Which file of a journal it is, in the order in which they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct FileName {
    pub(crate) generation: u64,
    pub(crate) process: u32,
    pub(crate) file: u32,
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            generation,
            process,
            file,
        } = self;
        write!(f, "{JOURNAL}{generation:08}-{process:04}-{file:06}.journal")
    }
}

impl FileName {
    /// Which file a blob is.
    pub(crate) fn parse(storage: &dyn Storage, name: &str) -> Result<Self, StateError> {
        let parsed = || {
            let numbers = name.strip_prefix(JOURNAL)?.strip_suffix(".journal")?;
            let mut numbers = numbers.split('-');
            Some(Self {
                generation: numbers.next()?.parse().ok()?,
                process: numbers.next()?.parse().ok()?,
                file: numbers.next()?.parse().ok()?,
            })
        };
        parsed().filter(|parsed| parsed.to_string() == name).ok_or_else(|| {
            let reason = "it is no file of a journal";
            let advice = "if it was put there by hand, take it away; if it was renamed, name it as before";
            StateError::new(storage, StateErrorKind::Foreign, reason, advice).of(name)
        })
    }

    /// Whether the same process has written another file in the same run.
    pub(crate) fn is_of_journal_of(&self, other: &Self) -> bool {
        (self.generation, self.process) == (other.generation, other.process)
    }

    /// What the checksums of groups begin with in this file.
    pub(crate) fn seed(&self, state: StateId) -> u64 {
        xxh3_64(format!("{state} {self}").as_bytes())
    }
}

/// How far a run has read the last file that a process of an earlier one had written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct End {
    #[serde(flatten)]
    pub(crate) file: FileName,
    /// How many groups it had.
    pub(crate) groups: u64,
}

/// The name of a part: which run and process has made it, and a number that the process has given to no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartName {
    /// Which run.
    pub generation: u64,
    /// Which process of it.
    pub process: u32,
    /// Which of the parts it has made.
    pub number: u32,
}

impl PartName {
    /// Which part a blob is, if it is one.
    pub(crate) fn parse(blob: &str) -> Option<Self> {
        let numbers = blob.strip_prefix(SNAPSHOTS)?.strip_suffix(".part")?;
        let mut numbers = numbers.split('-');
        Some(Self {
            generation: numbers.next()?.parse().ok()?,
            process: numbers.next()?.parse().ok()?,
            number: numbers.next()?.parse().ok()?,
        })
    }
}

impl fmt::Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            generation,
            process,
            number,
        } = self;
        write!(f, "{SNAPSHOTS}{generation:08}-{process:04}-{number:08}.part")
    }
}
