//! `Subject`: the native half of a connector written in Python, and the source that runs it.
//!
//! A subject is an instance of a class of the user's, who may choose any name for an attribute or a method. So nothing of
//! ours is looked up through it: what belongs to it is in the native half, and what works on it is a function.

mod admission;
mod arrow;
mod batches;
mod buffer;
mod columns;
mod commits;
mod early;
mod fork;
mod json;
mod keeping;
mod keywords;
mod methods;
mod native;
mod next;
mod phase;
mod places;
mod running;
pub(crate) mod slots;
mod source;
mod stage;
mod starting;
mod verdict;
mod verdicts;
mod whole;

use pyo3::prelude::*;

pub(crate) use buffer::Settings;
pub(crate) use native::Subject;
pub(crate) use source::PythonSource;
pub(crate) use starting::Starting;

/// Adds everything of subjects to the module.
pub(crate) fn install(module: &Bound<'_, PyModule>) -> PyResult<()> {
    methods::install(module)?;
    next::install(&module.py().get_type::<Subject>())?;
    module.add_class::<running::SubjectStream>()?;
    module.add_function(wrap_pyfunction!(fork::begin_forked_process, module)?)?;
    Ok(())
}
