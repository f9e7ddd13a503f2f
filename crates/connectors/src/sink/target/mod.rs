//! What the rows of an output are written to.
//!
//! An *ordinary file* is ours: it is emptied when the run starts, and cut back to the last complete time if the run
//! fails. No two outputs of the process write to the same one. Somebody may delete, rename or replace it while it is
//! written; then all later rows would go nowhere, so that is an error. It is written at its end, wherever that is: a
//! file may be copied and emptied while it is written, as programs do that keep logs short.
//!
//! Everything else is a *stream*: a pipe, a terminal, a device, and what this process was started with (`/dev/stdout`,
//! `/dev/fd/3`), also where that is a file. Others may write to it, too, so nothing is ever emptied or cut there, and
//! what several outputs of this process write does not get mixed within a line. Who reads from it may take its time,
//! or not have come yet; a run that is ended does not wait for it.

#[cfg(unix)]
mod node;
#[cfg(unix)]
mod ordinary;
#[cfg(not(unix))]
mod portable;
#[cfg(unix)]
mod stream;
#[cfg(unix)]
mod unix;

use std::path::Path;

#[cfg(not(unix))]
use portable as system;
#[cfg(unix)]
use unix as system;

pub(super) use system::Target;

/// Whether several outputs may write to what is at the path.
pub fn may_be_shared(path: &Path) -> bool {
    system::is_stream(path)
}
