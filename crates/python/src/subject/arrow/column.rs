//! Whole columns of Arrow.
//!
//! A column of a type that never fits is an error at once; in one that may fit, the rows are refused whose values do
//! not. Numbers, moments and texts are checked as a whole first, and one by one only where that fails.

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BinaryViewArray, Float64Array, GenericStringArray, OffsetSizeTrait, StringViewArray,
};
use arrow_buffer::{Buffer, OffsetBuffer};
use arrow_cast::CastOptions;
use arrow_schema::{ArrowError, DataType};
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use towpath_types::{Cells, Column, ColumnBuilder, DType, Field, Physical, Value};

use super::cell;
use super::data_types::{is_decimal, steps};
use super::import::Imported;
use super::refusal::unreadable;

/// The values that are not accepted: their rows, and why.
type Refused = Vec<(usize, PyErr)>;

fn wrong(error: &ArrowError) -> PyErr {
    unreadable(&error.to_string())
}

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
    let (data_type, array) = match (&given.data_type, given.array.data_type()) {
        (DataType::Dictionary(_, values), DataType::Dictionary(_, stored)) => {
            let array = arrow_cast::cast(&given.array, stored).map_err(|error| wrong(&error))?;
            (&**values, array)
        }
        (DataType::RunEndEncoded(_, values), DataType::RunEndEncoded(_, stored)) => {
            let array = arrow_cast::cast(&given.array, stored.data_type()).map_err(|error| wrong(&error))?;
            (values.data_type(), array)
        }
        (data_type, _) => (data_type, given.array.clone()),
    };
    let physical = field.dtype.physical();
    if matches!(data_type, DataType::Null) {
        refuse_nulls(field, &array, |_| true, refused);
        return Ok(physical.nones(array.len()));
    }
    if !is_accepted(physical, data_type) {
        return Err(PyTypeError::new_err(format!(
            "column {:?} is {data_type} in the arrow data, which cannot be taken as {}",
            field.name, field.dtype
        )));
    }
    if physical.arrow().is_none() || is_decimal(data_type) {
        return Ok(cells(field, data_type, &array, refused));
    }
    let is_nan = is_pandas && field.dtype == DType::Float && data_type.is_floating();
    if !is_nan {
        refuse_nulls(field, &array, |row| array.is_null(row), refused);
    }
    match physical {
        Physical::Str => checked_text(data_type, &array, refused),
        Physical::DateTimeNaive | Physical::DateTimeUtc | Physical::Duration => {
            Ok(moments(field, data_type, &array, refused))
        }
        _ => {
            let column = plain(field, &array, refused)?;
            Ok(if is_nan { with_nans(column) } else { column })
        }
    }
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

/// Numbers and bytes.
fn plain(field: &Field, array: &ArrayRef, refused: &mut Refused) -> PyResult<Column> {
    let physical = field.dtype.physical();
    let Some(target) = physical.arrow() else {
        return Err(unreadable("there is no such layout"));
    };
    // What does not fit becomes null.
    let options = CastOptions {
        safe: true,
        ..CastOptions::default()
    };
    let cast = arrow_cast::cast_with_options(array, &target, &options).map_err(|error| wrong(&error))?;
    if cast.null_count() > array.logical_null_count() {
        for row in (0..array.len()).filter(|row| cast.is_null(*row) && !array.is_null(*row)) {
            let message = format!(
                "a value of type {} does not fit into {}",
                array.data_type(),
                field.dtype
            );
            refused.push((row, PyOverflowError::new_err(message)));
        }
    }
    Ok(Column::new(Cells::from_arrow(physical, cast)))
}

/// Floats with NaN in the place of nulls.
fn with_nans(column: Column) -> Column {
    match column.cells() {
        Cells::Float(array) if array.null_count() > 0 => {
            let values = array.iter().map(|value| value.unwrap_or(f64::NAN));
            Column::new(Cells::Float(Float64Array::from_iter_values(values)))
        }
        _ => column,
    }
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
fn checked_text(data_type: &DataType, array: &ArrayRef, refused: &mut Refused) -> PyResult<Column> {
    let whole = match data_type {
        DataType::Utf8 => whole_text::<i32>(array).map(|text| StringViewArray::from(&text)),
        DataType::LargeUtf8 => whole_text::<i64>(array).map(|text| StringViewArray::from(&text)),
        _ => None,
    };
    if let Some(text) = whole {
        // Short texts are in their views, and do not need the buffer.
        let size: usize = text.data_buffers().iter().map(Buffer::len).sum();
        let is_sparse = text.total_buffer_bytes_used() < size / 2;
        return Ok(Column::new(Cells::Str(if is_sparse { text.gc() } else { text })));
    }
    let bytes = arrow_cast::cast(array, &DataType::BinaryView).map_err(|error| wrong(&error))?;
    let bytes: &BinaryViewArray = bytes
        .as_binary_view_opt()
        .ok_or_else(|| unreadable("a text has no bytes"))?;
    let mut builder = ColumnBuilder::with_physical(Physical::Str);
    for (row, bytes) in bytes.iter().enumerate() {
        match bytes.map(std::str::from_utf8) {
            Some(Ok(text)) => builder.push_str(text),
            Some(Err(error)) => {
                refused.push((row, PyValueError::new_err(format!("no valid UTF-8: {error}"))));
                builder.push_none();
            }
            None => builder.push_none(),
        }
    }
    Ok(builder.finish())
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
