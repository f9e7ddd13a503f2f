//! What is written as it happens: files of groups, each of which is durable as a whole or not at all.
//!
//! Every process of every run ("generation") has files of its own, `journal/{generation}-{process}-{file}.journal`, and
//! goes on in a new one when it is told to. A file begins with a header: which state, generation, process and file it
//! is of, and the names of its streams. Groups follow, numbered from 0. All checksums are made with a seed that only
//! this file has, so that nothing else can be taken for a group of it: not a copy, not what a disk kept of another file.
//!
//! A process that dies leaves at most one group that is not whole, at the end of its last file; nobody was told that it
//! is durable, so it is left out when the journal is read. Everything else that is not whole or not there is damage. The
//! next run says in its headers how far it has read, for what it went on from must not become more or less: from then
//! on a shorter file is damage, too, and what a process of the earlier run still adds is not read.

mod index;
mod layout;
mod writer;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use index::{IndexEntry, JournalIndex};
pub(crate) use layout::End;
pub use writer::JournalWriter;

use crate::Time;
use crate::error::StateError;
use crate::journal::layout::{FOLDER, FileName};
use crate::state::State;
use crate::storage::{Entry, Storage};

/// What is written of one stream, which is a part of a source or of an output, at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The number of the stream among the names that the writer was made with.
    pub stream: u32,
    /// What it is, for who reads it.
    pub kind: u8,
    /// Its time.
    pub time: Time,
    /// What it says.
    pub payload: Vec<u8>,
}

/// Records that are durable together, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// All records of earlier times of this process are in this group or in one before it.
    pub closed: Time,
    /// What is written.
    pub records: Vec<Record>,
}

/// Where a journal begins: what lies before is not needed any more, whether it is there or not.
///
/// The default is the beginning of all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beginning {
    /// Earlier generations are not needed.
    pub generation: u64,
    /// Of this generation, the first file that is needed of each process; of others, it is file 0.
    pub files: BTreeMap<u32, u32>,
}

impl Beginning {
    /// The first file of a process that is needed.
    fn first(&self, generation: u64, process: u32) -> u32 {
        match self.files.get(&process) {
            Some(first) if generation == self.generation => *first,
            _ => 0,
        }
    }

    fn needs(&self, name: &FileName) -> bool {
        name.generation >= self.generation && name.file >= self.first(name.generation, name.process)
    }
}

/// The files of all journals in a state, in their order.
fn list(storage: &dyn Storage) -> Result<Vec<(FileName, Entry)>, StateError> {
    let entries = storage
        .list(FOLDER)
        .map_err(|error| StateError::io(storage, &error).of(FOLDER))?;
    let mut files = Vec::with_capacity(entries.len());
    for entry in entries {
        let file = &entry.name[FOLDER.len()..];
        // What operating systems put into folders without being asked.
        if file.starts_with('.') {
            continue;
        }
        files.push((FileName::parse(storage, &entry.name)?, entry));
    }
    files.sort_unstable();
    Ok(files)
}

/// Deletes what lies before the beginning of a journal. If this does not come to its end, it can be done again.
///
/// # Errors
/// If the state is only read, or the storage fails.
pub fn delete_before(state: &State, beginning: &Beginning) -> Result<(), StateError> {
    state.check_writes()?;
    let storage = &**state.storage();
    for (name, entry) in list(storage)? {
        if !beginning.needs(&name) {
            storage
                .delete(&entry.name)
                .map_err(|error| StateError::io(storage, &error).of(&entry.name))?;
        }
    }
    Ok(())
}
