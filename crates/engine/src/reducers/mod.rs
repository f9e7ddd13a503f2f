//! The aggregates of `reduce`.
//!
//! A [`Reducer`] is inert; its [`ReducerState`] holds what it knows of all groups of one worker, each in a
//! numbered *slot*, and takes a whole batch at a time. A state is never asked to remember what it put out:
//! `reduce` reads the old values off it before the first change.
//!
//! **One file a reducer, or a few that share a state.** To add one: an entry in [`REDUCERS`], and its echo of
//! the same name in Python.

mod arg;
mod average;
mod count;
mod distinct;
mod extreme;
mod floats;
mod items;
mod sequence;
mod sum;
mod timely;
mod unique;

use std::fmt;

use towpath_types::{Column, DType, Key, Physical};

use crate::error::{EngineError, PlanError, RowError};

/// All reducers.
pub const REDUCERS: &[Reducer] = &[
    count::COUNT,
    sum::SUM,
    average::AVG,
    extreme::MIN,
    extreme::MAX,
    arg::ARGMIN,
    arg::ARGMAX,
    arg::ANY,
    unique::UNIQUE,
    sequence::TUPLE,
    sequence::SORTED_TUPLE,
    sequence::NDARRAY,
    timely::EARLIEST,
    timely::LATEST,
    distinct::COUNT_DISTINCT,
];

/// Finds a reducer by its name.
pub fn reducer(name: &str) -> Option<&'static Reducer> {
    REDUCERS.iter().find(|reducer| reducer.name == name)
}

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
    /// The keys of the rows.
    pub keys: &'a [Key],
    /// The differences, unless every row is added once.
    pub diffs: Option<&'a [i64]>,
    /// Numbers the times in their order.
    pub commit: u64,
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
