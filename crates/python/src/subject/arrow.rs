//! `next_arrow`: whatever speaks Arrow's C data interface, such as pyarrow, polars, pandas and duckdb.

use std::ffi::CStr;
use std::sync::Arc;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow_array::ffi_stream::{FFI_ArrowArrayStream, RecordBatchStreamReader};
use arrow_array::types::{ByteArrayType, GenericBinaryType};
use arrow_array::{
    Array, ArrayRef, BinaryViewArray, GenericBinaryArray, GenericStringArray, OffsetSizeTrait, RecordBatch,
    RecordBatchReader, StringViewArray, StructArray,
};
use arrow_buffer::{Buffer, OffsetBuffer};
use arrow_cast::CastOptions;
use arrow_schema::{ArrowError, DataType, TimeUnit};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyCapsuleMethods, PyTuple};
use towpath_types::{Cells, Column, ColumnBuilder, DType, Field, Physical, Value};

use super::Subject;
use super::batches::{absent_column, take_columns};
use super::buffer::warn_of_extra;
use super::next::check_stopping;

fn arrow_error(error: &ArrowError) -> PyErr {
    PyValueError::new_err(format!("the arrow data cannot be read: {error}"))
}

fn capsule<'py>(object: &Bound<'py, PyAny>, name: &CStr) -> PyResult<Bound<'py, PyCapsule>> {
    let capsule = object.cast::<PyCapsule>()?.clone();
    if !capsule.is_valid_checked(Some(name)) {
        return Err(PyTypeError::new_err(format!(
            "the capsule is no {}",
            name.to_string_lossy()
        )));
    }
    Ok(capsule)
}

/// Calls `take` with every record batch of `data`.
fn for_each_batch(data: &Bound<'_, PyAny>, mut take: impl FnMut(RecordBatch) -> PyResult<()>) -> PyResult<()> {
    if let Some(stream) = data.getattr_opt("__arrow_c_stream__")? {
        let capsule = capsule(&stream.call0()?, c"arrow_array_stream")?;
        let pointer = capsule
            .pointer_checked(Some(c"arrow_array_stream"))?
            .cast::<FFI_ArrowArrayStream>();
        #[expect(unsafe_code, reason = "the Arrow C stream interface")]
        // SAFETY: the capsule holds a stream, as its name says, and `from_raw` takes it out of it.
        let stream = unsafe { FFI_ArrowArrayStream::from_raw(pointer.as_ptr()) };
        let reader = RecordBatchStreamReader::try_new(stream).map_err(|error| arrow_error(&error))?;
        let schema = reader.schema();
        for batch in reader {
            let batch = batch.map_err(|error| arrow_error(&error))?;
            debug_assert_eq!(batch.schema(), schema);
            take(batch)?;
        }
        return Ok(());
    }
    if let Some(array) = data.getattr_opt("__arrow_c_array__")? {
        let pair = array.call0()?;
        let pair = pair.cast::<PyTuple>()?;
        let schema = capsule(&pair.get_item(0)?, c"arrow_schema")?;
        let array = capsule(&pair.get_item(1)?, c"arrow_array")?;
        let schema = schema.pointer_checked(Some(c"arrow_schema"))?.cast::<FFI_ArrowSchema>();
        let array = array.pointer_checked(Some(c"arrow_array"))?.cast::<FFI_ArrowArray>();
        #[expect(unsafe_code, reason = "the Arrow C data interface")]
        // SAFETY: the capsules hold a schema and an array, as their names say; the array is taken out of its
        // capsule, the schema is only read.
        let data = unsafe { from_ffi(FFI_ArrowArray::from_raw(array.as_ptr()), schema.as_ref()) };
        let data = data.map_err(|error| arrow_error(&error))?;
        if !matches!(data.data_type(), DataType::Struct(_)) {
            return Err(PyTypeError::new_err(format!(
                "next_arrow takes a table or a record batch, not one array of type {}",
                data.data_type()
            )));
        }
        let rows = StructArray::from(data);
        if rows.null_count() > 0 {
            return Err(PyValueError::new_err(
                "a row of the arrow data is null as a whole; rows are structs of columns",
            ));
        }
        return take(RecordBatch::from(rows));
    }
    Err(PyTypeError::new_err(format!(
        "next_arrow takes what has __arrow_c_stream__ or __arrow_c_array__ (pyarrow, polars, pandas, duckdb), not {}",
        crate::value::type_name(data)
    )))
}

