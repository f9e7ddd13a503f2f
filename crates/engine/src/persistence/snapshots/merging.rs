//! Many parts become one: what was replaced or removed since is left out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use towpath_durability::{PartName, State};
use towpath_types::{Batch, Key};

use super::parts::{Live, Part, Parts, PartsWriter, RANGES};
use crate::error::{EngineError, ErrorKind};
use crate::state::SavedRows;

/// So many parts there are at most.
const MOST_PARTS: usize = 32;

/// So many bytes are merged together without looking.
const FEW_BYTES: u64 = 1 << 20;

/// Parts that are being merged, in a thread of its own.
pub(in crate::persistence) struct Merging {
    /// How many, from the oldest on.
    pub(in crate::persistence) count: usize,
    /// What becomes of them.
    pub(in crate::persistence) name: PartName,
    thread: JoinHandle<Result<Option<Part>, EngineError>>,
    is_cancelled: Arc<AtomicBool>,
}

/// Whether the parts should become one: what came later is more than what is there, or there are too many.
pub(in crate::persistence) fn are_many(parts: &[Part]) -> bool {
    let Some((first, others)) = parts.split_first() else {
        return false;
    };
    let later: u64 = others.iter().map(|part| part.bytes).sum();
    parts.len() > MOST_PARTS || later > first.bytes.max(FEW_BYTES)
}

impl Merging {
    /// Begins to merge parts.
    pub(in crate::persistence) fn start(state: &State, parts: &[Part], name: PartName) -> Result<Self, EngineError> {
        let is_cancelled = Arc::new(AtomicBool::new(false));
        let work = {
            let (state, parts, is_cancelled) = (state.clone(), parts.to_vec(), Arc::clone(&is_cancelled));
            move || merge(&state, &parts, name, &is_cancelled)
        };
        let thread = std::thread::Builder::new()
            .name("pathway-merge".to_owned())
            .spawn(work)
            .map_err(|error| EngineError::os("the thread that merges snapshots did not start", &error))?;
        Ok(Self {
            count: parts.len(),
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

    /// Ends it as it is.
    pub(in crate::persistence) fn cancel(self) -> Result<Option<Part>, EngineError> {
        self.is_cancelled.store(true, Ordering::Relaxed);
        self.finish()
    }
}

fn merge(
    state: &State,
    parts: &[Part],
    name: PartName,
    is_cancelled: &AtomicBool,
) -> Result<Option<Part>, EngineError> {
    let bytes: u64 = parts.iter().map(|part| part.bytes).sum();
    let is_divided = bytes > FEW_BYTES;
    let mut writer = PartsWriter::create(state, name, if is_divided { usize::MAX } else { 0 })?;
    let parts = Parts::open(state, parts)?;
    for node in parts.nodes() {
        for number in parts.tables(node) {
            let table = parts.table(node, number)?;
            let mut all = Vec::new();
            for range in 0..RANGES {
                if is_cancelled.load(Ordering::Relaxed) {
                    return Ok(None);
                }
                table.live(range, |live| {
                    all.push(live);
                    Ok(())
                })?;
                if is_divided {
                    writer.add_range(node, range, &together(number, std::mem::take(&mut all)))?;
                }
            }
            writer.add_range(node, 0, &together(number, all))?;
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
