//! What is written to where nothing tells files from streams.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::path::Path;

use towpath_engine::Reporter;

use crate::sink::mark::Mark;

/// A file that is written from its start.
#[derive(Debug)]
pub(in crate::sink) struct Target {
    file: File,
    bytes: u64,
    complete: u64,
}

pub(super) fn is_stream(_path: &Path) -> bool {
    false
}

impl Target {
    pub(in crate::sink) fn open(path: &Path, kept: Option<&Mark>) -> io::Result<Self> {
        let length = kept.map_or(0, |mark| mark.length);
        let mut file = match kept {
            Some(mark) => {
                mark.check(path)?;
                File::options().write(true).open(path)?
            }
            None => File::create(path)?,
        };
        file.set_len(length)?;
        file.seek(io::SeekFrom::End(0))?;
        Ok(Self {
            file,
            bytes: length,
            complete: length,
        })
    }

    pub(in crate::sink) fn durable(&self) -> io::Result<Option<(u64, File)>> {
        Ok(Some((self.complete, self.file.try_clone()?)))
    }

    pub(in crate::sink) fn write(&mut self, lines: &[u8], _reporter: &Reporter) -> io::Result<()> {
        self.file.write_all(lines)?;
        self.bytes += lines.len() as u64;
        Ok(())
    }

    pub(in crate::sink) fn complete(&mut self) -> io::Result<()> {
        self.complete = self.bytes;
        Ok(())
    }

    pub(in crate::sink) fn cut_back(&mut self) -> io::Result<()> {
        self.file.set_len(self.complete)
    }
}
