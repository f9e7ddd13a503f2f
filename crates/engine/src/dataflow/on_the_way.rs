//! How many rows operators have put out that nobody has taken yet.
//!
//! The workers of one process share the count. Rows for another process stay counted here when they leave, and go with
//! the number of the count; who takes them there says so over the line, in one message for many rows.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use crate::cluster::Lines;

/// How many rows of an operator may be on their way to other workers before it waits.
pub(super) const MOST_ROWS: usize = 1 << 20;

/// So many counts are told of in one message.
const MOST_COUNTS: usize = 1 << 10;

/// How many rows an operator has put out, of one time, that nobody has taken yet.
#[derive(Debug)]
pub(crate) struct OnTheWay(Arc<Count>);

#[derive(Debug)]
struct Count {
    rows: Arc<AtomicUsize>,
    /// What other processes call it, once rows have gone there.
    number: OnceLock<u64>,
    ledger: Arc<Ledger>,
}

/// The count of another process that rows belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// The process.
    pub(crate) process: usize,
    /// What it calls the count; from 1.
    pub(crate) number: u64,
}

/// Counts rows as on their way until it, and all that came of it, is dropped.
#[derive(Clone, Debug)]
pub(crate) enum Credit {
    /// They were put out in this process.
    Here(Here),
    /// They came from another process.
    Elsewhere(#[expect(dead_code, reason = "told of when it is dropped")] Arc<Elsewhere>),
}

/// See [`Credit`].
#[derive(Debug)]
pub(crate) struct Here {
    count: Arc<Count>,
    rows: usize,
}

/// See [`Credit`].
#[derive(Debug)]
pub(crate) struct Elsewhere {
    ledger: Arc<Ledger>,
    account: Account,
    rows: usize,
}

/// What a process knows of the rows that it has sent to others, and owes them for what they have sent.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// This process.
    process: usize,
    lines: Arc<Lines>,
    next: AtomicU64,
    open: Mutex<HashMap<u64, Arc<AtomicUsize>>>,
    /// What other processes have not been told yet.
    taken: Mutex<BTreeMap<usize, Taken>>,
    /// After how many rows they are told.
    rows_a_message: usize,
}

/// Rows of another process that were taken here, by the number of their count.
#[derive(Debug, Default)]
struct Taken {
    counts: HashMap<u64, u64>,
    rows: usize,
}

impl OnTheWay {
    pub(crate) fn new(ledger: &Arc<Ledger>) -> Self {
        Self(Arc::new(Count {
            rows: Arc::default(),
            number: OnceLock::new(),
            ledger: Arc::clone(ledger),
        }))
    }

    pub(crate) fn rows(&self) -> usize {
        self.0.rows.load(Ordering::Relaxed)
    }

    /// Counts rows.
    pub(crate) fn credit(&self, rows: usize) -> Credit {
        Credit::Here(Here::new(&self.0, rows))
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        if let Some(number) = self.number.get() {
            self.ledger.open.lock().remove(number);
        }
    }
}

impl Credit {
    /// What counts some of the rows.
    pub(crate) fn part(&self, rows: usize) -> Credit {
        match self {
            Credit::Here(here) => Credit::Here(Here::new(&here.count, rows)),
            Credit::Elsewhere(_) => self.clone(),
        }
    }

    /// The rows leave for another process, and stay counted until it says that they were taken. Those that came from
    /// elsewhere and go on count as taken.
    pub(crate) fn leave(&self) -> Option<Account> {
        let Credit::Here(Here { count, rows }) = self else {
            return None;
        };
        let ledger = &count.ledger;
        let number = *count.number.get_or_init(|| {
            let number = ledger.next.fetch_add(1, Ordering::Relaxed);
            ledger.open.lock().insert(number, Arc::clone(&count.rows));
            number
        });
        count.rows.fetch_add(*rows, Ordering::Relaxed);
        Some(Account {
            process: ledger.process,
            number,
        })
    }
}

