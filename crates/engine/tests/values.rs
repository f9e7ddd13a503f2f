//! Texts, floats, `None` and errors that come, change and go: results and the entries of the error log agree with a
//! computation from scratch after every commit, whatever the number of workers and the order within a commit.

#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use towpath_engine::expression::function;
use towpath_engine::operators::join::{Join, JoinId, JoinKind};
use towpath_engine::operators::reduce::{Aggregate, Reduce};
use towpath_engine::plan::Input;
use towpath_engine::reducers::{Options, reducer};
use towpath_engine::source::ErrorTable;
use towpath_engine::testing::{Collected, Script, Update, collect, run_with};
use towpath_engine::{ColumnId, Expression, NodeId, Plan, PlanError};
use towpath_types::{DType, Key, Value};

/// Group, two ints to be divided, a float.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    group: Option<&'static str>,
    a: i64,
    b: i64,
    float: f64,
}

impl Row {
    fn values(&self) -> Vec<Value> {
        let group = self.group.map_or(Value::None, Value::from);
        vec![group, Value::Int(self.a), Value::Int(self.b), Value::Float(self.float)]
    }

    /// `a // b`
    fn quotient(&self) -> Option<i64> {
        (self.b != 0).then(|| self.a.div_euclid(self.b))
    }
}

type Rows = BTreeMap<u128, Row>;
type Change = (u128, Option<Row>);
type Table = BTreeMap<Vec<Value>, i64>;

const DIVISION: &str = "division by zero";
const FILTER: &str = "Error value encountered in filter condition, skipping the row";
const REDUCER: &str = "Error value encountered in the argument of a reducer, skipping the row";

fn call(name: &str, arguments: Vec<Expression>) -> Result<Expression, PlanError> {
    Expression::call(function(name).expect("the function is in the list"), arguments)
}

fn aggregate(name: &str, argument: Option<usize>) -> Aggregate {
    Aggregate {
        reducer: reducer(name).expect("the reducer is in the list"),
        arguments: argument.into_iter().collect(),
        options: Options::default(),
    }
}

/// What the plan puts out: the quotients, those that are positive, the groups, the pairs, and the error log.
fn build(plan: &mut Plan, script: Script) -> Result<Vec<Collected>, PlanError> {
    let source = plan.source(Arc::new(script), None);
    let columns = plan.columns(source).to_vec();
    let [group, a, b, float] = columns[..].try_into().expect("there are four columns");
    let (dividend, divisor) = (plan.expression(a), plan.expression(b));
    let quotient = plan.define(source, call("//", vec![dividend, divisor])?)?;
    let (value, zero) = (
        plan.expression(quotient),
        Expression::literal(Value::Int(0), DType::Int),
    );
    let positive = plan.define(source, call(">", vec![value, zero])?)?;
    let filtered = plan.filter(source, positive, None)?;
    let key = Expression::pointer(vec![plan.expression(group)], None, false);
    let key = plan.define(source, key)?;
    let aggregates = vec![
        aggregate("count", None),
        aggregate("sum", Some(2)),
        aggregate("sum", Some(3)),
        aggregate("max", Some(2)),
    ];
    let input = |columns: Vec<ColumnId>| Input { node: source, columns };
    let groups = plan.operator(
        Arc::new(Reduce::new(1, aggregates)),
        vec![input(vec![key, group, quotient, float])],
        None,
    )?;
    let join = Join {
        kind: JoinKind::Inner,
        id: JoinId::Pair,
        once: [false; 2],
    };
    let pairs = plan.operator(
        Arc::new(join),
        vec![input(vec![key, group]), input(vec![key, quotient])],
        None,
    )?;
    let log = plan.source(Arc::new(ErrorTable), None);
    let message = plan.columns(log)[1];
    let (of_groups, of_pairs) = (plan.columns(groups).to_vec(), plan.columns(pairs).to_vec());
    let mut all = |node: NodeId, columns: Vec<ColumnId>| collect(plan, node, columns);
    Ok(vec![
        all(source, vec![group, quotient])?,
        all(filtered, vec![quotient])?,
        all(groups, of_groups)?,
        all(pairs, of_pairs)?,
        all(log, vec![message])?,
    ])
}

