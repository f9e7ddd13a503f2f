//! The structs of Arrow's C data interface, looked at before anybody relies on them.

use std::ffi::{CStr, c_char, c_void};

use arrow_data::layout;
use arrow_schema::DataType;
use towpath_types::NESTING;

/// A schema as C has it.
#[repr(C)]
pub(super) struct RawSchema {
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
pub(super) struct RawArray {
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

#[expect(
    unsafe_code,
    reason = "the Arrow C data interface, looked at before anybody relies on it"
)]
pub(super) fn check_schema(schema: *const RawSchema, levels: usize) -> Result<(), String> {
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

#[expect(
    unsafe_code,
    reason = "the Arrow C data interface, looked at before anybody relies on it"
)]
pub(super) fn check_array(raw: *mut RawArray, data_type: &DataType) -> Result<(), String> {
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
