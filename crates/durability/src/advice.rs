//! What is wrong with a state, as a storage that has failed may say it.

use std::io;

/// What can be done where something is not what was written.
pub(crate) const RESTORE: &str = "restore the state from a copy, or delete all of it to begin anew";

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

/// What a storage says of a failure that the kind of it does not.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct Advised {
    /// If it is not that the storage failed.
    pub(crate) kind: Option<StateErrorKind>,
    pub(crate) reason: String,
    pub(crate) advice: &'static str,
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
