//! A column that can be overwritten.
//!
//! An Arrow array is immutable and may share its data with the batch it came in; a store that held on to
//! such an array would hold on to everything that ever came. So cells are copied in, and gathered out.

use arrow_array::{BooleanArray, DurationNanosecondArray, Float64Array, Int64Array, TimestampNanosecondArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use towpath_types::{Cells, Column, Key, Physical, PointerArray, Texts, Value};

/// A column that can be overwritten; cells are addressed by slots.
#[derive(Debug)]
pub struct CellStore {
    physical: Physical,
    cells: Stored,
    /// What each cell is, once one was not a plain value.
    marks: Vec<Mark>,
}

#[derive(Debug)]
enum Stored {
    /// Everything that fits 64 bits, as bits.
    Words(Vec<u64>),
    Keys(Vec<Key>),
    Texts(Texts),
    Values(Vec<Value>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Value,
    None,
    Error,
}

impl CellStore {
    /// An empty store of columns of one layout.
    pub fn new(physical: Physical) -> Self {
        let cells = match physical {
            Physical::Bool
            | Physical::Int
            | Physical::Float
            | Physical::DateTimeNaive
            | Physical::DateTimeUtc
            | Physical::Duration => Stored::Words(Vec::new()),
            Physical::Pointer => Stored::Keys(Vec::new()),
            Physical::Str | Physical::Bytes => Stored::Texts(Texts::new()),
            Physical::Any => Stored::Values(Vec::new()),
        };
        Self {
            physical,
            cells,
            marks: Vec::new(),
        }
    }

    /// The layout of its columns.
    pub fn physical(&self) -> Physical {
        self.physical
    }

    fn len(&self) -> usize {
        match &self.cells {
            Stored::Words(words) => words.len(),
            Stored::Keys(keys) => keys.len(),
            Stored::Texts(texts) => texts.len(),
            Stored::Values(values) => values.len(),
        }
    }

    fn grow(&mut self, len: usize) {
        if len <= self.len() {
            return;
        }
        match &mut self.cells {
            Stored::Words(words) => words.resize(len, 0),
            Stored::Keys(keys) => keys.resize(len, Key::default()),
            Stored::Texts(texts) => texts.resize(len),
            Stored::Values(values) => values.resize(len, Value::None),
        }
        if !self.marks.is_empty() {
            self.marks.resize(len, Mark::Value);
        }
    }

    /// Writes the cells of `column` at `rows` into `slots`, of which there are as many.
    ///
    /// # Panics
    /// If the column has another layout.
    pub fn put(&mut self, slots: &[u32], column: &Column, rows: impl Iterator<Item = u32> + Clone) {
        let Some(last) = slots.iter().max() else {
            return;
        };
        self.grow(*last as usize + 1);
        let pairs = slots
            .iter()
            .map(|slot| *slot as usize)
            .zip(rows.map(|row| row as usize));
        match (&mut self.cells, column.cells()) {
            (Stored::Words(words), Cells::Bool(array)) => {
                pairs
                    .clone()
                    .for_each(|(slot, row)| words[slot] = u64::from(array.value(row)));
            }
            (Stored::Words(words), Cells::Int(array)) => {
                let values = array.values();
                pairs.clone().for_each(|(slot, row)| words[slot] = values[row] as u64);
            }
            (Stored::Words(words), Cells::Float(array)) => {
                let values = array.values();
                pairs
                    .clone()
                    .for_each(|(slot, row)| words[slot] = values[row].to_bits());
            }
            (Stored::Words(words), Cells::DateTimeNaive(array) | Cells::DateTimeUtc(array)) => {
                let values = array.values();
                pairs.clone().for_each(|(slot, row)| words[slot] = values[row] as u64);
            }
            (Stored::Words(words), Cells::Duration(array)) => {
                let values = array.values();
                pairs.clone().for_each(|(slot, row)| words[slot] = values[row] as u64);
            }
            (Stored::Keys(keys), Cells::Pointer(array)) => {
                let values = array.values();
                pairs.clone().for_each(|(slot, row)| keys[slot] = values[row]);
            }
            (Stored::Texts(texts), Cells::Str(array)) => texts.put_texts(array, pairs.clone()),
            (Stored::Texts(texts), Cells::Bytes(array)) => texts.put_bytes(array, pairs.clone()),
            (Stored::Values(values), Cells::Any(array)) => {
                pairs.clone().for_each(|(slot, row)| values[slot] = array[row].clone());
            }
            (stored, _) => panic!("a store of {stored:?} cannot take a column of {:?}", column.physical()),
        }
        let is_plain = column.errors().is_none() && column.nulls().is_none();
        if is_plain && self.marks.is_empty() {
            return;
        }
        if self.marks.is_empty() {
            self.marks = vec![Mark::Value; self.len()];
        }
        for (slot, row) in pairs {
            self.marks[slot] = if column.is_error(row) {
                Mark::Error
            } else if column.nulls().is_some_and(|nulls| nulls.is_null(row)) {
                Mark::None
            } else {
                Mark::Value
            };
        }
    }

    /// Makes floats that are one value the same also to those who look closer: zeros lose their sign.
    pub fn settle_floats(&mut self, slots: &[u32]) {
        if let (Stored::Words(words), Physical::Float) = (&mut self.cells, self.physical) {
            for slot in slots {
                let value = f64::from_bits(words[*slot as usize]);
                words[*slot as usize] = if value.is_nan() { f64::NAN } else { value + 0.0 }.to_bits();
            }
        }
    }

    /// Makes a cell an error.
    pub fn put_error(&mut self, slot: u32) {
        self.put(&[slot], &self.physical.errors(1), std::iter::once(0));
    }

    /// The cells at `slots`, in that order.
    pub fn gather(&self, slots: &[u32]) -> Column {
        let nulls = self.mask(slots, Mark::None).map(|nones| NullBuffer::new(!&nones));
        let errors = self.mask(slots, Mark::Error);
        let positions = slots.iter().map(|slot| *slot as usize);
        let cells = match &self.cells {
            Stored::Words(words) => {
                let ints = || {
                    positions
                        .clone()
                        .map(|slot| words[slot] as i64)
                        .collect::<Vec<i64>>()
                        .into()
                };
                match self.physical {
                    Physical::Bool => {
                        let bits = BooleanBuffer::collect_bool(slots.len(), |row| words[slots[row] as usize] != 0);
                        Cells::Bool(BooleanArray::new(bits, nulls))
                    }
                    Physical::Float => {
                        let floats: Vec<f64> = positions.map(|slot| f64::from_bits(words[slot])).collect();
                        Cells::Float(Float64Array::new(floats.into(), nulls))
                    }
                    Physical::DateTimeNaive => Cells::DateTimeNaive(TimestampNanosecondArray::new(ints(), nulls)),
                    Physical::DateTimeUtc => Cells::DateTimeUtc(TimestampNanosecondArray::new(ints(), nulls)),
                    Physical::Duration => Cells::Duration(DurationNanosecondArray::new(ints(), nulls)),
                    _ => Cells::Int(Int64Array::new(ints(), nulls)),
                }
            }
            Stored::Keys(keys) => Cells::Pointer(PointerArray::new(positions.map(|slot| keys[slot]).collect(), nulls)),
            Stored::Texts(texts) if self.physical == Physical::Str => Cells::Str(texts.gather_texts(slots, nulls)),
            Stored::Texts(texts) => Cells::Bytes(texts.gather_bytes(slots, nulls)),
            Stored::Values(values) => Cells::Any(positions.map(|slot| values[slot].clone()).collect()),
        };
        Column::with_errors(cells, errors)
    }

    fn mark(&self, slot: usize) -> Mark {
        self.marks.get(slot).copied().unwrap_or(Mark::Value)
    }

    fn mask(&self, slots: &[u32], mark: Mark) -> Option<BooleanBuffer> {
        if self.marks.is_empty() {
            return None;
        }
        let mask = BooleanBuffer::collect_bool(slots.len(), |row| self.marks[slots[row] as usize] == mark);
        (mask.count_set_bits() > 0).then_some(mask)
    }

    /// Whether a cell equals one of a column of the same layout.
    pub fn cell_eq(&self, slot: u32, column: &Column, row: usize) -> bool {
        let position = slot as usize;
        let mark = if column.is_error(row) {
            Mark::Error
        } else if column.nulls().is_some_and(|nulls| nulls.is_null(row)) {
            Mark::None
        } else {
            Mark::Value
        };
        if mark != self.mark(position) {
            return false;
        }
        if mark != Mark::Value {
            return true;
        }
        match (&self.cells, column.cells()) {
            (Stored::Words(words), Cells::Int(array)) => words[position] as i64 == array.value(row),
            (Stored::Words(words), Cells::Bool(array)) => (words[position] != 0) == array.value(row),
            (Stored::Words(words), Cells::Float(array)) => {
                Value::Float(f64::from_bits(words[position])) == Value::Float(array.value(row))
            }
            (Stored::Words(words), Cells::DateTimeNaive(array) | Cells::DateTimeUtc(array)) => {
                words[position] as i64 == array.value(row)
            }
            (Stored::Words(words), Cells::Duration(array)) => words[position] as i64 == array.value(row),
            (Stored::Keys(keys), Cells::Pointer(array)) => keys[position] == array.values()[row],
            (Stored::Texts(texts), Cells::Str(array)) => texts.is(position, array, row),
            (Stored::Texts(texts), Cells::Bytes(array)) => texts.get(position) == array.value(row),
            (Stored::Values(values), Cells::Any(array)) => values[position] == array[row],
            _ => false,
        }
    }

    /// The first row whose cell differs from that in its slot.
    pub fn first_difference(&self, slots: &[u32], column: &Column) -> Option<usize> {
        let is_plain = self.marks.is_empty() && column.errors().is_none() && column.nulls().is_none();
        let slots = slots.iter().map(|slot| *slot as usize);
        match (&self.cells, column.cells()) {
            (Stored::Words(words), Cells::Int(array)) if is_plain => {
                let mut pairs = slots.zip(array.values());
                pairs.position(|(slot, value)| words[slot] as i64 != *value)
            }
            (Stored::Texts(texts), Cells::Str(array)) if is_plain => {
                let mut rows = slots.enumerate();
                rows.find_map(|(row, slot)| (!texts.is(slot, array, row)).then_some(row))
            }
            _ => {
                let mut rows = slots.enumerate();
                rows.find_map(|(row, slot)| (!self.cell_eq(slot as u32, column, row)).then_some(row))
            }
        }
    }

    /// Gives back the memory of all cells.
    pub fn forget_all(&mut self) {
        *self = Self::new(self.physical);
    }

    /// How much memory its slots take, without what cells hold elsewhere.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        match &self.cells {
            Stored::Words(words) => words.capacity() * 8,
            Stored::Keys(keys) => keys.capacity() * 16,
            Stored::Texts(texts) => texts.len() * 16,
            Stored::Values(values) => values.capacity() * size_of::<Value>(),
        }
    }

    /// Frees what a cell holds; the slot may be written again.
    pub fn clear(&mut self, slot: u32) {
        match &mut self.cells {
            Stored::Texts(texts) => texts.clear(slot as usize),
            Stored::Values(values) => values[slot as usize] = Value::None,
            Stored::Words(_) | Stored::Keys(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use towpath_types::DType;

    #[test]
    fn cells_come_out_as_they_went_in() {
        let samples = [
            (DType::Int, Value::from(7)),
            (DType::Float, Value::from(-1.5)),
            (DType::Bool, Value::from(true)),
            (DType::Str, Value::from("a text of more than twelve bytes")),
            (DType::Bytes, Value::Bytes([1, 2].as_slice().into())),
            (DType::ANY_POINTER, Value::from(Key(9))),
            (DType::DateTimeUtc, Value::DateTimeUtc(5)),
            (DType::Duration, Value::Duration(6)),
            (DType::Any, Value::tuple([Value::from(1)])),
        ];
        for (dtype, value) in samples {
            let column = Column::from_values(&dtype, &[value.clone(), Value::None, Value::Error]);
            let mut store = CellStore::new(dtype.physical());
            store.put(&[2, 0, 1], &column, 0..3);
            let gathered = store.gather(&[2, 2, 1, 0]);
            let expected = [value.clone(), value.clone(), Value::Error, Value::None];
            assert_eq!(gathered.values().collect::<Vec<_>>(), expected, "{dtype}");
            assert!(store.cell_eq(2, &column, 0) && store.cell_eq(0, &column, 1) && store.cell_eq(1, &column, 2));
            assert!(!store.cell_eq(2, &column, 1) && !store.cell_eq(0, &column, 2) && !store.cell_eq(1, &column, 0));
            store.put(&[1], &column, std::iter::once(0));
            assert_eq!(store.gather(&[1]).value(0), value);
        }
    }
}
