//! `lookup`: for every row with a pointer, the row of another table that it points to (`ix`).
//!
//! Columns of the first input: the pointer, then those that are carried; of the second, those that are looked
//! up. Columns of the output: the carried ones, then those looked up. Rows keep their keys.

use std::sync::Arc;

use towpath_types::DType;

use super::join::prune_carried;
use super::matching::{JoinId, Matching, Unmatched};
use crate::error::{EngineError, PlanError};
use crate::operator::{Operator, Pruned, Routing, Task, TaskContext};
use crate::type_rules::check_pointers;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lookup {
    /// Whether the pointer may be `None`; then so are the cells looked up.
    pub optional: bool,
    /// Whether the pointer may lead nowhere; then the cells looked up are `None`. Otherwise that is an error.
    pub allow_misses: bool,
}

impl Operator for Lookup {
    fn name(&self) -> &'static str {
        "ix"
    }

    fn output(&self, inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
        let [pointer, carried @ ..] = inputs[0].as_slice() else {
            return Err(PlanError::value("ix needs a column of pointers"));
        };
        check_pointers(pointer, &DType::ANY_POINTER, self.optional)?;
        let mut dtypes = carried.to_vec();
        let becomes_optional = self.optional || self.allow_misses;
        dtypes.extend(
            inputs[1]
                .iter()
                .cloned()
                .map(|dtype| if becomes_optional { dtype.optional() } else { dtype }),
        );
        Ok(dtypes)
    }

    fn routing(&self, input: usize) -> Routing {
        if input == 0 {
            Routing::ByPointer(0)
        } else {
            Routing::ByKey
        }
    }

    fn pruned(&self, outputs: &[usize], widths: &[usize]) -> Option<Pruned> {
        Some((Arc::new(*self), prune_carried(outputs, widths, [1, 0])))
    }

    fn append_only(&self, inputs: &[bool]) -> bool {
        // Where a partner may be missing, a row whose partner comes later changes.
        !self.allow_misses && inputs.iter().all(|append_only| *append_only)
    }

    fn takes_back_failures(&self) -> bool {
        true
    }

    fn unique_keys(&self, inputs: &[bool]) -> bool {
        inputs[0]
    }

    fn start(&self, context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        let missing = if self.allow_misses {
            Unmatched::Misses
        } else {
            Unmatched::Errors
        };
        Ok(Box::new(Matching::new(
            context,
            JoinId::Left,
            [missing, Unmatched::Drop],
            [Some(0), None],
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Update, check_operator, fail_operator, try_operator, update};
    use towpath_types::{Key, Value};

    fn row(id: u128, target: u128, diff: i64) -> Update {
        update(id, [Value::from(Key(target)), Value::from(id as i64)], diff)
    }

    fn scripts(rows: Vec<Vec<Update>>, target: Vec<Vec<Update>>) -> [(Vec<DType>, Vec<Vec<Update>>); 2] {
        [
            (vec![DType::ANY_POINTER.optional(), DType::Int], rows),
            (vec![DType::Str], target),
        ]
    }

    #[test]
    fn rows_follow_their_pointers() {
        let target = |id: u128, text: &str, diff| update(id, [Value::from(text)], diff);
        check_operator(
            Lookup {
                optional: true,
                allow_misses: true,
            },
            &scripts(
                vec![
                    vec![
                        row(1, 11, 1),
                        row(2, 11, 1),
                        row(3, 12, 1),
                        update(4, [Value::None, Value::from(4)], 1),
                    ],
                    vec![row(3, 12, -1), row(3, 11, 1)],
                    vec![],
                ],
                vec![
                    vec![target(11, "x", 1)],
                    vec![target(11, "x", -1), target(11, "y", 1), target(12, "z", 1)],
                    vec![target(11, "y", -1)],
                ],
            ),
            "2 +1 1 x
             2 +1 2 x
             2 +1 3 None
             2 +1 4 None
             4 -1 1 x
             4 -1 2 x
             4 -1 3 None
             4 +1 1 y
             4 +1 2 y
             4 +1 3 y
             6 -1 1 y
             6 -1 2 y
             6 -1 3 y
             6 +1 1 None
             6 +1 2 None
             6 +1 3 None",
        );
    }

    #[test]
    fn a_pointer_that_leads_nowhere_is_an_error() {
        let strict = Lookup {
            optional: true,
            allow_misses: false,
        };
        let late = vec![vec![], vec![update(11, [Value::from("x")], 1)]];
        let scripts = scripts(vec![vec![row(1, 11, 1), row(2, 12, 1), row(2, 12, -1)]], late);
        let error = fail_operator(strict, &scripts);
        assert!(
            error.message.starts_with("key ^") && error.message.contains("looked up"),
            "{error}"
        );
        assert_eq!(
            try_operator(strict, &scripts, 3, false).expect("errors flow on"),
            ["2 +1 1 Error", "4 -1 1 Error", "4 +1 1 x"]
        );
    }
}
