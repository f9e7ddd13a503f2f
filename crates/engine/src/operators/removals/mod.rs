//! `removals`: the rows of a source that may remove some, without the removals of rows that were never added.
//!
//! Operators rely on it that what is removed is there: a sum that is taken off twice, a row that a join pairs −1 times
//! would be wrong for ever. So a source whose removals come from outside is followed by this operator, which remembers
//! what it has added, and reports and leaves out a removal that nothing explains. Sources that never remove keep
//! nothing.
//!
//! The order of what is added and removed at one time does not matter: a removal that finds nothing waits for the end
//! of the time. So do all rows, since one that comes and goes at one time was never there; but only so many of them.
//!
//! What is remembered of a row is a hash of 128 bits, with seeds that nobody knows, so that nobody can make two rows that
//! are taken for one another, and how often the row is there: 24 bytes. Where rows have no key of their own, a removal
//! names its row by the values, and gets the greatest key of the rows that have these values at the end of the time.
//!
//! | saved | columns | identity | owner |
//! |---|---|---|---|
//! | 0: a row with a key | how often it is there | the hash | its key, where it went to the owner of that; else the first worker |
//! | 1: a row without | the hash, key, how often | a hash of both | the first worker |

mod present;

use std::collections::HashMap;
use std::sync::Arc;

use siphasher::sip128::SipHasher13;
use towpath_types::{Batch, Column, DType, Key, Time, Value, encode_rows};

use self::present::{FIRST_WORKER, Identity, Present};
use super::held::Held;
use crate::error::{EngineError, ErrorKind, PlanError, RowError};
use crate::expression::shown;
use crate::monitor::Counters;
use crate::operator::{Operator, Output, Pruned, Routing, Task, TaskContext};
use crate::reporter::Reporter;
use crate::state::{Saved, Touched};

/// So many removals are logged one by one by each worker; all are in the error log.
const LOGGED: u64 = 1000;

/// So much of the values of a row is shown.
const SHOWN: usize = 200;

/// See the module.
#[derive(Clone, Debug)]
pub struct Removals {
    /// What the source is called.
    pub source: Arc<str>,
    /// Whether rows have keys that a removal repeats; otherwise it names its row by the values.
    pub has_keys: bool,
    /// Whether rows of one key may come in at several workers.
    pub is_divided: bool,
    /// The columns that are put out; all if there is nothing here.
    outputs: Option<Vec<usize>>,
}

impl Removals {
    /// For a source of this name.
    pub fn new(source: &str, has_keys: bool, is_divided: bool) -> Self {
        Self {
            source: source.into(),
            has_keys,
            is_divided,
            outputs: None,
        }
    }
}

impl Operator for Removals {
    fn name(&self) -> &'static str {
        "removals"
    }

    fn label(&self) -> String {
        format!("removals of {}", self.source)
    }

    fn output(&self, inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
        Ok(inputs[0].clone())
    }

    fn routing(&self, _input: usize) -> Routing {
        // What names its row by the values is removed where it was added.
        if self.is_divided && self.has_keys {
            Routing::ByKey
        } else {
            Routing::Local
        }
    }

    fn routing_of_kept(&self, input: usize) -> Routing {
        if self.is_divided && !self.has_keys {
            // Another run may read the same stream in another worker.
            Routing::ToFirst
        } else {
            // What is not divided is read by the first worker.
            self.routing(input)
        }
    }

    fn pruned(&self, outputs: &[usize], widths: &[usize]) -> Option<Pruned> {
        // Which rows are there does not depend on which columns are read after it, so all are compared.
        let pruned = Self {
            outputs: Some(outputs.to_vec()),
            ..self.clone()
        };
        Some((Arc::new(pruned), vec![(0..widths[0]).collect()]))
    }

    fn append_only(&self, inputs: &[bool]) -> bool {
        inputs[0]
    }

    fn start(&self, context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        let rows = if self.has_keys {
            Present::ByKey(HashMap::new())
        } else {
            Present::ByValues(HashMap::new())
        };
        Ok(Box::new(RemovalsTask {
            operator: self.clone(),
            reporter: context.reporter,
            counters: context.counters,
            hasher: SipHasher13::new_with_keys(context.seeds[0], context.seeds[1]),
            rows,
            changed: context.keeps_state.then(Touched::default),
            waiting: Vec::new(),
            held: Held::default(),
            left_out: 0,
        }))
    }
}

