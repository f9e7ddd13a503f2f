//! What groups put out as their rows come, change and go.

use std::sync::Arc;

use proptest::prelude::*;
use towpath_types::{Batch, Column, DType, Key, Value};

use super::combine::ReduceCombiner;
use super::groups::Groups;
use super::{Aggregate, Reduce};
use crate::error::PlanError;
use crate::expression::Expression;
use crate::operator::{Combiner as _, Output};
use crate::plan::{ColumnId, Input, NodeId, Plan};
use crate::reducers::{Options, reducer};
use crate::testing::{Script, Update, check, try_operator, try_run, update};

/// Groups by the first column; the aggregates read the others.
fn reduce(
    plan: &mut Plan,
    script: Script,
    aggregates: &[(&str, &[usize], bool)],
) -> Result<(NodeId, Vec<ColumnId>), PlanError> {
    let source = plan.source(Arc::new(script), None);
    let mut columns = plan.columns(source).to_vec();
    let key = Expression::pointer(vec![plan.expression(columns[0])], None, false);
    columns.insert(0, plan.define(source, key)?);
    let aggregates = aggregates.iter().map(|(name, arguments, skip_nones)| Aggregate {
        reducer: reducer(name).expect("the reducer is in the list"),
        arguments: arguments.iter().map(|argument| argument + 1).collect(),
        options: Options {
            skip_nones: *skip_nones,
        },
    });
    let operator = Arc::new(Reduce::new(1, aggregates.collect()));
    let node = plan.operator(operator, vec![Input { node: source, columns }], None)?;
    Ok((node, plan.columns(node).to_vec()))
}

fn row(key: u128, group: &str, value: impl Into<Value>, diff: i64) -> Update {
    update(key, [Value::from(group), value.into()], diff)
}

fn check_reduce(dtype: DType, commits: Vec<Vec<Update>>, aggregates: &[(&str, &[usize], bool)], expected: &str) {
    for rows in [1, 2, usize::MAX] {
        let script = Script::new(vec![DType::Str, dtype.clone()], commits.clone()).in_batches_of(rows);
        check(|plan| reduce(plan, script.clone(), aggregates), expected);
    }
}

#[test]
fn groups_with_one_key_and_different_values_stay_apart() {
    // As if the values had been made so that their keys are equal.
    let row = |id: u128, word: &str, value: i64, diff| {
        update(id, [Value::from(Key(7)), Value::from(word), Value::from(value)], diff)
    };
    let dtypes = vec![DType::ANY_POINTER, DType::Str, DType::Int];
    let commits = vec![
        vec![row(1, "a", 1, 1), row(2, "b", 20, 1)],
        vec![row(3, "b", 30, 1), row(4, "a", 2, 1)],
        vec![row(2, "b", 20, -1), row(3, "b", 30, -1), row(1, "a", 1, -1)],
    ];
    let sum = Aggregate {
        reducer: reducer("sum").expect("there is a sum"),
        arguments: vec![2],
        options: Options::default(),
    };
    let lines = try_operator(Reduce::new(1, vec![sum]), &[(dtypes, commits)], 3, false);
    assert_eq!(
        lines.expect("errors flow on"),
        ["2 +1 a 1", "4 -1 a 1", "4 +1 a 3", "6 -1 a 3", "6 +1 a 2"]
    );
}

#[test]
fn groups_come_change_and_go() {
    check_reduce(
        DType::Int,
        vec![
            vec![row(1, "a", 1, 1), row(2, "a", 5, 1), row(3, "b", 7, 1)],
            vec![row(2, "a", 5, -1), row(4, "a", 0, 1), row(5, "a", 3, 1)],
            vec![row(3, "b", 7, -1), row(6, "c", 1, 1), row(6, "c", 1, -1)],
            vec![row(1, "a", 1, -1), row(1, "a", 1, 1)],
        ],
        &[
            ("count", &[], false),
            ("sum", &[1], false),
            ("min", &[1], false),
            ("max", &[1], false),
            ("avg", &[1], false),
        ],
        "2 +1 a 2 6 1 5 3.0
         2 +1 b 1 7 7 7 7.0
         4 -1 a 2 6 1 5 3.0
         4 +1 a 3 4 0 3 1.3333333333333333
         6 -1 b 1 7 7 7 7.0",
    );
}

