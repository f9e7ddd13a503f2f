//! The aggregates of `reduce`.
