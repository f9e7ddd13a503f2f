//! `assert_append_only`: the same rows, and the run ends if one of them is ever removed.
//!
//! What the user vouches for is checked, because what comes after relies on it: operators that know that no row
//! is removed keep less. A row that comes and goes within one commit counts as removed, too: to know better, rows
//! would have to wait for the end of their commit.

use std::sync::Arc;

use towpath_types::{Batch, DType, Key};

use crate::error::{EngineError, ErrorKind, PlanError};
use crate::operator::{Operator, Output, Pruned, Routing, Task, TaskContext};
use crate::state::{Saved, no_table};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct AssertAppendOnly;

impl Operator for AssertAppendOnly {
    fn name(&self) -> &'static str {
        "assert_append_only"
    }

    fn output(&self, inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
        Ok(inputs[0].clone())
    }

    fn routing(&self, _input: usize) -> Routing {
        Routing::Local
    }

    fn pruned(&self, outputs: &[usize], _widths: &[usize]) -> Option<Pruned> {
        Some((Arc::new(*self), vec![outputs.to_vec()]))
    }

    fn append_only(&self, _inputs: &[bool]) -> bool {
        true
    }

    fn start(&self, _context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        Ok(Box::new(Checking))
    }
}

struct Checking;

impl Task for Checking {
    fn absorb(&mut self, _input: usize, batch: Batch, output: &mut Output) -> Result<(), EngineError> {
        if let Some(diffs) = batch.diffs()
            && let Some(row) = diffs.iter().position(|diff| *diff < 0)
        {
            let message = format!(
                "Expected table to be append-only, but got diff={} for key: {}.",
                diffs[row],
                batch.keys()[row]
            );
            return Err(EngineError::new(ErrorKind::Value, message));
        }
        output.push(batch);
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
    use crate::testing::{check_operator, fail_operator, update};
    use towpath_types::Value;

    #[test]
    fn rows_that_only_come_pass() {
        let row = |key, value: i64, diff| update(key, [Value::from(value)], diff);
        let coming = vec![vec![row(1, 10, 1), row(2, 20, 1)], vec![row(3, 30, 1)]];
        check_operator(
            AssertAppendOnly,
            &[(vec![DType::Int], coming.clone())],
            "2 +1 10
             2 +1 20
             4 +1 30",
        );
        let mut going = coming;
        going.push(vec![row(2, 20, -1)]);
        assert_eq!(
            fail_operator(AssertAppendOnly, &[(vec![DType::Int], going)]).message,
            format!("Expected table to be append-only, but got diff=-1 for key: {}.", Key(2))
        );
    }
}
