//! What cuts a block into records.

use super::block::Block;
use super::rows::RowBuilder;

/// Cuts the blocks of one file into records.
pub(crate) trait RecordFormat {
    /// Hands the complete records of a block to `rows`, and returns how many bytes they took.
    fn parse(&mut self, block: &Block, rows: &mut RowBuilder<'_>) -> usize;

    /// What the file lacks, up to where it was read, so that there are no rows in it.
    fn lacks(&self) -> Option<&str> {
        None
    }
}

/// Makes rows of the complete records of a block, and returns how many bytes they took.
pub(crate) fn parse_block(format: &mut dyn RecordFormat, block: &Block, rows: &mut RowBuilder<'_>) -> usize {
    rows.begin_block(block);
    let consumed = format.parse(block, rows);
    rows.end_block(consumed);
    consumed
}
