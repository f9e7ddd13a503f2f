//! What a program keeps on disk, so that it can go on after a crash at any instant.
//!
//! A [`State`] is a place in a [`Storage`] that one run uses at a time. It holds a *journal*, to which every process
//! of a run adds [groups](Group) of records that are durable together or not at all, and *blobs*, which are replaced as
//! a whole, and *snapshots*, a manifest with the files that it names. What the records and blobs mean is up to who
//! writes them: nothing here knows of rows.
//!
//! Whatever is read is checked. What a crash may leave at the end of a journal is cut off; any other damage, and what
//! is not of this state, is a [`StateError`] that says where it is. There is never other content than what was written.
//!
//! Every step of writing is a [point](points) at which a test can have the process fail, stop or be killed.

mod advice;
mod blob_format;
mod blobs;
mod error;
mod format;
mod journal;
mod names;
pub mod points;
mod snapshots;
mod state;
mod storage;

pub use blobs::{put_blob, read_blob};
pub use error::{StateError, StateErrorKind};
pub use journal::{Beginning, Group, IndexEntry, JournalIndex, JournalWriter, Record, delete_before};
pub use names::PartName;
pub use snapshots::{
    PartWriter, Section, check_part, damaged_manifest, delete_part, delete_parts_before, put_manifest, read_manifest,
    read_sections,
};
pub use state::{Access, State};
pub use storage::{
    Appender, AzureContainer, Entry, Fault, FaultyStorage, Holder, LocalStorage, Lock, LockError, MemoryStorage,
    ObjectStorage, Patience, S3Bucket, Storage,
};

/// A time of the engine.
pub type Time = u64;
