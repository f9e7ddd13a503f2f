//! What happens to the batches of one node before others read them: a fused chain of computed columns and
//! filters, one batch at a time.
//!
//! Results that are kept with their rows are state:
//!
//! | saved | columns | identity | owner |
//! |---|---|---|---|
//! | k: a result of the k-th step | the result, how often its row is there | a hash of the row's key and of what was read | the row's key |

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use towpath_types::{Batch, BuildKeyHasher, Cells, Column, ColumnBuilder, Key, Physical, Time, Value, hash_columns};

use crate::error::{EngineError, Origin};
use crate::expression::{Expression, Rows};
use crate::reporter::{Gathered, Reporter};
use crate::state::{self, Name, Saved, Touched, no_table};
use crate::store::shrink;

/// One step of a program. Columns are in numbered slots; a step fills the next slot or thins the rows.
#[derive(Clone, Debug)]
pub enum Step {
    /// Computes a column into the next slot.
    Compute {
        /// How, reading slots.
        expression: Expression,
        /// Which column of the plan it is.
        column: usize,
        /// What the program calls it.
        name: Option<Arc<str>>,
        /// Whether results are kept with their rows, so that a removal repeats what was sent.
        kept: bool,
        /// Whether rows may be removed.
        may_remove: bool,
    },
    /// Goes on with the rows where the slot is true.
    Filter {
        /// The slot.
        condition: usize,
        /// Which node of the plan it is.
        node: usize,
        /// Where it was declared.
        origin: Option<Origin>,
        /// Whether rows may be removed.
        may_remove: bool,
        /// The slots that are still read afterwards.
        live: Vec<usize>,
    },
}

/// A chain of computed columns and filters.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// The slots of the result's columns.
    pub output: Vec<usize>,
    /// Whether the result is the input as it is.
    pub is_identity: bool,
}

impl Program {
    /// A program that leaves so many columns as they are.
    pub(crate) fn identity(columns: usize) -> Self {
        Self {
            steps: Vec::new(),
            output: (0..columns).collect(),
            is_identity: true,
        }
    }

    /// Whether it keeps results with their rows.
    pub(crate) fn keeps_results(&self) -> bool {
        let keeps = |step: &Step| matches!(step, Step::Compute { kept: true, .. });
        self.steps.iter().any(keeps)
    }
}

/// A program at work on one worker.
#[derive(Debug)]
pub struct RunningProgram {
    program: Program,
    reporter: Reporter,
    /// What each step has besides.
    steps: Vec<RunningStep>,
}

/// What a step has besides, on one worker.
#[derive(Debug)]
struct RunningStep {
    /// Where its failures go in the end, and where they are gathered.
    reporter: Reporter,
    gathered: Arc<Gathered>,
    gathering: Reporter,
    /// If it keeps results: those of each row, see `compute_kept`.
    kept: KeptResults,
}

/// Results that are kept with their rows.
#[derive(Debug, Default)]
struct KeptResults {
    /// The result and the multiplicity of each row.
    results: HashMap<Key, (Value, i64), BuildKeyHasher>,
    /// The rows that have come or gone, and their keys, where that will be saved.
    touched: Option<Touched<(Key, Key)>>,
}

impl RunningStep {
    fn new(step: &Step, reporter: &Reporter) -> Self {
        let reporter = match step {
            Step::Compute {
                column,
                name,
                kept,
                may_remove,
                ..
            } => reporter.for_column(*column, name.clone(), *kept || !may_remove),
            Step::Filter {
                node,
                origin,
                may_remove,
                ..
            } => reporter.for_filter(*node, origin.clone(), !may_remove),
        };
        let gathered = Arc::new(Gathered::default());
        Self {
            gathering: reporter.gathering(Arc::clone(&gathered)),
            gathered,
            reporter,
            kept: KeptResults::default(),
        }
    }
}

impl RunningProgram {
    /// Where the operator was declared that runs it.
    pub fn origin(&self) -> Option<&Origin> {
        self.reporter.origin.as_ref()
    }

    /// Prepares a program.
    pub fn new(program: Program, reporter: Reporter) -> Self {
        let steps = program
            .steps
            .iter()
            .map(|step| RunningStep::new(step, &reporter))
            .collect();
        Self {
            program,
            reporter,
            steps,
        }
    }

    /// The same; notes which results are kept anew if they will be saved.
    #[must_use]
    pub fn keeping(mut self, keeps_state: bool) -> Self {
        for running in &mut self.steps {
            running.kept.touched = keeps_state.then(Touched::default);
        }
        self
    }

    /// What comes next is of this time.
    pub(crate) fn open(&self, time: Time) {
        self.reporter.open(time);
    }

    /// Whether it keeps results: then its rows have to be on the workers that own their keys, if it is to be restored.
    pub fn has_state(&self) -> bool {
        self.program.keeps_results()
    }

