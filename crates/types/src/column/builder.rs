//! Builds a column cell by cell.
//!
//! This is the path of every row that comes in, so the cells are pushed to plain vectors; which of them are `None`
//! or errors, the exception, is a list of rows.

use arrow_array::{BooleanArray, DurationNanosecondArray, Float64Array, Int64Array, TimestampNanosecondArray};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder, NullBuffer};

use super::{Cells, Column, PointerArray};
use crate::dtype::{DType, Physical};
use crate::key::Key;
use crate::value::Value;
use crate::views::Views;

/// Builds a column cell by cell; [`ColumnBuilder::finish`] leaves it empty for the next one.
#[derive(Debug)]
pub struct ColumnBuilder {
    cells: Builders,
    len: usize,
    /// Rows of `None`s and errors, below which a cell of no meaning lies.
    nones: Vec<usize>,
    /// Rows of errors.
    errors: Vec<usize>,
}

#[derive(Debug)]
enum Builders {
    Bool(Vec<bool>),
    Int(Vec<i64>),
    Float(Vec<f64>),
    Str(Views),
    Bytes(Views),
    Pointer(Vec<Key>),
    DateTimeNaive(Vec<i64>),
    DateTimeUtc(Vec<i64>),
    Duration(Vec<i64>),
    Any(Vec<Value>),
}

/// A push of a type the builder was not made for.
#[cold]
fn wrong_layout(pushed: &str) -> ! {
    panic!("a column builder of another type cannot take a {pushed}")
}

