//! The Python binding: all of PyO3, and nothing else knows Python.
//!
//! One file for each thing of `_native.pyi`. Values are translated in [`value`], failures in [`error`]; rows
//! come in through [`subject`] and go out through [`sinks`]. Threads of ours enter Python through the [`door`].

mod door;
mod dtype;
mod error;
mod expression;
mod fingerprint;
mod log;
mod memory;
mod place;
mod plan;
mod pointer;
mod run;
mod sinks;
mod state;
mod static_source;
mod subject;
mod user_function;
mod value;

use pyo3::prelude::*;

/// The engine, as Python sees it.
///
/// It relies on the lock of the interpreter, and says so: a Python that can do without switches it on when this is
/// imported. What relies on it are the parts that are `unsafe` for the sake of speed: the names of calls that
/// [`subject`] remembers, the lists, texts and numbers that are read without a further reference while nobody can
/// change them, and the raw methods that take the lock for granted.
#[pymodule(gil_used = true)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    memory::keep_what_is_freed();
    // A second import in the same process finds the first one's subscriber.
    towpath_types::wire::set_object_decoder(value::decode_object);
    let _ = tracing::subscriber::set_global_default(log::Forward);
    module.add_class::<dtype::PyDType>()?;
    module.add_class::<value::PyError>()?;
    module.add("ERROR", value::error_object(py)?)?;
    module.add_class::<pointer::PyPointer>()?;
    module.add_class::<expression::PyExpression>()?;
    module.add_class::<plan::PyField>()?;
    module.add_class::<plan::PyPlan>()?;
    module.add_class::<run::PyRun>()?;
    module.add_class::<run::PyStatistics>()?;
    module.add_class::<run::PyKeptFigures>()?;
    module.add_class::<sinks::capture::PyCapture>()?;
    subject::install(module)?;
    module.add_function(wrap_pyfunction!(door::begin_forked, module)?)?;
    module.add_function(wrap_pyfunction!(door::close_door, module)?)?;
    module.add_function(wrap_pyfunction!(dtype::infer_dtype, module)?)?;
    module.add_function(wrap_pyfunction!(expression::functions, module)?)?;
    module.add_function(wrap_pyfunction!(expression::reducers, module)?)?;
    module.add_function(wrap_pyfunction!(plan::pointer_from, module)?)?;
    module.add_function(wrap_pyfunction!(state::fail_points, module)?)?;
    module.add_function(wrap_pyfunction!(state::inspect_state, module)?)?;
    module.add_function(wrap_pyfunction!(state::set_state_position, module)?)?;
    module.add_function(wrap_pyfunction!(state::delete_state, module)?)?;
    Ok(())
}
