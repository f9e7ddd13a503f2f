//! Streaming mode: follows the files of a source.
//!
//! The follower looks at all files from time to time, and at once when the operating system tells of a change; a look
//! costs one question to the system a file. It compares what it finds with what it knows, by size, times of change and
//! which file it is on the device, and reads what has changed (`followed`). The rows of a file that is gone are taken
//! back. A file that is there and cannot be looked at or read, keeps its rows.
//!
//! Where nothing may be taken back, a file is followed wherever it goes: one that was renamed keeps its position, and
//! of one that has left the folder, or has no name any more, the rest is read as long as something comes (`moves`). Its
//! rows stay, which is reported unless it was only renamed. What stands in its place is a new file.
//!
//! Several followers share the files of a folder: a new file belongs to the first that gets to it.

mod moves;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use notify::{RecursiveMode, Watcher as _};
use parking_lot::Mutex;
use towpath_engine::EngineError;
use towpath_engine::source::{Resumption, Stopped};
use towpath_types::Batch;
use xxhash_rust::xxh3::xxh3_64;

use super::followed::{Finding, Followed, Look};
use super::listing::{Found, Listing};
use super::named::Named;
use super::open::open;
use super::position::{FileIdentity, FilePosition, KeyOrigin, Seen};
use super::reader::FileReader;
use super::stamp::Stamp;
use super::standing::Standing;

/// How often the files are looked at, if nothing tells of changes and it takes no time.
const PERIOD: Duration = Duration::from_millis(200);

/// After news of a change others usually follow.
const GATHERING: Duration = Duration::from_millis(5);

/// So many files are kept open at most; half as many, those that have grown last, are kept open in any case.
const OPEN_FILES: usize = 100;

/// Which files a follower looks after, of several that share them.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    pub(crate) number: usize,
    /// None if all files are this follower's.
    pub(crate) owners: Option<Arc<Owners>>,
    /// Where the run before has left off, if the run is kept.
    pub(crate) resumption: Option<Resumption>,
}

/// The follower of each file that was seen, by the hash of its path and of what it is on the device. A path has the
/// same one for as long as the run lasts, also after its file was gone: its rows have the same keys again, and must not
/// be there twice. Where files are followed wherever they go, so has a file.
pub(crate) type Owners = Mutex<HashMap<u64, usize>>;

impl Own {
    /// Whether the file is this follower's, which it becomes if it was nobody's.
    pub(crate) fn has(&self, path: &Path, identity: Option<FileIdentity>) -> bool {
        let Some(owners) = &self.owners else {
            return true;
        };
        let path = xxh3_64(path.as_os_str().as_encoded_bytes());
        let file = identity.map(|identity| identity.hash());
        let mut owners = owners.lock();
        let owner = file.and_then(|file| owners.get(&file)).or_else(|| owners.get(&path));
        let owner = owner.copied().unwrap_or(self.number);
        for owned in file.into_iter().chain([path]) {
            owners.entry(owned).or_insert(owner);
        }
        owner == self.number
    }
}

/// See the module.
pub(crate) struct Follower<'a> {
    reader: &'a FileReader,
    own: Own,
    /// Whether nobody else commits.
    commits: bool,
    pub(super) known: BTreeMap<PathBuf, Followed>,
    /// Files that are no longer where they were, by the path they had.
    left: Vec<(Named, Followed)>,
    /// How many files were read at a path whose rows stay for ever.
    generations: HashMap<String, u32>,
    /// How many files were opened since some were closed.
    opened: usize,
    /// What could not be looked at the last time.
    unseen: BTreeSet<PathBuf>,
    /// Whether everything was looked at once.
    has_looked: bool,
}

impl<'a> Follower<'a> {
    pub(crate) fn new(reader: &'a FileReader, own: Own, commits: bool) -> Self {
        Self {
            reader,
            own,
            commits,
            known: BTreeMap::new(),
            left: Vec::new(),
            generations: HashMap::new(),
            opened: 0,
            unseen: BTreeSet::new(),
            has_looked: false,
        }
    }

