//! `Pointer`: the key of a row.

use std::hash::{Hash, Hasher};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyGenericAlias, PyType};
use towpath_types::Key;

/// The key of a row: 128 bits, written `^` and 26 characters.
#[pyclass(name = "Pointer", module = "pathway", frozen, ord, eq, from_py_object)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PyPointer(pub(crate) Key);

#[pymethods]
impl PyPointer {
    #[new]
    fn new(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(text) = value.extract::<String>() {
            return text
                .parse()
                .map(Self)
                .map_err(|error: towpath_types::KeyParseError| PyValueError::new_err(error.to_string()));
        }
        Ok(Self(Key(value.extract()?)))
    }

    fn __int__(&self) -> u128 {
        self.0.0
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("Pointer(\"{}\")", self.0)
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        self.0.hash(&mut hasher);
        hasher.finish()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyType>, (String,)) {
        (slf.get_type(), (slf.get().0.to_string(),))
    }

    /// `Pointer[...]`, for annotations: the types of the primary key.
    #[classmethod]
    fn __class_getitem__<'py>(
        class: &Bound<'py, PyType>,
        arguments: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyGenericAlias>> {
        PyGenericAlias::new(class.py(), class, arguments)
    }
}
