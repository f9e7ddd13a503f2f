//! JSON documents.

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDateTime, PyDict, PyFloat, PyInt, PyList, PyString};
use serde_json::Value as Document;
use towpath_types::DType;

use super::from_python::{Nesting, sequence};
use super::modules::classes;
use super::refusal::{out_of_range, refuse, shown, type_name};

/// The value as a JSON document.
pub(super) fn json(value: &Bound<'_, PyAny>) -> PyResult<Document> {
    let py = value.py();
    let _nesting = Nesting::deeper()?;
    if value.is_none() {
        return Ok(Document::Null);
    }
    if let Ok(value) = value.cast::<PyBool>() {
        return Ok(Document::Bool(value.is_true()));
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(Document::String(text.to_str()?.to_owned()));
    }
    if value.is_instance_of::<PyInt>() {
        return match value.extract::<i64>() {
            Ok(value) => Ok(value.into()),
            Err(_) => value.extract::<u64>().map(Into::into).or_else(|_| out_of_range(value)),
        };
    }
    if let Ok(float) = value.cast::<PyFloat>() {
        return match serde_json::Number::from_f64(float.value()) {
            Some(number) => Ok(Document::Number(number)),
            None => refuse(value, &DType::Json),
        };
    }
    if let Ok(members) = value.cast::<PyDict>() {
        let mut document = serde_json::Map::new();
        for (name, member) in members.iter() {
            let name = if name.is_instance_of::<PyString>() || name.is_instance_of::<PyInt>() {
                name.str()?.to_str()?.to_owned()
            } else {
                return Err(PyTypeError::new_err(format!(
                    "cannot take a dict with the key {} ({}) as Json; keys are strings",
                    shown(&name),
                    type_name(&name)
                )));
            };
            document.insert(name, json(&member)?);
        }
        return Ok(Document::Object(document));
    }
    if let Some(items) = sequence(value) {
        return Ok(Document::Array(items.iter().map(json).collect::<PyResult<_>>()?));
    }
    if value.is_instance(classes(py)?.json.bind(py))? {
        return json(&value.getattr(intern!(py, "value"))?);
    }
    if value.is_instance_of::<PyDateTime>() {
        return Ok(Document::String(value.call_method0("isoformat")?.extract()?));
    }
    refuse(value, &DType::Json)
}

/// A JSON document as Python has it.
pub(super) fn json_to_python<'py>(py: Python<'py>, document: &Document) -> PyResult<Bound<'py, PyAny>> {
    Ok(match document {
        Document::Null => py.None().into_bound(py),
        Document::Bool(value) => PyBool::new(py, *value).to_owned().into_any(),
        Document::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(value), ..) => value.into_pyobject(py)?.into_any(),
            (_, Some(value), _) => value.into_pyobject(py)?.into_any(),
            (.., value) => PyFloat::new(py, value.unwrap_or(f64::NAN)).into_any(),
        },
        Document::String(text) => PyString::new(py, text).into_any(),
        Document::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(json_to_python(py, item)?)?;
            }
            list.into_any()
        }
        Document::Object(members) => {
            let dict = PyDict::new(py);
            for (name, member) in members {
                dict.set_item(name, json_to_python(py, member)?)?;
            }
            dict.into_any()
        }
    })
}