    /// Goes on where the run before has left off.
    ///
    /// # Errors
    /// If what is kept of it cannot be understood.
    pub(crate) fn resume(&mut self) -> Result<(), EngineError> {
        let position = self.own.resumption.as_ref().and_then(|kept| kept.position.as_deref());
        if let Some(position) = position {
            let standing = Standing::decode(&self.reader.source.name, position)?;
            (self.known, self.generations) = standing.known(Instant::now());
        }
        Ok(())
    }

    /// Follows the files until the source is stopped.
    pub(crate) fn run(mut self) {
        let watcher = (self.own.number == 0).then(|| self.watch()).flatten();
        let mut seen = 0;
        loop {
            let now = Instant::now();
            let is_last = self.reader.signal.is_stopped();
            let looked = self.look(Look { now, is_last });
            if looked.is_err() && self.reader.signal.is_overdue() {
                tracing::warn!(
                    target: "pathway",
                    "{}: not all that was in the files was read before the run was told to stop",
                    self.reader.source.name
                );
            }
            if looked.is_err() || is_last {
                break;
            }
            // Looking takes at most a tenth of the time, or half of it if there is news.
            let taken = now.elapsed();
            seen = self.reader.signal.wait(seen, PERIOD.max(taken * 10));
            if !self.reader.signal.is_stopped() {
                self.reader.signal.wait_for_stop(GATHERING.max(taken));
            }
        }
        drop(watcher);
    }

    /// Asks the operating system to tell of changes. Without it, changes are seen a little later.
    fn watch(&self) -> Option<notify::RecommendedWatcher> {
        let signal = Arc::clone(&self.reader.signal);
        let (root, is_deep) = self.reader.source.location.root();
        let tell = move |event: notify::Result<notify::Event>| {
            // Reading a file is an event as well.
            if event.is_ok_and(|event| !event.kind.is_access()) {
                signal.files_changed();
            }
        };
        // Ways by links may be without end; what changes behind them is seen a little later.
        let config = notify::Config::default().with_follow_symlinks(false);
        let watcher = notify::RecommendedWatcher::new(tell, config);
        let mode = if is_deep {
            RecursiveMode::Recursive
        } else {
            RecursiveMode::NonRecursive
        };
        let result = watcher.and_then(|mut watcher| watcher.watch(&root, mode).map(|()| watcher));
        if let (Err(error), true) = (&result, root.exists()) {
            tracing::info!(target: "pathway", "{}: {} is looked at from time to time: {error}", self.reader.source.name, root.display());
        }
        result.ok()
    }

    /// Looks at all files once; the last time everything there is is taken.
    pub(crate) fn look(&mut self, look: Look) -> Result<(), Stopped> {
        let listing = self.reader.source.location.list();
        // Once, until it works again.
        for (path, error) in &listing.unseen {
            if !self.unseen.contains(path) && self.own.number == 0 {
                tracing::warn!(target: "pathway", "{}: cannot look at {}, what was read of it stays: {error}", self.reader.source.name, path.display());
            }
        }
        let is_append_only = self.reader.is_append_only();
        let mut has_changed = if is_append_only {
            self.follow_moves(&listing, look)?
        } else {
            self.take_back(&listing)?
        };
        for file in &listing.found {
            let stamp = file.stamp();
            if self.own.has(&file.path, is_append_only.then_some(stamp.file)) {
                has_changed |= self.update(file, &stamp, look)?;
            }
        }
        if is_append_only {
            has_changed |= self.see_off(look)?;
        }
        if !std::mem::replace(&mut self.has_looked, true) {
            if listing.found.is_empty() && listing.unseen.is_empty() && self.own.number == 0 {
                tracing::warn!(
                    target: "pathway",
                    "{}: {} has no files yet; waiting for one to appear",
                    self.reader.source.name,
                    self.reader.source.location
                );
            }
            self.reader.queue.is_whole(listing.unseen.is_empty())?;
        }
        self.unseen = listing.unseen.into_keys().collect();
        if has_changed && self.own.resumption.is_some() && is_append_only {
            let left = self.left.iter().map(|(named, known)| (&*named.path, known));
            let known = self.known.iter().map(|(path, known)| (&**path, known));
            let standing = Standing::of(known.chain(left), &self.generations);
            self.reader.queue.position(standing.encode())?;
        }
        if has_changed && self.commits {
            self.reader.queue.commit()?;
        }
        Ok(())
    }