#[test]
fn insert_only_groups_keep_the_best() {
    check_reduce(
        DType::Float,
        vec![
            vec![row(1, "a", 1.5, 1), row(2, "a", -2.5, 1)],
            vec![row(3, "a", 0.5, 1)],
            vec![row(4, "a", 9.0, 1)],
        ],
        &[("min", &[1], false), ("max", &[1], false)],
        "2 +1 a -2.5 1.5
         6 -1 a -2.5 1.5
         6 +1 a -2.5 9.0",
    );
}

#[test]
fn chosen_rows() {
    check_reduce(
        DType::Int.optional(),
        vec![
            vec![
                row(5, "a", 1, 1),
                row(2, "a", 1, 1),
                row(3, "a", 4, 1),
                row(9, "a", (), 1),
            ],
            vec![row(9, "a", (), -1)],
            vec![row(2, "a", 1, -1)],
        ],
        &[
            ("argmin", &[1], false),
            ("argmax", &[1], false),
            ("any", &[1], false),
            ("min", &[1], false),
            ("max", &[1], false),
        ],
        "2 +1 a ^9 ^3 None None 4
         4 -1 a ^9 ^3 None None 4
         4 +1 a ^2 ^3 1 1 4
         6 -1 a ^2 ^3 1 1 4
         6 +1 a ^5 ^3 1 1 4",
    );
}

#[test]
fn sequences_and_distinct_values() {
    check_reduce(
        DType::Int.optional(),
        vec![
            vec![
                row(3, "a", 1, 1),
                row(2, "a", 8, 1),
                row(1, "a", (), 1),
                row(4, "a", 1, 1),
            ],
            vec![row(3, "a", 1, -1)],
        ],
        &[
            ("tuple", &[1], false),
            ("tuple", &[1], true),
            ("sorted_tuple", &[1], false),
            ("count_distinct", &[1], false),
        ],
        "2 +1 a (None,8,1,1) (8,1,1) (None,1,1,8) 3
         4 -1 a (None,8,1,1) (8,1,1) (None,1,1,8) 3
         4 +1 a (None,8,1) (8,1) (None,1,8) 3",
    );
}

#[test]
fn earliest_and_latest() {
    let commits = vec![
        vec![row(2, "a", 20, 1), row(1, "a", 10, 1)],
        vec![row(4, "a", 40, 1), row(3, "a", 30, 1)],
    ];
    let aggregates: &[(&str, &[usize], bool)] = &[("earliest", &[1], false), ("latest", &[1], false)];
    check_reduce(
        DType::Int,
        commits,
        aggregates,
        "2 +1 a 10 20
         4 -1 a 10 20
         4 +1 a 10 40",
    );
    let script = Script::new(
        vec![DType::Str, DType::Int],
        vec![vec![row(2, "a", 20, 1)], vec![row(2, "a", 20, -1)]],
    );
    let error = try_run(|plan| reduce(plan, script.clone(), aggregates), 1, true).expect_err("a row is removed");
    assert!(error.message.contains("append-only"), "{error}");
}

#[test]
fn unique_is_an_error_while_there_are_several() {
    let script = Script::new(
        vec![DType::Str, DType::Int],
        vec![
            vec![row(1, "a", 1, 1)],
            vec![row(2, "a", 2, 1)],
            vec![row(1, "a", 1, -1)],
        ],
    );
    let build = |plan: &mut Plan| reduce(plan, script.clone(), &[("unique", &[1], false)]);
    let error = try_run(build, 1, true).expect_err("there are two values");
    assert!(error.message.contains("passed to the unique reducer: 1, 2"), "{error}");
    assert_eq!(
        try_run(build, 3, false).expect("errors flow on"),
        ["2 +1 a 1", "4 -1 a 1", "4 +1 a Error", "6 -1 a Error", "6 +1 a 2"]
    );
}

#[test]
fn rows_with_errors_are_skipped() {
    let script = Script::new(
        vec![DType::Str, DType::Int],
        vec![
            vec![
                row(1, "a", 1, 1),
                row(2, "a", Value::Error, 1),
                update(3, [Value::Error, Value::from(1)], 1),
            ],
            vec![
                row(2, "a", Value::Error, -1),
                update(3, [Value::Error, Value::from(1)], -1),
            ],
        ],
    );
    let build = |plan: &mut Plan| reduce(plan, script.clone(), &[("sum", &[1], false), ("count", &[], false)]);
    assert_eq!(
        try_run(build, 1, false).expect("errors flow on"),
        ["2 +1 a 1 2", "4 -1 a 1 2", "4 +1 a 1 1"]
    );
}

