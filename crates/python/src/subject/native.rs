//! The native half of a subject: what takes its rows, and what is kept until there is something that does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::buffer::Ingest;
use super::early::Early;
use super::keywords::Keywords;
use super::{fork, places};

/// The native half of `ConnectorSubject`: takes rows.
#[pyclass(name = "Subject", module = "pathway._native", subclass, frozen)]
#[derive(Debug, Default)]
pub(crate) struct Subject {
    pub(super) keywords: Keywords,
    /// What takes the rows. Every `next` reads it.
    ingest: OnceLock<Arc<Ingest>>,
    /// The same, already while the calls before `read` are made again.
    prepared: OnceLock<Arc<Ingest>>,
    /// Calls before `read`.
    pub(super) early: Early,
    /// Whether it is read in partitions, each of which takes rows of its own.
    is_divided: AtomicBool,
    /// What belongs to the Python half.
    pub(super) state: OnceLock<Py<PyAny>>,
}

impl Subject {
    /// What takes the rows.
    #[inline]
    pub(super) fn ingest(&self, _py: Python<'_>) -> PyResult<&Ingest> {
        match self.ingest.get().or_else(|| self.prepared.get()) {
            Some(ingest) => Ok(ingest),
            None => Err(PyRuntimeError::new_err("rows can be sent after read()")),
        }
    }

    /// What takes the rows, once `read` is done.
    #[inline]
    pub(super) fn opened(&self) -> Option<&Ingest> {
        self.ingest.get().map(Arc::as_ref)
    }

    /// Whether calls are kept until `read`.
    #[inline]
    pub(super) fn is_early(&self) -> bool {
        self.ingest.get().is_none() && !places::is_replaying(self.address())
    }

    /// Tells it from others.
    #[inline]
    pub(super) fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    pub(super) fn is_divided(&self) -> bool {
        self.is_divided.load(Ordering::Relaxed)
    }

    /// `read` says what the rows are; in partitions they have what takes them from the run.
    pub(super) fn prepare(&self, py: Python<'_>, ingest: Option<&Arc<Ingest>>) {
        match ingest {
            Some(ingest) => {
                fork::register(py, ingest);
                self.prepared.get_or_init(|| Arc::clone(ingest));
            }
            None => self.is_divided.store(true, Ordering::Relaxed),
        }
    }

    /// From now on rows are taken directly.
    pub(super) fn open(&self) {
        if let Some(ingest) = self.prepared.get() {
            self.ingest.get_or_init(|| Arc::clone(ingest));
        }
    }
}