fn quotient(row: &Row) -> Value {
    row.quotient().map_or(Value::Error, Value::Int)
}

/// The sum of floats of which the large ones are all of one size.
fn sum(floats: &[f64]) -> f64 {
    if floats.iter().any(|float| float.is_nan()) {
        return f64::NAN;
    }
    let large: f64 = floats.iter().filter(|float| float.abs() > 1e100).sum();
    let small: f64 = floats.iter().filter(|float| float.abs() <= 1e100).sum();
    if large == 0.0 { small } else { large }
}

/// The tables of [`build`], from scratch.
fn expected(rows: &Rows) -> Vec<Table> {
    let mut tables = vec![Table::new(); 4];
    let mut add = |table: usize, row: Vec<Value>| *tables[table].entry(row).or_insert(0) += 1;
    let mut groups: BTreeMap<Option<&str>, Vec<&Row>> = BTreeMap::new();
    for row in rows.values() {
        groups.entry(row.group).or_default().push(row);
        add(0, vec![row.values()[0].clone(), quotient(row)]);
        if row.quotient().is_some_and(|quotient| quotient > 0) {
            add(1, vec![quotient(row)]);
        }
    }
    for (group, members) in groups {
        let group = group.map_or(Value::None, Value::from);
        let quotients: Vec<i64> = members.iter().filter_map(|row| row.quotient()).collect();
        let floats: Vec<f64> = members.iter().map(|row| row.float).collect();
        let whole = |value: Option<i64>| value.map_or(Value::Error, Value::Int);
        add(
            2,
            vec![
                group.clone(),
                Value::Int(members.len() as i64),
                whole((!quotients.is_empty()).then(|| quotients.iter().sum())),
                Value::Float(sum(&floats)),
                whole(quotients.iter().copied().max()),
            ],
        );
        for _ in &members {
            members
                .iter()
                .for_each(|other| add(3, vec![group.clone(), quotient(other)]));
        }
    }
    tables
}

fn check(commits: &[Vec<Change>], reversed: bool) {
    let (mut rows, mut states, mut script) = (Rows::new(), Vec::new(), Vec::new());
    let (mut reports, mut skipped) = (0, 0);
    for commit in commits {
        let mut updates: Vec<Update> = Vec::new();
        let fails = |rows: &Rows, key: &u128| rows.get(key).is_some_and(|row| row.quotient().is_none());
        let before = rows.clone();
        // A row that comes and goes within a commit is reported or not, as its updates come.
        for (key, row) in commit.iter().cloned().collect::<BTreeMap<u128, Option<Row>>>() {
            if let Some(old) = rows.remove(&key) {
                updates.push((Key(key * 0x1_0001), old.values(), -1));
            }
            if let Some(row) = row {
                updates.push((Key(key * 0x1_0001), row.values(), 1));
                rows.insert(key, row);
            }
        }
        if reversed {
            updates.reverse();
        }
        reports += rows
            .keys()
            .filter(|key| fails(&rows, key) && !fails(&before, key))
            .count();
        // A reducer skips a row in its group.
        let stays = |key: &u128| fails(&before, key) && before[key].group == rows[key].group;
        skipped += rows.keys().filter(|key| fails(&rows, key) && !stays(key)).count();
        if !updates.is_empty() {
            states.push(expected(&rows));
        }
        script.push(updates);
    }
    let dtypes = vec![DType::Str.optional(), DType::Int, DType::Int, DType::Float];
    for (workers, batch_rows) in [(1, usize::MAX), (3, 2)] {
        let mut plan = Plan::default();
        let script = Script::new(dtypes.clone(), script.clone()).in_batches_of(batch_rows);
        let outputs = build(&mut plan, script).expect("the types fit");
        run_with(&plan, workers, false).expect("errors flow on");
        for (number, state) in states.iter().enumerate() {
            let time = 2 * number as u64 + 2;
            for (output, expected) in outputs.iter().zip(state) {
                let mut seen = Table::new();
                for (_, _, row, diff) in output.lock().iter().filter(|(at, ..)| *at <= time) {
                    *seen.entry(row.clone()).or_insert(0) += diff;
                }
                seen.retain(|_, count| *count != 0);
                assert_eq!(&seen, expected, "at {time} with {workers} workers");
            }
        }
        let mut entries: BTreeMap<String, usize> = BTreeMap::new();
        for (_, _, row, _) in outputs[4].lock().iter() {
            let Value::Str(message) = &row[0] else {
                panic!("a message is a text");
            };
            *entries.entry(message.to_string()).or_insert(0) += 1;
        }
        let wanted = [(DIVISION, reports), (FILTER, reports), (REDUCER, skipped)];
        let wanted = wanted.into_iter().filter(|(_, count)| *count > 0);
        let wanted: BTreeMap<String, usize> = wanted.map(|(message, count)| (message.to_owned(), count)).collect();
        assert_eq!(entries, wanted);
    }
}

