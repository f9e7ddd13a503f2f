//! Finds and checks what journals hold.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::Time;
use crate::error::StateError;
use crate::journal::files::{Beginning, JournalFile, read_failed, read_headers, told_ends};
use crate::journal::groups::{Found, IndexEntry, finds_group, read_group};
use crate::journal::window::{WINDOW, Window};
use crate::names::End;
use crate::state::State;
use crate::storage::{Entry, Storage};

/// How much is held when single records are read: more would take longer than to look for the next one.
const SMALL_WINDOW: usize = 64 << 10;

/// What journals hold, and where it is.
#[derive(Debug)]
pub struct JournalIndex {
    storage: Arc<dyn Storage>,
    files: Vec<Entry>,
    bytes: u64,
    /// Positions in `records`.
    streams: BTreeMap<String, usize>,
    records: Vec<Vec<IndexEntry>>,
    /// The last generation that has named each stream.
    generations: Vec<u64>,
    last_generation: Option<u64>,
    last_time: Option<Time>,
    /// Of the processes of the last generation.
    closed: BTreeMap<u32, Time>,
    /// How many of these have ended well.
    ended: usize,
}

impl JournalIndex {
    /// Reads all journals of a state from their beginning.
    ///
    /// # Errors
    /// If something is missing, damaged, of another state or version, or cannot be read.
    pub fn read(state: &State) -> Result<Self, StateError> {
        Self::read_from(state, &Beginning::default())
    }

    /// Reads what is needed of all journals of a state.
    ///
    /// # Errors
    /// If something is missing, damaged, of another state or version, or cannot be read.
    pub fn read_from(state: &State, beginning: &Beginning) -> Result<Self, StateError> {
        Self::read_before(state, beginning, u64::MAX)
    }

    /// Reads what is needed of the journals of generations before this one, whatever others write to it meanwhile.
    ///
    /// # Errors
    /// As for [`JournalIndex::read_from`].
    pub fn read_before(state: &State, beginning: &Beginning, generation: u64) -> Result<Self, StateError> {
        let files = read_headers(state, beginning, generation)?;
        let storage = &**state.storage();
        let mut index = Self {
            storage: state.storage().clone(),
            files: Vec::new(),
            bytes: 0,
            streams: BTreeMap::new(),
            records: Vec::new(),
            generations: Vec::new(),
            last_generation: files.last().map(|file| file.name.generation),
            last_time: None,
            closed: BTreeMap::new(),
            ended: 0,
        };
        let told = told_ends(storage, &files, beginning)?;
        let mut untold = Vec::new();
        for (position, file) in files.iter().enumerate() {
            let next = files
                .get(position + 1)
                .filter(|next| next.name.is_of_journal_of(&file.name));
            let told = told.get(&file.name.generation).map(|ends| ends.get(&file.name.process));
            let limit = match (told, next) {
                // A later run did not see it, so it is not there.
                (Some(None), _) => continue,
                (Some(Some(end)), _) if file.name.file > end.file.file => continue,
                (Some(Some(end)), _) if file.name.file == end.file.file => Limit::Groups(end.groups),
                (_, Some(next)) => Limit::WholeFile(next.header.as_ref().map(|next| next.before)),
                (_, None) => Limit::Crash,
            };
            let groups = index.add_file(state, file, limit)?;
            if told.is_none() && next.is_none() {
                untold.push(End {
                    file: file.name,
                    groups,
                });
            }
        }
        *state.ends().lock() = Some(untold);
        Ok(index)
    }

    /// The names of all streams of all generations and processes.
    pub fn streams(&self) -> impl Iterator<Item = &str> {
        self.streams.keys().map(String::as_str)
    }

    /// The last generation that has named a stream.
    pub fn named_in(&self, stream: &str) -> Option<u64> {
        self.streams.get(stream).map(|position| self.generations[*position])
    }

    /// The records of a stream, in the order in which they were written.
    pub fn records(&self, name: &str) -> &[IndexEntry] {
        self.streams.get(name).map_or(&[], |stream| &self.records[*stream])
    }

    /// What a record says.
    ///
    /// # Errors
    /// If it cannot be read, or is not any more what it was when the index was made.
    pub fn payload(&self, entry: &IndexEntry) -> Result<Vec<u8>, StateError> {
        self.payload_in(
            &mut Window::new(&*self.storage, &self.files[entry.file as usize], 0),
            entry,
        )
    }

