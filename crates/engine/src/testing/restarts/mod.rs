//! Runs of an operator on random tables that are ended, and go on from what was saved with another number of workers: what
//! comes out is that of a run that was never ended, whatever the order in which rows come.
//!
//! Tasks are driven here without a dataflow, so that a time at which they are saved, and how rows arrive, can be chosen.

mod garbage;
mod workers;

use towpath_types::{Key, wire};

use super::random::{Random, RandomTable};
use super::script::Update;
use crate::live_errors::LiveErrors;
use crate::operator::Operator;
use crate::state::SavedRows;
use garbage::check_garbage;
use workers::{Outcome, State, Workers};

/// Runs an operator on random tables, and runs that are ended now and then and go on from what was saved, with other
/// numbers of workers and rows in another order, and compares what comes out at each time, and which failures are told.
///
/// # Panics
/// If it is not the same.
pub fn check_restarts(operator: &dyn Operator, tables: &[RandomTable]) {
    const STEPS: usize = 14;
    const SEEDS: u64 = 20;
    let mut some = State::default();
    for seed in 0..SEEDS {
        let mut random = Random::new(seed);
        let inputs: Vec<Vec<Vec<Update>>> = tables.iter().map(|table| table.script(STEPS, &mut random)).collect();
        let mut whole = Workers::start(operator, tables, 1, false, LiveErrors::default());
        let expected: Vec<Outcome> = (0..STEPS).map(|step| whole.step(step, &inputs, &mut random)).collect();
        let end = expected
            .iter()
            .position(|outcome| outcome.fails)
            .map_or(STEPS, |last| last + 1);

        let workers = 1 + random.below(3);
        let mut run = Workers::start(operator, tables, workers, true, LiveErrors::default());
        let (mut state, mut live, mut saved) = (State::default(), LiveErrors::default(), 0);
        let mut step = 0;
        while step < end {
            let outcome = run.step(step, &inputs, &mut random);
            let workers = run.tasks.len();
            let is_same = outcome == expected[step] || outcome.fails && expected[step].fails;
            assert!(
                is_same,
                "seed {seed}, step {step}, {workers} workers, saved before {saved}:\n{inputs:?}\n{outcome:#?}\n{:#?}",
                expected[step]
            );
            step += 1;
            if outcome.fails {
                break;
            }
            if random.once_in(2) {
                state.merge(run.save());
                (live, saved) = (run.told.live.copied(), step);
            }
            if random.once_in(4) {
                run = Workers::start(operator, tables, 1 + random.below(3), true, live.copied());
                run.restore(&state, &mut random);
                step = saved;
                let ended = |table: &RandomTable| table.ends.is_some_and(|end| end <= step);
                let ended: Vec<usize> = (0..tables.len()).filter(|input| ended(&tables[*input])).collect();
                run.end(&ended);
            }
        }
        // Rows that are alike may be one row of a join's state or several, as they have come.
        let is_one_state = tables.len() == 1 || tables.iter().all(|table| table.rows.is_unique());
        if is_one_state && expected.iter().all(|outcome| !outcome.fails) {
            // What is gone leaves nothing behind.
            state.merge(run.save());
            let mut whole = Workers::start(operator, tables, 1, true, LiveErrors::default());
            (0..STEPS).for_each(|step| drop(whole.step(step, &inputs, &mut random)));
            let mut at_once = State::default();
            at_once.merge(whole.save());
            let rows = |state: &State| state.tables.iter().map(|(table, rows)| (*table, rows.len())).collect();
            let [some, all]: [Vec<(u16, usize)>; 2] = [rows(&state), rows(&at_once)];
            assert_eq!(some, all, "seed {seed}: rows of each table");
        }
        for (table, rows) in state.tables {
            some.tables.entry(table).or_insert(rows);
        }
    }
    check_garbage(operator, tables, &some);
}

/// How many bytes an operator on one worker saves after each step, whose rows are given for each input.
///
/// # Panics
/// If it fails.
pub fn saved_bytes(operator: &dyn Operator, tables: &[RandomTable], inputs: &[Vec<Vec<Update>>]) -> Vec<usize> {
    let mut random = Random::new(0);
    let mut run = Workers::start(operator, tables, 1, true, LiveErrors::default());
    let bytes = |saved: &SavedRows| {
        let owners = saved
            .owners
            .as_ref()
            .map_or(0, |owners| owners.len() * size_of::<Key>());
        wire::batch_length(&saved.rows) + owners
    };
    let mut step = |step| {
        assert!(!run.step(step, inputs, &mut random).fails, "nothing fails");
        run.save().iter().map(bytes).sum()
    };
    (0..inputs[0].len()).map(&mut step).collect()
}
