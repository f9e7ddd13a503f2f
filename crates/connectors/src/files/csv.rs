//! Comma-separated values.
//!
//! One pass over the block visits only delimiters, quotes and ends of lines; a field between them is a slice of
//! the block. Only a field with something to resolve inside its quotes is copied. What counts as what follows
//! the `csv` crate (a quote opens a field only at its very start; what follows a closing quote belongs to the
//! field as it is; empty lines are skipped), but for a quote that is never closed: that is an error, and not a
//! field with the rest of the file in it.

use towpath_engine::Description;
use towpath_types::{DType, Field, Value};

use super::block::Block;
use super::reader::RecordFormat;
use super::rows::Rows;
use crate::scan::Places;
use crate::values::{Cell, excerpt, is_text, parse_plain_int, parse_text_value};

/// So many records are looked at for a header.
const RECORDS_BEFORE_HEADER: usize = 100;

/// How csv is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvSettings {
    /// What separates fields.
    pub delimiter: u8,
    /// What fields may be put in.
    pub quote: u8,
    /// What takes the meaning from the next byte inside quotes.
    pub escape: Option<u8>,
    /// Whether two quotes inside quotes are one quote of the field.
    pub double_quote_escapes: bool,
    /// Whether quotes mean anything.
    pub quoting: bool,
    /// Lines that begin with it are skipped.
    pub comment_character: Option<u8>,
}

impl CsvSettings {
    pub(crate) fn describe(&self, description: &mut Description) {
        let Self {
            delimiter,
            quote,
            escape,
            double_quote_escapes,
            quoting,
            comment_character,
        } = self;
        let optional = |byte: &Option<u8>| byte.map_or_else(|| "none".to_owned(), |byte| char::from(byte).to_string());
        description.set("format", "csv");
        description.set("delimiter", char::from(*delimiter));
        description.set("quote", char::from(*quote));
        description.set("escape", optional(escape));
        description.set("double_quote_escapes", double_quote_escapes);
        description.set("quoting", quoting);
        description.set("comment_character", optional(comment_character));
    }
}

impl Default for CsvSettings {
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: b'"',
            escape: None,
            double_quote_escapes: true,
            quoting: true,
            comment_character: None,
        }
    }
}

impl CsvSettings {
    /// Whether the settings can work.
    pub(crate) fn check(&self) -> Result<(), String> {
        let special = [
            ("delimiter", Some(self.delimiter)),
            ("quote", self.quoting.then_some(self.quote)),
            ("escape", self.escape),
            ("comment character", self.comment_character),
        ];
        for (name, byte) in special {
            if byte.is_some_and(|byte| !byte.is_ascii() || matches!(byte, b'\n' | b'\r')) {
                return Err(format!(
                    "the {name} of csv must be one ASCII character, and no end of line"
                ));
            }
        }
        if self.quoting && self.delimiter == self.quote {
            return Err("the delimiter and the quote of csv must differ".to_owned());
        }
        Ok(())
    }

    /// The text of a field from its opening quote on, without quotes and escapes.
    fn unquote(&self, raw: &str) -> String {
        let bytes = raw.as_bytes();
        let mut text = Vec::with_capacity(bytes.len());
        let mut place = 1;
        while let Some(byte) = bytes.get(place) {
            let next = bytes.get(place + 1);
            if self.escape == Some(*byte) && next.is_some() {
                text.extend(next);
                place += 2;
            } else if *byte != self.quote {
                text.push(*byte);
                place += 1;
            } else if self.double_quote_escapes && next == Some(&self.quote) {
                text.push(self.quote);
                place += 2;
            } else {
                text.extend_from_slice(&bytes[place + 1..]);
                break;
            }
        }
        // Only whole ASCII characters were left out.
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// How the fields of a column are read.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    Int,
    Float,
    Other,
}

#[derive(Clone, Debug)]
struct CsvColumn {
    name: String,
    dtype: DType,
    kind: Kind,
    default: Option<Cell>,
    /// Which field of a record it is.
    field: Option<usize>,
    /// A row without a good key is no row.
    is_key: bool,
}

impl CsvColumn {
    /// Reads a field that begins at `start` of its record. Every kind is put into its place at once: a cell that is
    /// made elsewhere and moved there takes longer to move than to make.
    #[inline]
    fn read(&self, text: &str, start: usize, cell: &mut Cell) -> Result<(), String> {
        match self.kind {
            Kind::Text => {
                let end = start + text.len();
                *cell = Cell::Text { start, end };
                return Ok(());
            }
            Kind::Int => {
                if let Some(value) = parse_plain_int(text) {
                    *cell = Cell::Int(value);
                    return Ok(());
                }
            }
            Kind::Float => {
                if let Ok(value) = text.parse() {
                    *cell = Cell::Float(value);
                    return Ok(());
                }
            }
            Kind::Other => {}
        }
        self.read_other(text, cell)
    }

