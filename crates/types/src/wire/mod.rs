//! Batches as bytes: raw buffers, little-endian, one after another. So they travel to workers in other processes, and so
//! they are kept in journals and snapshots; what is kept says in which [`VERSION`] it is.
//!
//! | part | bytes |
//! |---|---|
//! | batch | rows and columns as `u32`, keys, whether there are differences, differences, columns |
//! | column | layout, whether there are `None`s and errors, their bits, cells |
//! | cells of 64 bits | eight bytes each; pointers sixteen, `bool` one |
//! | texts and bytes | all lengths as `u32`, then all texts |
//! | other values | a tag and what belongs to it |

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use arrow_array::{
    Array as _, BooleanArray, DurationNanosecondArray, Float64Array, Int64Array, TimestampNanosecondArray,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer};

use crate::batch::Batch;
use crate::column::{Cells, Column, ColumnBuilder, PointerArray};
use crate::dtype::Physical;
use crate::json::Json;
use crate::key::Key;
use crate::shared::Shared;
use crate::value::{NdArray, Object, Value};

/// The version of this form. It is raised when bytes that were written before cannot be read any more, or would mean
/// something else.
pub const VERSION: u32 = 1;

/// Bytes that are no batch, and what was wrong with them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct WireError {
    /// What was wrong.
    pub reason: Cow<'static, str>,
    /// The position of the column where it was.
    pub column: Option<usize>,
}

fn wrong(reason: &'static str) -> WireError {
    WireError {
        reason: reason.into(),
        column: None,
    }
}

/// Makes an opaque object of its [`transport`](Object::transport), or says why it cannot.
pub type ObjectDecoder = fn(&[u8]) -> Result<Arc<dyn Object>, String>;

static OBJECTS: OnceLock<ObjectDecoder> = OnceLock::new();

/// Says how opaque objects are made again; the first call counts.
pub fn set_object_decoder(decoder: ObjectDecoder) {
    // Every caller has the same decoder to offer.
    let _ = OBJECTS.set(decoder);
}

/// The opaque object of its [`transport`](Object::transport).
///
/// # Errors
/// If the bytes are no object.
pub fn decode_object(bytes: &[u8]) -> Result<Arc<dyn Object>, String> {
    OBJECTS.get().ok_or("nothing is known of objects here")?(bytes)
}

/// Takes bytes, or only counts them.
trait Out {
    fn put(&mut self, bytes: &[u8]);
}

struct Count(usize);

impl Out for Count {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

struct Write<'a, W>(&'a mut W, std::io::Result<()>);

impl<W: std::io::Write> Out for Write<'_, W> {
    fn put(&mut self, bytes: &[u8]) {
        if self.1.is_ok() {
            self.1 = self.0.write_all(bytes);
        }
    }
}

/// The number of bytes that [`write_batch`] writes.
pub fn batch_length(batch: &Batch) -> usize {
    let mut count = Count(0);
    encode(batch, &mut count);
    count.0
}

/// Why a cell of the column cannot be written for another process, if there is such a cell.
pub fn unwritable(column: &Column) -> Option<Arc<str>> {
    fn of(value: &Value) -> Option<Arc<str>> {
        match value {
            Value::Object(object) => object.transport().err(),
            Value::Tuple(items) => items.iter().find_map(of),
            _ => None,
        }
    }
    match column.cells() {
        Cells::Any(values) => values.iter().find_map(of),
        _ => None,
    }
}

/// Writes a batch whose columns are not [`unwritable`].
///
/// # Errors
/// Those of the writer.
pub fn write_batch(batch: &Batch, writer: &mut impl std::io::Write) -> std::io::Result<()> {
    let mut out = Write(writer, Ok(()));
    encode(batch, &mut out);
    out.1
}

fn encode(batch: &Batch, out: &mut impl Out) {
    put_len(batch.len(), out);
    put_len(batch.columns().len(), out);
    put_keys(batch.keys(), out);
    out.put(&[u8::from(batch.diffs().is_some())]);
    if let Some(diffs) = batch.diffs() {
        put_words(diffs, out);
    }
    for column in batch.columns() {
        put_column(column, out);
    }
}

/// Writes columns of so many rows, none of which is [`unwritable`], without keys.
///
/// # Errors
/// Those of the writer.
pub fn write_columns(
    rows: usize,
    diffs: Option<&[i64]>,
    columns: &[&Column],
    writer: &mut impl std::io::Write,
) -> std::io::Result<()> {
    let mut out = Write(writer, Ok(()));
    put_len(rows, &mut out);
    put_len(columns.len(), &mut out);
    out.put(&[u8::from(diffs.is_some())]);
    if let Some(diffs) = diffs {
        put_words(diffs, &mut out);
    }
    for column in columns {
        put_column(column, &mut out);
    }
    out.1
}

