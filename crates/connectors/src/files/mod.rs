//! Reading files: one file, all that match a pattern, or a folder with everything below it.
//!
//! A thread reads the files block by block (`block`), a format cuts a block into records and these into cells (`csv`,
//! `lines`, `whole`), and the cells become batches (`rows`). In static mode every file is read once and the source
//! ends. In streaming mode (`follow`) the source goes on: it reads new files, takes back the rows of files that are
//! gone, and replaces the rows of files that have changed. The workers of the first process follow a folder together,
//! each its own files.
//!
//! In static mode all workers have a thread that reads and parses, if there are several workers (`work`): they share
//! the files, and big files are cut into pieces (`split`). What is read does not depend on how many they are.
//!
//! Rows without a primary key have keys made from the source's seed, the file's path and what tells the record from the
//! others of the file. In static mode this is the byte where it begins, which whoever reads a piece of the file knows.
//! In streaming mode it is the record's number, so that a line that is edited keeps its key, and so do those after it.
//! A file that is read again has the same keys, and no two sources share any.
//!
//! A record that cannot be read is left out, but never in silence: it is reported with its file, line, field
//! and value, counted, and the count is logged when the source ends.

mod block;
mod column;
mod csv;
#[cfg(test)]
mod divided_tests;
mod failures;
mod follow;
#[cfg(test)]
mod follow_tests;
mod followed;
mod kept;
mod lines;
mod listing;
mod metadata;
mod numbers;
mod open;
mod overlap;
mod position;
mod reader;
mod rows;
mod shared;
mod signal;
mod split;
mod whole;
mod work;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use towpath_engine::clock::{Clock as _, SystemClock};
use towpath_engine::source::{Commits, Division, Limits, Readers, Team};
use towpath_engine::{Description, EngineError, ErrorKind, PlanError, Source, SourceContext, SourceHandle};
use towpath_types::{DType, Schema};

use block::{BLOCK_BYTES, Sizes};
pub use csv::CsvSettings;
use failures::Failures;
use follow::Own;
use listing::{Found, Listing, Location};
use metadata::file_metadata;
use reader::{Named, Reader};
use signal::{Handle, Signal};
use split::Ends;
use work::{Cut, Entry, Work};

/// How the content of files becomes rows.
#[derive(Clone, Debug)]
pub enum FileFormat {
    /// Comma-separated values with a header; a column is the field of its name.
    Csv(CsvSettings),
    /// A JSON object a line. A column is the member of its name, or stands where its pointer (RFC 6901) leads:
    /// pairs of a column's name and a pointer.
    JsonLines(Vec<(String, String)>),
    /// The first column is a line, without the space around it.
    Plaintext,
    /// The first column is the whole file, without the space around it.
    PlaintextByFile,
    /// The first column is the whole file, as bytes.
    Binary,
    /// A row a file without any content, for its `_metadata`.
    OnlyMetadata,
}

impl FileFormat {
    /// Whether a file has a row for each of its records, rather than one.
    fn has_records(&self) -> bool {
        match self {
            FileFormat::Csv(_) | FileFormat::JsonLines(_) | FileFormat::Plaintext => true,
            FileFormat::PlaintextByFile | FileFormat::Binary | FileFormat::OnlyMetadata => false,
        }
    }

    fn describe(&self, description: &mut Description) {
        match self {
            FileFormat::Csv(settings) => settings.describe(description),
            FileFormat::JsonLines(paths) => {
                description.set("format", "json");
                for (column, path) in paths {
                    description.set(&format!("path of {column:?}"), path);
                }
            }
            other => description.set("format", format_args!("{other:?}")),
        }
    }
}

/// When a source of files ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadMode {
    /// When every file has been read once. All rows have time 0.
    Static,
    /// Never: files are followed. What has been read becomes visible whenever the duration has passed; without
    /// one, after every look at the files that has found something.
    Streaming(Option<Duration>),
}

/// Rows from files. Its columns are those of the schema and, if asked for, `_metadata`.
#[derive(Clone, Debug)]
pub struct FileSource {
    name: String,
    key_seed: String,
    location: Location,
    format: FileFormat,
    mode: ReadMode,
    schema: Schema,
    with_metadata: bool,
    limits: Limits,
    /// Whether the user has promised that what has been read is never changed or removed.
    is_append_only: bool,
    /// The size of pieces of files that several threads read.
    piece_bytes: u64,
    /// Those of blocks of files that one thread reads.
    sizes: Sizes,
}