    /// Reads a field that is not just text or a number. Where there is nothing, the default is taken if there is one.
    #[inline(never)]
    fn read_other(&self, text: &str, cell: &mut Cell) -> Result<(), String> {
        *cell = match &self.default {
            Some(default) if text.trim().is_empty() => default.clone(),
            _ => Cell::from(parse_text_value(text, &self.dtype)?),
        };
        Ok(())
    }
}

/// A field of a record: where it stands in the block, without its quotes if these are all there is to resolve.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    end: usize,
    /// It begins with its quote, and must be unquoted.
    is_raw: bool,
}

/// Cuts records into cells.
#[derive(Clone, Debug)]
pub(crate) struct CsvFormat {
    settings: CsvSettings,
    columns: Vec<CsvColumn>,
    has_header: bool,
    /// There is no header where one could be, so no record can be read.
    is_hopeless: bool,
    /// How many records there were instead of a header.
    before_header: usize,
    spans: Vec<Span>,
    cells: Vec<Cell>,
    /// Whether a field that cannot be read becomes an error in a row that is kept.
    keeps_bad_rows: bool,
    /// Why fields of the present record are errors.
    errors: Vec<String>,
}

/// What a search for the end of a record found.
enum RecordEnd {
    /// The record, or an empty line, ends at the first place; the next may begin at the second.
    At(usize, usize),
    /// The block ends before the record does.
    Beyond,
    /// A quote is not closed when the file ends.
    Unclosed,
}

