//! A source that a node of the plan feeds, as functions that answer later do: it ends when that node has ended.

#![allow(missing_docs)]

use std::sync::Arc;

use parking_lot::Mutex;
use towpath_engine::plan::Input;
use towpath_engine::source::{Commits, Feeder, Kept};
use towpath_engine::state::{Saved, no_table};
use towpath_engine::testing::{Script, collect, run_with, update};
use towpath_engine::{
    EngineError, Operator, Output, Plan, PlanError, Routing, Source, SourceContext, SourceHandle, SourceQueue, Task,
    TaskContext,
};
use towpath_types::{Batch, DType, Key, Value};

type Way = Arc<Mutex<Option<Arc<SourceQueue>>>>;

/// Sends all that comes to [`Answers`].
#[derive(Debug)]
struct Ask(Way);

struct Asking(Way);

impl Operator for Ask {
    fn name(&self) -> &'static str {
        "ask"
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
        Ok(Box::new(Asking(Arc::clone(&self.0))))
    }
}

impl Task for Asking {
    fn absorb(&mut self, _input: usize, batch: Batch, _output: &mut Output) -> Result<(), EngineError> {
        let queue = self.0.lock().clone().expect("what is fed starts before what feeds it");
        assert!(!queue.is_closed(), "it is open while it is fed");
        queue
            .push(batch)
            .and_then(|()| queue.commit())
            .expect("the run goes on");
        Ok(())
    }

    fn save(&mut self, _saved: &mut Saved) {
        // It has no state.
    }

    fn restore(&mut self, table: u16, _rows: Batch, _owners: &[Key]) -> Result<(), EngineError> {
        Err(no_table(table))
    }
}

#[derive(Debug)]
struct Answers {
    way: Way,
    asked_by: usize,
}

impl Source for Answers {
    fn name(&self) -> String {
        "answers".to_owned()
    }

    fn columns(&self) -> Vec<DType> {
        vec![DType::Int]
    }

    fn is_append_only(&self) -> bool {
        true
    }

    fn has_unique_keys(&self) -> bool {
        true
    }

    fn kept(&self) -> Kept {
        Kept::Nothing
    }

    fn commits(&self) -> Commits {
        Commits::Streaming(None)
    }

    fn fed_by(&self) -> Feeder {
        Feeder::Node(self.asked_by)
    }

    fn start(&self, context: SourceContext) -> Result<Box<dyn SourceHandle>, EngineError> {
        *self.way.lock() = Some(Arc::clone(context.queue()));
        Ok(Box::new(Ends))
    }
}

struct Ends;

impl SourceHandle for Ends {
    fn stop(&self) {}

    fn join(self: Box<Self>) {}
}

#[test]
fn a_source_ends_after_the_node_that_feeds_it() {
    for workers in [1, 3] {
        let mut plan = Plan::default();
        let commits = (1..4)
            .map(|row| vec![update(row, [Value::Int(row as i64)], 1)])
            .collect();
        let source = plan.source(Arc::new(Script::new(vec![DType::Int], commits)), None);
        let input = Input {
            node: source,
            columns: plan.columns(source).to_vec(),
        };
        let way = Way::default();
        let ask = plan
            .operator(Arc::new(Ask(Arc::clone(&way))), vec![input], None)
            .expect("it takes all");
        let answers = Answers { way, asked_by: ask.0 };
        let answers = plan.source(Arc::new(answers), None);
        let columns = plan.columns(answers).to_vec();
        let collected = collect(&mut plan, answers, columns).expect("it takes all");
        // Nobody reads the node that asks: it runs since the source needs it.
        run_with(&plan, workers, true).expect("the run ends");
        let mut answered: Vec<Value> = collected.lock().iter().map(|(_, _, row, _)| row[0].clone()).collect();
        answered.sort();
        assert_eq!(answered, [1, 2, 3].map(Value::Int), "with {workers} workers");
    }
}
