//! Formats with a row a file.

use std::sync::Arc;

use towpath_types::{Field, Value};

use super::declared::FileFormat;
use super::rows::RowBuilder;
use crate::values::Cell;

/// Makes the row of a file with this content.
pub(crate) fn push_file(format: &FileFormat, content: Vec<u8>, fields: &[Field], rows: &mut RowBuilder<'_>) {
    let cell = match format {
        FileFormat::Binary => Cell::from(Value::Bytes(Arc::from(content))),
        FileFormat::PlaintextByFile => match std::str::from_utf8(&content) {
            Ok(text) => Cell::from(Value::str(text.trim())),
            Err(error) => {
                rows.reject_file(&format!("no valid UTF-8: {error}"));
                return;
            }
        },
        FileFormat::Csv(_) | FileFormat::JsonLines(_) | FileFormat::Plaintext | FileFormat::OnlyMetadata => Cell::None,
    };
    let cells: Vec<Cell> = std::iter::once(cell)
        .chain(std::iter::repeat(Cell::None))
        .take(fields.len())
        .collect();
    rows.push(&cells, "", 0);
    rows.end_block(0);
}
