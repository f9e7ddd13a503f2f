//! What all that is written has in common: its version, and whose it is.

use std::fmt;

/// The format of all that is written.
pub(crate) const VERSION: u32 = 1;

/// What tells a state from all others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct StateId(pub(crate) [u8; 16]);

impl fmt::Display for StateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for StateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Bytes of which it is known how many they are.
pub(crate) fn fixed<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}
