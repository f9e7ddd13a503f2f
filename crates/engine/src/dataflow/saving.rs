//! Saves the state of an operator where the run is cut.

use std::sync::Arc;

use towpath_types::Time;

use crate::operator::Task;
use crate::persistence::{Cut, StatePart};
use crate::program::RunningProgram;
use crate::state::{Saved, take_new};

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
    /// How many rows were never saved.
    new: usize,
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
            new: 0,
        }
    }

    /// The operator has worked.
    pub(super) fn worked(&mut self) {
        self.new += take_new();
    }

    /// All of a time is done. Where many rows have come they are saved at once; what changes of them until the run is cut is
    /// saved again.
    pub(super) fn settled(&mut self, task: &mut dyn Task, program: &mut RunningProgram) {
        if self.new >= self.cut.early_rows() {
            self.save_at(self.opened, None, task, program);
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
        self.save_at(cut, Some(cut), task, program);
    }

    /// The same when nothing comes any more.
    pub(super) fn end(&mut self, task: &mut dyn Task, program: &mut RunningProgram) {
        self.saved = Time::MAX;
        self.save_at(self.opened, Some(Time::MAX), task, program);
    }

    /// Saves what has changed up to a time; `until` says for which cuts that is all.
    fn save_at(&mut self, time: Time, until: Option<Time>, task: &mut dyn Task, program: &mut RunningProgram) {
        self.new = 0;
        let mut saved = Saved::default();
        task.save(&mut saved);
        self.cut.saved(self.task, time, until, saved.into_rows());
        if let Some(number) = self.program {
            let mut saved = Saved::default();
            program.save(&mut saved);
            self.cut.saved(number, time, until, saved.into_rows());
        }
    }
}
