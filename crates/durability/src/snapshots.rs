//! Snapshots: a *manifest* that names the *parts* of one, each a file of sections.
//!
//! A part is written once, and never changed. It begins with magic, version and state, as a blob does; sections follow, and
//! nothing in it says where they are: whoever writes it notes their places, in a last section, and the place of that one in
//! the manifest. The manifest is replaced as a whole, after all parts that it names are durable. So what it says holds,
//! whenever a process dies; parts that it does not name are what one has left that died before.

use std::io;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::blobs;
use crate::error::{StateError, StateErrorKind};
use crate::format::{VERSION, fixed};
use crate::names::{PartName, SNAPSHOTS};
use crate::points;
use crate::state::State;
use crate::storage::{Appender, Storage};

const MANIFEST: &str = "snapshots/manifest";
const MANIFEST_KIND: [u8; 4] = *b"mani";

const MAGIC: &[u8; 8] = b"TOWPATHP";

/// Magic, version, state.
const HEADER: usize = 28;

/// Where a section of a part is, and what its content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Where it begins in the part.
    pub offset: u64,
    /// How long it is.
    pub length: u64,
    /// XXH3-128 of it, in halves.
    hash: (u64, u64),
}

fn halves(hash: u128) -> (u64, u64) {
    ((hash >> u64::BITS) as u64, hash as u64)
}

/// Writes a part.
#[derive(Debug)]
pub struct PartWriter {
    state: State,
    name: String,
    appender: Box<dyn Appender>,
    /// What is not written yet, and where all that was added ends.
    buffer: Vec<u8>,
    offset: u64,
}

/// So many bytes are written together.
const BUFFER: usize = 1 << 20;

