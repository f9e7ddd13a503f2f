//! Drives a [`Task`]: updates in the order of times, and the news that a time is complete.
//!
//! What comes out may be far more than what comes in: a join can pair every row with every other. So a task stops when
//! it has put out some batches, see [`Output::is_full`], and goes on when the operators after it have had their turn;
//! where those are in other workers, also of other processes, it waits until they have taken enough. What is on its way
//! so stays bounded.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use timely::dataflow::operators::Capability;
use towpath_types::{Batch, Time};

use super::edges::Node;
use super::exchange::Parcel;
use super::on_the_way::{Credit, Ledger, MOST_ROWS, OnTheWay};
use super::saving::Saving;
use super::worker_ending::WorkerEnding;
use crate::error::EngineError;
use crate::monitor::Counters;
use crate::operator::{Output, Task};
use crate::persistence::KeptOutput;
use crate::program::RunningProgram;

/// What arrived for one time and was not yet absorbed.
struct Pending {
    capability: Capability<Time>,
    batches: VecDeque<(usize, Batch, Option<Credit>)>,
    /// How many rows have come, those included that were absorbed.
    rows: usize,
    /// Whether the task knows that there are no more.
    is_complete: bool,
    /// The rows that were put out and that nobody has taken yet. They are counted for each time: those of later times
    /// may wait for this one.
    on_the_way: OnTheWay,
}

/// What is to be done next.
enum Stage {
    Unfinished,
    Absorb(usize, Batch),
    Complete,
    Settle,
}

/// How many rows an operator puts out before it lets those after it work.
const ROWS_A_TURN: usize = 1 << 18;

pub(super) type Send<'a> = dyn FnMut(&Capability<Time>, Parcel) + 'a;

/// The state of a task in the dataflow.
pub(super) struct Driver {
    task: Box<dyn Task>,
    program: RunningProgram,
    counters: Arc<Counters>,
    output: Output,
    pending: BTreeMap<Time, Pending>,
    /// The time that the task works on.
    opened: Option<Time>,
    /// For every input whether its end was announced.
    ended: Vec<bool>,
    finished: bool,
    /// For an output in a run that is kept.
    kept: Option<KeptOutput>,
    /// The times of which the output has something that may not go out yet.
    awaiting: VecDeque<Capability<Time>>,
    /// If its state is kept.
    saving: Option<Saving>,
    /// For every input whether it stays ended in the runs after this one.
    ends_for_good: Vec<bool>,
    /// Up to which time the runs before have delivered everything, if it is an output: that does not come again.
    delivered: Option<Time>,
    /// Counts the rows that are on their way.
    ledger: Arc<Ledger>,
}

/// Whether an operator has done what it could, or others should work before it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Done,
    /// Soon, when the operators after it have had what it put out.
    Yield,
    /// Later, since other workers still have to take what it put out.
    Wait,
}

impl Driver {
    /// A driver of a task at a node, with so many inputs.
    pub(super) fn new(
        node: &Node,
        inputs: usize,
        task: Box<dyn Task>,
        program: RunningProgram,
        counters: Arc<Counters>,
    ) -> Self {
        let delivered = node.kept.as_ref().and_then(|kept| {
            let noted = kept.delivered().map(|(time, _)| time);
            task.delivered(noted)
        });
        let (is_stateless, has_state) = (task.is_stateless(), program.has_state());
        let saving = node.saving.as_ref();
        Self {
            task,
            program,
            counters,
            output: Output::default(),
            pending: BTreeMap::new(),
            opened: None,
            ended: vec![false; inputs],
            finished: false,
            kept: node.kept.clone(),
            awaiting: VecDeque::new(),
            saving: saving
                .filter(|_| !is_stateless || has_state)
                .map(|cut| Saving::new(cut, node.position, has_state)),
            ends_for_good: node.ends_for_good.clone(),
            delivered,
            ledger: Arc::clone(&node.ledger),
        }
    }