    /// Puts the results that have come or gone since they were saved last, as [`Task::save`](crate::Task::save) does.
    pub fn save(&mut self, saved: &mut Saved) {
        for (table, (step, running)) in (0..).zip(self.program.steps.iter().zip(&mut self.steps)) {
            let Step::Compute { expression, .. } = step else {
                continue;
            };
            let KeptResults { results, touched } = &mut running.kept;
            let touched = touched.as_mut().map_or_else(Vec::new, Touched::take);
            let (mut gone, mut there, mut counts) = (Vec::new(), Vec::new(), Vec::new());
            let mut builder = ColumnBuilder::new(expression.dtype());
            for (identity, owner) in touched {
                let name = Name { identity, owner };
                match results.get(&identity) {
                    Some((value, count)) => {
                        there.push(name);
                        builder.push(value);
                        counts.push(*count);
                    }
                    None => gone.push(name),
                }
            }
            saved.remove(table, &gone);
            let counts = Column::new(Cells::Int(counts.into()));
            saved.put_named(table, &there, vec![builder.finish(), counts]);
        }
    }

    /// Takes results that were saved, as [`Task::restore`](crate::Task::restore) does.
    ///
    /// # Errors
    /// If these are none of such a program.
    pub fn restore(&mut self, table: u16, rows: &Batch, owners: &[Key]) -> Result<(), EngineError> {
        let step = self.program.steps.get(usize::from(table));
        let Some(Step::Compute {
            expression, kept: true, ..
        }) = step
        else {
            return Err(no_table(table));
        };
        state::check(rows, owners, &[expression.dtype().physical(), Physical::Int])?;
        let results = rows
            .column(0)
            .values()
            .zip(state::ints(rows.column(1))?.iter().copied());
        let kept = &mut self.steps[usize::from(table)].kept.results;
        kept.extend(rows.keys().iter().copied().zip(results));
        Ok(())
    }

    /// The result for one batch.
    ///
    /// # Errors
    /// If a row fails and the run is to end with it.
    pub fn apply(&mut self, batch: Batch) -> Result<Batch, EngineError> {
        if self.program.is_identity {
            return Ok(batch);
        }
        let mut keys = batch.keys().clone();
        let mut diffs = batch.diffs().cloned();
        let mut slots: Vec<Column> = batch.columns().to_vec();
        for (step, running) in self.program.steps.iter().zip(&mut self.steps) {
            match step {
                Step::Compute { expression, kept, .. } => {
                    let rows = Rows {
                        columns: &slots,
                        keys: &keys,
                        diffs: diffs.as_deref(),
                    };
                    let column = if *kept {
                        compute_kept(expression, &rows, &mut running.kept, &running.gathering)?
                    } else {
                        expression.evaluate(&rows, &running.gathering)?
                    };
                    running.reporter.report_gathered(&running.gathered)?;
                    slots.push(column);
                }
                Step::Filter { condition, live, .. } => {
                    let column = &slots[*condition];
                    let Cells::Bool(array) = column.cells() else {
                        panic!("the condition of a filter is laid out as bool");
                    };
                    let mut mask = array.values().clone();
                    if let Some(nulls) = column.nulls() {
                        mask = &mask & nulls.inner();
                    }
                    if let Some(errors) = column.errors() {
                        mask = &mask & &!errors;
                        let gathering = &running.gathering;
                        gathering.report_skipped(errors, &keys, diffs.as_deref(), "filter condition")?;
                        running.reporter.report_gathered(&running.gathered)?;
                    }
                    if mask.count_set_bits() == keys.len() {
                        continue;
                    }
                    let mut thinned: Vec<Column> =
                        slots.iter().map(|column| Column::empty(column.physical())).collect();
                    for slot in live {
                        thinned[*slot] = slots[*slot].filter(&mask);
                    }
                    slots = thinned;
                    keys = mask.set_indices().map(|row| keys[row]).collect();
                    diffs = diffs.map(|diffs| mask.set_indices().map(|row| diffs[row]).collect());
                    if keys.is_empty() {
                        break;
                    }
                }
            }
        }
        if keys.is_empty() {
            return Ok(Batch::default());
        }
        let columns = self.program.output.iter().map(|slot| slots[*slot].clone()).collect();
        Ok(Batch::new(keys, columns, diffs))
    }
}

