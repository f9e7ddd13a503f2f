//! Adds groups to a journal.

use std::collections::BTreeSet;
use std::io;

use crate::Time;
use crate::error::{StateError, StateErrorKind};
use crate::journal::index::JournalIndex;
use crate::journal::layout::{FileHeader, Group, encode_group};
use crate::names::FileName;
use crate::points;
use crate::state::State;
use crate::storage::Appender;

/// How much of its buffer a writer keeps between groups.
const KEPT: usize = 16 << 20;

/// Adds groups to the journal of one process.
#[derive(Debug)]
pub struct JournalWriter {
    state: State,
    header: FileHeader,
    seed: u64,
    appender: Box<dyn Appender>,
    /// The number of the next group in the file.
    number: u64,
    file_bytes: u64,
    /// Those of the files before.
    earlier_bytes: u64,
    closed: Time,
    buffer: Vec<u8>,
    failed: Option<StateError>,
    has_ended: bool,
}

impl JournalWriter {
    /// Begins the journal of a process in a run, whose generation is greater than that of all runs before. The position
    /// of a name is the number of the stream.
    ///
    /// # Errors
    /// If the state is only read, the journal of earlier runs cannot be read, there is such a journal, or the storage
    /// fails.
    ///
    /// # Panics
    /// If two streams have one name.
    pub fn create(state: &State, generation: u64, process: u32, streams: &[String]) -> Result<Self, StateError> {
        state.check_writes()?;
        let names: BTreeSet<&String> = streams.iter().collect();
        assert_eq!(names.len(), streams.len(), "every stream has a name of its own");
        if state.ends().lock().is_none() {
            JournalIndex::read(state)?;
        }
        let ends = state.ends().lock().clone().unwrap_or_default();
        let file = FileName {
            generation,
            process,
            file: 0,
        };
        let header = FileHeader {
            state: state.id().to_string(),
            file,
            streams: streams.to_vec(),
            before: 0,
            // Other processes of this run may have begun already.
            earlier: ends
                .into_iter()
                .filter(|end| end.file.generation < generation)
                .collect(),
        };
        let (appender, file_bytes) = begin_file(state, &header)?;
        Ok(Self {
            state: state.clone(),
            header,
            seed: file.seed(state.id()),
            appender,
            number: 0,
            file_bytes,
            earlier_bytes: 0,
            closed: 0,
            buffer: Vec::new(),
            failed: None,
            has_ended: false,
        })
    }

    /// Adds a group and says how many bytes all files of this writer have. The group is durable when this returns.
    ///
    /// # Errors
    /// If the storage fails; then the writer has failed for good, and says so again whatever is asked of it. Whether the
    /// group is durable is known when the journal is read.
    ///
    /// # Panics
    /// If a record is of a stream that was not named, or the journal has its end.
    pub fn write(&mut self, group: &Group) -> Result<u64, StateError> {
        self.add(group, false)
    }

    /// Adds the last group, which says that the run has ended well.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    ///
    /// # Panics
    /// If the journal has its end.
    pub fn end(&mut self) -> Result<u64, StateError> {
        self.attempt(|_| points::reach("journal.end.before"))?;
        let last = Group {
            closed: self.closed,
            records: Vec::new(),
        };
        let bytes = self.add(&last, true)?;
        self.has_ended = true;
        Ok(bytes)
    }

    /// Goes on in a new file, so that those before it can be [deleted](crate::delete_before).
    ///
    /// # Errors
    /// As [`write`](Self::write).
    ///
    /// # Panics
    /// If the journal has its end.
    pub fn rotate(&mut self) -> Result<(), StateError> {
        self.attempt(|_| points::reach("journal.rotate.before"))?;
        self.header.file.file += 1;
        self.header.before = self.number;
        let (appender, file_bytes) = begin_file(&self.state, &self.header).inspect_err(|error| {
            self.failed = Some(error.clone());
        })?;
        self.seed = self.header.file.seed(self.state.id());
        self.appender = appender;
        self.number = 0;
        self.earlier_bytes += self.file_bytes;
        self.file_bytes = file_bytes;
        Ok(())
    }

    /// How many bytes all files of this writer have.
    pub fn bytes(&self) -> u64 {
        self.earlier_bytes + self.file_bytes
    }

    /// The number of the file that is written to, from 0.
    pub fn file(&self) -> u32 {
        self.header.file.file
    }

    /// How many bytes that file has.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    fn add(&mut self, group: &Group, is_end: bool) -> Result<u64, StateError> {
        let streams = self.header.streams.len();
        let is_known = |stream: u32| (stream as usize) < streams;
        assert!(
            group.records.iter().all(|record| is_known(record.stream)),
            "a record is of a stream that was named"
        );
        self.attempt(|writer| {
            writer.buffer.clear();
            encode_group(&mut writer.buffer, group, writer.number, is_end, writer.seed);
            points::reach("journal.append.before")?;
            writer.appender.append(&writer.buffer)?;
            points::reach("journal.sync.before")?;
            writer.appender.sync()?;
            points::reach("journal.sync.after")
        })?;
        self.number += 1;
        self.file_bytes += self.buffer.len() as u64;
        self.closed = group.closed;
        if self.buffer.capacity() > KEPT {
            self.buffer = Vec::new();
        }
        Ok(self.bytes())
    }

    /// A step that must not fail; if it does, all after it fail.
    fn attempt(&mut self, step: impl FnOnce(&mut Self) -> io::Result<()>) -> Result<(), StateError> {
        assert!(!self.has_ended, "nothing is written after the end of a journal");
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        step(self).map_err(|error| {
            let error = StateError::io(&**self.state.storage(), &error)
                .of(&self.header.file.to_string())
                .at(self.file_bytes);
            self.failed = Some(error.clone());
            error
        })
    }
}

/// Makes a file with its header, and says how long that is.
fn begin_file(state: &State, header: &FileHeader) -> Result<(Box<dyn Appender>, u64), StateError> {
    let name = header.file.to_string();
    let storage = &**state.storage();
    let begin = || {
        let bytes = header.encode()?;
        points::reach("journal.create.before")?;
        let mut appender = storage.create(&name)?;
        points::reach("journal.header.before")?;
        appender.append(&bytes)?;
        appender.sync()?;
        points::reach("journal.header.after")?;
        Ok((appender, bytes.len() as u64))
    };
    begin().map_err(|error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            let reason = "another process has begun it";
            let advice = "end all processes that use the state, and start again";
            StateError::new(storage, StateErrorKind::Held, reason, advice).of(&name)
        }
        _ => StateError::io(storage, &error).of(&name),
    })
}
