//! A place in a store: which objects its blobs are, and what is done with them.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};
use parking_lot::Mutex;

use super::calls::{Calls, Purpose};
use super::patience::Patience;
use super::pieces::{self, Found, Pieces};
use super::trouble;
use crate::storage::{Entry, check_name, part};

/// The object of the lease.
pub(super) const LOCK: &str = "lock";

/// So many requests are under way at a time.
const AT_A_TIME: usize = 16;

/// How often a list is made again that does not fit together, because somebody has merged pieces meanwhile.
const LISTS: usize = 3;

/// See the module.
pub(super) struct Place {
    pub(super) calls: Calls,
    /// What names begin with; empty or with a `/` at the end.
    root: String,
    pub(super) location: String,
    /// The blobs that are added to, as they were found last: pieces stay as they are.
    pub(super) known: Mutex<BTreeMap<String, Pieces>>,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A store shows the secrets it has.
        write!(f, "Place({})", self.location)
    }
}

impl Place {
    /// The objects whose names begin with `root` and a `/`; all of them if it is empty.
    pub(super) fn new(
        store: Arc<dyn ObjectStore>,
        root: &str,
        location: String,
        patience: Patience,
    ) -> io::Result<Self> {
        let root = root.trim_matches('/');
        let root = if root.is_empty() {
            String::new()
        } else {
            check_name(root)?;
            format!("{root}/")
        };
        Ok(Self {
            calls: Calls::new(store, patience)?,
            root,
            location,
            known: Mutex::default(),
        })
    }

    pub(super) fn store(&self) -> &dyn ObjectStore {
        &**self.calls.store()
    }

    /// The object of a name.
    pub(super) fn object(&self, name: &str) -> io::Result<Path> {
        Path::parse(format!("{}{name}", self.root))
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))
    }

    /// The object of a blob.
    pub(super) fn blob(&self, name: &str) -> io::Result<Path> {
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
    pub(super) async fn objects(&self, folder: &str) -> io::Result<Found> {
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
        bucket_is_there(listed.await)
    }

    /// The name of some object, if there is one.
    pub(super) async fn any(&self) -> io::Result<Option<String>> {
        let folder = self.object("")?;
        let first = self.calls.attempt(Purpose::Read, async || {
            let mut objects = self.store().list(Some(&folder));
            while let Some(object) = objects.try_next().await? {
                if let Some(name) = self.name(&object.location) {
                    return Ok(Some(name.to_owned()));
                }
            }
            Ok(None)
        });
        bucket_is_there(first.await)
    }

    /// The name of an object, without the root; nothing if it is not one of these, or the lease.
    pub(super) fn name<'a>(&self, object: &'a Path) -> Option<&'a str> {
        let name = object.as_ref().strip_prefix(self.root.as_str())?;
        (!name.is_empty() && name != LOCK).then_some(name)
    }

    /// The blobs in a folder, and notes which of them are in pieces.
    pub(super) async fn entries(&self, folder: &str) -> io::Result<Vec<Entry>> {
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

    pub(super) async fn read(&self, name: &str, range: Option<Range<u64>>) -> io::Result<Vec<u8>> {
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

    pub(super) async fn read_many(&self, ranges: &[(&str, Range<u64>)]) -> Result<Vec<Vec<u8>>, (usize, io::Error)> {
        let read = stream::iter(ranges.iter().enumerate()).map(async |(position, (name, range))| {
            let read = self.read(name, Some(range.clone())).await;
            read.map_err(|error| (position, error))
        });
        read.buffered(AT_A_TIME).try_collect().await
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
    pub(super) async fn make(&self, object: &Path, bytes: bytes::Bytes) -> io::Result<()> {
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
    pub(super) async fn remove(&self, object: &Path) -> io::Result<()> {
        let removed = self
            .calls
            .attempt(Purpose::Write, async || self.store().delete(object).await);
        match removed.await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) async fn remove_all(&self, names: Vec<String>) -> io::Result<()> {
        let removed = stream::iter(names).map(async |name| self.remove(&self.object(&name)?).await);
        removed.buffer_unordered(AT_A_TIME).try_collect().await
    }

    pub(super) async fn is_there(&self, object: &Path) -> io::Result<bool> {
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

/// What is not there is empty; a bucket must be there.
fn bucket_is_there<T>(listed: io::Result<T>) -> io::Result<T> {
    match listed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(trouble::no_place(&error.to_string())),
        listed => listed,
    }
}
