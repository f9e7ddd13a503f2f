//! What is known of one followed file, and how it is read on.
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

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::time::{Duration, Instant};

use towpath_engine::source::Stopped;
use towpath_types::{Batch, Value};

use super::block::{Blocks, Sizes};
use super::csv::CsvFormat;
use super::declared::FileFormat;
use super::failures::Reported;
use super::kept::{Difference, Kept};
use super::listing::Stamp;
use super::named::Named;
use super::open::Input;
use super::position::{FilePosition, Seen};
use super::reader::FileReader;
use super::records::{RecordFormat, parse_block};
use super::rows::RowBuilder;
use super::sending::{Halt, push};

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

/// Takes the rows of a file that is read.
struct Taking<'a> {
    reader: &'a FileReader,
    difference: Difference<'a>,
    /// Whether all that differs becomes visible at once.
    is_change: bool,
    kept: Kept,
    /// The name and the hash of a row that was taken before it had an end, while it has not come again.
    taken: Option<(u64, u64)>,
    /// The hash of such a row that is taken now.
    takes: Option<u64>,
    /// Whether a row would have to be taken back where none may be.
    is_broken: bool,
    has_sent: bool,
}

impl Taking<'_> {
    fn take(&mut self, rows: &mut RowBuilder<'_>, has_end: bool) -> Result<(), Stopped> {
        if self.reader.signal.is_overdue() {
            return Err(Stopped);
        }
        for mut records in rows.take_records() {
            if self.reader.is_append_only() {
                if !has_end {
                    self.takes = Some(records.hash(0));
                }
                if let Some((name, taken)) = self.taken.take() {
                    let is_again = records.names[0] == name;
                    self.is_broken |= !is_again || records.hash(0) != taken;
                    records = records.after(usize::from(is_again));
                }
            } else {
                self.kept.push(&records);
            }
            if self.is_change || self.difference.has_old() {
                self.difference.compare(&records, rows.stamping());
                if !self.is_change && !self.difference.has_old() {
                    let changes = self.difference.take_changes();
                    self.send(changes)?;
                }
            } else if !records.names.is_empty() {
                self.has_sent = true;
                push(&self.reader.queue, &rows.stamping().batch(&records))?;
            }
        }
        Ok(())
    }

    /// Sends changes in one piece.
    fn send(&mut self, changes: Batch) -> Result<(), Stopped> {
        if changes.is_empty() {
            return Ok(());
        }
        self.has_sent = true;
        self.reader.queue.push(changes)?;
        self.reader.queue.wait_for_space()
    }
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

    /// Reads a file on, or again from its beginning, and says whether any rows were sent.
    pub(crate) fn read_on(
        &self,
        known: &mut Followed,
        file: &Named,
        (stamp, mut input): (Stamp, Input),
        finding: Finding,
        look: Look,
    ) -> Result<bool, Stopped> {
        let is_settled = stamp.is_settled(self.clock.unix_milliseconds());
        let patience = self.patience(known, &stamp, look);
        // Once is enough.
        let is_silent =
            patience < Patience::Report || known.stamp == Some(stamp) && known.rest == Some(Patience::Report);
        let before = known.position.clone();
        let mut is_change = false;
        let seen = match finding {
            Finding::Grown(seen) => seen,
            Finding::Changed => {
                known.position = FilePosition::start(stamp.file, before.origin.clone());
                known.reported.begin();
                known.is_stuck = false;
                is_change = !known.kept.is_empty();
                Seen::default()
            }
        };
        if known.is_stuck {
            known.saw(stamp, is_settled, look.now);
            return Ok(false);
        }
        let mut kept = std::mem::take(&mut known.kept);
        let old = kept.split_off(known.position.records);
        let metadata = known.metadata.take();
        let mut taking = Taking {
            reader: self,
            difference: Difference::new(
                old,
                self.stamping(&before.origin, metadata.clone()),
                self.has_metadata() && metadata != file.metadata,
            ),
            is_change,
            kept,
            taken: known.position.taken.map(|hash| (known.position.records, hash)),
            takes: None,
            is_broken: false,
            has_sent: false,
        };
        let handle = if self.is_append_only() {
            input.handle().ok()
        } else {
            None
        };
        let mut reported = std::mem::take(&mut known.reported);
        // What is no plain file can only be read as it comes.
        let start = SeekFrom::Start(known.position.bytes);
        let sought = if stamp.is_plain {
            input.seek(start).map(drop)
        } else {
            Ok(())
        };
        let result = sought.map_err(Halt::from).and_then(|()| {
            self.read_rows(
                known,
                file,
                &mut input,
                seen,
                (patience, is_silent),
                &mut reported,
                &mut taking,
            )
        });
        known.reported = reported;
        let position = &mut known.position;
        let (rest, failure) = match result {
            Ok(rest) => (rest, None),
            Err(Halt::Unreadable(error)) => (None, Some(error)),
            Err(Halt::Stopped) => return Err(Stopped),
        };
        position.taken = taking.takes.or(taking.taken.map(|(_, hash)| hash));
        if rest.is_none()
            && failure.is_none()
            && let Some((name, _)) = taking.taken
        {
            position.taken = None;
            position.records = position.records.max(name + 1);
            taking.is_broken = true;
        }
        if failure.is_some() && is_change {
            // Nothing was sent of what has changed.
            known.kept = taking.difference.take_old();
            known.position = before;
            known.metadata = metadata;
        } else {
            if failure.is_some() {
                taking.kept.append(taking.difference.take_old());
            } else if rest == Some(Patience::Wait)
                && !self.has_metadata()
                && let Some(open) = taking.difference.leave(known.position.records)
            {
                // The last record has not come to its end yet; until then it is what it was.
                taking.kept.push(&open);
            }
            let changes = taking.difference.take_last_changes();
            taking.send(changes)?;
            known.kept = taking.kept;
            known.metadata.clone_from(&file.metadata);
            known.position.file = stamp.file;
        }
        if taking.is_broken {
            self.report(format!(
                "{}: the last line of {} was taken as it was and has changed since; the schema is append-only, so the \
                 row stays as it was",
                self.source.name, file.shown
            ));
        }
        known.handle = handle;
        if let Some(error) = &failure {
            self.fail(known, file, error);
            // Another try would end in the same way, and take as long.
            known.is_stuck = error.kind() == io::ErrorKind::InvalidData;
        }
        if failure.is_none() || known.is_stuck {
            known.failure = None;
            known.rest = rest;
            // What is no plain file is read once.
            known.saw(stamp, is_settled || !stamp.is_plain, look.now);
        }
        Ok(taking.has_sent)
    }

    /// Makes rows of what follows in a file, and answers what was done about a last record without an end.
    #[expect(clippy::too_many_arguments, reason = "one call, split for its length")]
    fn read_rows(
        &self,
        known: &mut Followed,
        file: &Named,
        input: &mut Input,
        seen: Seen,
        (patience, is_silent): (Patience, bool),
        reported: &mut Reported,
        taking: &mut Taking<'_>,
    ) -> Result<Option<Patience>, Halt> {
        let position = &mut known.position;
        let Some(mut format) = self.format_at(position, file, input)? else {
            let mut rows = self.rows(file, &position.origin, Some(reported));
            self.read_record(input, &mut rows)?;
            taking.take(&mut rows, true)?;
            return Ok(None);
        };
        let mut rows = self.rows(file, &position.origin, Some(reported));
        rows.resume((position.records, position.line));
        let mut blocks = Blocks::after(input, self.source.sizes, seen);
        let result = self.read_blocks(&mut *format, &mut blocks, &mut rows, |rows| taking.take(rows, true));
        (position.bytes, position.head, position.tail) = blocks.seen().map_or((0, 0, 0), Seen::hashes);
        (position.records, position.line) = rows.position();
        let Some(rest) = result? else {
            return Ok(None);
        };
        if patience > Patience::Wait {
            rows.set_silent(is_silent);
            parse_block(&mut *format, &rest, &mut rows);
            taking.take(&mut rows, false)?;
        }
        Ok(Some(patience))
    }

    /// What cuts a file into records, when it has been read up to a position, where `input` stands; `None` if the file
    /// is one record.
    fn format_at(
        &self,
        position: &FilePosition,
        file: &Named,
        input: &mut Input,
    ) -> io::Result<Option<Box<dyn RecordFormat>>> {
        let FileFormat::Csv(settings) = &self.source.format else {
            return Ok(self.record_format());
        };
        let mut format = CsvFormat::new(settings.clone(), &self.fields, self.keeps_bad_rows);
        if position.bytes > 0 {
            let sizes = Sizes {
                block: 1 << 12,
                ..self.source.sizes
            };
            let mut rows = self.rows(file, &position.origin, None);
            rows.set_silent(true);
            input.rewind()?;
            let mut head = Blocks::new((&mut *input).take(position.bytes), sizes);
            while let Some(block) = head.next_block()? {
                rows.begin_block(&block);
                let (consumed, is_read) = format.parse_header(&block, &mut rows);
                rows.end_block(consumed);
                if is_read {
                    break;
                }
                head.consume(&block, consumed);
            }
            input.seek(SeekFrom::Start(position.bytes))?;
        }
        Ok(Some(Box::new(format)))
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
