//! Whole columns of Arrow.
//!
//! A column of a type that never fits is an error at once; in one that may fit, the rows are refused whose values do
//! not. Numbers, moments and texts are checked as a whole first, and one by one only where that fails.

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, Float64Array, GenericStringArray, Int64Array, OffsetSizeTrait, StringViewArray};
use arrow_buffer::{Buffer, OffsetBuffer};
use arrow_schema::DataType;
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use towpath_types::{Cells, Column, ColumnBuilder, DType, Field, Physical, Value};

use super::data_types::{is_decimal, steps};
use super::import::Imported;
use super::references::{Referred, values_of};
use super::refusal::unreadable;
use super::{cell, numbers};

/// The values that are not accepted: their rows, and why.
type Refused = Vec<(usize, PyErr)>;

/// Whether values of an Arrow type are accepted for a layout, by the rules of `next`.
fn is_accepted(physical: Physical, data_type: &DataType) -> bool {
    use DataType as T;
    match physical {
        Physical::Bool => matches!(data_type, T::Boolean),
        Physical::Int => data_type.is_integer() || matches!(data_type, T::Boolean),
        Physical::Float => data_type.is_numeric() || matches!(data_type, T::Boolean),
        Physical::Str => matches!(data_type, T::Utf8 | T::LargeUtf8 | T::Utf8View),
        Physical::Bytes => matches!(
            data_type,
            T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_)
        ),
        Physical::DateTimeNaive => matches!(data_type, T::Timestamp(_, None)),
        Physical::DateTimeUtc => matches!(data_type, T::Timestamp(_, Some(_))),
        Physical::Duration => matches!(data_type, T::Duration(_)),
        Physical::Pointer | Physical::Any => true,
    }
}

/// A column of the field's type. Of pandas, a null among floats is a NaN, unless the field may be None.
pub(super) fn column(field: &Field, given: &Imported, is_pandas: bool, refused: &mut Refused) -> PyResult<Column> {
    let data_type = values_of(&given.data_type).unwrap_or(&given.data_type);
    let physical = field.dtype.physical();
    if matches!(data_type, DataType::Null) && field.dtype != DType::Json {
        refuse_nulls(field, &given.array, |_| true, refused);
        return Ok(physical.nones(given.array.len()));
    }
    if !is_accepted(physical, data_type) {
        return Err(PyTypeError::new_err(format!(
            "column {:?} is {data_type} in the arrow data, which cannot be taken as {}",
            field.name, field.dtype
        )));
    }
    if physical.arrow().is_none() || is_decimal(data_type) {
        return Ok(cells(field, &given.data_type, &given.array, refused));
    }
    let Some(referred) = Referred::of(&given.array) else {
        return of_type(field, data_type, &given.array, is_pandas, refused);
    };
    let Referred { values, positions } = referred.map_err(|error| unreadable(&error.to_string()))?;
    let Some(positions) = positions else {
        return of_type(field, data_type, &values, is_pandas, refused);
    };
    let mut wrong = Refused::new();
    let column = of_type(field, data_type, &values, is_pandas, &mut wrong)?;
    refuse_references(&positions, wrong, refused);
    Ok(column.take(&positions))
}

/// Refuses the rows that refer to values that are refused.
fn refuse_references(rows: &[u32], wrong: Refused, refused: &mut Refused) {
    let wrong: HashMap<usize, PyErr> = wrong.into_iter().collect();
    if wrong.is_empty() {
        return;
    }
    Python::attach(|py| {
        for (row, value) in rows.iter().enumerate() {
            if let Some(error) = wrong.get(&(*value as usize)) {
                refused.push((row, error.clone_ref(py)));
            }
        }
    });
}

/// A column of a layout that Arrow has as well.
fn of_type(
    field: &Field,
    data_type: &DataType,
    array: &ArrayRef,
    is_pandas: bool,
    refused: &mut Refused,
) -> PyResult<Column> {
    let is_nan = is_pandas && field.dtype == DType::Float && data_type.is_floating();
    if !is_nan {
        refuse_nulls(field, array, |row| array.is_null(row), refused);
    }
    match field.dtype.physical() {
        Physical::Str => Ok(texts(data_type, array, refused)),
        Physical::DateTimeNaive | Physical::DateTimeUtc | Physical::Duration => {
            Ok(moments(field, data_type, array, refused))
        }
        Physical::Float => {
            let floats = numbers::floats(array).ok_or_else(|| misnamed(data_type))?;
            Ok(Column::new(Cells::Float(if is_nan {
                with_nans(floats)
            } else {
                floats
            })))
        }
        Physical::Int => {
            let ints = numbers::ints(array).ok_or_else(|| misnamed(data_type))?;
            refuse_too_large(field, array, &ints, refused);
            Ok(Column::new(Cells::Int(ints)))
        }
        Physical::Bool => {
            let bools = array.as_boolean_opt().ok_or_else(|| misnamed(data_type))?;
            Ok(Column::new(Cells::Bool(bools.clone())))
        }
        _ => Ok(bytes(array)),
    }
}

