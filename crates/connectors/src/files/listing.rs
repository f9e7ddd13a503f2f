//! Which files there are: a path, a pattern, or a folder with everything below it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern, PatternError};

use super::stamp::Stamp;

/// How often a folder is listed, by however many paths links lead to it. Without a limit they could be as many as
/// there are ways through a maze.
const MOST_WAYS: usize = 16;

/// Folders in folders deeper than this are not looked at.
const DEEPEST: usize = 256;

/// Which file or folder it is: the device, and its number there.
#[cfg(unix)]
fn which(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn which(_metadata: &Metadata) -> Option<(u64, u64)> {
    None
}

/// Whether two paths have led to one file.
pub fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    which(one).is_some_and(|one| Some(one) == which(other))
}

/// The folders that have been listed, and those that are being listed, each within the one before.
#[derive(Default)]
struct Visited {
    times: HashMap<(u64, u64), usize>,
    open: Vec<(u64, u64)>,
}

impl Visited {
    /// Whether a folder is to be listed: a link may lead to one that it is in, or many to the same.
    fn enter(&mut self, metadata: &Metadata) -> bool {
        let folder = which(metadata).unwrap_or((0, self.open.len() as u64));
        if self.open.contains(&folder) || self.open.len() > DEEPEST {
            return false;
        }
        let times = self.times.entry(folder).or_insert(0);
        *times += 1;
        let is_new = *times <= MOST_WAYS;
        if is_new {
            self.open.push(folder);
        }
        is_new
    }

    fn leave(&mut self) {
        self.open.pop();
    }
}

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
        Stamp::of(&self.metadata)
    }
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
    /// Says what could not be looked at.
    pub(crate) fn warn_of_unseen(&self, source: &str) {
        for (path, error) in &self.unseen {
            tracing::warn!(target: "pathway", "{source}: cannot look at {}: {error}", path.display());
        }
    }
}

impl Listing {
    /// Whether a file is there no more.
    pub(crate) fn is_gone(&self, path: &Path) -> bool {
        self.get(path).is_none() && !path.ancestors().any(|above| self.unseen.contains_key(above))
    }

