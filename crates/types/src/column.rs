//! The cells of one column for many rows, immutable and shared: cloning and slicing copy nothing.
//!
//! A cell is one of three: a value, `None` (Arrow's validity), or an error (a mask of our own).
//! What lies below a masked cell means nothing, and a cell is never both `None` and an error.
//! Pointers have an array of their own, rather than Arrow's fixed-size binary, so that the keys
//! of a batch are its `id` column without a copy.

use arrow_array::{
    Array, BinaryViewArray, BooleanArray, DurationNanosecondArray, Float64Array, Int64Array, StringViewArray,
    TimestampNanosecondArray, UInt32Array, new_empty_array,
};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::{DataType, TimeUnit};
use std::sync::Arc;

use crate::builder::ColumnBuilder;
use crate::dtype::{DType, Physical};
use crate::key::Key;
use crate::shared::Shared;
use crate::value::Value;

/// Keys with Arrow's validity.
#[derive(Clone, Debug)]
pub struct PointerArray {
    values: Shared<Key>,
    nulls: Option<NullBuffer>,
}

impl PointerArray {
    /// An array of keys; `nulls`, if any, are as many as the keys.
    pub fn new(values: Shared<Key>, nulls: Option<NullBuffer>) -> Self {
        assert!(nulls.as_ref().is_none_or(|nulls| nulls.len() == values.len()));
        Self { values, nulls }
    }

    /// The keys; those at nulls mean nothing.
    pub fn values(&self) -> &Shared<Key> {
        &self.values
    }
}

/// The cells of a column in one of ten layouts, see [`Physical`].
#[derive(Clone, Debug)]
pub enum Cells {
    /// `bool`
    Bool(BooleanArray),
    /// `int`
    Int(Int64Array),
    /// `float`
    Float(Float64Array),
    /// `str`
    Str(StringViewArray),
    /// `bytes`
    Bytes(BinaryViewArray),
    /// `Pointer`
    Pointer(PointerArray),
    /// `DateTimeNaive`
    DateTimeNaive(TimestampNanosecondArray),
    /// `DateTimeUtc`
    DateTimeUtc(TimestampNanosecondArray),
    /// `Duration`
    Duration(DurationNanosecondArray),
    /// Everything without a layout of its own. Holds `Value::None` for `None`; errors are in the mask.
    Any(Shared<Value>),
}

/// The cells of one column for many rows.
#[derive(Clone, Debug)]
pub struct Column {
    cells: Cells,
    /// True where the cell is an error; absent when none is.
    errors: Option<BooleanBuffer>,
}

/// Runs `$body` with `$array` bound to the Arrow array of a layout that has one.
macro_rules! for_arrow {
    ($cells:expr, $array:ident => $body:expr, pointer $pointers:ident => $pointer:expr, any $values:ident => $any:expr) => {
        match $cells {
            Cells::Bool($array) => $body,
            Cells::Int($array) => $body,
            Cells::Float($array) => $body,
            Cells::Str($array) => $body,
            Cells::Bytes($array) => $body,
            Cells::DateTimeNaive($array) => $body,
            Cells::DateTimeUtc($array) => $body,
            Cells::Duration($array) => $body,
            Cells::Pointer($pointers) => $pointer,
            Cells::Any($values) => $any,
        }
    };
}

impl Column {
    /// A column without errors.
    pub fn new(cells: Cells) -> Self {
        Self { cells, errors: None }
    }

    /// A column with an error wherever `errors` is true.
    pub fn with_errors(cells: Cells, errors: Option<BooleanBuffer>) -> Self {
        let column = Self {
            cells,
            errors: errors.filter(|errors| errors.count_set_bits() > 0),
        };
        assert!(
            column.errors.as_ref().is_none_or(|errors| errors.len() == column.len()),
            "an error mask is as long as its column"
        );
        column
    }

    /// The same cells with errors also where `errors` is true.
    pub fn masked(&self, errors: Option<&BooleanBuffer>) -> Self {
        let errors = match (&self.errors, errors) {
            (None, None) => None,
            (Some(errors), None) | (None, Some(errors)) => Some(errors.clone()),
            (Some(a), Some(b)) => Some(a | b),
        };
        Self::with_errors(self.cells.clone(), errors)
    }

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

    /// A column of keys.
    pub fn pointers(keys: Shared<Key>) -> Self {
        Self::new(Cells::Pointer(PointerArray::new(keys, None)))
    }

    /// The cells.
    pub fn cells(&self) -> &Cells {
        &self.cells
    }

    /// Where the errors are, if there are any.
    pub fn errors(&self) -> Option<&BooleanBuffer> {
        self.errors.as_ref()
    }

