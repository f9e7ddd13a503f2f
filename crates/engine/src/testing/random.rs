//! Tables that change at random, the same every time.

use std::collections::HashSet;

use towpath_types::{DType, Key, Value};

use super::script::Update;

/// Numbers that seem random, and are the same every time.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }

    /// Something that happens once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for position in (1..items.len()).rev() {
            items.swap(position, self.below(position + 1));
        }
    }
}

/// How the rows of a table come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// They come, each with a key of its own.
    Coming,
    /// They come; several may have one key, or be alike.
    ComingAlike,
    /// They come and go; a key has one row.
    Changing,
    /// They come and go; several may have one key, or be alike.
    ChangingAlike,
    /// They are events: the last of a key counts.
    Events,
}

impl Rows {
    pub(super) fn is_append_only(self) -> bool {
        matches!(self, Rows::Coming | Rows::ComingAlike)
    }

    pub(super) fn is_unique(self) -> bool {
        matches!(self, Rows::Coming | Rows::Changing)
    }
}

/// A table that changes at random.
#[derive(Clone, Debug)]
pub struct RandomTable {
    /// The types of its columns.
    pub dtypes: Vec<DType>,
    /// How its rows come and go.
    pub rows: Rows,
    /// So many keys there are at most.
    pub keys: usize,
    /// The cells of a row of this key.
    pub cells: fn(&mut Random, Key) -> Vec<Value>,
    /// The step at which it ends, if it does.
    pub ends: Option<usize>,
}

impl RandomTable {
    /// A table with rows of these cells.
    pub fn new(dtypes: Vec<DType>, rows: Rows, cells: fn(&mut Random, Key) -> Vec<Value>) -> Self {
        Self {
            dtypes,
            rows,
            keys: 24,
            cells,
            ends: None,
        }
    }

    /// The same that ends at a step.
    #[must_use]
    pub fn ending(self, step: usize) -> Self {
        Self {
            ends: Some(step),
            ..self
        }
    }

    pub(super) fn script(&self, steps: usize, random: &mut Random) -> Vec<Vec<Update>> {
        let mut present: Vec<(Key, Vec<Value>)> = Vec::new();
        let mut coming = 0;
        let mut step = |step: usize| {
            let mut updates: Vec<Update> = Vec::new();
            if self.ends.is_some_and(|end| step >= end) || random.once_in(6) {
                return updates;
            }
            let mut met = HashSet::new();
            for _ in 0..random.below(8) {
                coming += 1;
                let number = match self.rows {
                    Rows::Coming => coming,
                    _ => random.below(self.keys),
                };
                let key = key(number);
                let cells = (self.cells)(random, key);
                let removes = random.once_in(3);
                let is_met = !met.insert(key);
                let times = if self.rows.is_unique() {
                    1
                } else {
                    1 + random.below(2) as i64
                };
                match self.rows {
                    Rows::Events => updates.push((key, cells, if removes { -1 } else { 1 })),
                    Rows::Coming | Rows::ComingAlike => updates.push((key, cells, times)),
                    Rows::Changing | Rows::ChangingAlike => {
                        // What comes and goes within a time is news or not, as it comes: it should be no failure.
                        let is_sound = !cells.contains(&Value::Error);
                        if is_met {
                            continue;
                        }
                        if random.once_in(8) && is_sound {
                            updates.extend([(key, cells.clone(), 1), (key, cells.clone(), -1)]);
                        }
                        let found = present.iter().position(|(other, _)| *other == key);
                        let is_replaced = self.rows == Rows::Changing || removes;
                        if let Some(position) = found.filter(|_| is_replaced) {
                            let (key, cells) = present.swap_remove(position);
                            let again = present.iter().position(|other| *other == (key, cells.clone()));
                            let again = again
                                .filter(|_| random.once_in(2))
                                .map(|again| present.swap_remove(again));
                            updates.push((key, cells, if again.is_some() { -2 } else { -1 }));
                        }
                        if found.is_none() || !removes {
                            updates.push((key, cells.clone(), times));
                            (0..times).for_each(|_| present.push((key, cells.clone())));
                        }
                    }
                }
            }
            updates
        };
        (0..steps).map(&mut step).collect()
    }
}

fn key(number: usize) -> Key {
    Key::for_values(&[Value::Int(number as i64)])
}
