//! Texts in Arrow's layout of *views*: sixteen bytes a text, which hold its length and, if it has at most twelve
//! bytes, all of it; a longer one lies in a block that the view refers to.
//!
//! [`Views`] is what a column builder pushes to. [`Texts`] is a column of texts that can be overwritten, for what
//! stateful operators remember: most texts are short, so they are stored and gathered like numbers.

use std::sync::Arc;

use arrow_array::{Array as _, BinaryViewArray, StringViewArray};
use arrow_buffer::{Buffer, NullBuffer, ScalarBuffer};
use arrow_data::ByteView;

/// A block of text grows up to this length before the next is begun.
pub(crate) const BLOCK_BYTES: usize = 1 << 20;

/// The longest text that is in its view.
const SHORT: usize = 12;

/// At most twelve bytes as a number. Two words that overlap are faster than a copy of so few bytes.
#[inline]
fn short(bytes: &[u8]) -> u128 {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        let shift = 8 * (bytes.len() - 8);
        u128::from(u64::from_le_bytes(*first)) | u128::from(u64::from_le_bytes(*last)) << shift
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let shift = 8 * (bytes.len() - 4);
        u128::from(u32::from_le_bytes(*first)) | u128::from(u32::from_le_bytes(*last)) << shift
    } else {
        bytes.iter().rev().fold(0, |word, byte| word << 8 | u128::from(*byte))
    }
}

/// Texts, or other bytes, one after another.
#[derive(Debug, Default)]
pub(crate) struct Views {
    views: Vec<u128>,
    block: Vec<u8>,
    full: Vec<Buffer>,
}

impl Views {
    pub(crate) fn reserve(&mut self, texts: usize) {
        self.views.reserve(texts);
    }

    #[inline]
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let view = if bytes.len() <= SHORT {
            bytes.len() as u128 | short(bytes) << 32
        } else {
            self.push_long(bytes)
        };
        self.views.push(view);
    }

    fn push_long(&mut self, bytes: &[u8]) -> u128 {
        assert!(u32::try_from(bytes.len()).is_ok(), "a text has at most 4 GiB");
        if !self.block.is_empty() && self.block.len() + bytes.len() > BLOCK_BYTES {
            self.full.push(Buffer::from_vec(std::mem::take(&mut self.block)));
        }
        let offset = self.block.len();
        self.block.extend_from_slice(bytes);
        let mut prefix = [0; 4];
        prefix.copy_from_slice(&bytes[..4]);
        let view = ByteView {
            length: bytes.len() as u32,
            prefix: u32::from_le_bytes(prefix),
            buffer_index: self.full.len() as u32,
            offset: offset as u32,
        };
        view.as_u128()
    }

    fn finish(&mut self) -> (ScalarBuffer<u128>, Arc<[Buffer]>) {
        let mut buffers = std::mem::take(&mut self.full);
        if !self.block.is_empty() {
            buffers.push(Buffer::from_vec(std::mem::take(&mut self.block)));
        }
        (std::mem::take(&mut self.views).into(), buffers.into())
    }

    /// What was pushed, as an array.
    pub(crate) fn finish_bytes(&mut self, nulls: Option<NullBuffer>) -> BinaryViewArray {
        let (views, blocks) = self.finish();
        bytes(views, blocks, nulls)
    }

    /// What was pushed, as an array. All of it must have been valid UTF-8.
    pub(crate) fn finish_texts(&mut self, nulls: Option<NullBuffer>) -> StringViewArray {
        let (views, blocks) = self.finish();
        texts(views, blocks, nulls)
    }
}

/// An array of views that are known to refer to valid UTF-8 within the blocks.
pub(crate) fn texts(views: ScalarBuffer<u128>, blocks: Arc<[Buffer]>, nulls: Option<NullBuffer>) -> StringViewArray {
    #[expect(
        unsafe_code,
        reason = "a check of every text again would cost more than all the rest"
    )]
    // SAFETY: within the crate, views are made by `Views::push` of valid UTF-8, or are copies of those of columns, with
    // their blocks. Texts of others come into columns by a builder or by a constructor of Arrow's that checks them.
    unsafe {
        StringViewArray::new_unchecked(views, blocks, nulls)
    }
}

