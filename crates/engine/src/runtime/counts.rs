//! What other processes have done of each node, as far as the first has heard.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::monitor::{Counts, Statistics, Watched};

/// See the module.
#[derive(Default)]
pub(super) struct Heard(Mutex<BTreeMap<usize, Vec<Counts>>>);

impl Heard {
    /// Another process has done so much.
    pub(super) fn counted(&self, process: usize, counts: Vec<Counts>) {
        self.0.lock().insert(process, counts);
    }

    /// What all processes have done.
    pub(super) fn statistics(&self, watched: &[Watched]) -> Vec<Statistics> {
        let mut statistics: Vec<Statistics> = watched.iter().map(Watched::statistics).collect();
        for counts in self.0.lock().values() {
            for (node, counts) in statistics.iter_mut().zip(counts) {
                node.all = node.all.and(*counts);
            }
        }
        statistics
    }
}

/// What this process has done of each node.
pub(super) fn counts(watched: &[Watched]) -> Vec<Counts> {
    watched.iter().map(|watched| watched.statistics().all).collect()
}
