//! `earliest` and `latest`: the value of the row that came first or last.
//!
//! Rows of one commit come in the order of their keys. What came when is not known of rows that are removed
//! and added again, so removing a row is an error.

use std::cmp::Ordering;

use towpath_types::{Column, ColumnBuilder, Key, Physical, Time, Value};

use super::saved::ints;
use super::{FailedGroups, Reducer, ReducerState, SavedItems, Setup, Updates};
use crate::error::{EngineError, ErrorKind};
use crate::state;

pub(super) const EARLIEST: Reducer = Reducer {
    name: "earliest",
    result: |arguments, _| super::extreme::same_type("earliest", arguments),
    start: |setup| ByTime::<false>::start(setup),
    combines: super::never,
};

pub(super) const LATEST: Reducer = Reducer {
    name: "latest",
    result: |arguments, _| super::extreme::same_type("latest", arguments),
    start: |setup| ByTime::<true>::start(setup),
    combines: super::never,
};

#[derive(Debug)]
struct ByTime<const LATEST: bool> {
    physical: Physical,
    groups: Vec<Option<(Time, Key, Value)>>,
}

impl<const LATEST: bool> ByTime<LATEST> {
    fn start(setup: &Setup<'_>) -> Box<dyn ReducerState> {
        Box::new(Self {
            physical: setup.layout(0),
            groups: Vec::new(),
        })
    }
}

impl<const LATEST: bool> ReducerState for ByTime<LATEST> {
    fn grow(&mut self, slots: usize) {
        self.groups.resize(slots, None);
    }

    fn update(&mut self, updates: &Updates<'_>, arguments: &[Column]) -> Result<(), EngineError> {
        for (row, slot) in updates.slots.iter().enumerate() {
            let key = updates.keys[row];
            if updates.diff(row) < 0 {
                return Err(EngineError::new(
                    ErrorKind::Runtime,
                    format!("Expected table to be append-only, but got deletion for key: {key}."),
                ));
            }
            let best = &mut self.groups[*slot as usize];
            let is_better = best.as_ref().is_none_or(|(time, best, value)| {
                let order = (updates.time, key).cmp(&(*time, *best));
                // Of rows with one key, which should not be, the least or greatest value counts.
                match order.then_with(|| arguments[0].value(row).cmp(value)) {
                    Ordering::Less => !LATEST,
                    Ordering::Equal => false,
                    Ordering::Greater => LATEST,
                }
            });
            if is_better {
                *best = Some((updates.time, key, arguments[0].value(row)));
            }
        }
        Ok(())
    }

    fn output(&self, slots: &[u32], _failures: &mut FailedGroups) -> Column {
        let mut builder = ColumnBuilder::with_physical(self.physical);
        for slot in slots {
            match &self.groups[*slot as usize] {
                Some((.., value)) => builder.push(value),
                None => builder.push_none(),
            }
        }
        builder.finish()
    }

    fn clear(&mut self, slot: u32) {
        self.groups[slot as usize] = None;
    }

    /// Whether there is a row, its time, key and value.
    fn layouts(&self) -> Vec<Physical> {
        vec![Physical::Int, Physical::Int, Physical::Pointer, self.physical]
    }

    fn save(&self, slots: &[u32]) -> Vec<Column> {
        let groups = || slots.iter().map(|slot| self.groups[*slot as usize].as_ref());
        let is_there = groups().map(|group| i64::from(group.is_some())).collect();
        let times = groups()
            .map(|group| group.map_or(0, |(time, ..)| *time as i64))
            .collect();
        let keys: Vec<Key> = groups()
            .map(|group| group.map_or(Key::default(), |(_, key, _)| *key))
            .collect();
        let values = self.output(slots, &mut FailedGroups::new());
        vec![ints(is_there), ints(times), Column::pointers(keys.into()), values]
    }

    fn restore(&mut self, slots: &[u32], columns: &[Column]) -> Result<(), EngineError> {
        let (is_there, times) = (state::ints(&columns[0])?, state::ints(&columns[1])?);
        let keys = state::keys(&columns[2])?;
        for (row, slot) in slots.iter().enumerate() {
            let of = || (times[row] as Time, keys[row], columns[3].value(row));
            self.groups[*slot as usize] = (is_there[row] != 0).then(of);
        }
        Ok(())
    }

    fn items(&mut self) -> Option<&mut dyn SavedItems> {
        None
    }
}
