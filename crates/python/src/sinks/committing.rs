//! An observer that takes part in commits: it makes what it was given ready, and visible once that may be.
//!
//! ```text
//! changes of a time → prepare → note on disk ┐
//!                     all that the time comes of is on disk ┴→ commit → changes of the next time
//! ```
//!
//! It has one time in its hands. What comes meanwhile waits here, and counts as in flight.

use std::collections::VecDeque;
use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyInt};
use towpath_engine::{EngineError, ErrorKind, KeptOutput};
use towpath_types::{Batch, Time};

use crate::door;
use crate::error::raised;

/// What is called of an observer that takes part.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    /// `(name)`, before anything else: what the state calls the output, if `recover` follows, else None.
    pub(crate) on_begin: Option<Py<PyAny>>,
    /// `(time)`, which gives a token, or none.
    pub(crate) prepare: Option<Py<PyAny>>,
    /// `(time, token)`.
    pub(crate) commit: Option<Py<PyAny>>,
    /// `(time, token)`, which answers up to which time everything is visible.
    pub(crate) recover: Option<Py<PyAny>>,
}

impl Hooks {
    /// Whether there are any that are called at each time.
    fn are_for_times(&self) -> bool {
        self.prepare.is_some() || self.commit.is_some() || self.recover.is_some()
    }
}

/// A time of which the observer has all changes.
struct Ready {
    time: Time,
    token: Option<Vec<u8>>,
}

/// How far an observer is that takes part.
pub(super) struct Committing {
    hooks: Arc<Hooks>,
    label: String,
    kept: Option<KeptOutput>,
    /// Up to which time it has delivered everything in the runs before.
    delivered: Option<Time>,
    /// Before which time all that came into the run is on disk.
    durable: Time,
    /// The changes of times that are complete, and that it has not had.
    waiting: VecDeque<(Time, Vec<Batch>)>,
    ready: Option<Ready>,
}

impl Committing {
    /// For an observer that is known by this label in messages; nothing if it does not take part.
    pub(super) fn begin(
        hooks: &Arc<Hooks>,
        label: &str,
        kept: Option<&KeptOutput>,
    ) -> Result<Option<Self>, EngineError> {
        if !hooks.are_for_times() && hooks.on_begin.is_none() {
            return Ok(None);
        }
        let mut committing = Self {
            hooks: Arc::clone(hooks),
            label: label.to_owned(),
            kept: kept.cloned(),
            delivered: None,
            durable: 0,
            waiting: VecDeque::new(),
            ready: None,
        };
        committing.recover()?;
        Ok(Some(committing))
    }

    fn recover(&mut self) -> Result<(), EngineError> {
        let kept = self.kept.clone().filter(|kept| kept.name().is_some());
        if let Some(on_begin) = &self.hooks.on_begin {
            door::attach(|py| {
                let name = kept.as_ref().and_then(KeptOutput::name);
                let call = || door::call(on_begin.bind(py), &[name.into_pyobject(py)?.into_any()], None);
                call().map(drop).map_err(|error| raised(py, error))
            })?;
        }
        let Some(kept) = kept else {
            return Ok(());
        };
        let is_new = kept.delivered().is_none();
        let noted = match kept.delivered() {
            Some((_, [BEGUN])) | None => None,
            Some((time, token)) => Some((time, self.decode(token)?)),
        };
        self.delivered = noted.as_ref().map(|(time, _)| *time);
        if let Some(recover) = &self.hooks.recover {
            let answer = door::attach(|py| {
                let call = || {
                    let (time, token) = match &noted {
                        Some((time, token)) => (
                            time.into_pyobject(py)?.into_any(),
                            token_to_python(py, token.as_deref()),
                        ),
                        None => (py.None().into_bound(py), py.None().into_bound(py)),
                    };
                    answered(&door::call(recover.bind(py), &[time, token], None)?)
                };
                call().map_err(|error| raised(py, error))
            })?;
            if let Some(visible) = answer {
                self.delivered = visible;
            }
        } else if let (Some((time, token)), true) = (noted, self.hooks.prepare.is_some()) {
            // It was prepared; nobody knows whether it was committed.
            self.commit(time, token.as_deref())?;
        }
        let last_time = kept.last_time().unwrap_or_default();
        if let Some(delivered) = self.delivered
            && (is_new || delivered > last_time)
        {
            let message = format!(
                "{}: it has everything up to time {delivered}, and the state that the run goes on with {}: they do not \
                 belong together. Go on with the state that it was written with, or have it begin anew",
                self.label,
                if is_new {
                    "knows nothing of it".to_owned()
                } else {
                    format!("ends at time {last_time}")
                }
            );
            return Err(EngineError::new(ErrorKind::Value, message));
        }
        let settled = kept.settled().filter(|(_, token)| *token != [BEGUN]);
        if let Some((settled, _)) = settled
            && self.delivered < Some(settled)
        {
            let has = match self.delivered {
                Some(delivered) => format!("has everything up to time {delivered} only"),
                None => "has nothing".to_owned(),
            };
            let message = format!(
                "{}: it {has}, and what comes of the rows up to time {settled} is not computed again: only the state of \
                 the operators is kept. Bring back what was written, or begin anew: reset the state",
                self.label
            );
            return Err(EngineError::new(ErrorKind::Value, message));
        }
        if is_new {
            kept.prepare(0, vec![BEGUN]);
            kept.finish(0, vec![BEGUN]);
        }
        Ok(())
    }

