//! Streaming mode: follows the files of a source.
//!
//! The follower looks at all files from time to time, and at once when the operating system tells of a change,
//! and compares what it finds with what it knows, by size, times of change and which file it is on the device. The
//! rows of every file are kept: when the file is gone they are removed, and when it has changed it is read again,
//! and the difference goes out in one batch, so that nobody sees half of a change. A file that has only grown, as
//! logs do, is not parsed again: a hash tells that it still begins with what has been read, and only what follows
//! is read. A file that is there and cannot be looked at or read, keeps its rows.
//!
//! Several followers share the files of a folder: a new file belongs to the first that gets to it.
//!
//! A last line without an end may be half of a line that is still being written. It waits until the file has
//! not changed for a second, or the source is stopped.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use notify::{RecursiveMode, Watcher as _};
use parking_lot::Mutex;
use towpath_engine::source::Stopped;
use towpath_types::Batch;
use xxhash_rust::xxh3::xxh3_64;

use super::failures::Reported;
use super::listing::{Found, Stamp};
use super::reader::{Halt, Progress, ReadEnd, Reader, push};

/// How often the files are looked at, if nothing tells of changes and it takes no time.
const PERIOD: Duration = Duration::from_millis(200);

/// After news of a change others usually follow.
const GATHERING: Duration = Duration::from_millis(5);

/// A file that has not changed for so long is complete.
const STANDSTILL: Duration = Duration::from_secs(1);

/// What is known of a file.
struct Known {
    stamp: Stamp,
    /// When the stamp was first seen.
    since: Instant,
    /// Whether a last record without an end was left out.
    is_partial: bool,
    progress: Option<Progress>,
    rows: Vec<Batch>,
    reported: Reported,
}

impl Known {
    fn new(stamp: Stamp, since: Instant, end: ReadEnd, rows: Vec<Batch>, reported: Reported) -> Self {
        let (is_partial, progress) = match end {
            ReadEnd::Whole(progress) => (false, progress),
            ReadEnd::BeforeLast(progress) => (true, progress),
            ReadEnd::Changed => (true, None),
            ReadEnd::Unreadable => (false, None),
        };
        Self {
            stamp,
            since,
            is_partial,
            progress,
            rows,
            reported,
        }
    }
}

/// A file that grows line by line must not become as many batches.
fn merge_small(rows: &mut Vec<Batch>) {
    const LARGE: usize = 1 << 16;
    while let [.., before, last] = &rows[..]
        && before.len() < LARGE.min(2 * last.len())
    {
        let merged = Batch::concat(&[before.clone(), last.clone()]);
        rows.truncate(rows.len() - 2);
        rows.push(merged);
    }
}

/// Which files a follower looks after, of several that share them.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    pub(crate) number: usize,
    /// None if all files are this follower's.
    pub(crate) owners: Option<Arc<Owners>>,
}

/// The follower of each file that was seen, by the hash of its path. A file has the same one for as long as the run
/// lasts, also after it was gone: its rows have the same keys again, and must not be there twice.
pub(crate) type Owners = Mutex<HashMap<u64, usize>>;

impl Own {
    /// Whether the file is this follower's, which it becomes if it was nobody's.
    fn has(&self, path: &Path) -> bool {
        self.owners.as_ref().is_none_or(|owners| {
            let file = xxh3_64(path.as_os_str().as_encoded_bytes());
            *owners.lock().entry(file).or_insert(self.number) == self.number
        })
    }
}

/// See the module.
pub(crate) struct Follower<'a> {
    reader: &'a Reader,
    own: Own,
    /// Whether nobody else commits.
    commits: bool,
    known: BTreeMap<PathBuf, Known>,
    /// What could not be looked at the last time.
    unseen: BTreeSet<PathBuf>,
}

impl<'a> Follower<'a> {
    pub(crate) fn new(reader: &'a Reader, own: Own, commits: bool) -> Self {
        Self {
            reader,
            own,
            commits,
            known: BTreeMap::new(),
            unseen: BTreeSet::new(),
        }
    }

