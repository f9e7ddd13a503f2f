//! Random tables that change, and runs of an operator that are ended, and go on from what was saved with another number of
//! workers: what comes out is that of a run that was never ended, whatever the order in which rows come.
//!
//! Tasks are driven here without a dataflow, so that a time at which they are saved, and how rows arrive, can be chosen.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use towpath_types::{Batch, Cells, Column, DType, Key, Time, Value, wire};

use super::{Update, batch};
use crate::clock::ManualClock;
use crate::error::{EngineError, Origin, RowError};
use crate::live_errors::LiveErrors;
use crate::operator::{Combiner, Operator, Output, Routing, Task, TaskContext};
use crate::reporter::{ErrorLog, Reporter};
use crate::state::{Saved, SavedRows};

/// Numbers that seem random, and are the same every time.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }

    /// Something that happens once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for position in (1..items.len()).rev() {
            items.swap(position, self.below(position + 1));
        }
    }
}

/// How the rows of a table come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// They come, each with a key of its own.
    Coming,
    /// They come; several may have one key, or be alike.
    ComingAlike,
    /// They come and go; a key has one row.
    Changing,
    /// They come and go; several may have one key, or be alike.
    ChangingAlike,
    /// They are events: the last of a key counts.
    Events,
}

impl Rows {
    fn is_append_only(self) -> bool {
        matches!(self, Rows::Coming | Rows::ComingAlike)
    }

    fn is_unique(self) -> bool {
        matches!(self, Rows::Coming | Rows::Changing)
    }
}

/// A table that changes at random.
#[derive(Clone, Debug)]
pub struct RandomTable {
    /// The types of its columns.
    pub dtypes: Vec<DType>,
    /// How its rows come and go.
    pub rows: Rows,
    /// So many keys there are at most.
    pub keys: usize,
    /// The cells of a row of this key.
    pub cells: fn(&mut Random, Key) -> Vec<Value>,
    /// The step at which it ends, if it does.
    pub ends: Option<usize>,
}

impl RandomTable {
    /// A table with rows of these cells.
    pub fn new(dtypes: Vec<DType>, rows: Rows, cells: fn(&mut Random, Key) -> Vec<Value>) -> Self {
        Self {
            dtypes,
            rows,
            keys: 24,
            cells,
            ends: None,
        }
    }

    /// The same that ends at a step.
    #[must_use]
    pub fn ending(self, step: usize) -> Self {
        Self {
            ends: Some(step),
            ..self
        }
    }

    fn script(&self, steps: usize, random: &mut Random) -> Vec<Vec<Update>> {
        let mut present: Vec<(Key, Vec<Value>)> = Vec::new();
        let mut coming = 0;
        let mut step = |step: usize| {
            let mut updates: Vec<Update> = Vec::new();
            if self.ends.is_some_and(|end| step >= end) || random.once_in(6) {
                return updates;
            }
            let mut met = HashSet::new();
            for _ in 0..random.below(8) {
                coming += 1;
                let number = match self.rows {
                    Rows::Coming => coming,
                    _ => random.below(self.keys),
                };
                let key = key(number);
                let cells = (self.cells)(random, key);
                let removes = random.once_in(3);
                let is_met = !met.insert(key);
                let times = if self.rows.is_unique() {
                    1
                } else {
                    1 + random.below(2) as i64
                };
                match self.rows {
                    Rows::Events => updates.push((key, cells, if removes { -1 } else { 1 })),
                    Rows::Coming | Rows::ComingAlike => updates.push((key, cells, times)),
                    Rows::Changing | Rows::ChangingAlike => {
                        // What comes and goes within a time is news or not, as it comes: it should be no failure.
                        let is_sound = !cells.contains(&Value::Error);
                        if is_met {
                            continue;
                        }
                        if random.once_in(8) && is_sound {
                            updates.extend([(key, cells.clone(), 1), (key, cells.clone(), -1)]);
                        }
                        let found = present.iter().position(|(other, _)| *other == key);
                        let is_replaced = self.rows == Rows::Changing || removes;
                        if let Some(position) = found.filter(|_| is_replaced) {
                            let (key, cells) = present.swap_remove(position);
                            let again = present.iter().position(|other| *other == (key, cells.clone()));
                            let again = again
                                .filter(|_| random.once_in(2))
                                .map(|again| present.swap_remove(again));
                            updates.push((key, cells, if again.is_some() { -2 } else { -1 }));
                        }
                        if found.is_none() || !removes {
                            updates.push((key, cells.clone(), times));
                            (0..times).for_each(|_| present.push((key, cells.clone())));
                        }
                    }
                }
            }
            updates
        };
        (0..steps).map(&mut step).collect()
    }
}

