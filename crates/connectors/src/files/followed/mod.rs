//! What is known of one followed file, and how it is read on (`read_on`).
//!
//! A file that has only grown is read on from its position. One that is another, has become shorter, was changed in
//! place or does not begin any more with what was read is read again from its beginning: its old rows are compared
//! with the new ones, and what differs goes out in one batch, so that nobody sees half of a change. Where nothing may
//! be taken back, that is reported, and the file is read as if it were new.
//!
//! A last record without an end may be half of one that is being written. It waits until the file has not changed
//! for a second, and is read again when the file goes on; what is wrong with it is reported only after a minute, or
//! when the run stops. Where nothing may be taken back it waits for its end or the end of the run, but for JSON, of
//! which no half is an object.

mod read_on;

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::time::{Duration, Instant};

use towpath_types::{Batch, Value};

use super::declared::FileFormat;
use super::failures::Reported;
use super::kept::Kept;
use super::named::Named;
use super::open::Input;
use super::position::{FilePosition, Seen};
use super::reader::FileReader;
use super::stamp::Stamp;

/// One look at the files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) now: Instant,
    /// Whether everything there is is taken.
    pub(crate) is_last: bool,
}

/// A file that has not changed for so long is complete.
const STANDSTILL: Duration = Duration::from_secs(1);

/// Nobody writes the rest of a record after such a pause, or the record was wrong before it.
const LONG_STANDSTILL: Duration = Duration::from_secs(60);

/// What is done about a last record without an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Patience {
    /// It waits.
    Wait,
    /// It is taken if it can be read.
    Take,
    /// It is taken, or reported.
    Report,
}

/// What is known of a file.
#[derive(Debug)]
pub(crate) struct Followed {
    /// Up to where it has been read.
    pub(crate) position: FilePosition,
    /// What it looked like then; `None` if it has not been read yet.
    stamp: Option<Stamp>,
    /// Since when it has looked like that.
    since: Instant,
    /// Whether every change since then shows.
    is_settled: bool,
    /// It has changed into this, which is not read yet because it may be written just now; and since when that is so, of
    /// this and of any change.
    pending: Option<(Stamp, Instant, Instant)>,
    /// What was done about a last record without an end, if there is one.
    rest: Option<Patience>,
    /// Whether it was said that this record waits.
    is_told: bool,
    /// Why it could not be read the last time.
    failure: Option<String>,
    /// Whether it is not read any further, unless it becomes another.
    is_stuck: bool,
    /// The rows that may have to be taken back.
    pub(crate) kept: Kept,
    /// What they say of the file.
    pub(crate) metadata: Option<Value>,
    reported: Reported,
    /// The open file, where it has to be read to its end also if it has no name any more.
    pub(crate) handle: Option<File>,
}

impl Followed {
    /// A file to be read from `position` on.
    pub(crate) fn at(position: FilePosition, now: Instant) -> Self {
        Self {
            position,
            stamp: None,
            since: now,
            is_settled: false,
            pending: None,
            rest: None,
            is_told: false,
            failure: None,
            is_stuck: false,
            kept: Kept::default(),
            metadata: None,
            reported: Reported::default(),
            handle: None,
        }
    }

    /// Whether any records were read of it.
    pub(crate) fn has_rows(&self) -> bool {
        self.position.records > 0 || self.position.taken.is_some()
    }

    /// How long it has not changed.
    pub(crate) fn stands_since(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    /// All its rows, taken back.
    pub(crate) fn taken_back(&self, reader: &FileReader) -> impl Iterator<Item = Batch> {
        let stamping = reader.stamping(&self.position.origin, self.metadata.clone());
        self.kept.negated(&stamping).collect::<Vec<_>>().into_iter()
    }
}

/// What has become of a file.
pub(crate) enum Finding {
    /// It goes on behind this.
    Grown(Seen),
    /// It is not what was read any more.
    Changed,
}

impl FileReader {
    pub(crate) fn is_append_only(&self) -> bool {
        self.source.is_append_only
    }