/// An array of views that are known to refer to bytes within the blocks.
pub(crate) fn bytes(views: ScalarBuffer<u128>, blocks: Arc<[Buffer]>, nulls: Option<NullBuffer>) -> BinaryViewArray {
    #[expect(unsafe_code, reason = "as of texts")]
    // SAFETY: as of texts.
    unsafe {
        BinaryViewArray::new_unchecked(views, blocks, nulls)
    }
}

/// The same views, where `count` blocks have been put before their own.
pub(crate) fn moved(views: &[u128], count: u32) -> Vec<u128> {
    // The index of the block is the third of four words.
    let moved = |view: &u128| {
        if *view as u32 as usize > SHORT {
            view.wrapping_add(u128::from(count) << 64)
        } else {
            *view
        }
    };
    views.iter().map(moved).collect()
}

/// A column of texts, or of other bytes, that can be overwritten; texts are addressed by slots.
///
/// Longer texts are in one buffer, which is compacted when more than half of it is dead.
#[derive(Debug)]
pub struct Texts {
    /// The length in the first four bytes; then the text itself, or in the last eight where it lies.
    views: Vec<[u8; 16]>,
    bytes: Vec<u8>,
    dead: usize,
    is_utf8: bool,
}

impl Texts {
    /// No texts.
    pub fn new() -> Self {
        Self {
            views: Vec::new(),
            bytes: Vec::new(),
            dead: 0,
            is_utf8: true,
        }
    }

    /// The number of slots.
    pub fn len(&self) -> usize {
        self.views.len()
    }

    /// Whether there are no slots.
    pub fn is_empty(&self) -> bool {
        self.views.is_empty()
    }

    /// Makes `len` slots, the new ones empty.
    pub fn resize(&mut self, len: usize) {
        self.views.resize(len, [0; 16]);
    }

    /// The bytes of memory taken by longer texts.
    pub fn long_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The text in a slot.
    #[inline]
    pub fn get(&self, slot: usize) -> &[u8] {
        let view = &self.views[slot];
        match long(view) {
            None => &view[4..4 + length(view)],
            Some((start, len)) => &self.bytes[start..start + len],
        }
    }

    /// Whether the text in a slot is that in a row of an array, which is not null there.
    #[inline]
    pub fn is(&self, slot: usize, array: &StringViewArray, row: usize) -> bool {
        let view = u128::from_le_bytes(self.views[slot]);
        // A short text is its view.
        (view as u32 as usize <= SHORT && view == array.views()[row]) || self.get(slot) == array.value(row).as_bytes()
    }

    /// Writes texts of an array into slots.
    pub fn put_texts(&mut self, array: &StringViewArray, positions: impl Iterator<Item = (usize, usize)>) {
        for (slot, row) in positions {
            self.put(
                slot,
                if array.is_null(row) {
                    b""
                } else {
                    array.value(row).as_bytes()
                },
            );
        }
    }

    /// Writes bytes of an array into slots; then the texts are not known to be UTF-8 any more.
    pub fn put_bytes(&mut self, array: &BinaryViewArray, positions: impl Iterator<Item = (usize, usize)>) {
        self.is_utf8 = false;
        for (slot, row) in positions {
            self.put(slot, if array.is_null(row) { b"" } else { array.value(row) });
        }
    }

    fn put(&mut self, slot: usize, text: &[u8]) {
        self.forget(slot);
        let mut view = [0; 16];
        view[..4].copy_from_slice(&(text.len() as u32).to_le_bytes());
        if text.len() <= SHORT {
            view[4..4 + text.len()].copy_from_slice(text);
        } else {
            assert!(u32::try_from(text.len()).is_ok(), "a text has at most 4 GiB");
            view[8..].copy_from_slice(&(self.bytes.len() as u64).to_le_bytes());
            self.bytes.extend_from_slice(text);
        }
        self.views[slot] = view;
        self.compact();
    }

