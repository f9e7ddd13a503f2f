//! Reading files: one file, all that match a pattern, or a folder with everything below it.
//!
//! A thread (`alone`) reads the files block by block (`block`), a format cuts a block into records and these into cells
//! (`csv`, `lines`, `whole`), and the cells become batches (`rows`). In static mode every file is read once and the source
//! ends. In streaming mode (`follow`) the source goes on: it reads new files, takes back the rows of files that are
//! gone, and replaces the rows of files that have changed. The workers of the first process follow a folder together,
//! each its own files.
//!
//! In static mode all workers have a thread that reads and parses, if there are several workers (`divided`, `work`): they share
//! the files, and big files are cut into pieces (`split`). What is read does not depend on how many they are.
//!
//! Rows without a primary key have keys made from the source's seed, the file's path and what tells the record from the
//! others of the file. In static mode this is the byte where it begins, which whoever reads a piece of the file knows.
//! In streaming mode it is the record's number, so that a line that is edited keeps its key, and so do those after it.
//! A file that is read again has the same keys, and no two sources share any.
//!
//! A record that cannot be read is left out, but never in silence: it is reported with its file, line, field
//! and value, counted, and the count is logged when the source ends.

mod alone;
mod block;
mod column;
mod csv;
mod declared;
mod divided;
#[cfg(test)]
mod divided_tests;
mod failures;
mod follow;
#[cfg(test)]
mod follow_tests;
mod followed;
mod kept;
mod lines;
mod listing;
mod metadata;
mod named;
mod numbers;
mod open;
mod overlap;
mod position;
mod reader;
mod records;
mod rows;
mod sending;
mod signal;
mod split;
mod stamp;
mod standing;
mod whole;
mod work;

use std::cmp::Reverse;
use std::path::Path;
use std::sync::Arc;

use towpath_engine::clock::{Clock as _, SystemClock};
use towpath_engine::source::{Commits, Division, Kept, Limits, Readers, Resume, Team};
use towpath_engine::{Description, EngineError, ErrorKind, Source, SourceContext, SourceHandle};
use towpath_types::DType;

pub use csv::settings::CsvSettings;
pub use declared::{FileFormat, FileSource, ReadMode};
use failures::FailureCounts;
use follow::Own;
use listing::Found;
pub use listing::is_same_file;
use named::Named;
use reader::FileReader;
use signal::{Handle, Signal};
use split::Ends;
use work::{Cut, Entry, Work};

impl FileSource {
    /// The files for all processes.
    fn entries(&self, found: &[Found], unix_milliseconds: u64) -> Vec<Entry> {
        let named = |file| Entry::new(file, Named::of(self, file, unix_milliseconds));
        found.iter().map(named).collect()
    }

    /// What this process reads of the files that process 0 has found.
    fn work(&self, context: &SourceContext) -> Result<Work, EngineError> {
        let entries: Option<Vec<Entry>> = context.manifest.iter().map(|text| Entry::from_text(text)).collect();
        let Some(entries) = entries else {
            let message = format!("{}: process 0 has sent a list of files that cannot be read", self.name);
            return Err(EngineError::new(ErrorKind::Runtime, message));
        };
        let process = (context.process, context.team.processes);
        Ok(Work::new(entries, self.cut(), process))
    }

    /// Whether several threads follow the files, each its own. A row with a primary key may move from a file to another,
    /// which one thread sees as one change.
    fn is_followed_in_parts(&self) -> bool {
        self.schema.primary_key().is_empty() && !self.location.is_file()
    }

    fn check_that_it_is_there(&self) -> Result<(), EngineError> {
        if self.location.is_there() {
            return Ok(());
        }
        Err(EngineError::new(
            ErrorKind::Os,
            format!(
                "{}: there is no file or folder {}: check the path, or read in streaming mode to wait for it",
                self.name, self.location
            ),
        ))
    }

    fn cut(&self) -> Cut {
        Cut {
            ends: Ends::of(&self.format),
            piece_bytes: self.piece_bytes,
        }
    }
}

