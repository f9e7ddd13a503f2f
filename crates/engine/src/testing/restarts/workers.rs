//! The workers of a run that are driven without a dataflow, and what is kept of what they save.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use towpath_types::{Batch, Cells, Key, Time, wire};

use crate::clock::ManualClock;
use crate::error::{EngineError, Origin, RowError};
use crate::live_errors::LiveErrors;
use crate::operator::{Combiner, Operator, Output, Routing, Task, TaskContext};
use crate::reporter::{ErrorLog, Reporter};
use crate::state::{Saved, SavedRows};
use crate::testing::random::{Random, RandomTable, Rows};
use crate::testing::script::{Update, batch};

/// What comes out at a time, and what is told of failures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    updates: Vec<String>,
    failures: Vec<String>,
    pub(super) fails: bool,
}

#[derive(Default)]
pub(super) struct Told {
    pub(super) live: LiveErrors,
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
pub(super) type Steps = [Vec<Vec<Update>>];

/// The workers of a run, with their tasks.
pub(super) struct Workers<'a> {
    operator: &'a dyn Operator,
    tables: &'a [RandomTable],
    contexts: Vec<TaskContext>,
    pub(super) tasks: Vec<Box<dyn Task>>,
    pub(super) told: Arc<Told>,
}

impl<'a> Workers<'a> {
    pub(super) fn start(
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
    pub(super) fn step(&mut self, step: usize, inputs: &Steps, random: &mut Random) -> Outcome {
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

    pub(super) fn end(&mut self, inputs: &[usize]) {
        for input in inputs {
            self.tasks.iter_mut().for_each(|task| task.input_ended(*input));
        }
    }

    pub(super) fn save(&mut self) -> Vec<SavedRows> {
        let mut saved = Saved::default();
        self.tasks.iter_mut().for_each(|task| task.save(&mut saved));
        let mut again = Saved::default();
        self.tasks.iter_mut().for_each(|task| task.save(&mut again));
        assert!(again.is_empty(), "nothing has changed since it was saved: {again:?}");
        saved.into_rows()
    }

    pub(super) fn restore(&mut self, state: &State, random: &mut Random) {
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
pub(super) struct State {
    pub(super) tables: BTreeMap<u16, HashMap<(Key, Key), Batch>>,
}

impl State {
    pub(super) fn merge(&mut self, saved: Vec<SavedRows>) {
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
