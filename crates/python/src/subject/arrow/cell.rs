//! One cell of any Arrow type, by the rules for what Python has in its place: lists are tuples, structs are dicts, maps
//! are lists of pairs.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Float16Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use towpath_types::{DType, Json, JsonObject, Value, date_time_text};

use super::data_types::{is_decimal, steps};
use super::references::{value_of, values_of};

/// The cell as a value of a type.
///
/// # Errors
/// Why it is none.
pub(super) fn typed(data_type: &DataType, array: &ArrayRef, row: usize, dtype: &DType) -> Result<Value, String> {
    if let Some((data_type, value)) = referred(data_type, array, row) {
        return typed(data_type, &value, 0, dtype);
    }
    if array.is_null(row) {
        return match dtype {
            DType::Json => Ok(Value::from(Json::Null)),
            dtype if dtype.is_optional() => Ok(Value::None),
            dtype => Err(format!(
                "cannot take null as {dtype}; declare the column as optional if it may be None"
            )),
        };
    }
    match dtype.required() {
        DType::Any => any(data_type, array, row),
        DType::Json => document(data_type, array, row).map(Value::from),
        DType::Tuple(dtypes) => {
            let (item, items) = list(data_type, array, row).ok_or_else(|| refusal(data_type, dtype))?;
            if items.len() != dtypes.len() {
                return Err(format!("cannot take a list of {} items as {dtype}", items.len()));
            }
            let items = dtypes
                .iter()
                .enumerate()
                .map(|(position, dtype)| typed(&item, &items, position, dtype));
            Ok(Value::Tuple(items.collect::<Result<_, _>>()?))
        }
        DType::List(inner) => {
            let (item, items) = list(data_type, array, row).ok_or_else(|| refusal(data_type, dtype))?;
            let items = (0..items.len()).map(|position| typed(&item, &items, position, inner));
            Ok(Value::Tuple(items.collect::<Result<_, _>>()?))
        }
        DType::Float if is_decimal(data_type) => {
            let number = decimal(array, row).and_then(|text| text.parse().ok());
            number.map(Value::Float).ok_or_else(|| refusal(data_type, dtype))
        }
        required => {
            let value = any(data_type, array, row)?;
            match (required, value) {
                (DType::Pointer(_), Value::Str(text)) => text
                    .parse()
                    .map(Value::Pointer)
                    .map_err(|error: towpath_types::KeyParseError| error.to_string()),
                (DType::Float, Value::Int(value)) => Ok(Value::Float(value as f64)),
                (DType::Float, Value::Bool(value)) => Ok(Value::Float(f64::from(u8::from(value)))),
                (DType::Int, Value::Bool(value)) => Ok(Value::Int(i64::from(value))),
                (required, value) if crate::value::dtype_of(&value).is_subtype_of(required) => Ok(value),
                _ => Err(refusal(data_type, dtype)),
            }
        }
    }
}

fn refusal(data_type: &DataType, dtype: &DType) -> String {
    format!("cannot take a {data_type} as {dtype}")
}

/// What a cell of a dictionary or of a run refers to, as an array of one, and its type.
fn referred<'a>(data_type: &'a DataType, array: &ArrayRef, row: usize) -> Option<(&'a DataType, ArrayRef)> {
    Some((values_of(data_type)?, value_of(array, row)?))
}

/// The bytes of a text or of bytes.
pub(super) fn bytes(array: &ArrayRef, row: usize) -> Option<&[u8]> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Binary => array.as_binary_opt::<i32>().map(|array| array.value(row)),
        DataType::LargeBinary => array.as_binary_opt::<i64>().map(|array| array.value(row)),
        DataType::BinaryView => array.as_binary_view_opt().map(|array| array.value(row)),
        DataType::FixedSizeBinary(_) => array.as_fixed_size_binary_opt().map(|array| array.value(row)),
        _ => None,
    }
}

/// A decimal as text.
fn decimal(array: &ArrayRef, row: usize) -> Option<String> {
    match array.data_type() {
        DataType::Decimal32(..) => Some(array.as_primitive_opt::<Decimal32Type>()?.value_as_string(row)),
        DataType::Decimal64(..) => Some(array.as_primitive_opt::<Decimal64Type>()?.value_as_string(row)),
        DataType::Decimal128(..) => Some(array.as_primitive_opt::<Decimal128Type>()?.value_as_string(row)),
        DataType::Decimal256(..) => Some(array.as_primitive_opt::<Decimal256Type>()?.value_as_string(row)),
        _ => None,
    }
}

