//! The layouts of cells: Arrow's arrays, and two of our own.

use arrow_array::{
    BinaryViewArray, BooleanArray, DurationNanosecondArray, Float64Array, Int64Array, StringViewArray,
    TimestampNanosecondArray,
};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, TimeUnit};

use crate::dtype::Physical;
use crate::key::Key;
use crate::shared::Shared;
use crate::value::Value;

/// Keys with Arrow's validity.
#[derive(Clone, Debug)]
pub struct PointerArray {
    pub(super) values: Shared<Key>,
    pub(super) nulls: Option<NullBuffer>,
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

pub(super) use for_arrow;

impl Cells {
    /// The cells of a layout that counts nanoseconds.
    ///
    /// # Panics
    /// For another layout.
    pub fn of_nanoseconds(physical: Physical, nanoseconds: Vec<i64>, nulls: Option<NullBuffer>) -> Self {
        match physical {
            Physical::DateTimeNaive => Cells::DateTimeNaive(TimestampNanosecondArray::new(nanoseconds.into(), nulls)),
            Physical::DateTimeUtc => Cells::DateTimeUtc(TimestampNanosecondArray::new(nanoseconds.into(), nulls)),
            Physical::Duration => Cells::Duration(DurationNanosecondArray::new(nanoseconds.into(), nulls)),
            other => panic!("{other:?} counts no nanoseconds"),
        }
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
}
