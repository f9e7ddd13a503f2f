//! `key_join`: tables with the same keys side by side.
//!
//! Columns of the output: those of the first input, then those of the second, and so on. A key that one has and
//! another has not is a failure; if the run goes on, the cells that the first input's row misses are errors, and what is
//! not in the first input is left out.

use std::sync::Arc;

use towpath_types::DType;

use super::keyed::{Cell, KeyedTask, Outcome};
use crate::error::{EngineError, PlanError};
use crate::operator::{Operator, Pruned, Routing, Task, TaskContext};

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyJoin;

impl Operator for KeyJoin {
    fn name(&self) -> &'static str {
        "key_join"
    }

    fn output(&self, inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
        super::check_count("key_join", inputs.len())?;
        Ok(inputs.concat())
    }

    fn routing(&self, _input: usize) -> Routing {
        Routing::ByKey
    }

    fn pruned(&self, outputs: &[usize], widths: &[usize]) -> Option<Pruned> {
        let mut start = 0;
        let reads = widths.iter().map(|width| {
            start += width;
            let own = outputs.iter().filter(|output| (start - width..start).contains(*output));
            own.map(|output| output + width - start).collect()
        });
        Some((Arc::new(*self), reads.collect()))
    }

    fn append_only(&self, inputs: &[bool]) -> bool {
        inputs.iter().all(|append_only| *append_only)
    }

    fn takes_back_failures(&self) -> bool {
        true
    }

    fn unique_keys(&self, _inputs: &[bool]) -> bool {
        true
    }

    fn start(&self, context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        let cells = |present: &[bool]| {
            let inputs = context.dtypes.iter().enumerate();
            let cells = inputs.flat_map(|(input, dtypes)| {
                let cell = if present[input] { Cell::Of } else { Cell::Error };
                (0..dtypes.len()).map(move |column| cell(input, column))
            });
            cells.collect()
        };
        let outcome = |present: &[bool]| {
            if present.iter().all(|present| *present) {
                Outcome::Row(cells(present))
            } else if present.contains(&true) {
                let message = "a key is in one table but not in another that is to have the same keys";
                Outcome::Wrong(message, present[0].then(|| cells(present)))
            } else {
                Outcome::Nothing
            }
        };
        Ok(Box::new(KeyedTask::new(
            context.clone(),
            context.dtypes.clone(),
            outcome,
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check_operator, fail_operator, update};
    use towpath_types::Value;

    #[test]
    fn rows_meet_by_their_keys() {
        let row = |key, value: i64, diff| update(key, [Value::from(value)], diff);
        let first = vec![
            vec![row(1, 10, 1), row(2, 20, 1)],
            vec![row(1, 10, -1), row(1, 11, 1), row(2, 20, -1)],
        ];
        let second = vec![vec![row(2, 200, 1), row(1, 100, 1)], vec![row(2, 200, -1)]];
        check_operator(
            KeyJoin,
            &[(vec![DType::Int], first.clone()), (vec![DType::Int], second)],
            "2 +1 10 100
             2 +1 20 200
             4 -1 10 100
             4 -1 20 200
             4 +1 11 100",
        );
        let error = fail_operator(KeyJoin, &[(vec![DType::Int], first), (vec![DType::Int], vec![])]);
        assert!(
            error.message.starts_with("a key is in one table but not in another"),
            "{error}"
        );
    }
}
