//! The table of a run's own errors: `operator_id: int`, `message: str`, `trace: str`.
//!
//! It is fed by all other nodes. Each process has a stream of it, with the errors that were found there; the rows are
//! made once, in [`ErrorRows`], for all nodes of the plan that are such a table.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use towpath_types::{Column, DType, Value};

use super::{
    Commits, Division, Feeder, Kept, Keys, Limits, Readers, Source, SourceContext, SourceHandle, SourceQueue, Team,
    Unkeyed,
};
use crate::error::{EngineError, Origin, RowError};

/// The errors of one process in one run, as rows.
#[derive(Debug)]
pub struct ErrorRows {
    /// Where they go.
    tables: Mutex<Vec<Arc<SourceQueue>>>,
    /// Errors that are in no table, since the tables have more already than their readers have read.
    left_out: AtomicU64,
    /// So many rows of a table wait for its readers.
    most: usize,
}

/// So many rows of a table of errors wait for its readers, as a rule.
const WAITING: usize = 1 << 17;

impl Default for ErrorRows {
    fn default() -> Self {
        Self::bounded(WAITING)
    }
}

impl ErrorRows {
    fn bounded(most: usize) -> Self {
        Self {
            tables: Mutex::default(),
            left_out: AtomicU64::new(0),
            most,
        }
    }

    /// From now on they go there as well.
    fn feed(self: &Arc<Self>, queue: &Arc<SourceQueue>) {
        let rows = Arc::downgrade(self);
        queue.on_flush(move || {
            if let Some(rows) = rows.upgrade() {
                rows.tell_left_out();
            }
        });
        self.tables.lock().push(Arc::clone(queue));
    }

    /// Adds a row to the tables of errors.
    pub(crate) fn record(&self, operator: usize, origin: Option<&Origin>, error: &RowError) {
        let has_room = |queue: &Arc<SourceQueue>| queue.counts().2 < self.most;
        if !self.tables.lock().iter().all(has_room) {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.tell_left_out();
        let mut trace = origin.map_or_else(String::new, Origin::trace);
        if let Some(place) = error.place().filter(|_| origin.is_some()) {
            trace.push_str("\n \tIt failed ");
            trace.push_str(&place);
        }
        self.add(operator, &error.table_text(), trace);
    }

    /// Says how many failures are in no table.
    fn tell_left_out(&self) {
        let left_out = self.left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            let message = format!(
                "{left_out} errors are left out here: there were more than could be kept for the readers of this table"
            );
            tracing::warn!(target: "pathway", "pw.global_error_log(): {message}");
            self.add(0, &message, String::new());
        }
    }

    fn add(&self, operator: usize, message: &str, trace: String) {
        for queue in self.tables.lock().iter() {
            let columns = vec![
                Column::repeat(&Value::Int(operator as i64), &DType::Int, 1),
                Column::repeat(&Value::str(message), &DType::Str, 1),
                Column::repeat(&Value::str(&trace), &DType::Str, 1),
            ];
            // After the end of the run nobody reads the table any more.
            let _ = queue.push_committed(Unkeyed::new(1, columns, None, None));
        }
    }
}

/// The table of a run's own errors, as a source.
#[derive(Clone, Copy, Debug)]
pub struct ErrorTable;

struct NothingToStop;

impl SourceHandle for NothingToStop {
    fn stop(&self) {}

    fn join(self: Box<Self>) {}
}

impl Source for ErrorTable {
    fn name(&self) -> String {
        "error log".to_owned()
    }

    fn columns(&self) -> Vec<DType> {
        vec![DType::Int, DType::Str, DType::Str]
    }

    fn is_append_only(&self) -> bool {
        true
    }

    fn has_unique_keys(&self) -> bool {
        true
    }

    fn commits(&self) -> Commits {
        Commits::Streaming(None)
    }

    fn limits(&self) -> Limits {
        Limits {
            rows: usize::MAX,
            bytes: usize::MAX,
        }
    }

    fn keys(&self, stream: usize, _division: &Division) -> Keys {
        // The keys of no two processes meet.
        Keys::Ordinal {
            seed: 0x6572_726f_7273 ^ ((stream as u64) << 48),
            next: 0,
        }
    }

    fn kept(&self) -> Kept {
        Kept::Nothing
    }

    fn fed_by(&self) -> Feeder {
        Feeder::AllOthers
    }

    fn divide(&self, team: Team) -> Result<Division, EngineError> {
        // Each process has its own errors.
        Ok(Division {
            streams: team.processes,
            readers: Readers::All,
            manifest: Vec::new(),
            former: 0,
        })
    }

    fn start(&self, context: SourceContext) -> Result<Box<dyn SourceHandle>, EngineError> {
        for stream in &context.streams {
            context.errors.feed(&stream.queue);
        }
        Ok(Box::new(NothingToStop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_table_that_nobody_reads_is_bounded_and_says_what_it_leaves_out() {
        let queue = Arc::new(SourceQueue::new(ErrorTable.limits()));
        let rows = Arc::new(ErrorRows::bounded(100));
        rows.feed(&queue);
        for number in 0..107 {
            let error = RowError::new(ErrorKind::Value, format!("wrong {number}"));
            rows.record(1, None, &error);
        }
        assert_eq!((queue.counts().2, rows.left_out.load(Ordering::Relaxed)), (100, 7));
        queue.flush();
        assert_eq!((queue.counts().2, rows.left_out.load(Ordering::Relaxed)), (101, 0));
        queue.flush();
        assert_eq!(queue.counts().2, 101);
    }
}