#[test]
fn overflow_is_an_error() {
    let script = Script::new(
        vec![DType::Str, DType::Int],
        vec![
            vec![row(1, "a", i64::MAX, 1), row(2, "a", 1, 1)],
            vec![row(2, "a", 1, -1)],
        ],
    );
    let build = |plan: &mut Plan| reduce(plan, script.clone(), &[("sum", &[1], false)]);
    assert_eq!(
        try_run(build, 1, false).expect("errors flow on"),
        [
            "2 +1 a Error".to_owned(),
            "4 -1 a Error".to_owned(),
            format!("4 +1 a {}", i64::MAX)
        ]
    );
}

#[test]
fn unread_columns_are_pruned() {
    let aggregates: &[(&str, &[usize], bool)] = &[("sum", &[1], false), ("max", &[1], false)];
    let script = Script::new(
        vec![DType::Str, DType::Int],
        vec![vec![row(1, "a", 1, 1), row(2, "b", 4, 1)]],
    );
    for (columns, expected) in [
        (vec![2], "2 +1 1\n2 +1 4"),
        (vec![0], "2 +1 a\n2 +1 b"),
        (vec![2, 0], "2 +1 1 a\n2 +1 4 b"),
        (vec![], "2 +1 \n2 +1 "),
    ] {
        let build = |plan: &mut Plan| {
            let (node, all) = reduce(plan, script.clone(), aggregates)?;
            Ok((node, columns.iter().map(|column| all[*column]).collect()))
        };
        for workers in [1, 3] {
            assert_eq!(
                try_run(build, workers, true).expect("nothing fails").join("\n"),
                expected
            );
        }
    }
}

#[test]
fn wrong_types_are_refused() {
    for (name, dtype) in [("sum", DType::Str), ("avg", DType::Bool), ("ndarray", DType::Json)] {
        let script = Script::new(vec![DType::Str, dtype], vec![]);
        let refused = reduce(&mut Plan::default(), script, &[(name, &[1], false)]);
        assert!(refused.is_err(), "{name}");
    }
}

