//! Saved rows in the files of a snapshot.
//!
//! A part holds the rows that operators have saved, in sections of one table each, and of one range of owners where there
//! are many rows; its last section says what is in which. Which rows of all parts hold, [`live`](super::live) finds out.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use towpath_durability::{PartName, PartWriter, Section, State, check_part, read_sections};
use towpath_types::{Key, wire};

use crate::error::{EngineError, ErrorKind};
use crate::state::SavedRows;

/// Into so many ranges of owners rows are divided.
pub(in crate::persistence) const RANGES: usize = 64;

/// From so many rows on.
pub(super) const MANY_ROWS: usize = 1 << 14;

/// What a manifest says of a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::persistence) struct Part {
    pub(in crate::persistence) name: PartName,
    pub(in crate::persistence) bytes: u64,
    /// Where the part says what is in it.
    contents: Section,
}

/// What is in a part.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Contents {
    /// Into how many ranges of owners its rows are divided: one, or [`RANGES`].
    pub(super) ranges: usize,
    /// By what the operator is known.
    pub(super) sections: BTreeMap<String, Vec<Rows>>,
}

/// Rows of a table in a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rows {
    pub(super) table: u16,
    pub(super) range: usize,
    pub(super) section: Section,
}

/// Writes a part.
pub(in crate::persistence) struct PartsWriter {
    writer: PartWriter,
    name: PartName,
    contents: Contents,
}

impl PartsWriter {
    /// Begins a part for so many rows; it is divided by owners if they are many, or nobody knows.
    pub(in crate::persistence) fn create(
        state: &State,
        name: PartName,
        rows: Option<usize>,
    ) -> Result<Self, EngineError> {
        Ok(Self {
            writer: PartWriter::create(state, name)?,
            name,
            contents: Contents {
                ranges: if rows.is_some_and(|rows| rows < MANY_ROWS) {
                    1
                } else {
                    RANGES
                },
                sections: BTreeMap::new(),
            },
        })
    }

    /// Adds rows of an operator, after those that were added before.
    pub(in crate::persistence) fn add(&mut self, node: &str, saved: SavedRows) -> Result<(), EngineError> {
        if self.contents.ranges == 1 {
            return self.add_range(node, 0, &saved);
        }
        let SavedRows { table, owners, rows } = saved;
        let by = owners.as_deref().unwrap_or(rows.keys());
        let mut owners_of: Vec<Vec<Key>> = vec![Vec::new(); RANGES];
        if owners.is_some() {
            for owner in by {
                owners_of[owner.worker(RANGES)].push(*owner);
            }
        }
        let batches = rows.split(by, RANGES, |owner| owner.worker(RANGES));
        for (range, (rows, some)) in batches.into_iter().zip(owners_of).enumerate() {
            let owners = owners.is_some().then_some(some);
            self.add_range(node, range, &SavedRows { table, owners, rows })?;
        }
        Ok(())
    }

    /// Adds rows of one range of owners.
    pub(super) fn add_range(&mut self, node: &str, range: usize, saved: &SavedRows) -> Result<(), EngineError> {
        if saved.rows.is_empty() {
            return Ok(());
        }
        let section = self.writer.add(&encode(saved)?)?;
        let rows = Rows {
            table: saved.table,
            range,
            section,
        };
        self.contents.sections.entry(node.to_owned()).or_default().push(rows);
        Ok(())
    }

    /// Makes the part durable.
    pub(in crate::persistence) fn finish(mut self) -> Result<Part, EngineError> {
        let contents = serde_json::to_vec(&self.contents)
            .map_err(|error| EngineError::os("a snapshot cannot be written", &error.into()))?;
        let contents = self.writer.add(&contents)?;
        Ok(Part {
            name: self.name,
            bytes: self.writer.finish()?,
            contents,
        })
    }
}

const WITH_OWNERS: u8 = 1;

fn encode(saved: &SavedRows) -> Result<Vec<u8>, EngineError> {
    if let Some(reason) = saved.rows.columns().iter().find_map(wire::unwritable) {
        let message = format!("the state of an operator cannot be kept: {reason}");
        return Err(EngineError::new(ErrorKind::Value, message));
    }
    let length = wire::batch_length(&saved.rows);
    let mut bytes = Vec::with_capacity(9 + length + saved.owners.as_ref().map_or(0, Vec::len) * 16);
    bytes.push(if saved.owners.is_some() { WITH_OWNERS } else { 0 });
    bytes.extend([0; 8]);
    wire::write_batch(&saved.rows, &mut bytes)
        .map_err(|error| EngineError::os("the state of an operator cannot be kept", &error))?;
    let length = (bytes.len() - 9) as u64;
    bytes[1..9].copy_from_slice(&length.to_le_bytes());
    for owner in saved.owners.iter().flatten() {
        bytes.extend(owner.0.to_le_bytes());
    }
    Ok(bytes)
}

