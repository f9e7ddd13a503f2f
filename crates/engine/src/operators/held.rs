//! What is not put out yet at a time, since some of it may cancel: what cancels was never there, and nobody should see it
//! or compute with it.

use towpath_types::Batch;

use crate::operator::Output;

/// So many rows are held back.
const MOST: usize = 1 << 18;

/// See the module.
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
        if self.only_adds() {
            return self.release(output);
        }
        let held = self.consolidated();
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

    /// Puts out all of it, consolidated.
    pub(super) fn release(&mut self, output: &mut Output) {
        if self.only_adds() {
            self.rows = 0;
            self.batches.drain(..).for_each(|batch| output.push(batch));
        } else {
            let held = self.consolidated();
            output.push(held);
        }
    }

    fn only_adds(&self) -> bool {
        self.batches.iter().all(Batch::is_insert_only)
    }

    fn consolidated(&mut self) -> Batch {
        self.rows = 0;
        let mut held = std::mem::take(&mut self.batches);
        held.retain(|batch| !batch.is_empty());
        Batch::concat(&held).consolidated()
    }
}
