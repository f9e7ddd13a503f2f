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

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, Stream};
use timely::scheduling::SyncActivator;
use towpath_types::{Batch, Time};

use super::exchange::Parcel;
use super::times::{CLOSED, SourceTimes, StreamTime};
use super::worker_ending::WorkerEnding;
use crate::clock::Clock;
use crate::error::EngineError;
use crate::monitor::Counters;
use crate::persistence::{Comparing, History, Recovering, Replayed, Resuming, StreamJournal};
use crate::program::RunningProgram;
use crate::source::{Arrival, Commits, Keys, Queued, SourceQueue, weight};

/// How many rows a source sends before it lets the operators after it work.
const ROWS_A_TURN: usize = 1 << 16;

/// How long a source waits whose commits are put together and have run ahead of the clock. Each takes two milliseconds of
/// time, in every process.
const PAUSE: Duration = Duration::from_millis(20);

/// How one stream is read.
pub(crate) struct Reading {
    pub(crate) name: String,
    pub(crate) queue: Arc<SourceQueue>,
    pub(crate) counters: Arc<Counters>,
    /// The positions of the source's columns that are read.
    pub(crate) columns: Vec<usize>,
    pub(crate) commits: Commits,
    /// Whether its commits are put together where they would run ahead of the clock, see
    /// [`Feeder`](crate::source::Feeder).
    pub(crate) joins_commits: bool,
    pub(crate) start: Time,
    pub(crate) clock: Arc<dyn Clock>,
    /// What the runs before have kept of it; it is sent before anything else.
    pub(crate) history: Option<History>,
    /// Is told when that has been sent.
    pub(crate) recovering: Option<Arc<Recovering>>,
    /// What comes again of that.
    pub(crate) resuming: Option<Resuming>,
    /// What is compared with what comes, where the source sends everything again.
    pub(crate) comparing: Option<Comparing>,
    /// Whether it ends after what was kept.
    pub(crate) ends_with_history: bool,
    /// Whether what was kept is sent with the pauses that were in it.
    pub(crate) in_real_time: bool,
    /// Where what it sends is kept.
    pub(crate) journal: Option<StreamJournal>,
    /// Up to which time its rows are in the state of the operators already, where it gives the same in every run.
    pub(crate) known: Option<Time>,
}

struct StreamReader {
    reading: Reading,
    capability: Option<Capability<Time>>,
    own: Arc<StreamTime>,
    /// Whether the open commit has rows.
    has_rows: bool,
    /// Whether rows were sent on at the time of the open commit.
    has_sent: bool,
    /// The source has failed: its open commit is never closed, and if rows were sent on, its time never complete.
    has_failed: bool,
    /// Rows of the open commit that only the source may commit.
    held: Vec<Arrival>,
    /// Whether a position was given since the last commit.
    has_position: bool,
    /// The first time of what was kept, and when it was sent, where that minds.
    began: Option<(Time, Instant)>,
    keys: Keys,
    next_tick: Option<Instant>,
    /// The clock asks for a commit once what was flushed has been read.
    is_due: bool,
    times: Arc<SourceTimes>,
}

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

/// Puts rows into the dataflow.
type Forward<'a> = dyn FnMut(&Capability<Time>, Batch, &Counters) -> Result<(), EngineError> + 'a;

#[derive(Clone, Copy)]
enum Turn {
    /// There is more to read.
    Again,
    /// There is nothing to do until woken, or until the delay has passed.
    Wait(Option<Duration>),
}

impl Turn {
    fn sooner(self, other: Self) -> Self {
        match (self, other) {
            (Turn::Again, _) | (_, Turn::Again) => Turn::Again,
            (Turn::Wait(Some(a)), Turn::Wait(Some(b))) => Turn::Wait(Some(a.min(b))),
            (Turn::Wait(a), Turn::Wait(b)) => Turn::Wait(a.or(b)),
        }
    }
}

impl Drop for StreamReader {
    fn drop(&mut self) {
        self.end();
    }
}

