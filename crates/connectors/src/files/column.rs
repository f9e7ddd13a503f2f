//! Columns of rows that are read from a block of a file.
//!
//! Text is not copied: a cell of a `str` column is a view into the block, which the column keeps alive.

use arrow_array::builder::make_view;
use arrow_array::{Float64Array, Int64Array, StringViewArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use towpath_types::{Cells, Column, ColumnBuilder, DType, Physical, Value};

use crate::json::push_cell;
use crate::values::Cell;

/// Builds a column from the cells of records; every text lies in one block, or is copied.
#[derive(Debug)]
pub(crate) struct BlockColumn {
    cells: CellBuffer,
    /// Rows that are `None`, and rows that are errors, below which the cell is `None`.
    nones: Vec<usize>,
    errors: Vec<usize>,
}

#[derive(Debug)]
enum CellBuffer {
    Int(Vec<i64>),
    Float(Vec<f64>),
    /// Views, and text that does not stand in the block as it is, such as after an escape.
    Text(Vec<u128>, Vec<u8>),
    Other(ColumnBuilder),
}

/// The buffers that views refer to, by number.
const BLOCK: u32 = 0;
const COPIES: u32 = 1;

impl BlockColumn {
    pub(crate) fn new(dtype: &DType) -> Self {
        let cells = match dtype.physical() {
            Physical::Int => CellBuffer::Int(Vec::new()),
            Physical::Float => CellBuffer::Float(Vec::new()),
            Physical::Str => CellBuffer::Text(Vec::new(), Vec::new()),
            _ => CellBuffer::Other(ColumnBuilder::new(dtype)),
        };
        Self {
            cells,
            nones: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Appends a cell of the record that begins at `offset` of the block.
    #[inline]
    pub(crate) fn push(&mut self, cell: &Cell, record: &str, offset: usize) {
        match (&mut self.cells, cell) {
            (CellBuffer::Int(values), Cell::Int(value)) => values.push(*value),
            (CellBuffer::Float(values), Cell::Float(value)) => values.push(*value),
            (CellBuffer::Text(views, _), Cell::Text { start, end }) => {
                let text = &record[*start..*end];
                views.push(make_view(text.as_bytes(), BLOCK, (offset + start) as u32));
            }
            (CellBuffer::Other(builder), cell) => push_cell(builder, cell, record),
            (layout, cell) => {
                if matches!(cell, Cell::Error) {
                    self.errors.push(layout.len());
                }
                push_rare(layout, &mut self.nones, cell);
            }
        }
    }

    /// The column of the cells so far, whose texts lie in `block`.
    ///
    /// # Panics
    /// If the block is not the one the texts were said to lie in.
    pub(crate) fn finish(&mut self, block: &Buffer) -> Column {
        let column = self.finish_cells(block);
        if self.errors.is_empty() {
            return column;
        }
        let mut mask = vec![false; column.len()];
        for row in self.errors.drain(..) {
            mask[row] = true;
        }
        column.masked(Some(&BooleanBuffer::from(mask)))
    }

    fn finish_cells(&mut self, block: &Buffer) -> Column {
        let nones = std::mem::take(&mut self.nones);
        let nulls = |len: usize| {
            (!nones.is_empty()).then(|| {
                let mut valid = vec![true; len];
                for row in &nones {
                    valid[*row] = false;
                }
                NullBuffer::from(valid)
            })
        };
        match &mut self.cells {
            CellBuffer::Int(values) => {
                let values = std::mem::take(values);
                let nulls = nulls(values.len());
                Column::new(Cells::Int(Int64Array::new(values.into(), nulls)))
            }
            CellBuffer::Float(values) => {
                let values = std::mem::take(values);
                let nulls = nulls(values.len());
                Column::new(Cells::Float(Float64Array::new(values.into(), nulls)))
            }
            CellBuffer::Text(views, copies) => {
                let views = std::mem::take(views);
                let nulls = nulls(views.len());
                let mut buffers = vec![block.clone()];
                if !copies.is_empty() {
                    buffers.push(Buffer::from_vec(std::mem::take(copies)));
                }
                Column::new(Cells::Str(string_views(views.into(), buffers, nulls)))
            }
            CellBuffer::Other(builder) => builder.finish(),
        }
    }
}

impl CellBuffer {
    fn len(&self) -> usize {
        match self {
            CellBuffer::Int(values) => values.len(),
            CellBuffer::Float(values) => values.len(),
            CellBuffer::Text(views, _) => views.len(),
            CellBuffer::Other(builder) => builder.len(),
        }
    }
}

#[cold]
fn push_rare(buffer: &mut CellBuffer, nones: &mut Vec<usize>, cell: &Cell) {
    match (buffer, cell) {
        (CellBuffer::Float(values), Cell::Int(value)) => values.push(*value as f64),
        (CellBuffer::Text(views, copies), Cell::Value(value)) if let Value::Str(text) = &**value => {
            views.push(make_view(text.as_bytes(), COPIES, copies.len() as u32));
            copies.extend_from_slice(text.as_bytes());
        }
        (CellBuffer::Int(values), Cell::None | Cell::Error) => {
            nones.push(values.len());
            values.push(0);
        }
        (CellBuffer::Float(values), Cell::None | Cell::Error) => {
            nones.push(values.len());
            values.push(0.0);
        }
        (CellBuffer::Text(views, _), Cell::None | Cell::Error) => {
            nones.push(views.len());
            views.push(0);
        }
        (buffer, cell) => panic!("a parser put {cell:?} into {buffer:?}"),
    }
}

#[expect(
    unsafe_code,
    reason = "every view was made from a `str` at the position it names; to check that again costs more than all the rest"
)]
fn string_views(views: ScalarBuffer<u128>, buffers: Vec<Buffer>, nulls: Option<NullBuffer>) -> StringViewArray {
    if cfg!(debug_assertions) {
        return StringViewArray::new(views, buffers, nulls);
    }
    // SAFETY: `push` takes the text of a view from a `str` that the caller sliced from the block at that offset.
    unsafe { StringViewArray::new_unchecked(views, buffers.into(), nulls) }
}
