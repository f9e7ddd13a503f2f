//! Forked processes: nobody reads the rows of a subject that a child has inherited, so it is told.
//!
//! Python tells after a fork, in the child, with the GIL; no row pays for it before.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use pyo3::prelude::*;

use super::buffer::Ingest;
use super::starting::Starting;

/// All there are. Only locked by threads that have the GIL, so nobody has it locked when a process forks.
static INGESTS: Mutex<Vec<Weak<Ingest>>> = Mutex::new(Vec::new());

/// Remembers what takes rows.
pub(super) fn register(_py: Python<'_>, ingest: &Arc<Ingest>) {
    let mut ingests = INGESTS.lock();
    if ingests.len() == ingests.capacity() {
        ingests.retain(|ingest| ingest.strong_count() > 0);
    }
    ingests.push(Arc::downgrade(ingest));
}

/// Called in a process that was just forked.
#[pyfunction]
pub(crate) fn begin_forked_process(_py: Python<'_>) {
    Starting::forget();
    for ingest in INGESTS.lock().iter().filter_map(Weak::upgrade) {
        ingest.is_forked.store(true, Ordering::Release);
        ingest.needs_look.store(true, Ordering::Relaxed);
    }
}
