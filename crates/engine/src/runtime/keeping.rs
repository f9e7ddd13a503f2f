//! Finds what was kept of each stream and output before the workers start, and begins to keep what comes.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Instant;

use towpath_durability::{JournalWriter, State};
use towpath_types::{Physical, Time};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::kept_parts::{PART, Part, add_former, check_parts, parts, state_names};
use crate::cluster::Lines;
use crate::dataflow::{Ending, SourceTimes};
use crate::error::EngineError;
use crate::fingerprint::Fingerprint;
use crate::monitor::Watched;
use crate::persistence::{
    Access, Cut, Figures, Histories, History, Journal, Keeping, KeptOutput, KeptStream, Local, Persistence, Play,
    Recovering, Restoring, Snapshots, StreamJournal, Surroundings, ToTake, Word,
};
use crate::physical::PhysicalPlan;
use crate::source::{Division, Resume, Resumption, Team};

/// A state that this run uses.
pub(super) struct Opened {
    state: State,
    access: Access,
    play: Play,
    continues: bool,
    /// Which run this is.
    generation: u64,
    histories: Histories,
    recovering: Arc<Recovering>,
    /// How the state of operators is kept, if it is.
    snapshots: Option<Snapshots>,
}

impl Opened {
    /// Opens a state in the first process. Nobody else uses it until this is dropped.
    pub(super) fn open(persistence: &Persistence) -> Result<Self, EngineError> {
        let access = match persistence.access {
            Access::Full | Access::Record => towpath_durability::Access::ReadWrite,
            Access::Replay => towpath_durability::Access::ReadOnly,
        };
        let since = Instant::now();
        let state = State::open(Arc::clone(&persistence.storage), persistence.holder.clone(), access)?;
        let histories = Histories::read(&state, u64::MAX, snapshots(persistence).is_some())?;
        Ok(Self {
            snapshots: snapshots(persistence),
            generation: histories.generations(),
            recovering: recovering(since, &histories),
            histories,
            state,
            access: persistence.access,
            play: persistence.play,
            continues: persistence.continues,
        })
    }

    /// Opens the state that the first process has opened, in another.
    pub(super) fn join(persistence: &Persistence, generation: u64) -> Result<Self, EngineError> {
        let access = match persistence.access {
            Access::Full | Access::Record => towpath_durability::Access::Member,
            Access::Replay => towpath_durability::Access::ReadOnly,
        };
        let since = Instant::now();
        let state = State::open(Arc::clone(&persistence.storage), persistence.holder.clone(), access)?;
        let histories = Histories::read(&state, generation, snapshots(persistence).is_some())?;
        Ok(Self {
            snapshots: snapshots(persistence),
            recovering: recovering(since, &histories),
            histories,
            generation,
            state,
            access: persistence.access,
            play: persistence.play,
            continues: persistence.continues,
        })
    }

    /// Whether sources end after what was kept of them.
    fn only_plays(&self) -> bool {
        self.access == Access::Replay && !self.continues
    }

    /// Adds to each division the streams that runs before have kept and that it does not have any more, if what was kept is
    /// sent again.
    pub(super) fn add_former(&self, plan: &PhysicalPlan, divisions: &mut BTreeMap<usize, Division>) {
        if self.access != Access::Record {
            add_former(plan, divisions, &self.histories);
        }
    }

    /// Which run this is, of those that are kept there.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// The earliest time at which this run may commit: after all that was kept.
    pub(super) fn earliest_start(&self) -> Time {
        let last = self.histories.last_time();
        last.map_or(0, |last| last.saturating_add(3) & !1)
    }
}

/// How far what these histories have is sent again, which have been read since that instant.
fn recovering(since: Instant, histories: &Histories) -> Arc<Recovering> {
    let snapshot = histories.snapshot().map(|snapshot| (snapshot.time, snapshot.bytes()));
    Arc::new(Recovering::new(since, histories.last_time().unwrap_or(0), snapshot))
}

/// How a run takes snapshots, if it goes on behind the last one and takes more of them.
fn snapshots(persistence: &Persistence) -> Option<Snapshots> {
    let is_whole = persistence.access == Access::Full && persistence.play == Play::AsRecorded;
    persistence.snapshots.filter(|_| is_whole)
}

/// What is around the thread that takes snapshots.
struct Around {
    times: Arc<SourceTimes>,
    lines: Arc<Lines>,
    ending: Weak<Ending>,
    recovering: Arc<Recovering>,
}

impl Surroundings for Around {
    fn latest(&self) -> Time {
        self.times.reached()
    }

