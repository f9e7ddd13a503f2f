//! Sinks that hand updates to Python.

pub(crate) mod capture;
pub(crate) mod committing;
pub(crate) mod subscribe;

use towpath_engine::{EngineError, ErrorKind, Reporter, RowError};
use towpath_types::Batch;

/// Collects the updates of one time and hands them out consolidated.
#[derive(Debug, Default)]
struct Collected(Vec<Batch>);

impl Collected {
    fn absorb(&mut self, batch: Batch) {
        self.0.push(batch);
    }

    /// Everything of one time: deletions first, then as it came, or sorted by columns.
    fn take(&mut self, sort_by: &[usize]) -> Vec<Batch> {
        let batches = Batch::consolidate(std::mem::take(&mut self.0));
        if sort_by.is_empty() || batches.is_empty() {
            return batches;
        }
        vec![Batch::concat(&batches).sorted_by(sort_by)]
    }
}

/// Whether a row has an error; if so it is reported, and sinks leave it out.
fn has_error(batch: &Batch, row: usize, reporter: &Reporter) -> Result<bool, EngineError> {
    if !batch.columns().iter().any(|column| column.is_error(row)) {
        return Ok(false);
    }
    let error = RowError::new(ErrorKind::Value, "Error value encountered in output, skipping the row");
    reporter.report(error.of(batch.keys()[row], batch.diff(row)))?;
    Ok(true)
}
