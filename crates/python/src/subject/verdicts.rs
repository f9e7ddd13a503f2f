//! What is said of rows that are not accepted.
//!
//! A line in the log, an entry in the table of errors and a count, with the file and line that sent the row. While there
//! is no run, there is no table either, and nobody has said whether bad values are kept: then the verdicts wait for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use towpath_engine::Reporter;
use towpath_engine::RowError;
use towpath_types::Field;

use super::buffer::Ingest;
use super::places::caller;
use super::slots::Slots;
use super::verdict::Verdict;
use crate::door::Visit;
use crate::error::row_error;

/// So many bad rows of a source are logged one by one.
const LOGGED: u64 = 1000;

impl Ingest {
    /// Whether a row with a bad value in this field is accepted all the same, with an error in its place.
    pub(crate) fn keeps(&self, field: &Field) -> bool {
        !field.primary_key && self.keeps_rows()
    }

    /// Whether a row with a bad value outside its key is accepted.
    pub(crate) fn keeps_rows(&self) -> bool {
        self.keeps_bad_rows.load(Ordering::Relaxed)
    }

    /// Records a row that is not accepted, and why.
    pub(crate) fn reject(&self, py: Python<'_>, field: Option<&Field>, error: PyErr) -> PyResult<()> {
        let row = self.give(1);
        self.reject_row(py, row, field, error)
    }

    /// Records that the row of this number is not accepted, and why.
    pub(crate) fn reject_row(&self, py: Python<'_>, row: u64, field: Option<&Field>, error: PyErr) -> PyResult<()> {
        self.judge(py, row, false, field, error)
    }

    /// Records a value that is not accepted, in a row that is and that is about to be given.
    pub(crate) fn report_value(&self, py: Python<'_>, field: &Field, error: PyErr) -> PyResult<()> {
        let row = self.given.load(Ordering::Relaxed) + 1;
        self.report_value_of(py, row, Some(field), error)
    }

    /// Records a value that is not accepted, in the row of this number.
    pub(crate) fn report_value_of(
        &self,
        py: Python<'_>,
        row: u64,
        field: Option<&Field>,
        error: PyErr,
    ) -> PyResult<()> {
        self.judge(py, row, true, field, error)
    }

    /// What becomes of a row one of whose values was taken, or not: one that does not fit is an error in it, or the row is not
    /// accepted. Whether the row goes on.
    #[inline]
    pub(super) fn goes_on(
        &self,
        py: Python<'_>,
        row: &mut Slots,
        field: &Field,
        taken: PyResult<()>,
    ) -> PyResult<bool> {
        match taken {
            Ok(()) => Ok(true),
            Err(error) => self.misfit(py, row, field, error),
        }
    }

    #[cold]
    fn misfit(&self, py: Python<'_>, row: &mut Slots, field: &Field, error: PyErr) -> PyResult<bool> {
        if !self.keeps(field) {
            self.reject(py, Some(field), error)?;
            return Ok(false);
        }
        self.report_value(py, field, error)?;
        row.take_error();
        Ok(true)
    }

    fn judge(&self, py: Python<'_>, row: u64, is_kept: bool, field: Option<&Field>, error: PyErr) -> PyResult<()> {
        let _visit = Visit::begin(py);
        if !error.is_instance_of::<PyException>(py) {
            return Err(error);
        }
        let verdict = Verdict {
            row,
            is_kept,
            field: field.map(|field| field.name.clone()),
            error,
            place: caller(py),
        };
        let mut verdicts = self.verdicts.lock();
        let Some(reporter) = verdicts.reporter.clone() else {
            verdicts.kept.push(verdict);
            let is_full = verdicts.kept.len() >= self.limits.rows;
            drop(verdicts);
            if is_full {
                self.wait(py);
            }
            return Ok(());
        };
        verdicts.reported += 1;
        let reported = verdicts.reported;
        drop(verdicts);
        let is_kept = verdict.is_kept && self.keeps_bad_rows.load(Ordering::Relaxed);
        // A run that refuses bad rows may have begun since the row was looked at.
        self.tell(py, &reporter, reported, Verdict { is_kept, ..verdict })
    }

    /// A run begins: from now on it hears of bad rows, and first of those that were kept.
    pub(super) fn tell_kept(&self, py: Python<'_>, reporter: Reporter, keeps_bad_rows: bool) {
        let kept = {
            let mut verdicts = self.verdicts.lock();
            verdicts.reporter = Some(reporter.clone());
            std::mem::take(&mut verdicts.kept)
        };
        let mut refused = 0;
        for mut verdict in kept {
            if !keeps_bad_rows {
                // The first bad value decides.
                if verdict.row == refused {
                    continue;
                }
                refused = verdict.row;
                verdict.is_kept = false;
            }
            let reported = {
                let mut verdicts = self.verdicts.lock();
                verdicts.reported += 1;
                verdicts.reported
            };
            // A handler of the log that fails is no reason not to begin.
            if let Err(error) = self.tell(py, &reporter, reported, verdict) {
                error.write_unraisable(py, None);
            }
        }
    }

    fn tell(&self, py: Python<'_>, reporter: &Reporter, reported: u64, verdict: Verdict) -> PyResult<()> {
        let Verdict {
            row,
            is_kept,
            field,
            error,
            place,
        } = verdict;
        if !is_kept {
            let queue = Arc::clone(&self.buffer.lock().queue);
            queue.count_rejected(1);
        }
        let what = if is_kept {
            "put an error into row"
        } else {
            "did not accept row"
        };
        let place = place.map_or_else(String::new, |place| format!(", at {place}"));
        let field = field.map_or_else(String::new, |field| format!(", field {field:?}"));
        let message = format!("{} {what} {row}{field}: {}{place}", self.name, error.value(py));
        match reported - 1 {
            count if count < LOGGED => crate::log::error(py, &message)?,
            LOGGED => crate::log::error(
                py,
                &format!(
                    "{}: more than {LOGGED} rows were not accepted; from now on they are only counted, \
                     and put into pw.global_error_log()",
                    self.name
                ),
            )?,
            _ => {}
        }
        let mut failure: RowError = row_error(py, error);
        failure.message = message;
        // The log of a source never ends the run.
        let _ = reporter.report(failure);
        Ok(())
    }
}
