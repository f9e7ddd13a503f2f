//! Gives operators back what was saved of their state.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use towpath_durability::State;
use towpath_types::{Batch, Key};

use super::super::cut::StatePart;
use super::super::recovering::Recovering;
use super::manifest::Manifest;
use super::parts::{Parts, RANGES};
use crate::error::EngineError;

/// The state that is given back, by parts of the plan.
#[derive(Debug)]
pub(crate) struct Restoring {
    parts: Parts,
    names: HashMap<StatePart, String>,
    /// Is told how far it is.
    recovering: Arc<Recovering>,
}

impl Restoring {
    /// Opens what a manifest names, for some of so many workers; `names` are by what the parts of the plan are known.
    pub(crate) fn open(
        state: &State,
        manifest: &Manifest,
        names: &HashMap<StatePart, String>,
        (own, workers): (Range<usize>, usize),
        recovering: &Arc<Recovering>,
    ) -> Result<Self, EngineError> {
        let parts = Parts::open(state, &manifest.parts)?;
        for worker in own {
            recovering.expect_state(parts.bytes(|range| overlaps(range, worker, workers)));
        }
        Ok(Self {
            parts,
            names: names.clone(),
            recovering: Arc::clone(recovering),
        })
    }

    /// Hands over what a worker owns of the state of a part of the plan, table by table.
    pub(crate) fn restore(
        &self,
        part: StatePart,
        (worker, workers): (usize, usize),
        mut take: impl FnMut(u16, Batch, &[Key]) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let Some(name) = self.names.get(&part) else {
            return Ok(());
        };
        for number in self.parts.tables(name) {
            let table = self.parts.table(name, number)?;
            self.recovering.restored(table.undivided_bytes());
            for range in (0..RANGES).filter(|range| overlaps(*range, worker, workers)) {
                table.live(range, |live| {
                    if live.is_removal {
                        return Ok(());
                    }
                    let is_own = |owner: &Key| owner.worker(workers) == worker;
                    if live.owners.iter().all(is_own) {
                        return take(number, live.rows, &live.owners);
                    }
                    let own: Vec<u32> = (0..live.owners.len() as u32)
                        .filter(|row| is_own(&live.owners[*row as usize]))
                        .collect();
                    if own.is_empty() {
                        return Ok(());
                    }
                    let owners: Vec<Key> = own.iter().map(|row| live.owners[*row as usize]).collect();
                    take(number, live.rows.take(&own), &owners)
                })?;
                self.recovering.restored(table.bytes(range));
            }
        }
        Ok(())
    }
}

/// Whether a worker owns something of a range of owners: both are ranges of shards.
fn overlaps(range: usize, worker: usize, workers: usize) -> bool {
    let shard = |position: usize| Key(position as u128);
    let least = range << 10;
    let greatest = least + (1 << 10) - 1;
    (shard(least).worker(workers)..=shard(greatest).worker(workers)).contains(&worker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shard_is_in_a_range_of_its_worker() {
        for workers in [1, 2, 3, 5, 64, 100] {
            for shard in 0..1_u128 << 16 {
                let key = Key(shard);
                assert!(
                    overlaps(key.worker(RANGES), key.worker(workers), workers),
                    "{shard} of {workers}"
                );
            }
        }
    }
}
