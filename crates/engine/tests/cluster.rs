//! Runs in several processes, each a thread here that talks to the others over the network.

#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use towpath_engine::plan::Input;
use towpath_engine::state::{Saved, no_table};
use towpath_engine::testing::{Script, collect, in_order, run_in_processes, run_with};
use towpath_engine::{
    Description, EngineError, ErrorKind, NodeId, Operator, Output, Plan, PlanError, Routing, Task, TaskContext,
};
use towpath_types::{Batch, DType, Key, Time, Value};

/// Passes rows on, spread by key, and fails or panics on one worker when a time is complete.
#[derive(Clone, Copy, Debug)]
struct Spread {
    fails_on: Option<usize>,
    panics: bool,
}

impl Operator for Spread {
    fn name(&self) -> &'static str {
        "spread"
    }

    fn output(&self, inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
        Ok(inputs[0].clone())
    }

    fn routing(&self, _input: usize) -> Routing {
        Routing::ByKey
    }

    fn append_only(&self, inputs: &[bool]) -> bool {
        inputs[0]
    }

    fn start(&self, context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        Ok(Box::new(Passing {
            fails: self.fails_on == Some(context.worker),
            panics: self.panics,
        }))
    }
}

struct Passing {
    fails: bool,
    panics: bool,
}

impl Task for Passing {
    fn absorb(&mut self, _input: usize, batch: Batch, output: &mut Output) -> Result<(), EngineError> {
        output.push(batch);
        Ok(())
    }

    fn complete(&mut self, _time: Time, _output: &mut Output) -> Result<(), EngineError> {
        assert!(!(self.fails && self.panics), "a mistake of our own");
        if self.fails {
            return Err(EngineError::new(ErrorKind::ZeroDivision, "division by zero"));
        }
        Ok(())
    }

    fn save(&mut self, _saved: &mut Saved) {
        // It has no state.
    }

    fn restore(&mut self, table: u16, _rows: Batch, _owners: &[Key]) -> Result<(), EngineError> {
        Err(no_table(table))
    }
}

/// A plan of which every worker has some rows, with cells of several kinds, and what has them.
fn spread_rows(spread: Spread) -> (Plan, NodeId) {
    let dtypes = vec![DType::Int, DType::Str.optional(), DType::Any];
    let commits = (0..5_i64)
        .map(|commit| {
            (0..100_i64)
                .map(|row| {
                    let number = commit * 100 + row;
                    let text = match number % 3 {
                        0 => Value::None,
                        1 => Value::str("short"),
                        _ => Value::str(&format!("a text of some length, number {number}")),
                    };
                    let values = vec![Value::Int(number), text, Value::tuple([Value::Int(row), Value::Error])];
                    (Key::for_values(&[Value::Int(number)]), values, 1)
                })
                .collect()
        })
        .collect();
    let mut plan = Plan::default();
    let source = plan.source(Arc::new(Script::new(dtypes, commits).in_batches_of(7)), None);
    let columns = plan.columns(source).to_vec();
    let input = Input { node: source, columns };
    let node = plan
        .operator(Arc::new(spread), vec![input], None)
        .expect("the types fit");
    (plan, node)
}

fn plan(spread: Spread) -> (Plan, towpath_engine::testing::Collected) {
    let (mut plan, node) = spread_rows(spread);
    let columns = plan.columns(node).to_vec();
    let collected = collect(&mut plan, node, columns).expect("the columns are visible");
    (plan, collected)
}

const SOUND: Spread = Spread {
    fails_on: None,
    panics: false,
};

#[test]
fn the_number_of_processes_does_not_matter() {
    let (alone, expected) = plan(SOUND);
    run_with(&alone, 1, true).expect("the run succeeds");
    for (processes, workers) in [(2, 1), (2, 2), (3, 2)] {
        let (plan, collected) = plan(SOUND);
        for outcome in run_in_processes(&plan, processes, workers, true, None) {
            outcome.expect("the run succeeds");
        }
        assert_eq!(
            in_order(&collected),
            in_order(&expected),
            "{processes} processes of {workers}"
        );
    }
}

#[test]
fn a_failure_ends_all_processes_and_is_reported_by_one() {
    for panics in [false, true] {
        for (worker, culprit) in [(0, 0), (3, 1), (5, 2)] {
            let (plan, _) = plan(Spread {
                fails_on: Some(worker),
                panics,
            });
            let outcomes = run_in_processes(&plan, 3, 2, true, None);
            for (process, outcome) in outcomes.into_iter().enumerate() {
                let error = outcome.expect_err("the run fails");
                let expected = match (process == culprit, panics) {
                    (true, true) => ErrorKind::Runtime,
                    (true, false) => ErrorKind::ZeroDivision,
                    (false, _) => ErrorKind::Process,
                };
                assert_eq!(error.kind, expected, "process {process}: {error}");
                if process != culprit {
                    assert!(
                        error.message.starts_with(&format!("process {culprit} has failed: ")),
                        "{error}"
                    );
                }
            }
        }
    }
}

/// Which rows each worker has got, in the order of arrival.
type Logged = Arc<Mutex<BTreeMap<usize, Vec<(Time, Key)>>>>;

/// Keeps the rows of all in every process.
#[derive(Clone, Debug, Default)]
struct Everywhere(Logged);

impl Operator for Everywhere {
    fn name(&self) -> &'static str {
        "everywhere"
    }

    fn describe(&self, _description: &mut Description) {
        // What was logged is no part of it.
    }

    fn output(&self, _inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
        Ok(Vec::new())
    }

    fn routing(&self, _input: usize) -> Routing {
        Routing::ToEveryProcess
    }

    fn append_only(&self, _inputs: &[bool]) -> bool {
        true
    }

    fn start(&self, context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        Ok(Box::new(Logging {
            worker: context.worker,
            time: 0,
            logged: Arc::clone(&self.0),
        }))
    }
}

struct Logging {
    worker: usize,
    time: Time,
    logged: Logged,
}

impl Task for Logging {
    fn open(&mut self, time: Time) {
        self.time = time;
    }

    fn absorb(&mut self, _input: usize, batch: Batch, _output: &mut Output) -> Result<(), EngineError> {
        let mut logged = self.logged.lock().expect("nobody panics here");
        let rows = batch.keys().iter().map(|key| (self.time, *key));
        logged.entry(self.worker).or_default().extend(rows);
        Ok(())
    }

    fn save(&mut self, _saved: &mut Saved) {
        // It has no state.
    }

    fn restore(&mut self, table: u16, _rows: Batch, _owners: &[Key]) -> Result<(), EngineError> {
        Err(no_table(table))
    }
}

#[test]
fn every_process_gets_all_rows_in_the_same_order() {
    for (processes, threads) in [(1, 1), (1, 3), (2, 2), (3, 1)] {
        let (mut plan, spread) = spread_rows(SOUND);
        let everywhere = Everywhere::default();
        let logged = Arc::clone(&everywhere.0);
        let columns = plan.columns(spread).to_vec();
        plan.output(Arc::new(everywhere), Input { node: spread, columns }, None)
            .expect("the columns are visible");
        for outcome in run_in_processes(&plan, processes, threads, true, None) {
            outcome.expect("the run succeeds");
        }
        let logged = logged.lock().expect("nobody panics here");
        let firsts: Vec<usize> = (0..processes).map(|process| process * threads).collect();
        assert_eq!(
            logged.keys().copied().collect::<Vec<_>>(),
            firsts,
            "{processes} processes of {threads}"
        );
        for rows in logged.values() {
            assert_eq!(rows.len(), 500);
            assert_eq!(rows, &logged[&0]);
        }
    }
}
