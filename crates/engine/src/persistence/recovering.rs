//! Says how far what was kept has been read and sent again, and when all of it has.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use towpath_types::Time;

/// When the first line about the progress is due, and how long it is from one to the next.
const FIRST_LINE: Duration = Duration::from_secs(1);
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// How far this process is with what was kept of its streams and of the state of its operators.
#[derive(Debug)]
pub(crate) struct Recovering {
    since: Instant,
    last_time: Time,
    /// The time of the snapshot behind which the run goes on, and its bytes.
    snapshot: Option<(Time, u64)>,
    streams: AtomicUsize,
    rows: AtomicU64,
    journal: Reading,
    state: Reading,
    pace: Pace,
}

/// How many bytes have been read, of how many.
#[derive(Debug, Default)]
struct Reading {
    read: AtomicU64,
    all: AtomicU64,
}

impl Reading {
    fn expect(&self, bytes: u64) {
        self.all.fetch_add(bytes, Ordering::Relaxed);
    }

    fn add(&self, bytes: u64) {
        self.read.fetch_add(bytes, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.read.load(Ordering::Relaxed) >= self.all.load(Ordering::Relaxed)
    }

    fn text(&self) -> String {
        let (read, all) = (self.read.load(Ordering::Relaxed), self.all.load(Ordering::Relaxed));
        let percent = (u128::from(read) * 100).checked_div(u128::from(all)).unwrap_or(100);
        format!("{percent} % of {all} bytes")
    }
}

/// When the next line about the progress is due, in milliseconds since the beginning.
#[derive(Debug)]
struct Pace(AtomicU64);

impl Pace {
    /// Whether a line is due after this time; to one of those who ask, if they do at the same time.
    fn is_due(&self, elapsed: Duration) -> bool {
        let now = elapsed.as_millis() as u64;
        let next = self.0.load(Ordering::Relaxed);
        let later = now + BETWEEN_LINES.as_millis() as u64;
        now >= next
            && self
                .0
                .compare_exchange(next, later, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

impl Recovering {
    /// For a run that goes on after this time, behind a snapshot of a time and so many bytes if there is one, and has begun
    /// to read what was kept at that instant.
    pub(crate) fn new(since: Instant, last_time: Time, snapshot: Option<(Time, u64)>) -> Self {
        Self {
            since,
            last_time,
            snapshot,
            streams: AtomicUsize::new(0),
            rows: AtomicU64::new(0),
            journal: Reading::default(),
            state: Reading::default(),
            pace: Pace(AtomicU64::new(FIRST_LINE.as_millis() as u64)),
        }
    }

    /// A stream is to send again what was kept of it, so many bytes. All are known before the first has begun.
    pub(crate) fn expect(&self, bytes: u64) {
        self.streams.fetch_add(1, Ordering::Relaxed);
        self.journal.expect(bytes);
    }

    /// Operators are to get back their state, so many bytes. All are known before the first has begun.
    pub(super) fn expect_state(&self, bytes: u64) {
        self.state.expect(bytes);
    }

    /// Whether all streams have sent what was kept of them.
    pub(crate) fn is_over(&self) -> bool {
        self.streams.load(Ordering::Acquire) == 0
    }

    /// A stream has sent so many rows, and read so many bytes for it.
    pub(crate) fn sent(&self, rows: u64, bytes: u64) {
        self.rows.fetch_add(rows, Ordering::AcqRel);
        self.journal.add(bytes);
        self.look();
    }

    /// Operators have got back so many bytes.
    pub(super) fn restored(&self, bytes: u64) {
        self.state.add(bytes);
        self.look();
    }

    /// A stream has sent all.
    pub(crate) fn stream_is_over(&self) {
        if self.streams.fetch_sub(1, Ordering::AcqRel) == 1 {
            tracing::info!(target: "pathway", "{}", self.end(self.since.elapsed()));
        }
    }

    fn look(&self) {
        let elapsed = self.since.elapsed();
        if self.pace.is_due(elapsed) {
            tracing::info!(target: "pathway", "{}", self.progress(elapsed));
        }
    }

    /// How far it is after so long.
    fn progress(&self, elapsed: Duration) -> String {
        let seconds = elapsed.as_secs_f64();
        if self.state.is_over() {
            let rows = self.rows.load(Ordering::Acquire);
            format!(
                "recovering: after {seconds:.1} s, {rows} rows have been read again, {}",
                self.journal.text()
            )
        } else {
            format!(
                "recovering: after {seconds:.1} s, {} of the snapshot have been read",
                self.state.text()
            )
        }
    }

    /// What there was, and how long it has taken.
    fn end(&self, elapsed: Duration) -> String {
        let rows = self.rows.load(Ordering::Acquire);
        let after = self.snapshot.map_or_else(String::new, |(time, bytes)| {
            format!("after the snapshot of time {time} ({bytes} bytes) ")
        });
        format!(
            "recovered {rows} rows that were kept {after}up to time {} in {:.3} s",
            self.last_time,
            elapsed.as_secs_f64()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_after_a_second_and_then_each_five() {
        let recovering = Recovering::new(Instant::now(), 0, None);
        let due: Vec<u64> = (0..20_000)
            .filter(|now| recovering.pace.is_due(Duration::from_millis(*now)))
            .collect();
        assert_eq!(due, [1000, 6000, 11_000, 16_000]);
        // Nobody has looked for a while.
        assert!(recovering.pace.is_due(Duration::from_secs(60)));
        assert!(!recovering.pace.is_due(Duration::from_secs(64)));
        assert!(recovering.pace.is_due(Duration::from_secs(65)));
    }

    #[test]
    fn what_the_lines_say() {
        let after = Duration::from_millis(6040);
        let recovering = Recovering::new(Instant::now(), 900, None);
        recovering.expect(300);
        recovering.expect(100);
        recovering.sent(7, 100);
        assert_eq!(
            recovering.progress(after),
            "recovering: after 6.0 s, 7 rows have been read again, 25 % of 400 bytes"
        );
        recovering.sent(3, 300);
        recovering.stream_is_over();
        assert!(!recovering.is_over());
        recovering.stream_is_over();
        assert!(recovering.is_over());
        assert_eq!(
            recovering.end(after),
            "recovered 10 rows that were kept up to time 900 in 6.040 s"
        );

        let recovering = Recovering::new(Instant::now(), 900, Some((800, 5000)));
        recovering.expect(100);
        recovering.expect_state(2000);
        recovering.restored(500);
        assert_eq!(
            recovering.progress(after),
            "recovering: after 6.0 s, 25 % of 2000 bytes of the snapshot have been read"
        );
        recovering.restored(1500);
        recovering.sent(2, 100);
        assert_eq!(
            recovering.progress(after),
            "recovering: after 6.0 s, 2 rows have been read again, 100 % of 100 bytes"
        );
        assert_eq!(
            recovering.end(after),
            "recovered 2 rows that were kept after the snapshot of time 800 (5000 bytes) up to time 900 in 6.040 s"
        );
    }
}
