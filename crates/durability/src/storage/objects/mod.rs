//! A bucket as a storage: objects under names, which are made or replaced as a whole, over a network.
//!
//! A blob that is put is an object. One that is added to is [many](pieces). Who writes holds a [lease](lease), and every
//! [request](calls) is bounded in time: a store that fails, or does not answer, ends with an error.

mod buckets;
mod calls;
mod holding;
mod lease;
mod patience;
mod pieces;
mod trouble;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};
use parking_lot::Mutex;

pub use buckets::{AzureContainer, S3Bucket};
pub use patience::Patience;

use crate::storage::{Appender, Entry, Holder, Lock, LockError, Storage, check_name, part};
use calls::{Calls, Purpose};
use pieces::{Found, HEAD, Pieces};

/// The object of the lease.
const LOCK: &str = "lock";

/// What is added is written at the latest when it is so much.
const PIECE: usize = 8 << 20;

/// So many small pieces are merged into one.
const MERGED: u64 = 256;

/// So many requests are under way at a time.
const AT_A_TIME: usize = 16;

/// How often a list is made again that does not fit together, because somebody has merged pieces meanwhile.
const LISTS: usize = 3;

/// A place in a store of objects.
#[derive(Debug)]
pub struct ObjectStorage {
    place: Arc<Place>,
}

struct Place {
    calls: Calls,
    /// What names begin with; empty or with a `/` at the end.
    root: String,
    location: String,
    /// The blobs that are added to, as they were found last: pieces stay as they are.
    known: Mutex<BTreeMap<String, Pieces>>,
}

impl ObjectStorage {
    /// The objects of a store whose names begin with `root` and a `/`; all of them if it is empty. The location is for
    /// messages.
    ///
    /// # Errors
    /// If `root` is no name, or there can be no thread for the work.
    pub fn new(store: Arc<dyn ObjectStore>, root: &str, location: String, patience: Patience) -> io::Result<Self> {
        let root = root.trim_matches('/');
        let root = if root.is_empty() {
            String::new()
        } else {
            check_name(root)?;
            format!("{root}/")
        };
        Ok(Self {
            place: Arc::new(Place {
                calls: Calls::new(store, patience)?,
                root,
                location,
                known: Mutex::default(),
            }),
        })
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A store shows the secrets it has.
        write!(f, "Place({})", self.location)
    }
}

impl Place {
    fn store(&self) -> &dyn ObjectStore {
        &**self.calls.store()
    }

