//! Takes rows from the queues of sources and gives them their times.
//!
//! The first commit of every streaming source has the time at which the run started; static sources have
//! time 0. When a commit is closed, the next is opened at the present, or two milliseconds later if the
//! present is not later. A source that has sent nothing since its last commit follows the others, in whatever
//! worker or process they are read, so that nobody waits for it. The same holds for the streams of one source.
//!
//! Where only the source itself commits, its rows wait here until it does: a source that ends without a commit
//! takes them with it. They count as in flight, and if a producer waits for space, what there is is committed. Only where
//! the source has forbidden that (`SourceQueue::hold_commits`) is there no bound: half of its commit must not be seen.
//!
//! The timer that commits counts time that passes, as sleeping does, not the time of day of the [`Clock`], which may be
//! set back; with a clock that stands still, as in tests, it goes on.
//!
//! ```text
//! mod            reads queues
//!   committing   when the open commit is closed, and which time the next has
//!   replaying    what runs before have kept
//!     reader     one stream
//! ```

mod committing;
mod reader;
mod replaying;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, Stream};
use timely::scheduling::SyncActivator;
use towpath_types::{Batch, Time};

use super::exchange::Parcel;
use super::times::SourceTimes;
use super::worker_ending::WorkerEnding;
use crate::error::EngineError;
use crate::monitor::Counters;
use crate::program::RunningProgram;
use crate::source::{Arrival, Queued};
use reader::{Forward, ROWS_A_TURN, StreamReader, Turn};

pub(crate) use reader::Reading;

/// How long a source waits whose commits are put together and have run ahead of the clock. Each takes two milliseconds of
/// time, in every process.
const PAUSE: Duration = Duration::from_millis(20);

/// Adds a source to the dataflow, with the streams that this worker reads.
pub(crate) fn add_source<'scope>(
    scope: Scope<'scope, Time>,
    name: &str,
    readings: Vec<Reading>,
    mut program: RunningProgram,
    times: &Arc<SourceTimes>,
    ending: Rc<WorkerEnding>,
) -> Stream<'scope, Time, Parcel> {
    let mut builder = OperatorBuilder::new(name.to_owned(), scope);
    let (output, stream) = builder.new_output::<Parcel>();
    let mut output: OutputBuilder<Time, CapacityContainerBuilder<Parcel>> = OutputBuilder::from(output);
    let address = builder.operator_info().address;
    let activator = scope.activator_for(Rc::clone(&address));
    for reading in &readings {
        let waker = scope.worker().sync_activator_for(address.to_vec());
        // It fails only when the worker is gone, and then nobody needs to be woken.
        reading.queue.on_wake(move || {
            let _ = waker.activate();
        });
    }
    let waker = || scope.worker().sync_activator_for(address.to_vec());
    let wakers: Vec<SyncActivator> = readings.iter().map(|_| waker()).collect();
    let times = Arc::clone(times);
    builder.build(move |mut capabilities| {
        let capability = capabilities.pop();
        let mut readers: Vec<StreamReader> = readings
            .into_iter()
            .zip(wakers)
            .filter_map(|(reading, waker)| Some(StreamReader::new(reading, capability.clone()?, waker, &times)))
            .collect();
        drop(capability);
        move |_| {
            if ending.is_failed() {
                readers.clear();
                return;
            }
            let mut output = output.activate();
            let mut send = |capability: &Capability<Time>, batch: Batch, counters: &Counters| {
                program.open(*capability.time());
                let batch = program.apply(batch)?;
                if !batch.is_empty() {
                    counters.count_out(&batch);
                    output.session(capability).give_container(&mut Parcel::new(batch));
                }
                Ok(())
            };
            let mut next = Turn::Wait(None);
            readers.retain_mut(|reader| {
                match reader.read(&mut send) {
                    Ok(turn) => next = next.sooner(turn),
                    Err(error) => {
                        reader.has_failed = true;
                        reader.forget();
                        ending.fail_after_commits(error);
                    }
                }
                reader.reading.queue.handled();
                reader.capability.is_some()
            });
            match next {
                Turn::Again => activator.activate(),
                Turn::Wait(Some(delay)) => activator.activate_after(delay),
                Turn::Wait(None) => {}
            }
        }
    });
    stream
}

impl StreamReader {
    fn read(&mut self, send: &mut Forward<'_>) -> Result<Turn, EngineError> {
        if self.has_failed {
            self.forget();
            return Ok(Turn::Wait(None));
        }
        if let Some(history) = &self.reading.history {
            if !history.is_over() {
                return self.replay(send);
            }
            self.go_on();
        } else if self.reading.ends_with_history && self.capability.is_some() {
            // There was nothing.
            self.go_on();
        }
        self.tick();
        let pressed = self.times.pressed();
        let mut rows = 0;
        while rows < ROWS_A_TURN
            && let Some(message) = self.reading.queue.pop()
        {
            if self.capability.is_none() {
                continue;
            }
            match message {
                Queued::Rows(arrival) => rows += self.take(arrival, send)?,
                Queued::Position(position) => self.note_position(position, send)?,
                Queued::Whole(is_complete) => self.compare(is_complete, send)?,
                Queued::Discard => self.discard(),
                Queued::Commit if self.is_ahead() => {
                    self.next_tick.get_or_insert_with(|| Instant::now() + PAUSE);
                }
                Queued::Commit => {
                    self.commit(send)?;
                    if rows > 0 {
                        self.own.answered.store(pressed, Ordering::Release);
                        // What was committed moves on before more is read.
                        return Ok(Turn::Again);
                    }
                }
                Queued::Advance(time) => self.open_chosen(time),
                Queued::Close(Ok(())) => {
                    self.release(send)?;
                    self.keep_commit();
                    self.reading.counters.ended();
                    self.end();
                }
                Queued::Close(Err(error)) => return Err(error),
            }
        }
        if self.capability.is_none() {
            return Ok(Turn::Wait(None));
        }
        self.commit_what_is_due(pressed, send)?;
        self.own.answered.store(pressed, Ordering::Release);
        if rows >= ROWS_A_TURN {
            return Ok(Turn::Again);
        }
        self.follow();
        Ok(Turn::Wait(
            self.next_tick
                .map(|tick| tick.saturating_duration_since(Instant::now())),
        ))
    }

    /// Takes rows into the open commit; how many of them are new.
    fn take(&mut self, arrival: Arrival, send: &mut Forward<'_>) -> Result<usize, EngineError> {
        let Some(arrival) = self.new_rows(arrival)? else {
            return Ok(0);
        };
        self.has_rows = true;
        let rows = arrival.len();
        if self.holds() {
            self.held.push(arrival);
        } else {
            // Commits may have been held until just now.
            self.release(send)?;
            self.forward(arrival, send)?;
        }
        Ok(rows)
    }

    /// All rows so far are before a position.
    fn note_position(&mut self, position: Vec<u8>, send: &mut Forward<'_>) -> Result<(), EngineError> {
        // One among rows that come again says nothing new.
        if self.reading.journal.is_some() && self.reading.resuming.is_none() {
            self.release(send)?;
            self.has_position = true;
            self.reading.queue.has_position();
            if let Some(journal) = &mut self.reading.journal {
                journal.position(position);
            }
        }
        Ok(())
    }

    /// Forgets what still comes after a failure. The run goes on until what others have committed is complete, and this
    /// stream holds nobody up unless it has sent rows.
    fn forget(&mut self) {
        while self.reading.queue.pop().is_some() {}
        self.follow();
        // Its commit is never closed.
        self.own.answered.store(Time::MAX, Ordering::Release);
    }
}
