//! What happens to the batches of one node before others read them: a fused chain of computed columns and
//! filters, one batch at a time.

use std::sync::Arc;

use towpath_types::{Batch, Cells, Column, Key, Time};

use crate::error::{EngineError, Origin};
use crate::expression::{Expression, Rows};
use crate::kept_results::KeptResults;
use crate::reporter::{Gathered, Reporter};
use crate::state::{Saved, no_table};

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
    /// If it keeps results: those of each row.
    kept: KeptResults,
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
            running.kept.keep(keeps_state);
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
            running.kept.save(table, expression.dtype(), saved);
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
        let kept = &mut self.steps[usize::from(table)].kept;
        kept.restore(expression.dtype(), rows, owners)
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
                        running.kept.compute(expression, &rows, &running.gathering)?
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use towpath_types::{DType, Value};

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
