//! `argmin`, `argmax` and `any`: a value of one chosen row of the group.
//!
//! `argmin(value)` is the key of the row with the least value, `argmin(value, other)` what that row has in
//! `other`; of rows with equal values it is the one with the smallest key. `any(other)` is what the row with
//! the largest key has in `other`, so that all `any` of one reduce agree.

use towpath_types::{Column, ColumnBuilder, DType, Key, Physical, Value};

use super::items::{Item, Word, has_words};
use super::kept::Items;
use super::{FailedGroups, Reducer, ReducerState, SavedItems, Setup, Updates, unsupported};
use crate::error::{EngineError, PlanError};

pub(super) const ARGMIN: Reducer = Reducer {
    name: "argmin",
    result: |arguments, _| chosen_type("argmin", arguments),
    start: |setup| start::<false>(setup),
    combines: super::never,
};

pub(super) const ARGMAX: Reducer = Reducer {
    name: "argmax",
    result: |arguments, _| chosen_type("argmax", arguments),
    start: |setup| start::<true>(setup),
    combines: super::never,
};

pub(super) const ANY: Reducer = Reducer {
    name: "any",
    result: |arguments, _| super::extreme::same_type("any", arguments),
    start: |setup| Box::new(Chosen::<(), false>::new(setup, None, Some(0), setup.layout(0))),
    combines: super::never,
};

fn chosen_type(name: &str, arguments: &[DType]) -> Result<DType, PlanError> {
    match arguments {
        [_] => Ok(DType::ANY_POINTER),
        [_, other] => Ok(other.clone()),
        _ => Err(unsupported(name, arguments)),
    }
}

fn start<const LARGEST: bool>(setup: &Setup<'_>) -> Box<dyn ReducerState> {
    let other = (setup.arguments.len() > 1).then_some(1);
    let physical = other.map_or(Physical::Pointer, |other| setup.layout(other));
    if has_words(setup.layout(0)) {
        Box::new(Chosen::<Word, LARGEST>::new(setup, Some(0), other, physical))
    } else {
        Box::new(Chosen::<Value, LARGEST>::new(setup, Some(0), other, physical))
    }
}

impl Item for () {
    fn read(_column: &Column) -> impl Fn(usize) -> Self {
        |_| ()
    }

    fn column<'a>(physical: Physical, items: impl Iterator<Item = Option<&'a Self>>) -> Column {
        physical.nones(items.count())
    }
}

/// The rows of each group in order: the chosen one is the first, or last if `LARGEST`, of its items and has the
/// smallest key among its equals; keys are complemented where the last counts.
#[derive(Debug)]
struct Chosen<I, const LARGEST: bool> {
    /// The argument that orders the rows; without one, the largest key is chosen.
    order: Option<usize>,
    /// The argument that is put out; without one, it is the key.
    other: Option<usize>,
    physical: Physical,
    append_only: bool,
    items: Items<(I, u128, Value)>,
}

impl<I: Item, const LARGEST: bool> Chosen<I, LARGEST> {
    fn new(setup: &Setup<'_>, order: Option<usize>, other: Option<usize>, physical: Physical) -> Self {
        // What does not count is always `None`.
        let layout = |argument: Option<usize>| argument.map_or(Physical::Bool, |argument| setup.layout(argument));
        let layouts = vec![layout(order), Physical::Pointer, layout(other)];
        Self {
            order,
            other,
            physical,
            append_only: setup.append_only,
            items: Items::new(layouts, setup.keeps_state),
        }
    }

    /// Keys in the order of preference, the direction of the items considered.
    fn is_complemented(&self) -> bool {
        LARGEST || self.order.is_none()
    }
}

impl<I: Item, const LARGEST: bool> ReducerState for Chosen<I, LARGEST> {
    fn grow(&mut self, slots: usize) {
        self.items.grow(slots);
    }

    fn update(&mut self, updates: &Updates<'_>, arguments: &[Column]) -> Result<(), EngineError> {
        let read = I::read(&arguments[self.order.unwrap_or(0)]);
        let complement = if self.is_complemented() { u128::MAX } else { 0 };
        for (row, slot) in updates.slots.iter().enumerate() {
            let other = self.other.map_or(Value::None, |other| arguments[other].value(row));
            let entry = (read(row), updates.keys[row].0 ^ complement, other);
            if !self.append_only {
                self.items.add(*slot, updates.groups[row], entry, updates.diff(row));
                continue;
            }
            let group = self.items.of(*slot);
            // Nothing is ever removed: the best row is enough.
            let best = if LARGEST {
                group.last_key_value()
            } else {
                group.first_key_value()
            };
            if best.is_none_or(|(best, _)| if LARGEST { entry > *best } else { entry < *best }) {
                self.items.replace(*slot, updates.groups[row], entry);
            }
        }
        Ok(())
    }

    fn output(&self, slots: &[u32], _failures: &mut FailedGroups) -> Column {
        let complement = if self.is_complemented() { u128::MAX } else { 0 };
        let mut builder = ColumnBuilder::with_physical(self.physical);
        for slot in slots {
            let group = self.items.of(*slot);
            let best = if LARGEST {
                group.last_key_value()
            } else {
                group.first_key_value()
            };
            match best {
                None => builder.push_none(),
                Some(((_, key, _), _)) if self.other.is_none() => builder.push_pointer(Key(key ^ complement)),
                Some(((_, _, other), _)) => builder.push(other),
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
