//! What a format has to know to be written.

use towpath_engine::Description;
use towpath_types::{Batch, Time};

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
pub(super) fn write_int(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}
