//! Takes the [lease](super::lease) of a storage, and gives it back.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use object_store::PutMode;
use object_store::UpdateVersion;
use object_store::path::Path;
use parking_lot::Mutex;

use super::calls::{Calls, Purpose};
use super::lease::{Content, HELD, Lease, Life, Seen, State, look, now, replace, write};
use crate::storage::{Holder, LockError};

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
    let lapse = calls.patience.lapse;
    // What was seen first of another's lease, and when.
    let mut first: Option<(UpdateVersion, Instant)> = None;
    loop {
        let begin = now();
        let seen = match make(calls, path, &content)? {
            Made::New(version) => return Ok(held(calls, path, content, version, begin + lapse)),
            // An answer was lost, and with it when that was: the first write renews it.
            Made::There(seen) if seen.content.as_ref() == Some(&content) => {
                return Ok(held(calls, path, content, seen.version, Duration::ZERO));
            }
            Made::There(seen) => seen,
            Made::Gone => continue,
        };
        let since = match &first {
            Some((version, since)) if version.e_tag == seen.version.e_tag => Some(*since),
            // It was renewed, or another was faster.
            Some(_) if !seen.is_free() => return Err(LockError::Held(seen.holder())),
            _ => None,
        };
        if seen.is_free() || since.is_some_and(|since| since.elapsed() > lapse) {
            if let Some(version) = take_over(calls, path, &content, &seen.version)? {
                return Ok(held(calls, path, content, version, begin + lapse));
            }
            // It is looked at again: by whom, this one says.
            first = Some((seen.version, Instant::now()));
            continue;
        }
        if seen.is_alive() {
            return Err(LockError::Held(seen.holder()));
        }
        if since.is_none() {
            warn_of_wait(path, seen.holder(), lapse);
            first = Some((seen.version, Instant::now()));
        }
        Calls::pause(calls.patience.renewal / 4);
    }
}

/// What came of making a lease that was not there.
enum Made {
    New(UpdateVersion),
    /// There is one.
    There(Seen),
    /// There was one, until just now.
    Gone,
}

/// Makes the lease, unless it is there.
fn make(calls: &Calls, path: &Path, content: &Content) -> io::Result<Made> {
    let store = calls.store();
    calls.wait(calls.attempt(
        Purpose::Read,
        async || match write(&**store, path, content, PutMode::Create).await {
            Ok(version) => Ok(Made::New(version)),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                match look(&**store, path).await {
                    Ok(seen) => Ok(Made::There(seen)),
                    Err(object_store::Error::NotFound { .. }) => Ok(Made::Gone),
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        },
    ))
}

/// Replaces the lease, if it is still of this version.
fn take_over(
    calls: &Calls,
    path: &Path,
    content: &Content,
    version: &UpdateVersion,
) -> io::Result<Option<UpdateVersion>> {
    let store = calls.store();
    calls.wait(calls.attempt(
        Purpose::Read,
        async || match replace(&**store, path, content, version.clone()).await {
            Ok(version) => Ok(Some(version)),
            Err(object_store::Error::Precondition { .. } | object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        },
    ))
}

fn warn_of_wait(path: &Path, holder: Option<Holder>, lapse: Duration) {
    let who = holder.map_or_else(
        || "another process".to_owned(),
        |holder| format!("process {} on {}", holder.process, holder.host),
    );
    tracing::warn!(
        target: "pathway",
        "{who} has not given back '{path}'; unless it renews its lease, it is taken over in {} s",
        lapse.as_secs()
    );
}

/// The lease that was taken, which lasts until a time.
fn held(calls: &Calls, path: &Path, content: Content, version: UpdateVersion, until: Duration) -> Held {
    let lock = content.lock.clone();
    let lease = Arc::new(Lease {
        path: path.clone(),
        lapse: calls.patience.lapse,
        state: tokio::sync::Mutex::new(State {
            content,
            version,
            lost: None,
        }),
        until: Mutex::new(until),
    });
    HELD.lock().insert(lock.clone());
    calls.claim(Arc::clone(&lease));
    let keeping = calls.spawn(Arc::clone(&lease).keep(Arc::clone(calls.store()), calls.patience));
    Held { lease, lock, keeping }
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
