//! Failures of rows: logged, or the end of the run, and rows of the tables of errors. Each process has its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use towpath_types::{Batch, Column, DType, Key, Value};

use crate::error::{EngineError, Origin, RowError};
use crate::live_errors::LiveErrors;
use crate::operator::ErrorLog;
use crate::source::{Commits, Division, Limits, Readers, Source, SourceContext, SourceHandle, SourceQueue, Team};

/// The error log of a run: logs or ends the run, and feeds the tables of errors.
pub(super) struct RunLog {
    pub(super) terminate: bool,
    pub(super) is_failed: Arc<AtomicBool>,
    /// The tables of errors: where the rows of this process go, and which of the columns.
    pub(super) tables: Vec<(Arc<SourceQueue>, Vec<usize>)>,
    pub(super) reported: AtomicU64,
    /// The number of this process.
    pub(super) process: usize,
    /// The errors that are there.
    pub(super) live: LiveErrors,
    /// Failures that are in no table, since the tables have more already than their readers have read.
    pub(super) left_out: AtomicU64,
    /// So many rows of a table of errors wait for its readers.
    pub(super) most: usize,
}

/// So many rows of a table of errors wait for its readers, as a rule.
pub(super) const WAITING: usize = 1 << 17;

impl RunLog {
    /// Adds a row to the tables of errors.
    fn record(&self, operator: usize, origin: Option<&Origin>, error: &RowError) {
        let has_room = |(queue, _): &(Arc<SourceQueue>, Vec<usize>)| queue.counts().2 < self.most;
        if !self.tables.iter().all(has_room) {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.tell_left_out();
        self.add(operator, &error.message, origin.map_or_else(String::new, Origin::trace));
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
        let number = self.reported.fetch_add(1, Ordering::Relaxed);
        // The keys of no two processes meet.
        let seed = 0x6572_726f_7273 ^ ((self.process as u64) << 48);
        for (queue, positions) in &self.tables {
            let columns = vec![
                Column::repeat(&Value::Int(operator as i64), &DType::Int, 1),
                Column::repeat(&Value::str(message), &DType::Str, 1),
                Column::repeat(&Value::str(&trace), &DType::Str, 1),
            ];
            let batch = Batch::new(vec![Key::sequence(seed, number)], columns, None).project(positions);
            // After the end of the run nobody reads the table any more.
            let _ = queue.push_committed(batch);
        }
    }
}

impl ErrorLog for RunLog {
    fn report(&self, operator: usize, origin: Option<&Origin>, error: RowError) -> Result<(), EngineError> {
        if self.terminate {
            return Err(EngineError::from(error).at(origin));
        }
        log_row(operator, origin, &error);
        self.record(operator, origin, &error);
        Ok(())
    }

    fn note(&self, operator: usize, origin: Option<&Origin>, error: RowError) {
        self.record(operator, origin, &error);
    }

    fn live(&self) -> Option<&LiveErrors> {
        Some(&self.live)
    }

    fn close(&self) {
        self.tell_left_out();
    }

    fn is_cancelled(&self) -> bool {
        self.is_failed.load(Ordering::Relaxed)
    }

    fn is_strict(&self) -> bool {
        self.terminate
    }
}

fn log_row(operator: usize, origin: Option<&Origin>, error: &RowError) {
    let place = origin.map_or_else(String::new, |origin| format!(" ({origin})"));
    tracing::error!(target: "pathway", operator, "{}{place}", error.message);
}

/// Failures of what is computed from the tables of errors: they are logged, and not added to the tables, where they would
/// make further ones.
pub(super) struct AsideLog(pub(super) Arc<RunLog>);

impl ErrorLog for AsideLog {
    fn report(&self, operator: usize, origin: Option<&Origin>, error: RowError) -> Result<(), EngineError> {
        if self.0.terminate {
            return Err(EngineError::from(error).at(origin));
        }
        log_row(operator, origin, &error);
        Ok(())
    }

    fn live(&self) -> Option<&LiveErrors> {
        self.0.live()
    }

    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    fn is_strict(&self) -> bool {
        self.0.is_strict()
    }
}

/// Failures of rows at a source: they never end the run, and are always recorded.
pub(super) struct SourceLog(pub(super) Arc<RunLog>);

impl ErrorLog for SourceLog {
    fn report(&self, operator: usize, origin: Option<&Origin>, error: RowError) -> Result<(), EngineError> {
        self.0.record(operator, origin, &error);
        Ok(())
    }
}

/// The table of a run's own errors: `operator_id: int`, `message: str`, `trace: str`.
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

    fn is_error_log(&self) -> bool {
        true
    }

    fn divide(&self, team: Team) -> Result<Division, EngineError> {
        // Each process has its own errors.
        Ok(Division {
            streams: team.processes,
            readers: Readers::All,
            manifest: Vec::new(),
        })
    }

    fn start(&self, _context: SourceContext) -> Result<Box<dyn SourceHandle>, EngineError> {
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
        let log = RunLog {
            terminate: false,
            is_failed: Arc::default(),
            tables: vec![(Arc::clone(&queue), vec![1])],
            reported: AtomicU64::new(0),
            process: 0,
            live: LiveErrors::default(),
            left_out: AtomicU64::new(0),
            most: 100,
        };
        for number in 0..107 {
            let error = RowError::new(ErrorKind::Value, format!("wrong {number}"));
            log.note(1, None, error);
        }
        assert_eq!((queue.counts().2, log.left_out.load(Ordering::Relaxed)), (100, 7));
        log.close();
        assert_eq!((queue.counts().2, log.left_out.load(Ordering::Relaxed)), (101, 0));
        log.close();
        assert_eq!(queue.counts().2, 101);
    }
}