impl CsvFormat {
    /// A format that reads `fields`. With `keeps_bad_rows` a field that cannot be read becomes an error in a row that
    /// is kept, unless it belongs to the key.
    pub(crate) fn new<'a>(
        settings: CsvSettings,
        fields: impl IntoIterator<Item = &'a Field>,
        keeps_bad_rows: bool,
    ) -> Self {
        let columns: Vec<CsvColumn> = fields
            .into_iter()
            .map(|field| CsvColumn {
                name: field.name.clone(),
                kind: match &field.dtype {
                    dtype if is_text(dtype) => Kind::Text,
                    DType::Int => Kind::Int,
                    DType::Float => Kind::Float,
                    _ => Kind::Other,
                },
                dtype: field.dtype.clone(),
                default: field.default.clone().map(Cell::from),
                field: None,
                is_key: field.primary_key,
            })
            .collect();
        Self {
            settings,
            cells: vec![Cell::Absent; columns.len()],
            columns,
            has_header: false,
            is_hopeless: false,
            before_header: 0,
            spans: Vec::new(),
            keeps_bad_rows,
            errors: Vec::new(),
        }
    }

    /// Finds the fields of the record that begins at `start`.
    #[inline]
    fn find_fields(&mut self, bytes: &[u8], start: usize, places: &mut Places<'_>, is_last: bool) -> RecordEnd {
        self.spans.clear();
        let CsvSettings { delimiter, quote, .. } = self.settings;
        let mut field = start;
        // The opening and the closing quote, and whether all is simple between them.
        let mut quotes: Option<(usize, usize, bool)> = None;
        loop {
            let place = match places.next_place() {
                Some(place) => place,
                None if is_last => bytes.len(),
                None => return RecordEnd::Beyond,
            };
            let byte = bytes.get(place).copied();
            if self.settings.quoting && byte == Some(quote) && byte != Some(delimiter) {
                if place == field && quotes.is_none() {
                    match self.find_quote(bytes, place, places, is_last) {
                        Ok((end, is_simple)) => quotes = Some((place, end, is_simple)),
                        Err(end) => return end,
                    }
                }
                continue;
            }
            let span = match quotes.take() {
                None => Span {
                    start: field,
                    end: place,
                    is_raw: false,
                },
                Some((open, close, true)) if close + 1 == place => Span {
                    start: open + 1,
                    end: close,
                    is_raw: false,
                },
                Some((open, ..)) => Span {
                    start: open,
                    end: place,
                    is_raw: true,
                },
            };
            self.spans.push(span);
            if byte == Some(delimiter) {
                field = place + 1;
            } else {
                return RecordEnd::At(place, (place + 1).min(bytes.len()));
            }
        }
    }

    /// The closing quote of the field that opens at `open`, and whether nothing before it needs to be resolved.
    fn find_quote(
        &self,
        bytes: &[u8],
        open: usize,
        places: &mut Places<'_>,
        is_last: bool,
    ) -> Result<(usize, bool), RecordEnd> {
        let CsvSettings {
            quote,
            escape,
            double_quote_escapes,
            ..
        } = self.settings;
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
            let place = from + found.ok_or_else(unfinished)?;
            let next = bytes.get(place + 1);
            if next.is_none() && !is_last {
                return Err(RecordEnd::Beyond);
            }
            if escape == Some(bytes[place]) {
                is_simple = false;
                from = (place + 2).min(bytes.len());
            } else if double_quote_escapes && next == Some(&quote) {
                is_simple = false;
                from = place + 2;
            } else {
                places.skip_to(place + 1);
                return Ok((place, is_simple));
            }
        }
    }

    fn text<'a>(&self, span: Span, record: &'a str, start: usize) -> std::borrow::Cow<'a, str> {
        let text = &record[span.start - start..span.end - start];
        if span.is_raw {
            self.settings.unquote(text).into()
        } else {
            text.into()
        }
    }

    /// Looks whether a record is the header. What bank statements and the like have before it is passed over.
    #[cold]
    fn take_header(&mut self, record: &str, start: usize, rows: &mut Rows<'_>) {
        if let Err(reason) = self.read_header(record, start) {
            if self.before_header == 0 {
                rows.reject_file(&format!(
                    "{reason}; no row of the file is read, unless a later record has these names"
                ));
            }
            self.before_header += 1;
            self.is_hopeless = self.before_header == RECORDS_BEFORE_HEADER;
        }
    }

    fn read_header(&mut self, record: &str, start: usize) -> Result<(), String> {
        let names: Vec<String> = self
            .spans
            .iter()
            .map(|span| self.text(*span, record, start).into_owned())
            .collect();
        let mut missing = Vec::new();
        for column in &mut self.columns {
            let places = |is_named: fn(&str, &str) -> bool| -> Vec<usize> {
                let named = names.iter().enumerate();
                let named = named.filter(|(_, name)| is_named(name, &column.name));
                named.map(|(place, _)| place).collect()
            };
            let mut found = places(|name, wanted| name == wanted);
            if found.is_empty() {
                // Where a space follows every comma, one stands before the names as well.
                found = places(|name, wanted| name.trim() == wanted);
            }
            if found.len() > 1 {
                return Err(format!("the header {names:?} has {:?} more than once", column.name));
            }
            column.field = found.pop();
            if column.field.is_none() && column.default.is_none() {
                missing.push(column.name.clone());
            }
        }
        self.has_header = missing.is_empty();
        if self.has_header {
            Ok(())
        } else {
            Err(format!("the header lacks {missing:?}, it has {names:?}"))
        }
    }

    /// Reads the cells of the record whose fields were found.
    #[inline]
    fn read_cells(&mut self, record: &str, start: usize) -> Result<(), String> {
        for place in 0..self.columns.len() {
            let column = &self.columns[place];
            let Some(span) = column.field.and_then(|field| self.spans.get(field)).copied() else {
                let default = column.default.clone().ok_or_else(|| {
                    format!(
                        "field {:?} is missing and has no default: the row has only {} fields",
                        column.name,
                        self.spans.len()
                    )
                })?;
                self.cells[place] = default;
                continue;
            };
            let text = &record[span.start - start..span.end - start];
            let cell = &mut self.cells[place];
            let result = if span.is_raw {
                let text = self.settings.unquote(text);
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
                self.bad_field(place, &self.text(span, record, start), &reason)?;
            }
        }
        Ok(())
    }

    /// Puts an error in the place of a field that cannot be read, or refuses the row.
    #[cold]
    fn bad_field(&mut self, place: usize, text: &str, reason: &str) -> Result<(), String> {
        let column = &self.columns[place];
        let message = format!(
            "field {:?}: cannot read {:?} as {}: {reason}",
            column.name,
            excerpt(text),
            column.dtype
        );
        if !self.keeps_bad_rows || column.is_key {
            return Err(message);
        }
        self.cells[place] = Cell::Error;
        self.errors.push(message);
        Ok(())
    }

    fn take_record(&mut self, record: Result<&str, std::str::Utf8Error>, start: usize, rows: &mut Rows<'_>) {
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
    pub(crate) fn parse_header(&mut self, block: &Block, rows: &mut Rows<'_>) -> (usize, bool) {
        let consumed = self.parse_records::<true>(block, rows);
        (consumed, self.has_header || self.is_hopeless)
    }

    /// Whether no record of the file can be read.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.is_hopeless
    }

    #[inline]
    fn parse_records<const ONLY_HEADER: bool>(&mut self, block: &Block, rows: &mut Rows<'_>) -> usize {
        let bytes = block.bytes();
        let text = block.text();
        let quote = if self.settings.quoting {
            self.settings.quote
        } else {
            b'\n'
        };
        let mut places = Places::new(bytes, [self.settings.delimiter, quote, b'\n', b'\r']);
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
                places.skip_to(start);
                continue;
            }
            let (end, next) = match self.find_fields(bytes, start, &mut places, block.is_last) {
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
    fn parse(&mut self, block: &Block, rows: &mut Rows<'_>) -> usize {
        self.parse_records::<false>(block, rows)
    }
}