struct RemovalsTask {
    operator: Removals,
    reporter: Reporter,
    counters: Arc<Counters>,
    hasher: SipHasher13,
    rows: Present,
    /// The rows that have come or gone, with their keys, where that will be saved.
    changed: Option<Touched<(Identity, Key)>>,
    /// Removals of the open time that have found nothing yet: batches, and for each row who it is.
    waiting: Vec<(Batch, Vec<Identity>)>,
    held: Held,
    /// How many removals were left out.
    left_out: u64,
}

impl RemovalsTask {
    fn identities(&self, batch: &Batch) -> Vec<Identity> {
        let keys = Column::pointers(batch.keys().clone());
        let key = self.operator.has_keys.then_some(&keys);
        let told_by: Vec<&Column> = key.into_iter().chain(batch.columns()).collect();
        let mut identities = Vec::with_capacity(batch.len());
        encode_rows(&told_by, batch.len(), |_, bytes| {
            let hash = self.hasher.hash(bytes);
            identities.push([hash.h1, hash.h2]);
        });
        identities
    }

    /// Removes rows, as often as the differences say; returns what was removed, under the keys it was added with, and
    /// the rest.
    fn remove(&mut self, batch: &Batch, rows: &[u32], identities: &[Identity]) -> (Batch, Batch, Vec<Identity>) {
        let (mut removed, mut keys) = (Vec::new(), Vec::new());
        let (mut rest, mut rest_diffs, mut rest_identities) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows {
            let position = *row as usize;
            let mut left = batch.diff(position);
            while left < 0
                && let Some(key) = self.rows.remove(identities[position], batch.keys()[position])
            {
                removed.push(*row);
                keys.push(key);
                left += 1;
                self.note(identities[position], key);
            }
            if left < 0 {
                rest.push(*row);
                rest_diffs.push(left);
                rest_identities.push(identities[position]);
            }
        }
        let diffs = vec![-1; removed.len()];
        let removed = batch.take(&removed).with_keys(keys).with_diffs(Some(diffs.into()));
        let rest = batch.take(&rest).with_diffs(Some(rest_diffs.into()));
        (removed, rest, rest_identities)
    }

    /// Notes that a row comes or goes.
    fn note(&mut self, identity: Identity, key: Key) {
        if let Some(changed) = &mut self.changed {
            let is_owner = self.operator.is_divided || !self.operator.has_keys;
            changed.push((identity, if is_owner { key } else { FIRST_WORKER }));
        }
    }

    fn put_out(&mut self, batch: Batch, output: &mut Output) {
        let batch = match &self.operator.outputs {
            Some(outputs) => batch.project(outputs),
            None => batch,
        };
        self.held.hold(batch, output);
    }

    /// Reports a row whose removal is left out.
    fn report(&mut self, batch: &Batch, row: usize) {
        let source = &self.operator.source;
        let values: Vec<String> = batch.row(row).iter().map(shown_in_part).collect();
        let key = if self.operator.has_keys {
            format!("the key {} and ", batch.keys()[row])
        } else {
            String::new()
        };
        let message = format!(
            "{source}: a row is removed that was not added, or was removed before; the removal is left out. It has {key}the \
             values ({})",
            values.join(", ")
        );
        self.left_out += 1;
        if self.left_out <= LOGGED {
            tracing::error!(target: "pathway", "{message}");
        } else if self.left_out == LOGGED + 1 {
            tracing::error!(
                target: "pathway",
                "{source}: more than {LOGGED} rows were removed that were not there; from now on they are only counted, \
                 and put into pw.global_error_log()"
            );
        }
        let mut error = RowError::new(ErrorKind::Key, message);
        error.key = Some(batch.keys()[row]);
        self.reporter.note(error);
    }
}

