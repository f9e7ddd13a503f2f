//! Random pipelines on random streams agree with a computation from scratch after every commit, whatever the values are,
//! errors among them, whatever the number of workers and processes and however the rows of a commit are cut into batches.

#![allow(missing_docs)]

mod reference;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use reference::{Aggregate as Kind, Content, Rows, Step, apply, lookup_aggregate};
use towpath_durability::{Fault, FaultyStorage, MemoryStorage, Storage};
use towpath_engine::expression::function;
use towpath_engine::operators::concat::Concat;
use towpath_engine::operators::flatten::Flatten;
use towpath_engine::operators::join::{Join, JoinId, JoinKind};
use towpath_engine::operators::key_join::KeyJoin;
use towpath_engine::operators::lookup::Lookup;
use towpath_engine::operators::reduce::{Aggregate, Reduce};
use towpath_engine::operators::reindex::Reindex;
use towpath_engine::operators::semi_join::SemiJoin;
use towpath_engine::operators::update_cells::UpdateCells;
use towpath_engine::operators::update_rows::UpdateRows;
use towpath_engine::persistence::Persistence;
use towpath_engine::plan::Input;
use towpath_engine::reducers::{Options, reducer};
use towpath_engine::testing::{
    Collected, Script, Seen, Update, collect, in_order, kept_in, kept_with_state_in, run_in_processes, run_kept,
    run_with, tables,
};
use towpath_engine::{ColumnId, EngineError, Expression, NodeId, Operator, Plan, PlanError};
use towpath_types::{DType, Key, Time, Value};

/// A table of a plan, with its three columns.
#[derive(Clone, Debug)]
struct Table {
    node: NodeId,
    columns: Vec<ColumnId>,
}

impl Table {
    fn input(&self, first: impl IntoIterator<Item = ColumnId>, columns: &[usize]) -> Input {
        let columns = columns.iter().map(|column| self.columns[*column]);
        Input {
            node: self.node,
            columns: first.into_iter().chain(columns).collect(),
        }
    }

    fn pointer(&self, plan: &mut Plan, values: Vec<Expression>) -> Result<ColumnId, PlanError> {
        plan.define(self.node, Expression::pointer(values, None, false))
    }

    fn group_pointer(&self, plan: &mut Plan) -> Result<ColumnId, PlanError> {
        let group = plan.expression(self.columns[1]);
        self.pointer(plan, vec![group])
    }
}

fn operator(plan: &mut Plan, operator: impl Operator + 'static, inputs: Vec<Input>) -> Result<Table, PlanError> {
    let node = plan.operator(Arc::new(operator), inputs, None)?;
    let columns = plan.columns(node).to_vec();
    Ok(Table { node, columns })
}

fn aggregate(name: &str, arguments: &[usize]) -> Aggregate {
    Aggregate {
        reducer: reducer(name).expect("the reducer is in the list"),
        arguments: arguments.to_vec(),
        options: Options::default(),
    }
}

/// The table with flags, numbers and values in place of `None`.
fn without_nones(plan: &mut Plan, table: Table, content: Content) -> Result<Table, PlanError> {
    let defaults = [
        Expression::literal(Value::Bool(false), DType::Bool),
        Expression::literal(Value::Int(0), DType::Int),
        Expression::literal(content.nothing(), content.dtype().required().clone()),
    ];
    let mut columns = Vec::new();
    for (column, default) in table.columns.iter().zip(defaults) {
        let expression = Expression::coalesce(vec![plan.expression(*column), default])?;
        columns.push(plan.define(table.node, expression)?);
    }
    Ok(Table { columns, ..table })
}

/// The flag of any row, the group, an aggregate of the value.
fn reduced(plan: &mut Plan, table: &Table, name: &str) -> Result<Table, PlanError> {
    let key = table.group_pointer(plan)?;
    let arguments: &[usize] = if name == "count" { &[] } else { &[3] };
    let aggregates = vec![aggregate("any", &[2]), aggregate(name, arguments)];
    let reduced = operator(plan, Reduce::new(1, aggregates), vec![table.input([key], &[1, 0, 2])])?;
    Ok(Table {
        node: reduced.node,
        columns: [1, 0, 2].iter().map(|column| reduced.columns[*column]).collect(),
    })
}