    /// The records of a stream and what they say, in the order in which they were written. Small ones are read
    /// together.
    ///
    /// # Errors
    /// As [`payload`](Self::payload).
    pub fn payloads(&self, name: &str) -> impl Iterator<Item = Result<(IndexEntry, Vec<u8>), StateError>> {
        let mut held: Option<(u32, Window<'_>)> = None;
        self.records(name).iter().map(move |entry| {
            let (_, window) = match &mut held {
                Some(window) if window.0 == entry.file => window,
                held => {
                    let file = &self.files[entry.file as usize];
                    held.insert((entry.file, Window::new(&*self.storage, file, SMALL_WINDOW)))
                }
            };
            Ok((*entry, self.payload_in(window, entry)?))
        })
    }

    fn payload_in(&self, window: &mut Window<'_>, entry: &IndexEntry) -> Result<Vec<u8>, StateError> {
        let storage = &*self.storage;
        let name = &self.files[entry.file as usize].name;
        let length = usize::try_from(entry.length).unwrap_or(usize::MAX);
        let payload = window
            .get(entry.offset, length)
            .map_err(|error| read_failed(storage, name, &error))?;
        if payload.len() as u64 != entry.length || xxh3_64(payload) != entry.hash {
            let reason = "a record is not what it was when the program started";
            return Err(StateError::damaged(storage, name, entry.offset, reason));
        }
        Ok(payload.to_vec())
    }

    /// The number of the last run that has begun to write. It may be the one that reads, if another process of it was
    /// faster.
    pub fn last_generation(&self) -> Option<u64> {
        self.last_generation
    }

    /// The greatest time of any record, and of all that were closed.
    pub fn last_time(&self) -> Option<Time> {
        self.last_time
    }

    /// The last time that each process of the last generation has closed; 0 if it has written no group.
    pub fn closed(&self) -> &BTreeMap<u32, Time> {
        &self.closed
    }

    /// How many bytes the files have.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether all processes of the last generation have written that it ended well.
    pub fn ended_well(&self) -> bool {
        !self.closed.is_empty() && self.ended == self.closed.len()
    }

    /// Adds what is in a file, and says how many groups that are.
    fn add_file(&mut self, state: &State, file: &JournalFile, limit: Limit) -> Result<u64, StateError> {
        let storage = &**state.storage();
        let name = &file.entry.name;
        let position = u32::try_from(self.files.len())
            .map_err(|_| StateError::damaged(storage, name, 0, "there are too many files"))?;
        self.files.push(file.entry.clone());
        self.bytes += file.entry.bytes;
        let is_of_last_generation = Some(file.name.generation) == self.last_generation;
        if is_of_last_generation {
            self.closed.entry(file.name.process).or_insert(0);
        }
        let names = file.header.as_ref().map_or(&[][..], |header| &header.streams);
        let streams: Vec<usize> = names.iter().map(|name| self.stream(name)).collect();
        for stream in &streams {
            self.generations[*stream] = file.name.generation;
        }
        let seed = file.name.seed(state.id());
        let failed = |error: io::Error| read_failed(storage, name, &error);
        let mut window = Window::new(storage, &file.entry, WINDOW);
        let mut offset = file.groups_at;
        let mut number = 0;
        let mut has_ended = false;
        loop {
            let is_at_end = offset == file.entry.bytes && file.header.is_some();
            let is_done = match limit {
                Limit::Groups(groups) => number == groups,
                Limit::WholeFile(Some(groups)) => is_at_end && number == groups,
                Limit::WholeFile(None) | Limit::Crash => is_at_end,
            };
            if is_done {
                break;
            }
            let found = match &file.header {
                None => Found::Bad("its header is not whole"),
                Some(_) if has_ended => Found::Bad("something follows the end of the run"),
                Some(_) => read_group(&mut window, offset, number, seed, position).map_err(failed)?,
            };
            let group = match found {
                Found::Whole(group) => group,
                Found::Bad(reason) => {
                    let is_crash = matches!(limit, Limit::Crash)
                        && !has_ended
                        && !finds_group(&mut window, offset, number, seed).map_err(failed)?;
                    if is_crash {
                        tracing::info!(
                            "{}: '{name}' ends at byte {offset}, as a crash leaves it",
                            storage.location()
                        );
                        break;
                    }
                    return Err(StateError::damaged(storage, name, offset, reason));
                }
            };
            for (stream, entry) in group.records {
                let Some(stream) = streams.get(stream as usize) else {
                    return Err(StateError::damaged(
                        storage,
                        name,
                        entry.offset,
                        "a record is of no stream",
                    ));
                };
                self.records[*stream].push(entry);
                self.last_time = self.last_time.max(Some(entry.time));
            }
            self.last_time = self.last_time.max(Some(group.closed));
            if is_of_last_generation {
                self.closed.insert(file.name.process, group.closed);
            }
            has_ended = group.is_end;
            offset = group.next;
            number += 1;
        }
        if has_ended && is_of_last_generation {
            self.ended += 1;
        }
        Ok(number)
    }

    /// The position of a stream in `records`.
    fn stream(&mut self, name: &str) -> usize {
        if let Some(stream) = self.streams.get(name) {
            return *stream;
        }
        self.records.push(Vec::new());
        self.generations.push(0);
        self.streams.insert(name.to_owned(), self.records.len() - 1);
        self.records.len() - 1
    }
}

/// How far a file is read.
#[derive(Clone, Copy)]
enum Limit {
    /// All of it is there; so many groups, if that is known.
    WholeFile(Option<u64>),
    /// As many groups as a later run has seen are there; there may be more.
    Groups(u64),
    /// What a crash has left at its end is not read.
    Crash,
}
