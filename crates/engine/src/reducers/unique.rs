//! `unique`: the one value that all rows of the group have; an error if there are several.

use std::collections::BTreeMap;

use towpath_types::{Column, ColumnBuilder, Physical, Value};

use super::{FailedGroups, Reducer, ReducerState, Updates};
use crate::error::{EngineError, ErrorKind, RowError};
use crate::expression::shown;

pub(super) const UNIQUE: Reducer = Reducer {
    name: "unique",
    result: |arguments, _| super::extreme::same_type("unique", arguments),
    start: |setup| {
        Box::new(Unique {
            physical: setup.layout(0),
            groups: Vec::new(),
        })
    },
    combines: super::never,
};

#[derive(Debug)]
struct Unique {
    physical: Physical,
    groups: Vec<BTreeMap<Value, i64>>,
}

impl ReducerState for Unique {
    fn grow(&mut self, slots: usize) {
        self.groups.resize_with(slots, BTreeMap::new);
    }

    fn update(&mut self, updates: &Updates<'_>, arguments: &[Column]) -> Result<(), EngineError> {
        for (row, slot) in updates.slots.iter().enumerate() {
            let group = &mut self.groups[*slot as usize];
            super::extreme::add(group, arguments[0].value(row), updates.diff(row));
        }
        Ok(())
    }

    fn output(&self, slots: &[u32], failures: &mut FailedGroups) -> Column {
        let mut builder = ColumnBuilder::with_physical(self.physical);
        for (position, slot) in slots.iter().enumerate() {
            let mut values = self.groups[*slot as usize].keys();
            match (values.next(), values.next()) {
                (Some(value), None) => builder.push(value),
                (None, _) => builder.push_none(),
                (Some(one), Some(other)) => {
                    let message = format!(
                        "More than one distinct value passed to the unique reducer: {}, {}",
                        shown(one),
                        shown(other)
                    );
                    failures.push((position, RowError::new(ErrorKind::Runtime, message)));
                    builder.push_error();
                }
            }
        }
        builder.finish()
    }

    fn clear(&mut self, slot: u32) {
        self.groups[slot as usize].clear();
    }
}