    /// Follows the files until the source is stopped.
    pub(crate) fn run(mut self) {
        let watcher = (self.own.number == 0).then(|| self.watch()).flatten();
        let mut seen = 0;
        loop {
            let start = Instant::now();
            let is_last = self.reader.signal.is_stopped();
            if self.look(is_last).is_err() || is_last {
                break;
            }
            // Looking takes at most a tenth of the time.
            let period = PERIOD.max(start.elapsed() * 10);
            seen = self.reader.signal.wait(seen, period);
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
        let listing = self.reader.source.location.list();
        // Once, until it works again.
        for (path, error) in &listing.unseen {
            if !self.unseen.contains(path) && self.own.number == 0 {
                tracing::warn!(target: "pathway", "{}: cannot look at {}, what was read of it stays: {error}", self.reader.source.name, path.display());
            }
        }
        let gone: Vec<PathBuf> = self
            .known
            .keys()
            .filter(|path| listing.is_gone(path))
            .cloned()
            .collect();
        let mut has_changed = !gone.is_empty();
        for path in gone {
            if let Some(known) = self.known.remove(&path) {
                self.send(Batch::concat(&known.rows).negated())?;
            }
        }
        self.unseen = listing.unseen.into_keys().collect();
        let own = self.own.clone();
        for file in listing.found.into_iter().filter(|file| own.has(&file.path)) {
            has_changed |= self.update(&file, is_last)?;
        }
        if has_changed && self.commits {
            self.reader.queue.commit()?;
        }
        Ok(())
    }

    /// Reads a file if it has changed, and says whether it has.
    fn update(&mut self, file: &Found, is_last: bool) -> Result<bool, Stopped> {
        let stamp = file.stamp();
        let now = Instant::now();
        let known = self.known.get_mut(&file.path);
        let is_same = known.as_ref().is_some_and(|known| known.stamp == stamp);
        let since = known.as_ref().filter(|_| is_same).map_or(now, |known| known.since);
        let stands_still = is_last || now - since >= STANDSTILL || self.reader.is_old(stamp.modified);
        let Some(known) = known else {
            let mut reported = Reported::default();
            let (end, rows) = self.read(file, None, stands_still, &mut reported, true)?;
            let known = Known::new(stamp, since, end, rows, reported);
            self.known.insert(file.path.clone(), known);
            return Ok(true);
        };
        if is_same && !(known.is_partial && stands_still) {
            return Ok(false);
        }
        let mut reported = std::mem::take(&mut known.reported);
        let mut old = std::mem::take(&mut known.rows);
        if let Some(progress) = known.progress.take() {
            let (end, rows) = self.read(file, Some(progress), stands_still, &mut reported, true)?;
            let has_grown = !matches!(end, ReadEnd::Changed);
            let has_rows = !rows.is_empty();
            old.extend(rows);
            merge_small(&mut old);
            if has_grown {
                let known = Known::new(stamp, since, end, old, reported);
                self.known.insert(file.path.clone(), known);
                return Ok(has_rows);
            }
        }
        reported.begin();
        let (end, rows) = self.read(file, None, stands_still, &mut reported, false)?;
        if matches!(end, ReadEnd::Unreadable) {
            let known = Known::new(stamp, since, end, old, reported);
            self.known.insert(file.path.clone(), known);
            return Ok(false);
        }
        let change: Vec<Batch> = old.iter().map(Batch::negated).chain(rows.iter().cloned()).collect();
        let known = Known::new(stamp, since, end, rows, reported);
        self.known.insert(file.path.clone(), known);
        self.send(Batch::concat(&change).consolidated())?;
        Ok(true)
    }

    /// Reads a file, or what follows in it; also sends the rows if `sends`.
    fn read(
        &mut self,
        file: &Found,
        progress: Option<Progress>,
        to_the_end: bool,
        reported: &mut Reported,
        sends: bool,
    ) -> Result<(ReadEnd, Vec<Batch>), Stopped> {
        let mut rows = Vec::new();
        let queue = Arc::clone(&self.reader.queue);
        let result = self.reader.read_file(
            &self.reader.named(file),
            progress,
            to_the_end,
            Some(reported),
            |batch| {
                rows.push(batch.clone());
                if sends {
                    push(&queue, &batch)?;
                }
                Ok(())
            },
        );
        match result {
            Ok(end) => Ok((end, rows)),
            Err(Halt::Stopped) => Err(Stopped),
            Err(Halt::Unreadable(error)) => {
                if error.kind() == std::io::ErrorKind::NotFound {
                    return Ok((ReadEnd::Whole(None), rows));
                }
                tracing::error!(target: "pathway", "{}: cannot read {}: {error}", self.reader.source.name, file.shown);
                // What has been read of it is its rows until it changes, or is gone.
                Ok((ReadEnd::Unreadable, rows))
            }
        }
    }

    fn send(&self, batch: Batch) -> Result<(), Stopped> {
        self.reader.queue.push(batch)?;
        self.reader.queue.wait_for_space()
    }
}

impl Reader {
    /// Whether a file was last changed long before it was first seen.
    fn is_old(&self, modified: Option<SystemTime>) -> bool {
        let Some(Ok(modified)) = modified.map(|time| time.duration_since(SystemTime::UNIX_EPOCH)) else {
            return false;
        };
        let now = Duration::from_millis(self.clock.unix_milliseconds());
        now.checked_sub(modified).is_some_and(|age| age >= STANDSTILL)
    }
}