fn decode(table: u16, bytes: &[u8]) -> Option<SavedRows> {
    let (flag, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first_chunk()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (rows, owners) = rest.split_at_checked(length)?;
    let rows = wire::read_batch(rows).ok()?;
    let (owners, left) = owners.as_chunks();
    let owners: Vec<Key> = owners.iter().map(|owner| Key(u128::from_le_bytes(*owner))).collect();
    let owners = match *flag {
        0 if owners.is_empty() => None,
        WITH_OWNERS if owners.len() == rows.len() => Some(owners),
        _ => return None,
    };
    left.is_empty().then_some(SavedRows { table, owners, rows })
}

/// The parts of a snapshot, the oldest first.
#[derive(Debug)]
pub(in crate::persistence) struct Parts {
    state: State,
    pub(super) all: Vec<(Part, Contents)>,
}

impl Parts {
    /// Finds what is in some parts.
    pub(in crate::persistence) fn open(state: &State, parts: &[Part]) -> Result<Self, EngineError> {
        parts.iter().try_for_each(|part| check_part(state, part.name))?;
        let sections: Vec<_> = parts.iter().map(|part| (part.name, part.contents)).collect();
        let contents = read_sections(state, &sections)?;
        let all = parts.iter().zip(contents).map(|(part, contents)| {
            let contents = serde_json::from_slice(&contents).map_err(|_| unreadable(part))?;
            Ok((part.clone(), contents))
        });
        Ok(Self {
            state: state.clone(),
            all: all.collect::<Result<_, EngineError>>()?,
        })
    }

    /// By what the operators are known that have saved something.
    pub(in crate::persistence) fn nodes(&self) -> BTreeSet<&str> {
        let contents = self.all.iter().flat_map(|(_, contents)| contents.sections.keys());
        contents.map(String::as_str).collect()
    }

    /// The tables of an operator, in the order in which they are restored.
    pub(in crate::persistence) fn tables(&self, node: &str) -> BTreeSet<u16> {
        let sections = self.all.iter().filter_map(|(_, contents)| contents.sections.get(node));
        sections.flatten().map(|rows| rows.table).collect()
    }

    /// How many bytes are read by who wants the rows of some ranges of owners.
    pub(in crate::persistence) fn bytes(&self, is_wanted: impl Fn(usize) -> bool) -> u64 {
        let of_contents = |contents: &Contents| {
            let all = contents.sections.values().flatten();
            let wanted = all.filter(|rows| contents.ranges == 1 || is_wanted(rows.range));
            wanted.map(|rows| rows.section.length).sum::<u64>()
        };
        self.all.iter().map(|(_, contents)| of_contents(contents)).sum()
    }

    /// Reads rows, of several sections at a time.
    pub(super) fn read(&self, rows: &[(&Part, Rows)]) -> Result<Vec<SavedRows>, EngineError> {
        let sections: Vec<_> = rows.iter().map(|(part, rows)| (part.name, rows.section)).collect();
        let contents = read_sections(&self.state, &sections)?;
        let decoded = contents
            .iter()
            .zip(rows)
            .map(|(content, (part, rows))| decode(rows.table, content).ok_or_else(|| unreadable(part)));
        decoded.collect()
    }
}

pub(super) fn unreadable(part: &Part) -> EngineError {
    let message = format!(
        "what is kept of operators in '{}' cannot be read: it was written by another version",
        part.name
    );
    EngineError::new(ErrorKind::Value, message)
}

#[cfg(test)]
mod tests {
    use towpath_types::{Batch, Column, DType, Value};

    use super::*;

    #[test]
    fn rows_come_back_as_they_were_or_not_at_all() {
        let rows = Batch::new(
            vec![Key(1), Key(2)],
            vec![Column::from_values(&DType::Int, &[Value::Int(1), Value::None])],
            None,
        );
        for owners in [None, Some(vec![Key(7), Key(8)])] {
            let saved = SavedRows {
                table: 1,
                owners,
                rows: rows.clone(),
            };
            let bytes = encode(&saved).expect("there are no objects");
            let read = decode(1, &bytes).expect("it was written so");
            assert_eq!(
                (&read.owners, read.rows.keys(), read.rows.columns()),
                (&saved.owners, rows.keys(), rows.columns())
            );
            for length in 0..bytes.len() {
                assert!(decode(1, &bytes[..length]).is_none(), "{length} bytes are no rows");
            }
        }
    }
}
