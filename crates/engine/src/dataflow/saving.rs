//! Saves the state of an operator where the run is cut.

use std::sync::Arc;

use towpath_types::Time;

use crate::operator::Task;
use crate::persistence::{Cut, StatePart};
use crate::program::RunningProgram;
use crate::state::Saved;

/// What an operator does to have its state saved.
pub(super) struct Saving {
    cut: Arc<Cut>,
    /// The numbers of its parts.
    task: usize,
    program: Option<usize>,
    /// The last time that it has opened.
    opened: Time,
    /// The last cut for which it has saved.
    saved: Time,
}

impl Saving {
    /// For the operator of a node.
    pub(super) fn new(cut: &Arc<Cut>, node: usize, program_has_state: bool) -> Self {
        let part = |is_program| StatePart { node, is_program };
        Self {
            cut: Arc::clone(cut),
            task: cut.join(part(false)),
            program: program_has_state.then(|| cut.join(part(true))),
            opened: 0,
            saved: 0,
        }
    }

    /// The operator opens a time; whether it has to save first.
    pub(super) fn opens(&mut self, time: Time) -> Option<Time> {
        self.opened = time;
        self.cut.opens(time).filter(|cut| *cut > self.saved)
    }

    /// Where the run is cut, if the operator has not saved for that.
    pub(super) fn due(&self) -> Option<Time> {
        self.cut.wanted().filter(|cut| *cut > self.saved)
    }

    /// Saves what has changed, after all up to a cut was done and nothing later.
    pub(super) fn save(&mut self, cut: Time, task: &mut dyn Task, program: &mut RunningProgram) {
        self.saved = cut;
        self.save_at(cut, false, task, program);
    }

    /// The same when nothing comes any more.
    pub(super) fn end(&mut self, task: &mut dyn Task, program: &mut RunningProgram) {
        self.saved = Time::MAX;
        self.save_at(self.opened, true, task, program);
    }

    fn save_at(&self, time: Time, has_ended: bool, task: &mut dyn Task, program: &mut RunningProgram) {
        let mut saved = Saved::default();
        task.save(&mut saved);
        self.cut.saved(self.task, time, has_ended, saved.into_rows());
        if let Some(number) = self.program {
            let mut saved = Saved::default();
            program.save(&mut saved);
            self.cut.saved(number, time, has_ended, saved.into_rows());
        }
    }
}
