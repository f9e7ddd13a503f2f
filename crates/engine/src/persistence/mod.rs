//! What a run keeps, so that another can go on where it has ended, however it has ended.
//!
//! Everything that a stream of a source sends is written to a [`journal`] with the time it has, before anything that
//! comes of it goes out; the journal says up to which time it is on disk. A run that begins reads the [`history`] there:
//! each stream sends its rows again at the times they had, and goes on. The same rows at the same times give the same
//! answers, so outputs leave out what they have delivered, as they have noted in the same journal. Where the state of
//! operators is kept, too, in [`snapshots`], the streams begin behind the last one.
//!
//! ```text
//! keeping          all that is kept in a run
//!   comparing      a source that sends all its content again
//!   taking         the thread that takes snapshots
//!   stream_journal what a stream sends
//!   kept_output    what an output has delivered
//!   journal        the thread that writes
//!   durable        what is on disk
//!   figures        what people see of both
//!   history        what was kept of a stream or an output
//!     snapshots    the state of all operators
//!   recovering     how far what was kept has been sent again
//!     resuming     rows that a source sends again
//!     cut          when operators save their state, and what
//!     standing     where a stream goes on
//!     record       what is written of rows and commits
//! inspecting       what is kept, for people; nothing runs
//! recorded         what no run has made, for tests of programs
//! ```

mod comparing;
mod cut;
mod durable;
mod figures;
mod history;
mod inspecting;
mod journal;
mod keeping;
mod kept_output;
mod record;
mod recorded;
mod recovering;
mod resuming;
mod snapshots;
mod standing;
mod stream_journal;
mod taking;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use towpath_durability::{Holder, StateError, Storage};

use crate::error::{EngineError, ErrorKind};

pub(crate) use comparing::Comparing;
pub(crate) use cut::{Cut, StatePart};
pub(crate) use figures::Figures;
pub use figures::{KeptFigures, SnapshotFigures};
pub(crate) use history::{Histories, History, Replayed};
pub use inspecting::{Inspection, KeptConnector, KeptSnapshot, inspect, set_position};
pub(crate) use journal::Journal;
pub(crate) use keeping::{Keeping, KeptStream};
pub use kept_output::KeptOutput;
pub use recorded::{Recorded, recorded};
pub(crate) use recovering::Recovering;
pub(crate) use resuming::Resuming;
pub(crate) use snapshots::{Manifest, Restoring};
pub(crate) use stream_journal::StreamJournal;
pub(crate) use taking::{Local, Surroundings, ToTake, Word};

/// How a run is kept.
#[derive(Clone, Debug)]
pub struct Persistence {
    /// Where.
    pub storage: Arc<dyn Storage>,
    /// Who runs it, for others who would like to.
    pub holder: Holder,
    /// Whether what was kept is read, and whether what comes is kept.
    pub access: Access,
    /// At which times what was kept is sent again.
    pub play: Play,
    /// Whether sources go on when what was kept has been read.
    pub continues: bool,
    /// How the state of all operators is kept, so that a run that goes on needs only what came in since; if it is. Where it is, what came in before is not kept longer than needed.
    pub snapshots: Option<Snapshots>,
}

/// How the state of operators is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshots {
    /// How often at most.
    pub interval: Duration,
    /// So many rows of an operator that were never saved are saved before the run is cut, so that this takes no longer the
    /// more rows come.
    pub early_rows: usize,
}

impl Snapshots {
    /// One each interval at most.
    pub fn each(interval: Duration) -> Self {
        Self {
            interval,
            early_rows: 1 << 15,
        }
    }
}

/// At which times what was kept is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Play {
    /// Those that it had, as fast as it goes.
    AsRecorded,
    /// Those that it had, with the pauses that were between them.
    InRealTime,
    /// All at one.
    AtOnce,
}

/// What is done with what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// It is read, and added to.
    Full,
    /// It is added to. What is there is not read: sources begin anew.
    Record,
    /// It is read, and nothing is added.
    Replay,
}

impl From<StateError> for EngineError {
    fn from(error: StateError) -> Self {
        EngineError::new(ErrorKind::Os, error.to_string())
    }
}
