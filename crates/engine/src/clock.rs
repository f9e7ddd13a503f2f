//! The one door to the time of day, so that tests can fake it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use towpath_types::Time;

/// Tells the time.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Milliseconds since the unix epoch.
    fn unix_milliseconds(&self) -> u64;

    /// The latest even millisecond, as times of the computation are.
    fn time(&self) -> Time {
        self.unix_milliseconds() & !1
    }
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn unix_milliseconds(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis() as u64)
    }
}

/// A clock that stands until it is set.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// Sets the time, in milliseconds since the unix epoch.
    pub fn set(&self, unix_milliseconds: u64) {
        self.0.store(unix_milliseconds, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn unix_milliseconds(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}
