//! Rows that are known beforehand, at the times at which they are to appear.

use std::collections::BTreeMap;

use towpath_engine::source::{Commits, Kept};
use towpath_engine::{Description, EngineError, Source, SourceContext, SourceHandle};
use towpath_types::{Batch, DType, Time};

/// Rows that are known beforehand.
#[derive(Debug)]
pub(crate) struct StaticSource {
    pub(crate) name: String,
    pub(crate) dtypes: Vec<DType>,
    pub(crate) batches: BTreeMap<Time, Batch>,
    pub(crate) unique_keys: bool,
}

struct NothingToStop;

impl SourceHandle for NothingToStop {
    fn stop(&self) {}

    fn join(self: Box<Self>) {}
}

impl Source for StaticSource {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn describe(&self, description: &mut Description) {
        // The rows are those that process 0 has.
        description.set("has unique keys", self.unique_keys);
    }

    fn columns(&self) -> Vec<DType> {
        self.dtypes.clone()
    }

    fn is_append_only(&self) -> bool {
        self.batches.values().all(Batch::is_insert_only)
    }

    fn has_unique_keys(&self) -> bool {
        self.unique_keys
    }

    fn kept(&self) -> Kept {
        Kept::Nothing
    }

    fn commits(&self) -> Commits {
        Commits::Scripted
    }

    fn start(&self, context: SourceContext) -> Result<Box<dyn SourceHandle>, EngineError> {
        for (time, batch) in &self.batches {
            // If the run is over already, nobody needs the rows.
            let _ = context.queue().advance_to(*time);
            let _ = context.queue().push(batch.project(&context.columns));
        }
        context.queue().close(Ok(()));
        Ok(Box::new(NothingToStop))
    }
}
