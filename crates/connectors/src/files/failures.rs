//! What is wrong with records: counted, logged and put into the error log.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use towpath_engine::{ErrorKind, Reporter, RowError, SourceQueue};
use xxhash_rust::xxh3::xxh3_64;

/// So many failures of a source are logged one by one; all are in the error log.
const LOGGED: u64 = 1000;

/// So many different things that were wrong in a file are remembered.
const REMEMBERED: usize = 1 << 16;

/// What was wrong in one file, so that reading it again because it has changed does not report it again.
///
/// A reason has no line in it: the records before a bad one may have changed. How often it came up tells whether
/// there is one more. So many different reasons are remembered; what is wrong besides is reported again.
#[derive(Debug, Default)]
pub(crate) struct Reported {
    before: HashMap<u64, u32>,
    now: HashMap<u64, u32>,
}

impl Reported {
    /// The file is read from its beginning.
    pub(crate) fn begin(&mut self) {
        self.before = std::mem::take(&mut self.now);
    }

    fn is_new(&mut self, reason: &str) -> bool {
        let reason = xxh3_64(reason.as_bytes());
        let is_full = self.now.len() >= REMEMBERED;
        let now = match self.now.entry(reason) {
            Entry::Vacant(_) if is_full => return true,
            entry => entry.or_default(),
        };
        *now += 1;
        self.before.get(&reason).is_none_or(|before| *now > *before)
    }
}

/// How often a source has found something wrong, in all threads of a process.
#[derive(Debug)]
pub(crate) struct FailureCounts {
    /// How many threads read the source.
    readers: AtomicUsize,
    /// Records that were left out.
    rejected: AtomicU64,
    /// Values that are errors in rows that were kept.
    values: AtomicU64,
    all: AtomicU64,
}

impl FailureCounts {
    pub(crate) fn new(readers: usize) -> Self {
        Self {
            readers: AtomicUsize::new(readers),
            rejected: AtomicU64::new(0),
            values: AtomicU64::new(0),
            all: AtomicU64::new(0),
        }
    }

    /// One thread less reads the source; the last logs how many failures there were, if there were any.
    pub(crate) fn leave(&self, source: &str) {
        if self.readers.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let rejected = self.rejected.load(Ordering::Relaxed);
        if rejected > 0 {
            tracing::warn!(
                target: "pathway",
                "{source}: {} could not be read and {} left out; the error log has them all",
                counted(rejected, "record"),
                if rejected == 1 { "was" } else { "were" }
            );
        }
        let values = self.values.load(Ordering::Relaxed);
        if values > 0 {
            tracing::warn!(
                target: "pathway",
                "{source}: {} could not be read and {}; the error log has them all",
                counted(values, "value"),
                if values == 1 { "is an error" } else { "are errors" }
            );
        }
    }
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Where rejected records go.
#[derive(Debug)]
pub(crate) struct Rejections<'a> {
    pub(crate) source: &'a str,
    pub(crate) queue: &'a SourceQueue,
    pub(crate) reporter: &'a Reporter,
    pub(crate) failures: &'a FailureCounts,
    /// Whether another process reads the same and reports it.
    pub(crate) is_silent: bool,
    /// What was reported of this file before; `None` if it is read only once.
    pub(crate) reported: Option<&'a mut Reported>,
    /// Whether the run ends if no record of the file can be read, with an error that says why.
    pub(crate) needs_file: bool,
    /// Why that is so, as far as is known by now.
    pub(crate) left_out: Option<String>,
}

impl Rejections<'_> {
    fn is_new(&mut self, reason: &str) -> bool {
        !self.is_silent && self.reported.as_mut().is_none_or(|reported| reported.is_new(reason))
    }

    /// Reports a record that is left out; `record` says where it is: its file and perhaps line.
    pub(crate) fn reject(&mut self, record: &str, reason: &str) {
        if self.is_new(reason) {
            self.failures.rejected.fetch_add(1, Ordering::Relaxed);
            self.queue.count_rejected(1);
            self.report(&format!("{}: {record}: {reason}", self.source));
        }
    }

    /// Reports that no record of a file is read, unless `file_is_read` says something else.
    pub(crate) fn leave_file_out(&mut self, file: &str, reason: &str) {
        if self.is_new(reason) {
            let message = format!("{}: {file}: {reason}", self.source);
            if self.needs_file {
                // It is told once: by what ends the run, or when the records are read that come later.
                self.left_out = Some(message);
            } else {
                self.report(&message);
            }
        }
    }

    /// The records from here on are read.
    pub(crate) fn file_is_read(&mut self) {
        if let Some(message) = self.left_out.take() {
            self.report(&message);
        }
    }

    /// Reports a value that is an error in a row that is kept.
    pub(crate) fn value(&mut self, record: &str, reason: &str) {
        if self.is_new(reason) {
            self.failures.values.fetch_add(1, Ordering::Relaxed);
            self.report(&format!("{}: {record}: {reason}; the value is an error", self.source));
        }
    }

    fn report(&mut self, message: &str) {
        let count = self.failures.all.fetch_add(1, Ordering::Relaxed) + 1;
        if count <= LOGGED {
            tracing::error!(target: "pathway", "{message}");
        } else if count == LOGGED + 1 {
            tracing::error!(
                target: "pathway",
                "{}: more than {LOGGED} records could not be read; from now on they are only counted, and put into \
                 pw.global_error_log()",
                self.source
            );
        }
        // Failures of rows at a source never end a run.
        let _ = self.reporter.report(RowError::new(ErrorKind::Value, message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_wrong_before_is_no_news_as_far_as_it_is_remembered() {
        let mut reported = Reported::default();
        assert!(reported.is_new("a") && reported.is_new("a"));
        reported.begin();
        assert!(!reported.is_new("a") && !reported.is_new("a"));
        assert!(reported.is_new("a"), "there is one more");
        reported.begin();
        for number in 0..REMEMBERED + 100 {
            assert!(reported.is_new(&number.to_string()));
        }
        assert_eq!(reported.now.len(), REMEMBERED);
        reported.begin();
        let news = (0..REMEMBERED + 100).filter(|number| reported.is_new(&number.to_string()));
        assert_eq!(news.count(), 100);
    }
}
