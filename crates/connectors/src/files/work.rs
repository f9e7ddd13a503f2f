//! Who reads what, where the files of a source are read by several threads and processes.
//!
//! Process 0 looks which files there are, and all processes read just these. A file that is no bigger than a piece, or
//! cannot be split, is read by one thread of the process whose turn it is; of a big one every process reads its pieces
//! (`split`). Both depend on the files alone. Within a process the threads take turns as they come: who has read one
//! thing takes the next.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::json;
use towpath_types::{Json, Value};

use super::block::Block;
use super::csv::CsvFormat;
use super::listing::Found;
use super::named::Named;
use super::numbers::LineNumbers;
use super::open::open_plain;
use super::reader::FileReader;
use super::split::{Ends, Share, Splitter};

/// A file that is there for all processes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) file: Named,
    /// How big it is; `None` if it is no plain file, and may be read only once.
    pub(crate) size: Option<u64>,
}

impl Entry {
    pub(crate) fn new(found: &Found, file: Named) -> Self {
        let metadata = &found.metadata;
        Self {
            file,
            size: metadata.is_file().then_some(metadata.len()),
        }
    }

    /// The entry as text, for the other processes.
    pub(crate) fn to_text(&self) -> String {
        let metadata = match &self.file.metadata {
            Some(Value::Json(metadata)) => Some(metadata.to_string()),
            _ => None,
        };
        json!({
            "path": path_bytes(&self.file.path),
            "shown": self.file.shown,
            "size": self.size,
            "metadata": metadata,
        })
        .to_string()
    }

    /// The entry of a text; `None` if it is no entry.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let entry: serde_json::Value = serde_json::from_str(text).ok()?;
        let shown = entry["shown"].as_str()?.to_owned();
        let metadata = match entry["metadata"].as_str() {
            Some(metadata) => Some(Json::parse(metadata).ok()?),
            None => None,
        };
        let path = match entry["path"].as_array() {
            Some(bytes) => path_of(
                bytes
                    .iter()
                    .map(|byte| byte.as_u64().map(|byte| byte as u8))
                    .collect::<Option<_>>()?,
            ),
            None => PathBuf::from(&shown),
        };
        Some(Self {
            file: Named {
                path,
                shown,
                metadata: metadata.map(Value::from),
            },
            size: entry["size"].as_u64(),
        })
    }
}

/// The bytes of a path that cannot be shown as it is.
#[cfg(unix)]
pub(crate) fn path_bytes(path: &Path) -> Option<&[u8]> {
    use std::os::unix::ffi::OsStrExt as _;
    path.to_str().is_none().then(|| path.as_os_str().as_bytes())
}

#[cfg(unix)]
pub(crate) fn path_of(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(not(unix))]
pub(crate) fn path_bytes(_path: &Path) -> Option<&[u8]> {
    None
}

#[cfg(not(unix))]
pub(crate) fn path_of(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// How the files of a source are split.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// `None` if they are not.
    pub(crate) ends: Option<Ends>,
    pub(crate) piece_bytes: u64,
}

impl Cut {
    /// How many pieces a file has.
    pub(crate) fn pieces(self, entry: &Entry) -> u64 {
        match (self.ends, entry.size) {
            (Some(_), Some(size)) => size.div_ceil(self.piece_bytes).max(1),
            _ => 1,
        }
    }
}

/// Something to read.
pub(crate) enum Job {
    /// All of a file.
    File(Named),
    Piece(Arc<LargeFile>, Block),
}

/// A file that is read in pieces.
pub(crate) struct LargeFile {
    pub(crate) file: Named,
    pub(crate) lines: LineNumbers,
    /// What has read the header, if the format has one.
    pub(crate) header: Option<CsvFormat>,
}

/// What the threads of one process read.
pub(crate) struct Work {
    entries: Vec<Entry>,
    cut: Cut,
    process: u64,
    processes: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The next file.
    next: usize,
    /// The file that is being split.
    open: Option<(Arc<LargeFile>, Splitter)>,
}

impl Work {
    pub(crate) fn new(entries: Vec<Entry>, cut: Cut, (process, processes): (usize, usize)) -> Self {
        Self {
            entries,
            cut,
            process: process as u64,
            processes: processes as u64,
            state: Mutex::default(),
        }
    }

    /// How many bytes the files have, for all processes.
    pub(crate) fn bytes(&self) -> u64 {
        self.entries.iter().filter_map(|entry| entry.size).sum()
    }

    /// The next thing to read, or the file that cannot be read, which ends the work of all threads.
    pub(crate) fn next(&self, reader: &FileReader) -> Result<Option<Job>, (Named, io::Error)> {
        let mut state = self.state.lock();
        let state = &mut *state;
        loop {
            if let Some((file, splitter)) = &mut state.open {
                match splitter.next_piece() {
                    Ok(Some(block)) => return Ok(Some(Job::Piece(Arc::clone(file), block))),
                    Ok(None) => state.open = None,
                    Err(error) => {
                        let error = splitter.with_line(error, &file.lines);
                        let file = file.file.clone();
                        self.end_state(state);
                        return Err((file, error));
                    }
                }
            }
            let Some(entry) = self.entries.get(state.next) else {
                return Ok(None);
            };
            let number = state.next as u64;
            state.next += 1;
            let share = Share {
                process: self.process,
                processes: self.processes,
                // A file that is no plain file is one for process 0: the standard input, for example.
                first: if entry.size.is_some() {
                    number % self.processes
                } else {
                    0
                },
            };
            let pieces = self.cut.pieces(entry);
            if share.next(0) >= pieces {
                continue;
            }
            if pieces == 1 {
                return Ok(Some(Job::File(entry.file.clone())));
            }
            match self.open(entry, share, reader) {
                Ok(open) => state.open = Some(open),
                Err(error) => {
                    self.end_state(state);
                    return Err((entry.file.clone(), error));
                }
            }
        }
    }

    fn open(&self, entry: &Entry, share: Share, reader: &FileReader) -> io::Result<(Arc<LargeFile>, Splitter)> {
        let (Some(ends), Some(size)) = (self.cut.ends, entry.size) else {
            panic!("{} has pieces and cannot be split", entry.file.shown);
        };
        let file = &entry.file;
        let mut splitter = Splitter::new(open_plain(&file.path)?, size, self.cut.piece_bytes, ends, share)?;
        // Who has the first piece reports what is wrong with the header.
        let header = reader.read_header(file, !share.has(0), &mut splitter)?;
        let file = LargeFile {
            file: file.clone(),
            lines: LineNumbers::new(file.path.clone()),
            header,
        };
        Ok((Arc::new(file), splitter))
    }

    /// Leaves no more to read.
    pub(crate) fn end(&self) {
        self.end_state(&mut self.state.lock());
    }

    fn end_state(&self, state: &mut State) {
        state.next = self.entries.len();
        state.open = None;
    }
}
