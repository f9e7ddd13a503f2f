//! Sinks that hand updates to Python.

pub(crate) mod capture;
pub(crate) mod subscribe;

use towpath_engine::{EngineError, ErrorKind, Reporter, RowError};
use towpath_types::{Batch, Column, Value};

/// Collects the updates of one time and hands them out consolidated.
#[derive(Debug, Default)]
struct Collected(Vec<Batch>);

impl Collected {
    fn absorb(&mut self, batch: Batch) {
        self.0.push(batch);
    }

    /// Everything of one time: deletions first, then as it came, or sorted by columns.
    fn take(&mut self, sort_by: &[usize]) -> Batch {
        let batch = Batch::concat(&std::mem::take(&mut self.0)).consolidated();
        if sort_by.is_empty() {
            return batch;
        }
        let columns: Vec<&Column> = sort_by.iter().map(|place| batch.column(*place)).collect();
        let values: Vec<Vec<Value>> = (0..batch.len())
            .map(|row| columns.iter().map(|column| column.value(row)).collect())
            .collect();
        let mut order: Vec<u32> = (0..batch.len() as u32).collect();
        order.sort_by(|left, right| {
            let (left, right) = (*left as usize, *right as usize);
            (batch.diff(left) > 0)
                .cmp(&(batch.diff(right) > 0))
                .then_with(|| values[left].cmp(&values[right]))
                .then_with(|| batch.keys()[left].cmp(&batch.keys()[right]))
        });
        batch.take(&order)
    }
}

/// Whether a row has an error; if so it is reported, and sinks leave it out.
fn has_error(batch: &Batch, row: usize, reporter: &Reporter) -> Result<bool, EngineError> {
    if !batch.columns().iter().any(|column| column.is_error(row)) {
        return Ok(false);
    }
    let mut error = RowError::new(ErrorKind::Value, "Error value encountered in output, skipping the row");
    error.key = Some(batch.keys()[row]);
    reporter.report(error)?;
    Ok(true)
}
