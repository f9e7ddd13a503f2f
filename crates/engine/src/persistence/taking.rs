//! The thread that takes snapshots, one in each process. The first process says when; the others do as they are told.
//!
//! It agrees with the others on a time at which the run is [cut](super::cut). When all operators have saved, all that came in
//! up to the cut is on disk and every output has noted what it has delivered, each process writes its part, and the first
//! one the manifest. Then what is not needed any more is deleted.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use towpath_cluster::Declared;
use towpath_durability::{Beginning, PartName, State, delete_before, delete_part, delete_parts_before};
use towpath_types::Time;

use super::cut::{Collected, Cut, StatePart};
use super::figures::SnapshotFigures;
use super::journal::{Journal, KeptOutput};
use super::snapshots::{Manifest, Merging, Part, PartsWriter, to_merge};
use super::standing::{Note, Standing, StreamStanding};
use crate::error::{EngineError, ErrorKind};

/// How long the last snapshot of a run may take that others have a part in.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two snapshots is at least so much time.
const LEAST_INTERVAL: Duration = Duration::from_millis(1);

/// How often who waits looks whether the run has ended.
const LOOK: Duration = Duration::from_millis(20);

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

/// What the processes tell each other of snapshots.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Word {
    /// How far is it?
    Ask,
    /// So far; nothing if it is still sending what was kept.
    Reached(Option<Time>),
    /// Its journal is to go on in a new file.
    Rotate,
    /// It does so, in the file of this number.
    Rotated(u32),
    /// Cut the run here.
    Publish(Time),
    /// So far it was then.
    Published(Time),
    /// Write what was saved.
    Collect(Time),
    /// This is it.
    Collected(Piece),
    /// There are no more snapshots.
    Over,
    /// To the own thread: many rows wait to be written.
    Write,
    /// To the own thread: the run has ended, well or not.
    End(bool),
}

/// What a process adds to a snapshot.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Piece {
    part: Option<Part>,
    streams: BTreeMap<String, Standing>,
    outputs: BTreeMap<String, Note>,
}

/// Why there is no snapshot.
enum Stop {
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
    fn note(&self, time: Time, duration: Option<Duration>, size: Option<(u64, usize)>) {
        self.journal
            .figures()
            .has_snapshot(SnapshotFigures { time, duration, size });
    }
}

/// What a process does for snapshots.
struct Participant {
    local: Local,
    /// How many parts were begun.
    begun: u32,
    /// The part that is being written, with what was saved before the run is cut.
    writer: Option<PartsWriter>,
    /// Where the run is cut, until what is saved up to there is written.
    pending: Option<Time>,
}

impl Participant {
    fn reached(&self) -> Time {
        self.local.cut.reached().max(self.local.surroundings.latest())
    }

    fn name(&mut self) -> PartName {
        self.begun += 1;
        PartName {
            generation: self.local.generation,
            process: self.local.process as u32,
            number: self.begun - 1,
        }
    }

    fn answer(&mut self, word: &Word) -> Result<Option<Word>, Stop> {
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
    fn write_early(&mut self) -> Result<(), EngineError> {
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
            let Some(name) = self.local.names.get(&part) else {
                continue;
            };
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

/// What the thread that takes snapshots is started with.
pub(crate) struct ToTake {
    pub(crate) local: Local,
    /// How many other processes there are.
    pub(crate) others: usize,
    /// How often at most.
    pub(crate) interval: Duration,
    /// The snapshot that the run has gone on from.
    pub(crate) before: Option<Manifest>,
    /// What the program is.
    pub(crate) program: Vec<Declared>,
    /// Whether all that came in is kept, besides.
    pub(crate) keeps_journal: bool,
}

impl std::fmt::Debug for ToTake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ToTake")
    }
}

/// The thread that takes snapshots.
pub(crate) struct Taking {
    inbox: Sender<(usize, Word)>,
    cut: Arc<Cut>,
    process: usize,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Taking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Taking")
    }
}

impl Taking {
    /// Starts it.
    pub(crate) fn start(to_take: ToTake) -> Result<Self, EngineError> {
        let ToTake {
            local,
            others,
            interval,
            before,
            program,
            keeps_journal,
        } = to_take;
        let (inbox, received) = channel();
        let (cut, process) = (Arc::clone(&local.cut), local.process);
        if let Some(before) = &before {
            local.note(before.time, None, Some(before.size()).filter(|_| process == 0));
        }
        let work = move || {
            let surroundings = Arc::clone(&local.surroundings);
            let is_first = local.process == 0;
            let mut taker = Taker {
                last: before.as_ref().map_or(0, |before| before.time),
                own: Participant {
                    local,
                    begun: 0,
                    writer: None,
                    pending: None,
                },
                others,
                received,
                ended: None,
                before,
                program,
                keeps_journal,
                merging: None,
                has_swept: false,
            };
            let taken = if is_first { taker.lead(interval) } else { taker.follow() };
            let cancelled = taker.merging.take().map_or(Ok(None), Merging::cancel);
            if let Err(error) = taken.and(cancelled.map(drop)) {
                surroundings.fail(error);
            }
        };
        let write = inbox.clone();
        cut.on_many_rows(move || {
            // It has ended with the run.
            let _ = write.send((process, Word::Write));
        });
        let thread = std::thread::Builder::new()
            .name("pathway-snapshots".to_owned())
            .spawn(work)
            .map_err(|error| EngineError::os("the thread that takes snapshots did not start", &error))?;
        Ok(Self {
            inbox,
            cut,
            process,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Another process says something.
    pub(crate) fn heard(&self, process: usize, word: Word) {
        // It has ended with the run.
        let _ = self.inbox.send((process, word));
    }

    /// The run has ended; if `well`, the last snapshot is taken.
    pub(crate) fn finish(&self, well: bool) {
        let _ = self.inbox.send((self.process, Word::End(well)));
        self.cut.end(PATIENCE);
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            // It reports its failures itself.
            drop(thread.join());
        }
    }
}

struct Taker {
    own: Participant,
    others: usize,
    received: Receiver<(usize, Word)>,
    /// How the run has ended, if it has.
    ended: Option<bool>,
    /// The time of the last snapshot of this run.
    last: Time,
    /// The last snapshot.
    before: Option<Manifest>,
    program: Vec<Declared>,
    keeps_journal: bool,
    merging: Option<Merging>,
    /// Whether what runs before have left is deleted.
    has_swept: bool,
}

impl Taker {
    /// Does as the first process says.
    fn follow(&mut self) -> Result<(), EngineError> {
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
    fn lead(&mut self, interval: Duration) -> Result<(), EngineError> {
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
            match self.ended {
                Some(false) => break Ok(()),
                Some(true) => {
                    break match self.take() {
                        Ok(()) | Err(Stop::Over) => Ok(()),
                        Err(Stop::Failed(error)) => Err(error),
                    };
                }
                None => {}
            }
            next = Instant::now() + interval;
            match self.take() {
                Ok(()) | Err(Stop::Over) => {}
                Err(Stop::Failed(error)) => break Err(error),
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
