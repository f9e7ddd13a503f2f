//! Tables in memory: what stateful operators remember, in columns.
//!
//! A [`CellStore`] is a column that can be overwritten, addressed by *slots*; [`KeyedRows`] is a table of
//! them with an index by key. Everything is plain data, so that it can be saved.

mod cells;
mod rows;
mod slots;

pub use cells::CellStore;
pub use rows::KeyedRows;
pub(crate) use rows::duplicated;
pub use slots::Slots;

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

/// Gives memory back when a map has lost most of what it held.
pub(crate) fn shrink<K: Hash + Eq, V, S: BuildHasher>(map: &mut HashMap<K, V, S>) {
    const LEAST: usize = 1 << 10;
    if map.capacity() > LEAST && map.len() < map.capacity() / 8 {
        map.shrink_to(map.len() * 2);
    }
}
