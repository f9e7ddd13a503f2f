//! What a file looks like from outside: whether it may have changed.

use std::fs::Metadata;
use std::time::SystemTime;

use super::position::FileIdentity;

/// What changes when the content of a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) file: FileIdentity,
    pub(crate) is_plain: bool,
    pub(crate) bytes: u64,
    pub(crate) modified: Option<SystemTime>,
    /// When the file, or what is known of it, last changed, in seconds and nanoseconds. A writer can set the time of
    /// change, and copies often keep it; this it cannot.
    changed: (i64, i64),
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            file: FileIdentity::of(metadata),
            is_plain: metadata.is_file(),
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
            changed: changed(metadata),
        }
    }

    /// Whether a later change would show: times of files go on in steps of some milliseconds.
    pub(crate) fn is_settled(&self, now_milliseconds: u64) -> bool {
        let changed = self.changed.0 * 1000 + self.changed.1 / 1_000_000;
        i64::try_from(now_milliseconds).is_ok_and(|now| now - changed > STEP_MILLISECONDS)
    }
}

/// Longer than a step of the clock from which files have their times.
const STEP_MILLISECONDS: i64 = 20;

#[cfg(unix)]
fn changed(metadata: &Metadata) -> (i64, i64) {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn changed(metadata: &Metadata) -> (i64, i64) {
    let since = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    since.map_or((0, 0), |since| {
        (since.as_secs() as i64, i64::from(since.subsec_nanos()))
    })
}