impl FileSource {
    /// A source called `name`, from which its keys are made unless they have another seed, of the file at `path`, the files that
    /// match it if it is a pattern, or the files below it if it is a folder.
    ///
    /// # Errors
    /// If the schema does not suit the format, or the settings cannot work.
    pub fn new(
        name: impl Into<String>,
        path: impl Into<String>,
        format: FileFormat,
        mode: ReadMode,
        schema: Schema,
    ) -> Result<Self, PlanError> {
        let name = name.into();
        match &format {
            FileFormat::Csv(settings) => settings
                .check()
                .map_err(|message| PlanError::value(format!("{name}: {message}")))?,
            FileFormat::JsonLines(paths) => {
                for (column, _) in paths {
                    if schema.position(column).is_none() {
                        return Err(PlanError::value(format!(
                            "{name}: there is a path for {column:?}, but the schema has no such column"
                        )));
                    }
                }
            }
            FileFormat::Plaintext | FileFormat::PlaintextByFile => check_data(&name, &schema, &DType::Str)?,
            FileFormat::Binary => check_data(&name, &schema, &DType::Bytes)?,
            FileFormat::OnlyMetadata => {}
        }
        Ok(Self {
            location: Location::new(path.into()),
            key_seed: name.clone(),
            name,
            format,
            mode,
            schema,
            with_metadata: false,
            limits: Limits::default(),
            is_append_only: false,
            piece_bytes: BLOCK_BYTES as u64,
            sizes: Sizes::USUAL,
        })
    }

    /// The same source with only the files of folders whose name or path below the folder matches a shell pattern.
    ///
    /// # Errors
    /// If it is no pattern.
    pub fn with_object_pattern(mut self, pattern: &str) -> Result<Self, PlanError> {
        self.location = self
            .location
            .with_pattern(pattern)
            .map_err(|error| PlanError::value(format!("{}: {pattern:?} is no pattern: {error}", self.name)))?;
        Ok(self)
    }

    /// The same source with keys made from `key_seed`, which no other source of the run may have.
    #[must_use]
    pub fn with_key_seed(self, key_seed: impl Into<String>) -> Self {
        Self {
            key_seed: key_seed.into(),
            ..self
        }
    }

    /// The same source with a last column `_metadata`, which says of which file a row is.
    #[must_use]
    pub fn with_metadata(self) -> Self {
        Self {
            with_metadata: true,
            ..self
        }
    }

    /// The same source of files that only grow: what has been read is never taken back, and nothing is kept of it.
    #[must_use]
    pub fn append_only(self) -> Self {
        Self {
            is_append_only: true,
            ..self
        }
    }

    /// A file and what its rows say of it at this time.
    fn named(&self, file: &Found, unix_milliseconds: u64) -> Named {
        let metadata = self
            .with_metadata
            .then(|| file_metadata(&file.shown, &file.metadata, unix_milliseconds));
        Named {
            path: file.path.clone(),
            shown: file.shown.clone(),
            metadata,
        }
    }

    /// The files for all processes.
    fn entries(&self, found: &[Found], unix_milliseconds: u64) -> Vec<Entry> {
        let named = |file| Entry::new(file, self.named(file, unix_milliseconds));
        found.iter().map(named).collect()
    }

    /// What this process reads of the files that process 0 has found.
    fn work(&self, context: &SourceContext) -> Result<Work, EngineError> {
        let entries: Option<Vec<Entry>> = context.manifest.iter().map(|text| Entry::from_text(text)).collect();
        let Some(entries) = entries else {
            let message = format!("{}: process 0 has sent a list of files that cannot be read", self.name);
            return Err(EngineError::new(ErrorKind::Runtime, message));
        };
        let place = (context.process, context.team.processes);
        Ok(Work::new(entries, self.cut(), place))
    }

    /// Whether several threads follow the files, each its own. A row with a primary key may move from a file to another,
    /// which one thread sees as one change.
    fn is_followed_in_parts(&self) -> bool {
        self.schema.primary_key().is_empty() && !self.location.is_file()
    }

    fn check_that_it_is_there(&self) -> Result<(), EngineError> {
        if self.location.is_there() {
            return Ok(());
        }
        Err(EngineError::new(
            ErrorKind::Os,
            format!(
                "{}: there is no file or folder {}: check the path, or read in streaming mode to wait for it",
                self.name, self.location
            ),
        ))
    }

