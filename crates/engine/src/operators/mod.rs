//! The operators there are: a file and a line here each. What several of them need is in `keyed`, `matching` and `side`,
//! and below.

pub mod assert_append_only;
pub mod concat;
pub mod flatten;
pub mod join;
pub mod key_join;
pub mod lookup;
pub mod reduce;
pub mod reindex;
pub mod removals;
pub mod semi_join;
pub mod update_cells;
pub mod update_rows;
pub mod upsert;

mod held;
mod join_once;
mod keyed;
mod matching;
mod once_side;
mod side;

#[cfg(test)]
mod restart_tests;

use arrow_buffer::BooleanBuffer;
use towpath_types::{Batch, Cells, Column, DType, Key};

use crate::error::{EngineError, PlanError};
use crate::reporter::Reporter;
use crate::type_rules::common_type;

/// The keys of a pointer column.
fn keys_of(column: &Column) -> &towpath_types::Shared<Key> {
    match column.cells() {
        Cells::Pointer(pointers) => pointers.values(),
        other => panic!("a pointer column is expected, not {other:?}"),
    }
}

/// Where a pointer column is neither an error nor `None`; `None` if that is everywhere.
fn usable(column: &Column) -> Option<BooleanBuffer> {
    let mut mask = column.nulls().map(|nulls| nulls.inner().clone());
    if let Some(errors) = column.errors() {
        let sound = !errors;
        mask = Some(mask.map_or_else(|| sound.clone(), |mask| &mask & &sound));
    }
    mask.filter(|mask| mask.count_set_bits() < mask.len())
}

/// Reports the rows with an error in `column`.
fn report_errors(batch: &Batch, column: &Column, what: &str, reporter: &Reporter) -> Result<(), EngineError> {
    let diffs = batch.diffs().map(|diffs| &**diffs);
    match column.errors() {
        Some(errors) => reporter.report_skipped(errors, batch.keys(), diffs, what),
        None => Ok(()),
    }
}

/// The same of rows that went to the owner of a pointer, each once for its pointer: a row may go on to another worker,
/// which may be ahead, or in another process.
fn report_routed(
    batch: &Batch,
    pointer: &Column,
    errors: Option<&BooleanBuffer>,
    what: &str,
    reporter: &Reporter,
) -> Result<(), EngineError> {
    let Some(errors) = errors else {
        return Ok(());
    };
    let rows = batch.keys().iter().zip(keys_of(pointer).iter());
    let keys: Vec<Key> = rows.map(|(row, pointer)| Key::pair(*row, *pointer)).collect();
    let diffs = batch.diffs().map(|diffs| &**diffs);
    reporter.report_skipped(errors, &keys, diffs, what)
}

/// The types of columns that come from any of several inputs.
fn common_types(operation: &str, inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
    let [first, rest @ ..] = inputs else {
        return Err(PlanError::value(format!("{operation} needs a table")));
    };
    let mut dtypes = first.clone();
    for input in rest {
        if input.len() != dtypes.len() {
            return Err(PlanError::value(format!(
                "the tables of {operation} have different columns"
            )));
        }
        for (dtype, other) in dtypes.iter_mut().zip(input) {
            *dtype = common_type(operation, dtype, other)?;
        }
    }
    Ok(dtypes)
}

/// Refuses more inputs than can be told apart by presence, see [`keyed::KeyedTask`].
fn check_count(operation: &str, inputs: usize) -> Result<(), PlanError> {
    const MOST: usize = 12;
    if inputs > MOST {
        return Err(PlanError::value(format!("{operation} takes at most {MOST} tables")));
    }
    Ok(())
}
