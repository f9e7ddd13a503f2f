//! What a snapshot is of: the time after which it holds, its parts, and where the rest goes on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use towpath_cluster::{Declared, first_difference_of};
use towpath_durability::{Beginning, State, damaged_manifest, put_manifest, read_manifest};
use towpath_types::Time;

use super::super::standing::{Note, Standing};
use super::parts::{Part, Parts, RANGES};
use crate::error::{EngineError, ErrorKind};

/// See the module.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The state is that after everything up to this time.
    pub(crate) time: Time,
    /// The oldest first.
    pub(in crate::persistence) parts: Vec<Part>,
    /// What the program is whose state it is.
    pub(in crate::persistence) program: Vec<Declared>,
    /// By the names that streams have in the journal.
    pub(in crate::persistence) streams: BTreeMap<String, Standing>,
    /// By the names that outputs have there: up to which time they have delivered everything, and what they have noted.
    pub(in crate::persistence) outputs: BTreeMap<String, Note>,
    /// Where the journal begins that is still needed.
    pub(crate) beginning: Beginning,
}

impl Manifest {
    /// The manifest of a state, if there is one.
    pub(crate) fn read(state: &State) -> Result<Option<Self>, EngineError> {
        let Some(content) = read_manifest(state)? else {
            return Ok(None);
        };
        match serde_json::from_slice(&content) {
            Ok(manifest) => Ok(Some(manifest)),
            Err(_) => Err(damaged_manifest(state, "it does not say what it is of").into()),
        }
    }

    pub(in crate::persistence) fn write(&self, state: &State) -> Result<(), EngineError> {
        let content =
            serde_json::to_vec(self).map_err(|error| EngineError::os("a snapshot cannot be written", &error.into()))?;
        Ok(put_manifest(state, &content)?)
    }

    /// Whether what came before its time is still in the journal.
    pub(crate) fn is_whole_journal(&self) -> bool {
        self.beginning == Beginning::default()
    }

    /// How many bytes its parts have.
    pub(crate) fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }

    /// How many bytes its parts have, and how many they are.
    pub(in crate::persistence) fn size(&self) -> (u64, usize) {
        (self.bytes(), self.parts.len())
    }

    /// Where a stream stood.
    pub(in crate::persistence) fn stream(&self, name: &str) -> Option<&Standing> {
        self.streams.get(name)
    }

    /// The names of all streams and outputs.
    pub(in crate::persistence) fn names(&self) -> impl Iterator<Item = &str> {
        self.streams.keys().chain(self.outputs.keys()).map(String::as_str)
    }

    /// The last time of a stream or an output.
    pub(in crate::persistence) fn last_time(&self, name: &str) -> Option<Time> {
        let stream = self.streams.get(name).map(|standing| standing.time);
        stream.or_else(|| self.outputs.get(name).map(|(time, _)| *time))
    }

    /// Reads all parts.
    ///
    /// # Errors
    /// If one is missing, damaged, or cannot be read.
    pub(in crate::persistence) fn check_parts(&self, state: &State) -> Result<(), EngineError> {
        let parts = Parts::open(state, &self.parts)?;
        for node in parts.nodes() {
            for number in parts.tables(node) {
                let table = parts.table(node, number)?;
                (0..RANGES).try_for_each(|range| table.live(range, |_| Ok(())))?;
            }
        }
        Ok(())
    }

    /// The names of all outputs.
    pub(crate) fn output_names(&self) -> impl Iterator<Item = &str> {
        self.outputs.keys().map(String::as_str)
    }

    /// What all outputs had delivered.
    pub(in crate::persistence) fn outputs(&self) -> &BTreeMap<String, Note> {
        &self.outputs
    }

    /// Makes sure that it is the state of this program.
    ///
    /// # Errors
    /// If it is that of another.
    pub(crate) fn check_program(&self, program: &[Declared]) -> Result<(), EngineError> {
        match first_difference_of(program, &self.program, "when its state was kept") {
            None => Ok(()),
            Some(difference) => {
                let advice = if self.is_whole_journal() {
                    "Everything that came in is kept, too: PersistenceMode.PERSISTING computes it anew with this program"
                } else {
                    "Only the state of that program is kept. Go on with it, or begin anew: reset the state. \
                     PersistenceMode.PERSISTING keeps everything that comes in, so that the program may change"
                };
                let message = format!("the program is not the one whose state is kept. {difference}. {advice}");
                Err(EngineError::new(ErrorKind::Value, message))
            }
        }
    }
}
