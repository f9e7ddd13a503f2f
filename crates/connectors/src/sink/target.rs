//! What the rows of an output are written to.
//!
//! An *ordinary file* is ours: it is emptied when the run starts, and cut back to the last complete time if the run
//! fails. No two outputs of the process write to the same one. Somebody may delete, rename or replace it while it is
//! written; then all later rows would go nowhere, so that is an error. It is written at its end, wherever that is: a
//! file may be copied and emptied while it is written, as programs do that keep logs short.
//!
//! Everything else is a *stream*: a pipe, a terminal, a device, and what this process was started with (`/dev/stdout`,
//! `/dev/fd/3`), also where that is a file. Others may write to it, too, so nothing is ever emptied or cut there, and
//! what several outputs of this process write does not get mixed within a line. Who reads from it may take its time,
//! or not have come yet; a run that is ended does not wait for it.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use towpath_engine::Reporter;

#[cfg(not(unix))]
use portable as system;
#[cfg(unix)]
use unix as system;

pub(super) use system::Target;

/// Whether several outputs may write to what is at the path.
pub fn may_be_shared(path: &Path) -> bool {
    system::is_stream(path)
}

/// The error for an ordinary file that is not where it was.
fn moved(what: &str) -> io::Error {
    io::Error::other(format!(
        "it {what} while the run writes to it, so rows would be lost. Let files that are written be where they are; to \
         begin a new one, copy and empty it, or run again"
    ))
}

#[cfg(unix)]
mod unix {
    use std::collections::{BTreeSet, HashMap};
    use std::fs::{FileType, OpenOptions};
    use std::io::Write as _;
    use std::os::fd::{AsFd as _, BorrowedFd};
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
    use std::sync::{Arc, LazyLock, Weak};
    use std::time::Duration;

    use parking_lot::Mutex;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::{OFlags, fcntl_getfl};

    use super::super::mark::Mark;
    use super::{File, Metadata, Path, PathBuf, Reporter, io, moved};

    /// Who reads is waited for so long before the run is asked whether it goes on.
    const PATIENCE: Duration = Duration::from_millis(100);

    /// What goes into a pipe in one piece, without anything in between: POSIX allows no more.
    const ONE_PIECE: usize = 4096;

    /// The device and the number of a file on it.
    type Node = (u64, u64);

    fn node(metadata: &Metadata) -> Node {
        (metadata.dev(), metadata.ino())
    }

    /// The ordinary files that outputs of this process write to.
    static WRITTEN: Mutex<BTreeSet<Node>> = Mutex::new(BTreeSet::new());

    /// Streams that outputs of this process write to: one writes at a time.
    static SHARED: LazyLock<Mutex<HashMap<Node, Weak<Mutex<()>>>>> = LazyLock::new(Mutex::default);

    #[derive(Debug)]
    pub(in crate::sink) enum Target {
        File(Ordinary),
        Stream(Stream),
    }

    #[derive(Debug)]
    pub(in crate::sink) struct Ordinary {
        file: File,
        path: PathBuf,
        node: Node,
        /// How long it is, as far as we know.
        bytes: u64,
        /// How long it was when the last time was complete.
        complete: u64,
        /// Whether nothing was written since.
        is_complete: bool,
        /// Whether its path tells which file it is; there are file systems where it does not.
        can_be_checked: bool,
    }

    impl Drop for Ordinary {
        fn drop(&mut self) {
            WRITTEN.lock().remove(&self.node);
        }
    }

    #[derive(Debug)]
    pub(in crate::sink) struct Stream {
        /// `None` until somebody reads from the named pipe at the path.
        file: Option<File>,
        path: PathBuf,
        turn: Arc<Mutex<()>>,
        /// Whether writing may wait for who reads.
        may_wait: bool,
    }

