//! Saved rows in the files of a snapshot, and which of them hold.
//!
//! A part holds the rows that operators have saved, in sections of one table each, and of one range of owners where there
//! are many rows; its last section says what is in which. A row of a later part replaces that of the same name in an
//! earlier one, and one that is removed there is no more: so parts are read from the last to the first, and what was seen
//! is left out. Where there are many rows, that is remembered for one range of owners at a time.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::{Deserialize, Serialize};
use towpath_durability::{PartName, PartWriter, Section, State, check_part, read_section};
use towpath_types::{Batch, Key, wire};

use crate::error::{EngineError, ErrorKind};
use crate::state::{Name, SavedRows};

/// Into so many ranges of owners rows are divided.
pub(in crate::persistence) const RANGES: usize = 64;

/// From so many rows on.
const MANY_ROWS: usize = 1 << 14;

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
struct Contents {
    /// Into how many ranges of owners its rows are divided: one, or [`RANGES`].
    ranges: usize,
    /// By what the operator is known.
    sections: BTreeMap<String, Vec<Rows>>,
}

/// Rows of a table in a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Rows {
    table: u16,
    range: usize,
    section: Section,
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
    all: Vec<(Part, Contents)>,
}

/// Rows of an operator's table that hold, and their owners; or of which it holds that they are removed.
pub(super) struct Live {
    pub(super) rows: Batch,
    pub(super) owners: Vec<Key>,
    pub(super) is_removal: bool,
}

impl Parts {
    /// Finds what is in some parts.
    pub(in crate::persistence) fn open(state: &State, parts: &[Part]) -> Result<Self, EngineError> {
        let mut all = Vec::with_capacity(parts.len());
        for part in parts {
            check_part(state, part.name)?;
            let contents = read_section(state, part.name, &part.contents)?;
            let contents: Contents = serde_json::from_slice(&contents).map_err(|_| unreadable(part))?;
            all.push((part.clone(), contents));
        }
        Ok(Self {
            state: state.clone(),
            all,
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

    /// Looks at a table of an operator.
    pub(in crate::persistence) fn table(&self, node: &str, table: u16) -> Result<Table<'_>, EngineError> {
        let mut sections = Vec::new();
        for (part, contents) in self.all.iter().rev() {
            let of_node = contents.sections.get(node).into_iter().flatten();
            let of_table = of_node.rev().filter(|rows| rows.table == table);
            for rows in of_table {
                sections.push(TableSection {
                    part,
                    rows: *rows,
                    // Few rows, which are there for all ranges.
                    undivided: match contents.ranges {
                        1 => Some(self.read(part, rows)?),
                        _ => None,
                    },
                });
            }
        }
        Ok(Table { parts: self, sections })
    }

    fn read(&self, part: &Part, rows: &Rows) -> Result<SavedRows, EngineError> {
        let bytes = read_section(&self.state, part.name, &rows.section)?;
        decode(rows.table, &bytes).ok_or_else(|| unreadable(part))
    }
}

/// A table of an operator in all parts.
pub(in crate::persistence) struct Table<'a> {
    parts: &'a Parts,
    /// The last one first.
    sections: Vec<TableSection<'a>>,
}

struct TableSection<'a> {
    part: &'a Part,
    rows: Rows,
    /// Its rows, if it is not divided by owners.
    undivided: Option<SavedRows>,
}

impl Table<'_> {
    /// How many bytes were read for it when it was looked at.
    pub(in crate::persistence) fn undivided_bytes(&self) -> u64 {
        let undivided = self.sections.iter().filter(|section| section.undivided.is_some());
        undivided.map(|section| section.rows.section.length).sum()
    }

    /// How many are read for a range of owners besides.
    pub(in crate::persistence) fn bytes(&self, range: usize) -> u64 {
        let divided = self.sections.iter().filter(|section| section.undivided.is_none());
        let of_range = divided.filter(|section| section.rows.range == range);
        of_range.map(|section| section.rows.section.length).sum()
    }

    /// Hands over the rows of a range of owners that hold, and what is said to be removed where nothing came later.
    pub(in crate::persistence) fn live(
        &self,
        range: usize,
        mut take: impl FnMut(Live) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let is_of_range = |section: &&TableSection<'_>| section.undivided.is_some() || section.rows.range == range;
        let mut sections = self.sections.iter().filter(is_of_range).peekable();
        let mut seen: HashSet<Name> = HashSet::new();
        while let Some(section) = sections.next() {
            let read;
            let saved = match &section.undivided {
                Some(saved) => saved,
                None => {
                    read = self.parts.read(section.part, &section.rows)?;
                    &read
                }
            };
            let is_last = sections.peek().is_none();
            let mut chosen = Vec::new();
            for row in 0..saved.rows.len() {
                let owner = saved.owner(row);
                if owner.worker(RANGES) != range {
                    continue;
                }
                let identity = saved.rows.keys()[row];
                let name = Name { identity, owner };
                let is_new = if is_last {
                    !seen.contains(&name)
                } else {
                    seen.insert(name)
                };
                if is_new {
                    chosen.push(row as u32);
                }
            }
            if chosen.is_empty() {
                continue;
            }
            let owners = chosen.iter().map(|row| saved.owner(*row as usize)).collect();
            let rows = if chosen.len() == saved.rows.len() {
                saved.rows.clone()
            } else {
                saved.rows.take(&chosen)
            };
            take(Live {
                rows,
                owners,
                is_removal: saved.is_removal(),
            })?;
        }
        Ok(())
    }
}