/// Fewer rows are converted with the interpreter's lock: to give it up and get it back is not free, and another thread that
/// computes may keep it for some milliseconds.
const ROWS_WITHOUT_THE_LOCK: usize = 1 << 10;

/// The body of `next_arrow`.
pub(super) fn next_arrow(subject: &Bound<'_, Subject>, data: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = data.py();
    let ingest = subject.get().ingest(py)?;
    check_stopping(py, ingest)?;
    for_each_batch(data, |batch| {
        check_stopping(py, ingest)?;
        let rows = batch.num_rows();
        let schema = batch.schema();
        for (place, field) in schema.fields().iter().enumerate() {
            if ingest.field_named(field.name()).is_none() {
                warn_of_extra(py, ingest, field.name())?;
            } else if schema.fields()[..place]
                .iter()
                .any(|before| before.name() == field.name())
            {
                let message = format!("the arrow data has two columns called {:?}", field.name());
                return Err(PyValueError::new_err(message));
            }
        }
        let mut errors = Vec::new();
        let mut convert = || {
            let fields = ingest.fields.iter().enumerate();
            let columns = fields.map(|(place, field)| match batch.column_by_name(&field.name) {
                Some(array) => column(field, place, array, &mut errors),
                None => Ok(absent_column(field, rows, place, &mut errors)),
            });
            columns.collect::<PyResult<Vec<_>>>()
        };
        // Other threads go on meanwhile, those of other partitions among them.
        let columns = if rows < ROWS_WITHOUT_THE_LOCK {
            convert()
        } else {
            py.detach(convert)
        };
        take_columns(py, ingest, columns?, rows, errors)
    })
}

/// Whether values of an Arrow type are accepted for a layout, by the rules of `next`.
fn is_accepted(physical: Physical, data_type: &DataType) -> bool {
    use DataType as T;
    match physical {
        Physical::Bool => matches!(data_type, T::Boolean),
        Physical::Int => data_type.is_integer() || matches!(data_type, T::Boolean),
        Physical::Float => data_type.is_numeric() && !matches!(data_type, T::Decimal128(..) | T::Decimal256(..)),
        Physical::Str => matches!(data_type, T::Utf8 | T::LargeUtf8 | T::Utf8View),
        Physical::Bytes => matches!(
            data_type,
            T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_)
        ),
        Physical::DateTimeNaive => matches!(data_type, T::Timestamp(_, None)),
        Physical::DateTimeUtc => matches!(data_type, T::Timestamp(_, Some(_))),
        Physical::Duration => matches!(data_type, T::Duration(_)),
        Physical::Pointer | Physical::Any => false,
    }
}

/// A column of the field's type; cells that do not fit go to `errors`.
fn column(field: &Field, place: usize, array: &ArrayRef, errors: &mut Vec<(usize, usize, PyErr)>) -> PyResult<Column> {
    let array = match array.data_type() {
        DataType::Dictionary(_, values) => arrow_cast::cast(array, values).map_err(|error| arrow_error(&error))?,
        _ => Arc::clone(array),
    };
    let mut refuse_nones = |is_none: &dyn Fn(usize) -> bool| {
        if !field.dtype.is_optional() && field.dtype != DType::Json && array.logical_null_count() > 0 {
            for row in (0..array.len()).filter(|row| is_none(*row)) {
                let message = format!(
                    "cannot take null as {}; declare the column as optional if it may be None",
                    field.dtype
                );
                errors.push((row, place, PyTypeError::new_err(message)));
            }
        }
    };
    let physical = field.dtype.physical();
    if matches!(array.data_type(), DataType::Null) {
        refuse_nones(&|_| true);
        return Ok(physical.nones(array.len()));
    }
    if physical == Physical::Str && is_accepted(physical, array.data_type()) {
        refuse_nones(&|row| array.is_null(row));
        return checked_text(&array, place, errors);
    }
    if let Some(target) = physical.arrow()
        && field.dtype != DType::Any
    {
        if !is_accepted(physical, array.data_type()) {
            return Err(PyTypeError::new_err(format!(
                "column {:?} is {} in the arrow data, which cannot be taken as {}",
                field.name,
                array.data_type(),
                field.dtype
            )));
        }
        // A time zone is a way to write a moment; what is stored is UTC already.
        let array = match array.data_type() {
            DataType::Timestamp(unit, Some(_)) => {
                arrow_cast::cast(&array, &DataType::Timestamp(*unit, Some("UTC".into())))
                    .and_then(|array| {
                        arrow_cast::cast(&array, &DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())))
                    })
                    .and_then(|array| arrow_cast::cast(&array, &target))
                    .map_err(|error| arrow_error(&error))?
            }
            _ => Arc::clone(&array),
        };
        let options = CastOptions {
            safe: true,
            ..CastOptions::default()
        };
        let cast = arrow_cast::cast_with_options(&array, &target, &options).map_err(|error| arrow_error(&error))?;
        refuse_nones(&|row| array.is_null(row));
        if cast.null_count() > array.logical_null_count() {
            for row in (0..array.len()).filter(|row| cast.is_null(*row) && !array.is_null(*row)) {
                let message = format!(
                    "a value of type {} does not fit into {}",
                    array.data_type(),
                    field.dtype
                );
                errors.push((row, place, PyValueError::new_err(message)));
            }
        }
        return Ok(Column::new(Cells::from_arrow(physical, cast)));
    }
    let mut values = Vec::with_capacity(array.len());
    for row in 0..array.len() {
        match value(&array, row).and_then(|value| fit(value, &field.dtype)) {
            Ok(value) => values.push(value),
            Err(message) => {
                errors.push((row, place, PyTypeError::new_err(message)));
                values.push(Value::None);
            }
        }
    }
    Ok(Column::from_values(&field.dtype, &values))
}