    /// The object of a name.
    fn object(&self, name: &str) -> io::Result<Path> {
        Path::parse(format!("{}{name}", self.root))
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))
    }

    /// The object of a blob.
    fn blob(&self, name: &str) -> io::Result<Path> {
        check_name(name)?;
        if name == LOCK || pieces::is_ours_alone(name) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("'{name}' is a name of its own use"),
            ));
        }
        self.object(name)
    }

    /// The objects in a folder, which is a name or empty.
    async fn objects(&self, folder: &str) -> io::Result<Found> {
        let folder = self.object(folder.trim_end_matches('/'))?;
        let listed = self.calls.attempt(Purpose::Read, async || {
            let mut found = Found::default();
            let mut objects = self.store().list(Some(&folder));
            while let Some(object) = objects.try_next().await? {
                if let Some(name) = self.name(&object.location) {
                    found.add(name, object.size);
                }
            }
            Ok(found)
        });
        match listed.await {
            // What is not there is empty; a bucket must be there.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(trouble::no_place(&error.to_string())),
            listed => listed,
        }
    }

    /// The name of an object, without the root; nothing if it is not one of these, or the lease.
    fn name<'a>(&self, object: &'a Path) -> Option<&'a str> {
        let name = object.as_ref().strip_prefix(self.root.as_str())?;
        (!name.is_empty() && name != LOCK).then_some(name)
    }

    /// The blobs in a folder, and notes which of them are in pieces.
    async fn entries(&self, folder: &str) -> io::Result<Vec<Entry>> {
        let mut attempts = 1;
        loop {
            let found = self.objects(folder).await?;
            match found.in_pieces() {
                Ok(in_pieces) => {
                    let entries = found.entries();
                    self.known.lock().extend(in_pieces);
                    return entries;
                }
                Err(error) if attempts == LISTS => return Err(error),
                Err(_) => attempts += 1,
            }
        }
    }

    /// The pieces of a blob, if it is one in pieces.
    async fn pieces(&self, name: &str) -> io::Result<Option<Pieces>> {
        self.known.lock().remove(name);
        self.entries(&pieces::folder(name)).await?;
        Ok(self.known.lock().get(name).cloned())
    }

    async fn read(&self, name: &str, range: Option<Range<u64>>) -> io::Result<Vec<u8>> {
        let object = self.blob(name)?;
        let known = self.known.lock().get(name).cloned();
        if let Some(known) = known {
            match self.read_pieces(name, &known, range.as_ref()).await {
                // They were merged, or deleted.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                read => return read,
            }
        } else {
            match self.get(&object, None).await {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
                Ok(bytes) => {
                    return Ok(match range {
                        Some(range) => part(&bytes, &range).to_vec(),
                        None => bytes.to_vec(),
                    });
                }
            }
        }
        for _ in 1..LISTS {
            let Some(pieces) = self.pieces(name).await? else { break };
            match self.read_pieces(name, &pieces, range.as_ref()).await {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                read => return read,
            }
        }
        Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no '{name}'")))
    }

    async fn read_pieces(&self, name: &str, pieces: &Pieces, range: Option<&Range<u64>>) -> io::Result<Vec<u8>> {
        let parts = pieces.within(range.unwrap_or(&(0..u64::MAX)));
        let read = stream::iter(parts).map(async |(piece, part)| {
            let object = self.object(&piece.name(name))?;
            let length = part.end - part.start;
            let is_all = length == piece.bytes;
            let bytes = self.get(&object, (!is_all).then_some(part)).await?;
            if bytes.len() as u64 != length {
                let what = format!("'{object}' has another length than the list of objects says");
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
            Ok(bytes)
        });
        let mut all = Vec::new();
        let mut read = read.buffered(AT_A_TIME);
        while let Some(bytes) = read.try_next().await? {
            all.extend_from_slice(&bytes);
        }
        Ok(all)
    }

    /// The bytes of an object, or a part of them.
    async fn get(&self, object: &Path, part: Option<Range<u64>>) -> io::Result<bytes::Bytes> {
        let get = async || match &part {
            Some(part) => self.store().get_range(object, part.clone()).await,
            None => self.store().get(object).await?.bytes().await,
        };
        self.calls.attempt(Purpose::Read, get).await
    }

    /// Makes an object that is not there yet.
    async fn make(&self, object: &Path, bytes: bytes::Bytes) -> io::Result<()> {
        let made = self.calls.attempt(Purpose::Write, async || {
            let options = PutOptions {
                mode: PutMode::Create,
                ..PutOptions::default()
            };
            self.store().put_opts(object, bytes.clone().into(), options).await
        });
        let Err(error) = made.await else { return Ok(()) };
        // It may be there by an attempt whose answer was lost.
        if error.kind() == io::ErrorKind::AlreadyExists && self.get(object, None).await? == bytes {
            return Ok(());
        }
        Err(error)
    }

    /// Deletes an object, if it is there.
    async fn remove(&self, object: &Path) -> io::Result<()> {
        let removed = self
            .calls
            .attempt(Purpose::Write, async || self.store().delete(object).await);
        match removed.await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    async fn remove_all(&self, names: Vec<String>) -> io::Result<()> {
        let removed = stream::iter(names).map(async |name| self.remove(&self.object(&name)?).await);
        removed.buffer_unordered(AT_A_TIME).try_collect().await
    }

    async fn is_there(&self, object: &Path) -> io::Result<bool> {
        let head = self
            .calls
            .attempt(Purpose::Read, async || self.store().head(object).await);
        match head.await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
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
        let place = &*self.place;
        let folder = place.object("")?;
        let first = place.calls.attempt(Purpose::Read, async || {
            let mut objects = place.store().list(Some(&folder));
            while let Some(object) = objects.try_next().await? {
                if let Some(name) = place.name(&object.location) {
                    return Ok(Some(name.to_owned()));
                }
            }
            Ok(None)
        });
        match place.calls.wait(first) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(trouble::no_place(&error.to_string())),
            first => first,
        }
    }

    fn read(&self, name: &str, range: Option<Range<u64>>) -> io::Result<Vec<u8>> {
        self.place.calls.wait(self.place.read(name, range))
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
        let place = &self.place;
        let object = place.blob(name)?;
        let mut token = [0; 16];
        getrandom::fill(&mut token).map_err(|error| io::Error::other(error.to_string()))?;
        // Whoever finds this knows whether it was made by them.
        let token = format!("{:032x}", u128::from_le_bytes(token));
        place.known.lock().remove(name);
        place.calls.wait(async {
            let exists = || io::Error::new(io::ErrorKind::AlreadyExists, format!("there is a '{name}'"));
            if place.is_there(&object).await? {
                return Err(exists());
            }
            let head = place.object(&pieces::name_of(name, HEAD, HEAD))?;
            match place.make(&head, token.into()).await {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(exists()),
                made => made,
            }
        })?;
        Ok(Box::new(ObjectAppender {
            place: Arc::clone(place),
            name: name.to_owned(),
            next: HEAD + 1,
            buffer: Vec::new(),
            small: Vec::new(),
            first_small: HEAD + 1,
            has_failed: false,
        }))
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

/// Adds pieces to a blob.
#[derive(Debug)]
struct ObjectAppender {
    place: Arc<Place>,
    name: String,
    /// The number of the next piece.
    next: u64,
    /// What is not written yet.
    buffer: Vec<u8>,
    /// The content of the last pieces, as long as it is small, and the number of the first of them.
    small: Vec<u8>,
    first_small: u64,
    /// Whether a piece may be there or not.
    has_failed: bool,
}

impl Appender for ObjectAppender {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        let mut rest = bytes;
        while self.buffer.len() + rest.len() >= PIECE {
            let (now, later) = rest.split_at(PIECE - self.buffer.len());
            self.buffer.extend_from_slice(now);
            self.write()?;
            rest = later;
        }
        self.buffer.extend_from_slice(rest);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.check()?;
        if self.buffer.is_empty() { Ok(()) } else { self.write() }
    }
}

impl ObjectAppender {
    fn check(&self) -> io::Result<()> {
        if self.has_failed {
            return Err(io::Error::other("it has failed before, and what is there is not known"));
        }
        Ok(())
    }

    /// Makes a piece of the buffer; it is durable when this returns.
    fn write(&mut self) -> io::Result<()> {
        let place = &self.place;
        let bytes = bytes::Bytes::from(std::mem::take(&mut self.buffer));
        let object = place.object(&pieces::name_of(&self.name, self.next, self.next))?;
        place.known.lock().remove(&self.name);
        place
            .calls
            .wait(place.make(&object, bytes.clone()))
            .inspect_err(|_| self.has_failed = true)?;
        self.next += 1;
        if self.small.len() + bytes.len() > PIECE {
            self.small = Vec::new();
            self.first_small = self.next;
        } else {
            self.small.extend_from_slice(&bytes);
            if self.next - self.first_small == MERGED {
                self.merge();
            }
        }
        Ok(())
    }

    /// Makes one object of the last pieces, while others are added.
    fn merge(&mut self) {
        let (first, last) = (self.first_small, self.next - 1);
        self.first_small = self.next;
        let bytes = bytes::Bytes::from(std::mem::take(&mut self.small));
        let (place, name) = (Arc::clone(&self.place), self.name.clone());
        self.place.calls.do_aside(move || {
            let merged = place.calls.wait(async {
                let object = place.object(&pieces::name_of(&name, first, last))?;
                place.make(&object, bytes).await?;
                let held = (first..=last).map(|number| pieces::name_of(&name, number, number));
                place.remove_all(held.collect()).await
            });
            // Nothing is lost by it: there are more objects to read.
            if let Err(error) = merged {
                tracing::debug!("pieces of '{name}' were not merged: {error}");
            }
        });
    }
}
