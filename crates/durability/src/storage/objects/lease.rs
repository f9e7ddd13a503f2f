//! Who may write: an object that its holder renews, and that another may take over when it was not.
//!
//! It is only ever replaced by who knows its last content, so of two that want it one succeeds. Nobody compares clocks
//! of machines: who would take it over looks at it for as long as a lease lasts, and takes it if it has not changed.
//! Where the holder is a process of the same machine, the system says at once whether it is alive.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::calls::{Calls, Patience, Purpose};
use crate::error::Advised;
use crate::storage::{Holder, LockError};

/// What is in the object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    /// Nobody if it was given back.
    holder: Option<Holder>,
    /// Which process that is on its machine, if that can be told.
    life: Option<Life>,
    /// Which lock it is; a process may have had several.
    lock: String,
    /// How often it was renewed; no two contents are the same.
    renewals: u64,
}

/// A process, so that others on the same machine can see whether it is alive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Life {
    /// The start of the machine.
    boot: String,
    /// Where the id of the process holds.
    namespace: String,
    process: u32,
    /// When it has started, in the units of the system: an id is given to others later.
    start: String,
}

impl Life {
    fn of(process: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The name of the program is in parentheses, and may have spaces.
        let (_, fields) = status.rsplit_once(')')?;
        let mut fields = fields.split_whitespace();
        let state = fields.next()?;
        // A process that has died and was not waited for is dead.
        if matches!(state, "Z" | "X") {
            return None;
        }
        Some(Self {
            boot: fs::read_to_string("/proc/sys/kernel/random/boot_id")
                .ok()?
                .trim()
                .to_owned(),
            namespace: fs::read_link("/proc/self/ns/pid").ok()?.to_string_lossy().into_owned(),
            process,
            start: fields.nth(18)?.to_owned(),
        })
    }

    /// Whether it is alive, if it is of this machine.
    fn is_alive(&self) -> Option<bool> {
        let here = Self::of(std::process::id())?;
        let is_here = self.boot == here.boot && self.namespace == here.namespace;
        is_here.then(|| Self::of(self.process).as_ref() == Some(self))
    }
}

/// The locks that this process has.
static HELD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// The object as it was found.
struct Seen {
    /// Nothing if it cannot be read.
    content: Option<Content>,
    version: UpdateVersion,
    /// In unix milliseconds, by the clock of the store.
    changed: i64,
}

impl Seen {
    fn holder(&self) -> Option<Holder> {
        self.content.as_ref().and_then(|content| content.holder.clone())
    }

    /// Whether it was given back, or its holder is dead, or it is a lock that this process could not give back.
    fn is_free(&self) -> bool {
        let Some(content) = &self.content else { return false };
        let is_own = || content.life.is_some() && content.life == Life::of(std::process::id());
        content.holder.is_none()
            || content.life.as_ref().and_then(Life::is_alive) == Some(false)
            || is_own() && !HELD.lock().contains(&content.lock)
    }

    fn is_alive(&self) -> bool {
        let life = self.content.as_ref().and_then(|content| content.life.as_ref());
        life.and_then(Life::is_alive) == Some(true)
    }
}

