//! The way of failures from the rows that fail to the error log, each told once.
//!
//! What computes cells has a [`Reporter`], which knows where in the plan that is. It asks `live_errors`
//! whether a failure is news, and hands it to the run's [`ErrorLog`], which logs it or ends the run.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_buffer::BooleanBuffer;
use parking_lot::Mutex;
use towpath_types::{Key, Time};

use crate::error::{EngineError, ErrorKind, Origin, RowError};
use crate::live_errors::{Failing, LiveErrors};

/// Where failures of rows go: to the error log, or, if the run is to stop at the first, out of the run.
#[derive(Clone)]
pub struct Reporter {
    /// The operator, numbered as in the plan.
    pub operator: usize,
    /// Where it was declared.
    pub origin: Option<Origin>,
    /// What the program calls the column that is computed here.
    column: Option<Arc<str>>,
    /// What is computed here, so that what fails can be told from what fails elsewhere.
    site: (u64, u64),
    /// For an output that is not the only one of these rows: which they are.
    rows: Option<u64>,
    /// Whether the rows here are never removed.
    is_final: bool,
    /// The time that is open.
    time: Arc<AtomicU64>,
    /// Where failures are kept for the moment, unless the run ends with the first.
    gathered: Option<Arc<Gathered>>,
    log: Arc<dyn ErrorLog>,
}

/// Takes the failures of a run; see [`Reporter`].
pub trait ErrorLog: Send + Sync {
    /// Takes one failure.
    ///
    /// # Errors
    /// If the run is to end with it.
    fn report(&self, operator: usize, origin: Option<&Origin>, error: RowError) -> Result<(), EngineError>;

    /// Takes a failure of what came from outside, which never ends the run.
    fn note(&self, operator: usize, origin: Option<&Origin>, error: RowError) {
        // Whoever has nothing to note it in goes on.
        let _ = self.report(operator, origin, error);
    }

    /// Which errors there are, so that each is reported once.
    fn live(&self) -> Option<&LiveErrors> {
        None
    }

    /// Whether the run has been ended, so that long work should not go on.
    fn is_cancelled(&self) -> bool {
        false
    }

    /// Whether the run ends with the first failure that is reported.
    fn is_strict(&self) -> bool {
        false
    }
}

impl Reporter {
    /// Whether the run has been ended: what takes long, such as calls of user code, should look now and then.
    pub fn is_cancelled(&self) -> bool {
        self.log.is_cancelled()
    }

    /// Whether the run ends with the first failure that is reported: what is computed after one is for nobody.
    pub fn is_strict(&self) -> bool {
        self.log.is_strict()
    }

    /// A reporter for one operator.
    pub fn new(operator: usize, origin: Option<Origin>, log: Arc<dyn ErrorLog>) -> Self {
        Self {
            operator,
            origin,
            column: None,
            site: (operator as u64, u64::MAX),
            rows: None,
            is_final: false,
            time: Arc::default(),
            gathered: None,
            log,
        }
    }

    /// For one column that is computed at the operator, under this name; rows may be removed unless it `is_final`.
    pub(crate) fn for_column(&self, column: usize, name: Option<Arc<str>>, is_final: bool) -> Self {
        Self {
            column: name,
            site: (COLUMNS, column as u64),
            is_final,
            ..self.clone()
        }
    }

    /// For a filter, another node of the plan that is part of the operator; rows may be removed unless it `is_final`.
    pub(crate) fn for_filter(&self, node: usize, origin: Option<Origin>, is_final: bool) -> Self {
        Self {
            operator: node,
            origin,
            site: (node as u64, u64::MAX),
            is_final,
            ..self.clone()
        }
    }

    /// For an output of rows that others put out as well: what is wrong with them is told once. `rows` tells them from
    /// other rows.
    pub(crate) fn for_output(&self, rows: u64) -> Self {
        Self {
            rows: Some(rows),
            ..self.clone()
        }
    }

    /// For rows that are never removed if `is_final`.
    pub(crate) fn for_rows(&self, is_final: bool) -> Self {
        Self {
            is_final,
            ..self.clone()
        }
    }

