//! `earliest` and `latest`: the value of the row that came first or last.
//!
//! Rows of one commit come in the order of their keys. What came when is not known of rows that are removed
//! and added again, so removing a row is an error.

use towpath_types::{Column, ColumnBuilder, Key, Physical, Value};

use super::{FailedGroups, Reducer, ReducerState, Setup, Updates};
use crate::error::{EngineError, ErrorKind};

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
    groups: Vec<Option<(u64, Key, Value)>>,
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
            let position = (updates.commit, key);
            let best = &mut self.groups[*slot as usize];
            let is_better = best.as_ref().is_none_or(|(commit, best, _)| {
                if LATEST {
                    position >= (*commit, *best)
                } else {
                    position < (*commit, *best)
                }
            });
            if is_better {
                *best = Some((updates.commit, key, arguments[0].value(row)));
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
}
