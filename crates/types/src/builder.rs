//! Builds a column cell by cell.

use arrow_array::builder::{
    BinaryViewBuilder, BooleanBuilder, DurationNanosecondBuilder, Float64Builder, Int64Builder, StringViewBuilder,
    TimestampNanosecondBuilder,
};
use arrow_buffer::{BooleanBufferBuilder, NullBuffer};

use crate::column::{Cells, Column, PointerArray, unset};
use crate::dtype::{DType, Physical};
use crate::key::Key;
use crate::value::Value;

/// Builds a column cell by cell; [`ColumnBuilder::finish`] leaves it empty for the next one.
#[derive(Debug)]
pub struct ColumnBuilder {
    cells: Builders,
    len: usize,
    /// Rows of errors.
    errors: Vec<usize>,
}

#[derive(Debug)]
enum Builders {
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Float(Float64Builder),
    Str(StringViewBuilder),
    Bytes(BinaryViewBuilder),
    Pointer(Vec<Option<Key>>),
    DateTimeNaive(TimestampNanosecondBuilder),
    DateTimeUtc(TimestampNanosecondBuilder),
    Duration(DurationNanosecondBuilder),
    Any(Vec<Value>),
}

/// A push of a type the builder was not made for.
#[cold]
fn wrong_layout(builder: &Builders, pushed: &str) -> ! {
    panic!("a column builder of {builder:?} cannot take a {pushed}")
}

