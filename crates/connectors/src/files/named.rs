//! A file to be read.

use std::path::PathBuf;

use towpath_types::Value;

use super::declared::FileSource;
use super::listing::Found;
use super::metadata::file_metadata;

/// A file to be read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Named {
    pub(crate) path: PathBuf,
    /// The path as text, for messages and keys.
    pub(crate) shown: String,
    /// What its rows say of it, if anybody asked.
    pub(crate) metadata: Option<Value>,
}

impl Named {
    /// A file, and what its rows say of it at this time.
    pub(crate) fn of(source: &FileSource, file: &Found, unix_milliseconds: u64) -> Self {
        let metadata = source
            .with_metadata
            .then(|| file_metadata(&file.shown, &file.metadata, unix_milliseconds));
        Self {
            path: file.path.clone(),
            shown: file.shown.clone(),
            metadata,
        }
    }
}
