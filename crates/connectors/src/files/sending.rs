//! The way of rows from a file into the queue, and why it ends early.

use std::io;

use towpath_engine::SourceQueue;
use towpath_engine::source::Stopped;
use towpath_types::Batch;

use super::open::StoppedWaiting;

/// Why reading ends early.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The run is over, or the source has been told to stop.
    Stopped,
    /// The file cannot be read any further.
    Unreadable(io::Error),
}

impl From<Stopped> for Halt {
    fn from(_: Stopped) -> Self {
        Halt::Stopped
    }
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        match error.get_ref() {
            Some(inner) if inner.is::<StoppedWaiting>() => Halt::Stopped,
            _ => Halt::Unreadable(error),
        }
    }
}

/// Sends rows, no more at once than may be in flight.
pub(crate) fn push(queue: &SourceQueue, batch: &Batch) -> Result<(), Stopped> {
    let size = queue.limits().rows.max(1);
    let mut start = 0;
    while start < batch.len() {
        let len = size.min(batch.len() - start);
        queue.push(batch.slice(start, len))?;
        queue.wait_for_space()?;
        start += len;
    }
    Ok(())
}
