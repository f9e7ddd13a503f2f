//! Why a state cannot be used, in words for who runs the program.

use std::fmt;
use std::io;

use crate::storage::Storage;

/// What is wrong with a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateErrorKind {
    /// The storage failed.
    Io(io::ErrorKind),
    /// Another process uses it.
    Held,
    /// It is something else, or of another state.
    Foreign,
    /// The place is no folder.
    NotAFolder,
    /// It was written by a version of the program that writes otherwise.
    Version,
    /// It is not what was written.
    Damaged,
    /// Something that was written is not there.
    Missing,
    /// It was opened to be read only.
    ReadOnly,
}

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

/// What a storage says of a failure that the kind of it does not.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct Advised {
    /// If it is not that the storage failed.
    kind: Option<StateErrorKind>,
    reason: String,
    advice: &'static str,
}

impl Advised {
    /// The storage failed.
    pub(crate) fn io(kind: io::ErrorKind, reason: String, advice: &'static str) -> io::Error {
        io::Error::new(
            kind,
            Self {
                kind: None,
                reason,
                advice,
            },
        )
    }

    /// Another process uses it.
    pub(crate) fn held(reason: String, advice: &'static str) -> io::Error {
        let kind = Some(StateErrorKind::Held);
        io::Error::other(Self { kind, reason, advice })
    }

    /// Something that was written is not there.
    pub(crate) fn missing(reason: String) -> io::Error {
        let kind = Some(StateErrorKind::Missing);
        io::Error::other(Self {
            kind,
            reason,
            advice: RESTORE,
        })
    }
}

const RESTORE: &str = "restore the state from a copy, or delete all of it to begin anew";

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
        let (age, advice) = if found < crate::state::VERSION {
            ("an older", "start that version, or name another place")
        } else {
            ("a newer", "start that version or a later one, or name another place")
        };
        let reason = format!(
            "it was written by {age} version of the program (format {found}; this one reads format {})",
            crate::state::VERSION
        );
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
