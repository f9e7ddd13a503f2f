//! Values between Python and the engine: the one module that knows how each type looks on both sides.
//!
//! What is accepted for a column of a given type is the table of the connector guide: an `int` column takes
//! `int`, `bool` and numpy integers, but no `1.0`; and so on. Everything else is refused with a message that
//! says what was given and what is wanted.
//!
//! | file | |
//! |---|---|
//! | `from_python` | values for a column of a type, or of any type |
//! | `to_python` | values and cells as Python has them |
//! | `arrays`, `json`, `moments`, `object` | the types that take more than a line, both ways |
//! | `error_cell` | what an error is to Python |
//! | `missing` | what stands for None elsewhere |
//! | `parts` | what values are made of that are looked into |
//! | `units` | what moments of numpy and Arrow count |
//! | `refusal` | what is said of a value that does not fit |
//! | `modules` | what is imported, when it is first needed |

use std::sync::Arc;

use towpath_types::{DType, Value};

mod arrays;
mod error_cell;
mod from_python;
mod json;
mod missing;
mod modules;
mod moments;
mod object;
mod parts;
mod refusal;
mod to_python;
mod units;

pub(crate) use error_cell::{PyError, error_object};
pub(crate) use from_python::{convert, infer};
pub(crate) use missing::is_of_pandas;
pub(crate) use modules::numpy;
pub(crate) use object::decode as decode_object;
pub(crate) use refusal::{lossy, shown, type_name};
pub(crate) use to_python::{cell_to_python, to_python};
pub(crate) use units::Unit;

/// The type of a value.
pub(crate) fn dtype_of(value: &Value) -> DType {
    match value {
        Value::None => DType::None,
        Value::Bool(_) => DType::Bool,
        Value::Int(_) => DType::Int,
        Value::Float(_) => DType::Float,
        Value::Str(_) => DType::Str,
        Value::Bytes(_) => DType::Bytes,
        Value::Pointer(_) => DType::ANY_POINTER,
        Value::DateTimeNaive(_) => DType::DateTimeNaive,
        Value::DateTimeUtc(_) => DType::DateTimeUtc,
        Value::Duration(_) => DType::Duration,
        Value::Json(_) => DType::Json,
        Value::Tuple(items) => DType::tuple(items.iter().map(dtype_of)),
        Value::IntArray(array) => DType::Array(Some(array.shape.len()), Arc::new(DType::Int)),
        Value::FloatArray(array) => DType::Array(Some(array.shape.len()), Arc::new(DType::Float)),
        Value::Object(_) => DType::Object,
        Value::Error | Value::Pending => DType::Any,
    }
}
