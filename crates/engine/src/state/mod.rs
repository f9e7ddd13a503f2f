//! The state of tasks as it is saved: rows of tables, of which only those are said again that have changed.
//!
//! A row of such a table has an *identity* and an *owner*, both keys. What is put replaces the row of the same table,
//! owner and identity; what is removed is no more. By the shard of the owner it is decided which worker a row belongs to,
//! so that a run with another number of workers finds it again.
//!
//! What changes is noted by slots, see [`Changes`], or as a list of what was touched, see [`Touched`], and only where
//! state is saved at all.

mod changes;
mod check;
mod name;
mod saved;

pub use changes::{Changes, Named, Touched, take_new};
pub use check::{check, ints, keys, no_table, unreadable};
pub use name::Name;
pub use saved::{Saved, SavedRows};
