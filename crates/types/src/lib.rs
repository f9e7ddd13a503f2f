//! What a value is: data types, values, keys, columns and batches.
//!
//! Nothing here knows of dataflow, input or output. The rooms, in reading order:
//! a [`Value`] is one cell of a table, a [`DType`] says which values a column may
//! hold, a [`Key`] names a row, a [`Column`] holds the cells of many rows, a
//! [`Batch`] is what travels: keys, columns and differences.

mod batch;
mod column;
mod dtype;
mod float;
mod json;
mod key;
mod key_tables;
pub mod scan;
mod schema;
mod shared;
mod text;
mod value;
mod views;
pub mod wire;

pub use batch::Batch;
pub use column::{Cells, Column, ColumnBuilder, PointerArray, encode_rows, hash_columns};
pub use dtype::{DType, Physical};
pub use json::{DIGITS, Json, JsonError, JsonMembers, NESTING, Object as JsonObject};
pub use key::{Key, KeyParseError};
pub use key_tables::{BuildKeyHasher, DistinctKeys, KeyHasher};
pub use schema::{Field, Schema};
pub use shared::Shared;
pub use text::{date_time_text, json_text, non_finite, non_finite_text, write_json_string};
pub use value::{NdArray, Object, Value, Words};
pub use views::Texts;

/// A moment of the computation. Times are even unix milliseconds; static input has time 0.
pub type Time = u64;