fn put_len(len: usize, out: &mut impl Out) {
    let len = u32::try_from(len).unwrap_or_else(|_| panic!("{len} rows or bytes are too many for one batch"));
    out.put(&len.to_le_bytes());
}

fn put_keys(keys: &[Key], out: &mut impl Out) {
    for chunk in keys.chunks(64) {
        let mut bytes = [0; 64 * 16];
        for (target, key) in bytes.chunks_exact_mut(16).zip(chunk) {
            target.copy_from_slice(&key.0.to_le_bytes());
        }
        out.put(&bytes[..chunk.len() * 16]);
    }
}

fn put_words(words: &[i64], out: &mut impl Out) {
    for chunk in words.chunks(128) {
        let mut bytes = [0; 128 * 8];
        for (target, word) in bytes.chunks_exact_mut(8).zip(chunk) {
            target.copy_from_slice(&word.to_le_bytes());
        }
        out.put(&bytes[..chunk.len() * 8]);
    }
}

fn put_bits(bits: &BooleanBuffer, out: &mut impl Out) {
    let bytes = bits.sliced();
    out.put(&bytes.as_slice()[..bits.len().div_ceil(8)]);
}

fn put_texts<'a>(texts: impl Iterator<Item = &'a [u8]> + Clone, out: &mut impl Out) {
    for text in texts.clone() {
        put_len(text.len(), out);
    }
    for text in texts {
        out.put(text);
    }
}

fn put_column(column: &Column, out: &mut impl Out) {
    let nulls = column.nulls();
    let layout = LAYOUTS
        .iter()
        .position(|layout| *layout == column.physical())
        .unwrap_or_else(|| panic!("{:?} is in the list of layouts", column.physical()));
    out.put(&[
        layout as u8,
        u8::from(nulls.is_some()),
        u8::from(column.errors().is_some()),
    ]);
    if let Some(nulls) = nulls {
        put_bits(nulls.inner(), out);
    }
    if let Some(errors) = column.errors() {
        put_bits(errors, out);
    }
    match column.cells() {
        Cells::Bool(array) => {
            for row in 0..array.len() {
                out.put(&[u8::from(array.value(row))]);
            }
        }
        Cells::Int(array) => put_words(array.values(), out),
        Cells::Float(array) => array.values().iter().for_each(|value| out.put(&value.to_le_bytes())),
        Cells::DateTimeNaive(array) | Cells::DateTimeUtc(array) => put_words(array.values(), out),
        Cells::Duration(array) => put_words(array.values(), out),
        Cells::Pointer(array) => put_keys(array.values(), out),
        Cells::Str(array) => put_texts((0..array.len()).map(|row| array.value(row).as_bytes()), out),
        Cells::Bytes(array) => put_texts((0..array.len()).map(|row| array.value(row)), out),
        Cells::Any(values) => values.iter().for_each(|value| put_value(value, out)),
    }
}

/// The layouts by their numbers.
const LAYOUTS: [Physical; 10] = [
    Physical::Bool,
    Physical::Int,
    Physical::Float,
    Physical::Str,
    Physical::Bytes,
    Physical::Pointer,
    Physical::DateTimeNaive,
    Physical::DateTimeUtc,
    Physical::Duration,
    Physical::Any,
];

fn put_blob(tag: u8, bytes: &[u8], out: &mut impl Out) {
    out.put(&[tag]);
    put_len(bytes.len(), out);
    out.put(bytes);
}

fn put_word(tag: u8, word: i64, out: &mut impl Out) {
    out.put(&[tag]);
    out.put(&word.to_le_bytes());
}

fn put_shape(tag: u8, shape: &[usize], out: &mut impl Out) {
    out.put(&[tag]);
    put_len(shape.len(), out);
    shape.iter().for_each(|length| put_len(*length, out));
}

