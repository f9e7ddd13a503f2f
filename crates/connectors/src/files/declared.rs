//! A source of files as a program declares it: where they are, how they are written, when it ends.

use std::time::Duration;

use towpath_engine::source::Limits;
use towpath_engine::{Description, PlanError};
use towpath_types::{DType, Schema};

use super::block::{BLOCK_BYTES, Sizes};
use super::csv::settings::CsvSettings;
use super::listing::Location;

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
    pub(super) fn has_records(&self) -> bool {
        match self {
            FileFormat::Csv(_) | FileFormat::JsonLines(_) | FileFormat::Plaintext => true,
            FileFormat::PlaintextByFile | FileFormat::Binary | FileFormat::OnlyMetadata => false,
        }
    }

    pub(super) fn describe(&self, description: &mut Description) {
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
    pub(super) name: String,
    pub(super) key_seed: String,
    pub(super) location: Location,
    pub(super) format: FileFormat,
    pub(super) mode: ReadMode,
    pub(super) schema: Schema,
    pub(super) with_metadata: bool,
    pub(super) limits: Limits,
    /// Whether the user has promised that what has been read is never changed or removed.
    pub(super) is_append_only: bool,
    /// The size of pieces of files that several threads read.
    pub(super) piece_bytes: u64,
    /// Those of blocks of files that one thread reads.
    pub(super) sizes: Sizes,
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
