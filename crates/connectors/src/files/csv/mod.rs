//! Comma-separated values.
//!
//! Records are cut into fields by the [`grammar`], whose names are in the header; a field becomes a cell of its
//! [column](columns). A record that lacks one, or has one that cannot be read, is left out and reported.

mod columns;
pub(super) mod grammar;
pub(super) mod settings;
#[cfg(test)]
mod tests;

use towpath_types::{Field, Value};

use columns::{CsvColumn, Kind};
use grammar::{Grammar, RecordEnd, Span};

use super::block::Block;
use super::records::RecordFormat;
use super::rows::RowBuilder;
use crate::values::{Cell, excerpt};

use settings::CsvSettings;

/// So many records are looked at for a header.
const RECORDS_BEFORE_HEADER: usize = 100;

/// Cuts records into cells.
#[derive(Clone, Debug)]
pub(crate) struct CsvFormat {
    settings: CsvSettings,
    grammar: Grammar,
    columns: Vec<CsvColumn>,
    has_header: bool,
    /// There is no header where one could be, so no record can be read.
    is_hopeless: bool,
    /// How many records there were instead of a header, and what the first of them lacks.
    before_header: usize,
    lacks: String,
    spans: Vec<Span>,
    cells: Vec<Cell>,
    /// Whether a field that cannot be read becomes an error in a row that is kept.
    keeps_bad_rows: bool,
    /// Why fields of the present record are errors.
    errors: Vec<String>,
}

impl CsvFormat {
    /// A format that reads `fields`. With `keeps_bad_rows` a field that cannot be read becomes an error in a row that
    /// is kept, unless it belongs to the key.
    pub(crate) fn new<'a>(
        settings: CsvSettings,
        fields: impl IntoIterator<Item = &'a Field>,
        keeps_bad_rows: bool,
    ) -> Self {
        let columns: Vec<CsvColumn> = fields.into_iter().map(CsvColumn::new).collect();
        Self {
            grammar: Grammar::new(&settings),
            settings,
            cells: vec![Cell::Absent; columns.len()],
            columns,
            has_header: false,
            is_hopeless: false,
            before_header: 0,
            lacks: String::new(),
            spans: Vec::new(),
            keeps_bad_rows,
            errors: Vec::new(),
        }
    }

    fn text<'a>(&self, span: Span, record: &'a str, start: usize) -> std::borrow::Cow<'a, str> {
        let text = &record[span.start - start..span.end - start];
        if span.is_raw {
            self.grammar.unquote(text).into()
        } else {
            text.into()
        }
    }

    /// Looks whether a record is the header. What bank statements and the like have before it is passed over.
    #[cold]
    fn take_header(&mut self, record: &str, start: usize, rows: &mut RowBuilder<'_>) {
        if let Err(reason) = self.read_header(record, start) {
            if self.before_header == 0 {
                rows.leave_file_out(&format!(
                    "{reason}; no row of the file is read, unless a later record has these names"
                ));
                self.lacks = reason;
            }
            self.before_header += 1;
            self.is_hopeless = self.before_header == RECORDS_BEFORE_HEADER;
        } else {
            rows.file_is_read();
        }
    }

    fn read_header(&mut self, record: &str, start: usize) -> Result<(), String> {
        let names: Vec<String> = self
            .spans
            .iter()
            .map(|span| self.text(*span, record, start).into_owned())
            .collect();
        let (mut missing, mut repeated) = (Vec::new(), Vec::new());
        for column in &mut self.columns {
            let positions = |is_named: fn(&str, &str) -> bool| -> Vec<usize> {
                let named = names.iter().enumerate();
                let named = named.filter(|(_, name)| is_named(name, &column.name));
                named.map(|(position, _)| position).collect()
            };
            let mut found = positions(|name, wanted| name == wanted);
            if found.is_empty() {
                // Where a space follows every comma, one stands before the names as well.
                found = positions(|name, wanted| name.trim() == wanted);
            }
            if found.len() > 1 {
                repeated.push(column.name.clone());
            }
            column.field = found.pop();
            if column.field.is_none() && column.default.is_none() {
                missing.push(column.name.clone());
            }
        }
        self.has_header = missing.is_empty() && repeated.is_empty();
        if self.has_header {
            return Ok(());
        }
        let mut what = Vec::new();
        if !missing.is_empty() {
            what.push(format!("lacks {missing:?}, without a default"));
        }
        if !repeated.is_empty() {
            what.push(format!("has {repeated:?} more than once"));
        }
        let other = match &names[..] {
            [name] => [';', '\t', '|', ','].into_iter().find(|other| name.contains(*other)),
            _ => None,
        };
        let hint = other.map(|other| {
            format!("; if {other:?} is between the fields: csv_settings=pw.io.CsvParserSettings(delimiter={other:?})")
        });
        let hint = hint.unwrap_or_default();
        Err(format!("the header {}, and has {names:?}{hint}", what.join(", ")))
    }

    /// Reads the cells of the record whose fields were found.
    #[inline]
    fn read_cells(&mut self, record: &str, start: usize) -> Result<(), String> {
        for position in 0..self.columns.len() {
            let column = &self.columns[position];
            let Some(span) = column.field.and_then(|field| self.spans.get(field)).copied() else {
                let default = column.default.clone().ok_or_else(|| {
                    format!(
                        "field {:?} is missing and has no default: the row has only {} {}",
                        column.name,
                        self.spans.len(),
                        if self.spans.len() == 1 { "field" } else { "fields" }
                    )
                })?;
                self.cells[position] = default;
                continue;
            };
            let text = &record[span.start - start..span.end - start];
            let cell = &mut self.cells[position];
            let result = if span.is_raw {
                let text = self.grammar.unquote(text);
                match column.kind {
                    Kind::Text => {
                        *cell = Cell::from(Value::str(&text));
                        Ok(())
                    }
                    _ => column.read(&text, 0, cell),
                }
            } else {
                column.read(text, span.start - start, cell)
            };
            if let Err(reason) = result {
                self.bad_field(position, &self.text(span, record, start), &reason)?;
            }
        }
        Ok(())
    }

    /// Puts an error in the place of a field that cannot be read, or refuses the row.
    #[cold]
    fn bad_field(&mut self, position: usize, text: &str, reason: &str) -> Result<(), String> {
        let column = &self.columns[position];
        let message = format!(
            "field {:?}: cannot read {:?} as {}: {reason}",
            column.name,
            excerpt(text),
            column.dtype
        );
        if !self.keeps_bad_rows || column.is_key {
            return Err(message);
        }
        self.cells[position] = Cell::Error;
        self.errors.push(message);
        Ok(())
    }

    fn take_record(&mut self, record: Result<&str, std::str::Utf8Error>, start: usize, rows: &mut RowBuilder<'_>) {
        match record {
            Err(error) => rows.reject(start, &format!("no valid UTF-8: {error}")),
            Ok(record) if !self.has_header => self.take_header(record, start, rows),
            Ok(record) => match self.read_cells(record, start) {
                Ok(()) => {
                    rows.push(&self.cells, record, start);
                    if !self.errors.is_empty() {
                        rows.report_values(start, &std::mem::take(&mut self.errors));
                    }
                }
                Err(reason) => {
                    self.errors.clear();
                    rows.reject(start, &reason);
                }
            },
        }
    }
}

