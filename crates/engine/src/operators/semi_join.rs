//! `semi_join`: the rows of a table whose keys other tables have, or have not (`intersect`, `difference`).
//!
//! Columns of the output: those of the first input. Of the others only the keys are read.

use std::sync::Arc;

use towpath_types::DType;

use super::keyed::{Cell, KeyedTask, Outcome};
use crate::error::{EngineError, PlanError};
use crate::operator::{Operator, Pruned, Routing, Task, TaskContext};

/// Which rows are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SemiJoin {
    /// Those whose keys are in all of the others.
    InAll,
    /// Those whose keys are in none of the others.
    InNone,
}

impl Operator for SemiJoin {
    fn name(&self) -> &'static str {
        match self {
            SemiJoin::InAll => "intersect",
            SemiJoin::InNone => "difference",
        }
    }

    fn output(&self, inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
        super::check_count(self.name(), inputs.len())?;
        Ok(inputs[0].clone())
    }

    fn routing(&self, _input: usize) -> Routing {
        Routing::ByKey
    }

    fn pruned(&self, outputs: &[usize], widths: &[usize]) -> Option<Pruned> {
        let mut reads = vec![Vec::new(); widths.len()];
        reads[0] = outputs.to_vec();
        Some((Arc::new(*self), reads))
    }

    fn append_only(&self, inputs: &[bool]) -> bool {
        *self == SemiJoin::InAll && inputs.iter().all(|append_only| *append_only)
    }

    fn unique_keys(&self, _inputs: &[bool]) -> bool {
        true
    }

    fn start(&self, context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        let own = Cell::all_of(0, &context.dtypes);
        let mut dtypes = vec![Vec::new(); context.dtypes.len()];
        dtypes[0].clone_from(&context.dtypes[0]);
        Ok(Box::new(KeyedTask::new(context, dtypes, |present| {
            let (first, others) = (present[0], &present[1..]);
            let is_kept = match self {
                SemiJoin::InAll => others.iter().all(|present| *present),
                SemiJoin::InNone => !others.contains(&true),
            };
            if first && is_kept {
                Outcome::Row(own.clone())
            } else {
                Outcome::Nothing
            }
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check_operator, update};
    use towpath_types::Value;

    #[test]
    fn rows_come_and_go_with_the_keys_of_others() {
        let row = |key, value: i64, diff| update(key, [Value::from(value)], diff);
        let key = |key, diff| update(key, [], diff);
        let scripts = [
            (
                vec![DType::Int],
                vec![
                    vec![row(1, 10, 1), row(2, 20, 1)],
                    vec![row(2, 20, -1), row(2, 21, 1)],
                    vec![],
                ],
            ),
            (vec![], vec![vec![key(2, 1)], vec![], vec![key(2, -1), key(1, 1)]]),
        ];
        check_operator(
            SemiJoin::InAll,
            &scripts,
            "2 +1 20
             4 -1 20
             4 +1 21
             6 -1 21
             6 +1 10",
        );
        check_operator(
            SemiJoin::InNone,
            &scripts,
            "2 +1 10
             6 -1 10
             6 +1 21",
        );
    }
}
