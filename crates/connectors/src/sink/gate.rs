//! Holds back what is to be written until all that it comes of is on disk.
//!
//! What a file shows must not get lost with the process: the rows that it comes of are in the journal first. So the text of
//! a time waits here until that is so. Now and then it is noted how long the file is; the next run cuts it back to that
//! length and writes what comes after it again. Nobody waits for the note.
//!
//! The text of one time may be much. Then it is written before its time, as in a run that is not kept, and not noted before
//! that has come: who reads the file may see rows that the next run cuts off and writes again.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use towpath_engine::KeptOutput;
use towpath_types::Time;

use super::mark::{Mark, Tail};

/// So much text waits; more is written before its time, in pieces of [`PIECE_BYTES`].
const MOST_BYTES: usize = 4 << 20;

const PIECE_BYTES: usize = 1 << 18;

/// How often is noted how far a file is.
const PERIOD: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(super) struct Gate {
    kept: KeptOutput,
    tail: Tail,
    /// Whether there is a header, or will be.
    has_text: bool,
    /// The text of the times that are complete.
    waiting: VecDeque<(Time, Vec<u8>)>,
    bytes: usize,
    /// The time of which something was written too early.
    spilled: Option<Time>,
    /// The last time of which everything is written, and what is noted.
    written: Option<Time>,
    noted: Option<Time>,
    last_note: Instant,
    is_folder_durable: bool,
}

impl Gate {
    /// For an output that goes on where the runs before have left it.
    pub(super) fn new(kept: KeptOutput, mark: Option<&Mark>, path: &Path) -> io::Result<Self> {
        let length = mark.map_or(0, |mark| mark.length);
        let written = kept.delivered().map(|(time, _)| time);
        Ok(Self {
            kept,
            tail: mark.map_or_else(|| Ok(Tail::default()), |mark| Tail::of_file(path, mark.length))?,
            has_text: length > 0,
            waiting: VecDeque::new(),
            bytes: 0,
            spilled: None,
            written,
            noted: written,
            last_note: Instant::now(),
            is_folder_durable: false,
        })
    }

    pub(super) fn has_text(&self) -> bool {
        self.has_text
    }

    /// Whether so much text of the open time, with all that waits, is too much to wait.
    pub(super) fn overflows(&self, bytes: usize) -> bool {
        let most = if self.is_whole() { MOST_BYTES } else { PIECE_BYTES };
        bytes + self.bytes >= most
    }

    /// All text that waits; it and what there is of `time` is written before its time.
    pub(super) fn spill(&mut self, time: Time) -> Vec<Vec<u8>> {
        self.spilled = Some(time);
        self.bytes = 0;
        self.waiting.iter_mut().map(|(_, text)| std::mem::take(text)).collect()
    }

    /// A time is complete, with this text.
    pub(super) fn close(&mut self, time: Time, text: Vec<u8>) {
        self.bytes += text.len();
        self.waiting.push_back((time, text));
    }

    /// How much waits.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The text of the next time, if it is before this one.
    pub(super) fn open(&mut self, durable: Time) -> Option<Vec<u8>> {
        let (time, text) = self.waiting.pop_front_if(|(time, _)| *time < durable)?;
        self.bytes -= text.len();
        self.written = Some(time);
        if self.spilled.is_some_and(|spilled| spilled <= time) {
            self.spilled = None;
        }
        Some(text)
    }

    /// Whether nothing is written of which the time has not come.
    pub(super) fn is_whole(&self) -> bool {
        self.spilled.is_none()
    }

    /// This is written.
    pub(super) fn wrote(&mut self, bytes: &[u8]) {
        self.tail.add(bytes);
    }

    /// Whether it is time to note how far the file is.
    pub(super) fn is_to_note(&self, at_once: bool) -> bool {
        self.is_whole() && self.written != self.noted && (at_once || self.last_note.elapsed() >= PERIOD)
    }

    /// Notes it, with the length of the file if it is one.
    pub(super) fn note(&mut self, durable: Option<(u64, File)>, path: &Path) {
        let Some(time) = self.written else {
            return;
        };
        self.noted = self.written;
        self.last_note = Instant::now();
        match durable {
            // What was written to a pipe or a terminal is gone.
            None => self.kept.deliver(time, Vec::new()),
            Some((length, file)) => {
                let token = self.tail.mark(length).encode();
                let is_new = !std::mem::replace(&mut self.is_folder_durable, true);
                let folder = path.parent().filter(|_| is_new && cfg!(unix)).map(Path::to_owned);
                self.kept.deliver_durably(time, token, move || {
                    file.sync_data()?;
                    // Its name is to be there, too.
                    match folder {
                        Some(folder) if folder.as_os_str().is_empty() => File::open(".")?.sync_all(),
                        Some(folder) => File::open(folder)?.sync_all(),
                        None => Ok(()),
                    }
                });
            }
        }
    }
}