    /// What fails is kept in `gathered` instead.
    pub(crate) fn gathering(&self, gathered: Arc<Gathered>) -> Self {
        Self {
            gathered: Some(gathered),
            ..self.clone()
        }
    }

    /// What is reported next is of this time.
    pub(crate) fn open(&self, time: Time) {
        self.time.store(time, Ordering::Relaxed);
    }

    /// A reporter that takes failures and forgets them, for computations whose failure is provided for.
    pub fn silent(&self) -> Self {
        Self {
            log: Arc::new(Forget(Arc::clone(&self.log))),
            gathered: None,
            ..self.clone()
        }
    }

    /// Reports a failure at the operator.
    ///
    /// # Errors
    /// If the run is to end with it.
    pub fn report(&self, error: RowError) -> Result<(), EngineError> {
        self.report_at(self.origin.as_ref(), error)
    }

    /// Reports a failure of what came from outside, which never ends the run. Logging it is up to the caller.
    pub fn note(&self, error: RowError) {
        self.log.note(self.operator, self.origin.as_ref(), error);
    }

    /// Reports a failure at another place of the program, such as that of an expression.
    ///
    /// # Errors
    /// If the run is to end with it.
    pub fn report_at(&self, origin: Option<&Origin>, error: RowError) -> Result<(), EngineError> {
        if let Some(gathered) = &self.gathered
            && !self.is_strict()
        {
            gathered.0.lock().push((origin.cloned(), error));
            return Ok(());
        }
        let failing = Failing {
            site: self.site,
            key: error.key,
            message: &error.message,
            call: error.call.as_deref(),
        };
        let is_news = match self.log.live() {
            Some(live) => {
                let (time, is_final) = (self.time.load(Ordering::Relaxed), self.is_final && error.key.is_some());
                let is_first = |rows| {
                    let site = (OUTPUTS, rows);
                    live.is_first(Failing { site, ..failing }, time)
                };
                live.is_news(failing, error.diff, time, is_final) && self.rows.is_none_or(is_first)
            }
            None => error.diff > 0,
        };
        if is_news {
            let error = match &self.column {
                Some(column) => error.in_column(column),
                None => error,
            };
            self.log.report(self.operator, origin, error)
        } else {
            Ok(())
        }
    }

    /// Reports the rows where `errors`, as skipped because of what was found in `what`: first those that come.
    ///
    /// # Errors
    /// If the run is to end with it.
    pub(crate) fn report_skipped(
        &self,
        errors: &BooleanBuffer,
        keys: &[Key],
        diffs: Option<&[i64]>,
        what: &str,
    ) -> Result<(), EngineError> {
        let diff = |row: usize| diffs.map_or(1, |diffs| diffs[row]);
        for comes in [true, false] {
            for row in errors.set_indices().filter(|row| (diff(*row) > 0) == comes) {
                let message = format!("Error value encountered in {what}, skipping the row");
                self.report(RowError::new(ErrorKind::Value, message).of(keys[row], diff(row)))?;
            }
        }
        Ok(())
    }

    /// Reports what was gathered: first what comes, so that what only changes places has never been gone.
    ///
    /// # Errors
    /// If the run is to end with it.
    pub(crate) fn report_gathered(&self, gathered: &Gathered) -> Result<(), EngineError> {
        let (come, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut *gathered.0.lock())
            .into_iter()
            .partition(|(_, error)| error.diff > 0);
        let mut all = come.into_iter().chain(gone);
        all.try_for_each(|(origin, error)| self.report_at(origin.as_ref(), error))
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reporter({})", self.operator)
    }
}

/// The first parts of sites that are no operators.
const COLUMNS: u64 = u64::MAX;
const OUTPUTS: u64 = u64::MAX - 1;

/// Failures that are looked at together.
#[derive(Debug, Default)]
pub(crate) struct Gathered(Mutex<Vec<(Option<Origin>, RowError)>>);

struct Forget(Arc<dyn ErrorLog>);

impl ErrorLog for Forget {
    fn report(&self, _operator: usize, _origin: Option<&Origin>, _error: RowError) -> Result<(), EngineError> {
        Ok(())
    }

    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}