impl StreamReader {
    fn new(reading: Reading, mut capability: Capability<Time>, waker: SyncActivator, times: &Arc<SourceTimes>) -> Self {
        let is_streaming = matches!(reading.commits, Commits::Streaming(_));
        let mut keys = reading.queue.keys().clone();
        if let (Keys::Ordinal { next, .. }, Some(history)) = (&mut keys, &reading.history) {
            *next = history.first_number();
        }
        let own = Arc::new(StreamTime {
            open: AtomicU64::new(reading.start),
            stays: AtomicBool::new(!is_streaming),
            answered: AtomicU64::new(0),
        });
        let begins = reading
            .history
            .as_ref()
            .and_then(History::next_time)
            .unwrap_or(reading.start);
        own.open.store(begins, Ordering::Release);
        capability.downgrade(&begins);
        times.join(&own, is_streaming.then_some(waker));
        if reading.history.is_some() {
            // It follows nobody, and nobody follows it, before it has sent what was kept.
            own.stays.store(true, Ordering::Release);
        } else {
            times.opened(reading.start, &own, false);
        }
        let next_tick = match reading.commits {
            Commits::Streaming(Some(period)) => Some(Instant::now() + period),
            Commits::Streaming(None) | Commits::AtEnd | Commits::Scripted => None,
        };
        Self {
            reading,
            capability: Some(capability),
            own,
            has_rows: false,
            has_sent: false,
            has_failed: false,
            held: Vec::new(),
            has_position: false,
            began: None,
            keys,
            next_tick,
            is_due: false,
            times: Arc::clone(times),
        }
    }

    fn end(&mut self) {
        self.capability = None;
        self.own.open.store(CLOSED, Ordering::Release);
        self.times.advanced();
    }

    /// Whether nobody but the source commits, or says how much of its rows may be committed.
    fn holds(&self) -> bool {
        if self.minds_positions() || self.reading.comparing.is_some() && self.is_streaming() {
            return true;
        }
        match self.reading.commits {
            Commits::Streaming(None) => true,
            Commits::Streaming(Some(_)) => self.reading.queue.holds_commits(),
            Commits::AtEnd | Commits::Scripted => false,
        }
    }

    fn forward(&mut self, rows: Arrival, send: &mut Forward<'_>) -> Result<(), EngineError> {
        let Some(capability) = &self.capability else {
            return Ok(());
        };
        let time = *capability.time();
        if let Some(journal) = &mut self.reading.journal {
            journal.rows(time, &rows)?;
        }
        self.reading.queue.sent(time, &rows, self.reading.commits);
        self.has_sent = true;
        self.own.stays.store(true, Ordering::Release);
        let batch = rows.keyed(&mut self.keys, &self.reading.columns);
        if self.reading.known.is_some_and(|known| time <= known) {
            return Ok(());
        }
        send(capability, batch, &self.reading.counters)
    }

    fn is_streaming(&self) -> bool {
        matches!(self.reading.commits, Commits::Streaming(_))
    }

    /// A source that sends everything again has done so: what was kept of it and has not come is taken back.
    fn compare(&mut self, is_complete: bool, send: &mut Forward<'_>) -> Result<(), EngineError> {
        let Some(comparing) = self.reading.comparing.take() else {
            return Ok(());
        };
        self.reading.queue.hold_commits(false);
        if is_complete {
            let keyed = |rows: Arrival| rows.keyed(&mut self.keys, &self.reading.columns);
            for missing in comparing.missing(keyed)? {
                self.reading.queue.remembered(&missing);
                self.held.push(missing);
            }
        }
        self.commit(send)
    }

    /// Whether the engine commits only those of its rows for which it has given a position.
    fn minds_positions(&self) -> bool {
        self.reading
            .journal
            .as_ref()
            .is_some_and(StreamJournal::minds_positions)
    }

    /// What of these rows does not come again.
    fn new_rows(&mut self, arrival: Arrival) -> Result<Option<Arrival>, EngineError> {
        let (rows, bytes) = (arrival.len(), weight(&arrival));
        let new = if let Some(comparing) = &mut self.reading.comparing {
            let new = comparing.take(&arrival.keyed(&mut self.keys, &self.reading.columns));
            (!new.is_empty()).then(|| new.into())
        } else if let Some(resuming) = &mut self.reading.resuming {
            resuming.take(arrival)?
        } else {
            return Ok(Some(arrival));
        };
        if self.reading.resuming.as_ref().is_some_and(Resuming::is_over) {
            self.reading.resuming = None;
        }
        // What is left is weighed again when it is sent on.
        let (left, left_bytes) = new.as_ref().map_or((0, 0), |new| (new.len(), weight(new)));
        self.reading
            .queue
            .forgotten(rows - left, bytes.saturating_sub(left_bytes));
        Ok(new)
    }