#[cfg(test)]
mod tests {
    use super::super::reader::tests::{read_text, read_with, rejected};
    use super::super::{FileFormat, ReadMode};
    use super::*;
    use proptest::prelude::*;
    use towpath_types::Schema;

    fn schema() -> Schema {
        Schema::of([("a", DType::Str), ("b", DType::Int)])
    }

    fn check(settings: &CsvSettings, content: &str, expected: &[(&str, i64)]) {
        let rows = read_text(FileFormat::Csv(settings.clone()), schema(), content.as_bytes());
        let expected: Vec<Vec<Value>> = expected
            .iter()
            .map(|(a, b)| vec![Value::str(a), Value::Int(*b)])
            .collect();
        assert_eq!(rows.0, expected, "{content:?}");
    }

    #[test]
    fn fields_and_quotes() {
        let plain = CsvSettings::default();
        check(&plain, "a,b\nx,1\ny,2", &[("x", 1), ("y", 2)]);
        check(&plain, "\u{feff}b,c,a\r\n1,?,x\r\n\r\n2,?,y\r\n", &[("x", 1), ("y", 2)]);
        check(
            &plain,
            "\"a\",\"b\"\n\"he said \"\"hi\"\", ok\nline\",\"1\"\n\"\",2\n",
            &[("he said \"hi\", ok\nline", 1), ("", 2)],
        );
        check(
            &plain,
            "a,b\n\"x\"y,1\n\"p\"q\"r\",2\n x\"y\" ,3\n",
            &[("xy", 1), ("pq\"r\"", 2), (" x\"y\" ", 3)],
        );
        check(&plain, "a,b\nextra,1,2,3\n", &[("extra", 1)]);
        let comments = CsvSettings {
            comment_character: Some(b'#'),
            ..CsvSettings::default()
        };
        check(&comments, "#\"c\na,b\n#x,1\nx#,2\n#", &[("x#", 2)]);
        let escapes = CsvSettings {
            escape: Some(b'\\'),
            ..CsvSettings::default()
        };
        check(&escapes, "a,b\n\"x\\\"y\\\\\",1\n\\,2\n", &[("x\"y\\", 1), ("\\", 2)]);
        let other = CsvSettings {
            delimiter: b';',
            quote: b'\'',
            ..CsvSettings::default()
        };
        check(&other, "a;b\n'x;''y';1\n\"x\";2\n", &[("x;'y", 1), ("\"x\"", 2)]);
        let single = CsvSettings {
            double_quote_escapes: false,
            ..CsvSettings::default()
        };
        check(&single, "a,b\n\"x\"\"y\",1\n", &[("x\"y\"", 1)]);
        let unquoted = CsvSettings {
            quoting: false,
            ..CsvSettings::default()
        };
        check(&unquoted, "a,b\n\"x\",1\n", &[("\"x\"", 1)]);
    }

