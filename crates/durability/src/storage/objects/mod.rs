//! A bucket as a storage: objects under names, which are made or replaced as a whole, over a network.
//!
//! A blob that is put is an object. One that is added to is [many](pieces). Who writes holds a [lease](lease), and every
//! [request](calls) is bounded in time: a store that fails, or does not answer, ends with an error.

mod appending;
mod buckets;
mod calls;
mod holding;
mod lease;
mod patience;
mod pieces;
mod place;
mod trouble;

use std::io;
use std::ops::Range;
use std::sync::Arc;

use object_store::{ObjectStore, ObjectStoreExt as _};

pub use buckets::{AzureContainer, S3Bucket};
pub use patience::Patience;

use crate::storage::{Appender, Entry, Holder, Lock, LockError, Storage};
use appending::ObjectAppender;
use calls::Purpose;
use pieces::HEAD;
use place::{LOCK, Place};

/// A place in a store of objects.
#[derive(Debug)]
pub struct ObjectStorage {
    place: Arc<Place>,
}

impl ObjectStorage {
    /// The objects of a store whose names begin with `root` and a `/`; all of them if it is empty. The location is for
    /// messages.
    ///
    /// # Errors
    /// If `root` is no name, or there can be no thread for the work.
    pub fn new(store: Arc<dyn ObjectStore>, root: &str, location: String, patience: Patience) -> io::Result<Self> {
        Ok(Self {
            place: Arc::new(Place::new(store, root, location, patience)?),
        })
    }
}

impl Storage for ObjectStorage {
    fn location(&self) -> String {
        self.place.location.clone()
    }

    fn list(&self, prefix: &str) -> io::Result<Vec<Entry>> {
        let within = prefix.rfind('/').map_or("", |slash| &prefix[..slash]);
        let mut entries = self.place.calls.wait(self.place.entries(within))?;
        entries.retain(|entry| entry.name.starts_with(prefix));
        Ok(entries)
    }

    fn any(&self) -> io::Result<Option<String>> {
        self.place.calls.wait(self.place.any())
    }

    fn read(&self, name: &str, range: Option<Range<u64>>) -> io::Result<Vec<u8>> {
        self.place.calls.wait(self.place.read(name, range))
    }

    fn read_many(&self, ranges: &[(&str, Range<u64>)]) -> Result<Vec<Vec<u8>>, (usize, io::Error)> {
        let read = async || Ok(self.place.read_many(ranges).await);
        self.place.calls.wait(read()).unwrap_or_else(|error| Err((0, error)))
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let place = &*self.place;
        let object = place.blob(name)?;
        let bytes = bytes::Bytes::copy_from_slice(bytes);
        place.known.lock().remove(name);
        let put = async || place.store().put(&object, bytes.clone().into()).await;
        place.calls.wait(place.calls.attempt(Purpose::Write, put))?;
        Ok(())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Appender>> {
        Ok(Box::new(ObjectAppender::create(&self.place, name)?))
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        let place = &*self.place;
        let object = place.blob(name)?;
        place.known.lock().remove(name);
        place.calls.wait(async {
            let is_whole = place.is_there(&object).await?;
            let found = place.objects(&pieces::folder(name)).await?;
            let has_pieces = found.has_head(name);
            if is_whole {
                place.remove(&object).await?;
            }
            // Without its head it is not there, whatever becomes of the others.
            if has_pieces {
                place.remove(&place.object(&pieces::name_of(name, HEAD, HEAD))?).await?;
            }
            place.remove_all(found.objects_of(name)).await?;
            if is_whole || has_pieces {
                return Ok(());
            }
            Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no '{name}'")))
        })
    }

    fn lock(&self, holder: &Holder) -> Result<Box<dyn Lock>, LockError> {
        let place = &self.place;
        let held = ObjectLock {
            held: holding::take(&place.calls, &place.object(LOCK)?, holder)?,
            place: Arc::clone(place),
        };
        place.calls.wait(async {
            let found = place.objects("").await?;
            place.remove_all(found.left_over()).await
        })?;
        Ok(Box::new(held))
    }

    fn check_free(&self) -> Result<(), LockError> {
        holding::check_free(&self.place.calls, &self.place.object(LOCK)?)
    }
}

#[derive(Debug)]
struct ObjectLock {
    held: holding::Held,
    place: Arc<Place>,
}

impl Lock for ObjectLock {}

impl Drop for ObjectLock {
    fn drop(&mut self) {
        self.held.give_back(&self.place.calls);
    }
}