    /// Up to which time everything was delivered before.
    pub(super) fn delivered(&self) -> Option<Time> {
        self.delivered
    }

    /// A time is complete, with these changes.
    pub(super) fn push(&mut self, time: Time, batches: Vec<Batch>) {
        self.waiting.push_back((time, batches));
    }

    /// Everything before this time is on disk.
    pub(super) fn durable(&mut self, time: Time) {
        self.durable = time;
    }

    /// Whether a time waits.
    pub(super) fn awaits(&self) -> bool {
        self.ready.is_some() || !self.waiting.is_empty()
    }

    /// Before which time everything is committed, of what is before `durable`.
    pub(super) fn released(&self, durable: Time) -> Time {
        let ready = self.ready.as_ref().map(|ready| ready.time);
        let first = ready.or_else(|| self.waiting.front().map(|(time, _)| *time));
        first.map_or(durable, |first| first.min(durable))
    }

    /// The changes that the observer is to have next, if it has nothing in its hands, or may commit that.
    pub(super) fn next(&mut self) -> Result<Option<(Time, Vec<Batch>)>, EngineError> {
        if let Some(Ready { time, .. }) = self.ready
            && let Some(kept) = &self.kept
        {
            if !kept.is_prepared() {
                // In several processes it is written when what came into the others is on disk.
                kept.want();
                return Ok(None);
            }
            if self.durable <= time {
                return Ok(None);
            }
        }
        if let Some(Ready { time, token }) = self.ready.take() {
            self.commit(time, token.as_deref())?;
            match &self.kept {
                Some(kept) if self.hooks.prepare.is_some() => kept.finish(time, encode(token.as_deref())),
                Some(kept) => kept.deliver(time, Vec::new()),
                None => {}
            }
        }
        Ok(self.waiting.pop_front())
    }

    /// The observer has all changes of a time.
    pub(super) fn prepare(&mut self, time: Time) -> Result<(), EngineError> {
        let mut token = None;
        if let Some(prepare) = &self.hooks.prepare {
            token = door::attach(|py| {
                let call = || {
                    let returned = door::call(prepare.bind(py), &[time.into_pyobject(py)?.into_any()], None)?;
                    token_from_python(&returned)
                };
                call().map_err(|error| raised(py, error))
            })?;
            if let Some(kept) = &self.kept {
                kept.prepare(time, encode(token.as_deref()));
            }
        }
        self.ready = Some(Ready { time, token });
        Ok(())
    }

    fn commit(&self, time: Time, token: Option<&[u8]>) -> Result<(), EngineError> {
        let Some(commit) = &self.hooks.commit else {
            return Ok(());
        };
        door::attach(|py| {
            let call = || {
                let arguments = [time.into_pyobject(py)?.into_any(), token_to_python(py, token)];
                door::call(commit.bind(py), &arguments, None)
            };
            call().map(drop).map_err(|error| raised(py, error))
        })
    }

    fn decode(&self, noted: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        match noted.split_first() {
            None => Ok(None),
            Some((&TOKEN, token)) => Ok(Some(token.to_vec())),
            Some(_) => {
                let message = format!(
                    "{}: what is noted of it is not of an observer; give the output another name",
                    self.label
                );
                Err(EngineError::new(ErrorKind::Value, message))
            }
        }
    }
}

/// What is noted of an observer before anything is committed, so that one that has something already can be told from one
/// that another state has written.
const BEGUN: u8 = 0;

/// Before the bytes of a token, so that none is told from an empty one.
const TOKEN: u8 = 1;

fn encode(token: Option<&[u8]>) -> Vec<u8> {
    token.map_or_else(Vec::new, |token| [&[TOKEN], token].concat())
}

fn token_to_python<'py>(py: Python<'py>, token: Option<&[u8]>) -> Bound<'py, PyAny> {
    match token {
        Some(token) => PyBytes::new(py, token).into_any(),
        None => py.None().into_bound(py),
    }
}

fn token_from_python(returned: &Bound<'_, PyAny>) -> PyResult<Option<Vec<u8>>> {
    if returned.is_none() {
        return Ok(None);
    }
    match returned.cast::<PyBytes>() {
        Ok(token) => Ok(Some(token.as_bytes().to_vec())),
        Err(_) => Err(PyTypeError::new_err(format!(
            "prepare() returns bytes or None, found {}",
            returned.repr()?
        ))),
    }
}

/// What `recover` has returned: nothing, if what was noted holds; else up to which time everything is visible, if up to any.
fn answered(returned: &Bound<'_, PyAny>) -> PyResult<Option<Option<Time>>> {
    if returned.is_none() {
        return Ok(None);
    }
    if !returned.is_instance_of::<PyInt>() || returned.is_instance_of::<PyBool>() {
        return Err(PyTypeError::new_err(format!(
            "recover() returns a time or None, found {}",
            returned.repr()?
        )));
    }
    if returned.lt(0)? {
        return Ok(Some(None));
    }
    Ok(Some(Some(returned.extract()?)))
}
