//! Where the records and the fields of csv end.
//!
//! One pass over a block visits only delimiters, quotes and ends of lines; a field between them is a slice of
//! the block. Only a field with something to resolve inside its quotes is copied. What counts as what follows
//! the `csv` crate (a quote opens a field only at its very start; what follows a closing quote belongs to the
//! field as it is; empty lines are skipped), but for a quote that is never closed: that is an error, and not a
//! field with the rest of the file in it.
//!
//! Who only looks for the ends of records, to read a file in pieces, visits only the quotes and, outside of them, the
//! ends of lines: see [`QuotedEnds`].

use super::settings::CsvSettings;
use crate::scan::{Occurrences, Positions};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grammar {
    delimiter: u8,
    /// `None` if quotes mean nothing.
    quote: Option<u8>,
    escape: Option<u8>,
    double_quote_escapes: bool,
}

/// A field of a record: where it stands in the block, without its quotes if these are all there is to resolve.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    /// It begins with its quote, and must be unquoted.
    pub(super) is_raw: bool,
}

/// What a search for the end of a record found.
pub(super) enum RecordEnd {
    /// The record, or an empty line, ends at the first position; the next may begin at the second.
    At(usize, usize),
    /// The block ends before the record does.
    Beyond,
    /// A quote is not closed when the file ends.
    Unclosed,
}

/// What a quote inside quotes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inner {
    /// The first of two that are one quote of the field.
    Doubled,
    Closing,
    /// The next byte tells, which has not been read.
    Unknown,
}

impl Grammar {
    pub(super) fn new(settings: &CsvSettings) -> Self {
        Self {
            delimiter: settings.delimiter,
            quote: settings.quoting.then_some(settings.quote),
            escape: settings.escape,
            double_quote_escapes: settings.double_quote_escapes,
        }
    }

