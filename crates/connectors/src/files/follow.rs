//! Streaming mode: follows the files of a source.
//!
//! The follower looks at all files from time to time, and at once when the operating system tells of a change,
//! and compares what it finds with what it knows, by size and time of change. The rows of every file are kept:
//! when the file is gone they are removed, and when it has changed it is read again, and the difference goes out
//! in one batch, so that nobody sees half of a change.
//!
//! A last line without an end may be half of a line that is still being written. It waits until the file has
//! not changed for a second, or the source is stopped.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use notify::{RecursiveMode, Watcher as _};
use towpath_engine::source::Stopped;
use towpath_types::Batch;

use super::listing::Found;
use super::reader::{Completeness, Halt, Reader};

/// How often the files are looked at, if nothing tells of changes and it takes no time.
const PERIOD: Duration = Duration::from_millis(200);

/// After news of a change others usually follow.
const GATHERING: Duration = Duration::from_millis(5);

/// A file that has not changed for so long is complete.
const STANDSTILL: Duration = Duration::from_secs(1);

/// What is known of a file.
struct Known {
    stamp: (u64, Option<SystemTime>),
    /// When the stamp was first seen.
    since: Instant,
    completeness: Completeness,
    rows: Vec<Batch>,
}

/// See the module.
pub(crate) struct Follower<'a> {
    reader: &'a mut Reader,
    /// Whether nobody else commits.
    commits: bool,
    known: BTreeMap<PathBuf, Known>,
}

impl<'a> Follower<'a> {
    pub(crate) fn new(reader: &'a mut Reader, commits: bool) -> Self {
        Self {
            reader,
            commits,
            known: BTreeMap::new(),
        }
    }

    /// Follows the files until the source is stopped.
    pub(crate) fn run(mut self) {
        let watcher = self.watch();
        loop {
            let start = Instant::now();
            let is_last = self.reader.signal.is_stopped();
            if self.look(is_last).is_err() || is_last {
                break;
            }
            // Looking takes at most a tenth of the time.
            let period = PERIOD.max(start.elapsed() * 10);
            self.reader.signal.wait(period);
            if !self.reader.signal.is_stopped() {
                std::thread::sleep(GATHERING);
            }
        }
        drop(watcher);
    }

    /// Asks the operating system to tell of changes. Without it, changes are seen a little later.
    fn watch(&self) -> Option<notify::RecommendedWatcher> {
        let signal = Arc::clone(&self.reader.signal);
        let (root, is_deep) = self.reader.source.location.root();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading a file is an event as well.
            if event.is_ok_and(|event| !event.kind.is_access()) {
                signal.files_changed();
            }
        });
        let mode = if is_deep {
            RecursiveMode::Recursive
        } else {
            RecursiveMode::NonRecursive
        };
        let result = watcher.and_then(|mut watcher| watcher.watch(&root, mode).map(|()| watcher));
        if let Err(error) = &result {
            tracing::info!(target: "pathway", "{}: {} is looked at from time to time: {error}", self.reader.source.name, root.display());
        }
        result.ok()
    }

    /// Looks at all files once; the last time everything there is is taken.
    fn look(&mut self, is_last: bool) -> Result<(), Stopped> {
        let found = self.reader.source.location.list();
        let gone: Vec<PathBuf> = self
            .known
            .keys()
            .filter(|path| found.binary_search_by(|file| file.path.cmp(path)).is_err())
            .cloned()
            .collect();
        let mut has_changed = !gone.is_empty();
        for path in gone {
            if let Some(known) = self.known.remove(&path) {
                self.send(Batch::concat(&known.rows).negated())?;
            }
        }
        for file in found {
            has_changed |= self.update(&file, is_last)?;
        }
        if has_changed && self.commits {
            self.reader.context.queue.commit()?;
        }
        Ok(())
    }

    /// Reads a file if it has changed, and says whether it has.
    fn update(&mut self, file: &Found, is_last: bool) -> Result<bool, Stopped> {
        let stamp = file.stamp();
        let now = Instant::now();
        let known = self.known.get(&file.path);
        let is_same = known.is_some_and(|known| known.stamp == stamp);
        let since = known.filter(|_| is_same).map_or(now, |known| known.since);
        let stands_still = is_last || now - since >= STANDSTILL || self.is_old(stamp.1);
        match known {
            Some(known) if is_same && (known.completeness == Completeness::Whole || !stands_still) => return Ok(false),
            _ => {}
        }
        let old = known.map(|known| known.rows.clone());
        let mut rows = Vec::new();
        let queue = Arc::clone(&self.reader.context.queue);
        let result = self.reader.read_file(file, stands_still, |batch| {
            rows.push(batch.clone());
            if old.is_none() {
                queue.push(batch)?;
                queue.wait_for_space()?;
            }
            Ok(())
        });
        let completeness = match result {
            Ok(completeness) => completeness,
            Err(Halt::Stopped) => return Err(Stopped),
            Err(Halt::Unreadable(error)) => {
                if error.kind() != std::io::ErrorKind::NotFound {
                    tracing::error!(target: "pathway", "{}: cannot read {}: {error}", self.reader.source.name, file.shown);
                }
                // What has been sent of a new file stays until it can be read, or is gone.
                Completeness::Whole
            }
        };
        if let Some(old) = old {
            let mut change: Vec<Batch> = old.iter().map(Batch::negated).collect();
            change.extend(rows.iter().cloned());
            self.send(Batch::concat(&change).consolidated())?;
        }
        let known = Known {
            stamp,
            since,
            completeness,
            rows,
        };
        self.known.insert(file.path.clone(), known);
        Ok(true)
    }

    /// Whether a file was last changed long before it was first seen.
    fn is_old(&self, modified: Option<SystemTime>) -> bool {
        let Some(Ok(modified)) = modified.map(|time| time.duration_since(SystemTime::UNIX_EPOCH)) else {
            return false;
        };
        let now = Duration::from_millis(self.reader.context.clock.unix_milliseconds());
        now.checked_sub(modified).is_some_and(|age| age >= STANDSTILL)
    }

    fn send(&self, batch: Batch) -> Result<(), Stopped> {
        self.reader.context.queue.push(batch)?;
        self.reader.context.queue.wait_for_space()
    }
}
