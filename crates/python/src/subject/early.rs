//! Calls before `read`, as a subject keeps them.

use std::collections::VecDeque;

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::door;

/// What a subject was called with before `read`.
#[derive(Debug)]
pub(super) struct Early {
    pub(super) calls: Mutex<VecDeque<Call>>,
    /// How often this process was forked when the subject was made.
    pub(super) forks: usize,
}

impl Default for Early {
    fn default() -> Self {
        Self {
            calls: Mutex::default(),
            forks: door::forks(),
        }
    }
}

#[derive(Debug)]
pub(super) struct Call {
    /// Takes the subject and then the arguments.
    pub(super) function: Py<PyAny>,
    pub(super) arguments: Py<PyTuple>,
    pub(super) keywords: Option<Py<PyDict>>,
    pub(super) place: Option<String>,
}