fn put_value(value: &Value, out: &mut impl Out) {
    match value {
        Value::None => out.put(&[0]),
        Value::Bool(value) => out.put(&[1, u8::from(*value)]),
        Value::Int(value) => put_word(2, *value, out),
        Value::Float(value) => put_word(3, value.to_bits() as i64, out),
        Value::Str(text) => put_blob(4, text.as_bytes(), out),
        Value::Bytes(bytes) => put_blob(5, bytes, out),
        Value::Pointer(key) => {
            out.put(&[6]);
            put_keys(&[*key], out);
        }
        Value::DateTimeNaive(value) => put_word(7, *value, out),
        Value::DateTimeUtc(value) => put_word(8, *value, out),
        Value::Duration(value) => put_word(9, *value, out),
        Value::Json(document) => put_blob(10, document.to_string().as_bytes(), out),
        Value::Tuple(items) => {
            out.put(&[11]);
            put_len(items.len(), out);
            items.iter().for_each(|item| put_value(item, out));
        }
        Value::IntArray(array) => {
            put_shape(12, &array.shape, out);
            put_words(&array.elements, out);
        }
        Value::FloatArray(array) => {
            put_shape(13, &array.shape, out);
            array
                .elements
                .iter()
                .for_each(|element| out.put(&element.to_le_bytes()));
        }
        Value::Object(object) => match object.transport() {
            Ok(bytes) => put_blob(14, &bytes, out),
            Err(_) => out.put(&[17]),
        },
        Value::Error => out.put(&[15]),
        Value::Pending => out.put(&[16]),
    }
}

/// Reads a batch that [`write_batch`] wrote.
///
/// # Errors
/// If the bytes are no batch.
pub fn read_batch(bytes: &[u8]) -> Result<Batch, WireError> {
    let mut input = Input(bytes);
    let (rows, columns) = (input.len()?, input.len()?);
    let keys = input.keys(rows)?;
    let (diffs, columns) = input.rest(rows, columns)?;
    Ok(Batch::new(keys, columns, diffs))
}

/// Rows without keys.
#[derive(Clone, Debug)]
pub struct Columns {
    /// How many rows there are.
    pub rows: usize,
    /// The differences, unless every row is added once.
    pub diffs: Option<Shared<i64>>,
    /// The columns.
    pub columns: Vec<Column>,
}

/// Reads columns that [`write_columns`] wrote.
///
/// # Errors
/// If the bytes are no columns.
pub fn read_columns(bytes: &[u8]) -> Result<Columns, WireError> {
    let mut input = Input(bytes);
    let (rows, columns) = (input.len()?, input.len()?);
    let (diffs, columns) = input.rest(rows, columns)?;
    Ok(Columns { rows, diffs, columns })
}