impl CsvFormat {
    /// Takes records until there was a header; answers how many bytes these were, and whether there was one.
    pub(crate) fn parse_header(&mut self, block: &Block, rows: &mut RowBuilder<'_>) -> (usize, bool) {
        let consumed = self.parse_records::<true>(block, rows);
        (consumed, self.has_header || self.is_hopeless)
    }

    /// Whether no record of the file can be read.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.is_hopeless
    }

    #[inline]
    fn parse_records<const ONLY_HEADER: bool>(&mut self, block: &Block, rows: &mut RowBuilder<'_>) -> usize {
        let bytes = block.bytes();
        let text = block.text();
        let mut positions = self.grammar.positions(bytes);
        let mut start = 0;
        while let Some(first) = bytes.get(start) {
            if self.is_hopeless {
                return bytes.len();
            }
            if ONLY_HEADER && self.has_header {
                break;
            }
            if self.settings.comment_character == Some(*first) {
                match memchr::memchr2(b'\n', b'\r', &bytes[start..]) {
                    Some(length) => start += length + 1,
                    None if block.is_last => return bytes.len(),
                    None => return start,
                }
                positions.skip_to(start);
                continue;
            }
            let found = self
                .grammar
                .find_fields(bytes, start, &mut positions, block.is_last, &mut self.spans);
            let (end, next) = match found {
                RecordEnd::At(end, next) => (end, next),
                RecordEnd::Beyond => return start,
                RecordEnd::Unclosed => {
                    rows.reject(
                        start,
                        "a quote is opened and never closed; the rest of the file is not read",
                    );
                    return bytes.len();
                }
            };
            if end > start {
                let record = match text {
                    Some(text) => Ok(&text[start..end]),
                    None => std::str::from_utf8(&bytes[start..end]),
                };
                self.take_record(record, start, rows);
            }
            start = next;
        }
        start
    }
}

impl RecordFormat for CsvFormat {
    fn parse(&mut self, block: &Block, rows: &mut RowBuilder<'_>) -> usize {
        self.parse_records::<false>(block, rows)
    }

    fn lacks(&self) -> Option<&str> {
        (!self.has_header && self.before_header > 0).then_some(&self.lacks)
    }
}
