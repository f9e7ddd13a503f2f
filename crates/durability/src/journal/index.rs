//! Finds and checks what journals hold.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use memchr::memmem;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::Time;
use crate::blobs::fixed;
use crate::error::{StateError, StateErrorKind};
use crate::journal::layout::{
    CONTENT_HEADER, End, FileHeader, FileName, GROUP_HEADER, GROUP_MAGIC, GroupHeader, PREFACE, Preface, RECORD_HEADER,
};
use crate::journal::{Beginning, list};
use crate::state::{State, VERSION};
use crate::storage::{Entry, Storage};

/// How much of a file is held at a time when all of it is read.
const WINDOW: usize = 1 << 20;

/// How much is held when single records are read: more would take longer than to look for the next one.
const SMALL_WINDOW: usize = 64 << 10;

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// The number of its file in the index.
    pub file: u32,
    /// Where in it the payload begins.
    pub offset: u64,
    /// How long the payload is.
    pub length: u64,
    /// What it is, for who wrote it.
    pub kind: u8,
    /// Its time.
    pub time: Time,
    /// XXH3-64 of the payload, which is read later.
    hash: u64,
}

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

fn read_failed(storage: &dyn Storage, name: &str, error: &io::Error) -> StateError {
    match error.kind() {
        io::ErrorKind::NotFound => StateError::missing(storage, name),
        _ => StateError::io(storage, error).of(name),
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

/// A file of a journal.
struct JournalFile {
    name: FileName,
    entry: Entry,
    /// Nothing if it is not whole.
    header: Option<FileHeader>,
    /// Where the groups begin.
    groups_at: u64,
}

/// Finds all files that are needed, and reads what they say of themselves.
fn read_headers(state: &State, beginning: &Beginning, before: u64) -> Result<Vec<JournalFile>, StateError> {
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
fn told_ends(
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

/// What is where a group should be.
enum Found {
    Whole(FoundGroup),
    /// Why it is none.
    Bad(&'static str),
}

struct FoundGroup {
    closed: Time,
    is_end: bool,
    /// With the numbers of their streams.
    records: Vec<(u32, IndexEntry)>,
    /// Where the next one begins.
    next: u64,
}

fn read_group(window: &mut Window<'_>, offset: u64, number: u64, seed: u64, file: u32) -> io::Result<Found> {
    let Some(header) = GroupHeader::new(window.get(offset, GROUP_HEADER)?, seed) else {
        return Ok(Found::Bad("there is no group"));
    };
    if header.number != number {
        return Ok(Found::Bad("there is another group than the next"));
    }
    let start = offset + GROUP_HEADER as u64;
    let Some(next) = start.checked_add(header.length).filter(|next| *next <= window.size) else {
        return Ok(Found::Bad("it ends within a group"));
    };
    let mut content = Content {
        window,
        offset: start,
        end: next,
        hasher: header.hasher(seed),
    };
    let Some(group) = content.read(file)? else {
        return Ok(Found::Bad("the content of a group is not what was written"));
    };
    if !header.fits(&content.hasher) {
        return Ok(Found::Bad("the checksum of a group is not that of its content"));
    }
    Ok(Found::Whole(group))
}

/// The content of a group, read from its beginning to its end.
struct Content<'a, 'b> {
    window: &'a mut Window<'b>,
    offset: u64,
    end: u64,
    hasher: Xxh3,
}

impl Content<'_, '_> {
    /// What it says, if it can be what was written; its checksum has not been looked at.
    fn read(&mut self, file: u32) -> io::Result<Option<FoundGroup>> {
        let Some(header) = self.take::<CONTENT_HEADER>()? else {
            return Ok(None);
        };
        let count = u64::from_le_bytes(fixed(&header[8..16]));
        let mut records = Vec::new();
        for _ in 0..count {
            let Some(header) = self.take::<RECORD_HEADER>()? else {
                return Ok(None);
            };
            let length = u64::from_le_bytes(fixed(&header[13..]));
            let offset = self.offset;
            let Some(hash) = self.skip(length)? else {
                return Ok(None);
            };
            let entry = IndexEntry {
                file,
                offset,
                length,
                kind: header[4],
                time: u64::from_le_bytes(fixed(&header[5..13])),
                hash,
            };
            records.push((u32::from_le_bytes(fixed(&header[..4])), entry));
        }
        Ok((self.offset == self.end).then(|| FoundGroup {
            closed: u64::from_le_bytes(fixed(&header[..8])),
            is_end: header[16] != 0,
            records,
            next: self.end,
        }))
    }

    /// The next bytes, if there are so many.
    fn take<const N: usize>(&mut self) -> io::Result<Option<[u8; N]>> {
        if self.end - self.offset < N as u64 {
            return Ok(None);
        }
        let bytes = self.window.get(self.offset, N)?;
        if bytes.len() < N {
            return Ok(None);
        }
        self.hasher.update(bytes);
        self.offset += N as u64;
        Ok(Some(fixed(bytes)))
    }

    /// XXH3-64 of so many bytes, if there are so many.
    fn skip(&mut self, length: u64) -> io::Result<Option<u64>> {
        let Some(end) = self.offset.checked_add(length).filter(|end| *end <= self.end) else {
            return Ok(None);
        };
        // Mostly it is all at hand.
        let piece = self.window.piece(self.offset, length)?;
        if piece.len() as u64 == length {
            self.hasher.update(piece);
            self.offset = end;
            return Ok(Some(xxh3_64(piece)));
        }
        let mut hasher = Xxh3::new();
        while self.offset < end {
            let piece = self.window.piece(self.offset, end - self.offset)?;
            if piece.is_empty() {
                return Ok(None);
            }
            self.hasher.update(piece);
            hasher.update(piece);
            self.offset += piece.len() as u64;
        }
        Ok(Some(hasher.digest()))
    }
}

/// Whether a group was begun behind the one that is not whole. Then that one had been durable.
fn finds_group(window: &mut Window<'_>, bad: u64, number: u64, seed: u64) -> io::Result<bool> {
    let finder = memmem::Finder::new(GROUP_MAGIC);
    let mut offset = bad;
    while offset + (GROUP_HEADER as u64) <= window.size {
        let piece = window.get(offset, WINDOW)?;
        if piece.len() < GROUP_HEADER {
            break;
        }
        for at in finder.find_iter(piece) {
            // The one that is not whole may have its header.
            let is_next = |header: GroupHeader| header.number != number || offset + at as u64 > bad;
            if GroupHeader::new(&piece[at..], seed).is_some_and(is_next) {
                return Ok(true);
            }
        }
        // A header that is cut off here is found in the next piece.
        offset += (piece.len() - (GROUP_HEADER - 1)) as u64;
    }
    Ok(false)
}

/// A part of a file that is held in memory.
struct Window<'a> {
    storage: &'a dyn Storage,
    name: &'a str,
    size: u64,
    /// How much of it is read at a time, or more if more is asked for.
    capacity: usize,
    /// Where the bytes are in the file.
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    fn new(storage: &'a dyn Storage, entry: &'a Entry, capacity: usize) -> Self {
        Self {
            storage,
            name: &entry.name,
            size: entry.bytes,
            capacity,
            start: 0,
            bytes: Vec::new(),
        }
    }

    /// So many bytes; fewer where the file ends.
    fn get(&mut self, offset: u64, length: usize) -> io::Result<&[u8]> {
        let end = |length: usize| self.size.min(offset.saturating_add(length as u64));
        if offset < self.start || end(length) > self.start + self.bytes.len() as u64 {
            let range = offset..end(length.max(self.capacity));
            self.bytes = self.storage.read(self.name, Some(range))?;
            self.start = offset;
        }
        let held = self.held(offset);
        Ok(&held[..held.len().min(length)])
    }

    /// At least one byte and at most so many; none where the file ends.
    fn piece(&mut self, offset: u64, most: u64) -> io::Result<&[u8]> {
        if self.held(offset).is_empty() {
            self.get(offset, 1)?;
        }
        let held = self.held(offset);
        Ok(&held[..held.len().min(usize::try_from(most).unwrap_or(usize::MAX))])
    }

    /// What is held from an offset on.
    fn held(&self, offset: u64) -> &[u8] {
        let at = offset.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| self.bytes.get(at..)).unwrap_or(&[])
    }
}
