//! A sink that takes rows and forgets them: it makes a computation run that nobody looks at.

use towpath_engine::state::{Saved, no_table};
use towpath_engine::{EngineError, Operator, Output, PlanError, Routing, Task, TaskContext};
use towpath_types::{Batch, DType, Key};

/// Takes rows and forgets them.
#[derive(Clone, Debug)]
pub struct NullSink {
    name: String,
}

impl NullSink {
    /// A sink called `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

impl Operator for NullSink {
    fn name(&self) -> &'static str {
        "null"
    }

    fn label(&self) -> String {
        self.name.clone()
    }

    fn output(&self, _inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
        Ok(Vec::new())
    }

    fn routing(&self, _input: usize) -> Routing {
        Routing::Local
    }

    fn append_only(&self, _inputs: &[bool]) -> bool {
        true
    }

    fn start(&self, _context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        Ok(Box::new(Forget))
    }
}

struct Forget;

impl Task for Forget {
    fn absorb(&mut self, _input: usize, _batch: Batch, _output: &mut Output) -> Result<(), EngineError> {
        Ok(())
    }

    fn save(&mut self, _saved: &mut Saved) {
        // It has no state.
    }

    fn restore(&mut self, table: u16, _rows: Batch, _owners: &[Key]) -> Result<(), EngineError> {
        Err(no_table(table))
    }
}
