//! Sources that the run itself feeds: each ends when its feeders have ended, wherever they are.

use std::sync::Arc;

use timely::dataflow::Stream;
use timely::dataflow::operators::probe::{Handle, Probe};
use towpath_types::Time;

use super::exchange::Parcel;
use crate::monitor::Watched;
use crate::physical::{EndsAfter, PhysicalNode, PhysicalPlan};
use crate::source::SourceQueue;

/// A source that the run feeds.
pub(super) struct Fed {
    ends_after: EndsAfter,
    /// Its streams in this process.
    queues: Vec<Arc<SourceQueue>>,
    /// How far the nodes are that feed it.
    feeders: Handle<Time>,
}

impl Fed {
    /// The sources of a plan that the run feeds.
    pub(super) fn all(plan: &PhysicalPlan, watched: &[Watched]) -> Vec<Self> {
        let nodes = plan.nodes.iter().zip(watched);
        let fed = nodes.filter_map(|(node, watched)| {
            Some(Self {
                ends_after: node.ends_after?,
                queues: watched.parts.iter().filter_map(|part| part.queue.clone()).collect(),
                feeders: Handle::new(),
            })
        });
        fed.collect()
    }

    /// Watches the node at a position, if it feeds the source.
    pub(super) fn watch<'scope>(
        &self,
        stream: Stream<'scope, Time, Parcel>,
        position: usize,
        node: &PhysicalNode,
    ) -> Stream<'scope, Time, Parcel> {
        if self.ends_after.waits_for(position, node) {
            stream.probe_with(&self.feeders)
        } else {
            stream
        }
    }

    /// Ends it if its feeders have ended.
    pub(super) fn end(&self) -> bool {
        let has_ended = self.feeders.done();
        if has_ended {
            for queue in &self.queues {
                queue.flush();
                queue.close(Ok(()));
            }
        }
        has_ended
    }
}
