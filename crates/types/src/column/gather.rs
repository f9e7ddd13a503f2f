//! Columns made of the cells of others. What a gathering does to the values of a buffer it does to the bits of a mask,
//! and there is nothing else in a column: so each is said once, for all layouts.

use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, ByteViewType};
use arrow_array::{BooleanArray, GenericByteViewArray, PrimitiveArray};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder, Buffer, NullBuffer, ScalarBuffer};

use super::{Cells, Column, PointerArray};
use crate::views;

/// Which cells of some columns are put together.
pub(super) trait Gather {
    /// The values, of a buffer a column.
    fn values<T: Clone>(&self, parts: &[&[T]]) -> Vec<T>;

    /// The same of masks.
    fn bits(&self, parts: &[&BooleanBuffer]) -> BooleanBuffer;
}

/// The cells at indices of one column.
pub(super) struct Take<'a>(pub(super) &'a [u32]);

impl Gather for Take<'_> {
    fn values<T: Clone>(&self, parts: &[&[T]]) -> Vec<T> {
        let values = parts[0];
        self.0.iter().map(|index| values[*index as usize].clone()).collect()
    }

    fn bits(&self, parts: &[&BooleanBuffer]) -> BooleanBuffer {
        BooleanBuffer::collect_bool(self.0.len(), |row| parts[0].value(self.0[row] as usize))
    }
}

/// The cells of one column where a mask is set.
pub(super) struct Filter<'a> {
    mask: &'a BooleanBuffer,
    count: usize,
}

impl<'a> Filter<'a> {
    pub(super) fn new(mask: &'a BooleanBuffer) -> Self {
        Self {
            mask,
            count: mask.count_set_bits(),
        }
    }

    /// Whether rows that are chosen are mostly beside each other, so that they are copied by the piece.
    fn is_dense(&self) -> bool {
        self.count * 5 > self.mask.len() * 4
    }
}

impl Gather for Filter<'_> {
    fn values<T: Clone>(&self, parts: &[&[T]]) -> Vec<T> {
        let mut chosen = Vec::with_capacity(self.count);
        if self.is_dense() {
            for (start, end) in self.mask.set_slices() {
                chosen.extend_from_slice(&parts[0][start..end]);
            }
        } else {
            chosen.extend(self.mask.set_indices().map(|row| parts[0][row].clone()));
        }
        chosen
    }

    fn bits(&self, parts: &[&BooleanBuffer]) -> BooleanBuffer {
        let mut rows = self.mask.set_indices();
        BooleanBuffer::collect_bool(self.count, |_| rows.next().is_some_and(|row| parts[0].value(row)))
    }
}

/// All cells of the columns, one column after another.
pub(super) struct Concat;

impl Gather for Concat {
    fn values<T: Clone>(&self, parts: &[&[T]]) -> Vec<T> {
        parts.concat()
    }

    fn bits(&self, parts: &[&BooleanBuffer]) -> BooleanBuffer {
        let mut bits = BooleanBufferBuilder::new(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            bits.append_buffer(part);
        }
        bits.finish()
    }
}

/// For each row a cell of the first of two columns where a mask is set, else of the second.
pub(super) struct Zip<'a> {
    pub(super) mask: &'a BooleanBuffer,
    /// Which of the columns have one cell for all rows.
    pub(super) scalars: [bool; 2],
}

impl Gather for Zip<'_> {
    fn values<T: Clone>(&self, parts: &[&[T]]) -> Vec<T> {
        let (left, right) = (parts[0], parts[1]);
        let choose = |(chosen, (left, right)): (bool, (&T, &T))| if chosen { left.clone() } else { right.clone() };
        let mask = self.mask.iter();
        // A loop for each, so that what is the same for all rows stays in a register.
        match self.scalars {
            [false, false] => mask.zip(left.iter().zip(right)).map(choose).collect(),
            [false, true] => mask
                .zip(left.iter().map(|left| (left, &right[0])))
                .map(choose)
                .collect(),
            [true, false] => mask
                .zip(right.iter().map(|right| (&left[0], right)))
                .map(choose)
                .collect(),
            [true, true] => mask.map(|chosen| choose((chosen, (&left[0], &right[0])))).collect(),
        }
    }

    fn bits(&self, parts: &[&BooleanBuffer]) -> BooleanBuffer {
        let part = |which: usize| match (self.scalars[which], parts[which]) {
            (false, bits) => bits.clone(),
            (true, bits) if bits.value(0) => BooleanBuffer::new_set(self.mask.len()),
            (true, _) => BooleanBuffer::new_unset(self.mask.len()),
        };
        &(self.mask & &part(0)) | &(&!self.mask & &part(1))
    }
}

