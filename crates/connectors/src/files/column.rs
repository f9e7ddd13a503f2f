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
    cells: Layout,
    /// Rows that are `None`, and rows that are errors, below which the cell is `None`.
    nones: Vec<usize>,
    errors: Vec<usize>,
}

#[derive(Debug)]
enum Layout {
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
            Physical::Int => Layout::Int(Vec::new()),
            Physical::Float => Layout::Float(Vec::new()),
            Physical::Str => Layout::Text(Vec::new(), Vec::new()),
            _ => Layout::Other(ColumnBuilder::new(dtype)),
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
            (Layout::Int(values), Cell::Int(value)) => values.push(*value),
            (Layout::Float(values), Cell::Float(value)) => values.push(*value),
            (Layout::Text(views, _), Cell::Text { start, end }) => {
                let text = &record[*start..*end];
                views.push(make_view(text.as_bytes(), BLOCK, (offset + start) as u32));
            }
            (Layout::Other(builder), cell) => push_cell(builder, cell, record),
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
            Layout::Int(values) => {
                let values = std::mem::take(values);
                let nulls = nulls(values.len());
                Column::new(Cells::Int(Int64Array::new(values.into(), nulls)))
            }
            Layout::Float(values) => {
                let values = std::mem::take(values);
                let nulls = nulls(values.len());
                Column::new(Cells::Float(Float64Array::new(values.into(), nulls)))
            }
            Layout::Text(views, copies) => {
                let views = std::mem::take(views);
                let nulls = nulls(views.len());
                let mut buffers = vec![block.clone()];
                if !copies.is_empty() {
                    buffers.push(Buffer::from_vec(std::mem::take(copies)));
                }
                Column::new(Cells::Str(string_views(views.into(), buffers, nulls)))
            }
            Layout::Other(builder) => builder.finish(),
        }
    }
}

impl Layout {
    fn len(&self) -> usize {
        match self {
            Layout::Int(values) => values.len(),
            Layout::Float(values) => values.len(),
            Layout::Text(views, _) => views.len(),
            Layout::Other(builder) => builder.len(),
        }
    }
}

#[cold]
fn push_rare(layout: &mut Layout, nones: &mut Vec<usize>, cell: &Cell) {
    match (layout, cell) {
        (Layout::Float(values), Cell::Int(value)) => values.push(*value as f64),
        (Layout::Text(views, copies), Cell::Value(value)) if let Value::Str(text) = &**value => {
            views.push(make_view(text.as_bytes(), COPIES, copies.len() as u32));
            copies.extend_from_slice(text.as_bytes());
        }
        (Layout::Int(values), Cell::None | Cell::Error) => {
            nones.push(values.len());
            values.push(0);
        }
        (Layout::Float(values), Cell::None | Cell::Error) => {
            nones.push(values.len());
            values.push(0.0);
        }
        (Layout::Text(views, _), Cell::None | Cell::Error) => {
            nones.push(views.len());
            views.push(0);
        }
        (layout, cell) => panic!("a parser put {cell:?} into {layout:?}"),
    }
}

#[expect(
    unsafe_code,
    reason = "every view was made from a `str` at the place it names; to check that again costs more than all the rest"
)]
fn string_views(views: ScalarBuffer<u128>, buffers: Vec<Buffer>, nulls: Option<NullBuffer>) -> StringViewArray {
    if cfg!(debug_assertions) {
        return StringViewArray::new(views, buffers, nulls);
    }
    // SAFETY: `push` takes the text of a view from a `str` that the caller sliced from the block at that offset.
    unsafe { StringViewArray::new_unchecked(views, buffers.into(), nulls) }
}