macro_rules! push_typed {
    ($(#[$doc:meta])* $name:ident, $variant:ident, $type:ty) => {
        $(#[$doc])*
        #[inline]
        pub fn $name(&mut self, value: $type) {
            match &mut self.cells {
                Builders::$variant(builder) => builder.append_value(value),
                Builders::Any(values) => values.push(Value::$variant(value.into())),
                other => wrong_layout(other, stringify!($variant)),
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
            Physical::Bool => Builders::Bool(BooleanBuilder::new()),
            Physical::Int => Builders::Int(Int64Builder::new()),
            Physical::Float => Builders::Float(Float64Builder::new()),
            Physical::Str => Builders::Str(StringViewBuilder::new()),
            Physical::Bytes => Builders::Bytes(BinaryViewBuilder::new()),
            Physical::Pointer => Builders::Pointer(Vec::new()),
            Physical::DateTimeNaive => Builders::DateTimeNaive(TimestampNanosecondBuilder::new()),
            Physical::DateTimeUtc => Builders::DateTimeUtc(TimestampNanosecondBuilder::new()),
            Physical::Duration => Builders::Duration(DurationNanosecondBuilder::new()),
            Physical::Any => Builders::Any(Vec::new()),
        };
        Self {
            cells,
            len: 0,
            errors: Vec::new(),
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
        push_bool, Bool, bool
    );
    push_typed!(
        /// Appends an `int`.
        push_int, Int, i64
    );
    push_typed!(
        /// Appends a `float`.
        push_float, Float, f64
    );
    push_typed!(
        /// Appends a `str`.
        push_str, Str, &str
    );
    push_typed!(
        /// Appends `bytes`.
        push_bytes, Bytes, &[u8]
    );
    push_typed!(
        /// Appends a `DateTimeNaive` in nanoseconds.
        push_date_time_naive, DateTimeNaive, i64
    );
    push_typed!(
        /// Appends a `DateTimeUtc` in nanoseconds.
        push_date_time_utc, DateTimeUtc, i64
    );
    push_typed!(
        /// Appends a `Duration` in nanoseconds.
        push_duration, Duration, i64
    );

    /// Appends a key.
    #[inline]
    pub fn push_pointer(&mut self, key: Key) {
        match &mut self.cells {
            Builders::Pointer(keys) => keys.push(Some(key)),
            Builders::Any(values) => values.push(Value::Pointer(key)),
            other => wrong_layout(other, "Pointer"),
        }
        self.len += 1;
    }

    /// Appends `None`.
    pub fn push_none(&mut self) {
        match &mut self.cells {
            Builders::Bool(builder) => builder.append_null(),
            Builders::Int(builder) => builder.append_null(),
            Builders::Float(builder) => builder.append_null(),
            Builders::Str(builder) => builder.append_null(),
            Builders::Bytes(builder) => builder.append_null(),
            Builders::Pointer(keys) => keys.push(None),
            Builders::DateTimeNaive(builder) | Builders::DateTimeUtc(builder) => builder.append_null(),
            Builders::Duration(builder) => builder.append_null(),
            Builders::Any(values) => values.push(Value::None),
        }
        self.len += 1;
    }

    /// Appends an error.
    pub fn push_error(&mut self) {
        self.errors.push(self.len);
        self.push_none();
    }

    /// Appends any value; one that does not fit the layout becomes an error. `int` fits `float`.
    pub fn push(&mut self, value: &Value) {
        match (&mut self.cells, value) {
            (_, Value::Error) => return self.push_error(),
            (_, Value::None) => return self.push_none(),
            (Builders::Bool(builder), Value::Bool(value)) => builder.append_value(*value),
            (Builders::Int(builder), Value::Int(value)) => builder.append_value(*value),
            (Builders::Float(builder), Value::Float(value)) => builder.append_value(*value),
            (Builders::Float(builder), Value::Int(value)) => builder.append_value(*value as f64),
            (Builders::Str(builder), Value::Str(value)) => builder.append_value(value),
            (Builders::Bytes(builder), Value::Bytes(value)) => builder.append_value(value),
            (Builders::Pointer(keys), Value::Pointer(key)) => keys.push(Some(*key)),
            (Builders::DateTimeNaive(builder), Value::DateTimeNaive(value))
            | (Builders::DateTimeUtc(builder), Value::DateTimeUtc(value)) => builder.append_value(*value),
            (Builders::Duration(builder), Value::Duration(value)) => builder.append_value(*value),
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
            (Builders::Int(builder), Cells::Int(array)) => builder.append_value(array.value(row)),
            (Builders::Float(builder), Cells::Float(array)) => builder.append_value(array.value(row)),
            (Builders::Str(builder), Cells::Str(array)) => builder.append_value(array.value(row)),
            (Builders::Bytes(builder), Cells::Bytes(array)) => builder.append_value(array.value(row)),
            _ => return self.push(&column.value(row)),
        }
        self.len += 1;
    }

    /// The column of the cells so far. The builder is empty afterwards.
    pub fn finish(&mut self) -> Column {
        let cells = match &mut self.cells {
            Builders::Bool(builder) => Cells::Bool(builder.finish()),
            Builders::Int(builder) => Cells::Int(builder.finish()),
            Builders::Float(builder) => Cells::Float(builder.finish()),
            Builders::Str(builder) => Cells::Str(builder.finish()),
            Builders::Bytes(builder) => Cells::Bytes(builder.finish()),
            Builders::Pointer(keys) => {
                let keys = std::mem::take(keys);
                let nulls = keys
                    .iter()
                    .any(Option::is_none)
                    .then(|| NullBuffer::from_iter(keys.iter().map(Option::is_some)));
                let values = keys.into_iter().map(Option::unwrap_or_default).collect();
                Cells::Pointer(PointerArray::new(values, nulls))
            }
            Builders::DateTimeNaive(builder) => Cells::DateTimeNaive(builder.finish()),
            Builders::DateTimeUtc(builder) => Cells::DateTimeUtc(builder.finish()),
            Builders::Duration(builder) => Cells::Duration(builder.finish()),
            Builders::Any(values) => Cells::Any(std::mem::take(values).into()),
        };
        let errors = std::mem::take(&mut self.errors);
        let len = std::mem::take(&mut self.len);
        if errors.is_empty() {
            return Column::new(cells);
        }
        let mut mask = BooleanBufferBuilder::new(len);
        mask.append_buffer(&unset(len));
        for row in errors {
            mask.set_bit(row, true);
        }
        Column::with_errors(cells, Some(mask.finish()))
    }
}
