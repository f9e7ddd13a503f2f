//! A storage that fails when a test says so.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::storage::{Appender, Entry, Holder, Lock, LockError, Storage};

/// How an operation fails. The numbers are those of the operating system, such as that of `ENOSPC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does nothing.
    Fails(i32),
    /// It adds only so many bytes; what adds none does nothing.
    WritesPart(usize, i32),
    /// It does all it is to do, and says that it failed.
    SaysSo(i32),
    /// It adds only so many bytes, and all that come later fail, too: the process was killed.
    Killed(usize),
}

/// Passes everything on to another storage, until a test has an operation fail; a clone is the same one.
///
/// Every call is an operation, those of its appenders, too.
#[derive(Clone, Debug)]
pub struct FaultyStorage {
    storage: Arc<dyn Storage>,
    faults: Arc<Mutex<Faults>>,
}

#[derive(Debug, Default)]
struct Faults {
    operations: u64,
    fault: Option<(u64, Fault)>,
    is_killed: bool,
}

impl FaultyStorage {
    /// One that does not fail yet.
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self {
            storage,
            faults: Arc::default(),
        }
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.faults.lock().operations
    }

    /// Has an operation fail: the one with this number, from 0 for the first of all.
    pub fn fail_at(&self, operation: u64, fault: Fault) {
        self.faults.lock().fault = Some((operation, fault));
    }

    /// What happens to this operation.
    fn next(&self) -> io::Result<Option<Fault>> {
        let mut faults = self.faults.lock();
        if faults.is_killed {
            return Err(killed());
        }
        let number = faults.operations;
        faults.operations += 1;
        let fault = faults.fault.filter(|(at, _)| *at == number).map(|(_, fault)| fault);
        if let Some(Fault::Killed(_)) = fault {
            faults.is_killed = true;
        }
        Ok(fault)
    }

    /// An operation that is done as a whole or not at all.
    fn whole<T, E: From<io::Error>>(&self, operation: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        match self.next()? {
            None => operation(),
            Some(Fault::Fails(number) | Fault::WritesPart(_, number)) => {
                Err(io::Error::from_raw_os_error(number).into())
            }
            Some(Fault::SaysSo(number)) => {
                // It says that it failed, whether it did or not.
                let _ = operation();
                Err(io::Error::from_raw_os_error(number).into())
            }
            Some(Fault::Killed(_)) => Err(killed().into()),
        }
    }
}

fn killed() -> io::Error {
    io::Error::other("the process was killed")
}

impl Storage for FaultyStorage {
    fn location(&self) -> String {
        self.storage.location()
    }

    fn list(&self, prefix: &str) -> io::Result<Vec<Entry>> {
        self.whole(|| self.storage.list(prefix))
    }

    fn any(&self) -> io::Result<Option<String>> {
        self.whole(|| self.storage.any())
    }

    fn read(&self, name: &str, range: Option<Range<u64>>) -> io::Result<Vec<u8>> {
        self.whole(|| self.storage.read(name, range))
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.whole(|| self.storage.put(name, bytes))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Appender>> {
        let appender = self.whole(|| self.storage.create(name))?;
        Ok(Box::new(FaultyAppender {
            storage: self.clone(),
            appender,
        }))
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        self.whole(|| self.storage.delete(name))
    }

    fn lock(&self, holder: &Holder) -> Result<Box<dyn Lock>, LockError> {
        self.whole(|| self.storage.lock(holder))
    }

    fn check_free(&self) -> Result<(), LockError> {
        self.whole(|| self.storage.check_free())
    }
}

#[derive(Debug)]
struct FaultyAppender {
    storage: FaultyStorage,
    appender: Box<dyn Appender>,
}

impl Appender for FaultyAppender {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (written, error) = match self.storage.next()? {
            None => return self.appender.append(bytes),
            Some(Fault::Fails(number)) => (0, io::Error::from_raw_os_error(number)),
            Some(Fault::WritesPart(written, number)) => (written, io::Error::from_raw_os_error(number)),
            Some(Fault::SaysSo(number)) => (bytes.len(), io::Error::from_raw_os_error(number)),
            Some(Fault::Killed(written)) => (written, killed()),
        };
        self.appender.append(&bytes[..written.min(bytes.len())])?;
        Err(error)
    }

    fn sync(&mut self) -> io::Result<()> {
        let appender = &mut self.appender;
        self.storage.whole(|| appender.sync())
    }
}
