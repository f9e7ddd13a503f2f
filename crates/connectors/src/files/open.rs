//! Opens what is to be read, whatever it is, without waiting for anybody.
//!
//! A path may lead to a named pipe into which nobody writes, or to a terminal at which nobody types: to open or to read it
//! would wait without end, also when the run is over. So files are opened without waiting, and what is no plain file is
//! read only when there is something, and for as long as the source has not been stopped.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use super::signal::Signal;

/// A file that is open.
#[derive(Debug)]
pub(crate) struct Input {
    file: File,
    /// What ends the wait for something to read, if there can be one.
    signal: Option<Arc<Signal>>,
}

/// The source has been stopped while it waited for something to read.
#[derive(Debug, thiserror::Error)]
#[error("the source was stopped")]
pub(crate) struct StoppedWaiting;

/// Opens a plain file, and nothing else.
pub(crate) fn open_plain(path: &Path) -> io::Result<File> {
    let file = system::open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no plain file any more",
        ))
    }
}

/// Opens what there is, to read it.
pub(crate) fn open(path: &Path, signal: &Arc<Signal>) -> io::Result<Input> {
    let file = system::open(path)?;
    let signal = (!file.metadata()?.is_file()).then(|| Arc::clone(signal));
    Ok(Input { file, signal })
}

impl Input {
    /// A plain file that is open already.
    pub(crate) fn plain(file: File) -> Self {
        Self { file, signal: None }
    }

    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        self.file.metadata()
    }

    /// The file once more, for as long as it is to be known which one it is.
    pub(crate) fn handle(&self) -> io::Result<File> {
        self.file.try_clone()
    }
}

impl Seek for Input {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(signal) = &self.signal else {
            return self.file.read(buffer);
        };
        loop {
            if signal.is_stopped() {
                return Err(io::Error::other(StoppedWaiting));
            }
            if !system::has_something(&self.file)? {
                continue;
            }
            match self.file.read(buffer) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                read => return read,
            }
        }
    }
}

#[cfg(unix)]
mod system {
    use std::fs::OpenOptions;
    use std::os::unix::fs::OpenOptionsExt as _;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::OFlags;

    use super::{File, Path, io};

    /// How long something to read is waited for before the source is asked whether it was stopped.
    const PATIENCE: Duration = Duration::from_millis(50);

    pub(super) fn open(path: &Path) -> io::Result<File> {
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits() as i32)
            .open(path)
    }

    /// Whether there is something to read, or it has ended, as a pipe does whose writers have gone. Of one that nobody
    /// has opened to write to it yet, neither is true.
    pub(super) fn has_something(file: &File) -> io::Result<bool> {
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: PATIENCE.as_nanos() as i64,
        };
        match poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&timeout)) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(not(unix))]
mod system {
    use super::{File, Path, io};

    pub(super) fn open(path: &Path) -> io::Result<File> {
        File::open(path)
    }

    pub(super) fn has_something(_file: &File) -> io::Result<bool> {
        Ok(true)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Write as _;
    use std::thread;

    use super::*;

    fn pipe() -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().expect("a folder");
        let path = directory.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a pipe");
        (directory, path)
    }

    #[test]
    fn a_pipe_into_which_nobody_writes_is_left_when_the_source_is_stopped() {
        let (_directory, path) = pipe();
        let signal = Arc::new(Signal::default());
        let mut input = open(&path, &signal).expect("it does not wait");
        let reading = thread::spawn(move || input.read_to_end(&mut Vec::new()).expect_err("there is nothing"));
        signal.stop();
        let error = reading.join().expect("no panic");
        assert!(error.get_ref().is_some_and(|error| error.is::<StoppedWaiting>()));
    }

    #[test]
    fn what_is_written_into_a_pipe_later_is_read_to_its_end() {
        let (_directory, path) = pipe();
        let mut input = open(&path, &Arc::default()).expect("it does not wait");
        let reading = thread::spawn(move || {
            let mut bytes = Vec::new();
            input.read_to_end(&mut bytes).map(|_| bytes)
        });
        let mut writer = std::fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .expect("somebody reads");
        for _ in 0..100 {
            writer.write_all(&[7; 10_000]).expect("somebody reads");
        }
        drop(writer);
        assert_eq!(reading.join().expect("no panic").expect("read"), vec![7; 1_000_000]);
    }
}
