//! Columns of numbers of any width.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, Float64Array, Int64Array};
use arrow_schema::DataType;

/// Whole numbers and bools, and null where one does not fit; nothing for an array of another type.
pub(super) fn ints(array: &ArrayRef) -> Option<Int64Array> {
    use DataType as T;
    macro_rules! ints {
        ($of:ty) => {
            array
                .as_primitive_opt::<$of>()?
                .unary_opt::<_, Int64Type>(|value| value.try_into().ok())
        };
    }
    Some(match array.data_type() {
        T::Boolean => array
            .as_boolean_opt()?
            .iter()
            .map(|value| value.map(i64::from))
            .collect(),
        T::Int8 => ints!(Int8Type),
        T::Int16 => ints!(Int16Type),
        T::Int32 => ints!(Int32Type),
        T::Int64 => array.as_primitive_opt::<Int64Type>()?.clone(),
        T::UInt8 => ints!(UInt8Type),
        T::UInt16 => ints!(UInt16Type),
        T::UInt32 => ints!(UInt32Type),
        T::UInt64 => ints!(UInt64Type),
        _ => return None,
    })
}

/// Numbers and bools, the nearest float to each; nothing for an array of another type.
pub(super) fn floats(array: &ArrayRef) -> Option<Float64Array> {
    use DataType as T;
    macro_rules! floats {
        ($of:ty) => {
            array
                .as_primitive_opt::<$of>()?
                .unary::<_, Float64Type>(f64::from)
        };
    }
    Some(match array.data_type() {
        T::Float16 => floats!(Float16Type),
        T::Float32 => floats!(Float32Type),
        T::Float64 => array.as_primitive_opt::<Float64Type>()?.clone(),
        T::UInt64 => array
            .as_primitive_opt::<UInt64Type>()?
            .unary::<_, Float64Type>(|value| value as f64),
        _ => ints(array)?.unary::<_, Float64Type>(|value| value as f64),
    })
}
