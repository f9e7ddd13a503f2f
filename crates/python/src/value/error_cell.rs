//! What an error cell is to Python.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// See the module. There is one.
#[pyclass(name = "Error", module = "pathway", frozen)]
#[derive(Debug)]
pub(crate) struct PyError;

#[pymethods]
impl PyError {
    fn __repr__(&self) -> &'static str {
        "Error"
    }
}

static ERROR: PyOnceLock<Py<PyError>> = PyOnceLock::new();

pub(crate) fn error_object(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let error = ERROR.get_or_try_init(py, || Py::new(py, PyError))?;
    Ok(error.bind(py).clone().into_any())
}
