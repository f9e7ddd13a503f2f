//! Tables in memory: what stateful operators remember, in columns.
//!
//! A [`CellStore`] is a column that can be overwritten, addressed by *slots*; [`KeyedRows`] is a table of
//! them with an index by key. Everything is plain data, so that it can be saved.

mod cells;
mod rows;

pub use cells::CellStore;
pub(crate) use rows::duplicated;
pub use rows::{KeyedRows, Slots};