/// Text of other people's making: Arrow says that it is UTF-8, which is checked before anybody relies on it.
fn checked_text(array: &ArrayRef, place: usize, errors: &mut Vec<(usize, usize, PyErr)>) -> PyResult<Column> {
    let whole = match array.data_type() {
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
    let bytes = as_bytes(array).map_err(|error| arrow_error(&error))?;
    let mut builder = ColumnBuilder::with_physical(Physical::Str);
    for (row, bytes) in bytes.iter().enumerate() {
        match bytes.map(std::str::from_utf8) {
            Some(Ok(text)) => builder.push_str(text),
            Some(Err(error)) => {
                errors.push((row, place, PyValueError::new_err(format!("no valid UTF-8: {error}"))));
                builder.push_none();
            }
            None => builder.push_none(),
        }
    }
    Ok(builder.finish())
}

/// A copy of the text, which is checked as a whole; None if that fails, or a cell that is null has something wrong.
fn whole_text<Offset: OffsetSizeTrait>(array: &ArrayRef) -> Option<GenericStringArray<Offset>> {
    let data = array
        .to_data()
        .into_builder()
        .data_type(GenericBinaryType::<Offset>::DATA_TYPE);
    let bytes = GenericBinaryArray::<Offset>::from(data.build().ok()?);
    let offsets = bytes.value_offsets();
    let (first, last) = (*offsets.first()?, *offsets.last()?);
    let copied = Buffer::from(bytes.value_data().get(first.as_usize()..last.as_usize())?);
    let moved: Vec<Offset> = offsets.iter().map(|offset| *offset - first).collect();
    GenericStringArray::try_new(OffsetBuffer::new(moved.into()), copied, bytes.nulls().cloned()).ok()
}

/// The bytes of an array of text, which may not be UTF-8 at all.
fn as_bytes(array: &ArrayRef) -> Result<BinaryViewArray, ArrowError> {
    let target = match array.data_type() {
        DataType::Utf8 => DataType::Binary,
        DataType::LargeUtf8 => DataType::LargeBinary,
        _ => DataType::BinaryView,
    };
    let data = array.to_data().into_builder().data_type(target).build()?;
    let bytes = arrow_cast::cast(&arrow_array::make_array(data), &DataType::BinaryView)?;
    bytes
        .as_any()
        .downcast_ref::<BinaryViewArray>()
        .cloned()
        .ok_or_else(|| ArrowError::CastError(format!("{} is no text", array.data_type())))
}

/// One cell of any Arrow type.
fn value(array: &ArrayRef, row: usize) -> Result<Value, String> {
    use DataType as T;
    if array.is_null(row) {
        return Ok(Value::None);
    }
    let one = array.slice(row, 1);
    let as_layout = |physical: Physical| -> Result<Value, String> {
        let target = physical.arrow().ok_or("no arrow type")?;
        let cast = arrow_cast::cast(&one, &target).map_err(|error| error.to_string())?;
        Ok(Column::new(Cells::from_arrow(physical, cast)).value(0))
    };
    match array.data_type() {
        T::Boolean => as_layout(Physical::Bool),
        data_type if data_type.is_integer() => match as_layout(Physical::Int)? {
            Value::None => Err("an integer does not fit into 64 bits".to_owned()),
            value => Ok(value),
        },
        T::Float16 | T::Float32 | T::Float64 => as_layout(Physical::Float),
        T::Null => Ok(Value::None),
        T::Utf8 | T::LargeUtf8 | T::Utf8View => {
            let bytes = as_bytes(&one).map_err(|error| error.to_string())?;
            std::str::from_utf8(bytes.value(0))
                .map(Value::str)
                .map_err(|error| format!("no valid UTF-8: {error}"))
        }
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => as_layout(Physical::Bytes),
        T::Timestamp(_, None) => as_layout(Physical::DateTimeNaive),
        T::Timestamp(_, Some(_)) => as_layout(Physical::DateTimeUtc),
        T::Duration(_) => as_layout(Physical::Duration),
        T::Dictionary(_, values) => {
            let plain = arrow_cast::cast(&one, values).map_err(|error| error.to_string())?;
            value(&plain, 0)
        }
        T::List(_) | T::LargeList(_) | T::FixedSizeList(..) | T::ListView(_) | T::LargeListView(_) => {
            let items = list_items(&one)?;
            let items = (0..items.len())
                .map(|place| value(&items, place))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(Value::tuple(items))
        }
        T::Struct(fields) => {
            let members = one.as_any().downcast_ref::<StructArray>().ok_or("no struct")?;
            let mut document = serde_json::Map::new();
            for (place, field) in fields.iter().enumerate() {
                let member = value(members.column(place), 0)?;
                let text = towpath_types::json_text(&member);
                document.insert(
                    field.name().clone(),
                    serde_json::from_str(&text).map_err(|error| error.to_string())?,
                );
            }
            Ok(Value::Json(Arc::new(serde_json::Value::Object(document))))
        }
        other => Err(format!("the engine has no type for {other}")),
    }
}

fn list_items(one: &ArrayRef) -> Result<ArrayRef, String> {
    let item = match one.data_type() {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => Arc::clone(item),
        other => return Err(format!("{other} is no list")),
    };
    let list = arrow_cast::cast(one, &DataType::LargeList(item)).map_err(|error| error.to_string())?;
    let list = list
        .as_any()
        .downcast_ref::<arrow_array::LargeListArray>()
        .ok_or("no list")?;
    Ok(list.value(0))
}

/// The value as one of the type, if it is.
fn fit(value: Value, dtype: &DType) -> Result<Value, String> {
    let refuse = |value: &Value| Err(format!("cannot take a {} as {dtype}", value.type_name()));
    match (dtype, value) {
        (DType::Any, value) => Ok(value),
        (DType::Optional(_) | DType::None, Value::None) => Ok(Value::None),
        (DType::Optional(inner), value) => fit(value, inner),
        (DType::Json, value @ Value::Json(_)) => Ok(value),
        (DType::Json, Value::Str(text)) => Ok(Value::Json(Arc::new(serde_json::Value::String(text.to_string())))),
        (DType::Json, value @ (Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Tuple(_))) => {
            serde_json::from_str(&towpath_types::json_text(&value))
                .map(|document| Value::Json(Arc::new(document)))
                .map_err(|error| error.to_string())
        }
        (DType::Tuple(dtypes), Value::Tuple(items)) if dtypes.len() == items.len() => items
            .iter()
            .zip(dtypes.iter())
            .map(|(item, dtype)| fit(item.clone(), dtype))
            .collect::<Result<Vec<_>, _>>()
            .map(Value::tuple),
        (DType::List(dtype), Value::Tuple(items)) => items
            .iter()
            .map(|item| fit(item.clone(), dtype))
            .collect::<Result<Vec<_>, _>>()
            .map(Value::tuple),
        (DType::Pointer(_), Value::Str(text)) => text
            .parse()
            .map(Value::Pointer)
            .map_err(|error: towpath_types::KeyParseError| error.to_string()),
        (DType::Float, Value::Int(value)) => Ok(Value::Float(value as f64)),
        (dtype, value) if crate::value::dtype_of(&value).is_subtype_of(dtype) => Ok(value),
        (_, value) => refuse(&value),
    }
}
