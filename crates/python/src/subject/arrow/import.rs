//! What comes through Arrow's C interfaces, checked.
//!
//! The library that reads them trusts whoever fills them: a wrong number of children is a panic, a missing buffer or a
//! negative offset a crash, and a type that is nested without end a stack overflow. So the structs are looked at first,
//! as C has them, then what the library has made of them is validated. Texts are read as bytes, so that nobody relies on
//! UTF-8 that is none. What cannot be known is whether pointers lead to as much memory as lengths say.

use std::ffi::{CStr, c_char, c_void};
use std::sync::Arc;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi_and_data_type};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{Array, ArrayRef, StructArray, make_array};
use arrow_data::layout;
use arrow_schema::{DataType, Field, FieldRef};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyCapsuleMethods, PyTuple};
use towpath_types::NESTING;

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

/// A schema as C has it.
#[repr(C)]
struct RawSchema {
    format: *const c_char,
    name: *const c_char,
    metadata: *const c_char,
    flags: i64,
    n_children: i64,
    children: *const *const RawSchema,
    dictionary: *const RawSchema,
    release: *const c_void,
    private_data: *const c_void,
}

/// An array as C has it.
#[repr(C)]
struct RawArray {
    length: i64,
    null_count: i64,
    offset: i64,
    n_buffers: i64,
    n_children: i64,
    buffers: *const *const c_void,
    children: *const *const RawArray,
    dictionary: *mut RawArray,
    release: *const c_void,
    private_data: *const c_void,
}

/// The type that a schema says.
fn data_type(schema: &FFI_ArrowSchema) -> PyResult<DataType> {
    // The rows themselves are no level of nesting.
    check_schema(std::ptr::from_ref(schema).cast(), NESTING + 1).map_err(|reason| unreadable(&reason))?;
    DataType::try_from(schema).map_err(|error| unreadable(&error.to_string()))
}

#[expect(
    unsafe_code,
    reason = "the Arrow C data interface, looked at before anybody relies on it"
)]
fn check_schema(schema: *const RawSchema, levels: usize) -> Result<(), String> {
    // SAFETY: pointers that are not null lead to what the interface says; lengths are looked at before they are used.
    unsafe {
        let schema = schema.as_ref().ok_or("a schema is missing")?;
        if schema.release.is_null() {
            return Err("the schema has been released".to_owned());
        }
        if schema.format.is_null() || CStr::from_ptr(schema.format).to_str().is_err() {
            return Err("a schema has no type".to_owned());
        }
        if !schema.name.is_null() && CStr::from_ptr(schema.name).to_str().is_err() {
            let name = CStr::from_ptr(schema.name).to_string_lossy();
            return Err(format!("the name {name:?} is no valid UTF-8"));
        }
        check_metadata(schema.metadata)?;
        if schema.n_children == 0 && schema.dictionary.is_null() {
            return Ok(());
        }
        let levels = levels
            .checked_sub(1)
            .ok_or_else(|| format!("its type is nested more than {NESTING} levels deep"))?;
        for child in pointers(schema.children, schema.n_children, "children")? {
            check_schema(*child, levels)?;
        }
        if schema.dictionary.is_null() {
            Ok(())
        } else {
            check_schema(schema.dictionary, levels)
        }
    }
}

/// So many children or buffers are too many to be true.
const MANY: i64 = 1 << 20;

#[expect(
    unsafe_code,
    reason = "the Arrow C data interface, looked at before anybody relies on it"
)]
/// # Safety
/// `pointers` is null, or leads to so many pointers.
unsafe fn pointers<'a, T>(pointers: *const *const T, count: i64, what: &str) -> Result<&'a [*const T], String> {
    match usize::try_from(count) {
        Ok(0) => Ok(&[]),
        Ok(len) if count <= MANY && !pointers.is_null() => {
            // SAFETY: see above.
            Ok(unsafe { std::slice::from_raw_parts(pointers, len) })
        }
        _ => Err(format!("it says that it has {count} {what}")),
    }
}

