//! `tuple`, `sorted_tuple` and `ndarray`: all values of a group.
//!
//! `tuple(value)` is in the order of the rows' keys, `tuple(value, order)` in that of another column, so that
//! all sequences of one reduce agree on the order. A result is as long as its group is large: it costs that
//! much whenever the group changes.

use std::sync::Arc;

use towpath_types::{Column, ColumnBuilder, DType, NdArray, Physical, Value};

use super::items::settled;
use super::kept::Items;
use super::{FailedGroups, Options, Reducer, ReducerState, SavedItems, Setup, Updates, unsupported};
use crate::error::{EngineError, ErrorKind, PlanError, RowError};

pub(super) const TUPLE: Reducer = Reducer {
    name: "tuple",
    result: |arguments, options| match arguments {
        [dtype] | [dtype, _] => Ok(DType::list(item_type(dtype, *options))),
        _ => Err(unsupported("tuple", arguments)),
    },
    start: |setup| Sequence::start(setup, Form::Tuple),
    combines: super::never,
};

pub(super) const SORTED_TUPLE: Reducer = Reducer {
    name: "sorted_tuple",
    result: |arguments, options| match arguments {
        [dtype] => Ok(DType::list(item_type(dtype, *options))),
        _ => Err(unsupported("sorted_tuple", arguments)),
    },
    start: |setup| Sequence::start(setup, Form::SortedTuple),
    combines: super::never,
};

pub(super) const NDARRAY: Reducer = Reducer {
    name: "ndarray",
    result: |arguments, options| ndarray_type(arguments, *options),
    start: |setup| Sequence::start(setup, Form::NdArray),
    combines: super::never,
};

fn item_type(dtype: &DType, options: Options) -> DType {
    if options.skip_nones { dtype.required() } else { dtype }.clone()
}

fn ndarray_type(arguments: &[DType], options: Options) -> Result<DType, PlanError> {
    let ([dtype] | [dtype, _]) = arguments else {
        return Err(unsupported("ndarray", arguments));
    };
    match item_type(dtype, options) {
        DType::Int => Ok(DType::Array(Some(1), Arc::new(DType::Int))),
        DType::Float => Ok(DType::Array(Some(1), Arc::new(DType::Float))),
        DType::Array(dimensions, element) => Ok(DType::Array(dimensions.map(|count| count + 1), element)),
        DType::Tuple(_) | DType::List(_) | DType::Any => Ok(DType::Array(None, Arc::new(DType::Any))),
        _ => Err(unsupported("ndarray", arguments)),
    }
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Tuple,
    SortedTuple,
    NdArray,
}

/// The values of each group, in order.
#[derive(Debug)]
struct Sequence {
    form: Form,
    items: Items<(Value, u128, Value)>,
}

impl Sequence {
    fn start(setup: &Setup<'_>, form: Form) -> Box<dyn ReducerState> {
        Box::new(Self {
            form,
            items: Items::new(vec![Physical::Any, Physical::Pointer, Physical::Any], setup.keeps_state),
        })
    }
}

impl ReducerState for Sequence {
    fn grow(&mut self, slots: usize) {
        self.items.grow(slots);
    }

    fn update(&mut self, updates: &Updates<'_>, arguments: &[Column]) -> Result<(), EngineError> {
        for (row, slot) in updates.slots.iter().enumerate() {
            let value = arguments[0].value(row);
            let entry = match self.form {
                Form::SortedTuple => (settled(value), 0, Value::None),
                _ => {
                    let order = arguments.get(1).map_or(Value::None, |order| order.value(row));
                    (order, updates.keys[row].0, value)
                }
            };
            self.items.add(*slot, updates.groups[row], entry, updates.diff(row));
        }
        Ok(())
    }

    fn output(&self, slots: &[u32], failures: &mut FailedGroups) -> Column {
        let mut builder = ColumnBuilder::with_physical(Physical::Any);
        for (position, slot) in slots.iter().enumerate() {
            let mut items: Vec<Value> = Vec::new();
            for ((first, _, last), count) in self.items.of(*slot) {
                let item = match self.form {
                    Form::SortedTuple => first,
                    _ => last,
                };
                items.extend(std::iter::repeat_n(item.clone(), (*count).max(0) as usize));
            }
            match self.form {
                Form::Tuple | Form::SortedTuple => builder.push(&Value::tuple(items)),
                Form::NdArray => match stack(&items) {
                    Ok(array) => builder.push(&array),
                    Err(NdArrayError(message)) => {
                        failures.push((position, RowError::new(ErrorKind::Value, message)));
                        builder.push_error();
                    }
                },
            }
        }
        builder.finish()
    }