    /// Takes back the rows of files that are gone.
    fn take_back(&mut self, listing: &Listing) -> Result<bool, Stopped> {
        let mut has_changed = false;
        let gone = self.known.extract_if(.., |path, _| listing.is_gone(path));
        for (_, known) in gone {
            has_changed = true;
            let batches: Vec<Batch> = known.taken_back(self.reader).collect();
            self.reader.queue.push(Batch::concat(&batches))?;
            self.reader.queue.wait_for_space()?;
        }
        Ok(has_changed)
    }

    /// Closes files, now that one more was opened, if many are open.
    fn close_some(&mut self) {
        self.opened += 1;
        if self.opened <= OPEN_FILES {
            return;
        }
        let mut open: Vec<&mut Followed> = self.known.values_mut().filter(|known| known.handle.is_some()).collect();
        let now = Instant::now();
        open.sort_by_key(|known| known.stands_since(now));
        for known in open.iter_mut().skip(OPEN_FILES / 2) {
            known.handle = None;
        }
        self.opened = open.len().min(OPEN_FILES / 2);
    }

    /// What the keys of a file that is new at this path are made from.
    fn origin(&mut self, path: &str) -> KeyOrigin {
        let mut origin = KeyOrigin::of(path);
        if self.reader.is_append_only() {
            let next = self.generations.entry(path.to_owned()).or_default();
            origin.generation = *next;
            *next += 1;
        }
        origin
    }

    /// Reads a file if it has changed, and says whether rows were sent.
    fn update(&mut self, file: &Found, stamp: &Stamp, look: Look) -> Result<bool, Stopped> {
        if let Some(known) = self.known.get_mut(&file.path)
            && !self.reader.is_to_be_read(known, &file.shown, stamp, look)
        {
            return Ok(false);
        }
        let mut known = match self.known.remove(&file.path) {
            Some(known) => known,
            None => Followed::at(FilePosition::start(stamp.file, self.origin(&file.shown)), look.now),
        };
        let was_open = known.handle.is_some();
        let result = self.update_known(&mut known, self.reader, file, look);
        let is_opened = known.handle.is_some() && !was_open;
        self.known.insert(file.path.clone(), known);
        if is_opened {
            self.close_some();
        }
        result
    }

    fn update_known(
        &mut self,
        known: &mut Followed,
        reader: &FileReader,
        file: &Found,
        look: Look,
    ) -> Result<bool, Stopped> {
        let mut named = Named {
            path: file.path.clone(),
            shown: file.shown.clone(),
            metadata: None,
        };
        let opened = open(&file.path, &reader.signal).and_then(|mut input| {
            let metadata = input.metadata()?;
            let stamp = Stamp::of(&metadata);
            let finding = reader.find(known, &stamp, &mut input)?;
            Ok((input, metadata, stamp, finding))
        });
        let (mut input, metadata, stamp, mut finding) = match opened {
            Ok(opened) => opened,
            // The next look knows.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => {
                reader.fail(known, &named, &error);
                return Ok(false);
            }
        };
        if matches!(finding, Finding::Changed)
            && !reader.is_append_only()
            && reader.is_being_written(known, &stamp, &mut input, look)
        {
            return Ok(false);
        }
        if matches!(finding, Finding::Changed) && reader.is_append_only() {
            if known.has_rows() {
                let what = if stamp.bytes < known.position.bytes {
                    "truncated"
                } else {
                    "rewritten"
                };
                reader.report(format!(
                    "{}: {} was {what}; the rows that were read of it stay, since the schema is append-only, and it is \
                     read from its beginning like a new file",
                    reader.source.name, file.shown
                ));
            }
            *known = Followed::at(FilePosition::start(stamp.file, self.origin(&file.shown)), look.now);
            finding = Finding::Grown(Seen::default());
        }
        named.metadata = match &finding {
            Finding::Grown(_) if !reader.is_append_only() && known.metadata.is_some() => known.metadata.clone(),
            _ => reader.metadata(&named, &metadata),
        };
        reader.read_on(known, &named, (stamp, input), finding, look)
    }
}
