//! The functions of the engine, family by family.

use super::Function;

/// All functions.
pub(super) const FAMILIES: &[&[Function]] = &[];