/// The items of a list, and their type.
fn list(data_type: &DataType, array: &ArrayRef, row: usize) -> Option<(DataType, ArrayRef)> {
    use DataType as T;
    let items = match data_type {
        T::List(_) => array.as_list_opt::<i32>()?.value(row),
        T::LargeList(_) => array.as_list_opt::<i64>()?.value(row),
        T::FixedSizeList(..) => array.as_fixed_size_list_opt()?.value(row),
        T::ListView(_) => array.as_list_view_opt::<i32>()?.value(row),
        T::LargeListView(_) => array.as_list_view_opt::<i64>()?.value(row),
        _ => return None,
    };
    match data_type {
        T::List(item) | T::LargeList(item) | T::FixedSizeList(item, _) | T::ListView(item) | T::LargeListView(item) => {
            Some((item.data_type().clone(), items))
        }
        _ => None,
    }
}

/// The keys of a map, its values, and the types of both.
fn pairs(data_type: &DataType, array: &ArrayRef, row: usize) -> Option<[(DataType, ArrayRef); 2]> {
    let (DataType::Map(entries, _), Some(map)) = (data_type, array.as_map_opt()) else {
        return None;
    };
    let DataType::Struct(fields) = entries.data_type() else {
        return None;
    };
    let held = map.value(row);
    let both = |position: usize| {
        Some((
            fields.get(position)?.data_type().clone(),
            ArrayRef::clone(held.columns().get(position)?),
        ))
    };
    Some([both(0)?, both(1)?])
}

/// What is neither a list nor an object.
enum Scalar<'a> {
    Bool(bool),
    Int(i64),
    /// Beyond 64 bits with a sign.
    Large(u64),
    Float(f64),
    Str(&'a str),
    Bytes(&'a [u8]),
    Moment(i64, bool),
    Span(i64),
}

fn scalar<'a>(data_type: &DataType, array: &'a ArrayRef, row: usize) -> Result<Option<Scalar<'a>>, String> {
    use DataType as T;
    macro_rules! number {
        ($of:ty) => {
            array.as_primitive_opt::<$of>().map(|array| array.value(row))
        };
    }
    Ok(match data_type {
        T::Boolean => array.as_boolean_opt().map(|array| Scalar::Bool(array.value(row))),
        T::Int8 => number!(Int8Type).map(|value| Scalar::Int(value.into())),
        T::Int16 => number!(Int16Type).map(|value| Scalar::Int(value.into())),
        T::Int32 => number!(Int32Type).map(|value| Scalar::Int(value.into())),
        T::Int64 => number!(Int64Type).map(Scalar::Int),
        T::UInt8 => number!(UInt8Type).map(|value| Scalar::Int(value.into())),
        T::UInt16 => number!(UInt16Type).map(|value| Scalar::Int(value.into())),
        T::UInt32 => number!(UInt32Type).map(|value| Scalar::Int(value.into())),
        T::UInt64 => number!(UInt64Type).map(|value| i64::try_from(value).map_or(Scalar::Large(value), Scalar::Int)),
        T::Float16 => number!(Float16Type).map(|value| Scalar::Float(value.into())),
        T::Float32 => number!(Float32Type).map(|value| Scalar::Float(value.into())),
        T::Float64 => number!(Float64Type).map(Scalar::Float),
        T::Utf8 | T::LargeUtf8 | T::Utf8View => match bytes(array, row).map(std::str::from_utf8) {
            Some(Ok(text)) => Some(Scalar::Str(text)),
            Some(Err(error)) => return Err(format!("no valid UTF-8: {error}")),
            None => None,
        },
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => bytes(array, row).map(Scalar::Bytes),
        T::Timestamp(_, zone) => match steps(data_type, array) {
            Some((unit, steps)) => Some(Scalar::Moment(unit.moment(steps[row])?, zone.is_some())),
            None => None,
        },
        T::Duration(_) => match steps(data_type, array) {
            Some((unit, steps)) => Some(Scalar::Span(unit.span(steps[row])?)),
            None => None,
        },
        _ => None,
    })
}