    /// Arrow's validity of the cells, if any may be `None`; not for [`Cells::Any`], which holds `Value::None`.
    pub fn nulls(&self) -> Option<&NullBuffer> {
        for_arrow!(&self.cells, array => array.nulls(), pointer pointers => pointers.nulls.as_ref(), any _values => None)
    }

    /// How the column is laid out.
    pub fn physical(&self) -> Physical {
        match &self.cells {
            Cells::Bool(_) => Physical::Bool,
            Cells::Int(_) => Physical::Int,
            Cells::Float(_) => Physical::Float,
            Cells::Str(_) => Physical::Str,
            Cells::Bytes(_) => Physical::Bytes,
            Cells::Pointer(_) => Physical::Pointer,
            Cells::DateTimeNaive(_) => Physical::DateTimeNaive,
            Cells::DateTimeUtc(_) => Physical::DateTimeUtc,
            Cells::Duration(_) => Physical::Duration,
            Cells::Any(_) => Physical::Any,
        }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        for_arrow!(&self.cells, array => array.len(), pointer pointers => pointers.values.len(), any values => values.len())
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the cell is an error.
    #[inline]
    pub fn is_error(&self, row: usize) -> bool {
        self.errors.as_ref().is_some_and(|errors| errors.value(row))
    }

    /// Whether the cell is `None`. An error is not.
    #[inline]
    pub fn is_none(&self, row: usize) -> bool {
        match &self.cells {
            Cells::Any(values) => values[row].is_none() && !self.is_error(row),
            _ => self.nulls().is_some_and(|nulls| nulls.is_null(row)) && !self.is_error(row),
        }
    }

    /// The cell as a value.
    pub fn value(&self, row: usize) -> Value {
        if self.is_error(row) {
            return Value::Error;
        }
        if self.is_none(row) {
            return Value::None;
        }
        match &self.cells {
            Cells::Bool(array) => Value::Bool(array.value(row)),
            Cells::Int(array) => Value::Int(array.value(row)),
            Cells::Float(array) => Value::Float(array.value(row)),
            Cells::Str(array) => Value::str(array.value(row)),
            Cells::Bytes(array) => Value::Bytes(array.value(row).into()),
            Cells::Pointer(array) => Value::Pointer(array.values[row]),
            Cells::DateTimeNaive(array) => Value::DateTimeNaive(array.value(row)),
            Cells::DateTimeUtc(array) => Value::DateTimeUtc(array.value(row)),
            Cells::Duration(array) => Value::Duration(array.value(row)),
            Cells::Any(values) => values[row].clone(),
        }
    }

    /// The cells as values, first to last.
    pub fn values(&self) -> impl Iterator<Item = Value> + '_ {
        (0..self.len()).map(|row| self.value(row))
    }

    /// Whether the cells of two rows, perhaps of two columns, are equal; errors and `None`s equal themselves.
    pub fn cell_eq(&self, row: usize, other: &Column, other_row: usize) -> bool {
        let plain =
            !self.is_error(row) && !other.is_error(other_row) && !self.is_none(row) && !other.is_none(other_row);
        if plain {
            match (&self.cells, &other.cells) {
                (Cells::Int(a), Cells::Int(b)) => return a.value(row) == b.value(other_row),
                (Cells::Str(a), Cells::Str(b)) => return a.value(row) == b.value(other_row),
                (Cells::Bool(a), Cells::Bool(b)) => return a.value(row) == b.value(other_row),
                (Cells::Pointer(a), Cells::Pointer(b)) => return a.values[row] == b.values[other_row],
                (Cells::Any(a), Cells::Any(b)) => return a[row] == b[other_row],
                _ => {}
            }
        }
        self.value(row) == other.value(other_row)
    }

    /// The window of `len` rows from `start`.
    pub fn slice(&self, start: usize, len: usize) -> Self {
        let cells = match &self.cells {
            Cells::Bool(array) => Cells::Bool(array.slice(start, len)),
            Cells::Int(array) => Cells::Int(array.slice(start, len)),
            Cells::Float(array) => Cells::Float(array.slice(start, len)),
            Cells::Str(array) => Cells::Str(array.slice(start, len)),
            Cells::Bytes(array) => Cells::Bytes(array.slice(start, len)),
            Cells::DateTimeNaive(array) => Cells::DateTimeNaive(array.slice(start, len)),
            Cells::DateTimeUtc(array) => Cells::DateTimeUtc(array.slice(start, len)),
            Cells::Duration(array) => Cells::Duration(array.slice(start, len)),
            Cells::Pointer(array) => Cells::Pointer(PointerArray {
                values: array.values.slice(start, len),
                nulls: array.nulls.as_ref().map(|nulls| nulls.slice(start, len)),
            }),
            Cells::Any(values) => Cells::Any(values.slice(start, len)),
        };
        Self::with_errors(cells, self.errors.as_ref().map(|errors| errors.slice(start, len)))
    }

