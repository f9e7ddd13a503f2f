//! What is at a path, where there are files and streams.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use towpath_engine::Reporter;

use super::ordinary::Ordinary;
use super::stream::{Stream, descriptor};
use crate::sink::mark::Mark;

#[derive(Debug)]
pub(in crate::sink) enum Target {
    File(Ordinary),
    Stream(Stream),
}

pub(super) fn is_stream(path: &Path) -> bool {
    descriptor(path).is_some() || std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file())
}

impl Target {
    /// Creates or empties a file, or opens what else is there. A file that an earlier run has written is cut back to
    /// what it `kept`.
    pub(in crate::sink) fn open(path: &Path, kept: Option<&Mark>) -> io::Result<Self> {
        if let Some(number) = descriptor(path) {
            return Stream::of_descriptor(number, path).map(Target::Stream);
        }
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.file_type().is_socket() => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is a socket, which is no file to be written to",
            )),
            Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => {
                Stream::of_path(path, &metadata).map(Target::Stream)
            }
            Ok(_) => Ordinary::open(path, kept).map(Target::File),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ordinary::open(path, kept).map(Target::File),
            Err(error) => Err(error),
        }
    }

    /// Writes whole lines.
    pub(in crate::sink) fn write(&mut self, lines: &[u8], reporter: &Reporter) -> io::Result<()> {
        match self {
            Target::File(ordinary) => ordinary.write(lines),
            Target::Stream(stream) => stream.write(lines, reporter),
        }
    }

    /// A time is complete, all of which has been written.
    pub(in crate::sink) fn complete(&mut self) -> io::Result<()> {
        match self {
            Target::File(ordinary) => ordinary.complete(),
            Target::Stream(_) => Ok(()),
        }
    }

    /// A file that is cut back to this length by the next run, once it has been made durable; nothing for a stream.
    pub(in crate::sink) fn durable(&self) -> io::Result<Option<(u64, File)>> {
        match self {
            Target::File(ordinary) => ordinary.durable().map(Some),
            Target::Stream(_) => Ok(None),
        }
    }

    /// Takes back what was written of a time that was not completed.
    pub(in crate::sink) fn cut_back(&mut self) -> io::Result<()> {
        match self {
            Target::File(ordinary) => ordinary.cut_back(),
            Target::Stream(_) => Ok(()),
        }
    }
}
