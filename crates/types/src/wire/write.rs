//! Batches to bytes.

use std::sync::Arc;

use arrow_array::Array as _;
use arrow_buffer::BooleanBuffer;

use super::LAYOUTS;
use crate::batch::Batch;
use crate::column::{Cells, Column};
use crate::key::Key;
use crate::value::Value;

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
