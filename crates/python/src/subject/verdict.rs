//! What is wrong with rows, and who hears of it: see [`verdicts`](super::verdicts).

use pyo3::prelude::*;
use towpath_engine::Reporter;

/// Who hears of bad rows.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    /// Of the run under way.
    pub(super) reporter: Option<Reporter>,
    /// Bad values reported to it so far.
    pub(super) reported: u64,
    /// What waits for a run.
    pub(super) kept: Vec<Verdict>,
}

/// What is wrong with one row.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) row: u64,
    /// Whether the row was accepted all the same, with an error in it.
    pub(super) is_kept: bool,
    pub(super) field: Option<String>,
    pub(super) error: PyErr,
    /// The file and line that sent the row.
    pub(super) place: Option<String>,
}
