//! A place that a run uses, and what makes it known as one.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::blob_format;
use crate::error::{StateError, StateErrorKind};
use crate::format::StateId;
use crate::names::{End, JOURNAL, SNAPSHOTS};
use crate::points;
use crate::storage::{Holder, Lock, LockError, Storage};

/// What says that a place is a state, and which.
const FORMAT: &str = "format";
const FORMAT_KIND: [u8; 4] = *b"form";

/// What may be done with a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It is read, whether somebody writes to it or not.
    ReadOnly,
    /// It is written to, by nobody else.
    ReadWrite,
    /// It is written to by a process of a run whose first process has opened it with `ReadWrite`.
    Member,
}

/// A state that this process may use; a clone is the same one.
///
/// The storage is held until all clones, and all writers of it, are dropped.
#[derive(Clone, Debug)]
pub struct State {
    opened: Arc<Opened>,
}

#[derive(Debug)]
struct Opened {
    storage: Arc<dyn Storage>,
    id: StateId,
    created: u64,
    access: Access,
    /// Where the journal of earlier runs ends, once that was read.
    ends: Mutex<Option<Vec<End>>>,
    _lock: Option<Box<dyn Lock>>,
}

/// The content of `format`.
#[derive(Serialize, Deserialize)]
struct Format {
    id: String,
    created: u64,
}

impl State {
    /// Opens the state that is there; a place that is empty, or not there, becomes one if it may be written to.
    ///
    /// # Errors
    /// If another process uses it, there is something else, or a state that is damaged or of another version, or the
    /// storage fails.
    pub fn open(storage: Arc<dyn Storage>, holder: Holder, access: Access) -> Result<Self, StateError> {
        // Looked at before anything is written: what is not ours stays as it is.
        let found = read_format(&*storage)?;
        if found.is_none() {
            check_empty(&*storage, access)?;
        }
        let lock = match access {
            Access::ReadWrite => Some(take(&*storage, &holder)?),
            Access::ReadOnly | Access::Member => None,
        };
        // Another process may have been faster.
        let found = if lock.is_some() { read_format(&*storage)? } else { found };
        let (id, created) = match found {
            Some(found) => found,
            None => begin(&*storage, holder.since)?,
        };
        let opened = Opened {
            storage,
            id,
            created,
            access,
            ends: Mutex::new(None),
            _lock: lock,
        };
        Ok(Self {
            opened: Arc::new(opened),
        })
    }

    /// Where it is kept.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.opened.storage
    }

    /// What may be done with it.
    pub fn access(&self) -> Access {
        self.opened.access
    }

    /// A number that no other state has, and nobody can guess.
    pub fn secret(&self) -> u128 {
        u128::from_be_bytes(self.opened.id.0)
    }

    /// When it was begun, in unix milliseconds.
    pub fn created(&self) -> u64 {
        self.opened.created
    }

    /// Deletes all that it holds, so that the place is empty. If this does not come to its end, what is left is refused
    /// or empty, and it can be done again.
    ///
    /// # Errors
    /// If it is only read, there is something else, or the storage fails.
    pub fn delete(self) -> Result<(), StateError> {
        self.check_writes()?;
        let storage = &*self.opened.storage;
        let entries = storage.list("").map_err(|error| StateError::io(storage, &error))?;
        for entry in &entries {
            if !is_ours(storage, &entry.name)? {
                let reason = format!("there are other things, such as '{}'", entry.name);
                let advice = "take them away";
                return Err(StateError::new(storage, StateErrorKind::Foreign, reason, advice));
            }
        }
        // The first files first: without them the others are no journal. What says that it is a state goes last.
        let others = entries.iter().map(|entry| &*entry.name).filter(|name| *name != FORMAT);
        for name in others.chain([FORMAT]) {
            storage
                .delete(name)
                .map_err(|error| StateError::io(storage, &error).of(name))?;
        }
        Ok(())
    }

    pub(crate) fn id(&self) -> StateId {
        self.opened.id
    }

    pub(crate) fn ends(&self) -> &Mutex<Option<Vec<End>>> {
        &self.opened.ends
    }

    pub(crate) fn check_writes(&self) -> Result<(), StateError> {
        if self.opened.access != Access::ReadOnly {
            return Ok(());
        }
        Err(StateError::new(
            &*self.opened.storage,
            StateErrorKind::ReadOnly,
            "it was opened to be read only",
            "open it for reading and writing",
        ))
    }
}