impl PartWriter {
    /// Begins a part.
    ///
    /// # Errors
    /// If the state is only read, there is such a part, or the storage fails.
    pub fn create(state: &State, name: PartName) -> Result<Self, StateError> {
        state.check_writes()?;
        let name = name.to_string();
        let storage = &**state.storage();
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&state.id().0);
        let begin = || {
            points::reach("snapshot.create.before")?;
            let mut appender = storage.create(&name)?;
            appender.append(&header)?;
            Ok(appender)
        };
        let appender = begin().map_err(|error: io::Error| StateError::io(storage, &error).of(&name))?;
        Ok(Self {
            state: state.clone(),
            name,
            appender,
            buffer: Vec::new(),
            offset: HEADER as u64,
        })
    }

    /// Adds a section.
    ///
    /// # Errors
    /// If the storage fails.
    pub fn add(&mut self, content: &[u8]) -> Result<Section, StateError> {
        let section = Section {
            offset: self.offset,
            length: content.len() as u64,
            hash: halves(xxh3_128(content)),
        };
        self.buffer.extend_from_slice(content);
        self.offset += section.length;
        if self.buffer.len() >= BUFFER {
            self.flush().map_err(|error| self.failed(&error))?;
        }
        Ok(section)
    }

    /// Makes the part durable, and says how many bytes it has.
    ///
    /// # Errors
    /// If the storage fails.
    pub fn finish(mut self) -> Result<u64, StateError> {
        let synced = self
            .flush()
            .and_then(|()| points::reach("snapshot.sync.before"))
            .and_then(|()| self.appender.sync());
        synced.map_err(|error| self.failed(&error))?;
        Ok(self.offset)
    }

    fn flush(&mut self) -> io::Result<()> {
        points::reach("snapshot.write.before")?;
        self.appender.append(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn failed(&self, error: &io::Error) -> StateError {
        StateError::io(&**self.state.storage(), error)
            .of(&self.name)
            .at(self.offset)
    }
}

/// Makes sure that a part is one of this state and version.
///
/// # Errors
/// If it is not, is missing, or cannot be read.
pub fn check_part(state: &State, name: PartName) -> Result<(), StateError> {
    let (storage, name) = (&**state.storage(), name.to_string());
    let header = storage
        .read(&name, Some(0..HEADER as u64))
        .map_err(|error| failed(storage, &name, &error))?;
    if header.len() < HEADER || !header.starts_with(MAGIC) {
        let reason = "it does not begin like what this program writes";
        return Err(StateError::damaged(storage, &name, 0, reason));
    }
    let version = u32::from_le_bytes(fixed(&header[8..12]));
    if version != VERSION {
        return Err(StateError::version(storage, &name, version));
    }
    if header[12..] != state.id().0 {
        let reason = "it is part of another state";
        let advice = "put the files back where they came from, or name another place";
        return Err(StateError::new(storage, StateErrorKind::Foreign, reason, advice).of(&name));
    }
    Ok(())
}

/// The contents of sections of parts, in their order.
///
/// # Errors
/// If one is not as it was written, is missing, or cannot be read.
pub fn read_sections(state: &State, sections: &[(PartName, Section)]) -> Result<Vec<Vec<u8>>, StateError> {
    let storage = &**state.storage();
    let names: Vec<String> = sections.iter().map(|(name, _)| name.to_string()).collect();
    let ranges: Vec<(&str, Range<u64>)> = names
        .iter()
        .zip(sections)
        .map(|(name, (_, Section { offset, length, .. }))| (&**name, *offset..offset.saturating_add(*length)))
        .collect();
    let contents = storage
        .read_many(&ranges)
        .map_err(|(position, error)| failed(storage, &names[position], &error))?;
    for ((content, name), (_, section)) in contents.iter().zip(&names).zip(sections) {
        if content.len() as u64 != section.length || halves(xxh3_128(content)) != section.hash {
            let reason = "a section is not what was written";
            return Err(StateError::damaged(storage, name, section.offset, reason));
        }
    }
    Ok(contents)
}

fn failed(storage: &dyn Storage, name: &str, error: &io::Error) -> StateError {
    match error.kind() {
        io::ErrorKind::NotFound => StateError::missing(storage, name),
        _ => StateError::io(storage, error).of(name),
    }
}

/// Makes or replaces the manifest; durable when it returns.
///
/// # Errors
/// If the state is only read, or the storage fails.
pub fn put_manifest(state: &State, content: &[u8]) -> Result<(), StateError> {
    let failed = |error: io::Error| StateError::io(&**state.storage(), &error).of(MANIFEST);
    points::reach("snapshot.manifest.before").map_err(failed)?;
    blobs::put_blob(state, MANIFEST, MANIFEST_KIND, content)?;
    points::reach("snapshot.manifest.after").map_err(failed)
}

/// The manifest, if there is one.
///
/// # Errors
/// If it is damaged, of another state or version, or cannot be read.
pub fn read_manifest(state: &State) -> Result<Option<Vec<u8>>, StateError> {
    match blobs::read_blob(state, MANIFEST, MANIFEST_KIND) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind == StateErrorKind::Missing => Ok(None),
        Err(error) => Err(error),
    }
}

/// An error that says that the manifest is not what this program writes.
pub fn damaged_manifest(state: &State, reason: &str) -> StateError {
    StateError::damaged(&**state.storage(), MANIFEST, 0, reason)
}

/// Deletes a part; one that is not there is deleted already.
///
/// # Errors
/// If the state is only read, or the storage fails.
pub fn delete_part(state: &State, name: PartName) -> Result<(), StateError> {
    state.check_writes()?;
    let (storage, name) = (&**state.storage(), name.to_string());
    match points::reach("snapshot.delete.before").and_then(|()| storage.delete(&name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StateError::io(storage, &error).of(&name)),
        _ => Ok(()),
    }
}

/// Deletes the parts of runs before this one, but for these. If this does not come to its end, it can be done again.
///
/// # Errors
/// If the state is only read, or the storage fails.
pub fn delete_parts_before(state: &State, generation: u64, kept: &[PartName]) -> Result<(), StateError> {
    let storage = &**state.storage();
    let entries = storage
        .list(SNAPSHOTS)
        .map_err(|error| StateError::io(storage, &error).of(SNAPSHOTS))?;
    for name in entries.iter().filter_map(|entry| PartName::parse(&entry.name)) {
        if name.generation < generation && !kept.contains(&name) {
            delete_part(state, name)?;
        }
    }
    Ok(())
}
