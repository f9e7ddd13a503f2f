//! What each process does for a snapshot: it answers what the first one asks, and writes its part.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use towpath_durability::{PartName, State};
use towpath_types::Time;

use super::super::cut::{Collected, Cut, StatePart};
use super::super::figures::SnapshotFigures;
use super::super::journal::Journal;
use super::super::kept_output::KeptOutput;
use super::super::snapshots::PartsWriter;
use super::super::standing::StreamStanding;
use super::words::{Piece, Word};
use crate::error::EngineError;

/// What the thread knows of the run besides.
pub(crate) trait Surroundings: Send + Sync {
    /// The latest time at which a stream that this process knows of has opened a commit.
    fn latest(&self) -> Time;
    /// Has all streams go on that have nothing to send, so that nothing comes any more up to this time.
    fn pass(&self, time: Time);
    /// Whether all that was kept has been sent again.
    fn has_recovered(&self) -> bool;
    /// Ends the run with an error.
    fn fail(&self, error: EngineError);
    /// Tells another process something, or all others.
    fn tell(&self, process: Option<usize>, word: &Word);
}

/// Why there is no snapshot.
pub(super) enum Stop {
    /// The run ends.
    Over,
    Failed(EngineError),
}

impl<E: Into<EngineError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Stop::Failed(error.into())
    }
}

/// What a process has a part in.
pub(crate) struct Local {
    pub(crate) cut: Arc<Cut>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) state: State,
    pub(crate) surroundings: Arc<dyn Surroundings>,
    /// By what the parts of the plan are known.
    pub(crate) names: HashMap<StatePart, String>,
    pub(crate) streams: Vec<(String, Arc<Mutex<StreamStanding>>)>,
    pub(crate) outputs: Vec<(String, KeptOutput)>,
    pub(crate) threads: usize,
    pub(crate) generation: u64,
    pub(crate) process: usize,
}

impl Local {
    /// Notes for people which is the last snapshot; the first process knows its size, and when it is whole.
    pub(super) fn note(&self, time: Time, duration: Option<Duration>, size: Option<(u64, usize)>) {
        self.journal
            .figures()
            .has_snapshot(SnapshotFigures { time, duration, size });
    }
}

/// What a process does for snapshots.
pub(super) struct Participant {
    pub(super) local: Local,
    /// How many parts were begun.
    pub(super) begun: u32,
    /// The part that is being written, with what was saved before the run is cut.
    pub(super) writer: Option<PartsWriter>,
    /// Where the run is cut, until what is saved up to there is written.
    pub(super) pending: Option<Time>,
}

impl Participant {
    pub(super) fn reached(&self) -> Time {
        self.local.cut.reached().max(self.local.surroundings.latest())
    }

    pub(super) fn name(&mut self) -> PartName {
        self.begun += 1;
        PartName {
            generation: self.local.generation,
            process: self.local.process as u32,
            number: self.begun - 1,
        }
    }

    pub(super) fn answer(&mut self, word: &Word) -> Result<Option<Word>, Stop> {
        Ok(Some(match word {
            Word::Ask => {
                let has_recovered = self.local.surroundings.has_recovered();
                Word::Reached(has_recovered.then(|| self.local.cut.reached()))
            }
            Word::Rotate => Word::Rotated(self.local.journal.rotate().ok_or(Stop::Over)?),
            Word::Publish(time) => {
                self.pending = Some(*time);
                self.local.cut.publish(*time);
                Word::Published(self.reached())
            }
            Word::Collect(time) => Word::Collected(self.collect(*time)?),
            _ => return Ok(None),
        }))
    }

    /// Writes what was saved before the run is cut: it belongs to the next snapshot, which is of no earlier time.
    pub(super) fn write_early(&mut self) -> Result<(), EngineError> {
        let saved = self.local.cut.take(self.pending.unwrap_or(Time::MAX));
        self.write(saved, None)
    }

    /// Writes rows into the part; nobody may know how many there will be.
    fn write(&mut self, saved: Collected, rows: Option<usize>) -> Result<(), EngineError> {
        if saved.is_empty() {
            return Ok(());
        }
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => PartsWriter::create(&self.local.state.clone(), self.name(), rows)?,
        };
        for (part, rows) in saved {
            // Every part of the plan has one; what is saved must not get lost.
            let name = &self.local.names[&part];
            for rows in rows {
                writer.add(name, rows)?;
            }
        }
        self.writer = Some(writer);
        Ok(())
    }

    /// Waits until all is saved, and writes it.
    fn collect(&mut self, time: Time) -> Result<Piece, Stop> {
        let began = Instant::now();
        let is_durable = || self.local.journal.durable().time() > time;
        if !self.local.cut.wait(self.local.threads, time, is_durable) {
            return Err(Stop::Over);
        }
        let streams = self.local.streams.iter();
        let standing =
            |(name, standing): &(String, Arc<Mutex<StreamStanding>>)| Some((name.clone(), standing.lock().at(time)?));
        let streams = streams.filter_map(standing).collect();
        let noted = |(name, output): &(String, KeptOutput)| Some((name.clone(), output.noted()?));
        let outputs = self.local.outputs.iter().filter_map(noted).collect();
        // What outputs have noted is on disk, and so is what they have written.
        self.local.journal.flush().ok_or(Stop::Over)?;
        let saved = self.local.cut.take(time);
        self.pending = None;
        let rows = saved
            .iter()
            .flat_map(|(_, rows)| rows)
            .map(|rows| rows.rows.len())
            .sum();
        self.write(saved, Some(rows))?;
        let part = self.writer.take().map(PartsWriter::finish).transpose()?;
        self.local.journal.figures().is_in_snapshot();
        if self.local.process > 0 {
            self.local.note(time, Some(began.elapsed()), None);
        }
        Ok(Piece { part, streams, outputs })
    }
}
