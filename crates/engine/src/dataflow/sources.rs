//! Takes rows from the queues of sources and gives them their times.
//!
//! The first commit of every streaming source has the time at which the run started; static sources have
//! time 0. When a commit is closed, the next is opened at the present, or two milliseconds later if the
//! present is not later. A source that has sent nothing since its last commit follows the others, so
//! that nobody waits for it.
//!
//! Where only the source itself commits, its rows wait here until it does: a source that ends without a commit
//! takes them with it. They count as in flight, and if a producer waits for space, what there is is committed. Only where
//! the source has forbidden that (`SourceQueue::hold_commits`) is there no bound: half of its commit must not be seen.
//!
//! The timer that commits counts time that passes, as sleeping does, not the time of day of the [`Clock`], which may be
//! set back; with a clock that stands still, as in tests, it goes on.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, Stream};
use timely::scheduling::Activator;
use towpath_types::{Batch, Time};

use super::exchange::Parcel;
use super::worker::Failures;
use crate::clock::Clock;
use crate::error::EngineError;
use crate::monitor::Counters;
use crate::program::RunningProgram;
use crate::source::{Commits, Message, SourceQueue};

/// How many rows a source sends before it lets the operators after it work.
const ROWS_A_TURN: usize = 1 << 16;

/// What the sources of one worker know of each other.
#[derive(Default)]
pub(crate) struct SourceTimes {
    /// The latest time at which a commit was opened.
    latest: Cell<Time>,
    activators: RefCell<Vec<Activator>>,
    open: RefCell<Vec<Rc<Cell<Option<Time>>>>>,
}

impl SourceTimes {
    fn opened(&self, time: Time) {
        if time > self.latest.get() {
            self.latest.set(time);
            for activator in self.activators.borrow().iter() {
                activator.activate();
            }
        }
    }

    /// The earliest open commit.
    pub(crate) fn earliest(&self) -> Option<Time> {
        self.open.borrow().iter().filter_map(|open| open.get()).min()
    }
}

/// How one source is read.
pub(crate) struct Reading {
    pub(crate) name: String,
    pub(crate) queue: Arc<SourceQueue>,
    pub(crate) commits: Commits,
    pub(crate) start: Time,
    pub(crate) clock: Arc<dyn Clock>,
}

struct Reader {
    reading: Reading,
    capability: Option<Capability<Time>>,
    open: Rc<Cell<Option<Time>>>,
    /// Whether the open commit has rows.
    has_rows: bool,
    /// Rows of the open commit that only the source may commit.
    held: Vec<Batch>,
    next_tick: Option<Instant>,
    /// The clock asks for a commit once what was flushed has been read.
    is_due: bool,
    times: Rc<SourceTimes>,
    program: RunningProgram,
    counters: Arc<Counters>,
}

/// Adds a source to the dataflow. Workers without the queue only stand by.
pub(crate) fn add_source<'scope>(
    scope: Scope<'scope, Time>,
    reading: Option<Reading>,
    program: RunningProgram,
    counters: Arc<Counters>,
    times: Rc<SourceTimes>,
    failures: Rc<Failures>,
) -> Stream<'scope, Time, Parcel> {
    let name = reading
        .as_ref()
        .map_or_else(|| "source".to_owned(), |reading| reading.name.clone());
    let mut builder = OperatorBuilder::new(name, scope);
    let (output, stream) = builder.new_output::<Parcel>();
    let mut output: OutputBuilder<Time, CapacityContainerBuilder<Parcel>> = OutputBuilder::from(output);
    let address = builder.operator_info().address;
    let activator = scope.activator_for(Rc::clone(&address));
    if let Some(reading) = &reading {
        let sync = scope.worker().sync_activator_for(address.to_vec());
        // It fails only when the worker is gone, and then nobody needs to be woken.
        reading.queue.on_wake(move || {
            let _ = sync.activate();
        });
        times.activators.borrow_mut().push(scope.activator_for(address));
    }
    builder.build(move |mut capabilities| {
        let capability = capabilities.pop();
        let mut reader = reading.and_then(|reading| {
            let mut capability = capability?;
            let open = Rc::new(Cell::new(Some(reading.start)));
            times.open.borrow_mut().push(Rc::clone(&open));
            capability.downgrade(&reading.start);
            times.opened(reading.start);
            let next_tick = match reading.commits {
                Commits::Streaming(Some(period)) => Some(Instant::now() + period),
                Commits::Streaming(None) | Commits::AtEnd | Commits::Scripted => None,
            };
            Some(Reader {
                reading,
                capability: Some(capability),
                open,
                has_rows: false,
                held: Vec::new(),
                next_tick,
                is_due: false,
                times,
                program,
                counters,
            })
        });
        move |_| {
            let Some(reader) = &mut reader else {
                return;
            };
            if failures.is_failed() {
                reader.end();
                return;
            }
            let mut output = output.activate();
            let mut send = |capability: &Capability<Time>, parcel: &mut Parcel| {
                output.session(capability).give_container(parcel);
            };
            match reader.read(&mut send) {
                Ok(Turn::Again) => activator.activate(),
                Ok(Turn::Wait(Some(delay))) => activator.activate_after(delay),
                Ok(Turn::Wait(None)) => {}
                Err(error) => failures.fail_after_commits(error),
            }
        }
    });
    stream
}

