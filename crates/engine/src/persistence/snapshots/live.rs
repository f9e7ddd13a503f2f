//! Which of the rows hold that are in the parts of a snapshot.
//!
//! A row of a later part replaces that of the same name in an earlier one, and one that is removed there is no more: so
//! parts are read from the last to the first, and what was seen is left out. Where there are many rows, that is remembered
//! for one range of owners at a time.

use std::collections::HashSet;

use towpath_types::{Batch, Key};

use super::parts::{Part, Parts, RANGES, Rows, unreadable};
use crate::error::EngineError;
use crate::state::{Name, SavedRows};

/// Rows of an operator's table that hold, and their owners; or of which it holds that they are removed.
pub(super) struct Live {
    pub(super) rows: Batch,
    pub(super) owners: Vec<Key>,
    pub(super) is_removal: bool,
}

impl Parts {
    /// Looks at a table of an operator.
    pub(in crate::persistence) fn table(&self, node: &str, table: u16) -> Result<Table<'_>, EngineError> {
        let (mut sections, mut undivided) = (Vec::new(), Vec::new());
        for (part, contents) in self.all.iter().rev() {
            let of_node = contents.sections.get(node).into_iter().flatten();
            let of_table = of_node.rev().filter(|rows| rows.table == table);
            for rows in of_table {
                if contents.ranges == 1 {
                    undivided.push((sections.len(), (part, *rows)));
                }
                sections.push(TableSection {
                    part,
                    rows: *rows,
                    undivided: None,
                });
            }
        }
        // Few rows, which are there for all ranges.
        let (positions, undivided): (Vec<usize>, Vec<_>) = undivided.into_iter().unzip();
        for (position, rows) in positions.into_iter().zip(self.read(&undivided)?) {
            sections[position].undivided = Some(rows);
        }
        Ok(Table { parts: self, sections })
    }
}

/// So many bytes are read together, or one section that is longer: over a network several are on their way at a time.
const TOGETHER: u64 = 8 << 20;

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
        let sections: Vec<&TableSection<'_>> = self.sections.iter().filter(is_of_range).collect();
        let mut seen: HashSet<Name> = HashSet::new();
        let mut left = &sections[..];
        while !left.is_empty() {
            let (now, later) = left.split_at(count_together(left));
            left = later;
            let to_read = now.iter().filter(|section| section.undivided.is_none());
            let to_read: Vec<_> = to_read.map(|section| (section.part, section.rows)).collect();
            let read = self.parts.read(&to_read)?;
            let mut read = read.iter();
            for (number, section) in now.iter().enumerate() {
                let Some(saved) = section.undivided.as_ref().or_else(|| read.next()) else {
                    return Err(unreadable(section.part));
                };
                let is_last = later.is_empty() && number + 1 == now.len();
                take_live(saved, range, is_last, &mut seen, &mut take)?;
            }
        }
        Ok(())
    }
}

/// How many of the first sections are read together.
fn count_together(sections: &[&TableSection<'_>]) -> usize {
    let mut bytes = 0;
    let is_together = |section: &&&TableSection<'_>| {
        if section.undivided.is_none() {
            bytes += section.rows.section.length;
        }
        bytes <= TOGETHER
    };
    sections.iter().take_while(is_together).count().max(1)
}

/// Hands over the rows of a section, of one range of owners, that were not seen in later ones.
fn take_live(
    saved: &SavedRows,
    range: usize,
    is_last: bool,
    seen: &mut HashSet<Name>,
    take: &mut impl FnMut(Live) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
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
        return Ok(());
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
    })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    use towpath_durability::{Access, Holder, MemoryStorage, PartName, State};
    use towpath_types::{Column, DType, Value};

    use super::super::parts::{MANY_ROWS, PartsWriter};
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
}
