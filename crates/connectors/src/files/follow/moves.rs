//! Files that are no longer where they were, where nothing may be taken back.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use towpath_engine::source::Stopped;

use super::Follower;
use crate::files::followed::{Finding, Followed, Look};
use crate::files::listing::{Found, Listing};
use crate::files::named::Named;
use crate::files::open::{Input, open_plain};
use crate::files::position::{FileIdentity, Seen};
use crate::files::stamp::Stamp;

/// A file that has left is closed when it has not changed for so long.
const FAREWELL: Duration = Duration::from_secs(60);

impl Follower<'_> {
    /// Finds files again that are no longer where they were, and reads the rest of those that have left.
    pub(super) fn follow_moves(&mut self, listing: &Listing, look: Look) -> Result<bool, Stopped> {
        let is_elsewhere = |path: &PathBuf, known: &mut Followed| match listing.get(path) {
            Some(found) => FileIdentity::of(&found.metadata) != known.position.file,
            None => listing.is_gone(path),
        };
        let elsewhere: Vec<(PathBuf, Followed)> = self.known.extract_if(.., is_elsewhere).collect();
        if elsewhere.is_empty() {
            return Ok(false);
        }
        let now: HashMap<FileIdentity, &Found> = listing
            .found
            .iter()
            .map(|found| (FileIdentity::of(&found.metadata), found))
            .collect();
        let mut has_changed = false;
        for (path, mut known) in elsewhere {
            let moved = now.get(&known.position.file);
            if let Some(found) = moved.filter(|found| !self.known.contains_key(&found.path)) {
                self.known.insert(found.path.clone(), known);
                continue;
            }
            let successor = listing.get(&path);
            let links = known
                .handle
                .as_ref()
                .and_then(|file| file.metadata().ok())
                .map(|found| links(&found));
            let name = &self.reader.source.name;
            match links {
                Some(1..) => {
                    tracing::info!(target: "pathway", "{name}: {} was renamed; the rest of it is still read", path.display());
                }
                _ if !known.has_rows() => continue,
                _ => {
                    if let Some(found) = successor
                        && continues(&known, found)
                    {
                        // It was copied and put in the place of the old one, as some programs do that bring files up to
                        // date.
                        self.known.insert(path, known);
                        continue;
                    }
                    let what = if successor.is_some() { "replaced" } else { "deleted" };
                    self.reader.report(format!(
                        "{name}: {} was {what}; its rows stay, since the schema is append-only",
                        path.display()
                    ));
                }
            }
            if known.handle.is_some() {
                let named = Named {
                    shown: path.to_string_lossy().into_owned(),
                    path,
                    metadata: None,
                };
                has_changed |= self.read_rest(&named, &mut known, look)?;
                self.left.push((named, known));
            }
        }
        Ok(has_changed)
    }

    /// Reads on files that have left, until nothing more comes of them.
    pub(super) fn see_off(&mut self, look: Look) -> Result<bool, Stopped> {
        let mut has_changed = false;
        for (named, mut known) in std::mem::take(&mut self.left) {
            let is_last = look.is_last || known.stands_since(look.now) >= FAREWELL;
            has_changed |= self.read_rest(&named, &mut known, Look { is_last, ..look })?;
            if !is_last {
                self.left.push((named, known));
            }
        }
        Ok(has_changed)
    }

    /// Reads on a file that is open and not where it was.
    fn read_rest(&self, named: &Named, known: &mut Followed, look: Look) -> Result<bool, Stopped> {
        let Some(file) = known.handle.as_ref().and_then(|file| file.try_clone().ok()) else {
            return Ok(false);
        };
        let Ok(metadata) = file.metadata() else {
            return Ok(false);
        };
        let stamp = Stamp::of(&metadata);
        if !self.reader.is_to_be_read(known, &named.shown, &stamp, look) {
            return Ok(false);
        }
        let mut input = Input::plain(file);
        match self.reader.find(known, &stamp, &mut input) {
            Ok(finding @ Finding::Grown(_)) => {
                let named = Named {
                    metadata: self.reader.metadata(named, &metadata),
                    ..named.clone()
                };
                self.reader.read_on(known, &named, (stamp, input), finding, look)
            }
            // Whoever truncates a file that has left does not want it to be read.
            Ok(Finding::Changed) => Ok(false),
            Err(error) => {
                self.reader.fail(known, named, &error);
                Ok(false)
            }
        }
    }
}

/// Whether a file begins with what was read of another.
fn continues(known: &Followed, found: &Found) -> bool {
    let position = &known.position;
    let is_longer = found.metadata.len() >= position.bytes;
    let seen = || open_plain(&found.path).and_then(|mut file| Seen::again(position, &mut file));
    is_longer && matches!(seen(), Ok(Some(_)))
}

/// How many names a file has.
#[cfg(unix)]
fn links(metadata: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

#[cfg(not(unix))]
fn links(_metadata: &std::fs::Metadata) -> u64 {
    0
}
