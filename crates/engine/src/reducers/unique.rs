//! `unique`: the one value that all rows of the group have; an error if there are several.

use towpath_types::{Column, ColumnBuilder, Physical, Value};

use super::items::settled;
use super::kept::Items;
use super::{FailedGroups, Reducer, ReducerState, SavedItems, Updates};
use crate::error::{EngineError, ErrorKind, RowError};
use crate::expression::{brief, brief_quoted};

pub(super) const UNIQUE: Reducer = Reducer {
    name: "unique",
    result: |arguments, _| super::extreme::same_type("unique", arguments),
    start: |setup| {
        Box::new(Unique {
            physical: setup.layout(0),
            items: Items::new(vec![setup.layout(0)], setup.keeps_state),
        })
    },
    combines: super::never,
};

/// A value for the message.
fn shown(value: &Value) -> String {
    match value {
        Value::Str(text) => brief_quoted(text),
        other => brief(other),
    }
}

#[derive(Debug)]
struct Unique {
    physical: Physical,
    items: Items<Value>,
}

impl ReducerState for Unique {
    fn grow(&mut self, slots: usize) {
        self.items.grow(slots);
    }

    fn update(&mut self, updates: &Updates<'_>, arguments: &[Column]) -> Result<(), EngineError> {
        for (row, slot) in updates.slots.iter().enumerate() {
            let (group, value) = (updates.groups[row], settled(arguments[0].value(row)));
            self.items.add(*slot, group, value, updates.diff(row));
        }
        Ok(())
    }

    fn output(&self, slots: &[u32], failures: &mut FailedGroups) -> Column {
        let mut builder = ColumnBuilder::with_physical(self.physical);
        for (position, slot) in slots.iter().enumerate() {
            let mut values = self.items.of(*slot).keys();
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