/// The bytes that are still to be read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// Differences, if there are any, and columns, up to the end.
    fn rest(&mut self, rows: usize, columns: usize) -> Result<(Option<Shared<i64>>, Vec<Column>), WireError> {
        let diffs = match self.flag()? {
            true => Some(self.words(rows)?.collect()),
            false => None,
        };
        let columns = (0..columns)
            .map(|position| {
                self.column(rows).map_err(|error| WireError {
                    column: Some(position),
                    ..error
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        if !self.0.is_empty() {
            return Err(wrong("there are bytes behind it"));
        }
        Ok((diffs, columns))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        let (head, rest) = self.0.split_at_checked(len).ok_or(wrong("it ends early"))?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        self.take(N)?.try_into().map_err(|_| wrong("it ends early"))
    }

    fn byte(&mut self) -> Result<u8, WireError> {
        Ok(self.array::<1>()?[0])
    }

    fn flag(&mut self) -> Result<bool, WireError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(wrong("a flag is neither 0 nor 1")),
        }
    }

    fn len(&mut self) -> Result<usize, WireError> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    fn word(&mut self) -> Result<i64, WireError> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    fn blob(&mut self) -> Result<&'a [u8], WireError> {
        let len = self.len()?;
        self.take(len)
    }

    fn text(&mut self) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.blob()?).map_err(|_| wrong("a text is not UTF-8"))
    }

    fn words(&mut self, len: usize) -> Result<impl Iterator<Item = i64> + 'a, WireError> {
        let bytes = self.take(len.checked_mul(8).ok_or(wrong("it ends early"))?)?;
        Ok(bytes
            .chunks_exact(8)
            .map(|word| i64::from_le_bytes([word[0], word[1], word[2], word[3], word[4], word[5], word[6], word[7]])))
    }

    fn keys(&mut self, len: usize) -> Result<Vec<Key>, WireError> {
        let bytes = self.take(len.checked_mul(16).ok_or(wrong("it ends early"))?)?;
        Ok(bytes
            .chunks_exact(16)
            .filter_map(|bytes| bytes.first_chunk::<16>())
            .map(|bytes| Key(u128::from_le_bytes(*bytes)))
            .collect())
    }

    fn bits(&mut self, len: usize) -> Result<BooleanBuffer, WireError> {
        let bytes = self.take(len.div_ceil(8))?;
        Ok(BooleanBuffer::new(Buffer::from(bytes), 0, len))
    }

    fn texts(&mut self, rows: usize, mut put: impl FnMut(&'a [u8])) -> Result<(), WireError> {
        let lengths = self.take(rows.checked_mul(4).ok_or(wrong("it ends early"))?)?;
        for length in lengths.chunks_exact(4) {
            put(self.take(u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize)?);
        }
        Ok(())
    }

    fn column(&mut self, rows: usize) -> Result<Column, WireError> {
        let layout = *LAYOUTS
            .get(usize::from(self.byte()?))
            .ok_or(wrong("there is no such layout"))?;
        let (has_nulls, has_errors) = (self.flag()?, self.flag()?);
        let nulls = if has_nulls {
            Some(NullBuffer::new(self.bits(rows)?))
        } else {
            None
        };
        let errors = if has_errors { Some(self.bits(rows)?) } else { None };
        let cells = match layout {
            Physical::Bool => {
                let bytes = self.take(rows)?;
                Cells::Bool(BooleanArray::new(
                    BooleanBuffer::collect_bool(rows, |row| bytes[row] != 0),
                    nulls,
                ))
            }
            Physical::Int => Cells::Int(Int64Array::new(self.words(rows)?.collect(), nulls)),
            Physical::Float => {
                let floats = self.words(rows)?.map(|word| f64::from_bits(word as u64));
                Cells::Float(Float64Array::new(floats.collect(), nulls))
            }
            Physical::DateTimeNaive => {
                Cells::DateTimeNaive(TimestampNanosecondArray::new(self.words(rows)?.collect(), nulls))
            }
            Physical::DateTimeUtc => {
                Cells::DateTimeUtc(TimestampNanosecondArray::new(self.words(rows)?.collect(), nulls))
            }
            Physical::Duration => Cells::Duration(DurationNanosecondArray::new(self.words(rows)?.collect(), nulls)),
            Physical::Pointer => Cells::Pointer(PointerArray::new(self.keys(rows)?.into(), nulls)),
            Physical::Str | Physical::Bytes => self.text_cells(layout, rows, nulls)?,
            Physical::Any => {
                let values = (0..rows).map(|_| self.value()).collect::<Result<Vec<_>, _>>()?;
                Cells::Any(values.into())
            }
        };
        Ok(Column::with_errors(cells, errors))
    }

    fn text_cells(&mut self, layout: Physical, rows: usize, nulls: Option<NullBuffer>) -> Result<Cells, WireError> {
        let mut builder = ColumnBuilder::with_physical(layout);
        let mut row = 0;
        let mut is_utf8 = true;
        self.texts(rows, |bytes| {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                builder.push_none();
            } else if layout == Physical::Bytes {
                builder.push_bytes(bytes);
            } else {
                let text = std::str::from_utf8(bytes);
                is_utf8 &= text.is_ok();
                builder.push_str(text.unwrap_or_default());
            }
            row += 1;
        })?;
        if !is_utf8 {
            return Err(wrong("a text is not UTF-8"));
        }
        Ok(builder.finish().cells().clone())
    }

    fn shape(&mut self) -> Result<(Arc<[usize]>, usize), WireError> {
        let dimensions = self.len()?;
        let shape = (0..dimensions).map(|_| self.len()).collect::<Result<Vec<_>, _>>()?;
        let elements = shape
            .iter()
            .try_fold(1_usize, |product, length| product.checked_mul(*length));
        Ok((shape.into(), elements.ok_or(wrong("an array is too large"))?))
    }

    fn value(&mut self) -> Result<Value, WireError> {
        Ok(match self.byte()? {
            0 => Value::None,
            1 => Value::Bool(self.flag()?),
            2 => Value::Int(self.word()?),
            3 => Value::Float(f64::from_bits(self.word()? as u64)),
            4 => Value::Str(self.text()?.into()),
            5 => Value::Bytes(self.blob()?.into()),
            6 => Value::Pointer(Key(u128::from_le_bytes(self.array()?))),
            7 => Value::DateTimeNaive(self.word()?),
            8 => Value::DateTimeUtc(self.word()?),
            9 => Value::Duration(self.word()?),
            10 => {
                let document = Json::parse(self.text()?);
                Value::Json(Arc::new(document.map_err(|_| wrong("a document is not JSON"))?))
            }
            11 => {
                let items = self.len()?;
                Value::Tuple((0..items).map(|_| self.value()).collect::<Result<Vec<_>, _>>()?.into())
            }
            12 => {
                let (shape, len) = self.shape()?;
                let elements = self.words(len)?.collect();
                Value::IntArray(NdArray { shape, elements })
            }
            13 => {
                let (shape, len) = self.shape()?;
                let elements = self.words(len)?.map(|word| f64::from_bits(word as u64)).collect();
                Value::FloatArray(NdArray { shape, elements })
            }
            14 => {
                let bytes = self.blob()?;
                Value::Object(decode_object(bytes).map_err(|reason| WireError {
                    reason: reason.into(),
                    column: None,
                })?)
            }
            15 => Value::Error,
            16 => Value::Pending,
            17 => return Err(wrong("an object in it could not be written")),
            _ => return Err(wrong("there is no such kind of value")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::None),
            Just(Value::Error),
            Just(Value::Pending),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<f64>().prop_map(Value::Float),
            ".{0,20}".prop_map(|text| Value::str(&text)),
            prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| Value::Bytes(bytes.into())),
            any::<u128>().prop_map(|key| Value::Pointer(Key(key))),
            any::<i64>().prop_map(Value::DateTimeUtc),
            any::<i64>().prop_map(Value::Duration),
            ".{0,9}".prop_map(|text| Value::from(Json::from(serde_json::json!({"z": [1, null, text], "a": 1})))),
            prop::collection::vec(any::<i64>(), 0..6).prop_map(|elements| {
                Value::IntArray(NdArray {
                    shape: [1, elements.len()].as_slice().into(),
                    elements: elements.into(),
                })
            }),
        ];
        leaf.prop_recursive(2, 8, 4, |inner| {
            prop::collection::vec(inner, 0..4).prop_map(|items| Value::Tuple(items.into()))
        })
    }

    /// A type, and values that a column of it may hold.
    fn column() -> impl Strategy<Value = (DType, Vec<Value>)> {
        let of = |dtype: DType, values: BoxedStrategy<Value>| {
            let cell = prop_oneof![4 => values, 1 => Just(Value::None), 1 => Just(Value::Error)];
            prop::collection::vec(cell, 7).prop_map(move |values| (dtype.clone(), values))
        };
        prop_oneof![
            of(DType::Int.optional(), any::<i64>().prop_map(Value::Int).boxed()),
            of(DType::Bool.optional(), any::<bool>().prop_map(Value::Bool).boxed()),
            of(DType::Float.optional(), any::<f64>().prop_map(Value::Float).boxed()),
            of(
                DType::Str.optional(),
                ".{0,30}".prop_map(|text| Value::str(&text)).boxed()
            ),
            of(
                DType::Bytes.optional(),
                prop::collection::vec(any::<u8>(), 0..30)
                    .prop_map(|b| Value::Bytes(b.into()))
                    .boxed()
            ),
            of(
                DType::ANY_POINTER.optional(),
                any::<u128>().prop_map(|key| Value::Pointer(Key(key))).boxed()
            ),
            of(
                DType::DateTimeNaive.optional(),
                any::<i64>().prop_map(Value::DateTimeNaive).boxed()
            ),
            of(DType::Any, value().boxed()),
        ]
    }

    proptest! {
        #[test]
        fn batches_come_back(
            columns in prop::collection::vec(column(), 0..4),
            keys in prop::collection::vec(any::<u128>(), 7),
            diffs in prop::option::of(prop::collection::vec(-2..3i64, 7)),
            start in 0..7usize,
        ) {
            let batch = Batch::new(
                keys.into_iter().map(Key).collect::<Vec<_>>(),
                columns.iter().map(|(dtype, values)| Column::from_values(dtype, values)).collect(),
                diffs.map(Into::into),
            ).slice(start, 7 - start);
            let mut bytes = Vec::new();
            write_batch(&batch, &mut bytes).expect("a vector takes everything");
            prop_assert_eq!(bytes.len(), batch_length(&batch));
            let back = read_batch(&bytes).expect("the bytes are a batch");
            prop_assert_eq!(back.keys().to_vec(), batch.keys().to_vec());
            for row in 0..batch.len() {
                prop_assert_eq!(back.row(row), batch.row(row));
                prop_assert_eq!(back.diff(row), batch.diff(row));
            }
            // A batch that is cut off is an error, never a panic.
            for len in 0..bytes.len() {
                prop_assert!(read_batch(&bytes[..len]).is_err());
            }
        }

        #[test]
        fn any_bytes_are_a_batch_or_an_error(bytes in prop::collection::vec(0..20u8, 0..200)) {
            let _ = read_batch(&bytes);
        }
    }
}
