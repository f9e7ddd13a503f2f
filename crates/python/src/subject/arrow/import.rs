//! What comes through Arrow's C interfaces, checked.
//!
//! The library that reads them trusts whoever fills them: a wrong number of children is a panic, a missing buffer or a
//! negative offset a crash, and a type that is nested without end a stack overflow. So the structs are looked at first,
//! as C has them, then what the library has made of them is validated. Texts are read as bytes, so that nobody relies on
//! UTF-8 that is none. What cannot be known is whether pointers lead to as much memory as lengths say.

use std::ffi::CStr;
use std::sync::Arc;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi_and_data_type};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{Array, ArrayRef, StructArray, make_array};
use arrow_schema::{DataType, Field, FieldRef};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyCapsuleMethods, PyTuple};
use towpath_types::NESTING;

use super::c_structs::{check_array, check_schema};
use super::refusal::{no_rows, unreadable};

/// An array from outside.
pub(super) struct Imported {
    /// What the data says that it is; the array has bytes in the place of texts.
    pub(super) data_type: DataType,
    pub(super) array: ArrayRef,
}

/// Rows: an array of structs.
pub(super) struct ImportedRows {
    fields: arrow_schema::Fields,
    array: StructArray,
}

impl ImportedRows {
    pub(super) fn of(imported: Imported) -> PyResult<Self> {
        let (DataType::Struct(fields), Some(array)) = (
            &imported.data_type,
            imported.array.as_any().downcast_ref::<StructArray>(),
        ) else {
            return Err(no_rows(&format!("one array of type {}", imported.data_type)));
        };
        if array.null_count() > 0 {
            return Err(unreadable("a row is null as a whole; rows are structs of columns"));
        }
        Ok(Self {
            fields: fields.clone(),
            array: array.clone(),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.array.len()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| field.name().as_str())
    }

    pub(super) fn column(&self, name: &str) -> Option<Imported> {
        let position = self.names().position(|other| other == name)?;
        Some(Imported {
            data_type: self.fields[position].data_type().clone(),
            array: Arc::clone(self.array.column(position)),
        })
    }
}

fn capsule<'py>(object: &Bound<'py, PyAny>, name: &CStr) -> PyResult<Bound<'py, PyCapsule>> {
    let wrong = || PyTypeError::new_err(format!("the arrow data is no capsule of an {}", name.to_string_lossy()));
    let capsule = object.cast::<PyCapsule>().map_err(|_| wrong())?.clone();
    if capsule.is_valid_checked(Some(name)) {
        Ok(capsule)
    } else {
        Err(wrong())
    }
}

/// Makes sure that no column is of polars' type Object: what it hands over are the addresses of the objects.
fn check_polars(data: &Bound<'_, PyAny>) -> PyResult<()> {
    if !data.get_type().module()?.to_string_lossy().starts_with("polars") {
        return Ok(());
    }
    let columns: Vec<(String, Bound<'_, PyAny>)> = match data.getattr_opt("schema")? {
        Some(schema) => schema
            .call_method0("items")?
            .try_iter()?
            .map(|item| item?.extract())
            .collect::<PyResult<_>>()?,
        None => vec![(data.getattr("name")?.extract()?, data.getattr("dtype")?)],
    };
    match columns
        .iter()
        .find(|(_, dtype)| dtype.str().is_ok_and(|name| name == "Object"))
    {
        Some((name, _)) => Err(PyTypeError::new_err(format!(
            "the column {name:?} is of polars' type Object, whose values are not in the arrow data: send it as a list, \
             or give it another type"
        ))),
        None => Ok(()),
    }
}

/// Calls `take` with every array of `data`.
pub(super) fn for_each(data: &Bound<'_, PyAny>, mut take: impl FnMut(Imported) -> PyResult<()>) -> PyResult<()> {
    check_polars(data)?;
    if let Some(stream) = data.getattr_opt("__arrow_c_stream__")? {
        return for_each_of_stream(&stream.call0()?, take);
    }
    if let Some(array) = data.getattr_opt("__arrow_c_array__")? {
        let pair = array.call0()?;
        let pair = pair
            .cast::<PyTuple>()
            .ok()
            .filter(|pair| pair.len() == 2)
            .ok_or_else(|| PyTypeError::new_err("__arrow_c_array__ gives a pair of capsules"))?;
        let schema = capsule(&pair.get_item(0)?, c"arrow_schema")?;
        let array = capsule(&pair.get_item(1)?, c"arrow_array")?;
        let schema = schema.pointer_checked(Some(c"arrow_schema"))?.cast::<FFI_ArrowSchema>();
        let array = array.pointer_checked(Some(c"arrow_array"))?.cast::<FFI_ArrowArray>();
        #[expect(unsafe_code, reason = "the Arrow C data interface")]
        // SAFETY: the capsules hold a schema and an array, as their names say; the array is taken out of its
        // capsule, the schema is only read.
        let (schema, array) = unsafe { (schema.as_ref(), FFI_ArrowArray::from_raw(array.as_ptr())) };
        return take(imported(array, &data_type(schema)?)?);
    }
    Err(PyTypeError::new_err(format!(
        "next_arrow takes what has __arrow_c_stream__ or __arrow_c_array__ (pyarrow, polars, pandas, duckdb), not {}",
        crate::value::type_name(data)
    )))
}