impl Here {
    fn new(count: &Arc<Count>, rows: usize) -> Self {
        count.rows.fetch_add(rows, Ordering::Relaxed);
        Self {
            count: Arc::clone(count),
            rows,
        }
    }
}

impl Clone for Here {
    fn clone(&self) -> Self {
        Self::new(&self.count, self.rows)
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.count.rows.fetch_sub(self.rows, Ordering::Relaxed);
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.ledger.take(self.account, self.rows);
    }
}

impl Ledger {
    /// That of one of so many processes.
    pub(crate) fn new(process: usize, processes: usize, lines: Arc<Lines>) -> Self {
        Self {
            process,
            lines,
            next: AtomicU64::new(1),
            open: Mutex::default(),
            taken: Mutex::default(),
            // What others have not been told of must not keep anybody waiting.
            rows_a_message: (MOST_ROWS / 4 / processes.max(1)).max(1),
        }
    }

    /// What counts rows that have come from another process.
    pub(crate) fn came(self: &Arc<Self>, account: Account, rows: usize) -> Credit {
        Credit::Elsewhere(Arc::new(Elsewhere {
            ledger: Arc::clone(self),
            account,
            rows,
        }))
    }

    fn take(&self, account: Account, rows: usize) {
        let told = {
            let mut taken = self.taken.lock();
            let taken = taken.entry(account.process).or_default();
            *taken.counts.entry(account.number).or_default() += rows as u64;
            taken.rows += rows;
            if taken.rows < self.rows_a_message && taken.counts.len() < MOST_COUNTS {
                return;
            }
            std::mem::take(taken)
        };
        self.lines.taken(account.process, told.counts.into_iter().collect());
    }

    /// Another process has taken rows of these counts; of some all may have been settled meanwhile.
    pub(crate) fn were_taken(&self, counts: &[(u64, u64)]) {
        let open = self.open.lock();
        for (number, taken) in counts {
            if let Some(rows) = open.get(number) {
                let taken = usize::try_from(*taken).unwrap_or(usize::MAX);
                let less = |rows: usize| Some(rows.saturating_sub(taken));
                // It always gives a number.
                let _ = rows.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(process: usize) -> Arc<Ledger> {
        Arc::new(Ledger::new(process, 2, Arc::default()))
    }

    #[test]
    fn rows_count_until_all_that_came_of_them_is_gone() {
        let count = OnTheWay::new(&ledger(0));
        let whole = count.credit(10);
        let parts = [whole.part(4), whole.part(6)];
        drop(whole);
        assert_eq!(count.rows(), 10);
        let copy = parts[0].clone();
        drop(parts);
        assert_eq!(count.rows(), 4);
        drop(copy);
        assert_eq!(count.rows(), 0);
    }

    #[test]
    fn rows_that_leave_count_until_the_other_process_says_that_they_were_taken() {
        let (here, there) = (ledger(0), ledger(1));
        let count = OnTheWay::new(&here);
        let credit = count.credit(10);
        let account = credit.leave().expect("they are of this process");
        drop(credit);
        assert_eq!(count.rows(), 10);
        let came = there.came(account, 10);
        assert_eq!(came.leave(), None);
        let parts = [came.part(3), came.part(7)];
        drop(came);
        assert!(there.taken.lock().is_empty());
        drop(parts);
        let told: Vec<_> = there.taken.lock()[&0].counts.clone().into_iter().collect();
        here.were_taken(&told);
        assert_eq!(count.rows(), 0);
        drop(count);
        assert!(here.open.lock().is_empty());
        here.were_taken(&told);
    }

    #[test]
    fn what_is_not_told_yet_is_bounded() {
        let there = ledger(1);
        for number in 0..10_000 {
            drop(there.came(Account { process: 0, number }, 1));
            assert!(there.taken.lock()[&0].counts.len() < MOST_COUNTS);
        }
        for _ in 0..100 {
            drop(there.came(Account { process: 0, number: 1 }, MOST_ROWS / 100));
            assert!(there.taken.lock()[&0].rows < MOST_ROWS / 8);
        }
    }
}
