//! Many parts become one: what was replaced or removed since is left out.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use towpath_durability::{PartName, State, delete_part};
use towpath_types::{Batch, Key};

use super::live::Live;
use super::parts::{Part, Parts, PartsWriter, RANGES};
use crate::error::{EngineError, ErrorKind};
use crate::state::SavedRows;

/// So many parts at least become one.
const LEAST_PARTS: usize = 4;

/// Up to so many bytes are not divided by owners.
const FEW_BYTES: u64 = 1 << 20;

/// Parts that are being merged, in a thread of its own.
pub(in crate::persistence) struct Merging {
    /// Which.
    pub(in crate::persistence) parts: Range<usize>,
    state: State,
    /// What they become.
    name: PartName,
    thread: JoinHandle<Result<Option<Part>, EngineError>>,
    is_cancelled: Arc<AtomicBool>,
}

/// Which parts should become one: those at the end, from the first on that is not larger than all after it. So every row is
/// written again as often as the state has doubled since, there are few parts, and they have at most twice the bytes of what
/// holds.
pub(in crate::persistence) fn to_merge(parts: &[Part]) -> Option<Range<usize>> {
    let mut later = 0;
    let mut first = None;
    for (position, part) in parts.iter().enumerate().rev() {
        if part.bytes <= later {
            first = Some(position);
        }
        later += part.bytes;
    }
    first
        .map(|first| first..parts.len())
        .filter(|range| range.len() >= LEAST_PARTS)
}

impl Merging {
    /// Begins to merge some of all parts.
    pub(in crate::persistence) fn start(
        state: &State,
        all: &[Part],
        parts: Range<usize>,
        name: PartName,
    ) -> Result<Self, EngineError> {
        let is_cancelled = Arc::new(AtomicBool::new(false));
        let work = {
            let (state, merged, is_cancelled) = (state.clone(), all[parts.clone()].to_vec(), Arc::clone(&is_cancelled));
            let is_oldest = parts.start == 0;
            move || merge(&state, &merged, is_oldest, name, &is_cancelled)
        };
        let thread = std::thread::Builder::new()
            .name("pathway-merge".to_owned())
            .spawn(work)
            .map_err(|error| EngineError::os("the thread that merges snapshots did not start", &error))?;
        Ok(Self {
            parts,
            state: state.clone(),
            name,
            thread,
            is_cancelled,
        })
    }

    /// Whether it is done.
    pub(in crate::persistence) fn is_done(&self) -> bool {
        self.thread.is_finished()
    }

    /// What has become of them; nothing if it was cancelled.
    pub(in crate::persistence) fn finish(self) -> Result<Option<Part>, EngineError> {
        let panicked = |_| {
            Err(EngineError::new(
                ErrorKind::Runtime,
                "the thread that merges snapshots ended unexpectedly, please report it",
            ))
        };
        self.thread.join().unwrap_or_else(panicked)
    }

    /// Ends it as it is, and deletes what no manifest names.
    pub(in crate::persistence) fn cancel(self) -> Result<(), EngineError> {
        self.is_cancelled.store(true, Ordering::Relaxed);
        let (state, name) = (self.state.clone(), self.name);
        self.finish()?;
        Ok(delete_part(&state, name)?)
    }
}

fn merge(
    state: &State,
    parts: &[Part],
    is_oldest: bool,
    name: PartName,
    is_cancelled: &AtomicBool,
) -> Result<Option<Part>, EngineError> {
    let bytes: u64 = parts.iter().map(|part| part.bytes).sum();
    let is_divided = bytes > FEW_BYTES;
    let mut writer = PartsWriter::create(state, name, (!is_divided).then_some(0))?;
    let parts = Parts::open(state, parts)?;
    for node in parts.nodes() {
        for number in parts.tables(node) {
            let table = parts.table(node, number)?;
            let (mut there, mut gone) = (Vec::new(), Vec::new());
            for range in 0..RANGES {
                if is_cancelled.load(Ordering::Relaxed) {
                    return Ok(None);
                }
                table.live(range, |live| {
                    if !live.is_removal {
                        there.push(live);
                    } else if !is_oldest {
                        gone.push(live);
                    }
                    Ok(())
                })?;
                if is_divided || range == RANGES - 1 {
                    let range = if is_divided { range } else { 0 };
                    for live in [&mut there, &mut gone] {
                        writer.add_range(node, range, &together(number, std::mem::take(live)))?;
                    }
                }
            }
        }
    }
    writer.finish().map(Some)
}

fn together(table: u16, live: Vec<Live>) -> SavedRows {
    let (batches, owners): (Vec<Batch>, Vec<Vec<Key>>) = live.into_iter().map(|live| (live.rows, live.owners)).unzip();
    let rows = Batch::concat(&batches);
    let owners = owners.concat();
    let is_own = owners == **rows.keys();
    SavedRows {
        table,
        owners: (!is_own).then_some(owners),
        rows,
    }
}

#[cfg(test)]
mod tests {
    use towpath_durability::{Access, Holder, MemoryStorage};

    use super::*;

    /// Parts of so many rows each, which are new.
    fn parts(state: &State, sizes: &[usize], number: &mut u32) -> Vec<Part> {
        let part = |size: &usize| {
            *number += 1;
            let name = PartName {
                generation: 0,
                process: 0,
                number: *number,
            };
            let mut writer = PartsWriter::create(state, name, Some(0)).expect("it can be written");
            let keys: Vec<Key> = (0..*size as u128).map(Key).collect();
            let rows = Batch::new(keys, Vec::new(), None);
            let saved = SavedRows {
                table: 0,
                owners: None,
                rows,
            };
            writer.add("node", saved).expect("it can be written");
            writer.finish().expect("it can be written")
        };
        sizes.iter().map(part).collect()
    }

    #[test]
    fn parts_become_one_when_those_after_them_are_as_large() {
        let storage = Arc::new(MemoryStorage::default());
        let state = State::open(storage, Holder::current(0), Access::ReadWrite).expect("it is empty");
        let number = &mut 0;
        for (sizes, expected) in [
            (&[][..], None),
            (&[100, 100, 100], None),
            (&[100, 100, 100, 100], Some(0..4)),
            (&[10_000, 100, 100, 100], None),
            (&[10_000, 100, 100, 100, 100], Some(1..5)),
            (&[10_000, 1_000, 100, 100, 100, 100], Some(2..6)),
            (&[1_000, 900, 500, 500], Some(0..4)),
        ] {
            assert_eq!(to_merge(&parts(&state, sizes, number)), expected, "{sizes:?}");
        }
    }

    #[test]
    fn each_row_is_written_again_as_often_as_the_state_has_doubled() {
        let storage = Arc::new(MemoryStorage::default());
        let state = State::open(storage, Holder::current(0), Access::ReadWrite).expect("it is empty");
        let number = &mut 0;
        let (mut all, mut sizes, mut written, mut most) = (Vec::new(), Vec::new(), 0, 0);
        for _ in 0..512 {
            all.extend(parts(&state, &[100], number));
            sizes.push(100);
            if let Some(range) = to_merge(&all) {
                let rows = sizes[range.clone()].iter().sum();
                written += rows;
                sizes.splice(range.clone(), [rows]);
                all.splice(range, parts(&state, &[rows], number));
            }
            most = most.max(all.len());
        }
        assert!(most < 20, "{most} parts");
        assert!(written < 9 * 51_200, "{written} rows");
    }
}
