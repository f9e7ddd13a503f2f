//! Writing: an operator without outputs that turns updates into bytes of a format and hands them to a
//! transport. [`FileSink`] is the file transport for every [`RowFormat`]; [`NullSink`] takes rows and
//! forgets them.
//!
//! All rows of a sink go to the first worker, which sees a time once and whole; those of a partitioned one stay with
//! all workers, each of which sees its part of a time once and whole. To add a text format: a file with a
//! [`RowFormat`].

mod csv;
mod destination;
mod file;
mod format;
mod gate;
mod jsonlines;
mod mark;
mod null;
mod page;
mod target;
mod writer;

pub use csv::CsvWriter;
pub use file::FileSink;
pub use format::RowFormat;
pub use jsonlines::JsonLinesWriter;
pub use null::NullSink;
pub use target::may_be_shared;
