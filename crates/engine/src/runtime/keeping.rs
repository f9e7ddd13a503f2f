//! Finds what was kept of each stream and output before the workers start, and begins to keep what comes.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Instant;

use towpath_durability::{JournalWriter, State};
use towpath_types::{DType, Physical, Time};

use crate::cluster::Lines;
use crate::dataflow::{Ending, SourceTimes};
use crate::description::{Description, listed};
use crate::error::EngineError;
use crate::monitor::{Role, Watched};
use crate::operator::Routing;
use crate::persistence::{
    Access, Histories, History, Journal, Keeping, KeptOutput, KeptStream, Persistence, Play, Recovering, StreamJournal,
};
use crate::physical::{PhysicalPlan, Work};
use crate::source::{Division, Kept, Resume, Resumption, Team};

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
        let histories = Histories::read(&state, u64::MAX)?;
        Ok(Self {
            generation: histories.generations(),
            recovering: Arc::new(Recovering::new(since, histories.last_time().unwrap_or(0))),
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
        let histories = Histories::read(&state, generation)?;
        Ok(Self {
            recovering: Arc::new(Recovering::new(since, histories.last_time().unwrap_or(0))),
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

/// What is kept by name: streams of sources, and outputs.
#[derive(Default)]
struct Names {
    all: Vec<String>,
    /// How many outputs of a kind have no name.
    unnamed: BTreeMap<String, usize>,
}

impl Names {
    /// The name of a connector, which is the same in every run: what the user calls it, or else its kind and number.
    fn connector(&mut self, what: &str, kind: &str, description: &Description) -> String {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        match description.name() {
            Some(name) if !name.ends_with('\n') => format!("{what} {name:?}"),
            // Such a name says what it reads, and how many have read that before.
            Some(name) => format!("{what} {}", words(name)),
            None => {
                let number = self.unnamed.entry(format!("{what} {kind}")).or_insert(0);
                *number += 1;
                format!("{what} {kind} {number}")
            }
        }
    }

    /// The number of a part of it.
    fn add(&mut self, name: String) -> u32 {
        self.all.push(name);
        (self.all.len() - 1) as u32
    }
}

/// What of a plan is kept, in the order of the numbers in the journal.
struct Part {
    node: usize,
    /// The stream of a source, or the worker that writes an output.
    part: usize,
    name: String,
    number: u32,
    /// How a source goes on, and how its columns lie in memory; nothing for an output.
    source: Option<(Resume, Arc<[Physical]>)>,
}

/// Between the name of an output and the number of a part of it.
const PART: &str = " part ";

fn parts(
    plan: &PhysicalPlan,
    watched: &[Watched],
    divisions: &BTreeMap<usize, Division>,
    team: Team,
) -> (Vec<Part>, Names) {
    let (mut parts, mut names) = (Vec::new(), Names::default());
    for (node, (own, watched)) in plan.nodes.iter().zip(watched).enumerate() {
        let mut description = Description::default();
        match &own.work {
            Work::Source { source, .. } => {
                let (Kept::Rows(resume), Some(division)) = (source.kept(), divisions.get(&node)) else {
                    continue;
                };
                source.describe(&mut description);
                let columns = source.columns();
                let kind = format!("{} ({})", source.name(), listed(&columns));
                let connector = names.connector("source", &kind, &description);
                let layouts: Arc<[Physical]> = columns.iter().map(DType::physical).collect();
                for part in 0..division.streams {
                    let name = match source.stream_name(part, division) {
                        Some(stream) => format!("{connector} {stream:?}"),
                        None => connector.clone(),
                    };
                    let number = names.add(name.clone());
                    let source = Some((resume, Arc::clone(&layouts)));
                    parts.push(Part {
                        node,
                        part,
                        name,
                        number,
                        source,
                    });
                }
            }
            Work::Operator { operator, .. } if watched.role == Role::Sink => {
                operator.describe(&mut description);
                let connector = names.connector("output", operator.name(), &description);
                let writers = match operator.routing(0) {
                    Routing::ToFirst => 1,
                    // Such rows go back into the program, which is the same in every process.
                    Routing::ToEveryProcess => 0,
                    _ => team.workers(),
                };
                for part in 0..writers {
                    let name = match operator.routing(0) {
                        Routing::ToFirst => connector.clone(),
                        _ => format!("{connector}{PART}{} of {writers}", part + 1),
                    };
                    let number = names.add(name.clone());
                    parts.push(Part {
                        node,
                        part,
                        name,
                        number,
                        source: None,
                    });
                }
            }
            Work::Operator { .. } | Work::Pass(_) => {}
        }
    }
    (parts, names)
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
        start: Time,
    ) -> Result<(Keeping, State), EngineError> {
        let (parts, names) = parts(plan, watched, divisions, team);
        let mut keeping = Keeping::default();
        keeping.only_plays = self.only_plays();
        if self.access != Access::Replay {
            let writer = JournalWriter::create(&self.state, self.generation, process as u32, &names.all)?;
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
            let journal = Journal::start(writer, others, closed, saved, fail)?;
            let wanting = Arc::downgrade(&journal);
            times.on_advance(move || {
                if let Some(journal) = wanting.upgrade() {
                    journal.want();
                }
            });
            keeping.journal = Some(journal);
        }
        for part in parts {
            let at = (part.node, part.part);
            match &part.source {
                Some((resume, layouts)) => self.keep_stream(&mut keeping, at, &part, (*resume, layouts), start)?,
                None => {
                    if let Some(journal) = &keeping.journal {
                        let delivered = match self.access {
                            Access::Full if !self.is_stale(&part.name) => self.histories.output(&part.name)?,
                            Access::Full | Access::Record | Access::Replay => None,
                        };
                        let mut kept = KeptOutput::new(journal, part.number, delivered);
                        if self.access == Access::Full {
                            kept = kept.going_on(&part.name, self.histories.last_time());
                        }
                        keeping.outputs.insert(at, kept);
                    }
                }
            }
        }
        Ok((keeping, self.state))
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
            Access::Full | Access::Replay => self.histories.stream(&part.name, layouts)?,
            Access::Record => None,
        };
        if self.play == Play::AtOnce {
            history = history.map(|history| history.at_once(start));
        }
        let resumption = history.as_ref().map_or_else(Resumption::default, History::resumption);
        keeping.resumptions.insert(at, resumption);
        let journal = keeping.journal.as_ref();
        let journal = journal.map(|journal| StreamJournal::new(journal, part.number, resume, history.as_ref()));
        if let Some(journal) = &journal {
            keeping.positions.insert(at, Arc::clone(journal.positions()));
        }
        let resuming = match &history {
            Some(history) => history.resuming(resume)?,
            None => None,
        };
        let recovering = history.as_ref().map(|_| Arc::clone(&self.recovering));
        if let Some(recovering) = &recovering {
            recovering.expect();
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
