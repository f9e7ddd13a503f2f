//! Which files there are: a path, a pattern, or a folder with everything below it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use glob::{Pattern, PatternError};

/// Folders in folders deeper than this are a cycle of links.
const DEEPEST: usize = 64;

/// A file that was found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    /// The path as text, for messages, keys and metadata.
    pub(crate) shown: String,
    pub(crate) metadata: Metadata,
}

impl Found {
    /// What changes when the content does.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp {
            bytes: self.metadata.len(),
            modified: self.metadata.modified().ok(),
            node: node(&self.metadata),
        }
    }
}

/// What changes when the content of a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    bytes: u64,
    pub(crate) modified: Option<SystemTime>,
    /// A writer can set the time of change, and copies often keep it; this it cannot.
    node: Node,
}

/// The device, the number of the file on it, and when the file or what is known of it last changed.
type Node = (u64, u64, i64, i64);

#[cfg(unix)]
fn node(metadata: &Metadata) -> Node {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn node(_metadata: &Metadata) -> Node {
    Node::default()
}

/// What there is.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// The files, in the order of their paths.
    pub(crate) found: Vec<Found>,
    /// The files and folders that cannot be looked at, and why: nothing is known of them and what is below them.
    pub(crate) unseen: BTreeMap<PathBuf, io::Error>,
}

impl Listing {
    /// Whether a file is there no more.
    pub(crate) fn is_gone(&self, path: &Path) -> bool {
        self.found
            .binary_search_by(|file| file.path.as_path().cmp(path))
            .is_err()
            && !path.ancestors().any(|above| self.unseen.contains_key(above))
    }

    fn fail(&mut self, path: &Path, error: io::Error) {
        // A folder that has become a file has no files any more.
        if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) {
            self.unseen.insert(path.to_owned(), error);
        }
    }
}

/// Where files are looked for.
#[derive(Clone, Debug)]
pub(crate) struct Location {
    path: String,
    /// Which files of folders are taken.
    pattern: Option<Pattern>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

impl Location {
    pub(crate) fn new(path: String) -> Self {
        Self { path, pattern: None }
    }

    pub(crate) fn with_pattern(self, pattern: &str) -> Result<Self, PatternError> {
        let pattern = Some(Pattern::new(pattern)?);
        Ok(Self { pattern, ..self })
    }

    /// Whether the path is a pattern; a file that really has such a name is no pattern.
    fn is_pattern(&self) -> bool {
        self.path.contains(['*', '?', '[']) && !Path::new(&self.path).exists()
    }

    /// Whether there is a file or folder, or a pattern that may match something.
    pub(crate) fn is_there(&self) -> bool {
        self.is_pattern() || Path::new(&self.path).exists()
    }

    /// Whether it is one file.
    pub(crate) fn is_file(&self) -> bool {
        Path::new(&self.path).is_file()
    }

    /// The folder below which all files are, for watching it, and whether it is to be watched at all depths.
    pub(crate) fn root(&self) -> (PathBuf, bool) {
        let path = Path::new(&self.path);
        if self.is_pattern() {
            let fixed: PathBuf = path
                .components()
                .take_while(|component| !component.as_os_str().to_string_lossy().contains(['*', '?', '[']))
                .collect();
            let root = if fixed.as_os_str().is_empty() {
                PathBuf::from(".")
            } else {
                fixed
            };
            return (root, true);
        }
        if path.is_dir() {
            return (path.to_owned(), true);
        }
        // A file may be replaced by another of its name, which only its folder notices.
        match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => (parent.to_owned(), false),
            _ => (PathBuf::from("."), false),
        }
    }

    /// The files that are there now.
    pub(crate) fn list(&self) -> Listing {
        let mut listing = Listing::default();
        if self.is_pattern() {
            match glob::glob(&self.path) {
                Ok(paths) => {
                    for path in paths {
                        match path {
                            Ok(path) => self.add(&path, &path, &mut listing),
                            Err(error) => {
                                let path = error.path().to_owned();
                                listing.fail(&path, error.into());
                            }
                        }
                    }
                }
                Err(error) => tracing::warn!(target: "pathway", "{self} is no pattern: {error}"),
            }
        } else {
            let path = Path::new(&self.path);
            self.add(path, path, &mut listing);
        }
        listing.found.sort_by(|a, b| a.path.cmp(&b.path));
        listing.found.dedup_by(|a, b| a.path == b.path);
        listing
    }

    /// Adds a file, or the files below a folder.
    fn add(&self, path: &Path, root: &Path, listing: &mut Listing) {
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) => return listing.fail(path, error),
        };
        if metadata.is_dir() {
            let depth = path.components().count() - root.components().count();
            if depth > DEEPEST {
                return;
            }
            match std::fs::read_dir(path) {
                Ok(entries) => {
                    for entry in entries {
                        match entry {
                            Ok(entry) => self.add(&entry.path(), root, listing),
                            Err(error) => listing.fail(path, error),
                        }
                    }
                }
                Err(error) => listing.fail(path, error),
            }
        } else if path == root || metadata.is_file() && self.is_wanted(path, root) {
            // What is no plain file, such as a named pipe, might never end; it is read only if it is asked for.
            listing.found.push(Found {
                shown: path.to_string_lossy().into_owned(),
                path: path.to_owned(),
                metadata,
            });
        }
    }

    fn is_wanted(&self, path: &Path, root: &Path) -> bool {
        let Some(pattern) = &self.pattern else {
            return true;
        };
        let name = path.file_name().map(|name| name.to_string_lossy());
        let below = path.strip_prefix(root).unwrap_or(path);
        name.is_some_and(|name| pattern.matches(&name)) || pattern.matches_path(below)
    }
}
