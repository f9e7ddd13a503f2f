//! A thread that reads all files of a source: each once, or for as long as the run lasts.

use std::sync::Arc;

use towpath_engine::EngineError;

use super::declared::{FileFormat, ReadMode};
use super::follow::{Follower, Own};
use super::reader::FileReader;
use super::sending::{Halt, push};
use super::signal::Closing;

impl FileReader {
    /// Reads until the source ends.
    pub(crate) fn run(self, own: Own) {
        let closing = Closing::new(Arc::clone(&self.queue));
        let result = match self.source.mode {
            ReadMode::Static => self.read_all(),
            ReadMode::Streaming(period) => {
                let mut follower = Follower::new(&self, own, period.is_none());
                follower.resume().map(|()| follower.run())
            }
        };
        self.failures.leave(&self.source.name);
        closing.close(result);
    }

    fn read_all(&self) -> Result<(), EngineError> {
        let listing = self.source.location.list();
        listing.warn_of_unseen(&self.source.name);
        if listing.found.is_empty() {
            tracing::warn!(target: "pathway", "{}: {} has no files", self.source.name, self.source.location);
        }
        if !matches!(self.source.format, FileFormat::OnlyMetadata) {
            self.queue
                .has_to_read(listing.found.iter().map(|file| file.metadata.len()).sum());
        }
        for file in &listing.found {
            let file = self.named(file);
            match self.read_file(&file, |batch| push(&self.queue, &batch)) {
                Ok(()) => {}
                Err(Halt::Stopped) => return Ok(()),
                Err(Halt::Unreadable(error)) => return Err(self.unreadable(&file, &error)),
            }
        }
        // Who takes nothing any more has no use for it either.
        let _ = self.queue.is_whole(listing.unseen.is_empty());
        Ok(())
    }
}