fn key(number: usize) -> Key {
    Key::for_values(&[Value::Int(number as i64)])
}

/// What comes out at a time, and what is told of failures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Outcome {
    updates: Vec<String>,
    failures: Vec<String>,
    fails: bool,
}

#[derive(Default)]
struct Told {
    live: LiveErrors,
    failures: Mutex<Vec<String>>,
}

impl ErrorLog for Told {
    fn report(&self, _: usize, _: Option<&Origin>, error: RowError) -> Result<(), EngineError> {
        self.failures.lock().push(format!("{:?} {}", error.key, error.message));
        Ok(())
    }

    fn live(&self) -> Option<&LiveErrors> {
        Some(&self.live)
    }
}

/// The rows of each input at each step.
type Steps = [Vec<Vec<Update>>];

/// The workers of a run, with their tasks.
struct Workers<'a> {
    operator: &'a dyn Operator,
    tables: &'a [RandomTable],
    contexts: Vec<TaskContext>,
    tasks: Vec<Box<dyn Task>>,
    told: Arc<Told>,
}

impl<'a> Workers<'a> {
    fn start(
        operator: &'a dyn Operator,
        tables: &'a [RandomTable],
        workers: usize,
        keeps_state: bool,
        live: LiveErrors,
    ) -> Self {
        let told = Arc::new(Told {
            live,
            ..Told::default()
        });
        let context = |worker| TaskContext {
            worker,
            workers,
            reporter: Reporter::new(0, None, Arc::clone(&told) as Arc<dyn ErrorLog>),
            clock: Arc::new(ManualClock::default()),
            dtypes: tables.iter().map(|table| table.dtypes.clone()).collect(),
            names: Vec::new(),
            output_names: Vec::new(),
            append_only: tables.iter().map(|table| table.rows.is_append_only()).collect(),
            unique_keys: tables.iter().map(|table| table.rows.is_unique()).collect(),
            counters: Arc::default(),
            kept: None,
            keeps_state,
            seeds: [1, 2],
        };
        let contexts: Vec<TaskContext> = (0..workers).map(context).collect();
        let start = |context: &TaskContext| operator.start(context.clone()).expect("it starts");
        Self {
            tasks: contexts.iter().map(start).collect(),
            operator,
            tables,
            contexts,
            told,
        }
    }

    fn owner(&self, key: Key) -> usize {
        key.worker(self.tasks.len())
    }

    /// The rows of a batch for each worker.
    fn routed(&self, input: usize, batch: &Batch) -> Vec<Batch> {
        let workers = self.tasks.len();
        let first = |batch: &Batch| batch.split(batch.keys(), workers, |_| 0);
        let routing = self.operator.routing_of_kept(input);
        match routing.settled(self.contexts[0].append_only[input] && self.contexts[0].unique_keys[input]) {
            Routing::ByKey => batch.split(batch.keys(), workers, |key| self.owner(key)),
            Routing::ByPointer(position) => {
                let Cells::Pointer(pointers) = batch.column(position).cells() else {
                    panic!("rows are routed by a column of pointers");
                };
                batch.split(pointers.values(), workers, |key| self.owner(key))
            }
            _ => first(batch),
        }
    }

    /// Batches of the rows of an input at a step, as they come in.
    fn batches(&self, input: usize, updates: &[Update], random: &mut Random) -> Vec<Batch> {
        let table = &self.tables[input];
        let columns: Vec<usize> = (0..table.dtypes.len()).collect();
        let mut updates = updates.to_vec();
        if table.rows != Rows::Events {
            random.shuffle(&mut updates);
        }
        let mut batches = Vec::new();
        let mut rest = &updates[..];
        while !rest.is_empty() {
            let (own, others) = rest.split_at(1 + random.below(rest.len()));
            batches.push(batch(&table.dtypes, &columns, own));
            rest = others;
        }
        let workers = self.tasks.len();
        let combiner = |context: &TaskContext| self.operator.combiner(input, context);
        if workers == 1 || combiner(&self.contexts[0]).is_none() {
            return batches;
        }
        let mut combiners: Vec<Box<dyn Combiner>> = self.contexts.iter().filter_map(combiner).collect();
        let mut output = Output::default();
        for batch in batches {
            let sender = random.below(workers);
            combiners[sender].absorb(batch, &mut output).expect("it takes rows");
        }
        combiners.iter_mut().for_each(|combiner| combiner.flush(&mut output));
        output.drain().collect()
    }