/// Ints of which few make a sum overflow, floats that are no numbers, and errors.
fn values() -> impl Strategy<Value = (Value, Value)> {
    let ints = prop_oneof![
        (-3..3_i64).prop_map(Value::from),
        Just(Value::from(i64::MAX)),
        Just(Value::from(i64::MIN)),
        Just(Value::Error),
    ];
    let floats = prop_oneof![
        (-3..3_i64).prop_map(|value| Value::from(value as f64 / 4.0)),
        Just(Value::from(f64::INFINITY)),
        Just(Value::from(f64::NAN)),
        Just(Value::Error),
    ];
    // Mostly without errors: a batch with one goes as it is.
    (
        prop_oneof![20 => (-3..3_i64).prop_map(Value::from), 1 => ints],
        prop_oneof![20 => Just(Value::from(0.5)), 1 => floats],
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What workers combine before they send it makes no difference.
    #[test]
    fn combining_does_not_matter(
        rows in prop::collection::vec((0..4_u8, values(), 1..4_i64), 1..60),
        batch_rows in 1..20_usize,
        commits in 1..4_usize,
    ) {
        let dtypes = vec![DType::Str, DType::Int, DType::Float];
        let updates: Vec<Update> = rows
            .iter()
            .zip(1..)
            .map(|((group, (int, float), times), key)| {
                update(key, [Value::str(&group.to_string()), int.clone(), float.clone()], *times)
            })
            .collect();
        let commits: Vec<Vec<Update>> = updates.chunks(rows.len().div_ceil(commits)).map(<[_]>::to_vec).collect();
        let script = Script::new(dtypes, commits).with_keys_of_the_user().in_batches_of(batch_rows);
        let aggregates: [(&str, &[usize], bool); 6] = [
            ("count", &[], false),
            ("sum", &[1], false),
            ("sum", &[2], false),
            ("min", &[1], false),
            ("max", &[1], false),
            ("max", &[2], false),
        ];
        let run = |workers| try_run(|plan| reduce(plan, script.clone(), &aggregates), workers, false);
        let run = |workers| run(workers).map_err(|error| error.message);
        prop_assert_eq!(run(1), run(3));
    }
}

/// Rows with a key for each of `groups` groups, and one int.
fn rows_of_groups(rows: i64, groups: i64) -> Batch {
    let ints = |divisor: i64| (0..rows).map(move |row| Value::Int(row % divisor)).collect::<Vec<_>>();
    let keys: Vec<Value> = ints(groups)
        .iter()
        .map(|group| Value::Pointer(Key::for_values(std::slice::from_ref(group))))
        .collect();
    let columns = vec![
        Column::from_values(&DType::ANY_POINTER, &keys),
        Column::from_values(&DType::Int, &ints(groups)),
        Column::from_values(&DType::Int, &ints(rows)),
    ];
    Batch::new((0..rows as u128).map(Key).collect::<Vec<_>>(), columns, None)
}

/// Groups by a column of ints behind the key.
fn int_groups() -> Groups {
    Groups::new(std::iter::once((1, DType::Int.physical())))
}

#[test]
fn a_batch_that_is_not_combined_leaves_no_groups_behind() {
    let sum = Aggregate {
        reducer: reducer("sum").expect("the reducer is in the list"),
        arguments: vec![2],
        options: Options::default(),
    };
    let dtypes = [DType::ANY_POINTER, DType::Int, DType::Int];
    let mut combiner = ReduceCombiner::new(vec![sum], int_groups(), &dtypes, &[DType::Int]);
    let good = rows_of_groups(300, 3);
    // The first rows have the key of a group of other values; new groups follow.
    let mut columns = rows_of_groups(5000, 2500).columns().to_vec();
    let values: Vec<Value> = (0..5000).map(|row| Value::Int(row % 2500 + 7)).collect();
    columns[1] = Column::from_values(&DType::Int, &values);
    let bad = rows_of_groups(5000, 2500).with_columns(columns);
    let mut output = Output::default();
    combiner.absorb(good, &mut output).expect("it takes rows");
    combiner.absorb(bad, &mut output).expect("it takes rows");
    combiner.flush(&mut output);
    let batches: Vec<Batch> = output.drain().collect();
    let lengths: Vec<usize> = batches.iter().map(Batch::len).collect();
    assert_eq!(lengths, [5000, 3]);
    assert_eq!(batches[1].diffs().map(|diffs| diffs.to_vec()), Some(vec![100; 3]));
}

#[test]
fn few_groups_become_a_row_each_and_many_stay() {
    let aggregate = |name: &str, arguments: &[usize]| Aggregate {
        reducer: reducer(name).expect("the reducer is in the list"),
        arguments: arguments.to_vec(),
        options: Options::default(),
    };
    let dtypes = vec![DType::ANY_POINTER, DType::Int, DType::Int];
    let aggregates = vec![aggregate("count", &[]), aggregate("sum", &[2]), aggregate("max", &[2])];
    let mut combiner = ReduceCombiner::new(aggregates, int_groups(), &dtypes, &[DType::Int, DType::Int, DType::Int]);
    let mut combine = |batches: &[Batch]| -> Vec<Batch> {
        let mut output = Output::default();
        for batch in batches {
            combiner.absorb(batch.clone(), &mut output).expect("it takes rows");
        }
        combiner.flush(&mut output);
        output.drain().collect()
    };

    // One time in two batches; the next begins anew. Sums are two ints, the low and the high half.
    for _ in 0..2 {
        let combined = combine(&[rows_of_groups(1500, 3), rows_of_groups(1500, 3)]);
        let [combined] = combined.as_slice() else {
            panic!("one batch is expected: {combined:?}");
        };
        let rows: Vec<Vec<Value>> = (0..combined.len()).map(|row| combined.row(row)[1..].to_vec()).collect();
        let ints = |values: [i64; 4]| values.map(Value::Int).to_vec();
        assert_eq!(
            rows,
            [
                ints([0, 748_500, 0, 1497]),
                ints([1, 749_500, 0, 1498]),
                ints([2, 750_500, 0, 1499])
            ]
        );
        assert_eq!(combined.diffs().map(|diffs| diffs.to_vec()), Some(vec![1000; 3]));
    }

    let many = combine(&[rows_of_groups(3000, 3000)]);
    assert_eq!(many[0].len(), 3000);
    // Groups are not looked for again at once.
    let as_they_are = combine(&[rows_of_groups(3000, 3)]);
    assert_eq!((as_they_are[0].len(), as_they_are[0].diffs().is_none()), (3000, true));
    assert_eq!(as_they_are[0].row(7)[1..], [1, 7, 0, 7].map(Value::Int));
}