    pub(super) fn is_stream(path: &Path) -> bool {
        descriptor(path).is_some() || std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file())
    }

    impl Target {
        /// Creates or empties a file, or opens what else is there. A file that an earlier run has written is cut back to
        /// what it `kept`.
        pub(in crate::sink) fn open(path: &Path, kept: Option<&Mark>) -> io::Result<Self> {
            if let Some(number) = descriptor(path) {
                return Stream::of_descriptor(number, path).map(Target::Stream);
            }
            match std::fs::metadata(path) {
                Ok(metadata) if metadata.file_type().is_socket() => Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "it is a socket, which is no file to be written to",
                )),
                Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => {
                    Stream::of_path(path, &metadata).map(Target::Stream)
                }
                Ok(_) => Ordinary::open(path, kept).map(Target::File),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ordinary::open(path, kept).map(Target::File),
                Err(error) => Err(error),
            }
        }

        /// Writes whole lines.
        pub(in crate::sink) fn write(&mut self, lines: &[u8], reporter: &Reporter) -> io::Result<()> {
            match self {
                Target::File(ordinary) => {
                    // A part of them may be written even if it fails.
                    ordinary.is_complete = false;
                    ordinary.file.write_all(lines)?;
                    ordinary.bytes += lines.len() as u64;
                    Ok(())
                }
                Target::Stream(stream) => stream.write(lines, reporter),
            }
        }

        /// A time is complete, all of which has been written.
        pub(in crate::sink) fn complete(&mut self) -> io::Result<()> {
            match self {
                Target::File(ordinary) if ordinary.is_complete => Ok(()),
                Target::File(ordinary) => ordinary.complete(),
                Target::Stream(_) => Ok(()),
            }
        }

        /// A file that is cut back to this length by the next run, once it has been made durable; nothing for a stream.
        pub(in crate::sink) fn durable(&self) -> io::Result<Option<(u64, File)>> {
            match self {
                Target::File(ordinary) => Ok(Some((ordinary.complete, ordinary.file.try_clone()?))),
                Target::Stream(_) => Ok(None),
            }
        }

        /// Takes back what was written of a time that was not completed.
        pub(in crate::sink) fn cut_back(&mut self) -> io::Result<()> {
            match self {
                Target::File(ordinary) => ordinary.cut_back(),
                Target::Stream(_) => Ok(()),
            }
        }
    }

    impl Ordinary {
        fn open(path: &Path, kept: Option<&Mark>) -> io::Result<Self> {
            let path = std::path::absolute(path)?;
            if let Some(mark) = kept {
                mark.check(&path)?;
            }
            let length = kept.map_or(0, |mark| mark.length);
            let file = OpenOptions::new()
                .append(true)
                .create(true)
                // It may have become a pipe by now.
                .custom_flags(OFlags::NONBLOCK.bits() as i32)
                .open(&path)?;
            let metadata = file.metadata()?;
            if !metadata.is_file() {
                return Err(io::Error::other("it changes what it is"));
            }
            let node = node(&metadata);
            if !WRITTEN.lock().insert(node) {
                return Err(io::Error::new(
                    io::ErrorKind::ResourceBusy,
                    "another output of this process writes to this file: give each a file of its own, or wait until a run \
                     that was left behind has ended",
                ));
            }
            let ordinary = Self {
                can_be_checked: std::fs::metadata(&path).is_ok_and(|metadata| self::node(&metadata) == node),
                file,
                path,
                node,
                bytes: length,
                complete: length,
                is_complete: true,
            };
            ordinary.file.set_len(length)?;
            Ok(ordinary)
        }

        fn complete(&mut self) -> io::Result<()> {
            if self.can_be_checked {
                let metadata = match std::fs::metadata(&self.path) {
                    Ok(metadata) => metadata,
                    Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                        let was_deleted = self.file.metadata().is_ok_and(|metadata| metadata.nlink() == 0);
                        return Err(moved(if was_deleted {
                            "was deleted"
                        } else {
                            "or its folder was renamed"
                        }));
                    }
                    // Its folder may not be looked at any more; that does not keep us from writing.
                    Err(_) => return Ok(()),
                };
                if node(&metadata) != self.node {
                    return Err(moved("was replaced by another file"));
                }
                // Somebody else may have emptied it, or written to it.
                self.bytes = metadata.len();
            }
            self.complete = self.bytes;
            self.is_complete = true;
            Ok(())
        }

        fn cut_back(&mut self) -> io::Result<()> {
            if self.is_complete {
                return Ok(());
            }
            if self.file.metadata()?.len() < self.complete {
                // Somebody has emptied it, and what was not committed is gone with the rest.
                return Ok(());
            }
            self.file.set_len(self.complete)
        }
    }

    impl Stream {
        fn of_descriptor(number: i32, path: &Path) -> io::Result<Self> {
            #[expect(
                unsafe_code,
                reason = "the number comes from a path, as everywhere where there is /dev/fd"
            )]
            // SAFETY: it is only used for `fcntl`, which says so if no file is open at the number.
            let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
            let file = File::from(borrowed.try_clone_to_owned()?);
            if (fcntl_getfl(&file)? & OFlags::RWMODE) == OFlags::RDONLY {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "it is open for reading alone",
                ));
            }
            let metadata = file.metadata()?;
            Ok(Self::new(Some(file), path, &metadata))
        }

        fn of_path(path: &Path, metadata: &Metadata) -> io::Result<Self> {
            let file = match open_at_once(path) {
                Ok(file) => Some(file),
                Err(error) if has_no_reader(&error) && metadata.file_type().is_fifo() => None,
                Err(error) => return Err(error),
            };
            Ok(Self::new(file, path, metadata))
        }

        fn new(file: Option<File>, path: &Path, metadata: &Metadata) -> Self {
            Self {
                may_wait: may_wait(metadata.file_type(), file.as_ref()),
                file,
                path: path.to_owned(),
                turn: turn(node(metadata)),
            }
        }

        fn write(&mut self, lines: &[u8], reporter: &Reporter) -> io::Result<()> {
            let file = match &self.file {
                Some(file) => file,
                None => self.file.insert(wait_for_reader(&self.path, reporter)?),
            };
            let turn = Arc::clone(&self.turn);
            let _turn = turn.lock();
            if !self.may_wait {
                return (&*file).write_all(lines);
            }
            let mut rest = lines;
            while !rest.is_empty() {
                let (piece, others) = rest.split_at(piece(rest));
                rest = others;
                write_piece(file, piece, reporter)?;
            }
            Ok(())
        }
    }

    /// How many bytes of some lines go into a pipe at once: as many lines as fit, or one.
    fn piece(lines: &[u8]) -> usize {
        if lines.len() <= ONE_PIECE {
            return lines.len();
        }
        match memchr::memrchr(b'\n', &lines[..ONE_PIECE]) {
            Some(end) => end + 1,
            None => memchr::memchr(b'\n', lines).map_or(lines.len(), |end| end + 1),
        }
    }

    fn write_piece(mut file: &File, piece: &[u8], reporter: &Reporter) -> io::Result<()> {
        let mut rest = piece;
        while !rest.is_empty() {
            if reporter.is_cancelled() {
                return Err(ended());
            }
            let mut polled = [PollFd::new(&file, PollFlags::OUT)];
            match poll(&mut polled, Some(&patience())) {
                Ok(0) | Err(rustix::io::Errno::INTR) => continue,
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
            // A pipe that has any space takes one piece; more would wait for who reads.
            match file.write(&rest[..rest.len().min(ONE_PIECE)]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => rest = &rest[written..],
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn patience() -> Timespec {
        Timespec {
            tv_sec: 0,
            tv_nsec: PATIENCE.as_nanos() as i64,
        }
    }

    fn ended() -> io::Error {
        io::Error::new(
            io::ErrorKind::Interrupted,
            "the run was ended before anybody read what it wrote",
        )
    }

    /// Opens what is no ordinary file without waiting for anybody.
    fn open_at_once(path: &Path) -> io::Result<File> {
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        OpenOptions::new()
            .write(true)
            .custom_flags(flags.bits() as i32)
            .open(path)
    }

    fn has_no_reader(error: &io::Error) -> bool {
        error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error())
    }

    fn wait_for_reader(path: &Path, reporter: &Reporter) -> io::Result<File> {
        let mut has_told = false;
        loop {
            match open_at_once(path) {
                Err(error) if has_no_reader(&error) => {}
                opened => return opened,
            }
            if reporter.is_cancelled() {
                return Err(ended());
            }
            if !has_told {
                tracing::warn!(target: "pathway", "nobody reads from the pipe {}: rows wait until somebody does", path.display());
                has_told = true;
            }
            std::thread::sleep(PATIENCE / 5);
        }
    }

    fn may_wait(kind: FileType, file: Option<&File>) -> bool {
        let is_terminal = file.is_some_and(|file| rustix::termios::isatty(file.as_fd()));
        kind.is_fifo() || kind.is_socket() || is_terminal
    }

    fn turn(node: Node) -> Arc<Mutex<()>> {
        let mut shared = SHARED.lock();
        shared.retain(|_, turn| turn.strong_count() > 0);
        let turn = shared.get(&node).and_then(Weak::upgrade).unwrap_or_default();
        shared.insert(node, Arc::downgrade(&turn));
        turn
    }

    /// The number of the file of this process that the path stands for, also by way of links: `/dev/stdout` is 1.
    fn descriptor(path: &Path) -> Option<i32> {
        let mut path = path.to_owned();
        for _ in 0..40 {
            let folder = match path.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => folder,
                _ => Path::new("."),
            };
            let folder = std::fs::canonicalize(folder).ok()?;
            let own = [
                Path::new("/dev/fd").to_owned(),
                PathBuf::from(format!("/proc/{}/fd", std::process::id())),
            ];
            let is_thread = folder.parent().is_some_and(|thread| {
                folder.ends_with("fd") && thread.starts_with(format!("/proc/{}/task", std::process::id()))
            });
            if own.contains(&folder) || is_thread {
                return path.file_name()?.to_str()?.parse().ok();
            }
            // Not a link: then it is what it is.
            path = folder.join(std::fs::read_link(&path).ok()?);
        }
        None
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn lines_stay_in_one_piece_where_they_fit() {
            let short = b"ab\n".repeat(2000);
            assert_eq!(piece(&short), 4095);
            assert_eq!(piece(&short[..300]), 300);
            let long = [vec![b'x'; 5000], b"\ny\n".to_vec()].concat();
            assert_eq!(piece(&long), 5001);
            assert_eq!(piece(&vec![b'x'; 5000]), 5000);
        }

        #[test]
        fn what_the_process_was_started_with_is_known_by_any_path() {
            let folder = tempfile::tempdir().expect("a folder");
            let link = folder.path().join("link");
            std::os::unix::fs::symlink("/dev/stdout", &link).expect("a link");
            for (path, number) in [
                (Path::new("/dev/stdout"), Some(1)),
                (Path::new("/dev/fd/7"), Some(7)),
                (Path::new("/proc/self/fd/2"), Some(2)),
                (&link, Some(1)),
                (Path::new("/dev/null"), None),
                (folder.path(), None),
            ] {
                assert_eq!(descriptor(path), number, "{}", path.display());
            }
        }
    }
}

#[cfg(not(unix))]
mod portable {
    use std::io::{Seek as _, Write as _};

    use super::super::mark::Mark;
    use super::{File, Path, Reporter, io};

    /// A file that is written from its start.
    #[derive(Debug)]
    pub(in crate::sink) struct Target {
        file: File,
        bytes: u64,
        complete: u64,
    }

    pub(super) fn is_stream(_path: &Path) -> bool {
        false
    }

    impl Target {
        pub(in crate::sink) fn open(path: &Path, kept: Option<&Mark>) -> io::Result<Self> {
            let length = kept.map_or(0, |mark| mark.length);
            let mut file = match kept {
                Some(mark) => {
                    mark.check(path)?;
                    File::options().write(true).open(path)?
                }
                None => File::create(path)?,
            };
            file.set_len(length)?;
            file.seek(io::SeekFrom::End(0))?;
            Ok(Self {
                file,
                bytes: length,
                complete: length,
            })
        }

        pub(in crate::sink) fn durable(&self) -> io::Result<Option<(u64, File)>> {
            Ok(Some((self.complete, self.file.try_clone()?)))
        }

        pub(in crate::sink) fn write(&mut self, lines: &[u8], _reporter: &Reporter) -> io::Result<()> {
            self.file.write_all(lines)?;
            self.bytes += lines.len() as u64;
            Ok(())
        }

        pub(in crate::sink) fn complete(&mut self) -> io::Result<()> {
            self.complete = self.bytes;
            Ok(())
        }

        pub(in crate::sink) fn cut_back(&mut self) -> io::Result<()> {
            self.file.set_len(self.complete)
        }
    }
}
