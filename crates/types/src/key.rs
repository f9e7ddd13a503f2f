//! The key of a row: 128 bits that are the same on every machine, today and in ten years.
//!
//! A key is the XXH3-128 hash of an encoding of the values it is made from: one tag byte,
//! then the value in little-endian bytes, text and sequences with their length before them.
//! The encoding is stored in snapshots, so **it never changes**; a test in [`value`](crate::value)
//! holds it in place. The tags leave room for new types.
//!
//! The low 16 bits of a key are its *shard*: rows of one shard live on one worker. A key made
//! with an `instance` takes its shard from the instance, so that an instance stays together.

use std::fmt;
use std::str::FromStr;

use xxhash_rust::xxh3::{xxh3_128, xxh3_128_with_seed};

/// What the encoding of a key, as that of a value, begins with.
pub(crate) const POINTER: u8 = 6;

/// Names one row of a table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Key(pub u128);

const SHARD_MASK: u128 = 0xffff;

impl Key {
    /// The key of the `ordinal`-th row of a sequence named by `seed`.
    pub fn sequence(seed: u64, ordinal: u64) -> Key {
        Key(xxh3_128_with_seed(&ordinal.to_le_bytes(), seed))
    }

    /// The key of a pair of rows, as a join makes it.
    pub fn pair(left: Key, right: Key) -> Key {
        let mut bytes = [0; 34];
        bytes[0] = POINTER;
        bytes[1..17].copy_from_slice(&left.0.to_le_bytes());
        bytes[17] = POINTER;
        bytes[18..].copy_from_slice(&right.0.to_le_bytes());
        Key(xxh3_128(&bytes))
    }

    /// The same key on the shard of `instance`.
    pub fn with_shard_of(self, instance: Key) -> Key {
        Key((self.0 & !SHARD_MASK) | (instance.0 & SHARD_MASK))
    }

    /// Which of `workers` owns the row: each owns a range of shards.
    pub fn worker(self, workers: usize) -> usize {
        // A multiplication, since a division would take most of the time of spreading rows.
        ((u64::from(self.0 as u16) * workers as u64) >> u16::BITS) as usize
    }
}

/// Crockford's base 32: no I, L, O or U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'^'; 27];
        let mut rest = self.0;
        for letter in text[1..].iter_mut().rev() {
            *letter = ALPHABET[(rest & 31) as usize];
            rest >>= 5;
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not the text of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a pointer is written as ^ and 26 characters of 0-9 and A-Z without I, L, O and U, not as {0:?}")]
pub struct KeyParseError(String);

impl FromStr for Key {
    type Err = KeyParseError;

    fn from_str(text: &str) -> Result<Key, KeyParseError> {
        let error = || KeyParseError(text.to_owned());
        let digits = text
            .strip_prefix('^')
            .filter(|digits| digits.len() == 26)
            .ok_or_else(error)?;
        let mut value: u128 = 0;
        for (position, byte) in digits.bytes().enumerate() {
            let digit = ALPHABET.iter().position(|letter| *letter == byte).ok_or_else(error)?;
            if position == 0 && digit >= 8 {
                return Err(error());
            }
            value = (value << 5) | digit as u128;
        }
        Ok(Key(value))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bad_text_is_no_key() {
        for text in [
            "",
            "^",
            "^8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
            "^IIIIIIIIIIIIIIIIIIIIIIIIII",
            "x",
        ] {
            assert!(text.parse::<Key>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_round_trips(key in any::<u128>()) {
            prop_assert_eq!(Key(key).to_string().parse::<Key>(), Ok(Key(key)));
        }
    }
}
