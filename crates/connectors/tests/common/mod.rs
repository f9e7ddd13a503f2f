//! A source that plays a script of commits, and runs of small plans.

pub(crate) mod files;

use std::path::Path;
use std::sync::Arc;

use towpath_connectors::sink::{FileSink, RowFormat};
use towpath_engine::clock::ManualClock;
use towpath_engine::plan::Input;
use towpath_engine::source::{Commits, Kept};
use towpath_engine::testing::{Collected, collect};
use towpath_engine::{EngineError, Plan, RunOptions, Source, SourceContext, SourceHandle, runtime};
use towpath_types::{Batch, DType};

/// Plays commits, each of which is some batches.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) columns: Vec<DType>,
    pub(crate) commits: Vec<Vec<Batch>>,
    /// What it says of itself.
    pub(crate) append_only: bool,
    pub(crate) unique_keys: bool,
}

struct Played;

impl SourceHandle for Played {
    fn stop(&self) {}

    fn join(self: Box<Self>) {}
}

impl Source for Script {
    fn name(&self) -> String {
        "script".to_owned()
    }

    fn columns(&self) -> Vec<DType> {
        self.columns.clone()
    }

    fn is_append_only(&self) -> bool {
        self.append_only
    }

    fn has_unique_keys(&self) -> bool {
        self.unique_keys
    }

    fn kept(&self) -> Kept {
        Kept::Nothing
    }

    fn commits(&self) -> Commits {
        Commits::Streaming(None)
    }

    fn start(&self, context: SourceContext) -> Result<Box<dyn SourceHandle>, EngineError> {
        for commit in &self.commits {
            for batch in commit {
                let _ = context.queue().push(batch.project(&context.columns));
            }
            let _ = context.queue().commit();
        }
        context.queue().close(Ok(()));
        Ok(Box::new(Played))
    }
}

/// Writes what `source` reads to `path`; the first commit has time 100.
pub(crate) fn write(
    source: Arc<dyn Source>,
    path: &Path,
    format: Arc<dyn RowFormat>,
    sort_by: Vec<usize>,
    options: RunOptions,
) -> Result<(), EngineError> {
    let mut plan = Plan::default();
    let node = plan.source(source, None);
    let columns = plan.columns(node).to_vec();
    let sink = FileSink::new("out", path, format).sorted_by(sort_by);
    plan.output(Arc::new(sink), Input { node, columns }, None)?;
    runtime::run(
        &plan,
        RunOptions {
            clock: Arc::new(ManualClock::default()),
            start: Some(100),
            ..options
        },
    )
}

/// A plan that collects the columns of a source at `positions`.
pub(crate) fn collected(source: Arc<dyn Source>, positions: &[usize]) -> (Plan, Collected) {
    let mut plan = Plan::default();
    let node = plan.source(source, None);
    let columns = positions.iter().map(|position| plan.columns(node)[*position]).collect();
    let collected = collect(&mut plan, node, columns).expect("the columns are visible");
    (plan, collected)
}
