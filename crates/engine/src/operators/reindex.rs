//! `reindex`: the same rows under other keys.
//!
//! Columns of the input: the new key, then those that are carried. The rows stay where they are: whoever
//! needs them by their keys sends them there, and finds keys that are not unique.

use std::sync::Arc;

use towpath_types::{Batch, DType, Key};

use super::{keys_of, report_errors, usable};
use crate::error::{EngineError, PlanError};
use crate::operator::{Operator, Output, Pruned, Routing, Task, TaskContext};
use crate::reporter::Reporter;
use crate::state::{Saved, no_table};
use crate::type_rules::check_keys;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Reindex;

impl Operator for Reindex {
    fn name(&self) -> &'static str {
        "reindex"
    }

    fn output(&self, inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
        let [key, carried @ ..] = inputs[0].as_slice() else {
            return Err(PlanError::value("reindex needs a column of keys"));
        };
        check_keys(key)?;
        Ok(carried.to_vec())
    }

    fn routing(&self, _input: usize) -> Routing {
        Routing::Local
    }

    fn pruned(&self, outputs: &[usize], _widths: &[usize]) -> Option<Pruned> {
        let read = std::iter::once(0).chain(outputs.iter().map(|output| output + 1));
        Some((Arc::new(*self), vec![read.collect()]))
    }

    fn append_only(&self, inputs: &[bool]) -> bool {
        inputs[0]
    }

    fn unique_keys(&self, _inputs: &[bool]) -> bool {
        false
    }

    fn start(&self, context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        Ok(Box::new(ReindexTask {
            reporter: context.reporter,
        }))
    }
}

struct ReindexTask {
    reporter: Reporter,
}

impl Task for ReindexTask {
    fn absorb(&mut self, _input: usize, batch: Batch, output: &mut Output) -> Result<(), EngineError> {
        report_errors(&batch, batch.column(0), "reindex as new id", &self.reporter)?;
        let batch = match usable(batch.column(0)) {
            Some(mask) => batch.filter(&mask),
            None => batch,
        };
        let keys = keys_of(batch.column(0)).clone();
        output.push(Batch::new(keys, batch.columns()[1..].to_vec(), batch.diffs().cloned()));
        Ok(())
    }

    fn is_stateless(&self) -> bool {
        true
    }

    fn save(&mut self, _saved: &mut Saved) {
        // It has no state.
    }

    fn restore(&mut self, table: u16, _rows: Batch, _owners: &[Key]) -> Result<(), EngineError> {
        Err(no_table(table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::Expression;
    use crate::plan::Input;
    use crate::plan::Plan;
    use crate::testing::{Script, collect, in_order, run_with, update};
    use towpath_types::Value;

    #[test]
    fn rows_get_the_keys_of_their_cells() {
        for workers in [1, 3] {
            let mut plan = Plan::default();
            let script = Script::new(
                vec![DType::Int],
                vec![
                    vec![update(1, [Value::from(10)], 1), update(2, [Value::from(20)], 1)],
                    vec![update(1, [Value::from(10)], -1)],
                ],
            );
            let source = plan.source(Arc::new(script), None);
            let value = plan.columns(source)[0];
            let key = Expression::pointer(vec![plan.expression(value)], None, false);
            let key = plan.define(source, key).expect("the column is visible");
            let input = Input {
                node: source,
                columns: vec![key, value],
            };
            let node = plan
                .operator(Arc::new(Reindex), vec![input], None)
                .expect("the key is a pointer");
            let columns = plan.columns(node).to_vec();
            let collected = collect(&mut plan, node, columns).expect("the columns are visible");
            run_with(&plan, workers, true).expect("nothing can fail");
            let key = |value: i64| Key::for_values(&[Value::from(value)]);
            assert_eq!(
                in_order(&collected),
                [
                    (2, key(10), vec![Value::from(10)], 1),
                    (2, key(20), vec![Value::from(20)], 1),
                    (4, key(10), vec![Value::from(10)], -1),
                ]
            );
        }
    }
}
