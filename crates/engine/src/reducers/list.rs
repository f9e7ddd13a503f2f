//! The list of reducers.

use super::{Reducer, arg, average, count, distinct, extreme, sequence, sum, timely, unique};

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