#[expect(
    unsafe_code,
    reason = "the Arrow C data interface, looked at before anybody relies on it"
)]
/// # Safety
/// `metadata` is null, or leads to metadata as Arrow encodes it.
unsafe fn check_metadata(metadata: *const c_char) -> Result<(), String> {
    if metadata.is_null() {
        return Ok(());
    }
    let mut at = 0;
    // Every number is followed by as many bytes, or pairs, as it says.
    let mut number = |skip: usize| {
        at += skip;
        // SAFETY: see above; every number has been there to be read.
        let number = unsafe { metadata.add(at).cast::<i32>().read_unaligned() };
        at += 4;
        usize::try_from(number).map_err(|_| "its metadata has a negative length".to_owned())
    };
    let pairs = number(0)?;
    let mut skip = 0;
    for _ in 0..2 * pairs {
        skip = number(skip)?;
    }
    Ok(())
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

#[expect(
    unsafe_code,
    reason = "the Arrow C data interface, looked at before anybody relies on it"
)]
fn check_array(raw: *mut RawArray, data_type: &DataType) -> Result<(), String> {
    use DataType as T;
    // SAFETY: pointers that are not null lead to what the interface says; lengths are looked at before they are used.
    unsafe {
        if matches!(data_type, T::Null) && !raw.is_null() {
            // Of a column of nothing but nulls, polars hands over a buffer that is not there.
            (*raw).n_buffers = 0;
        }
        let array = raw.as_ref().ok_or("an array is missing")?;
        if array.release.is_null() && array.buffers.is_null() && array.n_buffers > 0 {
            return Err("the array has been released".to_owned());
        }
        let total = array
            .length
            .checked_add(array.offset)
            .filter(|total| array.length >= 0 && array.offset >= 0 && *total < i64::MAX / 64);
        let total = total.ok_or_else(|| format!("an array has {} values from {} on", array.length, array.offset))?;
        if array.null_count > array.length {
            return Err(format!("of {} values {} are null", array.length, array.null_count));
        }
        let layout = layout(data_type);
        let own = i64::from(layout.can_contain_null_mask) + layout.buffers.len() as i64;
        let is_enough = if layout.variadic {
            array.n_buffers > own
        } else {
            array.n_buffers == own
        };
        if !is_enough {
            return Err(format!("an array of type {data_type} has {} buffers", array.n_buffers));
        }
        let buffers = pointers(array.buffers, array.n_buffers, "buffers")?;
        match data_type {
            T::Binary | T::List(_) | T::Map(..) => check_offsets::<i32>(buffers[1].cast(), total)?,
            T::LargeBinary | T::LargeList(_) => check_offsets::<i64>(buffers[1].cast(), total)?,
            T::BinaryView => check_lengths(buffers)?,
            _ => {}
        }
        let children: Vec<&DataType> = match data_type {
            T::List(item)
            | T::LargeList(item)
            | T::ListView(item)
            | T::LargeListView(item)
            | T::FixedSizeList(item, _)
            | T::Map(item, _) => vec![item.data_type()],
            T::Struct(fields) => fields.iter().map(|field| field.data_type()).collect(),
            T::Union(fields, _) => fields.iter().map(|(_, field)| field.data_type()).collect(),
            T::RunEndEncoded(ends, values) => vec![ends.data_type(), values.data_type()],
            _ => Vec::new(),
        };
        let given = pointers(array.children, array.n_children, "children")?;
        if given.len() != children.len() {
            return Err(format!(
                "an array of type {data_type} has {} children, not {}",
                given.len(),
                children.len()
            ));
        }
        for (child, data_type) in given.iter().zip(children) {
            check_array(child.cast_mut(), data_type)?;
        }
        match (data_type, array.dictionary.is_null()) {
            (T::Dictionary(_, values), false) => check_array(array.dictionary, values),
            (T::Dictionary(..), true) => Err("a dictionary is missing".to_owned()),
            (_, true) => Ok(()),
            (_, false) => Err(format!("an array of type {data_type} has a dictionary")),
        }
    }
}

/// The first and the last offset: of the last the length of the data is made.
#[expect(
    unsafe_code,
    reason = "the Arrow C data interface, looked at before anybody relies on it"
)]
/// # Safety
/// `offsets` is null, or leads to `total + 1` offsets.
unsafe fn check_offsets<Offset: Copy + Into<i64>>(offsets: *const Offset, total: i64) -> Result<(), String> {
    if total == 0 {
        return Ok(());
    }
    if offsets.is_null() || !offsets.is_aligned() {
        return Err("the offsets of an array are missing, or not aligned".to_owned());
    }
    // SAFETY: see above.
    let (first, last): (i64, i64) = unsafe { ((*offsets).into(), (*offsets.add(total as usize)).into()) };
    if first < 0 || last < first {
        return Err(format!("the offsets of an array are from {first} to {last}"));
    }
    Ok(())
}

/// The lengths of the data that views lead into.
#[expect(
    unsafe_code,
    reason = "the Arrow C data interface, looked at before anybody relies on it"
)]
/// # Safety
/// The last buffer is null, or holds the lengths of those between it and the views.
unsafe fn check_lengths(buffers: &[*const c_void]) -> Result<(), String> {
    let [_, _, data @ .., lengths] = buffers else {
        return Err("buffers of views are missing".to_owned());
    };
    let lengths: *const i64 = lengths.cast();
    if !data.is_empty() && (lengths.is_null() || !lengths.is_aligned()) {
        return Err("the lengths of the data of views are missing".to_owned());
    }
    for (position, data) in data.iter().enumerate() {
        // SAFETY: see above.
        let length = unsafe { *lengths.add(position) };
        if length < 0 || (length > 0 && data.is_null()) {
            return Err(format!("the data of views has {length} bytes"));
        }
    }
    Ok(())
}