    /// Takes rows of an input, to be handed over when it is their turn.
    pub(super) fn take(&mut self, input: usize, capability: Capability<Time>, batch: Batch, credit: Option<Credit>) {
        let time = *capability.time();
        if self.delivered.is_some_and(|delivered| time <= delivered) {
            return;
        }
        self.counters.count_in(&batch);
        let ledger = &self.ledger;
        let pending = self.pending.entry(time).or_insert_with(|| Pending {
            capability,
            batches: VecDeque::new(),
            rows: 0,
            is_complete: false,
            on_the_way: OnTheWay::new(ledger),
        });
        pending.rows += batch.len();
        pending.batches.push_back((input, batch, credit));
    }

    /// Nothing that waits will be done.
    pub(super) fn give_up(&mut self) {
        self.pending.clear();
        self.awaiting.clear();
    }

    /// Tells the others of the run that the task has failed.
    pub(super) fn fail(&mut self, error: EngineError, ending: &WorkerEnding) {
        let error = error.at(self.program.origin());
        if self.finished {
            // All that it was to take, it has; others may not have.
            ending.fail_after_commits(error);
        } else {
            ending.fail(error);
        }
        self.pending.clear();
    }

    /// Hands over what may be handed over when no update before `frontier` can come any more, as far as there is room
    /// for what it becomes.
    pub(super) fn advance(&mut self, frontier: Option<Time>, send: &mut Send<'_>) -> Result<Turn, EngineError> {
        let mut room = ROWS_A_TURN;
        self.release()?;
        loop {
            if self.is_crowded() {
                return Ok(Turn::Wait);
            }
            let Some((time, stage)) = self.next(frontier) else {
                break;
            };
            if self.opened != Some(time) {
                self.save_before(time);
                self.opened = Some(time);
                self.task.open(time);
                self.program.open(time);
            }
            match stage {
                Stage::Unfinished => self.task.go_on(&mut self.output)?,
                Stage::Absorb(input, batch) => self.task.absorb(input, batch, &mut self.output)?,
                Stage::Complete => self.task.complete(time, &mut self.output)?,
                Stage::Settle => self.settle(time),
            }
            if let Some(saving) = &mut self.saving {
                saving.worked();
            }
            let sent = self.send(time, send)?;
            if sent >= room {
                return Ok(Turn::Yield);
            }
            room -= sent;
        }
        // What is complete now may have been on disk before: then nobody tells.
        self.release()?;
        self.save_behind(frontier)?;
        match frontier {
            Some(frontier) => self.counters.completed(frontier.saturating_sub(1)),
            None if !self.finished && self.awaiting.is_empty() => {
                self.finished = true;
                self.task.finish()?;
                if let Some(saving) = &mut self.saving {
                    saving.end(&mut *self.task, &mut self.program);
                }
                self.counters.ended();
            }
            None => {}
        }
        Ok(Turn::Done)
    }

    /// Saves its state if the run is cut before a time that it opens now. An output does so later, when it has delivered
    /// what came before; it has no state of its own.
    fn save_before(&mut self, time: Time) {
        if let Some(saving) = &mut self.saving
            && let Some(cut) = saving.opens(time)
            && self.kept.is_none()
        {
            saving.save(cut, &mut *self.task, &mut self.program);
        }
    }

    /// Saves its state if the run is cut before anything that can still come.
    fn save_behind(&mut self, frontier: Option<Time>) -> Result<(), EngineError> {
        let Some(saving) = &mut self.saving else {
            return Ok(());
        };
        let Some(cut) = saving.due() else {
            return Ok(());
        };
        let is_behind = |time: Option<&Time>| time.is_none_or(|time| *time > cut);
        let is_next = is_behind(frontier.as_ref()) && is_behind(self.pending.keys().next());
        let is_delivered = is_behind(self.awaiting.front().map(|capability| capability.time()));
        if is_next && is_delivered && self.task.is_done() && self.task.note_delivered()? {
            saving.save(cut, &mut *self.task, &mut self.program);
        }
        Ok(())
    }