    /// Sends what the runs before have kept, at the times it had.
    fn replay(&mut self, send: &mut Forward<'_>) -> Result<Turn, EngineError> {
        let mut rows = 0;
        while rows < ROWS_A_TURN {
            if let Some(pause) = self.pause() {
                return Ok(Turn::Wait(Some(pause)));
            }
            let Some(history) = &mut self.reading.history else {
                break;
            };
            let is_known = history.next_time().is_some_and(|time| history.is_known(time));
            if !self.reading.queue.may_replay() {
                return Ok(Turn::Wait(None));
            }
            let (Some(replayed), Some(capability)) = (history.pop()?, &mut self.capability) else {
                break;
            };
            let Replayed {
                time,
                rows: arrival,
                bytes,
            } = replayed;
            if let Some(recovering) = &self.reading.recovering {
                recovering.sent(arrival.as_ref().map_or(0, Arrival::len) as u64, bytes);
            }
            let Some(arrival) = arrival else {
                self.reading.counters.completed(time);
                continue;
            };
            if time > *capability.time() {
                self.own.open.store(time, Ordering::Release);
                capability.downgrade(&time);
            }
            rows += arrival.len();
            self.reading.queue.replayed(time, &arrival);
            let batch = arrival.keyed(&mut self.keys, &self.reading.columns);
            if let Some(comparing) = &mut self.reading.comparing {
                comparing.add(&batch);
            }
            if !is_known {
                send(capability, batch, &self.reading.counters)?;
            }
        }
        Ok(Turn::Again)
    }

    /// How long what comes next of what was kept has to wait, where it is sent with the pauses that were in it.
    fn pause(&mut self) -> Option<Duration> {
        let next = self
            .reading
            .history
            .as_ref()
            .filter(|_| self.reading.in_real_time)?
            .next_time()?;
        let (first, since) = *self.began.get_or_insert_with(|| (next, Instant::now()));
        let due = Duration::from_millis(next.saturating_sub(first));
        Some(due.saturating_sub(since.elapsed())).filter(|pause| !pause.is_zero())
    }

    /// All that was kept has been sent: what comes next is new.
    fn go_on(&mut self) {
        self.reading.history = None;
        let next = self.next_number();
        if let Some(journal) = &self.reading.journal {
            journal.has_recovered(next);
        }
        if let Some(recovering) = self.reading.recovering.take() {
            recovering.stream_is_over();
        }
        if self.is_streaming() {
            self.own.stays.store(false, Ordering::Release);
            if self.reading.comparing.is_some() {
                // What has changed meanwhile is one change.
                self.reading.queue.hold_commits(true);
            }
        }
        self.advance_to(self.reading.start.max(self.times.latest()), false);
        if self.reading.ends_with_history {
            self.reading.counters.ended();
            self.end();
        }
    }

    /// The number of the row that is next, if its rows are numbered.
    fn next_number(&self) -> u64 {
        match &self.keys {
            Keys::Ordinal { next, .. } => *next,
            Keys::Chosen | Keys::Columns(_) => 0,
        }
    }

    /// Keeps the end of the open commit.
    fn keep_commit(&mut self) {
        let has_position = std::mem::take(&mut self.has_position);
        let next = self.next_number();
        if let (Some(journal), Some(capability)) = (&mut self.reading.journal, &self.capability)
            && (self.has_sent || has_position)
        {
            journal.commit(*capability.time(), has_position, next);
        }
    }

    fn release(&mut self, send: &mut Forward<'_>) -> Result<(), EngineError> {
        for rows in std::mem::take(&mut self.held) {
            self.forward(rows, send)?;
        }
        Ok(())
    }

    fn discard(&mut self) {
        let held = std::mem::take(&mut self.held);
        let rows: usize = held.iter().map(Arrival::len).sum();
        // Those behind the last position are sent again by the next run.
        if rows > 0 && !self.minds_positions() {
            tracing::warn!(
                target: "pathway",
                "{}: {rows} {} not committed before the run was told to stop, and {} lost",
                self.reading.name,
                if rows == 1 { "row was" } else { "rows were" },
                if rows == 1 { "is" } else { "are" },
            );
        }
        if rows > 0 {
            self.reading.queue.discarded(&held);
        }
    }

    fn commit(&mut self, send: &mut Forward<'_>) -> Result<(), EngineError> {
        self.release(send)?;
        self.open_next(false);
        Ok(())
    }