    #[test]
    fn bad_records_are_named() {
        let bad = |content: &[u8], expected: &[&str]| {
            let messages = rejected(FileFormat::Csv(CsvSettings::default()), schema(), content);
            assert_eq!(messages.len(), expected.len(), "{messages:?}");
            for (message, expected) in messages.iter().zip(expected) {
                assert!(message.contains(expected), "{message}");
            }
        };
        bad(
            b"a,b\nx,\"1\n1\"\ny,2\nz\n\nz,?\n",
            &[
                "line 2: field \"b\": cannot read \"1\\n1\" as int: invalid digit",
                "line 5: field \"b\" is missing and has no default: the row has only 1 fields",
                "line 7: field \"b\": cannot read \"?\" as int",
            ],
        );
        bad(b"a,b\n\xff,1\nx,2\n", &["line 2: no valid UTF-8"]);
        bad(b"a,c\nx,1\ny,2\n", &["the header lacks [\"b\"], it has [\"a\", \"c\"]"]);
        bad(b"a,b,c,b\nx,1,1,1\n", &["has \"b\" more than once"]);
        bad(b"a,b , b\nx,1,1\n", &["has \"b\" more than once"]);
        bad(
            b"a,b\nx,1\n\"y,2\nz,3\n",
            &["line 3: a quote is opened and never closed"],
        );
    }