#[test]
fn a_failing_row_has_one_entry_each_time_that_it_comes() {
    let failing = |float: f64| Row {
        group: Some("a"),
        a: 1,
        b: 0,
        float,
    };
    let update = |row: Row, diff| (Key(1), row.values(), diff);
    let commits = [
        vec![update(failing(0.5), 1)],
        // Another cell changes: that the quotient fails is no news.
        vec![update(failing(0.5), -1), update(failing(1.5), 1)],
        vec![update(failing(1.5), -1)],
        vec![update(failing(1.5), 1)],
        vec![update(failing(1.5), -1), update(Row { b: 1, ..failing(1.5) }, 1)],
    ];
    // What has been said of a failing row by the end of each commit: it is never taken back.
    let so_far = [1, 1, 1, 2, 2];
    let dtypes = vec![DType::Str.optional(), DType::Int, DType::Int, DType::Float];
    for workers in [1, 3] {
        for (number, entries) in so_far.iter().enumerate() {
            let mut plan = Plan::default();
            let script = Script::new(dtypes.clone(), commits[..=number].to_vec());
            let outputs = build(&mut plan, script).expect("the types fit");
            run_with(&plan, workers, false).expect("errors flow on");
            let log = outputs[4].lock();
            for message in [DIVISION, FILTER, REDUCER] {
                let diffs: Vec<i64> = log
                    .iter()
                    .filter(|(_, _, row, _)| row[0] == Value::from(message))
                    .map(|(.., diff)| *diff)
                    .collect();
                assert_eq!(
                    diffs,
                    vec![1; *entries],
                    "{message}, {} commits, {workers} workers",
                    number + 1
                );
            }
        }
    }
}

fn row() -> impl Strategy<Value = Row> {
    let group = prop_oneof![
        Just(None),
        Just(Some("")),
        Just(Some("a text of more than twelve bytes"))
    ];
    let float = prop_oneof![
        (-8..8i32).prop_map(|quarters| f64::from(quarters) / 4.0),
        Just(1e300),
        Just(-1e300),
        Just(f64::INFINITY),
        Just(f64::NAN),
    ];
    (group, 0..4i64, 0..2i64, float).prop_map(|(group, a, b, float)| Row { group, a, b, float })
}

fn commits() -> impl Strategy<Value = Vec<Vec<Change>>> {
    let change = (0..4u128, prop::option::weighted(0.7, row()));
    prop::collection::vec(prop::collection::vec(change, 0..6), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn tables_and_the_error_log_agree_with_the_reference(commits in commits(), reversed in any::<bool>()) {
        check(&commits, reversed);
    }
}
