//! The sources of a run: how they are divided into streams, and those that this process reads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::error::EngineError;
use crate::monitor::{Part, Role, Watched};
use crate::physical::{PhysicalNode, PhysicalPlan, Work};
use crate::source::{Division, SourceHandle, SourceQueue, Team};

/// How the sources are divided: asked in the first process.
pub(super) fn divide(plan: &PhysicalPlan, team: Team) -> Result<BTreeMap<usize, Division>, EngineError> {
    let mut divisions = BTreeMap::new();
    for (place, node) in plan.nodes.iter().enumerate() {
        if let Work::Source { source, .. } = &node.work {
            let division = source.divide(team).map_err(|error| error.at(node.origin.as_ref()))?;
            divisions.insert(place, division);
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
                .map(|stream| Part {
                    thread: reader(stream).1,
                    counters: Arc::default(),
                    stream,
                    queue: Some(Arc::new(SourceQueue::new(limits))),
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

/// The sources that this process reads.
#[derive(Default)]
pub(super) struct Sources {
    handles: Mutex<Vec<Box<dyn SourceHandle>>>,
    stopped: AtomicBool,
}

impl Sources {
    pub(super) fn add(&self, handle: Box<dyn SourceHandle>) {
        let mut handles = self.handles.lock();
        if self.stopped.load(Ordering::Acquire) {
            handle.stop();
        }
        handles.push(handle);
    }

    pub(super) fn stop(&self) {
        let handles = self.handles.lock();
        if !self.stopped.swap(true, Ordering::AcqRel) {
            handles.iter().for_each(|handle| handle.stop());
        }
    }

    /// Waits for all of them at once: each may take its time to end.
    pub(super) fn join(&self) {
        let handles = std::mem::take(&mut *self.handles.lock());
        std::thread::scope(|scope| {
            for handle in handles {
                scope.spawn(move || handle.join());
            }
        });
    }
}