    /// The rows at `indices`, in that order.
    pub fn take(&self, indices: &UInt32Array) -> Self {
        let indices_slice = indices.values();
        let cells = match &self.cells {
            Cells::Pointer(array) => Cells::Pointer(PointerArray {
                values: indices_slice.iter().map(|i| array.values[*i as usize]).collect(),
                nulls: array
                    .nulls
                    .as_ref()
                    .map(|nulls| indices_slice.iter().map(|i| nulls.is_valid(*i as usize)).collect()),
            }),
            Cells::Any(values) => Cells::Any(indices_slice.iter().map(|i| values[*i as usize].clone()).collect()),
            // A check of the bounds would cost as much as the work; callers make the indices from lengths.
            arrow => Cells::from_arrow(
                self.physical(),
                arrow_select::take::take(arrow.as_arrow(), indices, None).expect("indices lie within the column"),
            ),
        };
        let errors = self
            .errors
            .as_ref()
            .map(|errors| BooleanBuffer::collect_bool(indices.len(), |row| errors.value(indices_slice[row] as usize)));
        Self::with_errors(cells, errors)
    }

    /// The rows where `mask` is true.
    pub fn filter(&self, mask: &BooleanBuffer) -> Self {
        let chosen = || mask.set_indices();
        let cells = match &self.cells {
            Cells::Pointer(array) => Cells::Pointer(PointerArray {
                values: chosen().map(|i| array.values[i]).collect(),
                nulls: array
                    .nulls
                    .as_ref()
                    .map(|nulls| chosen().map(|i| nulls.is_valid(i)).collect()),
            }),
            Cells::Any(values) => Cells::Any(chosen().map(|i| values[i].clone()).collect()),
            arrow => Cells::from_arrow(
                self.physical(),
                arrow_select::filter::filter(arrow.as_arrow(), &BooleanArray::new(mask.clone(), None))
                    .expect("a mask is as long as its column"),
            ),
        };
        let errors = self
            .errors
            .as_ref()
            .map(|errors| chosen().map(|i| errors.value(i)).collect());
        Self::with_errors(cells, errors)
    }

    /// Columns of one layout, one after another.
    pub fn concat(columns: &[&Column]) -> Self {
        let [first, rest @ ..] = columns else {
            return Self::empty(Physical::Any);
        };
        if rest.is_empty() {
            return (*first).clone();
        }
        let len = columns.iter().map(|column| column.len()).sum();
        let physical = first.physical();
        let cells = if columns.iter().any(|column| column.physical() != physical) {
            Cells::Any(columns.iter().flat_map(|column| column.values()).collect())
        } else {
            match &first.cells {
                Cells::Pointer(_) => {
                    let mut values = Vec::with_capacity(len);
                    let mut valid = Vec::with_capacity(len);
                    for column in columns {
                        if let Cells::Pointer(array) = &column.cells {
                            values.extend_from_slice(&array.values);
                            valid.extend((0..array.values.len()).map(|row| !column.is_none(row)));
                        }
                    }
                    let nulls = valid.contains(&false).then(|| NullBuffer::from(valid));
                    Cells::Pointer(PointerArray::new(values.into(), nulls))
                }
                Cells::Any(_) => Cells::Any(
                    columns
                        .iter()
                        .flat_map(|column| match &column.cells {
                            Cells::Any(values) => values.to_vec(),
                            _ => Vec::new(),
                        })
                        .collect(),
                ),
                _ => {
                    let arrays: Vec<&dyn Array> = columns.iter().map(|column| column.cells.as_arrow()).collect();
                    Cells::from_arrow(
                        physical,
                        arrow_select::concat::concat(&arrays).expect("the columns are of one layout"),
                    )
                }
            }
        };
        let errors = columns.iter().any(|column| column.errors.is_some()).then(|| {
            columns
                .iter()
                .flat_map(|column| (0..column.len()).map(|row| column.is_error(row)))
                .collect()
        });
        Self::with_errors(cells, errors)
    }

    /// The column in the layout of `dtype`: `int` becomes `float`, everything becomes `Any`.
    /// A cell that does not fit becomes an error.
    pub fn with_layout_of(&self, dtype: &DType) -> Self {
        let physical = dtype.physical();
        if self.physical() == physical {
            return self.clone();
        }
        if let (Cells::Int(array), Physical::Float) = (&self.cells, physical) {
            let floats: Float64Array = array.unary(|value| value as f64);
            return Self::with_errors(Cells::Float(floats), self.errors.clone());
        }
        let mut builder = ColumnBuilder::with_physical(physical);
        for value in self.values() {
            builder.push(&value);
        }
        builder.finish()
    }