/// What a gathering makes of columns of one layout.
///
/// # Panics
/// For columns of different layouts, or none.
pub(super) fn gathered(columns: &[&Column], gather: &impl Gather) -> Column {
    let of = Gathering { columns, gather };
    let cells = match &columns[0].cells {
        Cells::Bool(_) => {
            let parts = of.parts(|cells| match cells {
                Cells::Bool(array) => Some(array.values()),
                _ => None,
            });
            Cells::Bool(BooleanArray::new(gather.bits(&parts), of.nulls()))
        }
        Cells::Int(_) => Cells::Int(of.numbers(|cells| match cells {
            Cells::Int(array) => Some(array),
            _ => None,
        })),
        Cells::Float(_) => Cells::Float(of.numbers(|cells| match cells {
            Cells::Float(array) => Some(array),
            _ => None,
        })),
        Cells::DateTimeNaive(_) => Cells::DateTimeNaive(of.numbers(|cells| match cells {
            Cells::DateTimeNaive(array) => Some(array),
            _ => None,
        })),
        Cells::DateTimeUtc(_) => Cells::DateTimeUtc(of.numbers(|cells| match cells {
            Cells::DateTimeUtc(array) => Some(array),
            _ => None,
        })),
        Cells::Duration(_) => Cells::Duration(of.numbers(|cells| match cells {
            Cells::Duration(array) => Some(array),
            _ => None,
        })),
        Cells::Str(_) => {
            let arrays = of.parts(|cells| match cells {
                Cells::Str(array) => Some(array),
                _ => None,
            });
            let (views, blocks) = of.views(&arrays);
            Cells::Str(views::texts(views, blocks, of.nulls()))
        }
        Cells::Bytes(_) => {
            let arrays = of.parts(|cells| match cells {
                Cells::Bytes(array) => Some(array),
                _ => None,
            });
            let (views, blocks) = of.views(&arrays);
            Cells::Bytes(views::bytes(views, blocks, of.nulls()))
        }
        Cells::Pointer(_) => {
            let parts = of.parts(|cells| match cells {
                Cells::Pointer(array) => Some(&array.values[..]),
                _ => None,
            });
            Cells::Pointer(PointerArray::new(gather.values(&parts).into(), of.nulls()))
        }
        Cells::Any(_) => {
            let parts = of.parts(|cells| match cells {
                Cells::Any(values) => Some(&values[..]),
                _ => None,
            });
            Cells::Any(gather.values(&parts).into())
        }
    };
    Column::with_errors(cells, of.bits(|column| column.errors.clone(), BooleanBuffer::new_unset))
}

struct Gathering<'a, G> {
    columns: &'a [&'a Column],
    gather: &'a G,
}

impl<'a, G: Gather> Gathering<'a, G> {
    fn parts<T>(&self, part: impl Fn(&'a Cells) -> Option<T>) -> Vec<T> {
        let part = |column: &&'a Column| part(&column.cells).expect("the columns are of one layout");
        self.columns.iter().map(part).collect()
    }

    fn numbers<T: ArrowPrimitiveType>(
        &self,
        part: impl Fn(&'a Cells) -> Option<&'a PrimitiveArray<T>>,
    ) -> PrimitiveArray<T> {
        let parts = self.parts(|cells| part(cells).map(|array| &array.values()[..]));
        PrimitiveArray::new(self.gather.values(&parts).into(), self.nulls())
    }

    /// The views, and all blocks that they refer to.
    fn views<T: ByteViewType>(&self, arrays: &[&GenericByteViewArray<T>]) -> (ScalarBuffer<u128>, Arc<[Buffer]>) {
        let first = arrays[0].data_buffers();
        // Columns that were made of one share its blocks.
        if arrays
            .iter()
            .all(|array| array.data_buffers().is_empty() || Arc::ptr_eq(array.data_buffers(), first))
        {
            let parts: Vec<&[u128]> = arrays.iter().map(|array| &array.views()[..]).collect();
            return (self.gather.values(&parts).into(), Arc::clone(first));
        }
        let mut blocks = Vec::new();
        let moved: Vec<Vec<u128>> = arrays
            .iter()
            .map(|array| {
                let moved = views::moved(array.views(), blocks.len() as u32);
                blocks.extend_from_slice(array.data_buffers());
                moved
            })
            .collect();
        let parts: Vec<&[u128]> = moved.iter().map(|views| &views[..]).collect();
        (self.gather.values(&parts).into(), blocks.into())
    }

    fn nulls(&self) -> Option<NullBuffer> {
        let valid = |column: &Column| column.nulls().map(|nulls| nulls.inner().clone());
        let valid = self.bits(valid, BooleanBuffer::new_set)?;
        Some(NullBuffer::new(valid)).filter(|nulls| nulls.null_count() > 0)
    }

    /// What the gathering makes of masks that the columns may have; None if none has one.
    fn bits(
        &self,
        mask: impl Fn(&Column) -> Option<BooleanBuffer>,
        without: impl Fn(usize) -> BooleanBuffer,
    ) -> Option<BooleanBuffer> {
        let masks: Vec<Option<BooleanBuffer>> = self.columns.iter().map(|column| mask(column)).collect();
        if masks.iter().all(Option::is_none) {
            return None;
        }
        let masks: Vec<BooleanBuffer> = masks
            .into_iter()
            .zip(self.columns)
            .map(|(mask, column)| mask.unwrap_or_else(|| without(column.len())))
            .collect();
        Some(self.gather.bits(&masks.iter().collect::<Vec<_>>()))
    }
}
