//! Rows that are known beforehand, at the times at which they are to appear.

use std::collections::BTreeMap;

use towpath_engine::source::{Commits, Kept, Resume};
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

impl StaticSource {
    /// Whether it is just rows that are there from the beginning.
    fn is_plain(&self) -> bool {
        self.batches.keys().all(|time| *time == 0) && self.batches.values().all(Batch::is_insert_only)
    }
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
        match self.is_plain() {
            // The program may have another table in the next run.
            true => Kept::Rows(Resume::Compare),
            false => Kept::Nothing,
        }
    }

    fn commits(&self) -> Commits {
        match self.is_plain() {
            true => Commits::AtEnd,
            false => Commits::Scripted,
        }
    }

    fn start(&self, context: SourceContext) -> Result<Box<dyn SourceHandle>, EngineError> {
        let queue = context.queue();
        for (time, batch) in &self.batches {
            // If the run is over already, nobody needs the rows.
            if !self.is_plain() {
                let _ = queue.advance_to(*time);
            }
            let _ = queue.push(batch.project(&context.columns));
        }
        let _ = queue.is_whole(true);
        queue.close(Ok(()));
        Ok(Box::new(NothingToStop))
    }
}
