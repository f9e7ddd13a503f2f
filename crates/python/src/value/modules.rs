//! Modules and classes of other packages, imported when a value first needs them.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};

/// Classes of our own package.
pub(super) struct Classes {
    pub(super) json: Py<PyType>,
    pub(super) object: Py<PyType>,
}

static CLASSES: PyOnceLock<Classes> = PyOnceLock::new();

pub(super) fn classes(py: Python<'_>) -> PyResult<&Classes> {
    CLASSES.get_or_try_init(py, || {
        let class = |module, name| PyResult::Ok(py.import(module)?.getattr(name)?.cast_into::<PyType>()?.unbind());
        Ok(Classes {
            json: class("pathway._values.json", "Json")?,
            object: class("pathway._values.objects", "PyObjectWrapper")?,
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

/// A class of numpy, if anybody has imported it: before that there is no instance of it.
fn numpy_class<'py>(
    py: Python<'py>,
    class: &'static PyOnceLock<Py<PyType>>,
    name: &str,
) -> PyResult<Option<&'py Bound<'py, PyType>>> {
    if class.get(py).is_none() {
        let modules = py.import("sys")?.getattr("modules")?.cast_into::<PyDict>()?;
        if modules.get_item("numpy")?.is_none() {
            return Ok(None);
        }
    }
    class.import(py, "numpy", name).map(Some)
}

/// `numpy.ndarray`.
pub(super) fn array_class(py: Python<'_>) -> PyResult<Option<&Bound<'_, PyType>>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    numpy_class(py, &CLASS, "ndarray")
}

/// `numpy.datetime64`.
pub(super) fn moment_class(py: Python<'_>) -> PyResult<Option<&Bound<'_, PyType>>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    numpy_class(py, &CLASS, "datetime64")
}

/// `numpy.timedelta64`.
pub(super) fn span_class(py: Python<'_>) -> PyResult<Option<&Bound<'_, PyType>>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    numpy_class(py, &CLASS, "timedelta64")
}
