//! Which cells are errors now, so that each is reported once for each cause.
//!
//! A row with an error is computed again when it is removed, when another cell of it changes, or when its group is
//! touched. None of that is news. So a failure is told by its cell — what computes it, and the key of the row — and its
//! message, and is news only if it was not there before. What is removed and added again at one time has been there all
//! the time, in whatever order the two come.
//!
//! What is never removed need not be remembered beyond its time.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use parking_lot::Mutex;
use towpath_types::{Key, Time};

/// So many are remembered; what fails besides is reported whenever it is computed.
const MOST: usize = 1 << 22;

/// So many failures of cells that are never removed are remembered.
const MOST_FINAL: usize = 1 << 16;

/// What tells a failing cell from others.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Failing<'a> {
    /// What computes the cell.
    pub(crate) site: (u64, u64),
    pub(crate) key: Option<Key>,
    pub(crate) message: &'a str,
    pub(crate) call: Option<&'a str>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    /// How often it is there; less than nothing while a removal has come before what it removes.
    count: i32,
    /// When it was last not there, or a removal has come first.
    gone: Time,
}

#[derive(Clone, Debug, Default)]
struct State {
    counts: HashMap<u64, Count>,
    /// Those of cells that are never removed, and their time.
    last: HashMap<u64, Time>,
    /// The times at which failures were told that several outputs may tell.
    told: HashMap<u64, Time>,
    /// How many there were when they were last looked through.
    looked_through: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub struct LiveErrors {
    seed: RandomState,
    state: Mutex<State>,
}

impl LiveErrors {
    /// The same, for another run.
    pub(crate) fn copied(&self) -> Self {
        Self {
            seed: self.seed.clone(),
            state: Mutex::new(self.state.lock().clone()),
        }
    }

    /// A failure comes (`diff` is more than 0) or goes at a time. Whether that is news.
    pub(crate) fn is_news(&self, failing: Failing<'_>, diff: i64, time: Time, is_final: bool) -> bool {
        let failing = self.seed.hash_one(failing);
        let mut state = self.state.lock();
        if is_final {
            if state.last.len() >= MOST_FINAL {
                state.last.clear();
            }
            return diff > 0 && state.last.insert(failing, time) != Some(time);
        }
        let len = state.counts.len();
        if len > 2 * state.looked_through + 1024 {
            state.counts.retain(|_, count| count.count != 0 || count.gone == time);
            state.looked_through = state.counts.len();
            let room = 2 * state.looked_through;
            state.counts.shrink_to(room);
        }
        if state.counts.len() >= MOST && !state.counts.contains_key(&failing) {
            return diff > 0;
        }
        let is_known = state.counts.contains_key(&failing);
        let entry = state.counts.entry(failing).or_insert(Count { count: 0, gone: time });
        if entry.count < 0 && entry.gone < time {
            // What was removed had come in a run before this one.
            entry.count = 0;
        }
        let before = *entry;
        entry.count += i32::try_from(diff).unwrap_or(i32::MAX * diff.signum() as i32);
        if entry.count <= 0 && before.count > 0 || entry.count < 0 && before.count == 0 {
            entry.gone = time;
        }
        before.count == 0 && entry.count > 0 && !(is_known && before.gone == time)
    }
}

impl LiveErrors {
    /// Whether no other output has told the same news; each output comes to each time once, in order, but one may be
    /// far ahead of another.
    pub(crate) fn is_first(&self, failing: Failing<'_>, time: Time) -> bool {
        let failing = self.seed.hash_one(failing);
        let mut state = self.state.lock();
        if state.told.len() >= MOST {
            state.told.clear();
        }
        let told = state.told.get(&failing).is_some_and(|told| *told >= time);
        if !told {
            state.told.insert(failing, time);
        }
        !told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(live: &LiveErrors, changes: &[(Time, i64)], is_final: bool) -> Vec<bool> {
        let failing = Failing {
            site: (1, 2),
            key: Some(Key(3)),
            message: "wrong",
            call: None,
        };
        let told = changes
            .iter()
            .map(|(time, diff)| live.is_news(failing, *diff, *time, is_final));
        told.collect()
    }

    #[test]
    fn news_is_what_was_not_there() {
        let live = LiveErrors::default();
        let changes = [(2, 1), (4, -1), (4, 1), (6, 1), (6, -1), (8, -1), (10, 1), (10, -1)];
        let news = [true, false, false, false, false, false, true, false];
        assert_eq!(told(&live, &changes, false), news);
    }

    #[test]
    fn a_removal_may_come_first() {
        let live = LiveErrors::default();
        assert_eq!(told(&live, &[(2, -1), (2, 1), (4, 1)], false), [false, false, true]);
        assert_eq!(told(&live, &[(6, -1), (8, -1), (8, 1)], false), [false, false, false]);
    }

    #[test]
    fn what_is_removed_may_have_come_in_a_run_before() {
        let live = LiveErrors::default();
        let changes = [(2, -1), (4, 1), (6, -1), (8, 1)];
        assert_eq!(told(&live, &changes, false), [false, true, false, true]);
    }

    #[test]
    fn what_is_never_removed_is_remembered_for_its_time() {
        let live = LiveErrors::default();
        assert_eq!(told(&live, &[(2, 1), (2, 1), (4, 1)], true), [true, false, true]);
    }

    #[test]
    fn the_first_output_tells() {
        let live = LiveErrors::default();
        let failing = Failing {
            site: (1, 2),
            key: None,
            message: "wrong",
            call: None,
        };
        let told = [2, 8, 2, 8, 10].map(|time| live.is_first(failing, time));
        assert_eq!(told, [true, true, false, false, true]);
    }

    #[test]
    fn what_is_gone_takes_no_room() {
        let live = LiveErrors::default();
        for key in 0..10_000 {
            let failing = Failing {
                site: (1, 2),
                key: Some(Key(key)),
                message: "wrong",
                call: None,
            };
            assert!(live.is_news(failing, 1, key as Time, false));
            assert!(!live.is_news(failing, -1, key as Time, false));
        }
        assert!(live.state.lock().counts.len() < 4096);
    }
}
