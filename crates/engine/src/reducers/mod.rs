//! The aggregates of `reduce`.
//!
//! A [`Reducer`] is inert; its [`ReducerState`] holds what it knows of all groups of one worker, each in a
//! numbered *slot*, and takes a whole batch at a time. A state is never asked to remember what it put out:
//! `reduce` reads the old values off it before the first change.
//!
//! What is saved of a state are columns with a row for each group, see [`ReducerState::save`]; where a group has many
//! items, they are rows of their own, see [`SavedItems`].
//!
//! **One file a reducer, or a few that share a state.** To add one: an entry in [`REDUCERS`], and its echo of
//! the same name in Python.

mod arg;
mod arrays;
mod average;
mod count;
mod distinct;
mod extreme;
mod floats;
mod items;
mod kept;
mod list;
mod saved;
mod sequence;
mod sum;
mod timely;
mod unique;

use std::fmt;

pub use list::{REDUCERS, reducer};
use towpath_types::{Column, DType, Key, Physical, Time};

use crate::error::{EngineError, ErrorKind, PlanError, RowError};
use crate::state::Saved;

/// An aggregate of the engine: an entry in [`REDUCERS`].
pub struct Reducer {
    /// The name; unique.
    pub name: &'static str,
    /// The type of the result, or why the arguments do not fit.
    pub result: fn(&[DType], &Options) -> Result<DType, PlanError>,
    /// The state of one worker, still empty.
    pub start: fn(&Setup<'_>) -> Box<dyn ReducerState>,
    /// Whether workers can say with [`ReducerState::partial`] what they know of a group.
    pub combines: fn(&Setup<'_>) -> bool,
}

impl fmt::Debug for Reducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// How a reducer is to behave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether rows with `None` for the first argument are left out.
    pub skip_nones: bool,
}

/// What a state knows when it starts.
#[derive(Debug)]
pub struct Setup<'a> {
    /// The types of the arguments.
    pub arguments: &'a [DType],
    /// The type of the result.
    pub dtype: &'a DType,
    /// How to behave.
    pub options: Options,
    /// Whether rows are never removed.
    pub append_only: bool,
    /// Whether the state will be saved.
    pub keeps_state: bool,
}

impl Setup<'_> {
    /// The layout of an argument.
    fn layout(&self, argument: usize) -> Physical {
        self.arguments.get(argument).map_or(Physical::Any, DType::physical)
    }
}

/// Updates to groups, row by row.
#[derive(Clone, Copy, Debug)]
pub struct Updates<'a> {
    /// The slot of the group of each row.
    pub slots: &'a [u32],
    /// The key of the group of each row.
    pub groups: &'a [Key],
    /// The keys of the rows.
    pub keys: &'a [Key],
    /// The differences, unless every row is added once.
    pub diffs: Option<&'a [i64]>,
    /// Their time.
    pub time: Time,
}

impl Updates<'_> {
    /// The difference of one row.
    #[inline]
    pub fn diff(&self, row: usize) -> i64 {
        self.diffs.map_or(1, |diffs| diffs[row])
    }
}

/// A group whose result cannot be computed: its position among the slots asked for, and why.
pub type FailedGroups = Vec<(usize, RowError)>;

/// What a reducer knows of all groups of one worker.
pub trait ReducerState: fmt::Debug {
    /// Makes room for slots below `slots`; new ones are empty.
    fn grow(&mut self, slots: usize);

    /// Takes rows, none of which has an error among the arguments.
    ///
    /// # Errors
    /// If the run cannot go on.
    fn update(&mut self, updates: &Updates<'_>, arguments: &[Column]) -> Result<(), EngineError>;

    /// The results for `slots`.
    fn output(&self, slots: &[u32], failures: &mut FailedGroups) -> Column;

    /// Forgets a group; the slot will be used by another.
    fn clear(&mut self, slot: u32);

    /// What is known of `slots`, in columns that [`ReducerState::merge`] takes on another worker. Only of reducers that
    /// combine.
    fn partial(&self, slots: &[u32]) -> Vec<Column> {
        let _ = slots;
        panic!("{self:?} does not combine");
    }

    /// What would be known of single rows with these arguments, each added once: the columns of
    /// [`ReducerState::partial`].
    fn partial_of_rows(&self, arguments: &[Column]) -> Vec<Column> {
        arguments.to_vec()
    }

    /// Takes what other workers know: `partial` stands for as many rows as the differences say, or for one that is
    /// removed.
    ///
    /// # Errors
    /// If the run cannot go on.
    fn merge(&mut self, updates: &Updates<'_>, partial: &[Column]) -> Result<(), EngineError> {
        self.update(updates, partial)
    }

    /// The layouts of the columns of [`ReducerState::save`].
    fn layouts(&self) -> Vec<Physical>;

    /// What is known of `slots`, besides their items, in columns with a row for each.
    fn save(&self, slots: &[u32]) -> Vec<Column>;

    /// Takes what was saved of `slots`, which are empty, in columns of the layouts.
    ///
    /// # Errors
    /// If nothing that was saved looks like that.
    fn restore(&mut self, slots: &[u32], columns: &[Column]) -> Result<(), EngineError>;

    /// What is saved item by item, if groups have many.
    fn items(&mut self) -> Option<&mut dyn SavedItems>;
}

/// What groups have many of, saved item by item: the identity of a row is a hash of the group's key and the item, its owner
/// the group's key.
pub trait SavedItems {
    /// Puts the items that have come, gone or changed. `find` finds the slot of a group.
    fn save(&mut self, table: u16, saved: &mut Saved, find: &dyn Fn(&Key) -> Option<u32>);

    /// The layouts of the columns in which items are saved.
    fn layouts(&self) -> Vec<Physical>;

    /// Takes items of `slots`, one a row, in columns of the layouts.
    ///
    /// # Errors
    /// If nothing that was saved looks like that.
    fn restore(&mut self, slots: &[u32], columns: &[Column]) -> Result<(), EngineError>;
}

/// The reducer needs the rows themselves.
fn never(_: &Setup<'_>) -> bool {
    false
}

/// Refuses a number or type of arguments.
fn unsupported(name: &str, arguments: &[DType]) -> PlanError {
    match arguments {
        [first, ..] => PlanError::mismatch(format!(
            "Pathway does not support using reducer {name} on column of type {first}."
        )),
        [] => PlanError::mismatch(format!("The reducer {name} needs an argument.")),
    }
}

/// A total of ints that is no 64-bit int.
fn overflow() -> RowError {
    RowError::new(ErrorKind::Overflow, "integer overflow in reducer sum")
}
