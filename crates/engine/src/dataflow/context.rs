//! What the workers of a run know of it.

use std::sync::Arc;

use towpath_types::Time;

use super::ending::Ending;
use super::on_the_way::Ledger;
use super::opening::Opening;
use super::times::SourceTimes;
use crate::clock::Clock;
use crate::monitor::Watched;
use crate::persistence::Keeping;
use crate::physical::PhysicalPlan;
use crate::reporter::ErrorLog;
use crate::source::Team;

/// See the module.
pub(crate) struct RunContext {
    pub(crate) plan: PhysicalPlan,
    /// For every node: what is watched, and the streams of a source that are read here.
    pub(crate) watched: Arc<[Watched]>,
    pub(crate) team: Team,
    /// The number of this process.
    pub(crate) process: usize,
    /// What the streams of all sources know of each other.
    pub(crate) times: Arc<SourceTimes>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The time of the first commits.
    pub(crate) start: Time,
    /// Where failures go, and where those of what is computed from the tables of errors.
    pub(crate) logs: [Arc<dyn ErrorLog>; 2],
    /// What rows are on their way to other processes, and from them.
    pub(crate) ledger: Arc<Ledger>,
    /// Whether it has begun.
    pub(crate) opening: Opening,
    pub(crate) ending: Arc<Ending>,
    /// What is kept for the next run, if anything is.
    pub(crate) keeping: Option<Keeping>,
}
