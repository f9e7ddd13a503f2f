//! Failures of rows: logged, or the end of the run, and rows of the tables of errors. Each process has its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use towpath_types::{Batch, Column, DType, Key, Value};

use crate::error::{EngineError, Origin, RowError};
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
}

impl RunLog {
    /// Adds a row to the tables of errors.
    fn record(&self, operator: usize, origin: Option<&Origin>, error: &RowError) {
        let number = self.reported.fetch_add(1, Ordering::Relaxed);
        let trace = origin.map_or_else(String::new, ToString::to_string);
        // The keys of no two processes meet.
        let seed = 0x6572_726f_7273 ^ ((self.process as u64) << 48);
        for (queue, positions) in &self.tables {
            let columns = vec![
                Column::repeat(&Value::Int(operator as i64), &DType::Int, 1),
                Column::repeat(&Value::str(&error.message), &DType::Str, 1),
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
        tracing::error!(target: "pathway", operator, "{}{}", error.message, origin.map_or_else(String::new, |origin| format!(" ({origin})")));
        self.record(operator, origin, &error);
        Ok(())
    }

    fn is_cancelled(&self) -> bool {
        self.is_failed.load(Ordering::Relaxed)
    }

    fn is_strict(&self) -> bool {
        self.terminate
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