    /// Empties a slot.
    pub fn clear(&mut self, slot: usize) {
        self.forget(slot);
        self.views[slot] = [0; 16];
        self.compact();
    }

    fn forget(&mut self, slot: usize) {
        if let Some((_, len)) = long(&self.views[slot]) {
            self.dead += len;
        }
    }

    fn compact(&mut self) {
        const SMALL: usize = 1 << 16;
        if self.dead < SMALL || self.dead * 2 < self.bytes.len() {
            return;
        }
        let mut bytes = Vec::with_capacity(self.bytes.len() - self.dead);
        for view in &mut self.views {
            if let Some((start, len)) = long(view) {
                view[8..].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
                bytes.extend_from_slice(&self.bytes[start..start + len]);
            }
        }
        self.bytes = bytes;
        self.dead = 0;
    }

    fn gather(&self, slots: &[u32]) -> Views {
        let mut views = Views::default();
        views.reserve(slots.len());
        for slot in slots {
            let view = &self.views[*slot as usize];
            match long(view) {
                None => views.views.push(u128::from_le_bytes(*view)),
                Some((start, len)) => views.push(&self.bytes[start..start + len]),
            }
        }
        views
    }

    /// The texts in `slots`, in that order.
    ///
    /// # Panics
    /// If bytes were put in that were no texts.
    pub fn gather_texts(&self, slots: &[u32], nulls: Option<NullBuffer>) -> StringViewArray {
        assert!(self.is_utf8, "bytes are not gathered as texts");
        self.gather(slots).finish_texts(nulls)
    }

    /// The bytes in `slots`, in that order.
    pub fn gather_bytes(&self, slots: &[u32], nulls: Option<NullBuffer>) -> BinaryViewArray {
        self.gather(slots).finish_bytes(nulls)
    }
}

impl Default for Texts {
    fn default() -> Self {
        Self::new()
    }
}

fn length(view: &[u8; 16]) -> usize {
    u32::from_le_bytes([view[0], view[1], view[2], view[3]]) as usize
}

/// Where a longer text lies, and its length.
#[inline]
fn long(view: &[u8; 16]) -> Option<(usize, usize)> {
    let len = length(view);
    let word = u128::from_le_bytes(*view);
    (len > SHORT).then_some(((word >> 64) as usize, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_out_as_they_went_in() {
        let texts = [
            "",
            "a",
            "twelve bytes",
            "thirteen byte",
            "grün",
            "ein längerer Text mit Umlauten",
        ];
        let array = StringViewArray::from(texts.to_vec());
        let mut store = Texts::new();
        store.resize(texts.len());
        store.put_texts(&array, (0..texts.len()).map(|row| (texts.len() - 1 - row, row)));
        for (row, text) in texts.iter().enumerate() {
            assert_eq!(store.get(texts.len() - 1 - row), text.as_bytes());
            for other in 0..texts.len() {
                assert_eq!(store.is(texts.len() - 1 - row, &array, other), row == other, "{text}");
            }
        }
        let gathered = store.gather_texts(&[0, 5, 0, 2], None);
        assert_eq!(
            gathered.iter().flatten().collect::<Vec<_>>(),
            [texts[5], texts[0], texts[5], texts[3]]
        );
    }

    #[test]
    fn dead_text_is_reclaimed() {
        let mut store = Texts::new();
        store.resize(3);
        for round in 0..1000 {
            let text = format!("{round:0>1000}");
            store.put_texts(
                &StringViewArray::from(vec![text.as_str()]),
                std::iter::once((round % 3, 0)),
            );
            assert_eq!(store.get(round % 3), text.as_bytes());
        }
        assert!(
            store.long_bytes() < 200_000,
            "{} bytes for three texts",
            store.long_bytes()
        );
    }
}
