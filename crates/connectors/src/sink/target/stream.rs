//! What others may write to, too, and whoever reads from it may take its time.

use std::collections::HashMap;
use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl};
use towpath_engine::Reporter;

use super::node::{Node, node};

/// Who reads is waited for so long before the run is asked whether it goes on.
const PATIENCE: Duration = Duration::from_millis(100);

/// What goes into a pipe in one piece, without anything in between: POSIX allows no more.
const ONE_PIECE: usize = 4096;

/// Streams that outputs of this process write to: one writes at a time.
static TURNS: LazyLock<Mutex<HashMap<Node, Weak<Mutex<()>>>>> = LazyLock::new(Mutex::default);

#[derive(Debug)]
pub(in crate::sink) struct Stream {
    /// `None` until somebody reads from the named pipe at the path.
    file: Option<File>,
    path: PathBuf,
    turn: Arc<Mutex<()>>,
    /// Whether writing may wait for who reads.
    may_wait: bool,
}

impl Stream {
    pub(super) fn of_descriptor(number: i32, path: &Path) -> io::Result<Self> {
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

    pub(super) fn of_path(path: &Path, metadata: &Metadata) -> io::Result<Self> {
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

    pub(super) fn write(&mut self, lines: &[u8], reporter: &Reporter) -> io::Result<()> {
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
    let mut turns = TURNS.lock();
    turns.retain(|_, turn| turn.strong_count() > 0);
    let turn = turns.get(&node).and_then(Weak::upgrade).unwrap_or_default();
    turns.insert(node, Arc::downgrade(&turn));
    turn
}

/// The number of the file of this process that the path stands for, also by way of links: `/dev/stdout` is 1.
pub(super) fn descriptor(path: &Path) -> Option<i32> {
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