fn reindexed(plan: &mut Plan, table: &Table, number: i64) -> Result<Table, PlanError> {
    let number = Expression::literal(Value::Int(number), DType::Int);
    let key = table.pointer(plan, vec![Expression::id(), number])?;
    operator(plan, Reindex, vec![table.input([key], &[0, 1, 2])])
}

/// What takes the place of a value: the group where it is such a value, else always the same.
fn other(plan: &Plan, table: &Table, content: Content) -> Expression {
    if content.is_int() {
        plan.expression(table.columns[1])
    } else {
        Expression::literal(content.value(1), content.dtype())
    }
}

fn build(plan: &mut Plan, step: Step, content: Content, table: &Table, second: &Table) -> Result<Table, PlanError> {
    const ALL: &[usize] = &[0, 1, 2];
    match step {
        Step::Filter => Ok(Table {
            node: plan.filter(table.node, table.columns[0], None)?,
            columns: table.columns.clone(),
        }),
        Step::Compute => {
            let [flag, value] = [0, 2].map(|column| plan.expression(table.columns[column]));
            let other = other(plan, table, content);
            let mut columns = table.columns.clone();
            columns[2] = plan.define(table.node, Expression::if_else(flag, value, other)?)?;
            Ok(Table { columns, ..*table })
        }
        Step::Divide => {
            let [group, value] = [1, 2].map(|column| plan.expression(table.columns[column]));
            let divide = function("//").expect("the function is in the list");
            let mut columns = table.columns.clone();
            columns[2] = plan.define(table.node, Expression::call(divide, vec![value, group])?)?;
            Ok(Table { columns, ..*table })
        }
        Step::Reduce(kind) => reduced(plan, table, kind.name()),
        Step::Join { left, right } => {
            let kind = match (left, right) {
                (false, false) => JoinKind::Inner,
                (true, false) => JoinKind::Left,
                (false, true) => JoinKind::Right,
                (true, true) => JoinKind::Outer,
            };
            let (left, right) = (table.group_pointer(plan)?, second.group_pointer(plan)?);
            // A column that nobody reads is carried as well, until it is pruned.
            let inputs = vec![table.input([left], &[0, 2, 1]), second.input([right], &[1, 2])];
            let id = JoinId::Pair;
            let joined = operator(
                plan,
                Join {
                    kind,
                    id,
                    once: [false; 2],
                },
                inputs,
            )?;
            let columns = [0, 2, 4].iter().map(|column| joined.columns[*column]).collect();
            without_nones(plan, Table { columns, ..joined }, content)
        }
        Step::ConcatReindex => {
            let (table, second) = (reindexed(plan, table, 0)?, reindexed(plan, second, 1)?);
            operator(plan, Concat, vec![table.input([], ALL), second.input([], ALL)])
        }
        Step::UpdateRows => operator(plan, UpdateRows, vec![table.input([], ALL), second.input([], ALL)]),
        Step::UpdateCells => {
            let flagged = Table {
                node: plan.filter(table.node, table.columns[0], None)?,
                columns: table.columns.clone(),
            };
            let other = other(plan, &flagged, content);
            let other = plan.define(flagged.node, other)?;
            let inputs = vec![table.input([], ALL), flagged.input([other], &[])];
            operator(plan, UpdateCells { replaced: vec![2] }, inputs)
        }
        Step::SemiJoin { matched } => {
            let kind = if matched { SemiJoin::InAll } else { SemiJoin::InNone };
            operator(plan, kind, vec![table.input([], ALL), second.input([], &[])])
        }
        Step::TupleAndFlatten => {
            let tuples = reduced(plan, table, "tuple")?;
            let flat = operator(plan, Flatten::new(false), vec![tuples.input([], &[2, 0, 1])])?;
            Ok(Table {
                node: flat.node,
                columns: [1, 2, 0].iter().map(|column| flat.columns[*column]).collect(),
            })
        }
        Step::Lookup => {
            let sums = reduced(plan, second, lookup_aggregate(content).name())?;
            let pointer = table.group_pointer(plan)?;
            let lookup = Lookup {
                optional: false,
                allow_misses: true,
            };
            let inputs = vec![table.input([pointer], &[0, 1]), sums.input([], &[2])];
            let found = operator(plan, lookup, inputs)?;
            without_nones(plan, found, content)
        }
        Step::KeyJoin => {
            let both = operator(plan, KeyJoin, vec![table.input([], &[0, 1]), table.input([], &[0, 2])])?;
            Ok(Table {
                node: both.node,
                columns: [0, 1, 3].iter().map(|column| both.columns[*column]).collect(),
            })
        }
    }
}

