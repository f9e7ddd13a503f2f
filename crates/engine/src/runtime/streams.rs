//! The sources of a run: how they are divided into streams, and those that this process reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::error::EngineError;
use crate::monitor::{Part, Role, Watched};
use crate::physical::{PhysicalNode, PhysicalPlan, Work};
use crate::source::{Division, Kept, Keys, SourceHandle, SourceQueue, Team};

/// How the sources are divided: asked in the first process. In a run that is kept they are divided as if there were one
/// worker, so that the streams are the same with another number of workers.
pub(super) fn divide(plan: &PhysicalPlan, team: Team, is_kept: bool) -> Result<BTreeMap<usize, Division>, EngineError> {
    let mut divisions = BTreeMap::new();
    for (position, node) in plan.nodes.iter().enumerate() {
        if let Work::Source { source, .. } = &node.work {
            let team = match source.kept() {
                Kept::Rows(_) if is_kept => Team::ALONE,
                _ => team,
            };
            let division = source.divide(team).map_err(|error| error.at(node.origin.as_ref()))?;
            divisions.insert(position, division);
        }
    }
    Ok(divisions)
}

/// What is watched of a node in this process; a source is divided into such streams.
pub(super) fn watch(
    node: &PhysicalNode,
    is_output: bool,
    division: Option<&Division>,
    team: Team,
    process: usize,
) -> Watched {
    let (name, role) = match &node.work {
        Work::Source { source, .. } => (source.name(), Role::Source),
        Work::Pass(_) => ("filter".to_owned(), Role::Operator),
        Work::Operator { operator, .. } if is_output => (operator.label(), Role::Sink),
        Work::Operator { operator, .. } => (operator.label(), Role::Operator),
    };
    let parts = match &node.work {
        Work::Source { source, .. } => {
            let streams = division.map_or(0, |division| division.streams);
            let reader = |stream| division.map_or((0, 0), |division| division.reader(stream, team));
            let own: Vec<usize> = (0..streams).filter(|stream| reader(*stream).0 == process).collect();
            let limits = source.limits().shared_by(own.len());
            own.into_iter()
                .map(|stream| {
                    let keys = division.map_or(Keys::Chosen, |division| source.keys(stream, division));
                    Part {
                        thread: reader(stream).1,
                        counters: Arc::default(),
                        stream,
                        queue: Some(Arc::new(SourceQueue::new(limits).with_keys(keys))),
                    }
                })
                .collect()
        }
        Work::Pass(_) | Work::Operator { .. } => (0..team.threads)
            .map(|thread| Part {
                thread,
                counters: Arc::default(),
                stream: 0,
                queue: None,
            })
            .collect(),
    };
    Watched { name, role, parts }
}

/// How long a source may take to stop, before what it has committed goes on without it.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long sources may take to end once the run has, before it ends without them. A source has its own limits within.
const LAST_PATIENCE: Duration = Duration::from_secs(3);

/// The sources that this process reads.
///
/// To stop one, or to wait for its end, may call functions of the user, which may never return. So both are done in
/// threads of their own, and nobody waits for them longer than a run may take to end.
#[derive(Default)]
pub(super) struct Sources {
    reading: Mutex<Vec<Arc<RunningSource>>>,
    stopped: AtomicBool,
}

/// A source that is being read.
struct RunningSource {
    /// Its position in the physical plan.
    node: usize,
    name: String,
    /// Held while it is told to stop, and empty once somebody waits for its end.
    handle: Mutex<Option<Box<dyn SourceHandle>>>,
    queues: Vec<Arc<SourceQueue>>,
    /// Whether nobody waits for it any more, and people know.
    is_given_up: AtomicBool,
}

impl RunningSource {
    fn stop(self: &Arc<Self>) {
        let (told, is_told) = channel();
        let reading = Arc::clone(self);
        let stop = move || {
            if let Some(handle) = &*reading.handle.lock() {
                handle.stop();
            }
            // Nobody may be waiting any more.
            let _ = told.send(());
        };
        in_a_thread("pathway-stop", stop);
        let reading = Arc::clone(self);
        in_a_thread("pathway-patience", move || {
            if is_told.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                tracing::warn!(
                    target: "pathway",
                    "connector {:?} was told to stop, and its on_stop() has not returned within {} seconds: the run \
                     goes on without it",
                    reading.name,
                    PATIENCE.as_secs()
                );
                reading.is_given_up.store(true, Ordering::Release);
                for queue in &reading.queues {
                    queue.flush();
                    queue.close_uncommitted();
                }
            }
        });
    }
}

/// Does something in a thread of its own; here if there can be none.
fn in_a_thread(name: &str, work: impl FnOnce() + Send + 'static) {
    let work = Arc::new(Mutex::new(Some(work)));
    let take = {
        let work = Arc::clone(&work);
        move || {
            let work = work.lock().take();
            if let Some(work) = work {
                work();
            }
        }
    };
    if std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(take.clone())
        .is_err()
    {
        take();
    }
}

impl Sources {
    /// A source that has started, with the queues of its streams.
    pub(super) fn add(&self, node: usize, name: String, handle: Box<dyn SourceHandle>, queues: Vec<Arc<SourceQueue>>) {
        let reading = Arc::new(RunningSource {
            node,
            name,
            handle: Mutex::new(Some(handle)),
            queues,
            is_given_up: AtomicBool::new(false),
        });
        let mut all = self.reading.lock();
        if self.stopped.load(Ordering::Acquire) {
            reading.stop();
        }
        all.push(reading);
    }

    /// Tells one how much of what a stream of it has sent is on disk.
    pub(super) fn durable(&self, node: usize, stream: usize, position: Vec<u8>) {
        let reading = self.reading.lock().iter().find(|reading| reading.node == node).cloned();
        if let Some(reading) = reading
            && let Some(handle) = &*reading.handle.lock()
        {
            handle.durable(stream, position);
        }
    }

    /// Tells all of them to stop, and waits for none.
    pub(super) fn stop(&self) {
        let all = self.reading.lock();
        if !self.stopped.swap(true, Ordering::AcqRel) {
            all.iter().for_each(|reading| reading.stop());
        }
    }

    /// Waits for all of them at once: each may take its time to end.
    pub(super) fn join(&self) {
        let mut all = std::mem::take(&mut *self.reading.lock());
        all.retain(|reading| !reading.is_given_up.load(Ordering::Acquire));
        let (ended, ends) = channel();
        let names: Vec<String> = all.iter().map(|reading| reading.name.clone()).collect();
        let mut open: BTreeSet<usize> = (0..all.len()).collect();
        for (position, reading) in all.into_iter().enumerate() {
            let ended = ended.clone();
            in_a_thread("pathway-join", move || {
                let handle = reading.handle.lock().take();
                if let Some(handle) = handle {
                    handle.join();
                }
                // Nobody may be waiting any more.
                let _ = ended.send(position);
            });
        }
        let until = Instant::now() + LAST_PATIENCE;
        while !open.is_empty() {
            match ends.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(position) => open.remove(&position),
                Err(_) => break,
            };
        }
        for position in open {
            tracing::warn!(
                target: "pathway",
                "connector {:?} has not ended within {} seconds after the run has, and is left behind",
                names[position],
                LAST_PATIENCE.as_secs()
            );
        }
    }
}
