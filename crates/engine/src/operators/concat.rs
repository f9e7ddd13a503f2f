//! `concat`: the rows of several tables.
//!
//! Columns: the same in all inputs and the output. A key that two of the tables have is a failure; if the run goes on,
//! the table has both rows.
//!
//! | saved | columns | identity | owner |
//! |---|---|---|---|
//! | 0: a key that has rows | how many | key | key |

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use towpath_types::{Batch, BuildKeyHasher, Cells, Column, DType, Key, Physical, Time};

use crate::error::{EngineError, PlanError};
use crate::operator::{Operator, Output, Pruned, Routing, Task, TaskContext};
use crate::reporter::Reporter;
use crate::state::{self, Name, Saved, Touched, no_table};
use crate::store::{duplicated, shrink};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Concat;

impl Operator for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn output(&self, inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
        super::common_types("concat", inputs)
    }

    fn routing(&self, _input: usize) -> Routing {
        Routing::ByKey
    }

    fn pruned(&self, outputs: &[usize], widths: &[usize]) -> Option<Pruned> {
        Some((Arc::new(*self), vec![outputs.to_vec(); widths.len()]))
    }

    fn append_only(&self, inputs: &[bool]) -> bool {
        inputs.iter().all(|append_only| *append_only)
    }

    fn unique_keys(&self, _inputs: &[bool]) -> bool {
        true
    }

    fn start(&self, context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        Ok(Box::new(ConcatTask {
            dtypes: self.output(&context.dtypes)?,
            counts: HashMap::default(),
            touched: Vec::new(),
            changed: context.keeps_state.then(Touched::default),
            reporter: context.reporter,
        }))
    }
}

struct ConcatTask {
    dtypes: Vec<DType>,
    /// How many rows each key has.
    counts: HashMap<Key, i64, BuildKeyHasher>,
    /// Keys that got or lost a second row at the open time, and how many they had before that.
    touched: Vec<(Key, i64)>,
    /// The keys whose counts have changed, where that will be saved.
    changed: Option<Touched<Key>>,
    reporter: Reporter,
}

impl Task for ConcatTask {
    fn absorb(&mut self, _input: usize, batch: Batch, output: &mut Output) -> Result<(), EngineError> {
        for (row, key) in batch.keys().iter().enumerate() {
            let count = self.counts.entry(*key).or_insert(0);
            let before = *count;
            *count += batch.diff(row);
            if before.max(*count) > 1 {
                self.touched.push((*key, before));
            }
            if *count == 0 {
                self.counts.remove(key);
            }
        }
        if let Some(changed) = &mut self.changed {
            batch.keys().iter().for_each(|key| changed.push(*key));
        }
        let columns: Vec<Column> = batch
            .columns()
            .iter()
            .zip(&self.dtypes)
            .map(|(column, dtype)| column.with_layout_of(dtype))
            .collect();
        output.push(batch.with_columns(columns));
        Ok(())
    }

    fn complete(&mut self, _time: Time, _output: &mut Output) -> Result<(), EngineError> {
        // How many rows a key had when it was touched first.
        let mut before: BTreeMap<Key, i64> = BTreeMap::new();
        for (key, count) in self.touched.drain(..) {
            before.entry(key).or_insert(count);
        }
        for (key, before) in before {
            let now = self.counts.get(&key).copied().unwrap_or(0);
            if (before > 1) != (now > 1) {
                self.reporter.report(duplicated(key, if now > 1 { 1 } else { -1 }))?;
            }
        }
        shrink(&mut self.counts);
        Ok(())
    }

    fn save(&mut self, saved: &mut Saved) {
        let Some(changed) = &mut self.changed else {
            return;
        };
        let (mut gone, mut there, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        for key in changed.take() {
            match self.counts.get(&key) {
                Some(count) => {
                    there.push(Name::of(key));
                    counts.push(*count);
                }
                None => gone.push(Name::of(key)),
            }
        }
        saved.remove(0, &gone);
        saved.put_named(0, &there, vec![Column::new(Cells::Int(counts.into()))]);
    }

    fn restore(&mut self, table: u16, rows: Batch, owners: &[Key]) -> Result<(), EngineError> {
        if table != 0 {
            return Err(no_table(table));
        }
        state::check(&rows, owners, &[Physical::Int])?;
        let counts = state::ints(rows.column(0))?.iter().copied();
        self.counts.extend(rows.keys().iter().copied().zip(counts));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check_operator, fail_operator, update};
    use towpath_types::Value;

    #[test]
    fn rows_of_all_inputs_in_one_type() {
        let scripts = [
            (
                vec![DType::Int],
                vec![
                    vec![update(1, [Value::from(1)], 1)],
                    vec![update(1, [Value::from(1)], -1)],
                ],
            ),
            (
                vec![DType::Float],
                vec![
                    vec![update(2, [Value::from(0.5)], 1)],
                    vec![update(1, [Value::from(2.5)], 1)],
                ],
            ),
        ];
        check_operator(
            Concat,
            &scripts,
            "2 +1 0.5
             2 +1 1.0
             4 -1 1.0
             4 +1 2.5",
        );
    }

    #[test]
    fn a_key_of_two_inputs_is_named() {
        let script = (vec![DType::Int], vec![vec![update(1, [Value::from(1)], 1)]]);
        let error = fail_operator(Concat, &[script.clone(), script]);
        assert!(error.message.starts_with("duplicated entries for key ^"), "{error}");
    }
}
