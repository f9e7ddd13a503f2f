//! A folder as a storage.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::points;
use crate::storage::{Appender, Entry, Holder, Lock, LockError, Storage, check_name};

/// The file that is locked, which says who has locked it.
const LOCK: &str = "lock";

/// How the names of files end that are not yet what they are to be.
const TEMPORARY: &str = ".towpath-temporary";

/// What operating systems put into folders without being asked.
const OF_THE_SYSTEM: &[&str] = &["lost+found", ".DS_Store"];

/// A folder on a disk, whether it is there yet or not; a blob is a file.
#[derive(Debug)]
pub struct LocalStorage {
    folder: PathBuf,
}

impl LocalStorage {
    /// The folder at a path, which is understood now: another working directory changes nothing.
    ///
    /// # Errors
    /// If the path is empty, or it is relative and the working directory is gone.
    pub fn new(path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self {
            folder: std::path::absolute(path)?,
        })
    }

    fn path(&self, name: &str) -> io::Result<PathBuf> {
        check_name(name)?;
        if is_ours_alone(name) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("'{name}' is a name of its own use"),
            ));
        }
        Ok(self.folder.join(name))
    }
}

impl Storage for LocalStorage {
    fn location(&self) -> String {
        self.folder.display().to_string()
    }

    fn list(&self, prefix: &str) -> io::Result<Vec<Entry>> {
        let within = prefix.rfind('/').map_or("", |slash| &prefix[..=slash]);
        let mut entries = Vec::new();
        walk(&self.folder.join(within), within, prefix, &mut entries)?;
        entries.sort_unstable();
        Ok(entries)
    }

    fn any(&self) -> io::Result<Option<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_something = !is_ours_alone(&name) && !OF_THE_SYSTEM.contains(&&*name);
            if is_something && !(entry.file_type()?.is_dir() && is_empty(&entry.path())?) {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    fn read(&self, name: &str, range: Option<Range<u64>>) -> io::Result<Vec<u8>> {
        let path = self.path(name)?;
        let Some(range) = range else {
            return fs::read(path);
        };
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(range.start))?;
        let length = range.end.saturating_sub(range.start);
        let mut bytes = Vec::new();
        // What is reserved for is there: a length can be wrong by any amount.
        let remaining = file.metadata()?.len().saturating_sub(range.start);
        bytes.reserve_exact(usize::try_from(length.min(remaining)).unwrap_or(0));
        file.take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let path = self.path(name)?;
        let folder = make_parent(&path)?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_added_extension(format!("{}-{count}{TEMPORARY}", std::process::id()));
        let written = write_whole(&temporary, bytes).and_then(|()| {
            points::reach("put.rename.before")?;
            fs::rename(&temporary, &path)
        });
        if let Err(error) = written {
            // If it stays, it is swept away at the next start.
            let _ = fs::remove_file(&temporary);
            return Err(error);
        }
        points::reach("put.folder.before")?;
        sync_folder(folder)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Appender>> {
        let path = self.path(name)?;
        let folder = make_parent(&path)?;
        let file = OpenOptions::new().append(true).create_new(true).open(&path)?;
        sync_folder(folder)?;
        Ok(Box::new(LocalAppender { file }))
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name)?)
    }

    fn lock(&self, holder: &Holder) -> Result<Box<dyn Lock>, LockError> {
        let path = self.folder.join(LOCK);
        make_parent(&path)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)?;
        match lock_file(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held(read_holder(&path))),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        file.set_len(0)?;
        file.write_all(&serde_json::to_vec(holder).map_err(io::Error::other)?)?;
        sweep(&self.folder)?;
        Ok(Box::new(LocalLock { file }))
    }

    fn check_free(&self) -> Result<(), LockError> {
        let path = self.folder.join(LOCK);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => file?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(file.unlock()?),
            Err(TryLockError::WouldBlock) => Err(LockError::Held(read_holder(&path))),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

/// Locks a file. Who only looks whether it is locked has it for a moment.
fn lock_file(file: &File) -> Result<(), TryLockError> {
    for _ in 0..10 {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(2)),
            locked => return locked,
        }
    }
    file.try_lock()
}

/// Who says to have locked a file; it may just be saying so.
fn read_holder(path: &Path) -> Option<Holder> {
    (0..10).find_map(|attempt| {
        if attempt > 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    })
}

/// A file that is written to.
#[derive(Debug)]
struct LocalAppender {
    file: File,
}

impl Appender for LocalAppender {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// A file that is locked. The operating system unlocks it when the process dies.
#[derive(Debug)]
struct LocalLock {
    file: File,
}

impl Lock for LocalLock {}

impl Drop for LocalLock {
    fn drop(&mut self) {
        // Closing it is not enough if the process was forked. Where it fails, the end of the process does it.
        let _ = self.file.unlock();
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    points::reach("put.write.before")?;
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    points::reach("put.sync.before")?;
    file.sync_all()
}

/// Whether a name is one that is used here for other things than blobs.
fn is_ours_alone(name: &str) -> bool {
    name == LOCK || name.ends_with(TEMPORARY)
}

/// Adds the files below a folder, whose names begin with `within`, to a list, if they begin with a prefix.
fn walk(folder: &Path, within: &str, prefix: &str, entries: &mut Vec<Entry>) -> io::Result<()> {
    let found = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    for file in found {
        let file = file?;
        let name = format!("{within}{}", file.file_name().to_string_lossy());
        if is_ours_alone(&name) || OF_THE_SYSTEM.contains(&&*name) {
            continue;
        }
        if file.file_type()?.is_dir() {
            walk(&file.path(), &format!("{name}/"), prefix, entries)?;
        } else if name.starts_with(prefix) {
            match fs::metadata(file.path()) {
                Ok(metadata) => entries.push(Entry {
                    name,
                    bytes: metadata.len(),
                }),
                // It was removed while we looked.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Whether a folder has nothing in it but folders like it: such a folder is nothing.
fn is_empty(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !(entry.file_type()?.is_dir() && is_empty(&entry.path())?) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes what puts that did not come to their end have left. Nobody else writes here now.
fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if OF_THE_SYSTEM.contains(&&*name) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            sweep(&entry.path())?;
        } else if name.ends_with(TEMPORARY) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Makes the folder in which a file is to be, durably.
fn make_parent(path: &Path) -> io::Result<&Path> {
    let folder = path
        .parent()
        .ok_or_else(|| io::Error::from(io::ErrorKind::NotADirectory))?;
    make_folder(folder)?;
    Ok(folder)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let parent = make_parent(folder)?;
    match fs::create_dir(folder) {
        // Somebody else was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made?,
    }
    sync_folder(parent)
}

/// Makes durable which files are in a folder.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