fn shown_in_part(value: &Value) -> String {
    let mut text = shown(value);
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text.push('…');
    }
    text
}

impl Task for RemovalsTask {
    fn absorb(&mut self, _input: usize, batch: Batch, output: &mut Output) -> Result<(), EngineError> {
        let identities = self.identities(&batch);
        for (row, identity) in identities.iter().enumerate() {
            if batch.diff(row) > 0 {
                self.rows.add(*identity, batch.keys()[row], batch.diff(row));
                self.note(*identity, batch.keys()[row]);
            }
        }
        if batch.is_insert_only() {
            self.put_out(batch, output);
            return Ok(());
        }
        let (added, gone): (Vec<u32>, Vec<u32>) =
            (0..batch.len() as u32).partition(|row| batch.diff(*row as usize) > 0);
        self.put_out(batch.take(&added), output);
        if !self.operator.has_keys {
            // Which keys there are is known at the end of the time.
            let identities = gone.iter().map(|row| identities[*row as usize]).collect();
            self.waiting.push((batch.take(&gone), identities));
            return Ok(());
        }
        let (removed, rest, identities) = self.remove(&batch, &gone, &identities);
        self.put_out(removed, output);
        if !rest.is_empty() {
            self.waiting.push((rest, identities));
        }
        Ok(())
    }

    fn complete(&mut self, _time: Time, output: &mut Output) -> Result<(), EngineError> {
        for (batch, identities) in std::mem::take(&mut self.waiting) {
            let rows: Vec<u32> = (0..batch.len() as u32).collect();
            let (removed, rest, _) = self.remove(&batch, &rows, &identities);
            self.put_out(removed, output);
            for row in 0..rest.len() {
                self.counters.reject(rest.diff(row).unsigned_abs());
                self.report(&rest, row);
            }
        }
        self.held.release(output);
        self.rows.shrink();
        Ok(())
    }

    fn save(&mut self, saved: &mut Saved) {
        if let Some(changed) = &mut self.changed {
            self.rows.save(changed.take(), saved);
        }
    }

    fn restore(&mut self, table: u16, rows: Batch, owners: &[Key]) -> Result<(), EngineError> {
        self.rows.restore(table, &rows, owners)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Update, check_operator, update};

    fn row(key: u128, value: &str, diff: i64) -> Update {
        update(key, [Value::from(value)], diff)
    }

    #[test]
    fn a_row_is_removed_if_it_is_there() {
        for is_divided in [false, true] {
            check_operator(
                Removals::new("source", true, is_divided),
                &[(
                    vec![DType::Str],
                    vec![
                        // In any order within a time.
                        vec![row(1, "a", -1), row(1, "a", 1), row(2, "b", 1), row(3, "c", 1)],
                        // Not there; there, but with other values; there once and removed twice.
                        vec![row(1, "a", -1), row(2, "x", -1), row(3, "c", -1), row(3, "c", -1)],
                        // What was left out is not owed.
                        vec![row(1, "a", 1)],
                    ],
                )],
                "2 +1 b
                 2 +1 c
                 4 -1 c
                 6 +1 a",
            );
        }
    }

    #[test]
    fn a_removal_without_a_key_finds_the_row_by_its_values() {
        let script = [(
            vec![DType::Str],
            vec![
                vec![row(1, "a", 1), row(2, "a", 1), row(3, "b", 1)],
                vec![row(100, "a", -1), row(101, "b", -1), row(102, "b", -1)],
            ],
        )];
        check_operator(
            Removals::new("source", false, false),
            &script,
            "2 +1 a
             2 +1 a
             2 +1 b
             4 -1 a
             4 -1 b",
        );
    }
}
