//! `sum` of ints, floats and arrays. All are summed without loss; a total, or an element of one, that is no 64-bit int
//! is an error.

use std::sync::Arc;

use arrow_array::{Array, Float64Array, Int64Array};
use towpath_types::{Cells, Column, ColumnBuilder, DType, NdArray, Physical, Value};

use super::floats::FloatSum;
use super::{FailedGroups, Reducer, ReducerState, SavedItems, Updates, unsupported};
use crate::error::{EngineError, ErrorKind, RowError};
use crate::state;

pub(super) const SUM: Reducer = Reducer {
    name: "sum",
    result: |arguments, _| match arguments {
        [dtype @ (DType::Int | DType::Float | DType::Array(..))] => Ok(dtype.clone()),
        _ => Err(unsupported("sum", arguments)),
    },
    start: |setup| match setup.layout(0) {
        Physical::Int => Box::new(IntSum::default()),
        Physical::Float => Box::new(FloatSums::default()),
        _ => Box::new(ArraySum::default()),
    },
    combines: |setup| matches!(setup.layout(0), Physical::Int | Physical::Float),
};

const OVERFLOW: &str = "integer overflow in reducer sum";

#[derive(Debug, Default)]
struct IntSum {
    sums: Vec<i128>,
}

impl ReducerState for IntSum {
    fn grow(&mut self, slots: usize) {
        self.sums.resize(slots, 0);
    }

    fn update(&mut self, updates: &Updates<'_>, arguments: &[Column]) -> Result<(), EngineError> {
        let Cells::Int(array) = arguments[0].cells() else {
            panic!("a sum of ints takes ints");
        };
        let rows = updates.slots.iter().zip(array.values());
        match updates.diffs {
            None => rows.for_each(|(slot, value)| self.sums[*slot as usize] += i128::from(*value)),
            Some(diffs) => {
                for ((slot, value), diff) in rows.zip(diffs) {
                    self.sums[*slot as usize] += i128::from(*value) * i128::from(*diff);
                }
            }
        }
        Ok(())
    }

    fn output(&self, slots: &[u32], failures: &mut FailedGroups) -> Column {
        let totals = slots.iter().enumerate().map(|(position, slot)| {
            i64::try_from(self.sums[*slot as usize]).unwrap_or_else(|_| {
                failures.push((position, RowError::new(ErrorKind::Overflow, OVERFLOW)));
                0
            })
        });
        Column::new(Cells::Int(Int64Array::from(totals.collect::<Vec<i64>>())))
    }

    fn clear(&mut self, slot: u32) {
        self.sums[slot as usize] = 0;
    }

    /// A sum of 64-bit ints may need more than one.
    fn partial(&self, slots: &[u32]) -> Vec<Column> {
        let sums = slots.iter().map(|slot| self.sums[*slot as usize]);
        let (low, high) = halves(sums);
        vec![ints(low), ints(high)]
    }

    /// The high half is that of the sign.
    fn partial_of_rows(&self, arguments: &[Column]) -> Vec<Column> {
        let Cells::Int(array) = arguments[0].cells() else {
            panic!("a sum of ints takes ints");
        };
        let high = array.values().iter().map(|value| value >> (i64::BITS - 1));
        vec![arguments[0].clone(), ints(high.collect())]
    }

    fn merge(&mut self, updates: &Updates<'_>, partial: &[Column]) -> Result<(), EngineError> {
        let [Cells::Int(low), Cells::Int(high)] = [partial[0].cells(), partial[1].cells()] else {
            panic!("a sum of ints is two ints");
        };
        for (row, slot) in updates.slots.iter().enumerate() {
            let sum = whole_number(low.value(row), high.value(row));
            self.sums[*slot as usize] += sum * i128::from(updates.diff(row).signum());
        }
        Ok(())
    }

    fn layouts(&self) -> Vec<Physical> {
        vec![Physical::Int; 2]
    }

    fn save(&self, slots: &[u32]) -> Vec<Column> {
        self.partial(slots)
    }

    fn restore(&mut self, slots: &[u32], columns: &[Column]) -> Result<(), EngineError> {
        for (slot, sum) in slots.iter().zip(whole_numbers(&columns[0], &columns[1])?) {
            self.sums[*slot as usize] = sum;
        }
        Ok(())
    }

