//! A cheap, immutable slice of a shared vector: cloning and slicing copy nothing.

use std::ops::Deref;
use std::sync::Arc;

/// A window into an `Arc<Vec<T>>`.
#[derive(Clone)]
pub struct Shared<T> {
    data: Arc<Vec<T>>,
    start: usize,
    len: usize,
}

impl<T> Shared<T> {
    /// The window of `len` items from `start`.
    pub fn slice(&self, start: usize, len: usize) -> Self {
        assert!(start + len <= self.len, "a slice must lie within its parent");
        Self {
            data: Arc::clone(&self.data),
            start: self.start + start,
            len,
        }
    }
}

impl<T> From<Vec<T>> for Shared<T> {
    fn from(data: Vec<T>) -> Self {
        let len = data.len();
        Self {
            data: Arc::new(data),
            start: 0,
            len,
        }
    }
}

impl<T> FromIterator<T> for Shared<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        items.into_iter().collect::<Vec<_>>().into()
    }
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl<T> Deref for Shared<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.data[self.start..self.start + self.len]
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}
