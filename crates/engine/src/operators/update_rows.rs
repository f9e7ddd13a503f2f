//! `update_rows`: the rows of two tables; where both have a key, the row of the second.
//!
//! Columns: the same in both inputs and the output.

use std::sync::Arc;

use towpath_types::DType;

use super::keyed::{Cell, KeyedTask, Outcome};
use crate::error::{EngineError, PlanError};
use crate::operator::{Operator, Pruned, Routing, Task, TaskContext};

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct UpdateRows;

impl Operator for UpdateRows {
    fn name(&self) -> &'static str {
        "update_rows"
    }

    fn output(&self, inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
        super::common_types("update_rows", inputs)
    }

    fn routing(&self, _input: usize) -> Routing {
        Routing::ByKey
    }

    fn pruned(&self, outputs: &[usize], _widths: &[usize]) -> Option<Pruned> {
        Some((Arc::new(*self), vec![outputs.to_vec(); 2]))
    }

    fn append_only(&self, _inputs: &[bool]) -> bool {
        false
    }

    fn unique_keys(&self, _inputs: &[bool]) -> bool {
        true
    }

    fn start(&self, context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        let dtypes = vec![self.output(&context.dtypes)?; 2];
        let [first, second] = [0, 1].map(|input| Outcome::Row(Cell::all_of(input, &dtypes)));
        let outcome = |present: &[bool]| match present {
            [_, true] => second.clone(),
            [true, false] => first.clone(),
            _ => Outcome::Nothing,
        };
        Ok(Box::new(KeyedTask::new(context, dtypes, outcome)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check_operator, update};
    use towpath_types::Value;

    #[test]
    fn the_second_wins_while_it_is_there() {
        let row = |key, value: i64, diff| update(key, [Value::from(value)], diff);
        check_operator(
            UpdateRows,
            &[
                (
                    vec![DType::Int],
                    vec![
                        vec![row(1, 10, 1), row(2, 20, 1)],
                        vec![row(1, 10, -1), row(1, 11, 1)],
                        vec![],
                    ],
                ),
                (
                    vec![DType::Int],
                    vec![
                        vec![row(2, 22, 1), row(3, 33, 1)],
                        vec![row(1, 12, 1), row(2, 22, -1)],
                        vec![row(1, 12, -1), row(3, 33, -1)],
                    ],
                ),
            ],
            "2 +1 10
             2 +1 22
             2 +1 33
             4 -1 10
             4 -1 22
             4 +1 12
             4 +1 20
             6 -1 12
             6 -1 33
             6 +1 11",
        );
    }
}