    fn items(&mut self) -> Option<&mut dyn SavedItems> {
        None
    }
}

/// The sums of floats as they are, in bytes.
pub(super) fn saved_sums<'a>(sums: impl Iterator<Item = &'a FloatSum>) -> Column {
    Column::new(Cells::Bytes(sums.map(|sum| Some(sum.save())).collect()))
}

/// The sums of [`saved_sums`].
pub(super) fn read_sums(column: &Column) -> Result<Vec<FloatSum>, EngineError> {
    let sums = column.values().map(|value| match value {
        Value::Bytes(bytes) => FloatSum::restore(&bytes),
        _ => None,
    });
    let sums: Option<Vec<FloatSum>> = sums.collect();
    sums.ok_or_else(|| state::unreadable("it is no sum of floats"))
}

/// The low and high halves of whole numbers.
pub(super) fn halves(numbers: impl Iterator<Item = i128>) -> (Vec<i64>, Vec<i64>) {
    numbers.map(|sum| (sum as i64, (sum >> i64::BITS) as i64)).unzip()
}

fn whole_number(low: i64, high: i64) -> i128 {
    i128::from(high) << i64::BITS | i128::from(low as u64)
}

/// The whole numbers of two columns of [`halves`].
pub(super) fn whole_numbers(low: &Column, high: &Column) -> Result<Vec<i128>, EngineError> {
    let halves = state::ints(low)?.iter().zip(state::ints(high)?);
    Ok(halves.map(|(low, high)| whole_number(*low, *high)).collect())
}

pub(super) fn ints(values: Vec<i64>) -> Column {
    Column::new(Cells::Int(Int64Array::from(values)))
}

#[derive(Debug, Default)]
struct FloatSums {
    sums: Vec<FloatSum>,
}

impl ReducerState for FloatSums {
    fn grow(&mut self, slots: usize) {
        self.sums.resize_with(slots, FloatSum::default);
    }

    fn update(&mut self, updates: &Updates<'_>, arguments: &[Column]) -> Result<(), EngineError> {
        let Cells::Float(array) = arguments[0].cells() else {
            panic!("a sum of floats takes floats");
        };
        let rows = updates.slots.iter().zip(array.values());
        match updates.diffs {
            None => rows.for_each(|(slot, value)| self.sums[*slot as usize].add(*value, 1)),
            Some(diffs) => {
                for ((slot, value), diff) in rows.zip(diffs) {
                    self.sums[*slot as usize].add(*value, *diff);
                }
            }
        }
        Ok(())
    }

    fn output(&self, slots: &[u32], _failures: &mut FailedGroups) -> Column {
        let totals: Vec<f64> = slots.iter().map(|slot| self.sums[*slot as usize].total()).collect();
        Column::new(Cells::Float(Float64Array::from(totals)))
    }

    fn clear(&mut self, slot: u32) {
        self.sums[slot as usize] = FloatSum::default();
    }

    fn partial(&self, slots: &[u32]) -> Vec<Column> {
        let parts = slots.iter().map(|slot| self.sums[*slot as usize].parts());
        let (values, rest): (Vec<f64>, Vec<Option<Vec<u8>>>) = parts.unzip();
        vec![floats(values), Column::new(Cells::Bytes(rest.into_iter().collect()))]
    }

    fn partial_of_rows(&self, arguments: &[Column]) -> Vec<Column> {
        vec![arguments[0].clone(), Physical::Bytes.nones(arguments[0].len())]
    }

    fn merge(&mut self, updates: &Updates<'_>, partial: &[Column]) -> Result<(), EngineError> {
        let [Cells::Float(values), Cells::Bytes(rest)] = [partial[0].cells(), partial[1].cells()] else {
            panic!("a sum of floats is a float and bytes");
        };
        for (row, slot) in updates.slots.iter().enumerate() {
            let sign = updates.diff(row).signum();
            let bytes = rest.is_valid(row).then(|| rest.value(row));
            self.sums[*slot as usize].add_parts(values.value(row), bytes, sign);
        }
        Ok(())
    }

