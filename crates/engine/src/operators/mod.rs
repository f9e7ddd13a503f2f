//! The operators there are.