    /// Whether the order of times does not matter.
    fn is_stateless(&self) -> bool {
        self.task.is_stateless() && self.saving.is_none()
    }

    /// Whether too many rows are on their way of the time that is next.
    fn is_crowded(&self) -> bool {
        let first = || self.pending.first_key_value().map(|(time, _)| *time);
        let time = if self.task.is_done() { first() } else { self.opened };
        let pending = time.and_then(|time| self.pending.get(&time));
        pending.is_some_and(|pending| pending.on_the_way.rows() > MOST_ROWS)
    }

    /// What is to be done next, and at which time.
    fn next(&mut self, frontier: Option<Time>) -> Option<(Time, Stage)> {
        let is_stateless = self.is_stateless();
        let mut entry = self.pending.first_entry()?;
        let time = *entry.key();
        let pending = entry.get_mut();
        if !self.task.is_done() {
            // Of the time that was opened last: of a task that minds their order, that is the first.
            return self.opened.map(|opened| (opened, Stage::Unfinished));
        }
        if !is_stateless && frontier.is_some_and(|frontier| time > frontier) {
            return None;
        }
        if let Some((input, batch, credit)) = pending.batches.pop_front() {
            // It is taken when the rows it becomes are on their way.
            drop(credit);
            return Some((time, Stage::Absorb(input, batch)));
        }
        if is_stateless || pending.is_complete {
            return Some((time, Stage::Settle));
        }
        if frontier.is_some_and(|frontier| time >= frontier) {
            return None;
        }
        pending.is_complete = true;
        Some((time, Stage::Complete))
    }

    /// All of a time is done.
    fn settle(&mut self, time: Time) {
        if !self.is_stateless() {
            self.counters.completed(time);
        }
        if let Some(pending) = self.pending.remove(&time) {
            self.counters.settle(pending.rows);
            if let Some(kept) = &self.kept
                && self.task.awaits_durability()
            {
                self.awaiting.push_back(pending.capability);
                kept.want();
            }
        }
        self.opened = None;
        if let Some(saving) = &mut self.saving {
            saving.settled(&mut *self.task, &mut self.program);
        }
    }

    /// Tells an output how much is on disk, if it waits for that.
    fn release(&mut self) -> Result<(), EngineError> {
        let (Some(kept), Some(first)) = (&self.kept, self.awaiting.front()) else {
            return Ok(());
        };
        let durable = kept.durable();
        if *first.time() < durable {
            self.task.durable(durable)?;
            let released = self.task.released(durable);
            self.awaiting.retain(|capability| *capability.time() >= released);
        }
        Ok(())
    }

    /// Tells the task of the inputs of which nothing can come any more and nothing waits.
    pub(super) fn announce_ends(&mut self, has_ended: impl Fn(usize) -> bool) {
        for input in 0..self.ended.len() {
            let waits = |pending: &Pending| pending.batches.iter().any(|(position, ..)| *position == input);
            if !self.ended[input] && self.ends_for_good[input] && has_ended(input) && !self.pending.values().any(waits)
            {
                self.ended[input] = true;
                self.task.input_ended(input);
            }
        }
    }

    /// Sends on what was put out; how many rows that is.
    fn send(&mut self, time: Time, send: &mut Send<'_>) -> Result<usize, EngineError> {
        let mut rows = 0;
        for batch in self.output.drain() {
            let batch = self.program.apply(batch)?;
            if batch.is_empty() {
                continue;
            }
            self.counters.count_out(&batch);
            rows += batch.len();
            if let Some(pending) = self.pending.get(&time) {
                let credit = pending.on_the_way.credit(batch.len());
                send(&pending.capability, Parcel::counted(batch, credit));
            }
        }
        Ok(rows)
    }
}