    /// What comes of the rows of a step.
    fn step(&mut self, step: usize, inputs: &Steps, random: &mut Random) -> Outcome {
        let time = 2 * (step as Time + 1);
        let mut arriving: Vec<(usize, Batch)> = Vec::new();
        for (input, steps) in inputs.iter().enumerate() {
            let batches = self.batches(input, &steps[step], random);
            arriving.extend(batches.into_iter().map(|batch| (input, batch)));
        }
        if self.tables.iter().all(|table| table.rows != Rows::Events) {
            random.shuffle(&mut arriving);
        }
        let ending = |table: &RandomTable| table.ends.is_some_and(|end| end == step + 1);
        let ends: Vec<usize> = (0..self.tables.len())
            .filter(|input| ending(&self.tables[*input]))
            .collect();
        let mut outcome = Outcome::default();
        let mut is_open = vec![false; self.tasks.len()];
        let mut result = Ok(());
        let mut batches = Vec::new();
        for (input, batch) in arriving {
            for (worker, part) in self.routed(input, &batch).into_iter().enumerate() {
                if part.is_empty() || result.is_err() {
                    continue;
                }
                if !is_open[worker] {
                    self.contexts[worker].reporter.open(time);
                    self.tasks[worker].open(time);
                    is_open[worker] = true;
                }
                result = all_of(&mut *self.tasks[worker], &mut batches, |task, output| {
                    task.absorb(input, part, output)
                });
            }
        }
        // An input may end while the time is open, or after it.
        let ends_early = random.once_in(2);
        if ends_early {
            self.end(&ends);
        }
        for (task, _) in self.tasks.iter_mut().zip(is_open).filter(|(_, is_open)| *is_open) {
            if result.is_ok() {
                result = all_of(&mut **task, &mut batches, |task, output| task.complete(time, output));
            }
        }
        if !ends_early {
            self.end(&ends);
        }
        let updates = Batch::concat(&batches).consolidated();
        let shown = |row| format!("{:?} {:?} {}", updates.keys()[row], updates.row(row), updates.diff(row));
        outcome.fails = result.is_err();
        outcome.updates = (0..updates.len()).map(shown).collect();
        outcome.failures = std::mem::take(&mut *self.told.failures.lock());
        outcome.updates.sort_unstable();
        outcome.failures.sort_unstable();
        outcome
    }

    fn end(&mut self, inputs: &[usize]) {
        for input in inputs {
            self.tasks.iter_mut().for_each(|task| task.input_ended(*input));
        }
    }

    fn save(&mut self) -> Vec<SavedRows> {
        let mut saved = Saved::default();
        self.tasks.iter_mut().for_each(|task| task.save(&mut saved));
        let mut again = Saved::default();
        self.tasks.iter_mut().for_each(|task| task.save(&mut again));
        assert!(again.is_empty(), "nothing has changed since it was saved: {again:?}");
        saved.into_rows()
    }

    fn restore(&mut self, state: &State, random: &mut Random) {
        for (table, rows) in &state.tables {
            let mut rows: Vec<(&(Key, Key), &Batch)> = rows.iter().collect();
            rows.sort_by_key(|(name, _)| **name);
            random.shuffle(&mut rows);
            for part in rows.chunks(1 + random.below(rows.len())) {
                for worker in 0..self.tasks.len() {
                    let own = part.iter().filter(|((owner, _), _)| self.owner(*owner) == worker);
                    let (owners, batches): (Vec<Key>, Vec<Batch>) =
                        own.map(|((owner, _), row)| (*owner, (*row).clone())).unzip();
                    if !owners.is_empty() {
                        let rows = Batch::concat(&batches);
                        let restored = self.tasks[worker].restore(*table, rows, &owners);
                        restored.expect("it was saved so");
                    }
                }
            }
        }
        assert!(self.save().is_empty(), "what was restored has not changed");
    }
}