    #[test]
    fn bad_fields_are_errors_in_rows_that_are_kept() {
        let mut schema = Schema::of([
            ("k", DType::Int),
            ("f", DType::Float),
            ("b", DType::Bool),
            ("s", DType::Str),
        ]);
        schema.fields[0].primary_key = true;
        let content = b"k,f,b,s\n1,x,y,a\n2,2.5,?,b\nthree,1,y,c\n4\n5,\"?\"\"\",n,d\n6,1,n,e\n";
        let (rows, messages) = read_with(FileFormat::Csv(CsvSettings::default()), schema, content, true);
        let row = |k, f: Value, b: Value, s| vec![Value::Int(k), f, b, Value::str(s)];
        assert_eq!(
            rows,
            [
                row(1, Value::Error, Value::Bool(true), "a"),
                row(2, Value::Float(2.5), Value::Error, "b"),
                row(5, Value::Error, Value::Bool(false), "d"),
                row(6, Value::Float(1.0), Value::Bool(false), "e"),
            ]
        );
        let expected = [
            "line 2: field \"f\"",
            "line 3: field \"b\"",
            "line 4: field \"k\"",
            "line 5: field",
            "line 6: field \"f\"",
        ];
        assert_eq!(messages.len(), expected.len(), "{messages:?}");
        for (message, expected) in messages.iter().zip(expected) {
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn absent_columns_take_their_default() {
        let mut schema = schema();
        schema.fields[1].default = Some(Value::Int(7));
        let rows = read_text(FileFormat::Csv(CsvSettings::default()), schema, b"a\nx\n");
        assert_eq!(rows.0, [[Value::str("x"), Value::Int(7)]]);
    }

    #[test]
    fn empty_fields_take_the_default() {
        let mut schema = Schema::of([
            ("s", DType::Str),
            ("i", DType::Int),
            ("f", DType::Float),
            ("o", DType::Int.optional()),
            ("b", DType::Bytes),
        ]);
        let defaults = [
            Value::str("-"),
            Value::Int(7),
            Value::Int(2),
            Value::Int(9),
            Value::Bytes(b"d".as_slice().into()),
        ];
        for (field, default) in schema.fields.iter_mut().zip(&defaults) {
            field.default = Some(default.clone());
        }
        let content = b"s,i,f,o,b\n,,,,\n , ,\"\", ,\nx,1,1.5,none,AA==\n";
        let (rows, messages) = read_with(FileFormat::Csv(CsvSettings::default()), schema, content, false);
        let taken = |text| {
            let [_, i, _, o, b] = defaults.clone();
            vec![Value::str(text), i, Value::Float(2.0), o, b]
        };
        let given = vec![
            Value::str("x"),
            Value::Int(1),
            Value::Float(1.5),
            Value::None,
            Value::Bytes([0].as_slice().into()),
        ];
        assert_eq!(messages, Vec::<String>::new());
        assert_eq!(rows, [taken(""), taken(" "), given]);
    }

    #[test]
    fn records_before_the_header_are_passed_over() {
        let content = "sep=,\n\"Statement, of\n2024\",x\n\na,b\nx,1\na,b\n";
        check(&CsvSettings::default(), content, &[("x", 1)]);
        let messages = rejected(FileFormat::Csv(CsvSettings::default()), schema(), content.as_bytes());
        assert_eq!(messages.len(), 2, "{messages:?}");
        let expected = "the header lacks [\"a\", \"b\"], it has [\"sep=\", \"\"]; no row of the file is read, unless a later record has these";
        assert!(messages[0].contains(expected), "{messages:?}");
        assert!(messages[1].contains("line 7: field \"b\""), "{messages:?}");
        // Not for ever.
        let late = |count| format!("{}a,b\nx,1\n", "x,1\n".repeat(count));
        check(&CsvSettings::default(), &late(RECORDS_BEFORE_HEADER - 1), &[("x", 1)]);
        check(&CsvSettings::default(), &late(RECORDS_BEFORE_HEADER), &[]);
    }

    #[test]
    fn spaces_around_names_and_numbers() {
        let content = "x, a, b \n, y, 5\n,z ,6\t\n,\" 7\",\" 7\"\n";
        check(&CsvSettings::default(), content, &[(" y", 5), ("z ", 6), (" 7", 7)]);
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let settings = CsvSettings {
            delimiter: b'"',
            ..CsvSettings::default()
        };
        let error = super::super::FileSource::new("s", "x", FileFormat::Csv(settings), ReadMode::Static, schema());
        assert!(error.is_err());
    }

    /// Whether the last quoted field is closed, as the `csv` crate sees it.
    fn is_closed(content: &str) -> bool {
        let (mut in_quotes, mut at_start) = (false, true);
        let mut bytes = content.bytes().peekable();
        while let Some(byte) = bytes.next() {
            if in_quotes {
                if byte == b'"' {
                    match bytes.peek() {
                        Some(b'"') => drop(bytes.next()),
                        _ => in_quotes = false,
                    }
                }
            } else {
                in_quotes = byte == b'"' && at_start;
                at_start = matches!(byte, b',' | b'\n' | b'\r');
            }
        }
        !in_quotes
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn records_are_those_of_the_csv_crate(content in "([ab\",\n]|\r\n|\r|\"\"|ż|,\"[a,\n]{0,3}\"){0,80}") {
            prop_assume!(is_closed(&content));
            let content = format!("a,b,c\n{content}");
            let mut expected = Vec::new();
            let mut reader = ::csv::ReaderBuilder::new().flexible(true).from_reader(content.as_bytes());
            for record in reader.records() {
                let record = record.expect("the csv crate reads anything");
                if record.len() >= 3 {
                    expected.push((0..3).map(|field| Value::str(&record[field])).collect::<Vec<_>>());
                }
            }
            let schema = Schema::of([("a", DType::Str), ("b", DType::Str), ("c", DType::Str)]);
            let (rows, _) = read_text(FileFormat::Csv(CsvSettings::default()), schema, content.as_bytes());
            prop_assert_eq!(rows, expected);
        }
    }
}
