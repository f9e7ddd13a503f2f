//! `Run`: a run under way, as the main thread watches it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use towpath_engine::monitor::Role;
use towpath_engine::{EngineError, ErrorKind};

use crate::door;
use crate::error::engine_error;

/// What one node has done so far.
#[pyclass(name = "Statistics", module = "pathway._native", frozen, get_all)]
#[derive(Debug)]
pub(crate) struct PyStatistics {
    name: String,
    role: &'static str,
    rows_in: u64,
    rows_out: u64,
    rejected: u64,
    backlog: u64,
    bytes: u64,
    bytes_read: u64,
    time: u64,
    workers: Vec<WorkerCounts>,
}

/// The number of a worker in this process, and what it has done of a node: rows in, rows out, backlog.
type WorkerCounts = (usize, u64, u64, u64);

/// What this process has kept of a run so far.
#[pyclass(name = "KeptFigures", module = "pathway._native", frozen, get_all)]
#[derive(Debug)]
pub(crate) struct PyKeptFigures {
    durable_time: Option<u64>,
    lag_ms: u64,
    journal_written: u64,
    journal_bytes: u64,
    snapshot_time: Option<u64>,
    snapshot_seconds: Option<f64>,
    snapshot_bytes: Option<u64>,
    snapshot_parts: Option<usize>,
}

/// A run under way.
#[pyclass(name = "Run", module = "pathway._native", frozen)]
#[derive(Debug)]
pub(crate) struct PyRun {
    run: Mutex<Option<Arc<towpath_engine::Run>>>,
    /// Nobody waits for its threads any more.
    is_abandoned: AtomicBool,
    /// Its threads are in the process that was forked so often.
    forks: usize,
    /// As long as it is there, what it runs is not run a second time.
    running: Mutex<Option<Arc<()>>>,
}

impl PyRun {
    /// A run; the token is held for as long as it goes on.
    pub(crate) fn new(run: towpath_engine::Run, running: Arc<()>) -> Self {
        Self {
            run: Mutex::new(Some(Arc::new(run))),
            is_abandoned: AtomicBool::new(false),
            forks: door::forks(),
            running: Mutex::new(Some(running)),
        }
    }

    fn run(&self) -> PyResult<Arc<towpath_engine::Run>> {
        self.run
            .lock()
            .clone()
            .ok_or_else(|| PyRuntimeError::new_err("the run has ended"))
    }
}

#[pymethods]
impl PyRun {
    /// Waits without the GIL; True when the run has ended. Raises what ended it.
    fn wait(&self, py: Python<'_>, seconds: f64) -> PyResult<bool> {
        let run = self.run()?;
        let timeout = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let Some(result) = py.detach(|| run.wait(Some(timeout))) else {
            return Ok(false);
        };
        // It may live on for a while, in the traceback of an exception.
        self.running.lock().take();
        match result {
            Ok(()) => Ok(true),
            Err(error) => Err(engine_error(py, &error)),
        }
    }

    /// Waits without the GIL until this process has what the run reads and writes: None while nobody knows. If it is
    /// False, the run has failed.
    fn opened(&self, py: Python<'_>, seconds: f64) -> PyResult<Option<bool>> {
        let run = self.run()?;
        let timeout = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        Ok(py.detach(|| run.opened(timeout)))
    }

    /// Asks the sources to end, and does not wait for functions of the user that this calls; then wait.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        let run = self.run()?;
        py.detach(|| run.stop());
        Ok(())
    }

    /// Ends the run at once.
    fn abort(&self, py: Python<'_>) -> PyResult<()> {
        let run = self.run()?;
        py.detach(|| run.abort(EngineError::new(ErrorKind::Runtime, "the run was aborted")));
        Ok(())
    }

    /// Whether the run has failed, though functions of the user may not have returned yet.
    fn has_failed(&self, py: Python<'_>) -> PyResult<bool> {
        let run = self.run()?;
        Ok(py.detach(|| run.failure()).is_some())
    }

    /// Raises what the run has failed with; its threads are left alone until the process ends.
    fn abandon(&self, py: Python<'_>) -> PyResult<()> {
        let run = self.run()?;
        let Some(error) = py.detach(|| run.failure()) else {
            return Ok(());
        };
        self.is_abandoned.store(true, Ordering::Relaxed);
        self.running.lock().take();
        Err(engine_error(py, &error))
    }

    /// What this process has kept so far, if it keeps anything.
    fn kept(&self) -> PyResult<Option<PyKeptFigures>> {
        let kept = self.run()?.kept();
        Ok(kept.map(|kept| {
            let snapshot = kept.snapshot;
            let size = snapshot.and_then(|snapshot| snapshot.size);
            let duration = snapshot.and_then(|snapshot| snapshot.duration);
            PyKeptFigures {
                durable_time: kept.durable_time,
                lag_ms: kept.lag,
                journal_written: kept.journal_written,
                journal_bytes: kept.journal_bytes,
                snapshot_time: snapshot.map(|snapshot| snapshot.time),
                snapshot_seconds: duration.map(|duration| duration.as_secs_f64()),
                snapshot_bytes: size.map(|(bytes, _)| bytes),
                snapshot_parts: size.map(|(_, parts)| parts),
            }
        }))
    }

    /// What every node has done so far.
    fn statistics(&self) -> PyResult<Vec<PyStatistics>> {
        let statistics = self.run()?.statistics();
        Ok(statistics
            .into_iter()
            .map(|node| PyStatistics {
                name: node.name,
                role: match node.role {
                    Role::Source => "source",
                    Role::Operator => "operator",
                    Role::Sink => "sink",
                },
                rows_in: node.all.rows_in,
                rows_out: node.all.rows_out,
                rejected: node.all.rejected,
                backlog: node.all.backlog,
                bytes: node.all.size,
                bytes_read: node.all.read,
                time: node.all.time,
                workers: node
                    .workers
                    .iter()
                    .map(|(worker, counts)| (*worker, counts.rows_in, counts.rows_out, counts.backlog))
                    .collect(),
            })
            .collect())
    }
}

impl Drop for PyRun {
    fn drop(&mut self) {
        // The threads of the run may want the GIL to end.
        if let Some(run) = self.run.lock().take() {
            // To drop it is to wait for its threads: those that nobody waits for, that wait for ever since the
            // interpreter ends, or that are in another process.
            if self.is_abandoned.load(Ordering::Relaxed) || door::is_closed() || self.forks != door::forks() {
                std::mem::forget(run);
                return;
            }
            door::attach(|py| py.detach(|| drop(run)));
        }
    }
}
