//! `join`: pairs of rows of two tables with the same join key, in the four kinds.
//!
//! Columns of either input: the join key (a pointer, made before by an expression; a `None` among its values is
//! a value like others), then those that are carried. Columns of the output: those of the left, then those of
//! the right. A row whose join key is an error has no partner.

use std::sync::Arc;

use towpath_types::DType;

use super::join_once::JoinOnce;
pub use super::matching::JoinId;
use super::matching::{Matching, Unmatched};
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
    /// The sides whose rows are used up by their first partner.
    pub once: [bool; 2],
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

    fn takes_back_failures(&self) -> bool {
        self.id != JoinId::Pair
    }

    fn start(&self, context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        if self.once != [false; 2] {
            return Ok(Box::new(JoinOnce::new(context, self.id, self.kind.keeps(), self.once)));
        }
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
    use crate::clock::ManualClock;
    use crate::error::{Origin, RowError};
    use crate::operator::Output;
    use crate::reporter::{ErrorLog, Reporter};
    use crate::testing::{Update, batch, check_operator, fail_operator, try_operator, update};
    use towpath_types::{Batch, Key, Value};

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
        Join {
            kind,
            id: JoinId::Pair,
            once: [false; 2],
        }
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
            once: [false; 2],
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

    /// What a join of one hot key puts out, a step at a time: the most rows at once, and all.
    fn hot_key(kind: JoinKind, side: usize, diff: i64) -> (usize, i64) {
        let dtypes = vec![DType::ANY_POINTER, DType::Int];
        let rows = |diff: i64| -> Batch {
            let updates: Vec<Update> = (0..700)
                .map(|row| update(row as u128, [key(1), Value::from(row)], diff))
                .collect();
            batch(&dtypes, &[0, 1], &updates)
        };
        let context = TaskContext {
            worker: 0,
            workers: 1,
            reporter: Reporter::new(0, None, Arc::new(Never)),
            clock: Arc::new(ManualClock::default()),
            dtypes: vec![dtypes.clone(); 2],
            names: Vec::new(),
            output_names: Vec::new(),
            append_only: vec![false; 2],
            unique_keys: vec![true; 2],
            counters: Arc::default(),
            kept: None,
            keeps_state: false,
            seeds: [0; 2],
        };
        let mut task = join(kind).start(context).expect("nothing outside is needed");
        let mut output = Output::default();
        let (mut most, mut all) = (0, 0);
        let mut drained = |output: &mut Output| {
            let batches: Vec<Batch> = output.drain().collect();
            most = most.max(batches.iter().map(Batch::len).sum());
            all += batches
                .iter()
                .map(|batch| (0..batch.len()).map(|row| batch.diff(row)).sum::<i64>())
                .sum::<i64>();
        };
        let mut commit = |changes: Vec<(usize, Batch)>| {
            for (side, batch) in changes {
                task.absorb(side, batch, &mut output).expect("nothing fails");
                drained(&mut output);
                while !task.is_done() {
                    task.go_on(&mut output).expect("nothing fails");
                    drained(&mut output);
                }
            }
            task.complete(0, &mut output).expect("nothing fails");
            drained(&mut output);
            while !task.is_done() {
                task.go_on(&mut output).expect("nothing fails");
                drained(&mut output);
            }
        };
        commit(vec![(0, rows(1)), (1, rows(1))]);
        if diff < 0 {
            commit(vec![(side, rows(-1))]);
        }
        (most, all)
    }

    /// Nothing is reported.
    struct Never;

    impl ErrorLog for Never {
        fn report(&self, _: usize, _: Option<&Origin>, error: RowError) -> Result<(), EngineError> {
            Err(error.into())
        }
    }

    #[test]
    fn the_product_of_a_hot_key_comes_out_in_parts() {
        let limit = 5 * Output::ROWS;
        let (most, all) = hot_key(JoinKind::Inner, 0, 1);
        assert!(most <= limit && all == 700 * 700, "{most} {all}");
        for (side, rest) in [(0, 700), (1, 700)] {
            let (most, all) = hot_key(JoinKind::Outer, side, -1);
            assert!(most <= limit && all == rest, "{most} {all}");
        }
    }

    #[test]
    fn with_errors_as_data_a_row_with_several_partners_has_errors_for_their_cells() {
        let left = Join {
            id: JoinId::Left,
            ..join(JoinKind::Left)
        };
        let partners = vec![
            vec![row(11, 1, "x", 1)],
            vec![row(12, 1, "y", 1)],
            vec![row(11, 1, "x", -1)],
            vec![row(12, 1, "y", -1)],
        ];
        let scripts = scripts(vec![vec![row(1, 1, "a", 1), row(2, 2, "b", 1)]], partners);
        assert_eq!(
            try_operator(left, &scripts, 3, false).expect("errors flow on"),
            [
                "2 +1 a x",
                "2 +1 b None",
                "4 -1 a x",
                "4 +1 a Error",
                "6 -1 a Error",
                "6 +1 a y",
                "8 -1 a y",
                "8 +1 a None",
            ]
        );
    }

    #[test]
    fn rows_that_are_used_up_by_their_first_partner() {
        let left = vec![vec![row(1, 1, "a", 1)], vec![], vec![row(2, 1, "b", 1)], vec![]];
        let right = |last| vec![vec![], vec![row(11, 1, "x", 1)], vec![], last];
        let later = right(vec![row(12, 1, "y", 1), row(13, 3, "z", 1)]);
        let once = |kind, once| Join { once, ..join(kind) };
        let case =
            |kind, sides, right, expected| check_operator(once(kind, sides), &scripts(left.clone(), right), expected);
        case(JoinKind::Inner, [true, false], later.clone(), "4 +1 a x\n6 +1 b x");
        case(JoinKind::Inner, [false, true], right(vec![]), "4 +1 a x");
        case(JoinKind::Inner, [true, true], later.clone(), "4 +1 a x\n8 +1 b y");
        case(
            JoinKind::Outer,
            [true, false],
            later,
            "2 +1 a None
             4 -1 a None
             4 +1 a x
             6 +1 b x
             8 +1 None y
             8 +1 None z",
        );
        let both = vec![vec![row(11, 1, "x", 1), row(12, 1, "y", 1)]];
        let error = fail_operator(once(JoinKind::Inner, [true, false]), &scripts(left.clone(), both));
        assert!(error.message.starts_with("Repeated entry in a batch"), "{error}");
        // Rows of the other side go and come; the pairs that they have made stay.
        let changing = [
            vec![row(11, 1, "w", 1)],
            vec![row(11, 1, "w", -1), row(12, 1, "y", 1)],
            vec![row(12, 1, "y", -1), row(13, 1, "z", 1)],
            vec![row(13, 1, "z", -1)],
        ];
        let late = [vec![], vec![], vec![row(1, 1, "a", 1)], vec![]];
        let scripts_of = |left: &[Vec<Update>], right: &[Vec<Update>]| scripts(left.to_vec(), right.to_vec());
        let inner = once(JoinKind::Inner, [true, false]);
        check_operator(inner, &scripts_of(&late, &changing), "6 +1 a z");
        let outer = once(JoinKind::Outer, [true, false]);
        check_operator(
            outer,
            &scripts_of(&late, &changing),
            "2 +1 None w
             4 -1 None w
             4 +1 None y
             6 -1 None y
             6 +1 a z",
        );
        // A row that waits may go; one that was used up may not.
        let waits = [
            vec![row(1, 1, "a", 1)],
            vec![row(1, 1, "a", -1), row(1, 1, "b", 1)],
            vec![],
            vec![],
        ];
        let partner = [vec![], vec![], vec![row(11, 1, "x", 1)], vec![]];
        check_operator(
            outer,
            &scripts_of(&waits, &partner),
            "2 +1 a None
             4 -1 a None
             4 +1 b None
             6 -1 b None
             6 +1 b x",
        );
        let used = [vec![row(1, 1, "a", 1)], vec![], vec![], vec![row(1, 1, "a", -1)]];
        let error = fail_operator(inner, &scripts_of(&used, &partner));
        assert!(error.message.starts_with("Expected table to be append-only"), "{error}");
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
            id: JoinId::Left,
            ..join(JoinKind::Outer)
        };
        assert!(
            wrong
                .output(&[vec![DType::ANY_POINTER], vec![DType::ANY_POINTER]])
                .is_err()
        );
    }
}