    fn layouts(&self) -> Vec<Physical> {
        vec![Physical::Bytes]
    }

    fn save(&self, slots: &[u32]) -> Vec<Column> {
        vec![saved_sums(slots.iter().map(|slot| &self.sums[*slot as usize]))]
    }

    fn restore(&mut self, slots: &[u32], columns: &[Column]) -> Result<(), EngineError> {
        for (slot, sum) in slots.iter().zip(read_sums(&columns[0])?) {
            self.sums[*slot as usize] = sum;
        }
        Ok(())
    }

    fn items(&mut self) -> Option<&mut dyn SavedItems> {
        None
    }
}

fn floats(values: Vec<f64>) -> Column {
    Column::new(Cells::Float(Float64Array::from(values)))
}

/// The sum of the arrays of one shape in a group.
#[derive(Debug)]
struct Shaped {
    shape: Arc<[usize]>,
    /// How many arrays, and how many of them have floats.
    arrays: i64,
    floats: i64,
    ints: Vec<i128>,
    rest: Vec<FloatSum>,
}

impl Shaped {
    /// Whether nothing is left of it. Within a time a removal may come before what it removes: then there may be as many
    /// arrays as removals, but of other sums.
    fn is_gone(&self) -> bool {
        let is_nothing = |sum: &FloatSum| sum.is_nothing();
        self.arrays == 0
            && self.floats == 0
            && self.ints.iter().all(|int| *int == 0)
            && self.rest.iter().all(is_nothing)
    }

    /// As a value: the shape, the numbers of arrays, the ints in halves, the sums of floats.
    fn save(&self) -> Value {
        let (low, high) = halves(self.ints.iter().copied());
        let array = |elements: Vec<i64>| {
            Value::IntArray(NdArray {
                shape: [elements.len()].into(),
                elements: elements.into(),
            })
        };
        let rest = self.rest.iter().map(|sum| Value::Bytes(sum.save().into()));
        Value::tuple([
            array(self.shape.iter().map(|length| *length as i64).collect()),
            Value::Int(self.arrays),
            Value::Int(self.floats),
            array(low),
            array(high),
            Value::tuple(rest),
        ])
    }

    fn restore(value: &Value) -> Option<Self> {
        let Value::Tuple(parts) = value else {
            return None;
        };
        let [
            Value::IntArray(shape),
            Value::Int(arrays),
            Value::Int(floats),
            Value::IntArray(low),
            Value::IntArray(high),
            Value::Tuple(rest),
        ] = &**parts
        else {
            return None;
        };
        let lengths = shape.elements.iter().map(|length| usize::try_from(*length).ok());
        let shape: Arc<[usize]> = lengths.collect::<Option<_>>()?;
        let len = shape
            .iter()
            .try_fold(1, |len: usize, length| len.checked_mul(*length))?;
        let halves = low.elements.iter().zip(high.elements.iter());
        let rest = rest.iter().map(|sum| match sum {
            Value::Bytes(bytes) => FloatSum::restore(bytes),
            _ => None,
        });
        let shaped = Self {
            shape,
            arrays: *arrays,
            floats: *floats,
            ints: halves.map(|(low, high)| whole_number(*low, *high)).collect(),
            rest: rest.collect::<Option<_>>()?,
        };
        let is_whole = shaped.ints.len() == len && (shaped.rest.len() == len || shaped.rest.is_empty());
        is_whole.then_some(shaped)
    }

    /// The sums, if all of them are 64-bit ints.
    fn whole(&self) -> Option<Arc<[i64]>> {
        self.ints.iter().map(|int| i64::try_from(*int).ok()).collect()
    }

    /// The sums of ints and floats together.
    fn floats(&self) -> Arc<[f64]> {
        let together = |(int, rest): (&i128, &FloatSum)| {
            if *int == 0 {
                return rest.total();
            }
            let mut sum = rest.clone();
            sum.add_whole(*int);
            sum.total()
        };
        self.ints.iter().zip(&self.rest).map(together).collect()
    }
}

#[derive(Debug, Default)]
struct ArraySum {
    /// For every group its shapes, in order; one, if the sum is to exist.
    groups: Vec<Vec<Shaped>>,
}

