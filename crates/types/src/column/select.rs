//! Columns made of the cells of others: windows, chosen rows, one after another, another layout.

use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{BooleanArray, Float64Array, PrimitiveArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};

use super::gather::{Concat, Filter, Take, Zip, gathered};
use super::{Cells, Column, ColumnBuilder, PointerArray};
use crate::dtype::{DType, Physical};
use crate::value::Value;
use crate::views;

/// The same numbers with other nulls.
fn numbers<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, nulls: Option<NullBuffer>) -> PrimitiveArray<T> {
    PrimitiveArray::new(array.values().clone(), nulls)
}

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
    pub fn take(&self, indices: &[u32]) -> Self {
        gathered(&[self], &Take(indices))
    }

    /// The rows where `mask` is true.
    pub fn filter(&self, mask: &BooleanBuffer) -> Self {
        assert_eq!(mask.len(), self.len(), "a mask is as long as its column");
        gathered(&[self], &Filter::new(mask))
    }

    /// Columns one after another; of different layouts, the cells become values.
    pub fn concat(columns: &[&Column]) -> Self {
        let [first, rest @ ..] = columns else {
            return Self::empty(Physical::Any);
        };
        if rest.is_empty() {
            return (*first).clone();
        }
        let physical = first.physical();
        if columns.iter().all(|column| column.physical() == physical) {
            return gathered(columns, &Concat);
        }
        let columns: Vec<Column> = columns
            .iter()
            .map(|column| column.with_layout_of(&DType::Any))
            .collect();
        gathered(&columns.iter().collect::<Vec<_>>(), &Concat)
    }

    /// The cells of `then` where `mask` is true, and of `otherwise` elsewhere; a column that is a scalar has one cell for
    /// all rows. Both are of one layout.
    pub fn zip(mask: &BooleanBuffer, then: (&Column, bool), otherwise: (&Column, bool)) -> Self {
        let scalars = [then.1, otherwise.1];
        gathered(&[then.0, otherwise.0], &Zip { mask, scalars })
    }

    /// The column with `None` where `nones` is true.
    pub fn with_nones(&self, nones: &BooleanBuffer) -> Self {
        let nulls = NullBuffer::union(self.nulls(), Some(&NullBuffer::new(!nones)));
        let cells = match &self.cells {
            Cells::Bool(array) => Cells::Bool(BooleanArray::new(array.values().clone(), nulls)),
            Cells::Int(array) => Cells::Int(numbers(array, nulls)),
            Cells::Float(array) => Cells::Float(numbers(array, nulls)),
            Cells::DateTimeNaive(array) => Cells::DateTimeNaive(numbers(array, nulls)),
            Cells::DateTimeUtc(array) => Cells::DateTimeUtc(numbers(array, nulls)),
            Cells::Duration(array) => Cells::Duration(numbers(array, nulls)),
            Cells::Str(array) => {
                let (views, blocks, _) = array.clone().into_parts();
                Cells::Str(views::texts(views, blocks, nulls))
            }
            Cells::Bytes(array) => {
                let (views, blocks, _) = array.clone().into_parts();
                Cells::Bytes(views::bytes(views, blocks, nulls))
            }
            Cells::Pointer(array) => Cells::Pointer(PointerArray::new(array.values.clone(), nulls)),
            Cells::Any(values) => {
                let value = |(value, is_none): (&Value, bool)| if is_none { Value::None } else { value.clone() };
                Cells::Any(values.iter().zip(nones).map(value).collect())
            }
        };
        Self::with_errors(cells, self.errors.as_ref().map(|errors| errors & &!nones))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::Key;

    /// A type, and cells of it: some are None, some errors.
    fn cells() -> impl Strategy<Value = (DType, [Vec<Value>; 2])> {
        let of = |dtype: DType, value: BoxedStrategy<Value>| {
            let cell = prop_oneof![1 => Just(Value::None), 1 => Just(Value::Error), 6 => value];
            let column = prop::collection::vec(cell, 0..70);
            [column.clone(), column].prop_map(move |columns| (dtype.clone(), columns))
        };
        prop_oneof![
            of(DType::Bool, any::<bool>().prop_map(Value::Bool).boxed()),
            of(DType::Int, any::<i64>().prop_map(Value::Int).boxed()),
            of(
                DType::Float,
                any::<i32>().prop_map(|value| Value::Float(value.into())).boxed()
            ),
            of(DType::Str, ".{0,30}".prop_map(|text| Value::str(&text)).boxed()),
            of(
                DType::Bytes,
                any::<Vec<u8>>()
                    .prop_map(|bytes| Value::Bytes(bytes.as_slice().into()))
                    .boxed()
            ),
            of(
                DType::Pointer(None),
                any::<i64>()
                    .prop_map(|value| Value::Pointer(Key::for_values(&[value.into()])))
                    .boxed()
            ),
            of(
                DType::DateTimeNaive,
                any::<i64>().prop_map(Value::DateTimeNaive).boxed()
            ),
            of(DType::DateTimeUtc, any::<i64>().prop_map(Value::DateTimeUtc).boxed()),
            of(DType::Duration, any::<i64>().prop_map(Value::Duration).boxed()),
            of(
                DType::Any,
                prop_oneof![
                    any::<i64>().prop_map(Value::Int),
                    ".{0,20}".prop_map(|text| Value::str(&text))
                ]
                .boxed()
            ),
        ]
    }

    fn values(column: &Column) -> Vec<Value> {
        column.values().collect()
    }

    proptest! {
        #[test]
        fn columns_do_what_lists_of_values_do(
            (dtype, [left, right]) in cells(),
            choices in prop::collection::vec((any::<u32>(), any::<bool>()), 140),
            is_dense: bool,
        ) {
            let of = |cells: &[Value]| Column::from_values(&dtype, cells);
            let (a, b) = (of(&left), of(&right));
            let both: Vec<Value> = left.iter().chain(&right).cloned().collect();
            let concat = Column::concat(&[&a, &b]);
            prop_assert_eq!(values(&concat), both.clone());
            prop_assert_eq!(concat.physical(), dtype.physical());
            prop_assert_eq!(values(&Column::concat(&[&concat, &a, &concat])), [&both[..], &left, &both].concat());

            let indices: Vec<u32> =
                choices.iter().filter(|_| !both.is_empty()).map(|choice| choice.0 % both.len() as u32).collect();
            let taken: Vec<Value> = indices.iter().map(|index| both[*index as usize].clone()).collect();
            prop_assert_eq!(values(&concat.take(&indices)), taken);

            let mask: Vec<bool> =
                choices[..both.len()].iter().map(|choice| if is_dense { choice.0 % 16 > 0 } else { choice.1 }).collect();
            let bits: BooleanBuffer = mask.iter().copied().collect();
            let chosen: Vec<Value> =
                both.iter().zip(&mask).filter(|(_, chosen)| **chosen).map(|(value, _)| value.clone()).collect();
            prop_assert_eq!(values(&concat.filter(&bits)), chosen);
            let nones: Vec<Value> =
                both.iter().zip(&mask).map(|(value, none)| if *none { Value::None } else { value.clone() }).collect();
            prop_assert_eq!(values(&concat.with_nones(&bits)), nones);

            // Windows share what they are windows of.
            let len = left.len().min(right.len());
            let (mask, bits) = (&mask[..len], bits.slice(0, len));
            let (start, end) = (a.len() - len, b.len() - len);
            let (a, b) = (a.slice(start, len), b.slice(end, len));
            for scalars in [[false, false], [false, true], [true, false], [true, true]].into_iter().filter(|_| len > 0) {
                let row = |row: usize, which: usize| if scalars[which] { 0 } else { row };
                let zipped: Vec<Value> = (0..len)
                    .map(|at| if mask[at] { left[start + row(at, 0)].clone() } else { right[end + row(at, 1)].clone() })
                    .collect();
                prop_assert_eq!(values(&Column::zip(&bits, (&a, scalars[0]), (&b, scalars[1]))), zipped);
            }
        }
    }

    #[test]
    fn columns_of_different_layouts_become_values() {
        let columns = [
            Column::from_values(&DType::Int, &[1.into()]),
            Column::from_values(&DType::Str, &["a".into(), Value::Error]),
        ];
        let both = Column::concat(&[&columns[0], &columns[1]]);
        assert_eq!(values(&both), [1.into(), "a".into(), Value::Error]);
        assert_eq!(both.physical(), Physical::Any);
    }
}
