//! How far a follower has come with all its files, for the next run to go on there.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use towpath_engine::{EngineError, ErrorKind};

use super::followed::Followed;
use super::position::FilePosition;
use super::work::{path_bytes, path_of};

/// See the module.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Standing {
    files: Vec<File>,
    /// How many files were read at a path whose rows stay for ever.
    generations: BTreeMap<String, u32>,
}

#[derive(Debug, Serialize, Deserialize)]
struct File {
    path: String,
    /// Where the path is no text.
    bytes: Option<Vec<u8>>,
    position: FilePosition,
}

impl Standing {
    pub(crate) fn of<'a>(
        known: impl Iterator<Item = (&'a Path, &'a Followed)>,
        generations: &HashMap<String, u32>,
    ) -> Self {
        let file = |(path, followed): (&Path, &Followed)| File {
            path: path.to_string_lossy().into_owned(),
            bytes: path_bytes(path).map(<[u8]>::to_vec),
            position: followed.position.clone(),
        };
        Self {
            files: known.map(file).collect(),
            generations: generations.iter().map(|(path, count)| (path.clone(), *count)).collect(),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_else(|error| panic!("positions are plain data: {error}"))
    }

    /// What was kept so.
    pub(crate) fn decode(name: &str, bytes: &[u8]) -> Result<Self, EngineError> {
        serde_json::from_slice(bytes).map_err(|error| {
            let message = format!("{name}: how far its files were read cannot be understood: {error}");
            EngineError::new(ErrorKind::Value, message)
        })
    }

    /// The files, as they are known before they are looked at.
    pub(crate) fn known(self, now: Instant) -> (BTreeMap<PathBuf, Followed>, HashMap<String, u32>) {
        let file = |file: File| {
            let path = file.bytes.map_or_else(|| PathBuf::from(file.path), path_of);
            (path, Followed::at(file.position, now))
        };
        (
            self.files.into_iter().map(file).collect(),
            self.generations.into_iter().collect(),
        )
    }
}
