//! What is kept of runs, for the command `pathway state`, and the points at which a test can have a process fail.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use towpath_durability::{Access, Holder, State, points};
use towpath_engine::persistence::{self, Inspection, KeptConnector};

use crate::error::engine_error;
use crate::place::PyPlace;

/// This process, as one that holds a state from now on.
pub(crate) fn holder() -> Holder {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Holder::current(since.map_or(0, |since| since.as_millis() as u64))
}

/// The names of the points at which TOWPATH_FAIL_POINT can have a process fail, stop or be killed.
#[pyfunction]
pub(crate) fn fail_points() -> Vec<&'static str> {
    points::ALL.to_vec()
}

/// What is kept in a place.
#[pyfunction]
pub(crate) fn inspect_state<'py>(py: Python<'py>, place: PyPlace, decode: bool) -> PyResult<Bound<'py, PyDict>> {
    let storage = place.storage(py)?;
    let found = py
        .detach(|| persistence::inspect(&storage, decode))
        .map_err(|error| engine_error(py, &error))?;
    let Inspection {
        location,
        created,
        holder,
        bytes,
        generations,
        ended_well,
        last_time,
        snapshot,
        connectors,
    } = found;
    let shown = PyDict::new(py);
    shown.set_item("location", location)?;
    shown.set_item("created", created)?;
    shown.set_item("is_held", holder.is_some())?;
    let holder = holder
        .flatten()
        .map(|holder| (holder.host, holder.process, holder.since));
    shown.set_item("holder", holder)?;
    shown.set_item("bytes", bytes)?;
    shown.set_item("generations", generations)?;
    shown.set_item("ended_well", ended_well)?;
    shown.set_item("last_time", last_time)?;
    let snapshot = snapshot.map(|snapshot| {
        let shown = PyDict::new(py);
        shown.set_item("time", snapshot.time)?;
        shown.set_item("bytes", snapshot.bytes)?;
        shown.set_item("parts", snapshot.parts)?;
        shown.set_item("has_journal", snapshot.has_journal)?;
        PyResult::Ok(shown)
    });
    shown.set_item("snapshot", snapshot.transpose()?)?;
    let connectors: PyResult<Vec<_>> = connectors.into_iter().map(|kept| connector(py, kept)).collect();
    shown.set_item("connectors", PyList::new(py, connectors?)?)?;
    Ok(shown)
}

fn connector(py: Python<'_>, kept: KeptConnector) -> PyResult<Bound<'_, PyDict>> {
    let shown = PyDict::new(py);
    shown.set_item("name", kept.name)?;
    shown.set_item("commits", kept.commits)?;
    shown.set_item("rows", kept.rows)?;
    shown.set_item("bytes", kept.bytes)?;
    shown.set_item("last_time", kept.last_time)?;
    shown.set_item("position", kept.position.map(|position| PyBytes::new(py, &position)))?;
    Ok(shown)
}

/// Has a stream of a source go on at another offset.
#[pyfunction]
pub(crate) fn set_state_position(py: Python<'_>, place: PyPlace, name: &str, position: Vec<u8>) -> PyResult<()> {
    let storage = place.storage(py)?;
    py.detach(|| persistence::set_position(&storage, holder(), name, position))
        .map_err(|error| engine_error(py, &error))
}

/// Deletes what is kept in a place.
#[pyfunction]
pub(crate) fn delete_state(py: Python<'_>, place: PyPlace) -> PyResult<()> {
    let storage = place.storage(py)?;
    // A place that is empty would become a state.
    py.detach(|| {
        State::open(Arc::clone(&storage), holder(), Access::ReadOnly)?;
        State::open(storage, holder(), Access::ReadWrite)?.delete()
    })
    .map_err(|error| PyOSError::new_err(error.to_string()))
}