impl Source for FileSource {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn describe(&self, description: &mut Description) {
        description.known_as(&self.key_seed);
        description.set("path", &self.location);
        if let Some(pattern) = self.location.pattern() {
            description.set("object_pattern", pattern);
        }
        self.format.describe(description);
        description.set("mode", format_args!("{:?}", self.mode));
        description.set_fields(&self.schema.fields);
        description.set("with_metadata", self.with_metadata);
        description.set("append_only", self.is_append_only);
        description.set("backlog", format_args!("{:?}", self.limits));
    }

    fn columns(&self) -> Vec<DType> {
        let metadata = self.with_metadata.then_some(DType::Json);
        let fields = self.schema.fields.iter().map(|field| field.dtype.clone());
        fields.chain(metadata).collect()
    }

    fn is_append_only(&self) -> bool {
        self.mode == ReadMode::Static || self.is_append_only
    }

    fn has_unique_keys(&self) -> bool {
        self.schema.primary_key().is_empty()
    }

    fn kept(&self) -> Kept {
        // What was read of a file that only grows is not read again; of others, what has changed may have to be taken back.
        Kept::Rows(match self.mode {
            ReadMode::Streaming(_) if self.is_append_only => Resume::Continue,
            _ => Resume::Compare,
        })
    }

    fn commits(&self) -> Commits {
        match self.mode {
            ReadMode::Static => Commits::AtEnd,
            ReadMode::Streaming(period) => Commits::Streaming(period),
        }
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn may_read(&self, path: &Path) -> bool {
        self.location.has(path)
    }

    fn divide(&self, team: Team) -> Result<Division, EngineError> {
        if team.workers() == 1 {
            return Ok(Division::whole());
        }
        if self.mode != ReadMode::Static {
            return Ok(Division {
                streams: if self.is_followed_in_parts() { team.threads } else { 1 },
                ..Division::whole()
            });
        }
        self.check_that_it_is_there()?;
        let listing = self.location.list();
        let mut entries = self.entries(&listing.found, SystemClock.unix_milliseconds());
        // So that no big file is left when all others have been read.
        entries.sort_by_key(|entry| Reverse(entry.size));
        let cut = self.cut();
        if entries.iter().map(|entry| cut.pieces(entry)).sum::<u64>() < 2 {
            return Ok(Division::whole());
        }
        listing.warn_of_unseen(&self.name);
        Ok(Division {
            streams: team.workers(),
            readers: Readers::All,
            manifest: entries.iter().map(Entry::to_text).collect(),
            former: 0,
        })
    }

    fn start(&self, context: SourceContext) -> Result<Box<dyn SourceHandle>, EngineError> {
        let signal = Arc::new(Signal::default());
        let failures = Arc::new(FailureCounts::new(context.streams.len()));
        let work = if context.manifest.is_empty() {
            if self.mode == ReadMode::Static {
                self.check_that_it_is_there()?;
            }
            None
        } else {
            Some(Arc::new(self.work(&context)?))
        };
        if let (Some(work), Some(first), 0) = (&work, context.streams.first(), context.process) {
            first.queue.has_to_read(work.bytes());
        }
        let mut handle = Handle {
            signal: Arc::clone(&signal),
            threads: Vec::new(),
        };
        let owners = (context.streams.len() > 1).then(Arc::default);
        for (number, stream) in context.streams.iter().enumerate() {
            let (queue, work) = (Arc::clone(&stream.queue), work.clone());
            let own = Own {
                resumption: stream.resumption.clone(),
                number,
                owners: owners.clone(),
            };
            let reader = FileReader::new(
                self.clone(),
                &context,
                queue,
                Arc::clone(&signal),
                Arc::clone(&failures),
            );
            let thread = std::thread::Builder::new()
                .name("pathway-read".to_owned())
                .spawn(move || match work {
                    Some(work) => reader.run_divided(&work),
                    None => reader.run(own),
                });
            match thread {
                Ok(thread) => handle.threads.push(thread),
                Err(error) => {
                    signal.stop();
                    return Err(EngineError::os(
                        format!("{}: its thread did not start", self.name),
                        &error,
                    ));
                }
            }
        }
        Ok(Box::new(handle))
    }
}
