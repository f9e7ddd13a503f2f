//! Which file it is, by whatever path.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

/// The device and the number of a file on it.
pub(super) type Node = (u64, u64);

pub(super) fn node(metadata: &Metadata) -> Node {
    (metadata.dev(), metadata.ino())
}
