//! Requests to a store: tried again while it fails in passing, and given up by name.

use std::io;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use object_store::ObjectStore;
use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::lease::{Doubt, Lease};
use super::patience::Patience;
use super::trouble::{self, is_passing};

/// The pauses between attempts double, up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// After so many attempts, people hear of it.
const TOLD: u32 = 4;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Read,
    /// If this storage was taken, it must still be ours.
    Write,
}

/// What cannot be used in a forked process: its threads are not there, and their locks may be held for ever.
struct Live {
    runtime: Runtime,
    store: Arc<dyn ObjectStore>,
}

/// Makes requests from plain threads, with a runtime of its own.
pub(super) struct Calls {
    live: ManuallyDrop<Live>,
    /// The process that has begun it.
    process: u32,
    pub(super) patience: Patience,
    claim: Mutex<Claim>,
    /// What other threads do.
    aside: Mutex<Vec<JoinHandle<()>>>,
}

/// What writes rely on.
#[derive(Clone)]
enum Claim {
    /// Nobody has taken the storage by this: another process of the run has.
    None,
    Held(Arc<Lease>),
    /// Another run may have the storage now.
    GivenBack,
}

impl Drop for Calls {
    #[expect(unsafe_code, reason = "what a forked process cannot drop is left as it is")]
    fn drop(&mut self) {
        if self.is_of_this_process() {
            // SAFETY: it is taken once, here, and not used any more.
            let Live { runtime, store } = unsafe { ManuallyDrop::take(&mut self.live) };
            drop(store);
            runtime.shutdown_background();
        }
    }
}

impl Calls {
    pub(super) fn new(store: Arc<dyn ObjectStore>, patience: Patience) -> io::Result<Self> {
        // Calls are driven by the threads that make them; this one renews the lease, and keeps connections going.
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(2)
            .thread_name("towpath-objects")
            .enable_io()
            .enable_time()
            .build()?;
        Ok(Self {
            live: ManuallyDrop::new(Live { runtime, store }),
            process: std::process::id(),
            patience,
            claim: Mutex::new(Claim::None),
            aside: Mutex::default(),
        })
    }

    pub(super) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.live.store
    }

    pub(super) fn is_of_this_process(&self) -> bool {
        self.process == std::process::id()
    }

    /// From now on, writes need this lease.
    pub(super) fn claim(&self, lease: Arc<Lease>) {
        *self.claim.lock() = Claim::Held(lease);
    }

    /// From now on nothing is written. Waits for what other threads write.
    pub(super) fn end_writing(&self) {
        *self.claim.lock() = Claim::GivenBack;
        let aside = std::mem::take(&mut *self.aside.lock());
        let ended = self.wait(async {
            let all = futures_util::future::join_all(aside);
            // Each has one request under way at most that began before.
            let _ = tokio::time::timeout(self.patience.attempt, all).await;
            Ok(())
        });
        debug_assert!(ended.is_ok(), "it is of this process");
    }

    /// Waits for a future in this thread.
    pub(super) fn wait<T>(&self, future: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        self.check_process()?;
        self.live.runtime.block_on(future)
    }

    /// Has a future go on by itself.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.live.runtime.spawn(future)
    }

    /// Has another thread do something that waits.
    pub(super) fn do_aside(&self, work: impl FnOnce() + Send + 'static) {
        let mut aside = self.aside.lock();
        aside.retain(|work| !work.is_finished());
        aside.push(self.live.runtime.spawn_blocking(work));
    }

    /// Makes a request until it succeeds, fails for good, or too much time has gone.
    ///
    /// # Errors
    /// As [`trouble::of`] names them.
    pub(super) async fn attempt<T>(
        &self,
        purpose: Purpose,
        request: impl AsyncFn() -> object_store::Result<T>,
    ) -> io::Result<T> {
        let begin = tokio::time::Instant::now();
        let mut pause = self.patience.first_pause();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let left = self.patience.total.saturating_sub(begin.elapsed());
            let limit = self.patience.attempt.min(left.max(self.patience.first_pause()));
            let failure = match tokio::time::timeout(limit, self.once(purpose, &request)).await {
                Ok(Once::Done(found)) => return Ok(found),
                Ok(Once::Lost(error)) => return Err(error),
                Ok(Once::Failed(error)) if !is_passing(&error) => return Err(trouble::of(&error)),
                Ok(Once::Failed(error)) => trouble::text(&error),
                Err(_) => format!("no answer within {:.1} s", limit.as_secs_f64()),
            };
            if begin.elapsed() + pause >= self.patience.total {
                return Err(trouble::given_up(attempts, begin.elapsed(), &failure));
            }
            if attempts == TOLD {
                tracing::warn!(target: "pathway", "a request to the storage is made again and again: {failure}");
            }
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    async fn once<T>(&self, purpose: Purpose, request: &impl AsyncFn() -> object_store::Result<T>) -> Once<T> {
        if purpose == Purpose::Write {
            let claim = self.claim.lock().clone();
            match claim {
                Claim::None => {}
                // A request that is under way when the lease lapses would write into what another has.
                Claim::Held(lease) => match lease.ensure(&**self.store(), self.patience.attempt).await {
                    Ok(()) => {}
                    Err(Doubt::Lost(error)) => return Once::Lost(error),
                    Err(Doubt::Failed(error)) => return Once::Failed(error),
                },
                Claim::GivenBack => return Once::Lost(io::Error::other("the storage was given back")),
            }
        }
        match request().await {
            Ok(found) => Once::Done(found),
            Err(error) => Once::Failed(error),
        }
    }

    fn check_process(&self) -> io::Result<()> {
        if self.is_of_this_process() {
            return Ok(());
        }
        Err(io::Error::other(
            "this process was forked from the one that has opened the storage, and cannot use it",
        ))
    }

    /// Waits for a moment in a plain thread.
    pub(super) fn pause(duration: Duration) {
        thread::sleep(duration);
    }
}

enum Once<T> {
    Done(T),
    /// Another has the storage.
    Lost(io::Error),
    Failed(object_store::Error),
}
