//! Python objects that the engine carries without looking into them.

use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use towpath_types::{Object, Value, Words};

use super::modules::classes;
use crate::door;
use crate::error::described;
use crate::fingerprint::words;

/// The object as a value.
pub(super) fn object(value: &Bound<'_, PyAny>) -> Value {
    Value::Object(Arc::new(PyObjectValue::new(value)))
}

/// A Python object that the engine carries.
#[derive(Debug)]
pub(super) struct PyObjectValue {
    pub(super) object: Py<PyAny>,
    identity: OnceLock<Arc<[u8]>>,
    transport: OnceLock<Result<Arc<[u8]>, Arc<str>>>,
}

/// An object that came from another process, or why it cannot be made again.
pub(crate) fn decode(bytes: &[u8]) -> Result<Arc<dyn Object>, String> {
    door::attach(|py| {
        let object = py
            .import("pickle")
            .and_then(|pickle| pickle.getattr("loads"))
            .and_then(|loads| door::call(&loads, &[PyBytes::new(py, bytes).into_any()], None))
            .map_err(|error| described(py, &error))?;
        Ok(Arc::new(PyObjectValue::new(&object)) as Arc<dyn Object>)
    })
}

impl PyObjectValue {
    fn new(object: &Bound<'_, PyAny>) -> Self {
        Self {
            object: object.clone().unbind(),
            identity: OnceLock::new(),
            transport: OnceLock::new(),
        }
    }
}

impl Object for PyObjectValue {
    fn identity(&self) -> Arc<[u8]> {
        Arc::clone(self.identity.get_or_init(|| {
            door::attach(|py| {
                // An object that cannot be pickled is equal to itself alone.
                pickled(self.object.bind(py)).unwrap_or_else(|_| numbered(self.object.bind(py)))
            })
        }))
    }

    fn transport(&self) -> Result<Arc<[u8]>, Arc<str>> {
        let pickle = |py: Python<'_>| {
            let bytes = dumps(self.object.bind(py))?;
            PyResult::Ok(bytes.cast::<PyBytes>()?.as_bytes().into())
        };
        self.transport
            .get_or_init(|| door::attach(|py| pickle(py).map_err(|error| described(py, &error).into())))
            .clone()
    }

    fn words(&self) -> Words {
        door::attach(|py| {
            let object = self.object.bind(py);
            let said = || {
                let value = if object.is_instance(classes(py)?.object.bind(py))? {
                    &object.getattr(intern!(py, "value"))?
                } else {
                    object
                };
                words(
                    &py.import("pathway._ground.fingerprint")?
                        .call_method1("of_object", (value,))?,
                )
            };
            said().unwrap_or_else(|error| {
                // Text that is no text. What cannot be told is not compared.
                tracing::debug!(target: "pathway", "an object cannot be described: {error}");
                Words::default()
            })
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A number that no other object of any process has. It is not the address, which another object may have later.
fn numbered(object: &Bound<'_, PyAny>) -> Arc<[u8]> {
    static OTHERS: AtomicU64 = AtomicU64::new(0);
    let number = || {
        let module = object
            .py()
            .import(intern!(object.py(), "pathway._values.object_numbers"))?;
        module
            .call_method1(intern!(object.py(), "number_of"), (object,))?
            .extract::<Vec<u8>>()
    };
    // What cannot even be asked is equal to this value alone.
    let bytes = number().unwrap_or_else(|_| OTHERS.fetch_add(1, Ordering::Relaxed).to_le_bytes().to_vec());
    bytes.into()
}

fn pickled(object: &Bound<'_, PyAny>) -> PyResult<Arc<[u8]>> {
    let bytes = match object.getattr_opt(intern!(object.py(), "_dumps"))? {
        Some(dumps) => door::call(&dumps, &[], None)?,
        None => dumps(object)?,
    };
    Ok(bytes.cast::<PyBytes>()?.as_bytes().into())
}

fn dumps<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let dumps = object.py().import("pickle")?.getattr("dumps")?;
    door::call(&dumps, std::slice::from_ref(object), None)
}