/// What a user does to a row: set it, or delete it. A row without a number for its value has an error.
type Change = (usize, u128, Option<(bool, i64, Option<i64>)>);

/// The contents of the two base tables after each commit, and the updates that lead there.
fn play(commits: &[Vec<Change>], content: Content, reversed: bool) -> (Vec<[Rows; 2]>, [Vec<Vec<Update>>; 2]) {
    let mut state: [BTreeMap<Key, Vec<Value>>; 2] = Default::default();
    let (mut states, mut scripts) = (Vec::new(), [Vec::new(), Vec::new()]);
    for commit in commits {
        let mut updates = [Vec::new(), Vec::new()];
        for (table, key, row) in commit {
            let key = Key(*key * 0x1_0001 + 1);
            if let Some(old) = state[*table].remove(&key) {
                updates[*table].push((key, old, -1));
            }
            if let Some((flag, group, value)) = row {
                let value = value.map_or(Value::Error, |number| content.value(number));
                let row = vec![Value::Bool(*flag), Value::Int(*group), value];
                updates[*table].push((key, row.clone(), 1));
                state[*table].insert(key, row);
            }
        }
        for (script, mut updates) in scripts.iter_mut().zip(updates) {
            if reversed {
                updates.reverse();
            }
            script.push(updates);
        }
        states.push([0, 1].map(|table| {
            let rows = state[table].iter();
            rows.map(|(key, row)| (*key, row.clone())).collect()
        }));
    }
    (states, scripts)
}

/// The same as if all changes of the second table had come before the first commit.
fn settle_second(states: &mut [[Rows; 2]]) -> Vec<Update> {
    let last = states.last().map_or_else(Vec::new, |[_, second]| second.clone());
    for [_, second] in states {
        second.clone_from(&last);
    }
    last.into_iter().map(|(key, row)| (key, row, 1)).collect()
}

/// How many workers a run has.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Threads(usize),
    /// So many processes with so many threads each.
    Processes(usize, usize),
}

/// A pipeline, and where its rows arrive.
fn pipeline(
    content: Content,
    steps: &[(Step, bool)],
    scripts: &[Vec<Vec<Update>>; 2],
    static_second: Option<&Vec<Update>>,
    batch_rows: usize,
    pause: Duration,
) -> (Plan, Collected) {
    let mut plan = Plan::default();
    let dtypes = vec![DType::Bool, DType::Int, content.dtype()];
    let mut scripts = vec![
        (dtypes.clone(), scripts[0].clone()),
        (dtypes.clone(), scripts[1].clone()),
    ];
    scripts.truncate(if static_second.is_some() { 1 } else { 2 });
    let mut base: Vec<Table> = tables(&mut plan, &scripts, batch_rows, pause)
        .expect("the tables are sound")
        .into_iter()
        .map(|(node, columns)| Table { node, columns })
        .collect();
    if let Some(rows) = static_second {
        let node = plan.source(
            Arc::new(Script::fixed(dtypes, rows.clone()).in_batches_of(batch_rows)),
            None,
        );
        let columns = plan.columns(node).to_vec();
        base.push(Table { node, columns });
    }
    let mut table = base[0].clone();
    for (step, is_first) in steps {
        let second = &base[usize::from(!is_first)];
        table = build(&mut plan, step.of(content), content, &table, second).expect("the types fit");
    }
    let collected = collect(&mut plan, table.node, table.columns).expect("the columns are visible");
    (plan, collected)
}

/// Runs a plan, kept if that is said.
fn run_plan(
    plan: &Plan,
    shape: Shape,
    terminate_on_error: bool,
    persistence: Option<&Persistence>,
) -> Result<(), EngineError> {
    match (shape, persistence) {
        (Shape::Threads(workers), None) => run_with(plan, workers, terminate_on_error),
        (Shape::Threads(workers), Some(kept)) => run_kept(plan, workers, terminate_on_error, kept.clone()),
        (Shape::Processes(processes, workers), kept) => {
            run_in_processes(plan, processes, workers, terminate_on_error, kept)
                .into_iter()
                .collect()
        }
    }
}

