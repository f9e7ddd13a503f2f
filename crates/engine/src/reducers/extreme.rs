//! `min` and `max`. `None` is less than everything.
//!
//! Where rows are never removed the best so far is all there is to know; otherwise every value is kept, with
//! its count.

use std::collections::BTreeMap;

use towpath_types::{Column, Physical, Value};

use super::items::{Item, Word, has_words};
use super::{FailedGroups, Reducer, ReducerState, Setup, Updates, unsupported};
use crate::error::{EngineError, PlanError};

pub(super) const MIN: Reducer = Reducer {
    name: "min",
    result: |arguments, _| same_type("min", arguments),
    start: |setup| start::<false>(setup),
    combines: |setup| setup.append_only,
};

pub(super) const MAX: Reducer = Reducer {
    name: "max",
    result: |arguments, _| same_type("max", arguments),
    start: |setup| start::<true>(setup),
    combines: |setup| setup.append_only,
};

/// The rule of reducers of one argument whose result is one of its values.
pub(super) fn same_type(name: &str, arguments: &[towpath_types::DType]) -> Result<towpath_types::DType, PlanError> {
    match arguments {
        [dtype] => Ok(dtype.clone()),
        _ => Err(unsupported(name, arguments)),
    }
}

fn start<const LARGEST: bool>(setup: &Setup<'_>) -> Box<dyn ReducerState> {
    let physical = setup.layout(0);
    match (has_words(physical), setup.append_only) {
        (true, true) => Box::new(Best::<Word, LARGEST>::new(physical)),
        (true, false) => Box::new(All::<Word, LARGEST>::new(physical)),
        (false, true) => Box::new(Best::<Value, LARGEST>::new(physical)),
        (false, false) => Box::new(All::<Value, LARGEST>::new(physical)),
    }
}

/// The best so far of each group.
#[derive(Debug)]
struct Best<I, const LARGEST: bool> {
    physical: Physical,
    items: Vec<Option<I>>,
}

impl<I, const LARGEST: bool> Best<I, LARGEST> {
    fn new(physical: Physical) -> Self {
        Self {
            physical,
            items: Vec::new(),
        }
    }
}

impl<I: Item, const LARGEST: bool> ReducerState for Best<I, LARGEST> {
    fn grow(&mut self, slots: usize) {
        self.items.resize(slots, None);
    }

    fn update(&mut self, updates: &Updates<'_>, arguments: &[Column]) -> Result<(), EngineError> {
        let read = I::read(&arguments[0]);
        for (row, slot) in updates.slots.iter().enumerate() {
            let item = read(row);
            let best = &mut self.items[*slot as usize];
            if best
                .as_ref()
                .is_none_or(|best| if LARGEST { item > *best } else { item < *best })
            {
                *best = Some(item);
            }
        }
        Ok(())
    }

    fn output(&self, slots: &[u32], _failures: &mut FailedGroups) -> Column {
        I::column(
            self.physical,
            slots.iter().map(|slot| self.items[*slot as usize].as_ref()),
        )
    }

    fn clear(&mut self, slot: u32) {
        self.items[slot as usize] = None;
    }

    fn partial(&self, slots: &[u32]) -> Vec<Column> {
        vec![self.output(slots, &mut FailedGroups::new())]
    }
}

/// All values of each group, with their counts.
#[derive(Debug)]
struct All<I, const LARGEST: bool> {
    physical: Physical,
    items: Vec<BTreeMap<I, i64>>,
}

impl<I, const LARGEST: bool> All<I, LARGEST> {
    fn new(physical: Physical) -> Self {
        Self {
            physical,
            items: Vec::new(),
        }
    }
}

/// Adds to the count of a key, and forgets it when there is none left.
pub(super) fn add<K: Ord>(counts: &mut BTreeMap<K, i64>, key: K, diff: i64) {
    match counts.entry(key) {
        std::collections::btree_map::Entry::Vacant(entry) => {
            entry.insert(diff);
        }
        std::collections::btree_map::Entry::Occupied(mut entry) => {
            *entry.get_mut() += diff;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

impl<I: Item, const LARGEST: bool> ReducerState for All<I, LARGEST> {
    fn grow(&mut self, slots: usize) {
        self.items.resize_with(slots, BTreeMap::new);
    }

    fn update(&mut self, updates: &Updates<'_>, arguments: &[Column]) -> Result<(), EngineError> {
        let read = I::read(&arguments[0]);
        for (row, slot) in updates.slots.iter().enumerate() {
            add(&mut self.items[*slot as usize], read(row), updates.diff(row));
        }
        Ok(())
    }

    fn output(&self, slots: &[u32], _failures: &mut FailedGroups) -> Column {
        let best = |slot: &u32| {
            let items = &self.items[*slot as usize];
            let entry = if LARGEST {
                items.last_key_value()
            } else {
                items.first_key_value()
            };
            entry.map(|(item, _)| item)
        };
        I::column(self.physical, slots.iter().map(best))
    }

    fn clear(&mut self, slot: u32) {
        self.items[slot as usize].clear();
    }
}