macro_rules! push_typed {
    ($(#[$doc:meta])* $name:ident, $variant:ident, $type:ty, |$value:ident| $pushed:expr) => {
        $(#[$doc])*
        #[inline]
        pub fn $name(&mut self, $value: $type) {
            match &mut self.cells {
                Builders::$variant(cells) => cells.push($pushed),
                Builders::Any(values) => values.push(Value::$variant($value.into())),
                _ => wrong_layout(stringify!($variant)),
            }
            self.len += 1;
        }
    };
}

impl ColumnBuilder {
    /// A builder for a column of type `dtype`.
    pub fn new(dtype: &DType) -> Self {
        Self::with_physical(dtype.physical())
    }

    /// A builder for a layout.
    pub fn with_physical(physical: Physical) -> Self {
        let cells = match physical {
            Physical::Bool => Builders::Bool(Vec::new()),
            Physical::Int => Builders::Int(Vec::new()),
            Physical::Float => Builders::Float(Vec::new()),
            Physical::Str => Builders::Str(Views::default()),
            Physical::Bytes => Builders::Bytes(Views::default()),
            Physical::Pointer => Builders::Pointer(Vec::new()),
            Physical::DateTimeNaive => Builders::DateTimeNaive(Vec::new()),
            Physical::DateTimeUtc => Builders::DateTimeUtc(Vec::new()),
            Physical::Duration => Builders::Duration(Vec::new()),
            Physical::Any => Builders::Any(Vec::new()),
        };
        Self {
            cells,
            len: 0,
            nones: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Makes room for so many more cells.
    pub fn reserve(&mut self, cells: usize) {
        match &mut self.cells {
            Builders::Bool(values) => values.reserve(cells),
            Builders::Int(values)
            | Builders::DateTimeNaive(values)
            | Builders::DateTimeUtc(values)
            | Builders::Duration(values) => values.reserve(cells),
            Builders::Float(values) => values.reserve(cells),
            Builders::Str(values) | Builders::Bytes(values) => values.reserve(cells),
            Builders::Pointer(values) => values.reserve(cells),
            Builders::Any(values) => values.reserve(cells),
        }
    }

    /// The number of cells so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no cells yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    push_typed!(
        /// Appends a `bool`. Panics, like its siblings, if the column is of another type.
        push_bool, Bool, bool, |value| value
    );
    push_typed!(
        /// Appends an `int`.
        push_int, Int, i64, |value| value
    );
    push_typed!(
        /// Appends a `float`.
        push_float, Float, f64, |value| value
    );
    push_typed!(
        /// Appends a `str`.
        push_str, Str, &str, |text| text.as_bytes()
    );
    push_typed!(
        /// Appends `bytes`.
        push_bytes, Bytes, &[u8], |value| value
    );
    push_typed!(
        /// Appends a `DateTimeNaive` in nanoseconds.
        push_date_time_naive, DateTimeNaive, i64, |value| value
    );
    push_typed!(
        /// Appends a `DateTimeUtc` in nanoseconds.
        push_date_time_utc, DateTimeUtc, i64, |value| value
    );
    push_typed!(
        /// Appends a `Duration` in nanoseconds.
        push_duration, Duration, i64, |value| value
    );

    /// Appends a key.
    #[inline]
    pub fn push_pointer(&mut self, key: Key) {
        match &mut self.cells {
            Builders::Pointer(keys) => keys.push(key),
            Builders::Any(values) => values.push(Value::Pointer(key)),
            _ => wrong_layout("Pointer"),
        }
        self.len += 1;
    }

    /// Appends `None`.
    pub fn push_none(&mut self) {
        self.nones.push(self.len);
        match &mut self.cells {
            Builders::Bool(cells) => cells.push(false),
            Builders::Int(cells)
            | Builders::DateTimeNaive(cells)
            | Builders::DateTimeUtc(cells)
            | Builders::Duration(cells) => cells.push(0),
            Builders::Float(cells) => cells.push(0.0),
            Builders::Str(views) | Builders::Bytes(views) => views.push(b""),
            Builders::Pointer(keys) => keys.push(Key::default()),
            Builders::Any(values) => values.push(Value::None),
        }
        self.len += 1;
    }

    /// Appends an error.
    pub fn push_error(&mut self) {
        self.errors.push(self.len);
        self.push_none();
    }

    /// Appends an `int` as [`Self::push`] does, sooner.
    #[inline]
    pub fn push_any_int(&mut self, value: i64) {
        match &mut self.cells {
            Builders::Int(cells) => {
                cells.push(value);
                self.len += 1;
            }
            _ => self.push(&Value::Int(value)),
        }
    }

    /// Appends any value; one that does not fit the layout becomes an error. `int` fits `float`.
    pub fn push(&mut self, value: &Value) {
        match (&mut self.cells, value) {
            (_, Value::Error) => return self.push_error(),
            (_, Value::None) => return self.push_none(),
            (Builders::Bool(cells), Value::Bool(value)) => cells.push(*value),
            (Builders::Int(cells), Value::Int(value))
            | (Builders::DateTimeNaive(cells), Value::DateTimeNaive(value))
            | (Builders::DateTimeUtc(cells), Value::DateTimeUtc(value))
            | (Builders::Duration(cells), Value::Duration(value)) => cells.push(*value),
            (Builders::Float(cells), Value::Float(value)) => cells.push(*value),
            (Builders::Float(cells), Value::Int(value)) => cells.push(*value as f64),
            (Builders::Str(views), Value::Str(value)) => views.push(value.as_bytes()),
            (Builders::Bytes(views), Value::Bytes(value)) => views.push(value),
            (Builders::Pointer(keys), Value::Pointer(key)) => keys.push(*key),
            (Builders::Any(values), value) => values.push(value.clone()),
            _ => return self.push_error(),
        }
        self.len += 1;
    }

    /// Appends one cell of a column of the same layout.
    pub fn push_cell(&mut self, column: &Column, row: usize) {
        if column.is_error(row) {
            return self.push_error();
        }
        if column.is_none(row) {
            return self.push_none();
        }
        match (&mut self.cells, column.cells()) {
            (Builders::Int(cells), Cells::Int(array)) => cells.push(array.value(row)),
            (Builders::Float(cells), Cells::Float(array)) => cells.push(array.value(row)),
            (Builders::Str(views), Cells::Str(array)) => views.push(array.value(row).as_bytes()),
            (Builders::Bytes(views), Cells::Bytes(array)) => views.push(array.value(row)),
            _ => return self.push(&column.value(row)),
        }
        self.len += 1;
    }

    /// The column of the cells so far. The builder is empty afterwards.
    pub fn finish(&mut self) -> Column {
        let len = std::mem::take(&mut self.len);
        let nones = std::mem::take(&mut self.nones);
        let errors = std::mem::take(&mut self.errors);
        let nulls = || (!nones.is_empty()).then(|| NullBuffer::new(!&mask(&nones, len)));
        let cells = match &mut self.cells {
            Builders::Bool(cells) => {
                let cells = std::mem::take(cells);
                Cells::Bool(BooleanArray::new(cells.into(), nulls()))
            }
            Builders::Int(cells) => Cells::Int(Int64Array::new(std::mem::take(cells).into(), nulls())),
            Builders::Float(cells) => Cells::Float(Float64Array::new(std::mem::take(cells).into(), nulls())),
            Builders::Str(views) => Cells::Str(views.finish_texts(nulls())),
            Builders::Bytes(views) => Cells::Bytes(views.finish_bytes(nulls())),
            Builders::Pointer(keys) => Cells::Pointer(PointerArray::new(std::mem::take(keys).into(), nulls())),
            Builders::DateTimeNaive(cells) => {
                Cells::DateTimeNaive(TimestampNanosecondArray::new(std::mem::take(cells).into(), nulls()))
            }
            Builders::DateTimeUtc(cells) => {
                Cells::DateTimeUtc(TimestampNanosecondArray::new(std::mem::take(cells).into(), nulls()))
            }
            Builders::Duration(cells) => {
                Cells::Duration(DurationNanosecondArray::new(std::mem::take(cells).into(), nulls()))
            }
            Builders::Any(values) => Cells::Any(std::mem::take(values).into()),
        };
        let errors = (!errors.is_empty()).then(|| mask(&errors, len));
        Column::with_errors(cells, errors)
    }
}

/// A mask that is true at `rows`.
fn mask(rows: &[usize], len: usize) -> BooleanBuffer {
    let mut mask = BooleanBufferBuilder::new(len);
    mask.append_n(len, false);
    for row in rows {
        mask.set_bit(*row, true);
    }
    mask.finish()
}

/// Columns that are built in one go.
impl Column {
    /// An empty column.
    pub fn empty(physical: Physical) -> Self {
        ColumnBuilder::with_physical(physical).finish()
    }

    /// `len` cells with the same value.
    pub fn repeat(value: &Value, dtype: &DType, len: usize) -> Self {
        let mut builder = ColumnBuilder::new(dtype);
        for _ in 0..len {
            builder.push(value);
        }
        builder.finish()
    }

    /// A column of values, of the layout of `dtype`.
    pub fn from_values<'a>(dtype: &DType, values: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut builder = ColumnBuilder::new(dtype);
        for value in values {
            builder.push(value);
        }
        builder.finish()
    }
}

impl Physical {
    /// Cells that are all `None`.
    pub fn nones(self, len: usize) -> Column {
        let mut builder = ColumnBuilder::with_physical(self);
        for _ in 0..len {
            builder.push_none();
        }
        builder.finish()
    }

    /// Cells that are all errors.
    pub fn errors(self, len: usize) -> Column {
        self.nones(len).masked(Some(&BooleanBuffer::new_set(len)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::BLOCK_BYTES;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_column_gives_back_what_was_pushed(texts in prop::collection::vec(prop::option::of(".{0,30}"), 0..50)) {
            let values: Vec<Value> =
                texts.iter().map(|text| text.as_ref().map_or(Value::None, |text| Value::str(text))).collect();
            for dtype in [DType::Str.optional(), DType::Any] {
                let column = Column::from_values(&dtype, &values);
                prop_assert_eq!(column.values().collect::<Vec<_>>(), values.clone());
            }
        }
    }

    #[test]
    fn long_texts_fill_more_than_one_block() {
        let texts: Vec<String> = (0..5)
            .map(|position| position.to_string().repeat(BLOCK_BYTES / 2))
            .collect();
        let mut builder = ColumnBuilder::new(&DType::Str);
        for text in &texts {
            builder.push_str(text);
        }
        builder.push_error();
        let column = builder.finish();
        assert!(
            texts
                .iter()
                .enumerate()
                .all(|(row, text)| column.value(row) == Value::str(text))
        );
        assert!(column.is_error(5) && !column.is_none(5));
        assert!(builder.is_empty());
    }
}
