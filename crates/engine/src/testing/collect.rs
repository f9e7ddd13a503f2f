//! An output that remembers what arrives, and how tests write it.

use std::sync::Arc;

use parking_lot::Mutex;
use towpath_types::{Batch, DType, Key, Time, Value};

use crate::description::Description;
use crate::error::{EngineError, PlanError};
use crate::operator::{Operator, Output, Routing, Task, TaskContext};
use crate::persistence::KeptOutput;
use crate::plan::{ColumnId, Input, NodeId, Plan};
use crate::state::{Saved, no_table};

/// One update that a [`Collect`] saw: time, key, cells, difference.
pub type Seen = (Time, Key, Vec<Value>, i64);

/// What a [`Collect`] saw, consolidated, in the order of arrival.
pub type Collected = Arc<Mutex<Vec<Seen>>>;

/// An output that remembers what arrives. In a run that is kept it does so exactly once: what it collects waits until all
/// that it comes of is on disk, and a run that goes on forgets what the one before has collected and not noted.
#[derive(Clone, Debug, Default)]
pub struct Collect {
    updates: Collected,
}

impl Operator for Collect {
    fn name(&self) -> &'static str {
        "collect"
    }

    fn describe(&self, _description: &mut Description) {
        // It has no settings.
    }

    fn output(&self, _inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
        Ok(Vec::new())
    }

    fn routing(&self, _input: usize) -> Routing {
        Routing::ToFirst
    }

    fn append_only(&self, _inputs: &[bool]) -> bool {
        true
    }

    fn start(&self, context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        if let Some(kept) = context.kept.as_ref().filter(|_| context.worker == 0) {
            let noted = kept.delivered().and_then(|(_, token)| token.try_into().ok());
            let len = noted.map_or(0, u64::from_le_bytes);
            self.updates.lock().truncate(len as usize);
        }
        Ok(Box::new(CollectTask {
            updates: Arc::clone(&self.updates),
            pending: Vec::new(),
            kept: context.kept,
            waiting: Vec::new(),
        }))
    }
}

struct CollectTask {
    updates: Collected,
    pending: Vec<Batch>,
    kept: Option<KeptOutput>,
    /// What waits until all that it comes of is on disk.
    waiting: Vec<Seen>,
}

impl Task for CollectTask {
    fn absorb(&mut self, _input: usize, batch: Batch, _output: &mut Output) -> Result<(), EngineError> {
        self.pending.push(batch);
        Ok(())
    }

    fn complete(&mut self, time: Time, _output: &mut Output) -> Result<(), EngineError> {
        let batch = Batch::concat(&std::mem::take(&mut self.pending)).consolidated();
        let updates = (0..batch.len()).map(|row| (time, batch.keys()[row], batch.row(row), batch.diff(row)));
        match &self.kept {
            Some(_) => self.waiting.extend(updates),
            None => self.updates.lock().extend(updates),
        }
        Ok(())
    }

    fn durable(&mut self, time: Time) -> Result<(), EngineError> {
        let mut updates = self.updates.lock();
        updates.extend(self.waiting.extract_if(.., |(at, ..)| *at < time));
        if let (Some(kept), Some((last, ..))) = (&self.kept, updates.last()) {
            kept.deliver(*last, (updates.len() as u64).to_le_bytes().to_vec());
        }
        Ok(())
    }

    fn awaits_durability(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn save(&mut self, _saved: &mut Saved) {
        // It has no state between times.
    }

    fn restore(&mut self, table: u16, _rows: Batch, _owners: &[Key]) -> Result<(), EngineError> {
        Err(no_table(table))
    }
}

/// Adds an output that collects columns of a node.
///
/// # Errors
/// If the columns are not visible at the node.
pub fn collect(plan: &mut Plan, node: NodeId, columns: Vec<ColumnId>) -> Result<Collected, PlanError> {
    let collect = Collect::default();
    let updates = Arc::clone(&collect.updates);
    plan.output(Arc::new(collect), Input { node, columns }, None)?;
    Ok(updates)
}

/// A value as tests write it.
pub fn text(value: &Value) -> String {
    match value {
        Value::None => "None".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
        Value::Str(value) => value.to_string(),
        Value::Pointer(key) => format!("^{:x}", key.0),
        Value::Tuple(items) => format!("({})", items.iter().map(text).collect::<Vec<_>>().join(",")),
        Value::Json(document) => document.to_string(),
        Value::Error => "Error".to_owned(),
        other => format!("{other:?}").replace(' ', ""),
    }
}

/// The collected updates in an order that workers and batches do not change: at one time removals first, then by
/// the cells.
pub fn in_order(collected: &Collected) -> Vec<Seen> {
    let mut updates = collected.lock().clone();
    updates.sort_by(
        |(time, key, values, diff), (other_time, other_key, other_values, other_diff)| {
            (time, *diff > 0, values, key, diff).cmp(&(
                other_time,
                *other_diff > 0,
                other_values,
                other_key,
                other_diff,
            ))
        },
    );
    updates
}

/// The collected updates as tests write them, [`in_order`]: a line an update, `time diff cell cell…`, without keys.
pub fn lines(collected: &Collected) -> Vec<String> {
    in_order(collected)
        .iter()
        .map(|(time, _, values, diff)| {
            let cells: Vec<String> = values.iter().map(text).collect();
            format!("{time} {diff:+} {}", cells.join(" "))
        })
        .collect()
}
