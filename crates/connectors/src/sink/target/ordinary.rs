//! A file that is ours.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rustix::fs::OFlags;

use super::node::{Node, node};
use crate::sink::mark::Mark;

/// The ordinary files that outputs of this process write to.
static WRITTEN: Mutex<BTreeSet<Node>> = Mutex::new(BTreeSet::new());

#[derive(Debug)]
pub(in crate::sink) struct Ordinary {
    file: File,
    path: PathBuf,
    node: Node,
    /// How long it is, as far as we know.
    bytes: u64,
    /// How long it was when the last time was complete.
    complete: u64,
    /// Whether nothing was written since.
    is_complete: bool,
    /// Whether its path tells which file it is; there are file systems where it does not.
    can_be_checked: bool,
}

impl Drop for Ordinary {
    fn drop(&mut self) {
        WRITTEN.lock().remove(&self.node);
    }
}

impl Ordinary {
    pub(super) fn open(path: &Path, kept: Option<&Mark>) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        if let Some(mark) = kept {
            mark.check(&path)?;
        }
        let length = kept.map_or(0, |mark| mark.length);
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            // It may have become a pipe by now.
            .custom_flags(OFlags::NONBLOCK.bits() as i32)
            .open(&path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it changes what it is"));
        }
        let node = node(&metadata);
        if !WRITTEN.lock().insert(node) {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "another output of this process writes to this file: give each a file of its own, or wait until a run \
                 that was left behind has ended",
            ));
        }
        let ordinary = Self {
            can_be_checked: std::fs::metadata(&path).is_ok_and(|metadata| self::node(&metadata) == node),
            file,
            path,
            node,
            bytes: length,
            complete: length,
            is_complete: true,
        };
        ordinary.file.set_len(length)?;
        Ok(ordinary)
    }

    pub(super) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        // A part of them may be written even if it fails.
        self.is_complete = false;
        self.file.write_all(lines)?;
        self.bytes += lines.len() as u64;
        Ok(())
    }

    pub(super) fn durable(&self) -> io::Result<(u64, File)> {
        Ok((self.complete, self.file.try_clone()?))
    }

    pub(super) fn complete(&mut self) -> io::Result<()> {
        if self.is_complete {
            return Ok(());
        }
        if self.can_be_checked {
            let metadata = match std::fs::metadata(&self.path) {
                Ok(metadata) => metadata,
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    let was_deleted = self.file.metadata().is_ok_and(|metadata| metadata.nlink() == 0);
                    return Err(moved(if was_deleted {
                        "was deleted"
                    } else {
                        "or its folder was renamed"
                    }));
                }
                // Its folder may not be looked at any more; that does not keep us from writing.
                Err(_) => return Ok(()),
            };
            if node(&metadata) != self.node {
                return Err(moved("was replaced by another file"));
            }
            // Somebody else may have emptied it, or written to it.
            self.bytes = metadata.len();
        }
        self.complete = self.bytes;
        self.is_complete = true;
        Ok(())
    }

    pub(super) fn cut_back(&mut self) -> io::Result<()> {
        if self.is_complete {
            return Ok(());
        }
        if self.file.metadata()?.len() < self.complete {
            // Somebody has emptied it, and what was not committed is gone with the rest.
            return Ok(());
        }
        self.file.set_len(self.complete)
    }
}

/// The error for an ordinary file that is not where it was.
fn moved(what: &str) -> io::Error {
    io::Error::other(format!(
        "it {what} while the run writes to it, so rows would be lost. Let files that are written be where they are; to \
         begin a new one, copy and empty it, or run again"
    ))
}