fn run_pipeline(
    content: Content,
    steps: &[(Step, bool)],
    scripts: &[Vec<Vec<Update>>; 2],
    static_second: Option<&Vec<Update>>,
    shape: Shape,
    batch_rows: usize,
    terminate_on_error: bool,
) -> Vec<Seen> {
    let (plan, collected) = pipeline(content, steps, scripts, static_second, batch_rows, Duration::ZERO);
    if let Err(error) = run_plan(&plan, shape, terminate_on_error, None) {
        panic!("{error:?} in {shape:?} of\n{plan}");
    }
    in_order(&collected)
}

/// Whether some cell may be an error.
fn may_fail(steps: &[(Step, bool)], commits: &[Vec<Change>]) -> bool {
    let is_error = |(_, _, row): &Change| row.is_some_and(|(.., value)| value.is_none());
    commits.iter().flatten().any(is_error) || steps.iter().any(|(step, _)| *step == Step::Divide)
}

/// What was seen, without the times: only their order is the same in a run that was interrupted.
fn by_time(seen: &[Seen]) -> Vec<Vec<(Key, Vec<Value>, i64)>> {
    let mut times: Vec<(Time, Vec<_>)> = Vec::new();
    for (time, key, row, diff) in seen {
        match times.last_mut() {
            Some((last, updates)) if last == time => updates.push((*key, row.clone(), *diff)),
            _ => times.push((*time, vec![(*key, row.clone(), *diff)])),
        }
    }
    times.into_iter().map(|(_, updates)| updates).collect()
}

/// A run that is killed at some of its operations on the storage, and started again with other workers, ends as one that
/// was not.
fn check_restarts(
    keeps_state: bool,
    content: Content,
    steps: &[(Step, bool)],
    commits: &[Vec<Change>],
    is_second_static: bool,
    kills: &[(u64, usize, Shape)],
) {
    let (_, mut scripts) = play(commits, content, false);
    let terminates = !may_fail(steps, commits);
    let static_second = is_second_static.then(|| {
        let mut states = play(commits, content, false).0;
        scripts[1].iter_mut().for_each(Vec::clear);
        settle_second(&mut states)
    });
    let second = static_second.as_ref();
    let whole = run_pipeline(
        content,
        steps,
        &scripts,
        second,
        Shape::Threads(1),
        usize::MAX,
        terminates,
    );
    // So there is time for snapshots.
    let pause = Duration::from_millis(if keeps_state { 2 } else { 0 });
    let (plan, collected) = pipeline(content, steps, &scripts, second, 2, pause);
    let kept = |storage| {
        if keeps_state {
            kept_with_state_in(storage)
        } else {
            kept_in(storage)
        }
    };
    let mut memory = MemoryStorage::default();
    for (operation, more, shape) in kills {
        let faulty = FaultyStorage::new(Arc::new(memory.clone()));
        faulty.fail_at(*operation, Fault::Killed(*more));
        let storage: Arc<dyn Storage> = Arc::new(faulty);
        // Most of them end with that failure, some are too short for it.
        let _ = run_plan(&plan, *shape, terminates, Some(&kept(storage)));
        memory = memory.after_crash(*more);
    }
    let storage: Arc<dyn Storage> = Arc::new(memory);
    if let Err(error) = run_plan(&plan, Shape::Threads(2), terminates, Some(&kept(storage))) {
        panic!("{error:?} after {kills:?} of\n{plan}");
    }
    assert_eq!(
        by_time(&in_order(&collected)),
        by_time(&whole),
        "after {kills:?} of\n{plan}"
    );
}

