//! Finds the few bytes that structure a text, eight bytes at a time, see [`towpath_types::scan`].

use towpath_types::scan::{repeated, zero_bytes};

/// The high bits of the eight bytes, in the lowest byte.
#[inline]
fn gathered(word: u64) -> u64 {
    (word >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// Walks over the positions of up to four bytes in a text.
#[derive(Debug)]
pub(crate) struct Positions<'a> {
    bytes: &'a [u8],
    wanted: [u64; 4],
    /// Where the present window of 64 bytes begins.
    window: usize,
    /// The positions in the window that were not yet visited, a bit each.
    found: u64,
}

impl<'a> Positions<'a> {
    pub(crate) fn new(bytes: &'a [u8], wanted: [u8; 4]) -> Self {
        let mut positions = Self {
            bytes,
            wanted: wanted.map(repeated),
            window: 0,
            found: 0,
        };
        positions.found = positions.search(0);
        positions
    }

    #[inline]
    fn search_word(&self, word: u64) -> u64 {
        let [a, b, c, d] = self.wanted;
        let found = zero_bytes(word ^ a) | zero_bytes(word ^ b) | zero_bytes(word ^ c) | zero_bytes(word ^ d);
        gathered(found)
    }

    #[inline]
    fn search(&self, window: usize) -> u64 {
        if let Some(bytes) = self.bytes.get(window..window + 64) {
            let mut found = 0;
            for (position, word) in bytes.chunks_exact(8).enumerate() {
                let word = u64::from_le_bytes([word[0], word[1], word[2], word[3], word[4], word[5], word[6], word[7]]);
                found |= self.search_word(word) << (position * 8);
            }
            return found;
        }
        let rest = self.bytes.get(window..).unwrap_or_default();
        let mut found = 0;
        for (position, byte) in rest.iter().enumerate() {
            if self.wanted.contains(&repeated(*byte)) {
                found |= 1 << position;
            }
        }
        found
    }

    /// The next position.
    #[inline]
    pub(crate) fn next_position(&mut self) -> Option<usize> {
        while self.found == 0 {
            self.window += 64;
            if self.window >= self.bytes.len() {
                return None;
            }
            self.found = self.search(self.window);
        }
        let position = self.window + self.found.trailing_zeros() as usize;
        self.found &= self.found - 1;
        Some(position)
    }

    /// Goes on at `position`, which is not before the present one.
    pub(crate) fn skip_to(&mut self, position: usize) {
        let window = position & !63;
        if window != self.window {
            self.window = window;
            self.found = self.search(window);
        }
        self.found &= u64::MAX << (position & 63);
    }
}

/// Walks over the positions of one byte in a text. Long stretches without it are passed as fast as memory is read, and
/// where it is frequent, 64 bytes are searched at once.
#[derive(Debug)]
pub(crate) struct Occurrences<'a> {
    bytes: &'a [u8],
    wanted: u8,
    /// Where the present window begins, and what comes after it.
    window: usize,
    next: usize,
    /// The positions in the window that were not yet visited, a bit each.
    found: u64,
}

impl<'a> Occurrences<'a> {
    /// Begins at `position`.
    pub(crate) fn new(bytes: &'a [u8], wanted: u8, position: usize) -> Self {
        Self {
            bytes,
            wanted,
            window: position,
            next: position,
            found: 0,
        }
    }

    /// The next position.
    #[inline]
    pub(crate) fn next_position(&mut self) -> Option<usize> {
        if self.found == 0 {
            let rest = self.bytes.get(self.next..)?;
            let skipped = memchr::memchr(self.wanted, rest)?;
            self.window = self.next + skipped;
            let rest = &rest[skipped..];
            self.next = self.window + rest.len().min(64);
            if let Some(bytes) = rest.get(..64) {
                for (position, word) in bytes.chunks_exact(8).enumerate() {
                    let word =
                        u64::from_le_bytes([word[0], word[1], word[2], word[3], word[4], word[5], word[6], word[7]]);
                    self.found |= gathered(zero_bytes(word ^ repeated(self.wanted))) << (position * 8);
                }
            } else {
                for (position, byte) in rest.iter().enumerate() {
                    self.found |= u64::from(*byte == self.wanted) << position;
                }
            }
        }
        let position = self.window + self.found.trailing_zeros() as usize;
        self.found &= self.found - 1;
        Some(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn positions_are_all_found(text in "[a,\"\n\u{80}\u{2c00}]{0,300}", skip in 0..300_usize) {
            let bytes = text.as_bytes();
            let expected = |from: usize| -> Vec<usize> {
                (from..bytes.len()).filter(|position| b",\"\n\r".contains(&bytes[*position])).collect()
            };
            let mut positions = Positions::new(bytes, *b",\"\n\r");
            let mut found = Vec::new();
            while let Some(position) = positions.next_position() {
                found.push(position);
            }
            prop_assert_eq!(found, expected(0));
            let mut positions = Positions::new(bytes, *b",\"\n\r");
            let skip = skip.min(bytes.len());
            positions.skip_to(skip);
            let mut found = Vec::new();
            while let Some(position) = positions.next_position() {
                found.push(position);
            }
            prop_assert_eq!(found, expected(skip));
            let mut quotes = Occurrences::new(bytes, b'"', skip);
            let found: Vec<usize> = std::iter::from_fn(|| quotes.next_position()).collect();
            let expected: Vec<usize> = expected(skip).into_iter().filter(|position| bytes[*position] == b'"').collect();
            prop_assert_eq!(found, expected);
        }
    }
}
