//! Why a state cannot be used, in words for who runs the program.

use std::fmt;
use std::io;

pub use crate::advice::StateErrorKind;
use crate::advice::{Advised, RESTORE};
use crate::format::VERSION;
use crate::storage::Storage;

/// Why a state cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateError {
    /// What is wrong.
    pub kind: StateErrorKind,
    /// Where the state is.
    pub location: String,
    /// The blob that is concerned, if it is one.
    pub name: Option<String>,
    /// The byte of it.
    pub offset: Option<u64>,
    /// What happened.
    pub reason: String,
    /// What can be done.
    pub advice: &'static str,
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the state at {}", self.location)?;
        if let Some(name) = &self.name {
            write!(f, ", in '{name}'")?;
        }
        if let Some(offset) = self.offset {
            write!(f, " at byte {offset}")?;
        }
        write!(f, ": {}; {}", self.reason, self.advice)
    }
}

impl std::error::Error for StateError {}

impl StateError {
    pub(crate) fn new(
        storage: &dyn Storage,
        kind: StateErrorKind,
        reason: impl Into<String>,
        advice: &'static str,
    ) -> Self {
        Self {
            kind,
            location: storage.location(),
            name: None,
            offset: None,
            reason: reason.into(),
            advice,
        }
    }

    /// The storage failed.
    pub(crate) fn io(storage: &dyn Storage, error: &io::Error) -> Self {
        if let Some(advised) = error.get_ref().and_then(|error| error.downcast_ref::<Advised>()) {
            let kind = advised.kind.unwrap_or(StateErrorKind::Io(error.kind()));
            return Self::new(storage, kind, advised.reason.clone(), advised.advice);
        }
        if error.kind() == io::ErrorKind::NotADirectory {
            let reason = "there is a file where a folder must be";
            return Self::new(storage, StateErrorKind::NotAFolder, reason, "name a folder instead");
        }
        let advice = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                "make room there and start again"
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "let the user of this process read and write there, or name another place"
            }
            _ => "see to it that the storage works, and start again",
        };
        Self::new(storage, StateErrorKind::Io(error.kind()), error.to_string(), advice)
    }

    /// It is not what was written.
    pub(crate) fn damaged(storage: &dyn Storage, name: &str, offset: u64, reason: impl Into<String>) -> Self {
        Self::new(storage, StateErrorKind::Damaged, reason, RESTORE)
            .of(name)
            .at(offset)
    }

    /// Something that was written is not there.
    pub(crate) fn missing(storage: &dyn Storage, name: &str) -> Self {
        Self::new(storage, StateErrorKind::Missing, "it is missing", RESTORE).of(name)
    }

    /// It was written by a version that writes otherwise.
    pub(crate) fn version(storage: &dyn Storage, name: &str, found: u32) -> Self {
        let (age, advice) = if found < VERSION {
            ("an older", "start that version, or name another place")
        } else {
            ("a newer", "start that version or a later one, or name another place")
        };
        let reason =
            format!("it was written by {age} version of the program (format {found}; this one reads format {VERSION})");
        Self::new(storage, StateErrorKind::Version, reason, advice).of(name)
    }

    pub(crate) fn of(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    pub(crate) fn at(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }
}