fn check_pipeline(
    content: Content,
    steps: &[(Step, bool)],
    commits: &[Vec<Change>],
    reversed: bool,
    is_second_static: bool,
) {
    let (mut states, mut scripts) = play(commits, content, reversed);
    let may_fail = may_fail(steps, commits);
    let static_second = is_second_static.then(|| {
        scripts[1].iter_mut().for_each(Vec::clear);
        settle_second(&mut states)
    });
    let run = |shape, batch_rows| {
        let second = static_second.as_ref();
        run_pipeline(content, steps, &scripts, second, shape, batch_rows, !may_fail)
    };
    let updates = run(Shape::Threads(1), usize::MAX);
    let mut time: Time = 2;
    for (number, state) in states.iter().enumerate() {
        if scripts.iter().all(|script| script[number].is_empty()) {
            continue;
        }
        let mut expected: Vec<(Key, Vec<Value>)> = state[0].clone();
        for (step, is_first) in steps {
            expected = apply(step.of(content), content, &expected, &state[usize::from(!is_first)]);
        }
        expected.sort();
        let mut sums: BTreeMap<(Key, Vec<Value>), i64> = BTreeMap::new();
        for (_, key, row, diff) in updates.iter().filter(|(at, ..)| *at <= time) {
            *sums.entry((*key, row.clone())).or_insert(0) += diff;
        }
        sums.retain(|_, sum| *sum != 0);
        assert!(
            sums.values().all(|sum| *sum == 1),
            "a row is there once, at {time}: {sums:?}"
        );
        let rows: Vec<(Key, Vec<Value>)> = sums.into_keys().collect();
        assert_eq!(rows, expected, "at {time}");
        time += 2;
    }
    let shapes = [
        (Shape::Threads(1), 1),
        (Shape::Threads(3), usize::MAX),
        (Shape::Threads(3), 2),
        (Shape::Processes(2, 2), 2),
    ];
    for (shape, batch_rows) in shapes {
        let others = run(shape, batch_rows);
        assert_eq!(others, updates, "{shape:?}, batches of {batch_rows}");
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Filter),
        Just(Step::Compute),
        Just(Step::Divide),
        prop_oneof![
            Just(Kind::Count),
            Just(Kind::Sum),
            Just(Kind::Min),
            Just(Kind::Max),
            Just(Kind::CountDistinct)
        ]
        .prop_map(Step::Reduce),
        (any::<bool>(), any::<bool>()).prop_map(|(left, right)| Step::Join { left, right }),
        Just(Step::ConcatReindex),
        Just(Step::UpdateRows),
        Just(Step::UpdateCells),
        any::<bool>().prop_map(|matched| Step::SemiJoin { matched }),
        Just(Step::TupleAndFlatten),
        Just(Step::Lookup),
        Just(Step::KeyJoin),
    ]
}

fn content() -> impl Strategy<Value = Content> {
    use Content::{Duration, Float, Int, OptionalInt, Str};
    prop_oneof![3 => Just(Int), 1 => Just(OptionalInt), 1 => Just(Float), 1 => Just(Str), 1 => Just(Duration)]
}

/// Commits in which so many of ten values are no errors.
fn commits(right: u32) -> impl Strategy<Value = Vec<Vec<Change>>> {
    let value = (0..10u32, -3..4i64).prop_map(move |(chance, number)| (chance < right).then_some(number));
    let row = prop::option::weighted(0.7, (any::<bool>(), 0..3i64, value));
    let change = (0..2usize, 0..5u128, row);
    prop::collection::vec(prop::collection::vec(change, 0..6), 1..6)
}

/// Runs that are killed: at which operation on the storage, how many bytes that are not durable are there all the same,
/// and how many workers they have.
fn kills(operations: u64) -> impl Strategy<Value = Vec<(u64, usize, Shape)>> {
    let shape = prop_oneof![
        4 => (1..4_usize).prop_map(Shape::Threads),
        1 => Just(Shape::Processes(2, 1)),
    ];
    prop::collection::vec((0..operations, 0..400_usize, shape), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn pipelines_go_on_after_any_crash(
        content in content(),
        steps in prop::collection::vec((step(), any::<bool>()), 1..5),
        commits in prop_oneof![commits(10), commits(8)],
        is_second_static in any::<bool>(),
        kills in kills(30),
    ) {
        check_restarts(false, content, &steps, &commits, is_second_static, &kills);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn pipelines_go_on_from_their_state_after_any_crash(
        content in content(),
        steps in prop::collection::vec((step(), any::<bool>()), 1..5),
        commits in prop_oneof![commits(10), commits(8)],
        is_second_static in any::<bool>(),
        kills in kills(120),
    ) {
        check_restarts(true, content, &steps, &commits, is_second_static, &kills);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn pipelines_agree_with_the_reference(
        content in content(),
        steps in prop::collection::vec((step(), any::<bool>()), 1..6),
        commits in prop_oneof![commits(10), commits(8)],
        reversed in any::<bool>(),
        is_second_static in any::<bool>(),
    ) {
        check_pipeline(content, &steps, &commits, reversed, is_second_static);
    }
}