/// Computes a column for the rows that are added, and repeats for those that are removed what was sent for them.
///
/// A row is told by its key and by what the expression reads: within one time, rows of a key may come and go
/// several times, in any order and in several batches.
fn compute_kept(
    expression: &Expression,
    rows: &Rows<'_>,
    KeptResults { results: kept, touched }: &mut KeptResults,
    reporter: &Reporter,
) -> Result<Column, EngineError> {
    let keys = Column::pointers(rows.keys.clone());
    let mut told_by = vec![&keys];
    expression.for_each_column(&mut |slot| told_by.push(&rows.columns[slot]));
    let identities = hash_columns(&told_by, rows.keys.len());

    if let Some(touched) = touched {
        let rows = identities.iter().copied().zip(rows.keys.iter().copied());
        rows.for_each(|row| touched.push(row));
    }
    let mut met: HashSet<Key, BuildKeyHasher> = HashSet::default();
    let missing: Vec<u32> = (0..identities.len())
        .filter(|row| !kept.contains_key(&identities[*row]) && met.insert(identities[*row]))
        .map(|row| row as u32)
        .collect();
    if !missing.is_empty() {
        let indices = missing.clone().into();
        let mut columns: Vec<Column> = rows
            .columns
            .iter()
            .map(|column| Column::empty(column.physical()))
            .collect();
        expression.for_each_column(&mut |slot| columns[slot] = rows.columns[slot].take(&indices));
        let keys = missing.iter().map(|row| rows.keys[*row as usize]).collect();
        let computed = expression.evaluate(
            &Rows {
                columns: &columns,
                keys: &keys,
                diffs: None,
            },
            reporter,
        )?;
        for (position, row) in missing.iter().enumerate() {
            kept.insert(identities[*row as usize], (computed.value(position), 0));
        }
    }

    let mut builder = ColumnBuilder::new(expression.dtype());
    for (row, identity) in identities.iter().enumerate() {
        let (value, count) = kept.get_mut(identity).expect("what was missing has been computed");
        *count += rows.diff(row);
        builder.push(value);
    }
    for identity in &identities {
        if kept.get(identity).is_some_and(|(_, count)| *count == 0) {
            kept.remove(identity);
        }
    }
    shrink(kept);
    Ok(builder.finish())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use towpath_types::DType;

    use super::*;
    use crate::error::RowError;
    use crate::expression::{Evaluation, Operand, UserFunction};
    use crate::reporter::ErrorLog;
    use crate::testing::{batch, update};

    /// Another number with every call.
    #[derive(Debug)]
    struct Next(AtomicI64);

    impl UserFunction for Next {
        fn name(&self) -> &'static str {
            "next"
        }

        fn call(&self, _: &[Operand], evaluation: &mut Evaluation<'_>) -> Result<Column, EngineError> {
            Ok(evaluation.collect(|_| Ok(Value::Int(self.0.fetch_add(1, Ordering::Relaxed)))))
        }

        fn is_deterministic(&self) -> bool {
            false
        }
    }

    struct Never;

    impl ErrorLog for Never {
        fn report(&self, _: usize, _: Option<&Origin>, error: RowError) -> Result<(), EngineError> {
            Err(error.into())
        }
    }

    #[test]
    fn a_removal_repeats_what_was_sent_by_a_run_before() {
        let next = Arc::new(Next(AtomicI64::new(1)));
        let start = || {
            let argument = Expression::column(0, DType::Int);
            let step = Step::Compute {
                expression: Expression::user(next.clone(), vec![argument], DType::Int),
                column: 1,
                name: None,
                kept: true,
                may_remove: true,
            };
            let program = Program {
                steps: vec![step],
                output: vec![1],
                is_identity: false,
            };
            RunningProgram::new(program, Reporter::new(0, None, Arc::new(Never))).keeping(true)
        };
        let row = |key, value: i64, diff| update(key, [Value::Int(value)], diff);
        let rows = |updates: &[_]| batch(&[DType::Int], &[0], updates);
        let results = |program: &mut RunningProgram, updates: &[_]| {
            let batch = program.apply(rows(updates)).expect("nothing fails");
            batch.column(0).values().collect::<Vec<_>>()
        };
        let mut one = start();
        assert_eq!(results(&mut one, &[row(1, 5, 1), row(2, 5, 1)]), [1, 2].map(Value::Int));
        let mut saved = Saved::default();
        one.save(&mut saved);
        let mut again = Saved::default();
        one.save(&mut again);
        assert!(one.has_state() && again.is_empty());
        let mut other = start();
        for rows in saved.into_rows() {
            let owners: Vec<Key> = (0..rows.rows.len()).map(|row| rows.owner(row)).collect();
            other.restore(rows.table, &rows.rows, &owners).expect("it was saved so");
            assert!(other.restore(1, &rows.rows, &owners).is_err());
        }
        let changes = [row(1, 5, -1), row(3, 5, 1), row(2, 5, -1)];
        assert_eq!(results(&mut other, &changes), [1, 3, 2].map(Value::Int));
        let mut saved = Saved::default();
        other.save(&mut saved);
        let rows: Vec<usize> = saved.into_rows().iter().map(|rows| rows.rows.len()).collect();
        assert_eq!(rows, [2, 1]);
    }
}