    /// A commit that the source has not asked for.
    fn commit_unasked(&mut self, send: &mut Forward<'_>, presses: bool) -> Result<(), EngineError> {
        if !self.minds_positions() {
            self.release(send)?;
        }
        self.open_next(presses);
        Ok(())
    }

    fn open_next(&mut self, presses: bool) {
        let Some(capability) = &self.capability else {
            return;
        };
        if !matches!(self.reading.commits, Commits::Streaming(_)) {
            return;
        }
        let open = *capability.time();
        let is_over = self.has_sent || self.has_position;
        self.keep_commit();
        let earliest = if is_over { open + 2 } else { open };
        self.has_rows = false;
        self.has_sent = false;
        let next = self.reading.clock.time().max(earliest).max(self.times.latest());
        self.advance_to(next, presses);
        self.own.stays.store(false, Ordering::Release);
    }

    /// Moves the open commit, of which nothing was sent yet, to a time.
    fn advance_to(&mut self, time: Time, presses: bool) {
        if let Some(capability) = &mut self.capability
            && time > *capability.time()
        {
            self.reading.counters.completed(time - 1);
            // What is kept of earlier times is in line before anybody can see that they are over.
            self.own.open.store(time, Ordering::Release);
            capability.downgrade(&time);
            self.times.opened(time, &self.own, presses);
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
                Queued::Rows(arrival) => {
                    let Some(arrival) = self.new_rows(arrival)? else {
                        continue;
                    };
                    self.has_rows = true;
                    rows += arrival.len();
                    if self.holds() {
                        self.held.push(arrival);
                    } else {
                        // Commits may have been held until just now.
                        self.release(send)?;
                        self.forward(arrival, send)?;
                    }
                }
                Queued::Position(position) => {
                    // One among rows that come again says nothing new.
                    if self.reading.journal.is_some() && self.reading.resuming.is_none() {
                        self.release(send)?;
                        self.has_position = true;
                        self.reading.queue.has_position();
                        if let Some(journal) = &mut self.reading.journal {
                            journal.position(position);
                        }
                    }
                }
                Queued::Whole(is_complete) => {
                    self.compare(is_complete, send)?;
                }
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
                Queued::Advance(time) => {
                    if let Some(capability) = &mut self.capability
                        && time > *capability.time()
                    {
                        self.times.chooses(time);
                        capability.downgrade(&time);
                        self.own.open.store(time, Ordering::Release);
                    }
                }
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
        let may_commit = self.has_rows && !self.reading.queue.holds_commits();
        if may_commit && self.reading.queue.wants_space() {
            self.commit_unasked(send, true)?;
            if self.minds_positions() && !self.held.is_empty() {
                self.reading.queue.waits_for_position(&self.reading.name);
            }
        } else if std::mem::take(&mut self.is_due) || self.has_paused() || may_commit && self.is_open_before(pressed) {
            self.commit_unasked(send, false)?;
        }
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

    /// Forgets what still comes after a failure. The run goes on until what others have committed is complete, and this
    /// stream holds nobody up unless it has sent rows.
    fn forget(&mut self) {
        while self.reading.queue.pop().is_some() {}
        self.follow();
        // Its commit is never closed.
        self.own.answered.store(Time::MAX, Ordering::Release);
    }

    /// Whether its commits are to be put together now: they are ahead of the clock.
    fn is_ahead(&self) -> bool {
        let is_later = |capability: &Capability<Time>| *capability.time() > self.reading.clock.time();
        self.reading.joins_commits && self.capability.as_ref().is_some_and(is_later)
    }

    /// Whether a stream that was ahead may commit now.
    fn has_paused(&mut self) -> bool {
        let is_over = self.reading.joins_commits && self.next_tick.is_some_and(|tick| Instant::now() >= tick);
        if is_over {
            self.next_tick = None;
        }
        is_over
    }

    /// Whether rows were sent of a commit that is open before a time. Rows that are held are in nobody's way.
    fn is_open_before(&self, time: Time) -> bool {
        let is_earlier = |capability: &Capability<Time>| *capability.time() < time;
        self.has_sent && self.capability.as_ref().is_some_and(is_earlier)
    }

    /// Moves an open commit to where the others are, unless rows were sent of it.
    fn follow(&mut self) {
        if !self.has_sent && matches!(self.reading.commits, Commits::Streaming(_)) {
            self.advance_to(self.times.latest(), false);
        }
    }
}
