//! Formats with a record a line: JSON objects and plain text.

use super::block::Block;
use super::records::RecordFormat;
use super::rows::RowBuilder;
use crate::json::JsonRowParser;
use crate::values::Cell;

/// Cuts a block into lines and hands every line to `take` with its offset; returns where the rest begins.
fn for_each_line(block: &Block, mut take: impl FnMut(Result<&str, std::str::Utf8Error>, usize)) -> usize {
    let bytes = block.bytes();
    let text = block.text();
    let mut start = 0;
    while start < bytes.len() {
        let end = match memchr::memchr(b'\n', &bytes[start..]) {
            Some(length) => start + length,
            None if block.is_last => bytes.len(),
            None => break,
        };
        let line = match text {
            Some(text) => Ok(&text[start..end]),
            None => std::str::from_utf8(&bytes[start..end]),
        };
        take(line, start);
        start = (end + 1).min(bytes.len());
    }
    start
}

/// A JSON object a line. Blank lines hold nothing.
impl RecordFormat for JsonRowParser {
    fn parse(&mut self, block: &Block, rows: &mut RowBuilder<'_>) -> usize {
        for_each_line(block, |line, offset| match line {
            Ok(line) if line.trim_ascii().is_empty() => {}
            Ok(line) => match self.read(line) {
                Ok(cells) => {
                    rows.push(cells, line, offset);
                    let errors = self.take_errors();
                    if !errors.is_empty() {
                        rows.report_values(offset, &errors);
                    }
                }
                Err(reason) => rows.reject(offset, &reason),
            },
            Err(error) => rows.reject(offset, &format!("no valid UTF-8: {error}")),
        })
    }
}

/// The text of a line, without the space around it. A blank line is a row of empty text.
#[derive(Debug)]
pub(crate) struct Lines {
    /// Whether the text is asked for.
    pub(crate) is_read: bool,
}

impl RecordFormat for Lines {
    fn parse(&mut self, block: &Block, rows: &mut RowBuilder<'_>) -> usize {
        for_each_line(block, |line, offset| match line {
            Ok(line) => {
                let start = line.len() - line.trim_start().len();
                let end = start + line.trim().len();
                let cells = [Cell::Text { start, end }];
                rows.push(&cells[..usize::from(self.is_read)], line, offset);
            }
            Err(error) => rows.reject(offset, &format!("no valid UTF-8: {error}")),
        })
    }
}
