//! Reading files: one file, all that match a pattern, or a folder with everything below it.
//!
//! A thread of each source reads the files block by block (`block`), a format cuts a block into records and
//! these into cells (`csv`, `lines`, `whole`), and the cells become batches (`rows`). In static mode every file
//! is read once and the source ends. In streaming mode (`follow`) the source goes on: it reads new files,
//! takes back the rows of files that are gone, and replaces the rows of files that have changed.
//!
//! Rows without a primary key have keys made from the source's seed, the file's path and the number of the
//! record in it, so that a file that is read again has the same keys, and no two sources share any.
//!
//! A record that cannot be read is left out, but never in silence: it is reported with its file, line, field
//! and value, counted, and the count is logged when the source ends.

mod block;
mod column;
mod csv;
mod follow;
mod lines;
mod listing;
mod metadata;
mod reader;
mod rows;
mod whole;

use std::sync::Arc;
use std::time::Duration;

use towpath_engine::source::{Commits, Limits};
use towpath_engine::{EngineError, ErrorKind, PlanError, Source, SourceContext, SourceHandle};
use towpath_types::{DType, Schema};

pub use csv::CsvSettings;
use listing::Location;
use reader::{Reader, Signal};

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

    fn columns(&self) -> Vec<DType> {
        let metadata = self.with_metadata.then_some(DType::Json);
        let fields = self.schema.fields.iter().map(|field| field.dtype.clone());
        fields.chain(metadata).collect()
    }

    fn is_append_only(&self) -> bool {
        self.mode == ReadMode::Static
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

    fn start(&self, context: SourceContext) -> Result<Box<dyn SourceHandle>, EngineError> {
        if self.mode == ReadMode::Static && !self.location.is_there() {
            return Err(EngineError::new(
                ErrorKind::Os,
                format!(
                    "{}: there is no file or folder {}: check the path, or read in streaming mode to wait for it",
                    self.name, self.location
                ),
            ));
        }
        let signal = Arc::new(Signal::default());
        let reader = Reader::new(self.clone(), context, Arc::clone(&signal));
        let thread = std::thread::Builder::new()
            .name("pathway-read".to_owned())
            .spawn(move || reader.run())
            .map_err(|error| EngineError::os(format!("{}: its thread did not start", self.name), &error))?;
        Ok(Box::new(reader::Handle { signal, thread }))
    }
}