fn for_each_of_stream(object: &Bound<'_, PyAny>, mut take: impl FnMut(Imported) -> PyResult<()>) -> PyResult<()> {
    let capsule = capsule(object, c"arrow_array_stream")?;
    let pointer = capsule
        .pointer_checked(Some(c"arrow_array_stream"))?
        .cast::<FFI_ArrowArrayStream>();
    #[expect(unsafe_code, reason = "the Arrow C stream interface")]
    // SAFETY: the capsule holds a stream, as its name says, and `from_raw` takes it out of it.
    let mut stream = unsafe { FFI_ArrowArrayStream::from_raw(pointer.as_ptr()) };
    let (Some(get_schema), Some(get_next), Some(_)) = (stream.get_schema(), stream.get_next(), stream.release()) else {
        return Err(unreadable("the stream has been read already"));
    };
    let mut schema = FFI_ArrowSchema::empty();
    #[expect(unsafe_code, reason = "the Arrow C stream interface")]
    // SAFETY: the function is called with the stream that it came with, and fills the schema or fails.
    let status = unsafe { get_schema(&raw mut stream, &raw mut schema) };
    check_status(status, &mut stream)?;
    let data_type = data_type(&schema)?;
    loop {
        let mut array = FFI_ArrowArray::empty();
        #[expect(unsafe_code, reason = "the Arrow C stream interface")]
        // SAFETY: as above; at the end the array has been released.
        let status = unsafe { get_next(&raw mut stream, &raw mut array) };
        check_status(status, &mut stream)?;
        if array.is_released() {
            return Ok(());
        }
        take(imported(array, &data_type)?)?;
    }
}

fn check_status(status: i32, stream: &mut FFI_ArrowArrayStream) -> PyResult<()> {
    if status == 0 {
        return Ok(());
    }
    let mut reason = format!("the stream has failed with status {status}");
    if let Some(get_last_error) = stream.get_last_error() {
        #[expect(unsafe_code, reason = "the Arrow C stream interface")]
        // SAFETY: the function is called with the stream that it came with; it gives a text of C, or null.
        unsafe {
            let text = get_last_error(&raw mut *stream);
            if !text.is_null() {
                reason = format!("{reason}: {}", CStr::from_ptr(text).to_string_lossy());
            }
        }
    }
    Err(unreadable(&reason))
}

/// The type that a schema says.
fn data_type(schema: &FFI_ArrowSchema) -> PyResult<DataType> {
    // The rows themselves are no level of nesting.
    check_schema(std::ptr::from_ref(schema).cast(), NESTING + 1).map_err(|reason| unreadable(&reason))?;
    DataType::try_from(schema).map_err(|error| unreadable(&error.to_string()))
}

/// The array, if it is one of this type.
fn imported(mut array: FFI_ArrowArray, data_type: &DataType) -> PyResult<Imported> {
    let stored = without_text(data_type);
    check_array((&raw mut array).cast(), &stored).map_err(|reason| unreadable(&reason))?;
    #[expect(unsafe_code, reason = "the Arrow C data interface")]
    // SAFETY: the array has the buffers and children of its type, see `check_array`.
    let data = unsafe { from_ffi_and_data_type(array, stored) };
    let data = data.map_err(|error| unreadable(&error.to_string()))?;
    // Offsets, lengths and views, but not the bytes of texts: this costs little.
    data.validate_full().map_err(|error| unreadable(&error.to_string()))?;
    Ok(Imported {
        data_type: data_type.clone(),
        array: make_array(data),
    })
}

/// The same for the entries of a map, of which neither they nor their keys may be null.
fn without_text_in_map(entries: &FieldRef) -> FieldRef {
    let data_type = match entries.data_type() {
        DataType::Struct(fields) => DataType::Struct(
            fields
                .iter()
                .enumerate()
                .map(|(position, field)| {
                    Arc::new(Field::new(field.name(), without_text(field.data_type()), position > 0))
                })
                .collect(),
        ),
        other => without_text(other),
    };
    Arc::new(Field::new(entries.name(), data_type, false))
}

/// The type with bytes in the place of texts, which are laid out in the same way.
fn without_text(data_type: &DataType) -> DataType {
    use DataType as T;
    let field = |field: &FieldRef| -> FieldRef {
        // Whether there are nulls is looked at later, and a wrong promise does no harm.
        Arc::new(Field::new(field.name(), without_text(field.data_type()), true))
    };
    match data_type {
        T::Utf8 => T::Binary,
        T::LargeUtf8 => T::LargeBinary,
        T::Utf8View => T::BinaryView,
        T::List(item) => T::List(field(item)),
        T::LargeList(item) => T::LargeList(field(item)),
        T::ListView(item) => T::ListView(field(item)),
        T::LargeListView(item) => T::LargeListView(field(item)),
        T::FixedSizeList(item, len) => T::FixedSizeList(field(item), *len),
        T::Struct(fields) => T::Struct(fields.iter().map(field).collect()),
        T::Map(entries, is_sorted) => T::Map(without_text_in_map(entries), *is_sorted),
        T::Dictionary(keys, values) => T::Dictionary(keys.clone(), Box::new(without_text(values))),
        T::RunEndEncoded(ends, values) => T::RunEndEncoded(Arc::clone(ends), field(values)),
        other => other.clone(),
    }
}