/// Puts rows into the dataflow.
type Forward<'a> = dyn FnMut(&Capability<Time>, &mut Parcel) + 'a;

enum Turn {
    /// There is more to read.
    Again,
    /// There is nothing to do until woken, or until the delay has passed.
    Wait(Option<Duration>),
}

impl Reader {
    fn end(&mut self) {
        self.capability = None;
        self.open.set(None);
    }

    /// Whether nobody but the source commits.
    fn holds(&self) -> bool {
        match self.reading.commits {
            Commits::Streaming(None) => true,
            Commits::Streaming(Some(_)) => self.reading.queue.holds_commits(),
            Commits::AtEnd | Commits::Scripted => false,
        }
    }

    fn forward(&mut self, batch: Batch, send: &mut Forward<'_>) -> Result<(), EngineError> {
        let Some(capability) = &self.capability else {
            return Ok(());
        };
        self.reading
            .queue
            .sent(*capability.time(), &batch, self.reading.commits);
        let batch = self.program.apply(self.reading.queue.prepared(batch))?;
        if !batch.is_empty() {
            self.counters.count_out(&batch);
            send(capability, &mut Parcel(batch));
        }
        Ok(())
    }

    fn release(&mut self, send: &mut Forward<'_>) -> Result<(), EngineError> {
        for batch in std::mem::take(&mut self.held) {
            self.forward(batch, send)?;
        }
        Ok(())
    }

    fn discard(&mut self) {
        let held = std::mem::take(&mut self.held);
        let rows: usize = held.iter().map(Batch::len).sum();
        if rows > 0 {
            tracing::warn!(
                target: "pathway",
                "{}: {rows} {} not committed before the run was told to stop, and {} lost",
                self.reading.name,
                if rows == 1 { "row was" } else { "rows were" },
                if rows == 1 { "is" } else { "are" },
            );
            self.reading.queue.discarded(&held);
        }
    }

    fn commit(&mut self, send: &mut Forward<'_>) -> Result<(), EngineError> {
        self.release(send)?;
        self.open_next();
        Ok(())
    }

    fn open_next(&mut self) {
        let Some(capability) = &mut self.capability else {
            return;
        };
        if !matches!(self.reading.commits, Commits::Streaming(_)) {
            return;
        }
        let open = *capability.time();
        let earliest = if self.has_rows { open + 2 } else { open };
        let next = self.reading.clock.time().max(earliest).max(self.times.latest.get());
        self.has_rows = false;
        if next > open {
            self.counters.completed(next - 1);
            capability.downgrade(&next);
            self.open.set(Some(next));
            self.times.opened(next);
        }
    }

    /// Whether the engine is to commit now, by the clock.
    fn tick(&mut self) {
        let (Some(tick), Commits::Streaming(Some(period))) = (self.next_tick, self.reading.commits) else {
            return;
        };
        let now = Instant::now();
        if now < tick {
            return;
        }
        let missed = (now - tick).as_nanos() / period.as_nanos().max(1);
        self.next_tick = Some(tick + period * (missed as u32 + 1));
        if !self.reading.queue.holds_commits() {
            self.reading.queue.flush();
            self.is_due = true;
        }
    }

    fn read(&mut self, send: &mut Forward<'_>) -> Result<Turn, EngineError> {
        self.tick();
        let mut rows = 0;
        while rows < ROWS_A_TURN
            && let Some(message) = self.reading.queue.pop()
        {
            if self.capability.is_none() {
                continue;
            }
            match message {
                Message::Batch(batch) => {
                    self.has_rows = true;
                    rows += batch.len();
                    if self.holds() {
                        self.held.push(batch);
                    } else {
                        // Commits may have been held until just now.
                        self.release(send)?;
                        self.forward(batch, send)?;
                    }
                }
                Message::Discard => self.discard(),
                Message::Commit => {
                    self.commit(send)?;
                    if rows > 0 {
                        // What was committed moves on before more is read.
                        return Ok(Turn::Again);
                    }
                }
                Message::Advance(time) => {
                    if let Some(capability) = &mut self.capability
                        && time > *capability.time()
                    {
                        capability.downgrade(&time);
                        self.open.set(Some(time));
                    }
                }
                Message::Close(Ok(())) => {
                    self.release(send)?;
                    self.counters.ended();
                    self.end();
                }
                Message::Close(Err(error)) => return Err(error),
            }
        }
        if self.capability.is_none() {
            return Ok(Turn::Wait(None));
        }
        let is_full = self.reading.queue.wants_space() && self.has_rows && !self.reading.queue.holds_commits();
        if std::mem::take(&mut self.is_due) || is_full {
            self.commit(send)?;
        }
        if rows >= ROWS_A_TURN {
            return Ok(Turn::Again);
        }
        self.follow();
        Ok(Turn::Wait(
            self.next_tick
                .map(|tick| tick.saturating_duration_since(Instant::now())),
        ))
    }

    /// Moves an open commit without rows to where the others are.
    fn follow(&mut self) {
        let latest = self.times.latest.get();
        if let Some(capability) = &mut self.capability
            && !self.has_rows
            && matches!(self.reading.commits, Commits::Streaming(_))
            && latest > *capability.time()
        {
            self.counters.completed(latest - 1);
            capability.downgrade(&latest);
            self.open.set(Some(latest));
        }
    }
}
