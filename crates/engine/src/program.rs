//! What happens to the batches of one node before others read them: a fused chain of computed columns and
//! filters, one batch at a time.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use towpath_types::{Batch, BuildKeyHasher, Cells, Column, ColumnBuilder, Key, Time, Value, hash_columns};

use crate::error::{EngineError, Origin};
use crate::expression::{Expression, Rows};
use crate::reporter::{Gathered, Reporter};
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
    /// If it keeps results: the result and the multiplicity of each row, see `compute_kept`.
    kept: HashMap<Key, (Value, i64), BuildKeyHasher>,
}

impl RunningStep {
    fn new(step: &Step, reporter: &Reporter) -> Self {
        let reporter = match step {
            Step::Compute {
                column,
                kept,
                may_remove,
                ..
            } => reporter.for_column(*column, *kept || !may_remove),
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
            kept: HashMap::default(),
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

    /// What comes next is of this time.
    pub(crate) fn open(&self, time: Time) {
        self.reporter.open(time);
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
    kept: &mut HashMap<Key, (Value, i64), BuildKeyHasher>,
    reporter: &Reporter,
) -> Result<Column, EngineError> {
    let keys = Column::pointers(rows.keys.clone());
    let mut told_by = vec![&keys];
    expression.for_each_column(&mut |slot| told_by.push(&rows.columns[slot]));
    let identities = hash_columns(&told_by, rows.keys.len());

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