    fn pass(&self, time: Time) {
        self.times.pass(time);
    }

    fn has_recovered(&self) -> bool {
        self.recovering.is_over()
    }

    fn fail(&self, error: EngineError) {
        if let Some(ending) = self.ending.upgrade() {
            ending.fail(error);
        }
    }

    fn tell(&self, process: Option<usize>, word: &Word) {
        self.lines
            .snapshot(process, serde_json::to_string(word).unwrap_or_default());
    }
}

impl Opened {
    /// Begins to keep what comes, and finds what was kept of each stream and output.
    pub(super) fn keep(
        self,
        plan: &PhysicalPlan,
        watched: &[Watched],
        divisions: &BTreeMap<usize, Division>,
        (team, process): (Team, usize),
        (times, lines, ending): (&Arc<SourceTimes>, &Arc<Lines>, &Arc<Ending>),
        (start, fingerprint): (Time, Option<Fingerprint>),
    ) -> Result<(Keeping, State), EngineError> {
        let (parts, names) = parts(plan, watched, divisions, team);
        let mut keeping = Keeping::default();
        keeping.only_plays = self.only_plays();
        if self.access != Access::Replay {
            let journal = self.start_journal(&names.all, (team, process), (times, lines, ending))?;
            keeping.journal = Some(journal);
        }
        if let Some(snapshots) = self.snapshots {
            keeping.cut = Some(Arc::new(Cut::new(snapshots.early_rows)));
        }
        for part in &parts {
            let at = (part.node, part.part);
            let mut read_here = watched[part.node].parts.iter().filter(|read| read.queue.is_some());
            match &part.source {
                Some(_) if read_here.all(|read| read.stream != part.part) => {}
                Some((resume, layouts)) => self.keep_stream(&mut keeping, at, part, (*resume, layouts), start)?,
                None => {
                    if let Some(journal) = &keeping.journal {
                        let delivered = match self.access {
                            Access::Full if !self.is_stale(&part.name) => self.histories.output(&part.name)?,
                            Access::Full | Access::Record | Access::Replay => None,
                        };
                        let mut kept = KeptOutput::new(journal, part.number, delivered);
                        if self.access == Access::Full {
                            let settled = self.histories.settled(&part.name);
                            kept = kept.going_on(&part.name, self.histories.last_time(), settled);
                        }
                        keeping.outputs.insert(at, kept);
                    }
                }
            }
        }
        if let Some(fingerprint) = fingerprint {
            self.keep_state(
                &mut keeping,
                plan,
                &parts,
                fingerprint,
                (team, process),
                (times, lines, ending),
            )?;
        }
        Ok((keeping, self.state))
    }

    /// Starts the thread that writes what is kept.
    fn start_journal(
        &self,
        names: &[String],
        (team, process): (Team, usize),
        (times, lines, ending): (&Arc<SourceTimes>, &Arc<Lines>, &Arc<Ending>),
    ) -> Result<Arc<Journal>, EngineError> {
        let writer = JournalWriter::create(&self.state, self.generation, process as u32, names)?;
        let streams = ending.queues().count();
        let closed = {
            let times = Arc::clone(times);
            move || times.closed(streams)
        };
        let saved = {
            let lines = Arc::clone(lines);
            move |time| lines.saved(time)
        };
        let fail = {
            let ending = Arc::downgrade(ending);
            move |error| {
                if let Some(ending) = Weak::upgrade(&ending) {
                    ending.fail(error);
                }
            }
        };
        let others = (0..team.processes).filter(|other| *other != process);
        let earlier = if process == 0 { self.histories.bytes() } else { 0 };
        let figures = Figures::new(self.histories.last_time(), earlier);
        let journal = Journal::start(writer, figures, others, closed, saved, fail)?;
        let wanting = Arc::downgrade(&journal);
        times.on_advance(move || {
            if let Some(journal) = wanting.upgrade() {
                journal.want_soon();
            }
        });
        Ok(journal)
    }

