//! The first process says when a snapshot is taken, and writes the manifest; the others do as they are told.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use towpath_cluster::Declared;
use towpath_durability::{Beginning, PartName, delete_before, delete_part, delete_parts_before};
use towpath_types::Time;

use super::super::snapshots::{Manifest, Merging, Part, to_merge};
use super::participant::{Participant, Stop};
use super::words::{Piece, Word};
use crate::error::{EngineError, ErrorKind};

/// How long the last snapshot of a run may take that others have a part in.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Between two snapshots is at least so much time.
const LEAST_INTERVAL: Duration = Duration::from_millis(1);

/// How often who waits looks whether the run has ended.
const LOOK: Duration = Duration::from_millis(20);

/// What the thread of a process does.
pub(super) struct Taker {
    pub(super) own: Participant,
    pub(super) others: usize,
    pub(super) received: Receiver<(usize, Word)>,
    /// How the run has ended, if it has.
    pub(super) ended: Option<bool>,
    /// The time of the last snapshot of this run.
    pub(super) last: Time,
    /// The last snapshot.
    pub(super) before: Option<Manifest>,
    pub(super) program: Vec<Declared>,
    pub(super) keeps_journal: bool,
    pub(super) merging: Option<Merging>,
    /// Whether what runs before have left is deleted.
    pub(super) has_swept: bool,
}

impl Taker {
    /// Does as the first process says.
    pub(super) fn follow(&mut self) -> Result<(), EngineError> {
        let mut until = None;
        loop {
            let wait = until.map_or(Duration::MAX, |until: Instant| {
                until.saturating_duration_since(Instant::now())
            });
            let word = match self.received.recv_timeout(wait.min(Duration::from_secs(3600))) {
                Ok((_, Word::Write)) => {
                    self.own.write_early()?;
                    continue;
                }
                Ok((_, word)) => word,
                Err(RecvTimeoutError::Timeout) if until.is_none() => continue,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Ok(()),
            };
            match word {
                Word::Over | Word::End(false) => return Ok(()),
                Word::End(true) => until = Some(Instant::now() + PATIENCE),
                word => match self.own.answer(&word) {
                    Ok(Some(answer)) => self.own.local.surroundings.tell(Some(0), &answer),
                    // It tries again when the run has ended, or never.
                    Ok(None) | Err(Stop::Over) => {}
                    Err(Stop::Failed(error)) => return Err(error),
                },
            }
        }
    }

    /// Takes snapshots until the run ends.
    pub(super) fn lead(&mut self, interval: Duration) -> Result<(), EngineError> {
        let interval = interval.max(LEAST_INTERVAL);
        let mut next = Instant::now() + interval;
        let result = loop {
            if self.ended.is_none() {
                match self
                    .received
                    .recv_timeout(next.saturating_duration_since(Instant::now()))
                {
                    Ok((_, Word::End(well))) => self.ended = Some(well),
                    Ok((_, Word::Write)) => match self.own.write_early() {
                        Ok(()) => continue,
                        Err(error) => break Err(error),
                    },
                    Ok(_) => continue,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break Ok(()),
                }
            }
            if self.ended == Some(false) {
                break Ok(());
            }
            let is_last = self.ended.is_some();
            next = Instant::now() + interval;
            match self.take() {
                Err(Stop::Failed(error)) => break Err(error),
                Ok(()) | Err(Stop::Over) if is_last => break Ok(()),
                Ok(()) | Err(Stop::Over) => {}
            }
        };
        self.own.local.surroundings.tell(None, &Word::Over);
        result
    }

