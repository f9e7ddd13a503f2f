//! Who may write: an object that its holder renews, and that another may take over when it was not.
//!
//! It is only ever replaced by who knows its last content, so of two that want it one succeeds. Nobody compares clocks
//! of machines: who would take it over looks at it for as long as a lease lasts, and takes it if it has not changed.
//! Where the holder is a process of the same machine, the system says at once whether it is alive.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::patience::Patience;
use crate::advice::Advised;
use crate::storage::Holder;

/// What is in the object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content {
    /// Nobody if it was given back.
    pub(super) holder: Option<Holder>,
    /// Which process that is on its machine, if that can be told.
    pub(super) life: Option<Life>,
    /// Which lock it is; a process may have had several.
    pub(super) lock: String,
    /// How often it was renewed; no two contents are the same.
    pub(super) renewals: u64,
}

/// A process, so that others on the same machine can see whether it is alive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Life {
    /// The start of the machine.
    boot: String,
    /// Where the id of the process holds.
    namespace: String,
    process: u32,
    /// When it has started, in the units of the system: an id is given to others later.
    start: String,
}

impl Life {
    pub(super) fn of(process: u32) -> Option<Self> {
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
    pub(super) fn is_alive(&self) -> Option<bool> {
        let here = Self::of(std::process::id())?;
        let is_here = self.boot == here.boot && self.namespace == here.namespace;
        is_here.then(|| Self::of(self.process).as_ref() == Some(self))
    }
}

/// The locks that this process has.
pub(super) static HELD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// The object as it was found.
pub(super) struct Seen {
    /// Nothing if it cannot be read.
    pub(super) content: Option<Content>,
    pub(super) version: UpdateVersion,
    /// In unix milliseconds, by the clock of the store.
    pub(super) changed: i64,
}

impl Seen {
    pub(super) fn holder(&self) -> Option<Holder> {
        self.content.as_ref().and_then(|content| content.holder.clone())
    }

    /// Whether it was given back, or its holder is dead, or it is a lock that this process could not give back.
    pub(super) fn is_free(&self) -> bool {
        let Some(content) = &self.content else { return false };
        let is_own = || content.life.is_some() && content.life == Life::of(std::process::id());
        content.holder.is_none()
            || content.life.as_ref().and_then(Life::is_alive) == Some(false)
            || is_own() && !HELD.lock().contains(&content.lock)
    }

    pub(super) fn is_alive(&self) -> bool {
        let life = self.content.as_ref().and_then(|content| content.life.as_ref());
        life.and_then(Life::is_alive) == Some(true)
    }
}

/// A time that goes on while the machine sleeps.
pub(super) fn now() -> Duration {
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
    pub(super) path: Path,
    pub(super) lapse: Duration,
    pub(super) state: tokio::sync::Mutex<State>,
    /// Until when nobody can have taken it over.
    pub(super) until: Mutex<Duration>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) content: Content,
    pub(super) version: UpdateVersion,
    /// Who has taken it over.
    pub(super) lost: Option<Option<Holder>>,
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
    pub(super) async fn keep(self: Arc<Self>, store: Arc<dyn ObjectStore>, patience: Patience) {
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
    pub(super) async fn give_back(&self, store: &dyn ObjectStore) -> object_store::Result<()> {
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

pub(super) async fn look(store: &dyn ObjectStore, path: &Path) -> object_store::Result<Seen> {
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

pub(super) async fn write(
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

pub(super) async fn replace(
    store: &dyn ObjectStore,
    path: &Path,
    content: &Content,
    version: UpdateVersion,
) -> object_store::Result<UpdateVersion> {
    write(store, path, content, PutMode::Update(version)).await
}
