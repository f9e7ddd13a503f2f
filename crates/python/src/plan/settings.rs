//! Where a run is kept, and this process among the others, as the package describes them.

use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use towpath_engine::persistence::{Access, Play, Snapshots};
use towpath_engine::{Member, Persistence, Plan};

use crate::door;
use crate::place::{self, PyPlace, RecordedRow};
use crate::state;

/// Where a run is kept, as the package describes it.
#[derive(FromPyObject)]
pub(super) struct PyPersistence {
    place: PyPlace,
    access: String,
    play: String,
    continues: bool,
    /// What is played instead of what is there, by the source: times, differences, keys and values.
    events: Option<Vec<(String, Vec<RecordedRow>)>>,
    /// How often the state of operators is kept, in milliseconds, if it is.
    snapshot_interval_ms: Option<u64>,
}

impl PyPersistence {
    pub(super) fn into_persistence(self, py: Python<'_>, plan: &Plan) -> PyResult<Persistence> {
        let storage = match &self.events {
            Some(events) => place::recorded(py, plan, events)?,
            None => self.place.storage(py)?,
        };
        Ok(Persistence {
            storage,
            holder: state::holder(),
            access: match self.access.as_str() {
                "full" => Access::Full,
                "record" => Access::Record,
                "replay" => Access::Replay,
                other => return Err(PyValueError::new_err(format!("unknown access {other:?}"))),
            },
            play: match self.play.as_str() {
                "as recorded" => Play::AsRecorded,
                "in real time" => Play::InRealTime,
                "at once" => Play::AtOnce,
                other => return Err(PyValueError::new_err(format!("unknown way to play {other:?}"))),
            },
            continues: self.continues,
            snapshots: self
                .snapshot_interval_ms
                .map(|interval| Snapshots::each(Duration::from_millis(interval))),
        })
    }
}

/// This process among the others, as the package describes it.
#[derive(FromPyObject)]
pub(super) struct PyMember {
    pub(super) process: usize,
    addresses: Vec<String>,
    secret: String,
    timeout: f64,
    silence: f64,
    run: u64,
    is_interrupted: Py<PyAny>,
}

impl PyMember {
    pub(super) fn into_member(self) -> Member {
        let is_interrupted = self.is_interrupted;
        Member {
            process: self.process,
            addresses: self.addresses,
            secret: self.secret,
            timeout: seconds(self.timeout),
            silence: seconds(self.silence),
            run: self.run,
            is_interrupted: Arc::new(move || {
                door::attach(|py| {
                    // A handler that raises wants the same as one that leaves a note.
                    py.check_signals().is_err()
                        || is_interrupted
                            .call0(py)
                            .and_then(|noted| noted.is_truthy(py))
                            .unwrap_or(true)
                })
            }),
        }
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}
