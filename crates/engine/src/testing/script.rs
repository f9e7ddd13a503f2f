//! Sources that play commits, written as small tables of updates.

use std::sync::Arc;
use std::time::Duration;

use towpath_types::{Batch, Column, DType, Key, Value};

use crate::description::Description;
use crate::error::{EngineError, PlanError};
use crate::plan::{ColumnId, NodeId, Plan};
use crate::source::{Commits, Kept, Limits, Resume, Source, SourceContext, SourceHandle};

/// One update: key, cells, difference.
pub type Update = (Key, Vec<Value>, i64);

/// A shorthand for rows of scripts: key, cells, difference.
pub fn update<const N: usize>(key: u128, cells: [Value; N], diff: i64) -> Update {
    (Key(key), cells.to_vec(), diff)
}

/// A source that plays commits.
#[derive(Clone, Debug)]
pub struct Script {
    dtypes: Vec<DType>,
    commits: Vec<Vec<Update>>,
    batch_rows: usize,
    is_static: bool,
    unique_keys: bool,
    pause: Duration,
}

impl Script {
    /// A streaming source with a commit for every list of updates. Commits without updates take no time.
    pub fn new(dtypes: Vec<DType>, commits: Vec<Vec<Update>>) -> Self {
        Self {
            dtypes,
            commits,
            batch_rows: usize::MAX,
            is_static: false,
            unique_keys: true,
            pause: Duration::ZERO,
        }
    }

    /// A static source: all updates have time 0.
    pub fn fixed(dtypes: Vec<DType>, updates: Vec<Update>) -> Self {
        Self {
            is_static: true,
            ..Self::new(dtypes, vec![updates])
        }
    }

    /// The same with at most `rows` rows in a batch.
    #[must_use]
    pub fn in_batches_of(mut self, rows: usize) -> Self {
        self.batch_rows = rows.max(1);
        self
    }

    /// The same with a pause after every commit, so that something else may happen meanwhile.
    #[must_use]
    pub fn with_pauses(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// The same with keys that the engine must not trust to be unique.
    #[must_use]
    pub fn with_keys_of_the_user(mut self) -> Self {
        self.unique_keys = false;
        self
    }
}

/// A batch of updates with the given columns of types `dtypes`.
pub fn batch(dtypes: &[DType], columns: &[usize], updates: &[Update]) -> Batch {
    Batch::new(
        updates.iter().map(|(key, ..)| *key).collect::<Vec<_>>(),
        columns
            .iter()
            .map(|column| Column::from_values(&dtypes[*column], updates.iter().map(|(_, values, _)| &values[*column])))
            .collect(),
        Some(updates.iter().map(|(.., diff)| *diff).collect()),
    )
}

struct Played;

impl SourceHandle for Played {
    fn stop(&self) {}

    fn join(self: Box<Self>) {}
}

impl Source for Script {
    fn name(&self) -> String {
        "script".to_owned()
    }

    fn describe(&self, _description: &mut Description) {
        // Rows are not part of it.
    }

    fn columns(&self) -> Vec<DType> {
        self.dtypes.clone()
    }

    fn is_append_only(&self) -> bool {
        self.commits.iter().flatten().all(|(.., diff)| *diff > 0)
    }

    fn has_unique_keys(&self) -> bool {
        self.unique_keys
    }

    fn kept(&self) -> Kept {
        match self.is_static {
            true => Kept::Nothing,
            // It plays all of it again.
            false => Kept::Rows(Resume::Replay),
        }
    }

    fn commits(&self) -> Commits {
        if self.is_static {
            Commits::AtEnd
        } else {
            Commits::Streaming(None)
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            rows: usize::MAX,
            bytes: usize::MAX,
        }
    }

    fn start(&self, context: SourceContext) -> Result<Box<dyn SourceHandle>, EngineError> {
        for commit in &self.commits {
            for updates in commit.chunks(self.batch_rows) {
                let batch = batch(&self.dtypes, &context.columns, updates);
                // If the run is over already, the rest of the script goes nowhere either.
                let _ = context.queue().push(batch);
            }
            let _ = context.queue().commit();
            std::thread::sleep(self.pause);
        }
        context.queue().close(Ok(()));
        Ok(Box::new(Played))
    }
}

/// Several tables that change together: one source plays the commits of all, so that the k-th commits of
/// all tables have the same time, with a pause after each. Commits without updates in any table take no time.
///
/// # Errors
/// Never, unless this function is wrong.
pub fn tables(
    plan: &mut Plan,
    scripts: &[(Vec<DType>, Vec<Vec<Update>>)],
    batch_rows: usize,
    pause: Duration,
) -> Result<Vec<(NodeId, Vec<ColumnId>)>, PlanError> {
    let mut dtypes = vec![DType::Bool; scripts.len()];
    dtypes.extend(scripts.iter().flat_map(|(own, _)| own.iter().cloned()));
    let commits = scripts.iter().map(|(_, commits)| commits.len()).max().unwrap_or(0);
    let mut merged = vec![Vec::new(); commits];
    let mut start = scripts.len();
    for (table, (own, commits)) in scripts.iter().enumerate() {
        for (number, commit) in commits.iter().enumerate() {
            for (key, values, diff) in commit {
                let mut cells = vec![Value::None; dtypes.len()];
                for (other, cell) in cells.iter_mut().enumerate().take(scripts.len()) {
                    *cell = Value::Bool(other == table);
                }
                cells[start..start + own.len()].clone_from_slice(values);
                merged[number].push((*key, cells, *diff));
            }
        }
        start += own.len();
    }
    let source = plan.source(
        Arc::new(Script::new(dtypes, merged).in_batches_of(batch_rows).with_pauses(pause)),
        None,
    );
    let columns = plan.columns(source).to_vec();
    let mut start = scripts.len();
    scripts
        .iter()
        .enumerate()
        .map(|(table, (own, _))| {
            let node = plan.filter(source, columns[table], None)?;
            start += own.len();
            Ok((node, columns[start - own.len()..start].to_vec()))
        })
        .collect()
}