    /// Whether there may be something new about a file that looks like this.
    pub(crate) fn is_to_be_read(&self, known: &mut Followed, shown: &str, stamp: &Stamp, look: Look) -> bool {
        if known.stamp != Some(*stamp) {
            return true;
        }
        let patience = self.patience(known, stamp, look);
        if self.is_append_only() && known.rest.is_some() && !known.is_told && patience == Patience::Wait {
            known.is_told = known.stands_since(look.now) >= STANDSTILL;
            if known.is_told {
                tracing::info!(
                    target: "pathway",
                    "{}: the last line of {} has no end yet; since the schema is append-only, it becomes a row when its \
                     end is written or the run stops",
                    self.source.name,
                    shown
                );
            }
        }
        !known.is_settled || known.failure.is_some() || known.rest.is_some_and(|done| done < patience)
    }

    fn patience(&self, known: &Followed, stamp: &Stamp, look: Look) -> Patience {
        if look.is_last {
            return Patience::Report;
        }
        if self.is_append_only() && !matches!(self.source.format, FileFormat::JsonLines(_)) {
            return Patience::Wait;
        }
        let stands = match &known.pending {
            _ if known.stamp == Some(*stamp) => known.stands_since(look.now),
            Some((pending, since, _)) if pending == stamp => look.now.saturating_duration_since(*since),
            _ => Duration::ZERO,
        };
        let modified = stamp
            .modified
            .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        let today = Duration::from_millis(self.clock.unix_milliseconds());
        let age = modified
            .and_then(|modified| today.checked_sub(modified))
            .unwrap_or_default();
        match stands.max(age) {
            time if time >= LONG_STANDSTILL => Patience::Report,
            time if time >= STANDSTILL => Patience::Take,
            _ => Patience::Wait,
        }
    }

    /// What has become of a file that looks like this now.
    pub(crate) fn find(&self, known: &Followed, stamp: &Stamp, input: &mut Input) -> io::Result<Finding> {
        let goes_on = if self.is_append_only() {
            true
        } else if let Some(before) = &known.stamp {
            // Where the metadata is asked for, all rows change with the file. One that has changed and not grown was
            // changed in place.
            let is_same = before == stamp || (stamp.file == known.position.file && stamp.bytes > before.bytes);
            is_same && !(self.has_metadata() && before != stamp) && self.source.format.has_records()
        } else {
            true
        };
        if !goes_on || stamp.bytes < known.position.bytes {
            return Ok(Finding::Changed);
        }
        Ok(match Seen::again(&known.position, input)? {
            Some(seen) => Finding::Grown(seen),
            None => Finding::Changed,
        })
    }

    /// Whether a file that was changed is written just now: its last line has no end. Then it waits a second at most, so
    /// that the change becomes visible at once.
    pub(crate) fn is_being_written(&self, known: &mut Followed, stamp: &Stamp, input: &mut Input, look: Look) -> bool {
        let mut last = [0];
        let mut last_byte = || input.seek(SeekFrom::End(-1)).and_then(|_| input.read_exact(&mut last));
        let is_written = self.patience(known, stamp, look) == Patience::Wait
            && !known.kept.is_empty()
            && self.source.format.has_records()
            && last_byte().is_ok()
            && !matches!(last, [b'\n' | b'\r']);
        if !is_written {
            return false;
        }
        let first = known.pending.map_or(look.now, |(.., first)| first);
        let since = match known.pending {
            Some((pending, since, _)) if pending == *stamp => since,
            _ => look.now,
        };
        known.pending = Some((*stamp, since, first));
        look.now.saturating_duration_since(first) < STANDSTILL
    }

    /// Remembers that a file cannot be read, and says it unless it was said before.
    pub(crate) fn fail(&self, known: &mut Followed, file: &Named, error: &io::Error) {
        let failure = error.to_string();
        if known.failure.as_ref() != Some(&failure) {
            self.report(format!(
                "{}: cannot read {}: {failure}; what was read of it stays",
                self.source.name, file.shown
            ));
        }
        known.failure = Some(failure);
    }
}

impl Followed {
    /// It was read, and looked like this.
    fn saw(&mut self, stamp: Stamp, is_settled: bool, now: Instant) {
        if self.stamp != Some(stamp) {
            self.since = now;
            self.is_told = false;
        }
        self.stamp = Some(stamp);
        self.is_settled = is_settled;
        self.pending = None;
    }
}
