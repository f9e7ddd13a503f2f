//! The numbers by which rows in memory are addressed.

/// Hands out slots, those that were given back first.
#[derive(Debug, Default)]
pub struct Slots {
    free: Vec<u32>,
    len: u32,
}

impl Slots {
    /// A slot nobody uses.
    pub fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.len += 1;
            self.len - 1
        })
    }

    /// Gives a slot back. When all have been, they begin anew.
    pub fn give_back(&mut self, slot: u32) {
        self.free.push(slot);
        if self.free.len() == self.len as usize {
            *self = Self::default();
        }
    }

    /// How many slots there have been at once since there were none.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether no slot is taken.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}