/// A time that goes on while the machine sleeps.
fn now() -> Duration {
    #[cfg(target_os = "linux")]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
    }
    #[cfg(not(target_os = "linux"))]
    {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

/// Why it is not known that a lease is ours.
pub(super) enum Doubt {
    /// Another has it.
    Lost(io::Error),
    /// The store could not be asked.
    Failed(object_store::Error),
}

/// A lease that this process has.
#[derive(Debug)]
pub(super) struct Lease {
    path: Path,
    lapse: Duration,
    state: tokio::sync::Mutex<State>,
    /// Until when nobody can have taken it over.
    until: Mutex<Duration>,
}

#[derive(Debug)]
struct State {
    content: Content,
    version: UpdateVersion,
    /// Who has taken it over.
    lost: Option<Option<Holder>>,
}

impl Lease {
    /// Sees to it that nobody takes it over for so long.
    pub(super) async fn ensure(&self, store: &dyn ObjectStore, time: Duration) -> Result<(), Doubt> {
        if now() + time <= *self.until.lock() {
            return Ok(());
        }
        self.renew(store, Some(time)).await
    }

    /// Renews it, if it does not last for so long already.
    async fn renew(&self, store: &dyn ObjectStore, time: Option<Duration>) -> Result<(), Doubt> {
        let mut state = self.state.lock().await;
        if let Some(holder) = &state.lost {
            return Err(Doubt::Lost(lost(holder.as_ref())));
        }
        if time.is_some_and(|time| now() + time <= *self.until.lock()) {
            return Ok(());
        }
        let mut content = state.content.clone();
        content.renewals += 1;
        let begin = now();
        match replace(store, &self.path, &content, state.version.clone()).await {
            Ok(version) => {
                state.content = content;
                state.version = version;
                *self.until.lock() = begin + self.lapse;
                Ok(())
            }
            Err(object_store::Error::Precondition { .. } | object_store::Error::NotFound { .. }) => {
                self.look(store, &mut state).await
            }
            Err(error) => Err(Doubt::Failed(error)),
        }
    }

    /// It has changed: by a renewal of ours whose answer was lost, or because another has it.
    async fn look(&self, store: &dyn ObjectStore, state: &mut State) -> Result<(), Doubt> {
        let seen = match look(store, &self.path).await {
            Ok(seen) => Some(seen),
            Err(object_store::Error::NotFound { .. }) => None,
            Err(error) => return Err(Doubt::Failed(error)),
        };
        if let Some(seen) = &seen
            && let Some(content) = seen
                .content
                .as_ref()
                .filter(|content| content.lock == state.content.lock)
        {
            state.content = content.clone();
            state.version = seen.version.clone();
            // It is not known when that was, so the next attempt renews it.
            return Err(Doubt::Failed(object_store::Error::Generic {
                store: "lease",
                source: "the lease was renewed by a request without an answer".into(),
            }));
        }
        let holder = seen.and_then(|seen| seen.holder());
        let error = lost(holder.as_ref());
        state.lost = Some(holder);
        Err(Doubt::Lost(error))
    }

    /// Renews it again and again, until another has it.
    async fn keep(self: Arc<Self>, store: Arc<dyn ObjectStore>, patience: Patience) {
        let mut pause = patience.renewal;
        loop {
            tokio::time::sleep(pause).await;
            pause = match tokio::time::timeout(patience.attempt, self.renew(&*store, None)).await {
                Ok(Ok(())) => patience.renewal,
                Ok(Err(Doubt::Lost(_))) => return,
                Ok(Err(Doubt::Failed(_))) | Err(_) => patience.renewal / 4,
            };
        }
    }

    /// Gives it back, if it is ours.
    async fn give_back(&self, store: &dyn ObjectStore) -> object_store::Result<()> {
        // A renewal that is under way comes to its end first.
        let mut state = self.state.lock().await;
        if state.lost.is_some() {
            return Ok(());
        }
        let given_back = async |state: &State| {
            let content = Content {
                holder: None,
                life: None,
                lock: state.content.lock.clone(),
                renewals: state.content.renewals + 1,
            };
            replace(store, &self.path, &content, state.version.clone()).await
        };
        match given_back(&state).await {
            Err(object_store::Error::Precondition { .. }) => {
                // The answer to the last renewal may have been lost.
                let _ = self.look(store, &mut state).await;
                if state.lost.is_none() {
                    given_back(&state).await?;
                }
                Ok(())
            }
            other => other.map(|_| ()),
        }
    }
}

fn lost(holder: Option<&Holder>) -> io::Error {
    let who = holder.map_or_else(
        || "another process".to_owned(),
        |holder| format!("process {} on {}", holder.process, holder.host),
    );
    Advised::held(
        format!("{who} has taken it over, because this process has not renewed its lease in time"),
        "let one program at a time use the state, and see to it that the storage can be reached",
    )
}

async fn look(store: &dyn ObjectStore, path: &Path) -> object_store::Result<Seen> {
    let found = store.get(path).await?;
    let version = UpdateVersion {
        e_tag: found.meta.e_tag.clone(),
        version: found.meta.version.clone(),
    };
    let changed = found.meta.last_modified.timestamp_millis();
    let bytes = found.bytes().await?;
    Ok(Seen {
        content: serde_json::from_slice(&bytes).ok(),
        version,
        changed,
    })
}

async fn write(
    store: &dyn ObjectStore,
    path: &Path,
    content: &Content,
    mode: PutMode,
) -> object_store::Result<UpdateVersion> {
    let bytes = serde_json::to_vec(content).map_err(|error| object_store::Error::Generic {
        store: "lease",
        source: error.into(),
    })?;
    let options = PutOptions {
        mode,
        ..PutOptions::default()
    };
    let written = store.put_opts(path, bytes.into(), options).await?;
    Ok(UpdateVersion {
        e_tag: written.e_tag,
        version: written.version,
    })
}

async fn replace(
    store: &dyn ObjectStore,
    path: &Path,
    content: &Content,
    version: UpdateVersion,
) -> object_store::Result<UpdateVersion> {
    write(store, path, content, PutMode::Update(version)).await
}

/// A lease that is renewed by the runtime.
#[derive(Debug)]
pub(super) struct Held {
    lease: Arc<Lease>,
    lock: String,
    keeping: tokio::task::JoinHandle<()>,
}

/// Takes the lease for a holder. This takes as long as a lease lasts if the one before was not given back.
pub(super) fn take(calls: &Calls, path: &Path, holder: &Holder) -> Result<Held, LockError> {
    let mut token = [0; 16];
    getrandom::fill(&mut token).map_err(|error| io::Error::other(error.to_string()))?;
    let content = Content {
        holder: Some(holder.clone()),
        life: Life::of(std::process::id()),
        lock: format!("{:032x}", u128::from_le_bytes(token)),
        renewals: 0,
    };
    let store = calls.store();
    let patience = calls.patience;
    let mut first: Option<(UpdateVersion, Instant)> = None;
    loop {
        let begin = now();
        let is_new = calls.wait(calls.attempt(Purpose::Read, async || {
            match write(&**store, path, &content, PutMode::Create).await {
                Ok(version) => Ok(Ok(version)),
                Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                    match look(&**store, path).await {
                        Ok(seen) => Ok(Err(Some(seen))),
                        Err(object_store::Error::NotFound { .. }) => Ok(Err(None)),
                        Err(error) => Err(error),
                    }
                }
                Err(error) => Err(error),
            }
        }))?;
        let mut until = begin + patience.lapse;
        let version = match is_new {
            Ok(version) => Some(version),
            Err(None) => None,
            // An answer was lost, and with it when that was: the first write renews it.
            Err(Some(seen)) if seen.content.as_ref() == Some(&content) => {
                until = Duration::ZERO;
                Some(seen.version)
            }
            Err(Some(seen)) => {
                let since = match &first {
                    Some((version, since)) if version.e_tag == seen.version.e_tag => Some(*since),
                    // It was renewed, or another was faster.
                    Some(_) if !seen.is_free() => return Err(LockError::Held(seen.holder())),
                    _ => None,
                };
                let is_old = since.is_some_and(|since| since.elapsed() > patience.lapse);
                if seen.is_free() || is_old {
                    let replaced = calls.wait(calls.attempt(Purpose::Read, async || {
                        match replace(&**store, path, &content, seen.version.clone()).await {
                            Ok(version) => Ok(Some(version)),
                            Err(object_store::Error::Precondition { .. } | object_store::Error::NotFound { .. }) => {
                                Ok(None)
                            }
                            Err(error) => Err(error),
                        }
                    }))?;
                    if replaced.is_none() {
                        // It is looked at again: by whom, this one says.
                        first = Some((seen.version, Instant::now()));
                    }
                    replaced
                } else if seen.is_alive() {
                    return Err(LockError::Held(seen.holder()));
                } else {
                    if since.is_none() {
                        let who = seen.holder().map_or_else(
                            || "another process".to_owned(),
                            |holder| format!("process {} on {}", holder.process, holder.host),
                        );
                        tracing::warn!(
                            target: "pathway",
                            "{who} has not given back '{path}'; unless it renews its lease, it is taken over in {} s",
                            patience.lapse.as_secs()
                        );
                        first = Some((seen.version, Instant::now()));
                    }
                    Calls::pause(patience.renewal / 4);
                    None
                }
            }
        };
        if let Some(version) = version {
            let lock = content.lock.clone();
            let lease = Arc::new(Lease {
                path: path.clone(),
                lapse: patience.lapse,
                state: tokio::sync::Mutex::new(State {
                    content,
                    version,
                    lost: None,
                }),
                until: Mutex::new(until),
            });
            HELD.lock().insert(lock.clone());
            calls.claim(Arc::clone(&lease));
            let keeping = calls.spawn(Arc::clone(&lease).keep(Arc::clone(store), patience));
            return Ok(Held { lease, lock, keeping });
        }
    }
}

