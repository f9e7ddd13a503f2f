//! JSON documents, by the rules of Python's `json`: names of members are texts, numbers and the like become one.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDateTime, PyDelta, PyDict, PyFloat, PyInt, PyList, PyString};
use towpath_types::{DIGITS, DType, Json, JsonObject, NESTING, Value};

use super::modules::classes;
use super::moments::{duration, moment_text};
use super::parts::{inner, sequence, text};
use super::refusal::{refuse, shown, type_name};

/// The value as a JSON document, with at most `levels` lists and dicts inside of each other.
pub(super) fn json(value: &Bound<'_, PyAny>, levels: usize) -> PyResult<Json> {
    let py = value.py();
    if value.is_none() {
        return Ok(Json::Null);
    }
    if let Ok(value) = value.cast::<PyBool>() {
        return Ok(Json::Bool(value.is_true()));
    }
    if value.is_instance_of::<PyString>() {
        return Ok(Json::Str(text(value)?.into()));
    }
    if value.is_instance_of::<PyInt>() {
        return match value.extract::<i64>() {
            Ok(value) => Ok(Json::Int(value)),
            Err(_) => whole(value),
        };
    }
    if let Ok(float) = value.cast::<PyFloat>() {
        return Ok(Json::Float(float.value()));
    }
    if let Ok(members) = value.cast::<PyDict>() {
        let levels = inner(levels)?;
        // What converts a member may change the dict.
        let members: Vec<_> = members.iter().collect();
        let members = members
            .iter()
            .map(|(name, member)| Ok((member_name(name)?, json(member, levels)?)));
        return Ok(Json::Object(Box::new(JsonObject::new(
            members.collect::<PyResult<_>>()?,
        ))));
    }
    if let Some(items) = sequence(value) {
        let levels = inner(levels)?;
        let items = items.iter().map(|item| json(item, levels));
        return Ok(Json::List(items.collect::<PyResult<_>>()?));
    }
    if value.is_instance_of::<PyDateTime>()
        && let Some(text) = moment_text(value)?
    {
        return Ok(Json::str(&text));
    }
    if value.is_instance_of::<PyDelta>()
        && let Some(Value::Duration(nanoseconds)) = duration(value)?
    {
        return Ok(Json::Int(nanoseconds));
    }
    // A `Json` in a `Json` is one document, and no level of nesting; but one may hold itself.
    let class = classes(py)?.json.bind(py);
    let (mut held, mut wrappers) = (value.clone(), NESTING);
    while held.is_instance(class)? {
        wrappers = inner(wrappers)?;
        held = held.getattr(intern!(py, "value"))?;
    }
    if held.is(value) {
        return refuse(value, &DType::Json);
    }
    json(&held, levels)
}

/// An int beyond 64 bits, whatever its class says of it.
fn whole(value: &Bound<'_, PyAny>) -> PyResult<Json> {
    let digits = digits(value)?;
    Json::whole(&digits)
        .ok_or_else(|| PyValueError::new_err(format!("the integer has {} digits, more than {DIGITS}", digits.len())))
}

fn digits(value: &Bound<'_, PyAny>) -> PyResult<String> {
    let py = value.py();
    py.get_type::<PyInt>()
        .call_method1(intern!(py, "__repr__"), (value,))?
        .extract()
}

fn member_name(name: &Bound<'_, PyAny>) -> PyResult<Box<str>> {
    if name.is_instance_of::<PyString>() {
        return Ok(text(name)?.into());
    }
    if name.is_none() {
        return Ok("null".into());
    }
    if let Ok(name) = name.cast::<PyBool>() {
        return Ok(if name.is_true() { "true" } else { "false" }.into());
    }
    if name.is_instance_of::<PyInt>() {
        return Ok(digits(name)?.into());
    }
    if let Ok(float) = name.cast::<PyFloat>() {
        let plain = PyFloat::new(name.py(), float.value());
        return Ok(match float.value() {
            value if value.is_nan() => "NaN".into(),
            f64::INFINITY => "Infinity".into(),
            f64::NEG_INFINITY => "-Infinity".into(),
            _ => plain.repr()?.to_str()?.into(),
        });
    }
    Err(PyTypeError::new_err(format!(
        "cannot take a dict with the key {} ({}) as Json; keys are strings",
        shown(name),
        type_name(name)
    )))
}

/// A JSON document as Python has it.
pub(super) fn json_to_python<'py>(py: Python<'py>, document: &Json) -> PyResult<Bound<'py, PyAny>> {
    Ok(match document {
        Json::Null => py.None().into_bound(py),
        Json::Bool(value) => PyBool::new(py, *value).to_owned().into_any(),
        Json::Int(value) => value.into_pyobject(py)?.into_any(),
        Json::Whole(whole) => py.get_type::<PyInt>().call1((whole.digits(),))?,
        Json::Float(value) => PyFloat::new(py, *value).into_any(),
        Json::Str(text) => PyString::new(py, text).into_any(),
        Json::List(items) => {
            let items: Vec<_> = items
                .iter()
                .map(|item| json_to_python(py, item))
                .collect::<PyResult<_>>()?;
            PyList::new(py, items)?.into_any()
        }
        Json::Object(members) => {
            let dict = PyDict::new(py);
            for (name, member) in members.iter() {
                dict.set_item(name, json_to_python(py, member)?)?;
            }
            dict.into_any()
        }
    })
}
