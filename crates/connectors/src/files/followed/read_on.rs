//! Reads a file on, or again from its beginning.

use std::io::{self, Read as _, Seek as _, SeekFrom};

use towpath_engine::source::Stopped;
use towpath_types::{Batch, Value};

use super::{Finding, Followed, Look, Patience};
use crate::files::block::{Blocks, Sizes};
use crate::files::csv::CsvFormat;
use crate::files::declared::FileFormat;
use crate::files::failures::Reported;
use crate::files::kept::{Difference, Kept};
use crate::files::named::Named;
use crate::files::open::Input;
use crate::files::position::{FilePosition, Seen};
use crate::files::reader::FileReader;
use crate::files::records::{RecordFormat, parse_block};
use crate::files::rows::RowBuilder;
use crate::files::sending::{Halt, push};
use crate::files::stamp::Stamp;

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

    /// Notes how far the file was read and which rows it has, up to a last record without an end of which `rest` says what
    /// was done; what there was before if it has changed and could not be read.
    fn keep(
        &mut self,
        known: &mut Followed,
        file: &Named,
        (position, metadata): (FilePosition, Option<Value>),
        rest: Option<Patience>,
        has_failed: bool,
    ) -> Result<(), Stopped> {
        if has_failed && self.is_change {
            // Nothing was sent of what has changed.
            known.kept = self.difference.take_old();
            known.position = position;
            known.metadata = metadata;
            return Ok(());
        }
        known.position.taken = self.takes.or(self.taken.map(|(_, hash)| hash));
        if rest.is_none()
            && !has_failed
            && let Some((name, _)) = self.taken
        {
            known.position.taken = None;
            known.position.records = known.position.records.max(name + 1);
            self.is_broken = true;
        }
        if has_failed {
            self.kept.append(self.difference.take_old());
        } else if rest == Some(Patience::Wait)
            && !self.reader.has_metadata()
            && let Some(open) = self.difference.leave(known.position.records)
        {
            // The last record has not come to its end yet; until then it is what it was.
            self.kept.push(&open);
        }
        let changes = self.difference.take_last_changes();
        self.send(changes)?;
        known.kept = std::mem::take(&mut self.kept);
        known.metadata.clone_from(&file.metadata);
        Ok(())
    }
}

impl FileReader {
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
        let (rest, failure) = match result {
            Ok(rest) => (rest, None),
            Err(Halt::Unreadable(error)) => (None, Some(error)),
            Err(Halt::Stopped) => return Err(Stopped),
        };
        known.position.file = stamp.file;
        taking.keep(known, file, (before, metadata), rest, failure.is_some())?;
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
}