    /// A rough count of the bytes the cells take, for limits on memory.
    pub fn bytes(&self) -> usize {
        for_arrow!(&self.cells,
            array => match self.physical() {
                // The data of views is shared between slices; count what these views refer to.
                Physical::Str | Physical::Bytes => array.len() * 16 + self.view_bytes(),
                Physical::Bool => array.len().div_ceil(8),
                _ => array.len() * 8,
            },
            pointer pointers => pointers.values.len() * 16,
            any values => values.iter().map(value_bytes).sum())
    }

    fn view_bytes(&self) -> usize {
        let long = |view: &u128| {
            let len = *view as u32 as usize;
            if len > 12 { len } else { 0 }
        };
        match &self.cells {
            Cells::Str(array) => array.views().iter().map(long).sum(),
            Cells::Bytes(array) => array.views().iter().map(long).sum(),
            _ => 0,
        }
    }
}

fn value_bytes(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::Str(text) => text.len(),
            Value::Bytes(data) => data.len(),
            Value::Tuple(items) => items.iter().map(value_bytes).sum(),
            Value::IntArray(array) => array.elements.len() * 8,
            Value::FloatArray(array) => array.elements.len() * 8,
            Value::Json(document) => json_bytes(document),
            _ => 0,
        }
}

fn json_bytes(document: &serde_json::Value) -> usize {
    32 + match document {
        serde_json::Value::String(text) => text.len(),
        serde_json::Value::Array(items) => items.iter().map(json_bytes).sum(),
        serde_json::Value::Object(members) => members.iter().map(|(name, value)| name.len() + json_bytes(value)).sum(),
        _ => 0,
    }
}

impl Cells {
    /// The Arrow array, of a layout that has one.
    ///
    /// # Panics
    /// For pointers and `Any`, which Arrow does not know.
    pub fn as_arrow(&self) -> &dyn Array {
        for_arrow!(self, array => array, pointer _pointers => panic!("pointers are no Arrow array"), any _values => panic!("values are no Arrow array"))
    }

    /// The cells of an Arrow array of exactly the type of the layout.
    ///
    /// # Panics
    /// For an array of another type.
    pub fn from_arrow(physical: Physical, array: Arc<dyn Array>) -> Self {
        let any = array.as_any();
        let cells = match physical {
            Physical::Bool => any.downcast_ref().cloned().map(Cells::Bool),
            Physical::Int => any.downcast_ref().cloned().map(Cells::Int),
            Physical::Float => any.downcast_ref().cloned().map(Cells::Float),
            Physical::Str => any.downcast_ref().cloned().map(Cells::Str),
            Physical::Bytes => any.downcast_ref().cloned().map(Cells::Bytes),
            Physical::DateTimeNaive => any.downcast_ref().cloned().map(Cells::DateTimeNaive),
            Physical::DateTimeUtc => any.downcast_ref().cloned().map(Cells::DateTimeUtc),
            Physical::Duration => any.downcast_ref().cloned().map(Cells::Duration),
            Physical::Pointer | Physical::Any => None,
        };
        cells.unwrap_or_else(|| panic!("an Arrow array of type {} is no {physical:?}", array.data_type()))
    }
}

impl Physical {
    /// The Arrow type of the layout, where it has one.
    pub fn arrow(self) -> Option<DataType> {
        Some(match self {
            Physical::Bool => DataType::Boolean,
            Physical::Int => DataType::Int64,
            Physical::Float => DataType::Float64,
            Physical::Str => DataType::Utf8View,
            Physical::Bytes => DataType::BinaryView,
            Physical::DateTimeNaive | Physical::DateTimeUtc => DataType::Timestamp(TimeUnit::Nanosecond, None),
            Physical::Duration => DataType::Duration(TimeUnit::Nanosecond),
            Physical::Pointer | Physical::Any => return None,
        })
    }

    /// Cells that are all `None`.
    pub fn nones(self, len: usize) -> Column {
        let mut builder = ColumnBuilder::with_physical(self);
        for _ in 0..len {
            builder.push_none();
        }
        builder.finish()
    }

    /// No cells.
    pub fn no_cells(self) -> Cells {
        match self.arrow() {
            Some(data_type) => Cells::from_arrow(self, new_empty_array(&data_type)),
            None if self == Physical::Pointer => Cells::Pointer(PointerArray::new(Shared::default(), None)),
            None => Cells::Any(Shared::default()),
        }
    }
}

impl PartialEq for Column {
    /// Whether all cells are equal; the layouts may differ.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && (0..self.len()).all(|row| self.cell_eq(row, other, row))
    }
}
