//! The rows that a source has added and not removed.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use towpath_types::{Batch, Cells, Column, Key, Physical};

use crate::error::EngineError;
use crate::state::{self, Name, Saved, no_table};
use crate::store::shrink;

/// An owner that is always the first worker.
pub(super) const FIRST_WORKER: Key = Key(0);

/// The numbers of the tables of rows with and without keys.
const WITH_KEYS: u16 = 0;
const WITHOUT_KEYS: u16 = 1;

/// What tells a row from others.
pub(super) type Identity = [u64; 2];

/// The rows that are there.
pub(super) enum Present {
    /// How often each is.
    ByKey(HashMap<Identity, u32>),
    /// The keys of those with the same values.
    ByValues(HashMap<Identity, Keys>),
}

/// The keys of rows with the same values, of which there is seldom more than one.
pub(super) enum Keys {
    One(Key),
    /// How often each is there.
    Several(BTreeMap<Key, u32>),
}

impl Keys {
    fn add(&mut self, key: Key, times: u32) {
        if let Keys::One(only) = self {
            *self = Keys::Several(BTreeMap::from([(*only, 1)]));
        }
        if let Keys::Several(keys) = self {
            let count = keys.entry(key).or_insert(0);
            *count = count.saturating_add(times);
        }
    }

    /// Takes the greatest; whether there are others.
    fn pop(&mut self) -> (Option<Key>, bool) {
        match self {
            Keys::One(only) => (Some(*only), false),
            Keys::Several(keys) => {
                let Some(mut last) = keys.last_entry() else {
                    return (None, false);
                };
                let key = *last.key();
                *last.get_mut() -= 1;
                if *last.get() == 0 {
                    last.remove();
                }
                (Some(key), !keys.is_empty())
            }
        }
    }

    fn count(&self, key: Key) -> u32 {
        match self {
            Keys::One(only) => u32::from(*only == key),
            Keys::Several(keys) => keys.get(&key).copied().unwrap_or(0),
        }
    }
}

/// A hash as a key.
fn key_of(identity: Identity) -> Key {
    Key(u128::from(identity[0]) | u128::from(identity[1]) << u64::BITS)
}

fn identity_of(key: Key) -> Identity {
    [key.0 as u64, (key.0 >> u64::BITS) as u64]
}

impl Present {
    pub(super) fn add(&mut self, row: Identity, key: Key, times: i64) {
        match self {
            Present::ByKey(counts) => {
                let count = counts.entry(row).or_default();
                *count = count.saturating_add(u32::try_from(times).unwrap_or(u32::MAX));
            }
            Present::ByValues(keys) => {
                let times = u32::try_from(times).unwrap_or(u32::MAX);
                match keys.entry(row) {
                    Entry::Occupied(mut entry) => entry.get_mut().add(key, times),
                    Entry::Vacant(entry) if times == 1 => {
                        entry.insert(Keys::One(key));
                    }
                    Entry::Vacant(entry) => {
                        entry.insert(Keys::Several(BTreeMap::from([(key, times)])));
                    }
                }
            }
        }
    }

    /// Takes one row away; the key that it was added with, if there is one.
    pub(super) fn remove(&mut self, row: Identity, key: Key) -> Option<Key> {
        match self {
            Present::ByKey(counts) => {
                let count = counts.get_mut(&row)?;
                *count -= 1;
                if *count == 0 {
                    counts.remove(&row);
                }
                Some(key)
            }
            Present::ByValues(rows) => {
                let (key, are_others) = rows.get_mut(&row)?.pop();
                if !are_others {
                    rows.remove(&row);
                }
                key
            }
        }
    }

    pub(super) fn shrink(&mut self) {
        match self {
            Present::ByKey(counts) => shrink(counts),
            Present::ByValues(rows) => shrink(rows),
        }
    }
    /// Saves the rows that have come or gone. Beside each is the key that owns it or, of rows without keys, its own.
    pub(super) fn save(&self, changed: Vec<(Identity, Key)>, saved: &mut Saved) {
        let (mut gone, mut there, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        let (mut hashes, mut keys) = (Vec::new(), Vec::new());
        for (identity, key) in changed {
            let hash = key_of(identity);
            let (count, name) = match self {
                Present::ByKey(rows) => {
                    let count = rows.get(&identity).copied().unwrap_or(0);
                    (
                        count,
                        Name {
                            identity: hash,
                            owner: key,
                        },
                    )
                }
                Present::ByValues(rows) => {
                    let count = rows.get(&identity).map_or(0, |keys| keys.count(key));
                    let identity = Key::pair(hash, key);
                    (
                        count,
                        Name {
                            identity,
                            owner: FIRST_WORKER,
                        },
                    )
                }
            };
            if count == 0 {
                gone.push(name);
                continue;
            }
            there.push(name);
            counts.push(i64::from(count));
            hashes.push(hash);
            keys.push(key);
        }
        let counts = Column::new(Cells::Int(counts.into()));
        let (table, columns) = match self {
            Present::ByKey(_) => (WITH_KEYS, vec![counts]),
            Present::ByValues(_) => {
                let (hashes, keys) = (Column::pointers(hashes.into()), Column::pointers(keys.into()));
                (WITHOUT_KEYS, vec![hashes, keys, counts])
            }
        };
        saved.remove(table, &gone);
        saved.put_named(table, &there, columns);
    }

    /// Takes rows that were saved.
    pub(super) fn restore(&mut self, table: u16, rows: &Batch, owners: &[Key]) -> Result<(), EngineError> {
        let counted = |column: &Column| -> Result<Vec<i64>, EngineError> {
            let counts = state::ints(column)?;
            if counts.iter().any(|count| *count <= 0) {
                return Err(state::unreadable("a row is there less than once"));
            }
            Ok(counts.to_vec())
        };
        match (&mut *self, table) {
            (Present::ByKey(_), WITH_KEYS) => {
                state::check(rows, owners, &[Physical::Int])?;
                for (hash, count) in rows.keys().iter().zip(counted(rows.column(0))?) {
                    self.add(identity_of(*hash), Key::default(), count);
                }
            }
            (Present::ByValues(_), WITHOUT_KEYS) => {
                state::check(rows, owners, &[Physical::Pointer, Physical::Pointer, Physical::Int])?;
                let (hashes, keys) = (state::keys(rows.column(0))?, state::keys(rows.column(1))?);
                for ((hash, key), count) in hashes.iter().zip(keys).zip(counted(rows.column(2))?) {
                    self.add(identity_of(*hash), *key, count);
                }
            }
            _ => return Err(no_table(table)),
        }
        Ok(())
    }
}
