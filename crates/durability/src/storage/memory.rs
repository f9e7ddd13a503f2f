//! A storage in memory, for tests.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::storage::{Appender, Entry, Holder, Lock, LockError, Storage, check_name, part};

/// A storage in memory; a clone is the same one.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage {
    content: Arc<Mutex<Content>>,
}

#[derive(Debug, Default)]
struct Content {
    blobs: BTreeMap<String, Blob>,
    holder: Option<Holder>,
}

#[derive(Clone, Debug, Default)]
struct Blob {
    bytes: Vec<u8>,
    /// How many of them a crash leaves.
    durable: usize,
}

impl MemoryStorage {
    /// What a crash now would leave: another storage with what is durable, and at most so many bytes more of each blob.
    pub fn after_crash(&self, more: usize) -> Self {
        let content = self.content.lock();
        let blobs = content.blobs.iter().map(|(name, blob)| {
            let bytes = blob.bytes[..blob.bytes.len().min(blob.durable + more)].to_vec();
            let durable = bytes.len();
            (name.clone(), Blob { bytes, durable })
        });
        let content = Content {
            blobs: blobs.collect(),
            holder: None,
        };
        Self {
            content: Arc::new(Mutex::new(content)),
        }
    }
}

fn not_found(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("there is no '{name}'"))
}

impl Storage for MemoryStorage {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    fn list(&self, prefix: &str) -> io::Result<Vec<Entry>> {
        let content = self.content.lock();
        let found = content
            .blobs
            .range(prefix.to_owned()..)
            .take_while(|(name, _)| name.starts_with(prefix));
        Ok(found
            .map(|(name, blob)| Entry {
                name: name.clone(),
                bytes: blob.bytes.len() as u64,
            })
            .collect())
    }

    fn read(&self, name: &str, range: Option<Range<u64>>) -> io::Result<Vec<u8>> {
        let content = self.content.lock();
        let bytes = &content.blobs.get(name).ok_or_else(|| not_found(name))?.bytes;
        Ok(match range {
            Some(range) => part(bytes, &range).to_vec(),
            None => bytes.clone(),
        })
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        check_name(name)?;
        let blob = Blob {
            bytes: bytes.to_vec(),
            durable: bytes.len(),
        };
        self.content.lock().blobs.insert(name.to_owned(), blob);
        Ok(())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Appender>> {
        check_name(name)?;
        let mut content = self.content.lock();
        if content.blobs.contains_key(name) {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!("there is a '{name}'"),
            ));
        }
        content.blobs.insert(name.to_owned(), Blob::default());
        Ok(Box::new(MemoryAppender {
            storage: self.clone(),
            name: name.to_owned(),
        }))
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        self.content
            .lock()
            .blobs
            .remove(name)
            .map(|_| ())
            .ok_or_else(|| not_found(name))
    }

    fn lock(&self, holder: &Holder) -> Result<Box<dyn Lock>, LockError> {
        let mut content = self.content.lock();
        if let Some(other) = &content.holder {
            return Err(LockError::Held(Some(other.clone())));
        }
        content.holder = Some(holder.clone());
        Ok(Box::new(MemoryLock(self.clone())))
    }

    fn check_free(&self) -> Result<(), LockError> {
        match &self.content.lock().holder {
            Some(holder) => Err(LockError::Held(Some(holder.clone()))),
            None => Ok(()),
        }
    }
}

#[derive(Debug)]
struct MemoryAppender {
    storage: MemoryStorage,
    name: String,
}

impl MemoryAppender {
    fn with<T>(&self, change: impl FnOnce(&mut Blob) -> T) -> io::Result<T> {
        let mut content = self.storage.content.lock();
        content
            .blobs
            .get_mut(&self.name)
            .map(change)
            .ok_or_else(|| not_found(&self.name))
    }
}

impl Appender for MemoryAppender {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.with(|blob| blob.bytes.extend_from_slice(bytes))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.with(|blob| blob.durable = blob.bytes.len())
    }
}

#[derive(Debug)]
struct MemoryLock(MemoryStorage);

impl Lock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.0.content.lock().holder = None;
    }
}
