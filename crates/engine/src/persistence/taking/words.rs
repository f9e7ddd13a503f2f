//! What the processes of a run tell each other of snapshots.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use towpath_types::Time;

use super::super::snapshots::Part;
use super::super::standing::{Note, Standing};

/// What the processes tell each other of snapshots.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Word {
    /// How far is it?
    Ask,
    /// So far; nothing if it is still sending what was kept.
    Reached(Option<Time>),
    /// Its journal is to go on in a new file.
    Rotate,
    /// It does so, in the file of this number.
    Rotated(u32),
    /// Cut the run here.
    Publish(Time),
    /// So far it was then.
    Published(Time),
    /// Write what was saved.
    Collect(Time),
    /// This is it.
    Collected(Piece),
    /// There are no more snapshots.
    Over,
    /// To the own thread: many rows wait to be written.
    Write,
    /// To the own thread: the run has ended, well or not.
    End(bool),
}

/// What a process adds to a snapshot.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Piece {
    pub(super) part: Option<Part>,
    pub(super) streams: BTreeMap<String, Standing>,
    pub(super) outputs: BTreeMap<String, Note>,
}