    fn cut(&self) -> Cut {
        Cut {
            ends: Ends::of(&self.format),
            piece_bytes: self.piece_bytes,
        }
    }

    fn warn_of_unseen(&self, unseen: &BTreeMap<PathBuf, io::Error>) {
        for (path, error) in unseen {
            tracing::warn!(target: "pathway", "{}: cannot look at {}: {error}", self.name, path.display());
        }
    }

    /// The same source with other limits for what is in flight.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }
}

fn check_data(name: &str, schema: &Schema, dtype: &DType) -> Result<(), PlanError> {
    match schema.fields.as_slice() {
        [field] if field.dtype.required() == dtype || field.dtype == DType::Any => Ok(()),
        _ => Err(PlanError::value(format!(
            "{name}: the format has one column of type {dtype}, which the schema does not"
        ))),
    }
}

impl Source for FileSource {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn describe(&self, description: &mut Description) {
        description.known_as(&self.key_seed);
        description.set("path", &self.location);
        if let Some(pattern) = self.location.pattern() {
            description.set("object_pattern", pattern);
        }
        self.format.describe(description);
        description.set("mode", format_args!("{:?}", self.mode));
        description.set_fields(&self.schema.fields);
        description.set("with_metadata", self.with_metadata);
        description.set("append_only", self.is_append_only);
        description.set("backlog", format_args!("{:?}", self.limits));
    }

    fn columns(&self) -> Vec<DType> {
        let metadata = self.with_metadata.then_some(DType::Json);
        let fields = self.schema.fields.iter().map(|field| field.dtype.clone());
        fields.chain(metadata).collect()
    }

    fn is_append_only(&self) -> bool {
        self.mode == ReadMode::Static || self.is_append_only
    }

    fn has_unique_keys(&self) -> bool {
        self.schema.primary_key().is_empty()
    }

    fn commits(&self) -> Commits {
        match self.mode {
            ReadMode::Static => Commits::AtEnd,
            ReadMode::Streaming(period) => Commits::Streaming(period),
        }
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn may_read(&self, path: &Path) -> bool {
        self.location.has(path)
    }

    fn divide(&self, team: Team) -> Result<Division, EngineError> {
        if team.workers() == 1 {
            return Ok(Division::whole());
        }
        if self.mode != ReadMode::Static {
            return Ok(Division {
                streams: if self.is_followed_in_parts() { team.threads } else { 1 },
                ..Division::whole()
            });
        }
        self.check_that_it_is_there()?;
        let Listing { found, unseen } = self.location.list();
        let mut entries = self.entries(&found, SystemClock.unix_milliseconds());
        // So that no big file is left when all others have been read.
        entries.sort_by_key(|entry| Reverse(entry.size));
        let cut = self.cut();
        if entries.iter().map(|entry| cut.pieces(entry)).sum::<u64>() < 2 {
            return Ok(Division::whole());
        }
        self.warn_of_unseen(&unseen);
        Ok(Division {
            streams: team.workers(),
            readers: Readers::All,
            manifest: entries.iter().map(Entry::to_text).collect(),
        })
    }

    fn start(&self, context: SourceContext) -> Result<Box<dyn SourceHandle>, EngineError> {
        let signal = Arc::new(Signal::default());
        let failures = Arc::new(Failures::new(context.streams.len()));
        let work = if context.manifest.is_empty() {
            if self.mode == ReadMode::Static {
                self.check_that_it_is_there()?;
            }
            None
        } else {
            Some(Arc::new(self.work(&context)?))
        };
        let mut handle = Handle {
            signal: Arc::clone(&signal),
            threads: Vec::new(),
        };
        let owners = (context.streams.len() > 1).then(Arc::default);
        for (number, stream) in context.streams.iter().enumerate() {
            let (queue, work) = (Arc::clone(&stream.queue), work.clone());
            let own = Own {
                number,
                owners: owners.clone(),
            };
            let reader = Reader::new(
                self.clone(),
                &context,
                queue,
                Arc::clone(&signal),
                Arc::clone(&failures),
            );
            let thread = std::thread::Builder::new()
                .name("pathway-read".to_owned())
                .spawn(move || match work {
                    Some(work) => reader.run_shared(&work),
                    None => reader.run(own),
                });
            match thread {
                Ok(thread) => handle.threads.push(thread),
                Err(error) => {
                    signal.stop();
                    return Err(EngineError::os(
                        format!("{}: its thread did not start", self.name),
                        &error,
                    ));
                }
            }
        }
        Ok(Box::new(handle))
    }
}