fn unreadable(part: &Part) -> EngineError {
    let message = format!(
        "what is kept of operators in '{}' cannot be read: it was written by another version",
        part.name
    );
    EngineError::new(ErrorKind::Value, message)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use towpath_durability::{Access, Holder, MemoryStorage};
    use towpath_types::{Column, DType, Value};

    use super::*;
    use crate::testing::Random;

    fn name(part: u32) -> PartName {
        PartName {
            generation: 0,
            process: 0,
            number: part,
        }
    }

    fn owner(number: usize) -> Key {
        Key::for_values(&[Value::Int(number as i64)])
    }

    #[test]
    fn what_was_said_last_holds() {
        let mut random = Random::new(7);
        for (rows_a_part, owned) in [(20, false), (20, true), (3 * MANY_ROWS, false), (3 * MANY_ROWS, true)] {
            let storage = Arc::new(MemoryStorage::default());
            let state = State::open(storage, Holder::current(0), Access::ReadWrite).expect("it is empty");
            let mut expected: BTreeMap<(Key, Key), i64> = BTreeMap::new();
            let mut parts = Vec::new();
            for part in 0..4 {
                // Some parts have few rows.
                let rows = if part == 2 { 10 } else { rows_a_part };
                let mut writer = PartsWriter::create(&state, name(part), Some(rows)).expect("it can be written");
                for is_removal in [false, true] {
                    let mut names: BTreeMap<(Key, Key), i64> = BTreeMap::new();
                    for _ in 0..rows {
                        let owner = owner(random.below(rows_a_part));
                        let identity = if owned { Key(random.below(3) as u128) } else { owner };
                        names.insert((owner, identity), random.below(1000) as i64);
                    }
                    let rows: Vec<Value> = names.values().map(|value| Value::Int(*value)).collect();
                    let keys: Vec<Key> = names.keys().map(|(_, identity)| *identity).collect();
                    let owners = owned.then(|| names.keys().map(|(owner, _)| *owner).collect());
                    let rows = if is_removal {
                        let diffs = vec![-1; keys.len()];
                        Batch::new(keys, Vec::new(), Some(diffs.into()))
                    } else {
                        Batch::new(keys, vec![Column::from_values(&DType::Int, &rows)], None)
                    };
                    let saved = SavedRows { table: 3, owners, rows };
                    writer.add("node", saved).expect("it can be written");
                    for (name, value) in names {
                        if is_removal {
                            expected.remove(&name);
                        } else {
                            expected.insert(name, value);
                        }
                    }
                }
                parts.push(writer.finish().expect("it can be written"));
            }
            let parts = Parts::open(&state, &parts).expect("it was written");
            assert_eq!(parts.tables("node"), BTreeSet::from([3]));
            let mut found = BTreeMap::new();
            let table = parts.table("node", 3).expect("it can be read");
            for range in 0..RANGES {
                let mut take = |live: Live| {
                    if live.is_removal {
                        return Ok(());
                    }
                    for (row, owner) in live.owners.iter().enumerate() {
                        let Value::Int(value) = live.rows.column(0).value(row) else {
                            panic!("an int");
                        };
                        let before = found.insert((*owner, live.rows.keys()[row]), value);
                        assert_eq!(before, None, "each is there once");
                    }
                    Ok(())
                };
                table.live(range, &mut take).expect("it can be read");
            }
            assert_eq!(found, expected);
        }
    }

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