    /// Asks all processes, this one too, and waits for their answers.
    fn ask(&mut self, word: &Word) -> Result<Vec<(usize, Word)>, Stop> {
        let until = Instant::now() + PATIENCE;
        self.own.local.surroundings.tell(None, word);
        let own = self.own.answer(word)?.ok_or(Stop::Over)?;
        let mut answers = vec![(0, own)];
        while answers.len() <= self.others {
            match self.received.recv_timeout(LOOK) {
                Ok((_, Word::End(well))) => self.ended = Some(well),
                Ok((_, Word::Write)) => self.own.write_early()?,
                Ok((process, word)) => answers.push((process, word)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(Stop::Over),
            }
            let is_over = match self.ended {
                Some(false) => true,
                Some(true) => Instant::now() > until,
                None => false,
            };
            if is_over {
                return Err(Stop::Over);
            }
        }
        Ok(answers)
    }

    /// Takes a snapshot, if there is anything new.
    fn take(&mut self) -> Result<(), Stop> {
        let began = Instant::now();
        let mut reached = 0;
        for (_, answer) in self.ask(&Word::Ask)? {
            match answer {
                Word::Reached(Some(time)) => reached = reached.max(time),
                _ => return Ok(()),
            }
        }
        self.end_merging()?;
        if reached <= self.last {
            return Ok(());
        }
        let beginning = self.rotate()?;
        let mut time = reached.max(self.own.reached());
        loop {
            let answers = self.ask(&Word::Publish(time))?;
            let times = answers.iter().filter_map(|(_, answer)| match answer {
                Word::Published(time) => Some(*time),
                _ => None,
            });
            let reached = times.max().unwrap_or(0);
            if reached <= time {
                break;
            }
            time = reached;
        }
        self.own.local.surroundings.pass(time + 2);
        let mut pieces = Vec::new();
        for (_, answer) in self.ask(&Word::Collect(time))? {
            match answer {
                Word::Collected(piece) => pieces.push(piece),
                _ => return Err(unexpected().into()),
            }
        }
        self.write(time, beginning, pieces)?;
        self.last = time;
        let manifest = self.before.as_ref();
        self.own
            .local
            .note(time, Some(began.elapsed()), manifest.map(Manifest::size));
        let parts = manifest.map_or(&[][..], |manifest| &manifest.parts);
        if self.merging.is_none()
            && self.ended.is_none()
            && let Some(range) = to_merge(parts)
        {
            let parts = parts.to_vec();
            let name = self.own.name();
            self.merging = Some(Merging::start(&self.own.local.state, &parts, range, name)?);
        }
        Ok(())
    }

    /// Has the journals of all processes go on in new files, where what came before may go.
    fn rotate(&mut self) -> Result<Beginning, Stop> {
        if self.keeps_journal {
            return Ok(Beginning::default());
        }
        let mut beginning = Beginning {
            generation: self.own.local.generation,
            ..Beginning::default()
        };
        for (process, answer) in self.ask(&Word::Rotate)? {
            match answer {
                Word::Rotated(file) => beginning.files.insert(process as u32, file),
                _ => return Err(unexpected().into()),
            };
        }
        Ok(beginning)
    }

    fn write(&mut self, time: Time, beginning: Beginning, pieces: Vec<Piece>) -> Result<(), Stop> {
        let mut manifest = Manifest {
            time,
            parts: Vec::new(),
            program: self.program.clone(),
            streams: BTreeMap::new(),
            outputs: BTreeMap::new(),
            beginning,
        };
        if let Some(before) = &self.before {
            manifest.parts.clone_from(&before.parts);
            // Streams that are not there now may be again.
            manifest.streams.clone_from(&before.streams);
            manifest.outputs.clone_from(&before.outputs);
        }
        for piece in pieces {
            manifest.parts.extend(piece.part);
            manifest.streams.extend(piece.streams);
            manifest.outputs.extend(piece.outputs);
        }
        manifest.write(&self.own.local.state)?;
        self.before = Some(manifest);
        self.clear()
    }

    /// Deletes what is not needed any more: the journal before the snapshot, and what runs before have left.
    fn clear(&mut self) -> Result<(), Stop> {
        let Some(manifest) = &self.before else {
            return Ok(());
        };
        if !manifest.is_whole_journal() {
            delete_before(&self.own.local.state, &manifest.beginning)?;
        }
        if !std::mem::replace(&mut self.has_swept, true) {
            let parts: Vec<PartName> = manifest.parts.iter().map(|part| part.name).collect();
            delete_parts_before(&self.own.local.state, self.own.local.generation, &parts)?;
        }
        Ok(())
    }

    /// Takes over what was merged.
    fn end_merging(&mut self) -> Result<(), Stop> {
        if !self.merging.as_ref().is_some_and(Merging::is_done) {
            return Ok(());
        }
        let (Some(merging), Some(manifest)) = (self.merging.take(), &mut self.before) else {
            return Ok(());
        };
        let range = merging.parts.clone();
        if let Some(part) = merging.finish()? {
            let merged: Vec<Part> = manifest.parts.splice(range, [part]).collect();
            manifest.write(&self.own.local.state)?;
            self.own.local.journal.figures().resized_snapshot(manifest.size());
            for part in merged {
                delete_part(&self.own.local.state, part.name)?;
            }
        }
        Ok(())
    }
}

fn unexpected() -> EngineError {
    EngineError::new(
        ErrorKind::Runtime,
        "a process has answered what nobody has asked of it, please report it",
    )
}
