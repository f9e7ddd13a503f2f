//! Which files of journals there are, and what they say of themselves.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

use crate::error::{StateError, StateErrorKind};
use crate::format::VERSION;
use crate::journal::layout::{FileHeader, PREFACE, Preface};
use crate::names::{End, FileName, JOURNAL};
use crate::state::State;
use crate::storage::{Entry, Storage};

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

    pub(super) fn needs(&self, name: &FileName) -> bool {
        name.generation >= self.generation && name.file >= self.first(name.generation, name.process)
    }
}

/// The files of all journals in a state, in their order.
fn list(storage: &dyn Storage) -> Result<Vec<(FileName, Entry)>, StateError> {
    let entries = storage
        .list(JOURNAL)
        .map_err(|error| StateError::io(storage, &error).of(JOURNAL))?;
    let mut files = Vec::with_capacity(entries.len());
    for entry in entries {
        let file = &entry.name[JOURNAL.len()..];
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

/// A file of a journal.
pub(super) struct JournalFile {
    pub(super) name: FileName,
    pub(super) entry: Entry,
    /// Nothing if it is not whole.
    pub(super) header: Option<FileHeader>,
    /// Where the groups begin.
    pub(super) groups_at: u64,
}

/// Finds all files that are needed, and reads what they say of themselves.
pub(super) fn read_headers(state: &State, beginning: &Beginning, before: u64) -> Result<Vec<JournalFile>, StateError> {
    let storage = &**state.storage();
    let mut files: Vec<JournalFile> = Vec::new();
    for (name, entry) in list(storage)? {
        if !beginning.needs(&name) || name.generation >= before {
            continue;
        }
        let expected = match files.last() {
            Some(last) if last.name.is_of_journal_of(&name) => last.name.file + 1,
            _ => beginning.first(name.generation, name.process),
        };
        if name.file != expected {
            return Err(StateError::missing(
                storage,
                &FileName { file: expected, ..name }.to_string(),
            ));
        }
        files.push(read_header(state, name, entry)?);
    }
    for (&process, &file) in &beginning.files {
        let generation = beginning.generation;
        if !files
            .iter()
            .any(|found| (found.name.generation, found.name.process) == (generation, process))
        {
            let name = FileName {
                generation,
                process,
                file,
            };
            return Err(StateError::missing(storage, &name.to_string()));
        }
    }
    Ok(files)
}

fn read_header(state: &State, name: FileName, entry: Entry) -> Result<JournalFile, StateError> {
    let storage = &**state.storage();
    let read = |range| {
        storage
            .read(&entry.name, Some(range))
            .map_err(|error| read_failed(storage, &entry.name, &error))
    };
    let mut groups_at = 0;
    let mut header = None;
    if let Some(preface) = Preface::new(&read(0..PREFACE as u64)?) {
        if preface.version() != VERSION {
            return Err(StateError::version(storage, &entry.name, preface.version()));
        }
        let end = (PREFACE + preface.length()) as u64;
        if end <= entry.bytes {
            header = preface.header(&read(PREFACE as u64..end)?);
            groups_at = end;
        }
    }
    if let Some(header) = &header {
        let advice = "put the files back where they came from, or name another place";
        let foreign =
            |reason: &str| Err(StateError::new(storage, StateErrorKind::Foreign, reason, advice).of(&entry.name));
        if header.state != state.id().to_string() {
            return foreign("it is part of another state");
        }
        if header.file != name {
            return foreign(&format!("it is '{}' under another name", header.file));
        }
    } else {
        groups_at = 0;
    }
    Ok(JournalFile {
        name,
        entry,
        header,
        groups_at,
    })
}

/// How far later runs have read the processes of each generation. Each is told by the first that has read it.
pub(super) fn told_ends(
    storage: &dyn Storage,
    files: &[JournalFile],
    beginning: &Beginning,
) -> Result<BTreeMap<u64, BTreeMap<u32, End>>, StateError> {
    let mut told: BTreeMap<u64, BTreeMap<u32, End>> = BTreeMap::new();
    for header in files.iter().filter_map(|file| file.header.as_ref()) {
        let mut new: BTreeMap<u64, BTreeMap<u32, End>> = BTreeMap::new();
        for end in header.earlier.iter().filter(|end| beginning.needs(&end.file)) {
            new.entry(end.file.generation)
                .or_default()
                .insert(end.file.process, *end);
        }
        for (generation, ends) in new {
            told.entry(generation).or_insert(ends);
        }
    }
    for end in told.values().flat_map(BTreeMap::values) {
        if files.binary_search_by_key(&end.file, |file| file.name).is_err() {
            return Err(StateError::missing(storage, &end.file.to_string()));
        }
    }
    Ok(told)
}

pub(super) fn read_failed(storage: &dyn Storage, name: &str, error: &io::Error) -> StateError {
    match error.kind() {
        io::ErrorKind::NotFound => StateError::missing(storage, name),
        _ => StateError::io(storage, error).of(name),
    }
}
