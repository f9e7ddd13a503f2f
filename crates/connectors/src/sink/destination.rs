//! Where an output goes: a file, or a folder with a file of every worker.
//!
//! Of all workers of all processes, number 3 writes `part-00003.csv`. The processes may share the folder, or each
//! machine may have one of its own, and none can tell. So what is left of an earlier run with more workers is removed
//! by all, and it is only what nobody writes in this one: parts of numbers that no worker has. The others are emptied by
//! the workers who write them. What is not called like a part stays.

use std::io::{Error, ErrorKind as IoErrorKind};
use std::path::{Path, PathBuf};

use towpath_engine::{EngineError, ErrorKind};

use super::mark::Mark;
use super::target::Target;

/// Where an output goes.
#[derive(Clone, Debug)]
pub(super) enum Destination {
    /// All rows to one file.
    File(PathBuf),
    /// The rows of each worker to a file in a folder.
    Folder(PathBuf),
}

impl Destination {
    /// A file that it writes, as far as that can be said before the run.
    pub(super) fn example(&self, extension: &str) -> PathBuf {
        match self {
            Destination::File(path) => path.clone(),
            Destination::Folder(folder) => folder.join(part_name(0, extension)),
        }
    }

    /// Opens what a worker writes to, if it writes anything. `name` is for messages.
    pub(super) fn open(
        &self,
        name: &str,
        extension: &str,
        worker: usize,
        workers: usize,
        kept: Option<&Mark>,
    ) -> Result<Option<(PathBuf, Target)>, EngineError> {
        let path = match self {
            // No row ever comes to the others.
            Destination::File(_) if worker > 0 => return Ok(None),
            Destination::File(path) => path.clone(),
            Destination::Folder(folder) => {
                make_folder(folder).map_err(|error| cannot_create(name, "folder", folder, &error))?;
                remove_parts(name, folder, extension, workers)?;
                folder.join(part_name(worker, extension))
            }
        };
        match Target::open(&path, kept) {
            Ok(target) => Ok(Some((path, target))),
            Err(error) => Err(cannot_create(name, "file", &path, &error)),
        }
    }
}

/// What the file of a worker is called.
fn part_name(worker: usize, extension: &str) -> String {
    format!("part-{worker:05}.{extension}")
}

/// The worker whose file is called so, if one can be.
fn part_number(name: &str, extension: &str) -> Option<usize> {
    let (stem, end) = name.strip_prefix("part-")?.split_once('.')?;
    let number = stem.parse().ok()?;
    (end == extension && name == part_name(number, extension)).then_some(number)
}

/// Makes the folder, unless it is there.
fn make_folder(folder: &Path) -> Result<(), Error> {
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() == IoErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        made => made,
    }
}

/// Removes what an earlier run with more workers has left.
fn remove_parts(name: &str, folder: &Path, extension: &str, workers: usize) -> Result<(), EngineError> {
    let cannot = |what: &str, path: &Path, error: &Error| {
        EngineError::os(format!("{name}: cannot {what} {}", path.display()), error)
    };
    let entries = std::fs::read_dir(folder).map_err(|error| cannot("list the folder", folder, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| cannot("list the folder", folder, &error))?;
        let number = entry.file_name().to_str().and_then(|name| part_number(name, extension));
        let is_left = number.is_some_and(|number| number >= workers);
        if is_left && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            match std::fs::remove_file(entry.path()) {
                // Another worker was faster.
                Err(error) if error.kind() == IoErrorKind::NotFound => {}
                Err(error) => return Err(cannot("remove the part of an earlier run", &entry.path(), &error)),
                Ok(()) => {}
            }
        }
    }
    Ok(())
}

/// Says why a file or folder cannot be created, and what to do.
fn cannot_create(name: &str, what: &str, path: &Path, error: &Error) -> EngineError {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let advice = match (error.kind(), directory) {
        (IoErrorKind::NotFound, Some(directory)) if !directory.exists() => format!(
            ". The directory {} does not exist: create it first, or write to another place",
            directory.display()
        ),
        (IoErrorKind::IsADirectory, _) => ". It is a directory: give the path of a file".to_owned(),
        (IoErrorKind::AlreadyExists, _) => {
            ". A partitioned output is a folder, and this is none: give another path, or remove what is there"
                .to_owned()
        }
        (IoErrorKind::NotADirectory, Some(directory)) => {
            format!(". {} is no directory: write to another place", directory.display())
        }
        (IoErrorKind::PermissionDenied, _) => {
            ". Change the permissions of the file or its directory, or write to another place".to_owned()
        }
        _ => String::new(),
    };
    EngineError::new(
        ErrorKind::Os,
        format!(
            "{name}: cannot create the output {what} {}: {error}{advice}",
            path.display()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_by_their_names() {
        for number in [0, 7, 99_999, 100_000] {
            assert_eq!(part_number(&part_name(number, "csv"), "csv"), Some(number));
        }
        for other in [
            "part-00001.jsonl",
            "part-00001.csv.bak",
            "part-1.csv",
            "part-000001.csv",
            "part-+0001.csv",
            "part-.csv",
            "part-00001",
            "my-part-00001.csv",
        ] {
            assert_eq!(part_number(other, "csv"), None, "{other}");
        }
    }
}