    /// The file at a path.
    pub(crate) fn get(&self, path: &Path) -> Option<&Found> {
        let position = self.found.binary_search_by(|file| file.path.as_path().cmp(path));
        position.ok().map(|position| &self.found[position])
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

    /// Which files of folders are taken, if not all.
    pub(crate) fn pattern(&self) -> Option<&str> {
        self.pattern.as_ref().map(Pattern::as_str)
    }

    pub(crate) fn path(&self) -> &Path {
        Path::new(&self.path)
    }

    /// Whether a path is one of those that the pattern means.
    pub(crate) fn matches(&self, path: &Path) -> bool {
        let options = MatchOptions {
            require_literal_separator: true,
            ..MatchOptions::new()
        };
        Pattern::new(&self.path).is_ok_and(|pattern| pattern.matches_path_with(path, options))
    }

    /// Whether the path is a pattern; a file that really has such a name is no pattern.
    pub(crate) fn is_pattern(&self) -> bool {
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
        let mut visited = Visited::default();
        if self.is_pattern() && self.path.contains("**") {
            let (root, _) = self.root();
            self.add_matching(&root, &mut visited, &mut listing);
        } else if self.is_pattern() {
            match glob::glob(&self.path) {
                Ok(paths) => {
                    for path in paths {
                        match path {
                            Ok(path) => self.add(&path, &path, &mut visited, &mut listing),
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
            self.add(path, path, &mut visited, &mut listing);
        }
        listing.found.sort_by(|a, b| a.path.cmp(&b.path));
        listing.found.dedup_by(|a, b| a.path == b.path);
        listing
    }

    /// Adds what is below a folder and matches the pattern, at whatever depth. The library that knows patterns would
    /// follow links that lead in a circle.
    fn add_matching(&self, folder: &Path, visited: &mut Visited, listing: &mut Listing) {
        let is_entered = match std::fs::metadata(folder) {
            Ok(metadata) => visited.enter(&metadata),
            Err(error) => return listing.fail(folder, error),
        };
        if !is_entered {
            return;
        }
        match read_folder(folder) {
            Ok(entries) => {
                for path in entries {
                    // A pattern without a folder is looked for in `.`, but does not say so.
                    let path = match path.strip_prefix(".") {
                        Ok(below) if !self.path.starts_with("./") => below,
                        _ => &path,
                    };
                    if self.matches(path) {
                        self.add(path, path, visited, listing);
                    } else if path.is_dir() {
                        self.add_matching(path, visited, listing);
                    }
                }
            }
            Err(error) => listing.fail(folder, error),
        }
        visited.leave();
    }

    /// Adds a file, or the files below a folder.
    fn add(&self, path: &Path, root: &Path, visited: &mut Visited, listing: &mut Listing) {
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) => return listing.fail(path, error),
        };
        if metadata.is_dir() {
            if !visited.enter(&metadata) {
                return;
            }
            // In order, so that the same ways to a folder count at every look.
            match read_folder(path) {
                Ok(entries) => entries.iter().for_each(|entry| self.add(entry, root, visited, listing)),
                Err(error) => listing.fail(path, error),
            }
            visited.leave();
        } else if path == root || metadata.is_file() && self.is_wanted(path, root) {
            // What is no plain file, such as a named pipe, might never end; it is read only if it is asked for.
            listing.found.push(Found {
                shown: path.to_string_lossy().into_owned(),
                path: path.to_owned(),
                metadata,
            });
        }
    }

    pub(crate) fn is_wanted(&self, path: &Path, root: &Path) -> bool {
        let Some(pattern) = &self.pattern else {
            return true;
        };
        let name = path.file_name().map(|name| name.to_string_lossy());
        let below = path.strip_prefix(root).unwrap_or(path);
        name.is_some_and(|name| pattern.matches(&name)) || pattern.matches_path(below)
    }
}

fn read_folder(path: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths: Vec<PathBuf> = entries.collect::<io::Result<_>>()?;
    paths.sort_unstable();
    Ok(paths)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn listed(folder: &Path) -> Vec<String> {
        let location = Location::new(folder.to_string_lossy().into_owned());
        let below = |found: &Found| found.shown.strip_prefix(&location.path).unwrap_or_default().to_owned();
        location.list().found.iter().map(below).collect()
    }

    #[test]
    fn links_that_lead_back_are_not_followed() {
        let directory = tempfile::tempdir().expect("a folder");
        let root = directory.path();
        std::fs::create_dir(root.join("sub")).expect("a folder");
        std::fs::write(root.join("sub/file"), "").expect("a file");
        for (target, link) in [
            (".", "a"),
            (".", "b"),
            ("..", "sub/up"),
            ("sub", "again"),
            ("loop", "loop"),
        ] {
            symlink(target, root.join(link)).expect("a link");
        }
        assert_eq!(listed(root), ["/again/file", "/sub/file"]);
    }

    #[test]
    fn a_maze_of_links_has_an_end() {
        let directory = tempfile::tempdir().expect("a folder");
        let root = directory.path();
        for depth in 0..40 {
            std::fs::create_dir(root.join(depth.to_string())).expect("a folder");
            for link in ["a", "b", "c"] {
                symlink(format!("../{}", depth + 1), root.join(format!("{depth}/{link}"))).expect("a link");
            }
        }
        std::fs::create_dir(root.join("40")).expect("a folder");
        std::fs::write(root.join("40/file"), "").expect("a file");
        let found = listed(&root.join("0"));
        assert_eq!(found.len(), MOST_WAYS);
    }

    #[test]
    fn what_is_no_plain_file_is_read_only_if_it_is_asked_for() {
        let directory = tempfile::tempdir().expect("a folder");
        let pipe = directory.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a pipe");
        assert!(listed(directory.path()).is_empty());
        assert_eq!(listed(&pipe), [""]);
    }

    #[test]
    fn a_pattern_of_any_depth_does_not_follow_links_in_circles() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let root = folder.path();
        std::fs::create_dir_all(root.join("d/e")).expect("folders");
        for name in ["d/q.csv", "d/e/r.csv", "d/e/r.txt", "top.csv"] {
            std::fs::write(root.join(name), "").expect("a file");
        }
        for name in ["d/self", "d/again", "d/e/again"] {
            symlink(".", root.join(name)).expect("a link");
        }
        symlink("..", root.join("d/e/up")).expect("a link");
        let found = |pattern: &str| listed(&root.join(pattern));
        assert_eq!(found("d/**/*.csv").len(), 2);
        assert_eq!(found("**/*.csv").len(), 3);
        assert_eq!(found("d/**/r.*").len(), 2);
        // The folder that tests of a crate run in.
        for pattern in [
            "src/**/listing.rs",
            "./src/**/listing.rs",
            "**/listing.rs",
            "./**/listing.rs",
        ] {
            assert_eq!(listed(Path::new(pattern)).len(), 1, "{pattern}");
        }
    }
}