impl ArraySum {
    fn shaped(&mut self, slot: u32, shape: &Arc<[usize]>, len: usize) -> &mut Shaped {
        let group = &mut self.groups[slot as usize];
        let position = group
            .binary_search_by(|other| other.shape.cmp(shape))
            .unwrap_or_else(|position| {
                let new = Shaped {
                    shape: Arc::clone(shape),
                    arrays: 0,
                    floats: 0,
                    ints: vec![0; len],
                    rest: Vec::new(),
                };
                group.insert(position, new);
                position
            });
        &mut group[position]
    }
}

impl ReducerState for ArraySum {
    fn grow(&mut self, slots: usize) {
        self.groups.resize_with(slots, Vec::new);
    }

    fn update(&mut self, updates: &Updates<'_>, arguments: &[Column]) -> Result<(), EngineError> {
        for (row, slot) in updates.slots.iter().enumerate() {
            let diff = updates.diff(row);
            match arguments[0].value(row) {
                Value::IntArray(array) => {
                    let shaped = self.shaped(*slot, &array.shape, array.elements.len());
                    shaped.arrays += diff;
                    for (sum, element) in shaped.ints.iter_mut().zip(array.elements.iter()) {
                        *sum += i128::from(*element) * i128::from(diff);
                    }
                }
                Value::FloatArray(array) => {
                    let shaped = self.shaped(*slot, &array.shape, array.elements.len());
                    shaped.arrays += diff;
                    shaped.floats += diff;
                    shaped.rest.resize_with(array.elements.len(), FloatSum::default);
                    for (sum, element) in shaped.rest.iter_mut().zip(array.elements.iter()) {
                        sum.add(*element, diff);
                    }
                }
                _ => {}
            }
            self.groups[*slot as usize].retain(|shaped| !shaped.is_gone());
        }
        Ok(())
    }

    fn output(&self, slots: &[u32], failures: &mut FailedGroups) -> Column {
        let mut builder = ColumnBuilder::with_physical(Physical::Any);
        for (position, slot) in slots.iter().enumerate() {
            match self.groups[*slot as usize].as_slice() {
                [] => builder.push_none(),
                [only] if only.floats == 0 => match only.whole() {
                    Some(elements) => builder.push(&Value::IntArray(NdArray {
                        shape: Arc::clone(&only.shape),
                        elements,
                    })),
                    None => {
                        failures.push((position, RowError::new(ErrorKind::Overflow, OVERFLOW)));
                        builder.push_error();
                    }
                },
                [only] => builder.push(&Value::FloatArray(NdArray {
                    shape: Arc::clone(&only.shape),
                    elements: only.floats(),
                })),
                [one, other, ..] => {
                    let message = format!("can't add arrays of shapes {:?} and {:?}", one.shape, other.shape);
                    failures.push((position, RowError::new(ErrorKind::Value, message)));
                    builder.push_error();
                }
            }
        }
        builder.finish()
    }

    fn clear(&mut self, slot: u32) {
        self.groups[slot as usize].clear();
    }

    fn layouts(&self) -> Vec<Physical> {
        vec![Physical::Any]
    }

    /// A tuple of shapes, for each group.
    fn save(&self, slots: &[u32]) -> Vec<Column> {
        let mut builder = ColumnBuilder::with_physical(Physical::Any);
        for slot in slots {
            builder.push(&Value::tuple(self.groups[*slot as usize].iter().map(Shaped::save)));
        }
        vec![builder.finish()]
    }

    fn restore(&mut self, slots: &[u32], columns: &[Column]) -> Result<(), EngineError> {
        for (slot, group) in slots.iter().zip(columns[0].values()) {
            let shapes = match &group {
                Value::Tuple(shapes) => shapes.iter().map(Shaped::restore).collect(),
                _ => None,
            };
            let shapes: Option<Vec<Shaped>> = shapes;
            self.groups[*slot as usize] = shapes.ok_or_else(|| state::unreadable("it is no sum of arrays"))?;
        }
        Ok(())
    }

    fn items(&mut self) -> Option<&mut dyn SavedItems> {
        None
    }
}
