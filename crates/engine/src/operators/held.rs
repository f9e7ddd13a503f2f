//! What is not put out yet at a time, since some of it may cancel.

use towpath_types::Batch;

use crate::operator::Output;

/// So many rows are held back.
const MOST: usize = 1 << 18;

/// See the module.
///
/// What cancels was never there: nobody should see it, or compute with it.
#[derive(Default)]
pub(super) struct Held {
    batches: Vec<Batch>,
    rows: usize,
}

impl Held {
    /// Holds what may cancel; puts it out if it has become too much. What is put out may be removed at the same time, which
    /// is as good as any other order within a time.
    pub(super) fn hold(&mut self, batch: Batch, output: &mut Output) {
        self.keep(batch);
        if self.rows < MOST {
            return;
        }
        let held = self.take();
        if held.len() > MOST / 2 {
            output.push(held);
        } else {
            self.keep(held);
        }
    }

    /// Holds what may cancel, however much it is.
    pub(super) fn keep(&mut self, batch: Batch) {
        self.rows += batch.len();
        self.batches.push(batch);
    }

    /// All of it, consolidated.
    pub(super) fn take(&mut self) -> Batch {
        self.rows = 0;
        let mut held = std::mem::take(&mut self.batches);
        held.retain(|batch| !batch.is_empty());
        let held = Batch::concat(&held);
        if held.is_insert_only() {
            held
        } else {
            held.consolidated()
        }
    }
}
