//! Hash tables of keys: how keys are hashed, and which of them came once.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use crate::key::Key;

/// Drawn anew in every process.
pub(crate) static SEEDS: LazyLock<[u64; 2]> = LazyLock::new(|| [(); 2].map(|()| RandomState::new().hash_one(())));

/// Both halves of a key: the low 16 bits are the shard, which all keys of one worker may share, and keys that users
/// made of small numbers have no high half. They are multiplied with secret seeds, since how keys are made is known, and
/// whoever sends rows could otherwise send many whose keys fall into one slot of a table.
#[inline]
pub(crate) fn fold(key: u128, [first, second]: [u64; 2]) -> u64 {
    let product = u128::from(key as u64 ^ first) * u128::from((key >> 64) as u64 ^ second);
    product as u64 ^ (product >> 64) as u64
}

/// Keys are hashes already: their halves, mixed with a seed.
#[derive(Clone, Copy, Debug, Default)]
pub struct BuildKeyHasher;

/// See [`BuildKeyHasher`].
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyHasher(u64);

impl BuildHasher for BuildKeyHasher {
    type Hasher = KeyHasher;

    #[inline]
    fn build_hasher(&self) -> KeyHasher {
        KeyHasher(0)
    }
}

impl std::hash::Hasher for KeyHasher {
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(0x100_0000_01b3) ^ u64::from(*byte);
        }
    }

    #[inline]
    fn write_u128(&mut self, value: u128) {
        self.0 = fold(value, *SEEDS);
    }
}

/// Keys that came once. They are hashes, so a table of their positions with open addressing is as small and as fast
/// as it gets.
#[derive(Debug, Default)]
pub struct DistinctKeys {
    keys: Vec<Key>,
    /// Positions in `keys`; at least half of it is free.
    table: Vec<u32>,
}

impl DistinctKeys {
    const FREE: u32 = u32::MAX;

    /// How many positions of the table are looked up at once.
    const AHEAD: usize = 32;

    /// No keys, with room for so many.
    pub fn with_capacity(keys: usize) -> Self {
        Self {
            keys: Vec::with_capacity(keys),
            table: vec![Self::FREE; (keys * 2).next_power_of_two()],
        }
    }

    /// Adds keys; `false` as soon as one is there already.
    pub fn insert_all(&mut self, keys: &[Key]) -> bool {
        self.insert_all_but(keys, |_, _| false)
    }

    /// Adds keys; `false` as soon as one is there already, unless `differ` says of the positions of both that they may
    /// stand beside each other.
    pub fn insert_all_but(&mut self, keys: &[Key], differ: impl Fn(usize, usize) -> bool) -> bool {
        let start = self.keys.len();
        let needed = (start + keys.len()) * 2;
        self.keys.extend_from_slice(keys);
        if needed > self.table.len() {
            self.table = vec![Self::FREE; needed.next_power_of_two()];
            return self.enter_from(0, differ);
        }
        self.enter_from(start, differ)
    }

    /// Enters the keys from a position on, as they are added.
    fn enter_from(&mut self, start: usize, differ: impl Fn(usize, usize) -> bool) -> bool {
        let mask = self.table.len() - 1;
        let seeds = *SEEDS;
        let mut slots = [0; Self::AHEAD];
        for first in (start..self.keys.len()).step_by(Self::AHEAD) {
            let keys = &self.keys[first..self.keys.len().min(first + Self::AHEAD)];
            let mut all = 0;
            for (slot, key) in slots.iter_mut().zip(keys) {
                *slot = fold(key.0, seeds) as usize & mask;
                all |= self.table[*slot];
            }
            // Only so that it is read: the processor fetches all these positions at the same time.
            std::hint::black_box(all);
            for (position, (slot, key)) in slots.iter().zip(keys).enumerate() {
                let (mut slot, position) = (*slot, first + position);
                loop {
                    match self.table[slot] {
                        Self::FREE => break,
                        other if self.keys[other as usize] == *key && !differ(other as usize, position) => {
                            return false;
                        }
                        _ => slot = (slot + 1) & mask,
                    }
                }
                self.table[slot] = position as u32;
            }
        }
        true
    }
}
