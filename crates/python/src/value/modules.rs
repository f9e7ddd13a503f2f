//! Modules and classes of other packages, imported when a value first needs them.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

/// Classes of our own package.
pub(super) struct Classes {
    pub(super) json: Py<PyType>,
    pub(super) object: Py<PyType>,
}

static CLASSES: PyOnceLock<Classes> = PyOnceLock::new();

pub(super) fn classes(py: Python<'_>) -> PyResult<&Classes> {
    CLASSES.get_or_try_init(py, || {
        let values = py.import("pathway._values")?;
        Ok(Classes {
            json: values.getattr("Json")?.cast_into::<PyType>()?.unbind(),
            object: values.getattr("PyObjectWrapper")?.cast_into::<PyType>()?.unbind(),
        })
    })
}

/// pandas, for moments and durations.
pub(super) fn pandas(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    static PANDAS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    PANDAS
        .get_or_try_init(py, || py.import("pandas").map(Bound::unbind))
        .map(|module| module.bind(py))
}

/// numpy, for arrays.
pub(crate) fn numpy(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    static NUMPY: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    NUMPY
        .get_or_try_init(py, || py.import("numpy").map(Bound::unbind))
        .map(|module| module.bind(py))
}
