//! What cuts a block into records.

use super::block::Block;
use super::rows::RowBuilder;

/// Cuts the blocks of one file into records.
pub(crate) trait RecordFormat {
    /// Hands the complete records of a block to `rows`, and returns how many bytes they took.
    fn parse(&mut self, block: &Block, rows: &mut RowBuilder<'_>) -> usize;
}

/// Makes rows of the complete records of a block, and returns how many bytes they took.
pub(crate) fn parse_block(format: &mut dyn RecordFormat, block: &Block, rows: &mut RowBuilder<'_>) -> usize {
    rows.begin_block(block);
    let consumed = format.parse(block, rows);
    rows.end_block(consumed);
    consumed
}
