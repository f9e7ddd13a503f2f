//! Stores of objects, and one that fails when a test says so.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as Name;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use towpath_durability::{ObjectStorage, Patience};

/// Everything is over soon.
pub(crate) const PATIENCE: Patience = Patience {
    attempt: Duration::from_millis(300),
    total: Duration::from_millis(900),
    renewal: Duration::from_millis(100),
    lapse: Duration::from_secs(2),
};

pub(crate) fn memory_store() -> Store {
    Store::new(Arc::new(InMemory::new()))
}

/// A folder, which is made.
pub(crate) fn folder_store(folder: &Path) -> Store {
    std::fs::create_dir_all(folder).expect("a folder");
    Store::new(Arc::new(LocalFileSystem::new_with_prefix(folder).expect("a folder")))
}

pub(crate) fn objects_in(store: Store) -> ObjectStorage {
    objects_with(store, PATIENCE)
}

pub(crate) fn objects_with(store: Store, patience: Patience) -> ObjectStorage {
    ObjectStorage::new(Arc::new(store), "some/where", "store://some/where".to_owned(), patience).expect("a storage")
}

/// How a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// In passing; it does nothing.
    Fails,
    /// It does all it is to do, but there is no answer.
    NoAnswer,
    /// All that come later fail, too, and nobody tries them again: the process was killed.
    Killed,
}

/// Passes requests on; a clone is the same one.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    store: Arc<dyn ObjectStore>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    requests: AtomicU64,
    failure: parking_lot::Mutex<Option<(u64, Failure)>>,
    is_killed: AtomicBool,
    is_away: AtomicBool,
    /// Where reads wait until some are there together.
    meeting: parking_lot::Mutex<Option<Arc<tokio::sync::Barrier>>>,
    /// Held while an object is replaced on a condition, which a folder cannot do by itself.
    replacing: tokio::sync::Mutex<()>,
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

fn passing() -> Error {
    Error::Generic {
        store: "test",
        source: "it fails in passing".into(),
    }
}

impl Store {
    fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            store,
            shared: Arc::default(),
        }
    }

    /// The same objects, without what fails.
    pub(crate) fn healthy(&self) -> Self {
        Self::new(Arc::clone(&self.store))
    }

    /// How many requests there were.
    pub(crate) fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Has a request fail: the one with this number, from 0 for the first of all.
    pub(crate) fn fail_at(&self, request: u64, failure: Failure) {
        *self.shared.failure.lock() = Some((request, failure));
    }

    /// Has all requests fail in passing, or none.
    pub(crate) fn be_away(&self, is_away: bool) {
        self.shared.is_away.store(is_away, Ordering::SeqCst);
    }

    /// Has reads wait, each until there are so many at the same time.
    pub(crate) fn read_together(&self, reads: usize) {
        *self.shared.meeting.lock() = Some(Arc::new(tokio::sync::Barrier::new(reads)));
    }

    /// The names of all objects.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = wait(
            self.store
                .list(None)
                .map_ok(|object| object.location.to_string())
                .try_collect(),
        )
        .expect("they can be listed");
        names.sort();
        names
    }

    pub(crate) fn remove(&self, name: &str) {
        wait(self.store.delete(&Name::from(name))).expect("it is there");
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        wait(self.store.put(&Name::from(name), bytes.to_vec().into())).expect("it is written");
    }

    pub(crate) fn get(&self, name: &str) -> Vec<u8> {
        let bytes = wait(async { self.store.get(&Name::from(name)).await?.bytes().await });
        bytes.expect("it is there").to_vec()
    }

    /// A request begins. What it says is told after it was done.
    fn begin(&self) -> Result<Result<()>> {
        let shared = &*self.shared;
        let number = shared.requests.fetch_add(1, Ordering::SeqCst);
        let killed = || Error::NotSupported {
            source: "the process was killed".into(),
        };
        if shared.is_killed.load(Ordering::SeqCst) {
            return Err(killed());
        }
        if shared.is_away.load(Ordering::SeqCst) {
            return Err(passing());
        }
        match *shared.failure.lock() {
            Some((at, Failure::Fails)) if at == number => Err(passing()),
            Some((at, Failure::NoAnswer)) if at == number => Ok(Err(passing())),
            Some((at, Failure::Killed)) if at == number => {
                shared.is_killed.store(true, Ordering::SeqCst);
                Err(killed())
            }
            _ => Ok(Ok(())),
        }
    }

    fn list_with<T: Send + 'static>(&self, listed: BoxStream<'static, Result<T>>) -> BoxStream<'static, Result<T>> {
        match self.begin() {
            Ok(Ok(())) => listed,
            Ok(Err(error)) | Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }
}

/// These stores need no runtime but for the files.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(future)
}

#[async_trait]
impl ObjectStore for Store {
    async fn put_opts(&self, location: &Name, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let said = self.begin()?;
        let written = match &options.mode {
            PutMode::Update(version) if self.store.to_string().contains("Local") => {
                let _replacing = self.shared.replacing.lock().await;
                if self.store.head(location).await?.e_tag != version.e_tag {
                    return Err(Error::Precondition {
                        path: location.to_string(),
                        source: "it has changed".into(),
                    });
                }
                self.store.put(location, payload).await?
            }
            _ => self.store.put_opts(location, payload, options).await?,
        };
        said.map(|()| written)
    }

    async fn put_multipart_opts(
        &self,
        location: &Name,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Name, options: GetOptions) -> Result<GetResult> {
        self.begin()??;
        let meeting = self.shared.meeting.lock().clone();
        if let Some(meeting) = meeting {
            meeting.wait().await;
        }
        self.store.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Name>>) -> BoxStream<'static, Result<Name>> {
        match self.begin() {
            Ok(Ok(())) => self.store.delete_stream(locations),
            Ok(Err(error)) => {
                let deleted = self.store.delete_stream(locations);
                deleted.collect::<Vec<_>>().map(|_| Err(error)).into_stream().boxed()
            }
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Name>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_with(self.store.list(prefix))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Name>) -> Result<ListResult> {
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Name, to: &Name, options: CopyOptions) -> Result<()> {
        self.store.copy_opts(from, to, options).await
    }
}
