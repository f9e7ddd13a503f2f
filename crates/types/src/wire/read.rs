//! Bytes to batches.

use std::sync::Arc;

use arrow_array::{BooleanArray, DurationNanosecondArray, Float64Array, Int64Array, TimestampNanosecondArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer};

use super::{LAYOUTS, WireError, decode_object, wrong};
use crate::batch::Batch;
use crate::column::{Cells, Column, ColumnBuilder, PointerArray};
use crate::dtype::Physical;
use crate::json::Json;
use crate::key::Key;
use crate::shared::Shared;
use crate::value::{NdArray, Value};

/// Reads a batch that [`write_batch`](super::write_batch) wrote.
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

/// Reads columns that [`write_columns`](super::write_columns) wrote.
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