/// Lets a task do something to the end.
fn all_of(
    task: &mut dyn Task,
    batches: &mut Vec<Batch>,
    what: impl FnOnce(&mut dyn Task, &mut Output) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    let mut output = Output::default();
    what(task, &mut output)?;
    batches.extend(output.drain());
    while !task.is_done() {
        task.go_on(&mut output)?;
        batches.extend(output.drain());
    }
    Ok(())
}

/// What is kept of the saved rows: by table, owner and identity, each as it was put last.
#[derive(Clone, Debug, Default)]
struct State {
    tables: BTreeMap<u16, HashMap<(Key, Key), Batch>>,
}

impl State {
    fn merge(&mut self, saved: Vec<SavedRows>) {
        for saved in saved {
            let mut bytes = Vec::new();
            wire::write_batch(&saved.rows, &mut bytes).expect("bytes are taken");
            let rows = wire::read_batch(&bytes).expect("they were written so");
            let table = self.tables.entry(saved.table).or_default();
            for row in 0..rows.len() {
                let name = (saved.owner(row), rows.keys()[row]);
                if saved.is_removal() {
                    table.remove(&name);
                } else {
                    table.insert(name, rows.slice(row, 1));
                }
            }
        }
        self.tables.retain(|_, rows| !rows.is_empty());
    }
}

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

/// Sees to it that what no task has saved is refused.
fn check_garbage(operator: &dyn Operator, tables: &[RandomTable], state: &State) {
    let restore = |before: &[u16], table: u16, rows: Batch, owners: &[Key]| {
        let mut workers = Workers::start(operator, tables, 1, true, LiveErrors::default());
        for before in before {
            for ((owner, _), row) in &state.tables[before] {
                let restored = workers.tasks[0].restore(*before, row.clone(), &[*owner]);
                restored.expect("it was saved so");
            }
        }
        workers.tasks[0].restore(table, rows, owners)
    };
    let numbers: Vec<u16> = state.tables.keys().copied().collect();
    for table in [100, u16::MAX] {
        let rows = Batch::new(vec![Key(1)], Vec::new(), None);
        assert!(
            restore(&[], table, rows, &[Key(1)]).is_err(),
            "there is no table {table}"
        );
    }
    for (position, table) in numbers.iter().enumerate() {
        let Some(((owner, _), row)) = state.tables[table].iter().next() else {
            continue;
        };
        let before = &numbers[..position];
        let wrong = |what: &str, rows: Batch, owners: &[Key]| {
            let restored = restore(before, *table, rows, owners);
            assert!(restored.is_err(), "table {table} takes {what}: {row:?}");
        };
        let more = [row.columns(), &[Column::from_values(&DType::Int, &[Value::Int(1)])]].concat();
        wrong("a column too many", row.with_columns(more), &[*owner]);
        wrong("rows without owners", row.clone(), &[]);
        wrong("rows that are gone", row.negated(), &[*owner]);
        if let [_, less @ ..] = row.columns() {
            wrong("a column too few", row.with_columns(less.to_vec()), &[*owner]);
        }
        for position in 0..row.columns().len() {
            let replaced = |column: Column| {
                let mut columns = row.columns().to_vec();
                columns[position] = column;
                row.with_columns(columns)
            };
            let physical = row.column(position).physical();
            let other = if physical == DType::Bool.physical() {
                DType::Int
            } else {
                DType::Bool
            };
            let none = other.physical().nones(1);
            wrong("another layout", replaced(none), &[*owner]);
            // Whether it is refused or not: nobody panics.
            let values = [physical.nones(1), physical.errors(1)];
            for column in values {
                let _ = restore(before, *table, replaced(column), &[*owner]);
            }
            if physical == DType::Int.physical() {
                for value in [i64::MIN, -1, 0, i64::MAX] {
                    let column = Column::from_values(&DType::Int, &[Value::Int(value)]);
                    let _ = restore(before, *table, replaced(column), &[*owner]);
                }
            }
        }
        let _ = restore(&numbers[..=position], *table, row.clone(), &[*owner]);
    }
}
