//! Commits and positions of a subject: they are handed over behind the rows before them.

use towpath_engine::SourceQueue;

use super::buffer::Ingest;
use super::phase::Phase;

impl Ingest {
    /// Makes the rows so far visible together, up to a position if there is one. Returns whether the caller has to wait
    /// for space.
    pub(super) fn commit(&self, position: Option<Vec<u8>>) -> bool {
        let mut guard = self.buffer.lock();
        let buffer = &mut *guard;
        let commit = |queue: &SourceQueue| match position {
            Some(position) => queue.commit_at(position),
            None => queue.commit(),
        };
        if buffer.stage.phase == Phase::Waiting {
            // However often this is called, it takes no space.
            if std::mem::take(&mut buffer.stage.is_uncommitted) || buffer.rows > 0 {
                self.seal(buffer);
                let _ = commit(&buffer.queue);
            }
            return false;
        }
        self.seal(buffer);
        // Once the source has ended, there is nothing to commit.
        let _ = commit(&buffer.queue);
        buffer.stage.phase == Phase::Running && !buffer.queue.has_space()
    }

    /// A source that sends all its content again has done so. Returns whether the caller has to wait for space.
    pub(super) fn commit_whole(&self) -> bool {
        {
            let mut guard = self.buffer.lock();
            let buffer = &mut *guard;
            self.seal(buffer);
            // Once the source has ended, there is nothing to compare.
            let _ = buffer.queue.is_whole(true);
        }
        self.commit(None)
    }

    /// All rows so far are before a position.
    pub(super) fn report_position(&self, position: Vec<u8>) {
        let mut guard = self.buffer.lock();
        let buffer = &mut *guard;
        self.seal(buffer);
        // Once the source has ended, nobody goes on behind it.
        let _ = buffer.queue.position(position);
    }

    /// Allows or forbids commits other than the subject's own.
    pub(super) fn hold_commits(&self, hold: bool) {
        self.buffer.lock().queue.hold_commits(hold);
        if !hold {
            self.commit(None);
        }
    }
}
