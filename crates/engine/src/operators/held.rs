//! What is not put out yet at a time, since some of it may cancel: what cancels was never there, and nobody should see it
//! or compute with it.

use towpath_types::Batch;

use crate::operator::Output;

/// So many rows are held back, and so many bytes.
const MOST: usize = 1 << 18;
const MOST_BYTES: usize = 64 << 20;

/// See the module.
#[derive(Default)]
pub(super) struct Held {
    batches: Vec<Batch>,
    rows: usize,
    bytes: usize,
}

impl Held {
    /// Holds what may cancel; puts it out if it has become too much. What is put out may be removed at the same time, which
    /// is as good as any other order within a time.
    pub(super) fn hold(&mut self, batch: Batch, output: &mut Output) {
        self.keep(batch);
        if self.rows < MOST && self.bytes < MOST_BYTES {
            return;
        }
        if self.only_adds() {
            return self.release(output);
        }
        let held = self.consolidated();
        if held.len() > MOST / 2 || held.bytes() > MOST_BYTES / 2 {
            output.push(held);
        } else {
            self.keep(held);
        }
    }

    /// Holds what may cancel, however much it is.
    pub(super) fn keep(&mut self, batch: Batch) {
        self.rows += batch.len();
        self.bytes += batch.bytes();
        self.batches.push(batch);
    }

    /// Puts out all of it, consolidated.
    pub(super) fn release(&mut self, output: &mut Output) {
        if self.only_adds() {
            (self.rows, self.bytes) = (0, 0);
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
        (self.rows, self.bytes) = (0, 0);
        let mut held = std::mem::take(&mut self.batches);
        held.retain(|batch| !batch.is_empty());
        Batch::concat(&held).consolidated()
    }
}

#[cfg(test)]
mod tests {
    use towpath_types::{Column, DType, Key, Value};

    use super::*;

    fn rows(count: usize, bytes: usize, diff: i64) -> Batch {
        let keys: Vec<Key> = (0..count as u128).map(Key).collect();
        let text = Value::str(&"x".repeat(bytes));
        let diffs = (diff != 1).then(|| vec![diff; count].into());
        Batch::new(keys, vec![Column::repeat(&text, &DType::Str, count)], diffs)
    }

    /// How many rows are out before the end of the time, and at the end.
    fn put_out(batches: impl IntoIterator<Item = Batch>) -> (usize, usize) {
        let (mut held, mut output) = (Held::default(), Output::default());
        batches.into_iter().for_each(|batch| held.hold(batch, &mut output));
        let early = output.drain().map(|batch| batch.len()).sum();
        held.release(&mut output);
        (early, early + output.drain().map(|batch| batch.len()).sum::<usize>())
    }

    #[test]
    fn what_cancels_is_not_put_out() {
        assert_eq!(put_out([rows(10, 1, 1), rows(7, 1, -1)]), (0, 3));
    }

    #[test]
    fn no_more_is_held_than_fits() {
        assert_eq!(put_out([rows(MOST - 1, 1, 1)]), (0, MOST - 1));
        assert_eq!(put_out([rows(MOST, 1, 1)]), (MOST, MOST));
        let long = || rows(64, 1 << 20, 1);
        assert_eq!(put_out([long(), rows(1, 1, 1)]), (64, 65));
        assert_eq!(put_out([long(), rows(64, 1 << 20, -1)]), (128, 128));
    }
}
