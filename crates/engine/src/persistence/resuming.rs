//! Rows that a source sends again.
//!
//! What a stream has sent since its last position is kept as a number and a hash. A source that goes on behind that
//! position sends those rows first; they are counted and compared, and left out. How they are put into batches does not
//! matter.

use serde::{Deserialize, Serialize};
use towpath_types::{Column, Key, hash_columns};
use xxhash_rust::xxh3::xxh3_128;

use crate::error::{EngineError, ErrorKind};
use crate::source::{Arrival, Resume};

/// A hash of rows in their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rolling {
    pub(super) rows: u64,
    #[serde(with = "halves")]
    pub(super) hash: u128,
}

/// A hash as two numbers, since those of JSON are not as long.
mod halves {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(hash: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        ((hash >> u64::BITS) as u64, *hash as u64).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        let (high, low) = <(u64, u64)>::deserialize(deserializer)?;
        Ok(u128::from(high) << u64::BITS | u128::from(low))
    }
}

impl Rolling {
    fn add(&mut self, row: Key, diff: i64) {
        let mut bytes = [0; 40];
        bytes[..16].copy_from_slice(&self.hash.to_le_bytes());
        bytes[16..32].copy_from_slice(&row.0.to_le_bytes());
        bytes[32..].copy_from_slice(&diff.to_le_bytes());
        self.hash = xxh3_128(&bytes);
        self.rows += 1;
    }

    /// The first rows that a stream has ever sent, for one whose rows should all be new.
    pub(super) fn of_first(first: &Arrival) -> Self {
        let mut rolling = Self::default();
        rolling.add_rows(first, (first.len() as u64).min(FIRST) as usize);
        rolling
    }

    /// Adds the first `count` rows.
    pub(super) fn add_rows(&mut self, arrival: &Arrival, count: usize) {
        let hashes = row_hashes(arrival);
        for (row, hash) in hashes.into_iter().enumerate().take(count) {
            self.add(hash, arrival.diff(row));
        }
    }
}

/// A hash of every row, without what tells apart rows of equal values.
fn row_hashes(arrival: &Arrival) -> Vec<Key> {
    let columns: Vec<&Column> = match arrival {
        Arrival::Keyed(batch) => batch.columns().iter().collect(),
        Arrival::Unkeyed(rows) => rows.columns().iter().chain(rows.chosen()).collect(),
    };
    hash_columns(&columns, arrival.len())
}

/// How many rows at the beginning are remembered to see whether a source begins anew.
const FIRST: u64 = 8;

/// What a stream still has to send again, or should not.
#[derive(Debug)]
pub(crate) struct Resuming {
    name: String,
    resume: Resume,
    /// What is to come again.
    expected: Rolling,
    /// What has come again.
    seen: Rolling,
}

impl Resuming {
    /// For a stream of which these rows are kept since its position, or since its beginning.
    pub(super) fn new(name: String, resume: Resume, expected: Rolling) -> Self {
        Self {
            name,
            resume,
            expected,
            seen: Rolling::default(),
        }
    }

    /// Whether nothing more is expected.
    pub(crate) fn is_over(&self) -> bool {
        self.seen.rows >= self.expected.rows
    }

    /// What of these rows is new.
    ///
    /// # Errors
    /// If a source that sends its rows again sends others.
    pub(crate) fn take(&mut self, arrival: Arrival) -> Result<Option<Arrival>, EngineError> {
        let wanted = self.expected.rows - self.seen.rows;
        let count = wanted.min(arrival.len() as u64) as usize;
        self.seen.add_rows(&arrival, count);
        if self.is_over() && self.seen != self.expected {
            if self.resume == Resume::New {
                return Ok(Some(arrival));
            }
            return Err(self.differs());
        }
        if self.resume == Resume::New {
            if self.is_over() {
                self.warn();
            }
            return Ok(Some(arrival));
        }
        Ok((count < arrival.len()).then(|| arrival.slice(count, arrival.len() - count)))
    }

    fn differs(&self) -> EngineError {
        let Self { name, expected, .. } = self;
        let message = match self.resume {
            Resume::Continue => format!(
                "{name}: {} rows were read and committed when the run ended in the middle of a file, and that part of the \
                 file has changed since. Put it back, or begin anew: reset the state",
                expected.rows
            ),
            Resume::Seek => format!(
                "{name}: {} rows were committed behind the last offset, and after seek() others have come in their place. \
                 Call commit(offset=...) after the last row, or send the same rows again",
                expected.rows
            ),
            _ => format!(
                "{name}: with resume=\"replay\" the first {} rows have to be those of the run before, and they are not. If \
                 run() does not start over, use resume=\"new\", or seek() with commit(offset=...); to begin anew, reset \
                 the state",
                expected.rows
            ),
        };
        EngineError::new(ErrorKind::Value, message)
    }

    fn warn(&self) {
        tracing::warn!(
            target: "pathway",
            "{}: the first rows after the restart are the first rows of the run before: if run() starts over, its rows are \
             now counted twice. Read it with resume=\"replay\", or define seek() and call commit(offset=...)",
            self.name
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Unkeyed;
    use towpath_types::{DType, Value};

    fn rows(numbers: std::ops::Range<i64>) -> Arrival {
        let values: Vec<Value> = numbers.map(Value::Int).collect();
        Unkeyed::new(
            values.len(),
            vec![Column::from_values(&DType::Int, &values)],
            None,
            None,
        )
        .into()
    }

    fn resuming(kept: std::ops::Range<i64>) -> Resuming {
        let mut expected = Rolling::default();
        expected.add_rows(&rows(kept.clone()), kept.count());
        Resuming::new("connector".to_owned(), Resume::Replay, expected)
    }

    #[test]
    fn rows_that_come_again_are_left_out_however_they_are_put_into_batches() {
        for parts in [
            std::iter::once(0..10).collect(),
            vec![0..3, 3..10],
            vec![0..5, 5..6, 6..10],
            vec![0..6, 6..10],
        ] {
            let mut resuming = resuming(0..6);
            let mut new = 0;
            for part in parts {
                let left = resuming.take(rows(part)).expect("they are the same");
                new += left.map_or(0, |rows| rows.len());
            }
            assert_eq!((new, resuming.is_over()), (4, true));
        }
    }

    #[test]
    fn rows_that_differ_are_refused() {
        assert!(resuming(0..6).take(rows(1..9)).is_err());
        let mut short = resuming(0..6);
        assert!(short.take(rows(0..4)).is_ok_and(|left| left.is_none()));
        assert!(short.take(rows(5..9)).is_err());
    }
}
