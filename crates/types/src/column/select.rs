//! Columns made of the cells of others: windows, chosen rows, one after another, another layout.

use arrow_array::{Array, BooleanArray, Float64Array, UInt32Array};
use arrow_buffer::{BooleanBuffer, NullBuffer};

use super::{Cells, Column, ColumnBuilder, PointerArray};
use crate::dtype::{DType, Physical};
use crate::key::Key;
use crate::value::Value;

impl Column {
    /// The window of `len` rows from `start`.
    pub fn slice(&self, start: usize, len: usize) -> Self {
        let cells = match &self.cells {
            Cells::Bool(array) => Cells::Bool(array.slice(start, len)),
            Cells::Int(array) => Cells::Int(array.slice(start, len)),
            Cells::Float(array) => Cells::Float(array.slice(start, len)),
            Cells::Str(array) => Cells::Str(array.slice(start, len)),
            Cells::Bytes(array) => Cells::Bytes(array.slice(start, len)),
            Cells::DateTimeNaive(array) => Cells::DateTimeNaive(array.slice(start, len)),
            Cells::DateTimeUtc(array) => Cells::DateTimeUtc(array.slice(start, len)),
            Cells::Duration(array) => Cells::Duration(array.slice(start, len)),
            Cells::Pointer(array) => Cells::Pointer(PointerArray {
                values: array.values.slice(start, len),
                nulls: array.nulls.as_ref().map(|nulls| nulls.slice(start, len)),
            }),
            Cells::Any(values) => Cells::Any(values.slice(start, len)),
        };
        Self::with_errors(cells, self.errors.as_ref().map(|errors| errors.slice(start, len)))
    }

    /// The rows at `indices`, in that order.
    pub fn take(&self, indices: &UInt32Array) -> Self {
        let indices_slice = indices.values();
        let cells = match &self.cells {
            Cells::Pointer(array) => {
                let values: &[Key] = &array.values;
                Cells::Pointer(PointerArray {
                    values: indices_slice.iter().map(|i| values[*i as usize]).collect(),
                    nulls: array
                        .nulls
                        .as_ref()
                        .map(|nulls| indices_slice.iter().map(|i| nulls.is_valid(*i as usize)).collect()),
                })
            }
            Cells::Any(values) => {
                let values: &[Value] = values;
                Cells::Any(indices_slice.iter().map(|i| values[*i as usize].clone()).collect())
            }
            // A check of the bounds would cost as much as the work; callers make the indices from lengths.
            arrow => Cells::from_arrow(
                self.physical(),
                arrow_select::take::take(arrow.as_arrow(), indices, None).expect("indices lie within the column"),
            ),
        };
        let errors = self
            .errors
            .as_ref()
            .map(|errors| BooleanBuffer::collect_bool(indices.len(), |row| errors.value(indices_slice[row] as usize)));
        Self::with_errors(cells, errors)
    }

    /// The rows where `mask` is true.
    pub fn filter(&self, mask: &BooleanBuffer) -> Self {
        let chosen = || mask.set_indices();
        let cells = match &self.cells {
            Cells::Pointer(array) => {
                let values: &[Key] = &array.values;
                Cells::Pointer(PointerArray {
                    values: chosen().map(|i| values[i]).collect(),
                    nulls: array
                        .nulls
                        .as_ref()
                        .map(|nulls| chosen().map(|i| nulls.is_valid(i)).collect()),
                })
            }
            Cells::Any(values) => {
                let values: &[Value] = values;
                Cells::Any(chosen().map(|i| values[i].clone()).collect())
            }
            arrow => Cells::from_arrow(
                self.physical(),
                arrow_select::filter::filter(arrow.as_arrow(), &BooleanArray::new(mask.clone(), None))
                    .expect("a mask is as long as its column"),
            ),
        };
        let errors = self
            .errors
            .as_ref()
            .map(|errors| chosen().map(|i| errors.value(i)).collect());
        Self::with_errors(cells, errors)
    }

    /// Columns of one layout, one after another.
    pub fn concat(columns: &[&Column]) -> Self {
        let [first, rest @ ..] = columns else {
            return Self::empty(Physical::Any);
        };
        if rest.is_empty() {
            return (*first).clone();
        }
        let len = columns.iter().map(|column| column.len()).sum();
        let physical = first.physical();
        let cells = if columns.iter().any(|column| column.physical() != physical) {
            Cells::Any(columns.iter().flat_map(|column| column.values()).collect())
        } else {
            match &first.cells {
                Cells::Pointer(_) => {
                    let mut values = Vec::with_capacity(len);
                    let mut valid = Vec::with_capacity(len);
                    for column in columns {
                        if let Cells::Pointer(array) = &column.cells {
                            values.extend_from_slice(&array.values);
                            valid.extend((0..array.values.len()).map(|row| !column.is_none(row)));
                        }
                    }
                    let nulls = valid.contains(&false).then(|| NullBuffer::from(valid));
                    Cells::Pointer(PointerArray::new(values.into(), nulls))
                }
                Cells::Any(_) => Cells::Any(
                    columns
                        .iter()
                        .flat_map(|column| match &column.cells {
                            Cells::Any(values) => values.to_vec(),
                            _ => Vec::new(),
                        })
                        .collect(),
                ),
                _ => {
                    let arrays: Vec<&dyn Array> = columns.iter().map(|column| column.cells.as_arrow()).collect();
                    Cells::from_arrow(
                        physical,
                        arrow_select::concat::concat(&arrays).expect("the columns are of one layout"),
                    )
                }
            }
        };
        let errors = columns.iter().any(|column| column.errors.is_some()).then(|| {
            columns
                .iter()
                .flat_map(|column| (0..column.len()).map(|row| column.is_error(row)))
                .collect()
        });
        Self::with_errors(cells, errors)
    }

    /// The column in the layout of `dtype`: `int` becomes `float`, everything becomes `Any`.
    /// A cell that does not fit becomes an error.
    pub fn with_layout_of(&self, dtype: &DType) -> Self {
        let physical = dtype.physical();
        if self.physical() == physical {
            return self.clone();
        }
        if let (Cells::Int(array), Physical::Float) = (&self.cells, physical) {
            let floats: Float64Array = array.unary(|value| value as f64);
            return Self::with_errors(Cells::Float(floats), self.errors.clone());
        }
        let mut builder = ColumnBuilder::with_physical(physical);
        for value in self.values() {
            builder.push(&value);
        }
        builder.finish()
    }
}
