//! How long a storage of objects is waited for.

use std::time::Duration;

/// How long a storage of objects is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// So long for one request.
    pub attempt: Duration,
    /// A request that fails is tried again until so much time has gone.
    pub total: Duration,
    /// How often the lease is renewed.
    pub renewal: Duration,
    /// A lease that was not renewed for so long may be taken over.
    pub lapse: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(15),
            total: Duration::from_secs(60),
            renewal: Duration::from_secs(10),
            lapse: Duration::from_secs(60),
        }
    }
}

impl Patience {
    /// One that gives up after so long.
    pub fn with_total(total: Duration) -> Self {
        let patience = Self::default();
        Self {
            attempt: patience.attempt.min(total),
            total,
            ..patience
        }
    }

    pub(super) fn first_pause(&self) -> Duration {
        (self.total / 100).clamp(Duration::from_millis(1), Duration::from_millis(50))
    }
}
