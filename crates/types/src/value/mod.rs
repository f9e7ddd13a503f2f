//! One cell of a table.
//!
//! Equality, order and hash are total, so that values can be grouped and sorted:
//! `NaN` equals itself and `-0.0` equals `0.0`; values of different types are different
//! (`1`, `1.0` and `True` are three values) and are ordered by type first.

use std::any::Any;
use std::cmp::Ordering;
use std::sync::Arc;

use crate::float::canonical_float;
use crate::json::Json;
use crate::key::Key;

mod encoding;

pub(crate) use encoding::{encode_bytes, encode_value, encode_word, tag};

/// A value that the engine carries and compares but does not understand, such as a Python object.
pub trait Object: Any + Send + Sync + std::fmt::Debug {
    /// A byte string that is equal exactly for equal objects.
    fn identity(&self) -> Arc<[u8]>;
    /// What another process needs to make the object again, see [`wire`](crate::wire).
    ///
    /// # Errors
    /// Why it cannot travel.
    fn transport(&self) -> Result<Arc<[u8]>, Arc<str>> {
        Err("it stays in its process".into())
    }
    /// What files hold of the object; the same as between processes, where it can travel.
    fn stored(&self) -> Arc<[u8]> {
        self.transport().unwrap_or_else(|_| self.identity())
    }
    /// What it is, for processes that compare what they run.
    fn words(&self) -> Words {
        Words::default()
    }
    /// The concrete object, for the crate that made it.
    fn as_any(&self) -> &dyn Any;
}

/// What something of the user's is, in words that do not depend on the process: labels and texts.
#[derive(Clone, Debug, Default)]
pub struct Words {
    /// What it is called.
    pub name: String,
    /// What has to be the same everywhere.
    pub settings: Vec<(String, String)>,
    /// What should be.
    pub hints: Vec<(String, String)>,
}

/// An array with any number of dimensions, in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct NdArray<T> {
    /// The length of each dimension.
    pub shape: Arc<[usize]>,
    /// The elements; as many as the product of `shape`.
    pub elements: Arc<[T]>,
}

/// One cell of a table.
#[derive(Clone, Debug)]
pub enum Value {
    /// Python's `None`.
    None,
    /// `bool`
    Bool(bool),
    /// `int`, 64 bits
    Int(i64),
    /// `float`
    Float(f64),
    /// `str`
    Str(Arc<str>),
    /// `bytes`
    Bytes(Arc<[u8]>),
    /// The key of a row.
    Pointer(Key),
    /// Nanoseconds since 1970-01-01T00:00:00 in an unnamed time zone.
    DateTimeNaive(i64),
    /// Nanoseconds since 1970-01-01T00:00:00 UTC.
    DateTimeUtc(i64),
    /// Nanoseconds.
    Duration(i64),
    /// A JSON document.
    Json(Arc<Json>),
    /// A tuple or a list.
    Tuple(Arc<[Value]>),
    /// A numpy array of integers.
    IntArray(NdArray<i64>),
    /// A numpy array of floats.
    FloatArray(NdArray<f64>),
    /// An opaque object.
    Object(Arc<dyn Object>),
    /// The result of a computation that failed.
    Error,
    /// A result that is still being computed.
    Pending,
}

impl Value {
    /// A string value.
    pub fn str(text: &str) -> Self {
        Value::Str(text.into())
    }

    /// A tuple value.
    pub fn tuple(items: impl IntoIterator<Item = Value>) -> Self {
        Value::Tuple(items.into_iter().collect())
    }

    /// Whether the value is `None`.
    pub fn is_none(&self) -> bool {
        matches!(self, Value::None)
    }

    /// Whether the value is an error.
    pub fn is_error(&self) -> bool {
        matches!(self, Value::Error)
    }

    /// The Python name of the value's type, for messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::None => "None",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Str(_) => "str",
            Value::Bytes(_) => "bytes",
            Value::Pointer(_) => "Pointer",
            Value::DateTimeNaive(_) => "DateTimeNaive",
            Value::DateTimeUtc(_) => "DateTimeUtc",
            Value::Duration(_) => "Duration",
            Value::Json(_) => "Json",
            Value::Tuple(_) => "tuple",
            Value::IntArray(_) | Value::FloatArray(_) => "ndarray",
            Value::Object(_) => "PyObjectWrapper",
            Value::Error => "Error",
            Value::Pending => "Pending",
        }
    }

    /// Where values of this type stand among values of other types.
    fn rank(&self) -> u8 {
        match self {
            Value::None => 0,
            Value::Bool(_) => 1,
            Value::Int(_) => 2,
            Value::Float(_) => 3,
            Value::Pointer(_) => 4,
            Value::Str(_) => 5,
            Value::Bytes(_) => 6,
            Value::Tuple(_) => 7,
            Value::IntArray(_) => 8,
            Value::FloatArray(_) => 9,
            Value::DateTimeNaive(_) => 10,
            Value::DateTimeUtc(_) => 11,
            Value::Duration(_) => 12,
            Value::Json(_) => 13,
            Value::Object(_) => 14,
            Value::Pending => 15,
            Value::Error => 16,
        }
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Int(a), Value::Int(b))
            | (Value::DateTimeNaive(a), Value::DateTimeNaive(b))
            | (Value::DateTimeUtc(a), Value::DateTimeUtc(b))
            | (Value::Duration(a), Value::Duration(b)) => a.cmp(b),
            (Value::Float(a), Value::Float(b)) => canonical_float(*a).total_cmp(&canonical_float(*b)),
            (Value::Str(a), Value::Str(b)) => a.cmp(b),
            (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
            (Value::Pointer(a), Value::Pointer(b)) => a.cmp(b),
            (Value::Json(a), Value::Json(b)) => a.cmp(b),
            (Value::Tuple(a), Value::Tuple(b)) => a.cmp(b),
            (Value::IntArray(a), Value::IntArray(b)) => a.elements.cmp(&b.elements).then_with(|| a.shape.cmp(&b.shape)),
            (Value::FloatArray(a), Value::FloatArray(b)) => a
                .elements
                .iter()
                .map(|x| Value::Float(*x))
                .cmp(b.elements.iter().map(|x| Value::Float(*x)))
                .then_with(|| a.shape.cmp(&b.shape)),
            (Value::Object(a), Value::Object(b)) => a.identity().cmp(&b.identity()),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Value::Float(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::str(value)
    }
}

impl From<Key> for Value {
    fn from(value: Key) -> Self {
        Value::Pointer(value)
    }
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Value::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_different_types_differ() {
        assert_ne!(Value::from(1), Value::from(1.0));
        assert_ne!(Value::from(1), Value::from(true));
    }

    #[test]
    fn nan_equals_itself_and_the_zeros_are_one() {
        assert_eq!(Value::from(f64::NAN), Value::from(-f64::NAN));
        assert_eq!(Value::from(0.0), Value::from(-0.0));
    }
}
