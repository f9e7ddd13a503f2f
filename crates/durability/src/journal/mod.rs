//! What is written as it happens: files of groups, each of which is durable as a whole or not at all.
//!
//! Every process of every run ("generation") has files of its own, `journal/{generation}-{process}-{file}.journal`, and
//! goes on in a new one when it is told to. A file begins with a header: which state, generation, process and file it
//! is of, and the names of its streams. Groups follow, numbered from 0. All checksums are made with a seed that only
//! this file has, so that nothing else can be taken for a group of it: not a copy, not what a disk kept of another file.
//!
//! A process that dies leaves at most one group that is not whole, at the end of its last file; nobody was told that it
//! is durable, so it is left out when the journal is read. Everything else that is not whole or not there is damage. The
//! next run says in its headers how far it has read, for what it went on from must not become more or less: from then
//! on a shorter file is damage, too, and what a process of the earlier run still adds is not read.

mod files;
mod groups;
mod index;
mod layout;
mod window;
mod writer;

pub use files::{Beginning, delete_before};
pub use groups::IndexEntry;
pub use index::JournalIndex;
pub use layout::{Group, Record};
pub use writer::JournalWriter;
