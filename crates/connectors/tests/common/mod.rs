//! A source that plays a script of commits, and runs of small plans.

use std::path::Path;
use std::sync::{Arc, Mutex};

use towpath_connectors::sink::{FileSink, RowFormat};
use towpath_engine::clock::ManualClock;
use towpath_engine::plan::Input;
use towpath_engine::source::Commits;
use towpath_engine::{
    EngineError, Operator, Output, Plan, PlanError, Routing, RunOptions, Source, SourceContext, SourceHandle, Task,
    TaskContext, runtime,
};
use towpath_types::{Batch, DType, Key, Time, Value};

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

    fn commits(&self) -> Commits {
        Commits::Streaming(None)
    }

    fn start(&self, context: SourceContext) -> Result<Box<dyn SourceHandle>, EngineError> {
        for commit in &self.commits {
            for batch in commit {
                let _ = context.queue.push(batch.project(&context.columns));
            }
            let _ = context.queue.commit();
        }
        context.queue.close(Ok(()));
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

/// What a [`Capture`] has seen: the time, the cells and the difference of every update.
pub(crate) type Seen = Arc<Mutex<Vec<(Time, Vec<Value>, i64)>>>;

/// Remembers every update, consolidated by time.
#[derive(Debug, Default)]
pub(crate) struct Capture {
    pub(crate) seen: Seen,
    pub(crate) keys: Arc<Mutex<Vec<Key>>>,
}

impl Operator for Capture {
    fn name(&self) -> &'static str {
        "capture"
    }

    fn output(&self, _inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
        Ok(Vec::new())
    }

    fn routing(&self, _input: usize) -> Routing {
        Routing::ToFirst
    }

    fn append_only(&self, _inputs: &[bool]) -> bool {
        true
    }

    fn start(&self, _context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        Ok(Box::new(CaptureTask {
            seen: Arc::clone(&self.seen),
            keys: Arc::clone(&self.keys),
            gathered: Vec::new(),
        }))
    }
}

struct CaptureTask {
    seen: Seen,
    keys: Arc<Mutex<Vec<Key>>>,
    gathered: Vec<Batch>,
}

impl Task for CaptureTask {
    fn absorb(&mut self, _input: usize, batch: Batch, _output: &mut Output) -> Result<(), EngineError> {
        self.gathered.push(batch);
        Ok(())
    }

    fn complete(&mut self, time: Time, _output: &mut Output) -> Result<(), EngineError> {
        let batch = Batch::concat(&std::mem::take(&mut self.gathered)).consolidated();
        let mut seen = self.seen.lock().expect("nobody panics with the lock");
        seen.extend((0..batch.len()).map(|row| (time, batch.row(row), batch.diff(row))));
        self.keys
            .lock()
            .expect("nobody panics with the lock")
            .extend(batch.keys().iter());
        Ok(())
    }
}

/// A plan that captures the columns of a source at `positions`.
pub(crate) fn capture(source: Arc<dyn Source>, positions: &[usize]) -> (Plan, Arc<Capture>) {
    let mut plan = Plan::default();
    let node = plan.source(source, None);
    let columns = positions.iter().map(|position| plan.columns(node)[*position]).collect();
    let capture = Arc::new(Capture::default());
    plan.output(Arc::clone(&capture) as _, Input { node, columns }, None)
        .expect("a capture takes everything");
    (plan, capture)
}
