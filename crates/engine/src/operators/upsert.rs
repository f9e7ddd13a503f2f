//! `upsert`: a table from the events of an upsert session.
//!
//! An event with difference 1 sets the row of its key, one with −1 deletes it, whatever its cells. The last
//! event of a key in a commit wins; an event that changes nothing puts nothing out.
//!
//! The rows are saved as the tables 0 and 1, see [`KeyedRows`].

use std::collections::HashMap;
use std::sync::Arc;

use towpath_types::{Batch, BuildKeyHasher, DType, Key, Time};

use super::keyed::{Waiting, changes};
use crate::error::{EngineError, PlanError};
use crate::operator::{Operator, Output, Pruned, Routing, Task, TaskContext};
use crate::state::{Saved, no_table};
use crate::store::KeyedRows;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Upsert;

impl Operator for Upsert {
    fn name(&self) -> &'static str {
        "upsert"
    }

    fn output(&self, inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
        Ok(inputs[0].clone())
    }

    fn routing(&self, _input: usize) -> Routing {
        Routing::ByKey
    }

    fn pruned(&self, outputs: &[usize], _widths: &[usize]) -> Option<Pruned> {
        Some((Arc::new(*self), vec![outputs.to_vec()]))
    }

    fn append_only(&self, _inputs: &[bool]) -> bool {
        false
    }

    fn unique_keys(&self, _inputs: &[bool]) -> bool {
        true
    }

    fn start(&self, context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        Ok(Box::new(UpsertTask {
            rows: KeyedRows::new(context.dtypes[0].iter().map(DType::physical)).keeping(context.keeps_state),
            waiting: Waiting::default(),
        }))
    }
}

struct UpsertTask {
    rows: KeyedRows,
    waiting: Waiting,
}

impl Task for UpsertTask {
    fn absorb(&mut self, _input: usize, batch: Batch, _output: &mut Output) -> Result<(), EngineError> {
        self.waiting.push(batch);
        Ok(())
    }

    fn complete(&mut self, _time: Time, output: &mut Output) -> Result<(), EngineError> {
        let events = self.waiting.take();
        let mut last: HashMap<Key, u32, BuildKeyHasher> =
            HashMap::with_capacity_and_hasher(events.len(), BuildKeyHasher);
        for (row, key) in events.keys().iter().enumerate() {
            last.insert(*key, row as u32);
        }
        // In the order of arrival, which is the same in every run.
        let is_last = |row: &u32| last[&events.keys()[*row as usize]] == *row;
        let (mut old_keys, mut old_slots, mut new_rows) = (Vec::new(), Vec::new(), Vec::new());
        for row in (0..events.len() as u32).filter(is_last) {
            let key = events.keys()[row as usize];
            if let Some(slot) = self.rows.get(&key) {
                old_keys.push(key);
                old_slots.push(slot);
            }
            if events.diff(row as usize) > 0 {
                new_rows.push(row);
            }
        }
        let old = Batch::new(old_keys, self.rows.gather(&old_slots), None);
        let new = events.with_diffs(None).take(&new_rows);
        let changes = changes(&old, &new);
        self.rows.apply(&changes)?;
        output.push(changes);
        Ok(())
    }

    fn save(&mut self, saved: &mut Saved) {
        self.rows.save(0, saved);
    }

    fn restore(&mut self, table: u16, rows: Batch, owners: &[Key]) -> Result<(), EngineError> {
        if table > 1 {
            return Err(no_table(table));
        }
        self.rows.restore(table == 1, &rows, owners)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Input;
    use crate::testing::{Script, check, update};
    use std::sync::Arc;
    use towpath_types::Value;

    #[test]
    fn the_last_event_of_a_commit_wins() {
        let set = |key, value: i64| update(key, [Value::from(value)], 1);
        let delete = |key| update(key, [Value::None], -1);
        let commits = vec![
            vec![set(1, 10), set(2, 20), set(1, 11)],
            vec![set(1, 11), set(2, 21), delete(3)],
            vec![delete(2), set(2, 22), set(4, 40), delete(4)],
            vec![set(1, 12), delete(1)],
            vec![delete(1), set(2, 22)],
        ];
        check(
            |plan| {
                let source = plan.source(Arc::new(Script::new(vec![DType::Int], commits.clone())), None);
                let columns = plan.columns(source).to_vec();
                let node = plan.operator(Arc::new(Upsert), vec![Input { node: source, columns }], None)?;
                Ok((node, plan.columns(node).to_vec()))
            },
            "2 +1 11
             2 +1 20
             4 -1 20
             4 +1 21
             6 -1 21
             6 +1 22
             8 -1 11",
        );
    }
}
