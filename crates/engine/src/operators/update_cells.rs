//! `update_cells`: a table with some of its cells replaced by those of another, for the keys that the other has.
//!
//! Column `replaced[i]` of the first input becomes column `i` of the second. A key of the second that is
//! not one of the first is a failure; if the run goes on, it is left out.

use std::sync::Arc;

use towpath_types::DType;

use super::keyed::{Cell, KeyedTask, Outcome};
use crate::error::{EngineError, PlanError};
use crate::operator::{Operator, Pruned, Routing, Task, TaskContext};
use crate::type_rules::common_type;

/// See the module.
#[derive(Clone, Debug)]
pub struct UpdateCells {
    /// For every column of the second input, the column of the first that it replaces.
    pub replaced: Vec<usize>,
}

impl Operator for UpdateCells {
    fn name(&self) -> &'static str {
        "update_cells"
    }

    fn output(&self, inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
        let mut dtypes = inputs[0].clone();
        for (position, dtype) in self.replaced.iter().zip(&inputs[1]) {
            dtypes[*position] = common_type("update_cells", &dtypes[*position], dtype)?;
        }
        Ok(dtypes)
    }

    fn routing(&self, _input: usize) -> Routing {
        Routing::ByKey
    }

    fn pruned(&self, outputs: &[usize], _widths: &[usize]) -> Option<Pruned> {
        let (mut replaced, mut read) = (Vec::new(), Vec::new());
        for (position, output) in outputs.iter().enumerate() {
            if let Some(column) = self.replaced.iter().position(|replaced| replaced == output) {
                replaced.push(position);
                read.push(column);
            }
        }
        Some((Arc::new(Self { replaced }), vec![outputs.to_vec(), read]))
    }

    fn append_only(&self, _inputs: &[bool]) -> bool {
        false
    }

    fn unique_keys(&self, _inputs: &[bool]) -> bool {
        true
    }

    fn start(&self, context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        let dtypes = self.output(&context.dtypes)?;
        let second = self.replaced.iter().map(|position| dtypes[*position].clone()).collect();
        let dtypes = vec![dtypes, second];
        let own = Cell::all_of(0, &dtypes);
        let mut updated = own.clone();
        for (column, position) in self.replaced.iter().enumerate() {
            updated[*position] = Cell::Of(1, column);
        }
        let outcome = |present: &[bool]| match present {
            [true, true] => Outcome::Row(updated.clone()),
            [true, false] => Outcome::Row(own.clone()),
            [false, true] => Outcome::Wrong("updating a row that does not exist", None),
            _ => Outcome::Nothing,
        };
        Ok(Box::new(KeyedTask::new(context, dtypes, outcome)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Update, check_operator, fail_operator, update};
    use towpath_types::Value;

    fn left(key: u128, a: i64, b: &str, diff: i64) -> Update {
        update(key, [Value::from(a), Value::from(b)], diff)
    }

    #[test]
    fn cells_are_replaced_while_the_other_has_the_row() {
        let right = |key, b: &str, diff| update(key, [Value::from(b)], diff);
        check_operator(
            UpdateCells { replaced: vec![1] },
            &[
                (
                    vec![DType::Int, DType::Str],
                    vec![
                        vec![left(1, 1, "a", 1), left(2, 2, "b", 1)],
                        vec![left(1, 1, "a", -1), left(1, 3, "a", 1)],
                    ],
                ),
                (
                    vec![DType::Str],
                    vec![vec![right(1, "x", 1)], vec![], vec![right(1, "x", -1)]],
                ),
            ],
            "2 +1 1 x
             2 +1 2 b
             4 -1 1 x
             4 +1 3 x
             6 -1 3 x
             6 +1 3 a",
        );
    }

    #[test]
    fn a_row_that_is_not_there_is_an_error() {
        let right = vec![vec![update(7, [Value::from("x")], 1)]];
        let error = fail_operator(
            UpdateCells { replaced: vec![1] },
            &[
                (vec![DType::Int, DType::Str], vec![vec![left(1, 1, "a", 1)]]),
                (vec![DType::Str], right),
            ],
        );
        assert!(
            error.message.starts_with("updating a row that does not exist, key: ^"),
            "{error}"
        );
    }
}
