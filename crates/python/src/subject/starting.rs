//! Runs that are on their way, for which rows that cannot be kept wait.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs that are about to begin in this process.
static STARTING: AtomicUsize = AtomicUsize::new(0);

/// While it lives, a run is on its way.
pub(crate) struct Starting(());

impl Starting {
    pub(crate) fn new() -> Self {
        STARTING.fetch_add(1, Ordering::AcqRel);
        Self(())
    }

    /// Whether a run is on its way.
    pub(super) fn is_any() -> bool {
        STARTING.load(Ordering::Acquire) > 0
    }

    /// In a process that was forked, those of its parent begin elsewhere.
    pub(super) fn forget() {
        STARTING.store(0, Ordering::Release);
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        // The run of a process that was forked meanwhile was forgotten.
        let _ = STARTING.fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| count.checked_sub(1));
    }
}
