//! The sum of arrays.

use std::sync::Arc;

use towpath_types::{Column, ColumnBuilder, NdArray, Physical, Value};

use super::floats::FloatSum;
use super::saved::{halves, whole_number};
use super::{FailedGroups, ReducerState, SavedItems, Updates, overflow};
use crate::error::{EngineError, ErrorKind, RowError};
use crate::state;

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
pub(super) struct ArraySum {
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
                        failures.push((position, overflow()));
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