    fn clear(&mut self, slot: u32) {
        self.items.clear(slot);
    }

    fn layouts(&self) -> Vec<Physical> {
        Vec::new()
    }

    fn save(&self, _slots: &[u32]) -> Vec<Column> {
        Vec::new()
    }

    fn restore(&mut self, _slots: &[u32], _columns: &[Column]) -> Result<(), EngineError> {
        Ok(())
    }

    fn items(&mut self) -> Option<&mut dyn SavedItems> {
        Some(&mut self.items)
    }
}

/// Values that make no array together.
#[derive(Debug)]
struct NdArrayError(String);

/// Numbers, tuples of numbers, arrays: one array with a dimension more.
fn stack(items: &[Value]) -> Result<Value, NdArrayError> {
    let mut flat = Flat::default();
    let shape = flat.add_all(items)?;
    Ok(if flat.is_int {
        Value::IntArray(NdArray {
            shape: shape.into(),
            elements: flat.ints.into(),
        })
    } else {
        Value::FloatArray(NdArray {
            shape: shape.into(),
            elements: flat.floats.into(),
        })
    })
}

struct Flat {
    ints: Vec<i64>,
    floats: Vec<f64>,
    is_int: bool,
}

impl Default for Flat {
    fn default() -> Self {
        Self {
            ints: Vec::new(),
            floats: Vec::new(),
            is_int: true,
        }
    }
}

impl Flat {
    fn add_all(&mut self, items: &[Value]) -> Result<Vec<usize>, NdArrayError> {
        let mut inner: Option<Vec<usize>> = None;
        for item in items {
            let shape = self.add(item)?;
            if let Some(inner) = &inner
                && *inner != shape
            {
                return Err(NdArrayError(format!(
                    "values of shapes {inner:?} and {shape:?} make no array"
                )));
            }
            inner = Some(shape);
        }
        let mut shape = vec![items.len()];
        shape.extend(inner.unwrap_or_default());
        Ok(shape)
    }

    fn add(&mut self, item: &Value) -> Result<Vec<usize>, NdArrayError> {
        match item {
            Value::Int(value) => {
                self.ints.push(*value);
                self.floats.push(*value as f64);
                Ok(Vec::new())
            }
            Value::Float(value) => {
                self.is_int = false;
                self.ints.push(0);
                self.floats.push(*value);
                Ok(Vec::new())
            }
            Value::IntArray(array) => {
                self.ints.extend_from_slice(&array.elements);
                self.floats.extend(array.elements.iter().map(|value| *value as f64));
                Ok(array.shape.to_vec())
            }
            Value::FloatArray(array) => {
                self.is_int = false;
                self.ints.resize(self.ints.len() + array.elements.len(), 0);
                self.floats.extend_from_slice(&array.elements);
                Ok(array.shape.to_vec())
            }
            Value::Tuple(items) => self.add_all(items),
            other => Err(NdArrayError(format!(
                "an array holds numbers, not {}",
                other.type_name()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacking_adds_a_dimension() {
        let pair = |a: i64, b: i64| Value::tuple([Value::from(a), Value::from(b)]);
        let Ok(Value::IntArray(array)) = stack(&[pair(1, 2), pair(3, 4), pair(5, 6)]) else {
            panic!("pairs of ints make an array of ints");
        };
        assert_eq!(
            (&*array.shape, &*array.elements),
            (&[3, 2][..], &[1, 2, 3, 4, 5, 6][..])
        );
        let Ok(Value::FloatArray(array)) = stack(&[Value::from(1), Value::from(0.5)]) else {
            panic!("an int and a float make an array of floats");
        };
        assert_eq!((&*array.shape, &*array.elements), (&[2][..], &[1.0, 0.5][..]));
        assert!(stack(&[pair(1, 2), Value::from(1)]).is_err());
        assert!(stack(&[Value::None]).is_err());
    }
}