/// The cell as a value of any type.
fn any(data_type: &DataType, array: &ArrayRef, row: usize) -> Result<Value, String> {
    if let Some((data_type, value)) = referred(data_type, array, row) {
        return any(data_type, &value, 0);
    }
    if array.is_null(row) || matches!(data_type, DataType::Null) {
        return Ok(Value::None);
    }
    if let Some((item, items)) = list(data_type, array, row) {
        let items = (0..items.len()).map(|position| any(&item, &items, position));
        return Ok(Value::Tuple(items.collect::<Result<_, _>>()?));
    }
    if let Some([(key_type, keys), (value_type, values)]) = pairs(data_type, array, row) {
        let pair = |position| {
            Ok(Value::tuple([
                any(&key_type, &keys, position)?,
                any(&value_type, &values, position)?,
            ]))
        };
        return Ok(Value::Tuple((0..keys.len()).map(pair).collect::<Result<_, String>>()?));
    }
    match scalar(data_type, array, row)? {
        Some(Scalar::Bool(value)) => Ok(Value::Bool(value)),
        Some(Scalar::Int(value)) => Ok(Value::Int(value)),
        Some(Scalar::Large(value)) => Err(format!("the integer {value} does not fit into 64 bits")),
        Some(Scalar::Float(value)) => Ok(Value::Float(value)),
        Some(Scalar::Str(text)) => Ok(Value::str(text)),
        Some(Scalar::Bytes(bytes)) => Ok(Value::Bytes(bytes.into())),
        Some(Scalar::Moment(nanoseconds, true)) => Ok(Value::DateTimeUtc(nanoseconds)),
        Some(Scalar::Moment(nanoseconds, false)) => Ok(Value::DateTimeNaive(nanoseconds)),
        Some(Scalar::Span(nanoseconds)) => Ok(Value::Duration(nanoseconds)),
        None if matches!(data_type, DataType::Struct(_)) => document(data_type, array, row).map(Value::from),
        None => Err(format!("the engine has no type for {data_type}")),
    }
}

/// The cell as a JSON document.
fn document(data_type: &DataType, array: &ArrayRef, row: usize) -> Result<Json, String> {
    if let Some((data_type, value)) = referred(data_type, array, row) {
        return document(data_type, &value, 0);
    }
    if array.is_null(row) || matches!(data_type, DataType::Null) {
        return Ok(Json::Null);
    }
    if let Some((item, items)) = list(data_type, array, row) {
        let items = (0..items.len()).map(|position| document(&item, &items, position));
        return Ok(Json::List(items.collect::<Result<_, _>>()?));
    }
    if let (DataType::Struct(fields), Some(members)) = (data_type, array.as_struct_opt()) {
        let members = fields.iter().zip(members.columns());
        let members = members
            .map(|(field, member)| Ok((field.name().as_str().into(), document(field.data_type(), member, row)?)));
        return Ok(Json::Object(Box::new(JsonObject::new(
            members.collect::<Result<_, String>>()?,
        ))));
    }
    if let Some([(key_type, keys), (value_type, values)]) = pairs(data_type, array, row) {
        let pair = |position| {
            let (key, value) = (
                document(&key_type, &keys, position)?,
                document(&value_type, &values, position)?,
            );
            Ok(Json::List(vec![key, value]))
        };
        return Ok(Json::List((0..keys.len()).map(pair).collect::<Result<_, String>>()?));
    }
    match scalar(data_type, array, row)? {
        Some(Scalar::Bool(value)) => Ok(Json::Bool(value)),
        Some(Scalar::Int(value)) => Ok(Json::Int(value)),
        Some(Scalar::Large(value)) => Ok(Json::from(serde_json::Value::from(value))),
        Some(Scalar::Float(value)) => Ok(Json::Float(value)),
        Some(Scalar::Str(text)) => Ok(Json::str(text)),
        Some(Scalar::Moment(nanoseconds, is_utc)) => {
            let zone = if is_utc { "+00:00" } else { "" };
            Ok(Json::str(&format!("{}{zone}", date_time_text(nanoseconds, false))))
        }
        Some(Scalar::Span(nanoseconds)) => Ok(Json::Int(nanoseconds)),
        Some(Scalar::Bytes(_)) | None => Err(format!("cannot take a {data_type} as Json")),
    }
}
