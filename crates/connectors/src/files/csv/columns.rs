//! How the fields of a column become cells.

use towpath_types::{DType, Field};

use crate::values::{Cell, is_text, parse_plain_int, parse_text_value};

/// How the fields of a column are read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Text,
    Int,
    Float,
    Other,
}

/// A column, and where its fields are.
#[derive(Clone, Debug)]
pub(super) struct CsvColumn {
    pub(super) name: String,
    pub(super) dtype: DType,
    pub(super) kind: Kind,
    pub(super) default: Option<Cell>,
    /// Which field of a record it is.
    pub(super) field: Option<usize>,
    /// A row without a good key is no row.
    pub(super) is_key: bool,
}

impl CsvColumn {
    pub(super) fn new(field: &Field) -> Self {
        Self {
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
        }
    }

    /// Reads a field that begins at `start` of its record. Every kind is put where it belongs at once: a cell that is
    /// made elsewhere and moved there takes longer to move than to make.
    #[inline]
    pub(super) fn read(&self, text: &str, start: usize, cell: &mut Cell) -> Result<(), String> {
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
