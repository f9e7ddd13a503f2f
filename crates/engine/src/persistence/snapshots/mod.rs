//! Snapshots of the state of all operators, so that a run that goes on needs only what came in since.
//!
//! A snapshot holds after a time at which the run was [cut](super::cut): what every operator has saved, in parts, each of
//! which has what has changed since the one before, and a manifest that names them and says where streams and outputs go on.
//! A run that goes on begins behind the cut, and the journal before it can go.
//!
//! ```text
//! merging        many parts become one
//! restoring      operators get back what they have saved
//!   manifest     what a snapshot is of
//!     live       which saved rows hold
//!       parts    saved rows in files
//! ```

mod live;
mod manifest;
mod merging;
mod parts;
mod restoring;

pub(crate) use manifest::Manifest;
pub(super) use merging::{Merging, to_merge};
pub(super) use parts::{Part, PartsWriter};
pub(crate) use restoring::Restoring;