impl Held {
    /// Gives the lease back. A forked process has none.
    pub(super) fn give_back(&self, calls: &Calls) {
        if !calls.is_of_this_process() {
            return;
        }
        calls.end_writing();
        let limit = calls.patience.attempt;
        let given_back = calls.wait(async {
            let attempts = calls.attempt(Purpose::Read, async || self.lease.give_back(&**calls.store()).await);
            match tokio::time::timeout(limit, attempts).await {
                Ok(given_back) => given_back,
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            }
        });
        self.keeping.abort();
        HELD.lock().remove(&self.lock);
        if let Err(error) = given_back {
            tracing::warn!(
                target: "pathway",
                "'{}' could not be given back, so the next run waits for it: {error}",
                self.lease.path
            );
        }
    }
}

/// Whether nobody has the lease now, as far as can be seen without waiting.
pub(super) fn check_free(calls: &Calls, path: &Path) -> Result<(), LockError> {
    let store = calls.store();
    let seen = calls.wait(calls.attempt(Purpose::Read, async || match look(&**store, path).await {
        Ok(seen) => Ok(Some(seen)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }))?;
    let Some(seen) = seen.filter(|seen| !seen.is_free()) else {
        return Ok(());
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let lapses = seen
        .changed
        .saturating_add(i64::try_from(calls.patience.lapse.as_millis()).unwrap_or(i64::MAX));
    let has_lapsed = i64::try_from(now.as_millis()).is_ok_and(|now| now > lapses);
    if has_lapsed && !seen.is_alive() {
        return Ok(());
    }
    Err(LockError::Held(seen.holder()))
}