    /// The positions that mean something.
    pub(super) fn positions<'a>(&self, bytes: &'a [u8]) -> Positions<'a> {
        Positions::new(bytes, [self.delimiter, self.quote.unwrap_or(b'\n'), b'\n', b'\r'])
    }

    /// What a quote inside quotes is that stands before `next`.
    #[inline]
    fn inner(&self, next: Option<u8>, is_last: bool) -> Inner {
        match next {
            _ if !self.double_quote_escapes => Inner::Closing,
            None if !is_last => Inner::Unknown,
            Some(_) if next == self.quote => Inner::Doubled,
            _ => Inner::Closing,
        }
    }

    /// Finds the fields of the record that begins at `start`, and puts them into `spans`.
    #[inline]
    pub(super) fn find_fields(
        &self,
        bytes: &[u8],
        start: usize,
        positions: &mut Positions<'_>,
        is_last: bool,
        spans: &mut Vec<Span>,
    ) -> RecordEnd {
        spans.clear();
        let Self { delimiter, quote, .. } = *self;
        let mut field = start;
        // The opening and the closing quote, and whether all is simple between them.
        let mut quotes: Option<(usize, usize, bool)> = None;
        loop {
            let position = match positions.next_position() {
                Some(position) => position,
                None if is_last => bytes.len(),
                None => return RecordEnd::Beyond,
            };
            let byte = bytes.get(position).copied();
            if let Some(quote) = quote
                && byte == Some(quote)
            {
                if position == field && quotes.is_none() {
                    match self.find_quote(bytes, (position, quote), positions, is_last) {
                        Ok((end, is_simple)) => quotes = Some((position, end, is_simple)),
                        Err(end) => return end,
                    }
                }
                continue;
            }
            let span = match quotes.take() {
                None => Span {
                    start: field,
                    end: position,
                    is_raw: false,
                },
                Some((open, close, true)) if close + 1 == position => Span {
                    start: open + 1,
                    end: close,
                    is_raw: false,
                },
                Some((open, ..)) => Span {
                    start: open,
                    end: position,
                    is_raw: true,
                },
            };
            spans.push(span);
            if byte == Some(delimiter) {
                field = position + 1;
            } else {
                return RecordEnd::At(position, (position + 1).min(bytes.len()));
            }
        }
    }

    /// The closing quote of the field that opens at `open`, and whether nothing before it needs to be resolved.
    fn find_quote(
        &self,
        bytes: &[u8],
        (open, quote): (usize, u8),
        positions: &mut Positions<'_>,
        is_last: bool,
    ) -> Result<(usize, bool), RecordEnd> {
        let escape = self.escape;
        let unfinished = || {
            if is_last {
                RecordEnd::Unclosed
            } else {
                RecordEnd::Beyond
            }
        };
        let mut is_simple = true;
        let mut from = open + 1;
        loop {
            let found = match escape {
                Some(escape) => memchr::memchr2(quote, escape, &bytes[from..]),
                None => memchr::memchr(quote, &bytes[from..]),
            };
            let position = from + found.ok_or_else(unfinished)?;
            let next = bytes.get(position + 1).copied();
            if escape == Some(bytes[position]) {
                if next.is_none() && !is_last {
                    return Err(RecordEnd::Beyond);
                }
                is_simple = false;
                from = (position + 2).min(bytes.len());
                continue;
            }
            match self.inner(next, is_last) {
                Inner::Doubled => {
                    is_simple = false;
                    from = position + 2;
                }
                Inner::Unknown => return Err(RecordEnd::Beyond),
                Inner::Closing => {
                    positions.skip_to(position + 1);
                    return Ok((position, is_simple));
                }
            }
        }
    }

    /// The text of a field from its opening quote on, without quotes and escapes.
    pub(super) fn unquote(&self, raw: &str) -> String {
        let bytes = raw.as_bytes();
        let mut text = Vec::with_capacity(bytes.len());
        let mut position = 1;
        while let Some(byte) = bytes.get(position) {
            let next = bytes.get(position + 1).copied();
            if self.escape == Some(*byte) && next.is_some() {
                text.extend(next);
                position += 2;
            } else if Some(*byte) != self.quote {
                text.push(*byte);
                position += 1;
            } else if self.inner(next, true) == Inner::Doubled {
                text.push(*byte);
                position += 2;
            } else {
                text.extend_from_slice(&bytes[position + 1..]);
                break;
            }
        }
        // Only whole ASCII characters were left out.
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// A search for the end of a record in bytes that begin with a record, where records end at ends of lines outside quotes.
/// It goes on when more has been read.
#[derive(Clone, Copy, Debug)]
pub(in crate::files) struct QuotedEnds {
    grammar: Grammar,
    quote: u8,
    /// What is before it has been looked at.
    position: usize,
    /// Whether it is inside quotes.
    is_open: bool,
}

impl QuotedEnds {
    /// A search from the beginning. With escapes or comments, quotes do not tell where records end, and without quotes
    /// every end of a line does: then there is none.
    pub(in crate::files) fn new(settings: &CsvSettings) -> Option<Self> {
        let is_told = settings.escape.is_none() && settings.comment_character.is_none();
        let grammar = Grammar::new(settings);
        Some(Self {
            quote: grammar.quote.filter(|_| is_told)?,
            grammar,
            position: 0,
            is_open: false,
        })
    }

    /// Where the first record ends whose last byte is at `from` or later.
    pub(in crate::files) fn find(&mut self, bytes: &[u8], from: usize, is_all: bool) -> Option<usize> {
        let mut quotes = Occurrences::new(bytes, self.quote, self.position);
        loop {
            let next = quotes.next_position();
            if next.is_some_and(|next| next < self.position) {
                // The second of two that are one quote of the field.
                continue;
            }
            if !self.is_open {
                let text = self.position.max(from)..next.unwrap_or(bytes.len());
                if !text.is_empty()
                    && let Some(found) = memchr::memchr2(b'\n', b'\r', &bytes[text.clone()])
                {
                    return Some(text.start + found + 1);
                }
            }
            let Some(next) = next else {
                self.position = bytes.len();
                return None;
            };
            self.position = next + 1;
            if !self.is_open {
                let before = next.checked_sub(1).map(|position| bytes[position]);
                self.is_open =
                    before.is_none_or(|byte| byte == self.grammar.delimiter || matches!(byte, b'\n' | b'\r'));
                continue;
            }
            match self.grammar.inner(bytes.get(next + 1).copied(), is_all) {
                Inner::Doubled => self.position = next + 2,
                Inner::Closing => self.is_open = false,
                Inner::Unknown => {
                    self.position = next;
                    return None;
                }
            }
        }
    }
}
