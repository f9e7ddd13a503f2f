//! `join`: pairs of rows of two tables with the same join key, in the four kinds.
//!
//! Columns of either input: the join key (a pointer, made before by an expression; a `None` among its values is
//! a value like others), then those that are carried. Columns of the output: those of the left, then those of
//! the right. A row whose join key is an error has no partner.

use std::sync::Arc;

use towpath_types::DType;

use super::matching::{JoinId, Matching, Unmatched};
use crate::error::{EngineError, PlanError};
use crate::operator::{Operator, Pruned, Routing, Task, TaskContext};

/// Which rows without a partner are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    /// None.
    Inner,
    /// Those of the left.
    Left,
    /// Those of the right.
    Right,
    /// Those of both.
    Outer,
}

impl JoinKind {
    fn keeps(self) -> [bool; 2] {
        match self {
            JoinKind::Inner => [false, false],
            JoinKind::Left => [true, false],
            JoinKind::Right => [false, true],
            JoinKind::Outer => [true, true],
        }
    }
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Join {
    /// Which rows without a partner are kept.
    pub kind: JoinKind,
    /// Which keys the rows get.
    pub id: JoinId,
}

/// The columns of each input that are read, when of the carried ones only those at `outputs` are put out; `skipped`
/// is how many columns of each input are not carried.
pub(super) fn prune_carried(outputs: &[usize], widths: &[usize], skipped: [usize; 2]) -> Vec<Vec<usize>> {
    let left = widths[0] - skipped[0];
    let mut reads: Vec<Vec<usize>> = skipped.iter().map(|skipped| (0..*skipped).collect()).collect();
    for output in outputs {
        if *output < left {
            reads[0].push(output + skipped[0]);
        } else {
            reads[1].push(output - left + skipped[1]);
        }
    }
    reads
}

impl Operator for Join {
    fn name(&self) -> &'static str {
        "join"
    }

    fn output(&self, inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
        let [keeps_left, keeps_right] = self.kind.keeps();
        if self.id == JoinId::Left && keeps_right || self.id == JoinId::Right && keeps_left {
            return Err(PlanError {
                kind: crate::error::ErrorKind::Key,
                message: "Cannot assign id's for this join type.".to_owned(),
            });
        }
        let mut dtypes = Vec::new();
        for (input, is_optional) in inputs.iter().zip([keeps_right, keeps_left]) {
            let [key, carried @ ..] = input.as_slice() else {
                return Err(PlanError::value("join needs a column of join keys"));
            };
            if !matches!(key.required(), DType::Pointer(_)) {
                return Err(PlanError::mismatch(format!("a join key is a pointer, not {key}")));
            }
            dtypes.extend(
                carried
                    .iter()
                    .cloned()
                    .map(|dtype| if is_optional { dtype.optional() } else { dtype }),
            );
        }
        Ok(dtypes)
    }

    fn routing(&self, _input: usize) -> Routing {
        Routing::ByPointer(0)
    }

    fn pruned(&self, outputs: &[usize], widths: &[usize]) -> Option<Pruned> {
        Some((Arc::new(*self), prune_carried(outputs, widths, [1, 1])))
    }

    fn append_only(&self, inputs: &[bool]) -> bool {
        self.kind == JoinKind::Inner && inputs.iter().all(|append_only| *append_only)
    }

    fn start(&self, context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        let unmatched = self
            .kind
            .keeps()
            .map(|keeps| if keeps { Unmatched::Nones } else { Unmatched::Drop });
        Ok(Box::new(Matching::new(context, self.id, unmatched, [Some(0), Some(0)])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Update, check_operator, fail_operator, try_operator, update};
    use towpath_types::{Key, Value};

    type Scripts = [(Vec<DType>, Vec<Vec<Update>>); 2];

    fn key(value: i64) -> Value {
        Value::from(Key::for_values(&[Value::from(value)]))
    }

    fn row(id: u128, join_key: i64, value: &str, diff: i64) -> Update {
        update(id, [key(join_key), Value::from(value)], diff)
    }

    fn scripts(left: Vec<Vec<Update>>, right: Vec<Vec<Update>>) -> Scripts {
        let dtypes = vec![DType::ANY_POINTER, DType::Str];
        [(dtypes.clone(), left), (dtypes, right)]
    }

    fn join(kind: JoinKind) -> Join {
        Join { kind, id: JoinId::Pair }
    }

    fn changing() -> Scripts {
        scripts(
            vec![
                vec![row(1, 1, "a", 1), row(2, 2, "b", 1), row(3, 1, "c", 1)],
                vec![row(3, 1, "c", -1), row(3, 2, "c", 1)],
                vec![],
                vec![row(1, 1, "a", -1), row(2, 2, "b", -1), row(3, 2, "c", -1)],
            ],
            vec![
                vec![row(11, 1, "x", 1), row(12, 3, "y", 1)],
                vec![row(13, 2, "z", 1)],
                vec![row(11, 1, "x", -1)],
                vec![],
            ],
        )
    }

    #[test]
    fn inner() {
        check_operator(
            join(JoinKind::Inner),
            &changing(),
            "2 +1 a x
             2 +1 c x
             4 -1 c x
             4 +1 b z
             4 +1 c z
             6 -1 a x
             8 -1 b z
             8 -1 c z",
        );
    }

    #[test]
    fn outer() {
        check_operator(
            join(JoinKind::Outer),
            &changing(),
            "2 +1 None y
             2 +1 a x
             2 +1 b None
             2 +1 c x
             4 -1 b None
             4 -1 c x
             4 +1 b z
             4 +1 c z
             6 -1 a x
             6 +1 a None
             8 -1 a None
             8 -1 b z
             8 -1 c z
             8 +1 None z",
        );
    }

    #[test]
    fn left_with_its_own_ids() {
        let left = Join {
            kind: JoinKind::Left,
            id: JoinId::Left,
        };
        check_operator(
            left,
            &changing(),
            "2 +1 a x
             2 +1 b None
             2 +1 c x
             4 -1 b None
             4 -1 c x
             4 +1 b z
             4 +1 c z
             6 -1 a x
             6 +1 a None
             8 -1 a None
             8 -1 b z
             8 -1 c z",
        );
        let two = vec![vec![row(11, 1, "x", 1), row(12, 1, "y", 1)]];
        let error = fail_operator(left, &scripts(vec![vec![row(1, 1, "a", 1)]], two));
        assert!(error.message.starts_with("duplicate key ^"), "{error}");
    }

    #[test]
    fn a_wrong_join_key_has_no_partner() {
        let left = vec![vec![update(1, [Value::Error, Value::from("a")], 1), row(2, 1, "b", 1)]];
        let right = vec![vec![
            update(11, [Value::Error, Value::from("x")], 1),
            row(12, 1, "y", 1),
        ]];
        let scripts = scripts(left, right);
        assert_eq!(
            try_operator(join(JoinKind::Left), &scripts, 3, false).expect("errors flow on"),
            ["2 +1 a None", "2 +1 b y"]
        );
        assert_eq!(
            try_operator(join(JoinKind::Inner), &scripts, 3, false).expect("errors flow on"),
            ["2 +1 b y"]
        );
    }

    #[test]
    fn ids_of_a_side_that_may_be_missing_are_refused() {
        let wrong = Join {
            kind: JoinKind::Outer,
            id: JoinId::Left,
        };
        assert!(
            wrong
                .output(&[vec![DType::ANY_POINTER], vec![DType::ANY_POINTER]])
                .is_err()
        );
    }
}