/// What `format` says, if it is there.
fn read_format(storage: &dyn Storage) -> Result<Option<(StateId, u64)>, StateError> {
    let bytes = match storage.read(FORMAT, None) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Err(StateError::io(storage, &error)),
        Err(error) => return Err(StateError::io(storage, &error).of(FORMAT)),
    };
    let content = blob_format::decode(storage, StateId([0; 16]), FORMAT, FORMAT_KIND, bytes)?;
    let format: Option<Format> = serde_json::from_slice(&content).ok();
    let parsed = format.and_then(|format| {
        let id = u128::from_str_radix(&format.id, 16).ok()?;
        Some((StateId(id.to_be_bytes()), format.created))
    });
    let unreadable = || StateError::damaged(storage, FORMAT, 0, "it does not say which state this is");
    Ok(Some(parsed.ok_or_else(unreadable)?))
}

/// Sees to it that a state may begin at a place.
fn check_empty(storage: &dyn Storage, access: Access) -> Result<(), StateError> {
    let any = storage.any().map_err(|error| StateError::io(storage, &error))?;
    match any {
        None if access == Access::ReadWrite => Ok(()),
        None => Err(StateError::new(
            storage,
            StateErrorKind::Missing,
            "there is none",
            "name the place to which a program has written",
        )),
        Some(name) if name == "journal" || name.starts_with(JOURNAL) => Err(StateError::missing(storage, FORMAT)),
        Some(name) => Err(StateError::new(
            storage,
            StateErrorKind::Foreign,
            format!("there are other things, such as '{name}'"),
            "name a place that is empty, or that a program has used for its state",
        )),
    }
}

/// Whether a blob is a part of a state, however damaged.
fn is_ours(storage: &dyn Storage, name: &str) -> Result<bool, StateError> {
    if name == FORMAT || name.starts_with(JOURNAL) || name.starts_with(SNAPSHOTS) {
        return Ok(true);
    }
    let bytes = storage.read(name, Some(0..blob_format::MAGIC.len() as u64));
    let bytes = bytes.map_err(|error| StateError::io(storage, &error).of(name))?;
    Ok(bytes == blob_format::MAGIC)
}

/// Takes a storage for this process.
fn take(storage: &dyn Storage, holder: &Holder) -> Result<Box<dyn Lock>, StateError> {
    storage.lock(holder).map_err(|error| {
        let other = match error {
            LockError::Io(error) => return StateError::io(storage, &error).of("lock"),
            LockError::Held(other) => other,
        };
        let reason = match other {
            Some(Holder { host, process, since }) => {
                let since = i64::try_from(since)
                    .ok()
                    .and_then(chrono::DateTime::from_timestamp_millis);
                let since = since.unwrap_or_default().format("%Y-%m-%d %H:%M:%S UTC");
                format!("process {process} on {host} has used it since {since}")
            }
            None => "another process uses it".to_owned(),
        };
        let advice = "wait until that process, and those that it has forked, have ended, or name another place";
        StateError::new(storage, StateErrorKind::Held, reason, advice)
    })
}

/// Makes a place a state.
fn begin(storage: &dyn Storage, created: u64) -> Result<(StateId, u64), StateError> {
    let failed = |error: &io::Error| StateError::io(storage, error).of(FORMAT);
    let mut id = StateId([0; 16]);
    getrandom::fill(&mut id.0).map_err(|error| failed(&io::Error::other(error.to_string())))?;
    let format = Format {
        id: id.to_string(),
        created,
    };
    let content = serde_json::to_vec(&format).map_err(|error| failed(&error.into()))?;
    points::reach("state.begin.before").map_err(|error| failed(&error))?;
    let bytes = blob_format::encode(StateId([0; 16]), FORMAT, FORMAT_KIND, &content);
    storage.put(FORMAT, &bytes).map_err(|error| failed(&error))?;
    Ok((id, created))
}
