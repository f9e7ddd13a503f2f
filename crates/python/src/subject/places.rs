//! Where in the user's program a row is sent.

use std::cell::RefCell;

use pyo3::prelude::*;

thread_local! {
    /// The subject whose call this thread makes again, and where that came from.
    pub(super) static REPLAYED: RefCell<Option<(usize, Option<String>)>> = const { RefCell::new(None) };
}

/// Whether this thread makes calls of the subject at this address again.
pub(super) fn is_replaying(address: usize) -> bool {
    REPLAYED.with_borrow(|replayed| replayed.as_ref().is_some_and(|(who, _)| *who == address))
}

/// Where the call that this thread makes again came from, if it does.
fn replayed_place() -> Option<String> {
    REPLAYED.with_borrow(|replayed| replayed.as_ref().and_then(|(_, place)| place.clone()))
}

/// The file and line of the user's program that sends a row.
pub(super) fn caller(py: Python<'_>) -> Option<String> {
    replayed_place().or_else(|| {
        py.import("pathway.io._drive")
            .and_then(|module| module.call_method0("sending_place"))
            .and_then(|place| place.extract())
            .unwrap_or_default()
    })
}
