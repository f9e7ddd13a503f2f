//! `min` and `max`. `None` is less than everything.
//!
//! Where rows are never removed the best so far is all there is to know; otherwise every value is kept, with
//! its count.

use towpath_types::{Column, Physical, Value};

use super::items::{Item, Word, has_words};
use super::kept::{InColumns, Items};
use super::saved::ints;
use super::{FailedGroups, Reducer, ReducerState, SavedItems, Setup, Updates, unsupported};
use crate::error::{EngineError, PlanError};
use crate::state;

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
        (true, false) => Box::new(All::<Word, LARGEST>::new(physical, setup.keeps_state)),
        (false, true) => Box::new(Best::<Value, LARGEST>::new(physical)),
        (false, false) => Box::new(All::<Value, LARGEST>::new(physical, setup.keeps_state)),
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

    /// Whether there is one, since the best may be `None`, and the best.
    fn layouts(&self) -> Vec<Physical> {
        vec![Physical::Int, self.physical]
    }

    fn save(&self, slots: &[u32]) -> Vec<Column> {
        let is_there = slots.iter().map(|slot| i64::from(self.items[*slot as usize].is_some()));
        vec![ints(is_there.collect()), self.output(slots, &mut FailedGroups::new())]
    }

    fn restore(&mut self, slots: &[u32], columns: &[Column]) -> Result<(), EngineError> {
        let (is_there, read) = (state::ints(&columns[0])?, I::read(&columns[1]));
        for (row, slot) in slots.iter().enumerate() {
            self.items[*slot as usize] = (is_there[row] != 0).then(|| read(row));
        }
        Ok(())
    }

    fn items(&mut self) -> Option<&mut dyn SavedItems> {
        None
    }
}

/// All values of each group, with their counts.
#[derive(Debug)]
struct All<I, const LARGEST: bool> {
    physical: Physical,
    items: Items<I>,
}

impl<I: InColumns, const LARGEST: bool> All<I, LARGEST> {
    fn new(physical: Physical, keeps_state: bool) -> Self {
        Self {
            physical,
            items: Items::new(vec![physical], keeps_state),
        }
    }
}

impl<I: Item + InColumns, const LARGEST: bool> ReducerState for All<I, LARGEST> {
    fn grow(&mut self, slots: usize) {
        self.items.grow(slots);
    }

    fn update(&mut self, updates: &Updates<'_>, arguments: &[Column]) -> Result<(), EngineError> {
        let read = I::read(&arguments[0]);
        for (row, slot) in updates.slots.iter().enumerate() {
            self.items.add(*slot, updates.groups[row], read(row), updates.diff(row));
        }
        Ok(())
    }

    fn output(&self, slots: &[u32], _failures: &mut FailedGroups) -> Column {
        let best = |slot: &u32| {
            let items = self.items.of(*slot);
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
