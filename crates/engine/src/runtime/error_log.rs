//! Failures of rows: logged, or the end of the run, and rows of the tables of errors. Each process has its own.

use std::sync::Arc;

use crate::dataflow::Ending;
use crate::error::{EngineError, Origin, RowError};
use crate::live_errors::LiveErrors;
use crate::reporter::ErrorLog;
use crate::source::ErrorRows;

/// The error log of a run: logs or ends the run, and feeds the tables of errors.
pub(super) struct RunLog {
    pub(super) terminate: bool,
    pub(super) ending: Arc<Ending>,
    /// What is in the tables of errors.
    pub(super) rows: Arc<ErrorRows>,
    /// The errors that are there.
    pub(super) live: LiveErrors,
}

impl ErrorLog for RunLog {
    fn report(&self, operator: usize, origin: Option<&Origin>, error: RowError) -> Result<(), EngineError> {
        if self.terminate {
            return Err(EngineError::from(error).at(origin));
        }
        log_row(operator, origin, &error);
        self.rows.record(operator, origin, &error);
        Ok(())
    }

    fn note(&self, operator: usize, origin: Option<&Origin>, error: RowError) {
        self.rows.record(operator, origin, &error);
    }

    fn live(&self) -> Option<&LiveErrors> {
        Some(&self.live)
    }

    fn is_cancelled(&self) -> bool {
        self.ending.is_failed()
    }

    fn is_strict(&self) -> bool {
        self.terminate
    }
}

fn log_row(operator: usize, origin: Option<&Origin>, error: &RowError) {
    let place = origin.map_or_else(String::new, |origin| format!(" ({origin})"));
    tracing::error!(target: "pathway", operator, "{}{place}", error.text());
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
        self.0.rows.record(operator, origin, &error);
        Ok(())
    }
}
