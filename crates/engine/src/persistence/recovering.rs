//! Says when all that was kept has been sent again.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use towpath_types::Time;

/// How far the streams of this process are with what was kept of them.
#[derive(Debug)]
pub(crate) struct Recovering {
    since: Instant,
    last_time: Time,
    streams: AtomicUsize,
    rows: AtomicU64,
}

impl Recovering {
    /// For a run that goes on after this time, and has begun to read what was kept at that instant.
    pub(crate) fn new(since: Instant, last_time: Time) -> Self {
        Self {
            since,
            last_time,
            streams: AtomicUsize::new(0),
            rows: AtomicU64::new(0),
        }
    }

    /// A stream is to send again what was kept of it. All are known before the first has begun.
    pub(crate) fn expect(&self) {
        self.streams.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether all have.
    pub(crate) fn is_over(&self) -> bool {
        self.streams.load(Ordering::Acquire) == 0
    }

    /// A stream has sent that, so many rows.
    pub(crate) fn sent(&self, rows: u64) {
        let rows = self.rows.fetch_add(rows, Ordering::AcqRel) + rows;
        if self.streams.fetch_sub(1, Ordering::AcqRel) == 1 {
            tracing::info!(
                target: "pathway",
                "recovered {rows} rows that were kept up to time {} in {:.3} s",
                self.last_time,
                self.since.elapsed().as_secs_f64()
            );
        }
    }
}
