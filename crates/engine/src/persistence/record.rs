//! What is written of rows and commits: the payloads of records.

use towpath_types::wire::{self, Columns, WireError};
use towpath_types::{Batch, Column};

use crate::error::{EngineError, ErrorKind};
use crate::source::{Arrival, Unkeyed};

/// What a record is.
pub(super) mod kind {
    /// Rows of a source.
    pub(in crate::persistence) const ROWS: u8 = 1;
    /// The end of a commit of a source.
    pub(in crate::persistence) const COMMIT: u8 = 2;
    /// An output has delivered all up to a time.
    pub(in crate::persistence) const DELIVERED: u8 = 3;
}

/// What is known of a stream at the end of a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Committed {
    /// How many rows it has sent since the position, or since it began.
    pub(super) rows: u64,
    /// A hash of those rows, where it may send them again.
    pub(super) hash: u128,
    /// The position that it gave last.
    pub(super) position: Option<Vec<u8>>,
}

impl Committed {
    pub(super) fn encode(&self) -> Vec<u8> {
        let position = self.position.as_deref();
        let mut payload = Vec::with_capacity(25 + position.map_or(0, <[u8]>::len));
        payload.extend(self.rows.to_le_bytes());
        payload.extend(self.hash.to_le_bytes());
        payload.push(u8::from(position.is_some()));
        payload.extend(position.unwrap_or_default());
        payload
    }

    pub(super) fn decode(payload: &[u8]) -> Option<Self> {
        let (rows, rest) = payload.split_first_chunk()?;
        let (hash, rest) = rest.split_first_chunk()?;
        let (flag, position) = rest.split_first()?;
        let position = match flag {
            0 if position.is_empty() => None,
            1 => Some(position.to_vec()),
            _ => return None,
        };
        Some(Self {
            rows: u64::from_le_bytes(*rows),
            hash: u128::from_le_bytes(*hash),
            position,
        })
    }
}

const KEYED: u8 = 0;
const UNKEYED: u8 = 1;
const UNKEYED_CHOSEN: u8 = 2;

/// Rows as they came from a source.
///
/// # Errors
/// If they hold an object that cannot be written.
pub(super) fn encode_rows(arrival: &Arrival) -> Result<Vec<u8>, EngineError> {
    let mut payload = Vec::with_capacity(arrival.bytes() + 64);
    let written = match arrival {
        Arrival::Keyed(batch) => {
            check(batch.columns())?;
            payload.push(KEYED);
            wire::write_batch(batch, &mut payload)
        }
        Arrival::Unkeyed(rows) => {
            check(rows.columns())?;
            let chosen = rows.chosen();
            payload.push(if chosen.is_some() { UNKEYED_CHOSEN } else { UNKEYED });
            let columns: Vec<&Column> = rows.columns().iter().chain(chosen).collect();
            wire::write_columns(
                arrival.len(),
                rows.diffs().map(|diffs| &**diffs),
                &columns,
                &mut payload,
            )
        }
    };
    written.map_err(|error| EngineError::os("rows cannot be written to the journal", &error))?;
    Ok(payload)
}

fn check(columns: &[Column]) -> Result<(), EngineError> {
    match columns.iter().find_map(wire::unwritable) {
        Some(reason) => {
            let message = format!("a row cannot be kept: {reason}");
            Err(EngineError::new(ErrorKind::Value, message))
        }
        None => Ok(()),
    }
}

/// The rows of what [`encode_rows`] wrote.
pub(super) fn decode_rows(payload: &[u8]) -> Result<Arrival, WireError> {
    let ends_early = || WireError {
        reason: "it is no record of rows".into(),
        column: None,
    };
    let (form, bytes) = payload.split_first().ok_or_else(ends_early)?;
    if *form == KEYED {
        return wire::read_batch(bytes).map(Batch::into);
    }
    let Columns {
        rows,
        diffs,
        mut columns,
    } = wire::read_columns(bytes)?;
    let chosen = match *form {
        UNKEYED => None,
        UNKEYED_CHOSEN => Some(columns.pop().ok_or_else(ends_early)?),
        _ => return Err(ends_early()),
    };
    Ok(Unkeyed::new(rows, columns, diffs, chosen).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use towpath_types::{DType, Key, Value};

    fn parts(arrival: &Arrival) -> (Vec<Key>, Vec<i64>, Vec<Column>, bool) {
        let diffs = (0..arrival.len()).map(|row| arrival.diff(row)).collect();
        match arrival {
            Arrival::Keyed(batch) => (batch.keys().to_vec(), diffs, batch.columns().to_vec(), false),
            Arrival::Unkeyed(rows) => {
                let columns = rows.columns().iter().chain(rows.chosen()).cloned();
                (Vec::new(), diffs, columns.collect(), rows.chosen().is_some())
            }
        }
    }

    #[test]
    fn rows_and_commits_come_back_as_they_were() {
        let column = Column::from_values(&DType::Str, &[Value::str("a"), Value::str("b")]);
        let chosen = Column::from_values(&DType::ANY_POINTER, &[Value::None, Value::Pointer(Key(9))]);
        let keyed = Batch::new(vec![Key(1), Key(2)], vec![column.clone()], Some(vec![1, -1].into()));
        let all = [
            Arrival::from(keyed),
            Unkeyed::new(2, vec![column.clone()], None, None).into(),
            Unkeyed::new(2, vec![column], Some(vec![1, -1].into()), Some(chosen)).into(),
        ];
        for arrival in all {
            let payload = encode_rows(&arrival).expect("there are no objects");
            let read = decode_rows(&payload).expect("it was written so");
            assert_eq!(parts(&read), parts(&arrival));
            for length in 0..payload.len() {
                assert!(decode_rows(&payload[..length]).is_err(), "{length} bytes are no rows");
            }
        }
        for position in [None, Some(Vec::new()), Some(b"here".to_vec())] {
            let committed = Committed {
                rows: 3,
                hash: 4,
                position,
            };
            assert_eq!(Committed::decode(&committed.encode()), Some(committed));
        }
    }
}