    /// Begins to keep the state of operators, and finds what was kept of it.
    fn keep_state(
        &self,
        keeping: &mut Keeping,
        plan: &PhysicalPlan,
        parts: &[Part],
        fingerprint: Fingerprint,
        (team, process): (Team, usize),
        (times, lines, ending): (&Arc<SourceTimes>, &Arc<Lines>, &Arc<Ending>),
    ) -> Result<(), EngineError> {
        let (Some(cut), Some(journal), Some(Snapshots { interval, .. })) =
            (&keeping.cut, &keeping.journal, self.snapshots)
        else {
            return Ok(());
        };
        let names = state_names(plan, &fingerprint.identities);
        let snapshot = self.histories.snapshot();
        if let Some(snapshot) = snapshot {
            snapshot.check_program(&fingerprint.lasting)?;
            for part in parts.iter().filter(|part| part.source.is_none()) {
                check_parts(&part.name, snapshot)?;
            }
            keeping.restoring = Some(Arc::new(Restoring::open(
                &self.state,
                snapshot,
                &names,
                (process * team.threads..(process + 1) * team.threads, team.workers()),
                &self.recovering,
            )?));
            keeping.known = Some(snapshot.time);
        }
        // The same in all runs, and nobody can foresee them.
        let secret = self.state.secret();
        keeping.seeds = Some([0_u64, 1].map(|number| xxh3_64_with_seed(&secret.to_le_bytes(), number)));
        let looks = Arc::clone(cut);
        journal.durable().wakes(move || looks.look());
        let (mut streams, mut outputs) = (Vec::new(), Vec::new());
        for part in parts {
            let at = (part.node, part.part);
            if let Some(standing) = keeping.standings.get(&at) {
                streams.push((part.name.clone(), Arc::clone(standing)));
            }
            // Each is noted by the process that writes it.
            if let Some(output) = keeping.outputs.get(&at).filter(|_| part.part / team.threads == process) {
                outputs.push((part.name.clone(), output.clone()));
            }
        }
        let is_known = |name: &str| parts.iter().any(|part| part.name == name);
        let is_compared = |part: &Part| matches!(part.source, Some((Resume::Compare, _)));
        *keeping.to_take.lock() = Some(ToTake {
            others: team.processes - 1,
            interval,
            before: snapshot.cloned(),
            program: fingerprint.lasting,
            // What is compared with what comes again, and what is not read now, is not in the state of the operators.
            keeps_journal: parts.iter().any(is_compared) || !self.histories.names().all(is_known),
            local: Local {
                cut: Arc::clone(cut),
                journal: Arc::clone(journal),
                state: self.state.clone(),
                surroundings: Arc::new(Around {
                    times: Arc::clone(times),
                    lines: Arc::clone(lines),
                    ending: Arc::downgrade(ending),
                    recovering: Arc::clone(&self.recovering),
                }),
                names,
                streams,
                outputs,
                threads: team.threads,
                generation: self.generation,
                process,
            },
        });
        Ok(())
    }

    /// Whether it is a part of an output that another number of workers has written since: other rows are in each part, and
    /// all are written from the beginning.
    fn is_stale(&self, name: &str) -> bool {
        name.rsplit_once(PART).is_some_and(|(output, part)| {
            let suffix = part.split_once(" of ").map_or("", |(_, writers)| writers);
            let (prefix, suffix) = (format!("{output}{PART}"), format!(" of {suffix}"));
            self.histories.is_written_by_others_since(name, &prefix, &suffix)
        })
    }

    fn keep_stream(
        &self,
        keeping: &mut Keeping,
        at: (usize, usize),
        part: &Part,
        (resume, layouts): (Resume, &Arc<[Physical]>),
        start: Time,
    ) -> Result<(), EngineError> {
        let mut history = match self.access {
            Access::Full | Access::Replay => self.histories.stream(&part.name, layouts, resume)?,
            Access::Record => None,
        };
        if self.play == Play::AtOnce {
            history = history.map(|history| history.at_once(start));
        }
        let resumption = history.as_ref().map_or_else(Resumption::default, History::resumption);
        keeping.resumptions.insert(at, resumption);
        let journal = keeping.journal.as_ref();
        let cut = keeping.cut.as_ref();
        let journal = journal.map(|journal| StreamJournal::new(journal, part.number, resume, history.as_ref(), cut));
        if let Some(journal) = &journal {
            keeping.standings.insert(at, Arc::clone(journal.standing()));
            keeping.positions.insert(at, Arc::clone(journal.positions()));
        }
        let resuming = history.as_ref().and_then(|history| history.resuming(resume));
        let recovering = history.as_ref().map(|_| Arc::clone(&self.recovering));
        if let (Some(recovering), Some(history)) = (&recovering, &history) {
            recovering.expect(history.bytes());
        }
        let stream = KeptStream {
            comparing: history.as_ref().and_then(|history| history.comparing(resume)),
            recovering,
            history,
            resuming,
            begins_late: self.access == Access::Full && self.histories.last_time().is_some(),
            ends_with_history: self.only_plays(),
            in_real_time: self.play == Play::InRealTime,
            journal,
        };
        keeping.streams.lock().insert(at, stream);
        Ok(())
    }
}
