//! Writing: an operator without outputs that turns updates into bytes of a format and hands them to a
//! transport. [`FileSink`] is the file transport for every [`RowFormat`]; [`NullSink`] takes rows and
//! forgets them.
//!
//! All rows of a sink go to the first worker, which sees a time once and whole; those of a partitioned one stay with
//! all workers, each of which sees its part of a time once and whole. To add a text format: a file with a
//! [`RowFormat`].

mod csv;
mod file;
mod jsonlines;
mod null;
mod place;
mod target;
mod writer;

use towpath_engine::Description;
use towpath_types::{Batch, Time};

pub use csv::CsvWriter;
pub use file::FileSink;
pub use jsonlines::JsonLinesWriter;
pub use null::NullSink;
pub use target::may_be_shared;

/// How updates look as bytes.
pub trait RowFormat: std::fmt::Debug + Send + Sync {
    /// What the format is called.
    fn name(&self) -> &'static str;

    /// Says how it is set.
    fn describe(&self, description: &mut Description);

    /// How the names of its files end, without the point.
    fn extension(&self) -> &'static str;

    /// Appends what stands before the first row; nothing is written to a single file for a table without rows.
    fn write_header(&self, out: &mut Vec<u8>);

    /// Appends updates of one time, in their order. No cell is an error.
    fn write_rows(&self, batch: &Batch, time: Time, out: &mut Vec<u8>);
}

/// Appends an integer in decimal.
fn write_int(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}