/// What says that it is of a type, and is not.
fn misnamed(data_type: &DataType) -> PyErr {
    unreadable(&format!("what is said to be {data_type} is not"))
}

fn refuse_nulls(field: &Field, array: &ArrayRef, is_null: impl Fn(usize) -> bool, refused: &mut Refused) {
    if field.dtype.is_optional() || field.dtype == DType::Json || array.logical_null_count() == 0 {
        return;
    }
    for row in (0..array.len()).filter(|row| is_null(*row)) {
        let message = format!(
            "cannot take null as {}; declare the column as optional if it may be None",
            field.dtype
        );
        refused.push((row, PyTypeError::new_err(message)));
    }
}

/// Refuses the numbers in whose place there is a null.
fn refuse_too_large(field: &Field, array: &ArrayRef, ints: &Int64Array, refused: &mut Refused) {
    if ints.null_count() == array.null_count() {
        return;
    }
    for row in (0..array.len()).filter(|row| ints.is_null(*row) && !array.is_null(*row)) {
        let message = format!(
            "a value of type {} does not fit into {}",
            array.data_type(),
            field.dtype
        );
        refused.push((row, PyOverflowError::new_err(message)));
    }
}

/// NaN in the place of nulls.
fn with_nans(floats: Float64Array) -> Float64Array {
    if floats.null_count() == 0 {
        return floats;
    }
    Float64Array::from_iter_values(floats.iter().map(|value| value.unwrap_or(f64::NAN)))
}

fn bytes(array: &ArrayRef) -> Column {
    let mut builder = ColumnBuilder::with_physical(Physical::Bytes);
    for row in 0..array.len() {
        match cell::bytes(array, row) {
            Some(bytes) => builder.push_bytes(bytes),
            None => builder.push_none(),
        }
    }
    builder.finish()
}

/// Moments and durations of any unit.
fn moments(field: &Field, data_type: &DataType, array: &ArrayRef, refused: &mut Refused) -> Column {
    let physical = field.dtype.physical();
    let Some((unit, steps)) = steps(data_type, array) else {
        return physical.nones(array.len());
    };
    let is_span = physical == Physical::Duration;
    let nanoseconds = unit.all(
        steps,
        |row| array.is_null(row),
        is_span,
        |row, reason| {
            let message = format!("cannot take it as {}: {reason}", field.dtype);
            refused.push((row, PyOverflowError::new_err(message)));
        },
    );
    Column::new(Cells::of_nanoseconds(physical, nanoseconds, array.nulls().cloned()))
}

/// Cells of types without a layout of their own.
fn cells(field: &Field, data_type: &DataType, array: &ArrayRef, refused: &mut Refused) -> Column {
    let mut builder = ColumnBuilder::new(&field.dtype);
    for row in 0..array.len() {
        match cell::typed(data_type, array, row, &field.dtype) {
            Ok(value) => builder.push(&value),
            Err(message) => {
                refused.push((row, PyTypeError::new_err(message)));
                builder.push(&Value::None);
            }
        }
    }
    builder.finish()
}

/// Text of other people's making: Arrow says that it is UTF-8, which is checked before anybody relies on it.
fn texts(data_type: &DataType, array: &ArrayRef, refused: &mut Refused) -> Column {
    let whole = match data_type {
        DataType::Utf8 => whole_text::<i32>(array).map(|text| StringViewArray::from(&text)),
        DataType::LargeUtf8 => whole_text::<i64>(array).map(|text| StringViewArray::from(&text)),
        _ => None,
    };
    if let Some(text) = whole {
        // Short texts are in their views, and do not need the buffer.
        let size: usize = text.data_buffers().iter().map(Buffer::len).sum();
        let is_sparse = text.total_buffer_bytes_used() < size / 2;
        return Column::new(Cells::Str(if is_sparse { text.gc() } else { text }));
    }
    let mut builder = ColumnBuilder::with_physical(Physical::Str);
    for row in 0..array.len() {
        match cell::bytes(array, row).map(std::str::from_utf8) {
            Some(Ok(text)) => builder.push_str(text),
            Some(Err(error)) => {
                refused.push((row, PyValueError::new_err(format!("no valid UTF-8: {error}"))));
                builder.push_none();
            }
            None => builder.push_none(),
        }
    }
    builder.finish()
}

/// A copy of the text, which is checked as a whole; None if that fails, or a cell that is null has something wrong.
fn whole_text<Offset: OffsetSizeTrait>(array: &ArrayRef) -> Option<GenericStringArray<Offset>> {
    let bytes = array.as_binary_opt::<Offset>()?;
    let offsets = bytes.value_offsets();
    let (first, last) = (*offsets.first()?, *offsets.last()?);
    let copied = Buffer::from(bytes.value_data().get(first.as_usize()..last.as_usize())?);
    let moved: Vec<Offset> = offsets.iter().map(|offset| *offset - first).collect();
    GenericStringArray::try_new(OffsetBuffer::new(moved.into()), copied, bytes.nulls().cloned()).ok()
}
