//! Values between Python and the engine: the one place that knows how each type looks on both sides.
//!
//! What is accepted for a column of a given type is the table of the connector guide: an `int` column takes
//! `int`, `bool` and numpy integers, but no `1.0`; and so on. Everything else is refused with a message that
//! says what was given and what is wanted.

use std::any::Any;
use std::cell::Cell;
use std::sync::{Arc, OnceLock};

use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyBool, PyBytes, PyDateTime, PyDelta, PyDeltaAccess, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple, PyType,
};
use towpath_types::{Cells, Column, DType, Key, NdArray, Object, Value};

use crate::pointer::PyPointer;

/// A Python object that the engine carries.
#[derive(Debug)]
pub(crate) struct PyObjectValue {
    object: Py<PyAny>,
    identity: OnceLock<Arc<[u8]>>,
}

impl PyObjectValue {
    fn new(object: Py<PyAny>) -> Self {
        Self {
            object,
            identity: OnceLock::new(),
        }
    }
}

impl Object for PyObjectValue {
    fn identity(&self) -> Arc<[u8]> {
        Arc::clone(self.identity.get_or_init(|| {
            Python::attach(|py| {
                pickled(self.object.bind(py)).unwrap_or_else(|_| {
                    // An object that cannot be pickled is equal to itself alone.
                    (self.object.as_ptr() as u64).to_le_bytes().as_slice().into()
                })
            })
        }))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn pickled(object: &Bound<'_, PyAny>) -> PyResult<Arc<[u8]>> {
    let bytes = match object.getattr_opt(intern!(object.py(), "_dumps"))? {
        Some(dumps) => dumps.call0()?,
        None => object.py().import("pickle")?.call_method1("dumps", (object,))?,
    };
    Ok(bytes.cast::<PyBytes>()?.as_bytes().into())
}

/// Classes of other modules, looked up when a value first needs them.
pub(crate) struct Classes {
    pub(crate) json: Py<PyType>,
    pub(crate) object: Py<PyType>,
}

/// pandas, for moments and durations; imported when the first is handed out.
static PANDAS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

fn pandas(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    PANDAS
        .get_or_try_init(py, || py.import("pandas").map(Bound::unbind))
        .map(|module| module.bind(py))
}

static CLASSES: PyOnceLock<Classes> = PyOnceLock::new();

pub(crate) fn classes(py: Python<'_>) -> PyResult<&Classes> {
    CLASSES.get_or_try_init(py, || {
        let values = py.import("pathway._values")?;
        Ok(Classes {
            json: values.getattr("Json")?.cast_into::<PyType>()?.unbind(),
            object: values.getattr("PyObjectWrapper")?.cast_into::<PyType>()?.unbind(),
        })
    })
}

static NUMPY: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

pub(crate) fn numpy(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    NUMPY
        .get_or_try_init(py, || py.import("numpy").map(Bound::unbind))
        .map(|module| module.bind(py))
}

/// The repr of a value for a message, cut if it is long.
pub(crate) fn shown(value: &Bound<'_, PyAny>) -> String {
    let text = value
        .repr()
        .map_or_else(|_| "a value without repr".to_owned(), |repr| repr.to_string());
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The name of a value's type, as a user writes it.
pub(crate) fn type_name(value: &Bound<'_, PyAny>) -> String {
    value
        .get_type()
        .fully_qualified_name()
        .map_or_else(|_| "?".to_owned(), |name| name.to_string())
}

fn refuse<T>(value: &Bound<'_, PyAny>, dtype: &DType) -> PyResult<T> {
    let hint = match dtype.required() {
        DType::DateTimeNaive if value.is_instance_of::<PyDateTime>() => {
            "; it has a time zone: declare the column as DateTimeUtc, or drop it with .replace(tzinfo=None)"
        }
        DType::DateTimeUtc if value.is_instance_of::<PyDateTime>() => {
            "; it has no time zone: declare the column as DateTimeNaive, or add one with .replace(tzinfo=...)"
        }
        _ if value.is_none() => "; declare the column as optional if it may be None",
        _ => "",
    };
    Err(PyTypeError::new_err(format!(
        "cannot take {} ({}) as {dtype}{hint}",
        shown(value),
        type_name(value)
    )))
}

fn out_of_range<T>(value: &Bound<'_, PyAny>) -> PyResult<T> {
    Err(PyOverflowError::new_err(format!(
        "the integer {} does not fit into 64 bits",
        shown(value)
    )))
}

fn int(value: &Bound<'_, PyAny>) -> PyResult<i64> {
    value.extract::<i64>().or_else(|_| out_of_range(value))
}

/// Values are nested at most so deep.
const DEPTH: usize = 200;

thread_local! {
    static NESTED: Cell<usize> = const { Cell::new(0) };
}

/// Counts how deep a value is nested, for as long as it lives: a value may contain itself.
struct Nesting;

impl Nesting {
    fn deeper() -> PyResult<Self> {
        if NESTED.get() >= DEPTH {
            return Err(PyValueError::new_err(format!(
                "the value is nested more than {DEPTH} levels deep"
            )));
        }
        NESTED.set(NESTED.get() + 1);
        Ok(Nesting)
    }
}

impl Drop for Nesting {
    fn drop(&mut self) {
        NESTED.set(NESTED.get() - 1);
    }
}

/// The value for a column of type `dtype`.
///
/// # Errors
/// `TypeError`, `ValueError` or `OverflowError` if it does not fit.
pub(crate) fn convert(value: &Bound<'_, PyAny>, dtype: &DType) -> PyResult<Value> {
    match dtype {
        DType::Optional(_) | DType::None if value.is_none() => Ok(Value::None),
        DType::Optional(inner) => convert(value, inner),
        DType::Any => infer(value),
        DType::Bool => match value.cast::<PyBool>() {
            Ok(value) => Ok(Value::Bool(value.is_true())),
            Err(_) if is_numpy(value, &["bool", "bool_"]) => Ok(Value::Bool(value.is_truthy()?)),
            Err(_) => refuse(value, dtype),
        },
        DType::Int => {
            if value.is_instance_of::<PyInt>() {
                return Ok(Value::Int(int(value)?));
            }
            if value.is_instance_of::<PyFloat>() || value.is_none() {
                return refuse(value, dtype);
            }
            match value.call_method0(intern!(value.py(), "__index__")) {
                Ok(index) => Ok(Value::Int(int(&index)?)),
                Err(_) => refuse(value, dtype),
            }
        }
        DType::Float => {
            if let Ok(value) = value.cast::<PyFloat>() {
                return Ok(Value::Float(value.value()));
            }
            if value.is_instance_of::<PyInt>() {
                return match value.extract::<f64>() {
                    Ok(value) => Ok(Value::Float(value)),
                    Err(_) => out_of_range(value),
                };
            }
            if value.is_none() {
                return refuse(value, dtype);
            }
            if is_numpy(value, &["complex64", "complex128"]) {
                return refuse(value, dtype);
            }
            match value.call_method0(intern!(value.py(), "__float__")) {
                Ok(float) => Ok(Value::Float(float.extract()?)),
                Err(_) => refuse(value, dtype),
            }
        }
        DType::Str => match value.cast::<PyString>() {
            Ok(text) => match text.to_str() {
                Ok(text) => Ok(Value::str(text)),
                Err(_) => Err(PyValueError::new_err(format!(
                    "the text {} is no valid Unicode: it has lone surrogates",
                    shown(value)
                ))),
            },
            Err(_) => refuse(value, dtype),
        },
        DType::Bytes => match value.cast::<PyBytes>() {
            Ok(bytes) => Ok(Value::Bytes(bytes.as_bytes().into())),
            Err(_) => refuse(value, dtype),
        },
        DType::Pointer => pointer(value).map_or_else(|| refuse(value, dtype), Ok),
        DType::Json => Ok(Value::Json(Arc::new(json(value)?))),
        DType::Tuple(dtypes) => {
            let items = sequence(value).map_or_else(|| refuse(value, dtype), Ok)?;
            if items.len() != dtypes.len() {
                return Err(PyTypeError::new_err(format!(
                    "cannot take {} as {dtype}: it has {} items, not {}",
                    shown(value),
                    items.len(),
                    dtypes.len()
                )));
            }
            let items = items
                .iter()
                .zip(dtypes.iter())
                .map(|(item, dtype)| convert(item, dtype));
            Ok(Value::Tuple(items.collect::<PyResult<_>>()?))
        }
        DType::List(item_dtype) => {
            let items = match sequence(value) {
                Some(items) => items,
                None if is_array(value) => value.call_method0("tolist")?.try_iter()?.collect::<PyResult<_>>()?,
                None => return refuse(value, dtype),
            };
            Ok(Value::Tuple(
                items
                    .iter()
                    .map(|item| convert(item, item_dtype))
                    .collect::<PyResult<_>>()?,
            ))
        }
        DType::Array(dimensions, element) => {
            if !is_array(value) {
                return refuse(value, dtype);
            }
            array(value, *dimensions, element)
        }
        DType::DateTimeNaive | DType::DateTimeUtc => match date_time(value)? {
            Some(found @ Value::DateTimeNaive(_)) if *dtype == DType::DateTimeNaive => Ok(found),
            Some(found @ Value::DateTimeUtc(_)) if *dtype == DType::DateTimeUtc => Ok(found),
            _ => refuse(value, dtype),
        },
        DType::Duration => duration(value)?.map_or_else(|| refuse(value, dtype), Ok),
        DType::Object => {
            if value.is_instance(classes(value.py())?.object.bind(value.py()))? {
                Ok(object(value))
            } else {
                refuse(value, dtype)
            }
        }
        DType::Callable if value.is_callable() => Ok(object(value)),
        DType::Future(inner) => convert(value, inner),
        DType::Callable | DType::None => refuse(value, dtype),
    }
}

fn object(value: &Bound<'_, PyAny>) -> Value {
    Value::Object(Arc::new(PyObjectValue::new(value.clone().unbind())))
}

fn pointer(value: &Bound<'_, PyAny>) -> Option<Value> {
    if let Ok(pointer) = value.cast::<PyPointer>() {
        return Some(Value::Pointer(pointer.get().0));
    }
    value
        .cast::<PyString>()
        .ok()?
        .to_str()
        .ok()?
        .parse::<Key>()
        .ok()
        .map(Value::Pointer)
}

fn sequence<'py>(value: &Bound<'py, PyAny>) -> Option<Vec<Bound<'py, PyAny>>> {
    if let Ok(tuple) = value.cast::<PyTuple>() {
        return Some(tuple.iter().collect());
    }
    value.cast::<PyList>().ok().map(|list| list.iter().collect())
}

/// Whether the value is of one of numpy's types; numpy is not imported to find out.
fn is_numpy(value: &Bound<'_, PyAny>, names: &[&str]) -> bool {
    let class = value.get_type();
    class.module().is_ok_and(|module| module == "numpy")
        && class.name().is_ok_and(|name| names.iter().any(|other| name == *other))
}

fn is_array(value: &Bound<'_, PyAny>) -> bool {
    is_numpy(value, &["ndarray"])
}

fn array(value: &Bound<'_, PyAny>, dimensions: Option<usize>, element: &DType) -> PyResult<Value> {
    let py = value.py();
    let shape: Vec<usize> = value.getattr(intern!(py, "shape"))?.extract()?;
    if dimensions.is_some_and(|dimensions| dimensions != shape.len()) {
        return Err(PyTypeError::new_err(format!(
            "cannot take an array of {} dimensions where {} are declared",
            shape.len(),
            dimensions.unwrap_or_default()
        )));
    }
    let kind: String = value
        .getattr(intern!(py, "dtype"))?
        .getattr(intern!(py, "kind"))?
        .extract()?;
    let is_int = match (kind.as_str(), element) {
        ("i" | "u" | "b", DType::Float) => false,
        ("i" | "u" | "b", _) => true,
        ("f", DType::Int) => {
            return Err(PyTypeError::new_err(
                "cannot take an array of floats as an array of ints",
            ));
        }
        ("f", _) => false,
        _ => {
            return Err(PyTypeError::new_err(format!(
                "cannot take an array of dtype {}; arrays hold ints or floats",
                value.getattr("dtype")?
            )));
        }
    };
    let plain = numpy(py)?.call_method1("ascontiguousarray", (value, if is_int { "<i8" } else { "<f8" }))?;
    let bytes = plain.call_method0("tobytes")?;
    let words = bytes.cast::<PyBytes>()?.as_bytes().chunks_exact(8).map(|word| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(word);
        u64::from_le_bytes(bytes)
    });
    let shape = shape.into();
    Ok(if is_int {
        Value::IntArray(NdArray {
            shape,
            elements: words.map(|word| word as i64).collect(),
        })
    } else {
        Value::FloatArray(NdArray {
            shape,
            elements: words.map(f64::from_bits).collect(),
        })
    })
}

/// Nanoseconds since the epoch of pandas' types, which know them; others count in microseconds.
fn nanoseconds(value: &Bound<'_, PyAny>) -> PyResult<Option<i64>> {
    match value.getattr_opt(intern!(value.py(), "value"))? {
        Some(nanoseconds) => Ok(Some(nanoseconds.extract()?)),
        None => Ok(None),
    }
}

fn date_time(value: &Bound<'_, PyAny>) -> PyResult<Option<Value>> {
    let py = value.py();
    if !value.is_instance_of::<PyDateTime>() {
        return Ok(None);
    }
    let is_aware = !value.call_method0(intern!(py, "utcoffset"))?.is_none();
    let wrap = if is_aware {
        Value::DateTimeUtc
    } else {
        Value::DateTimeNaive
    };
    if let Some(nanoseconds) = nanoseconds(value)? {
        return Ok(Some(wrap(nanoseconds)));
    }
    let datetime = py.import("datetime")?;
    let utc = datetime.getattr("timezone")?.getattr("utc")?;
    let aware = if is_aware {
        value.clone()
    } else {
        let keywords = PyDict::new(py);
        keywords.set_item("tzinfo", &utc)?;
        value.call_method("replace", (), Some(&keywords))?
    };
    let epoch = datetime.getattr("datetime")?.call1((1970, 1, 1, 0, 0, 0, 0, &utc))?;
    let since = aware.sub(epoch)?;
    match delta_nanoseconds(&since)? {
        Some(nanoseconds) => Ok(Some(wrap(nanoseconds))),
        None => Err(PyOverflowError::new_err(format!(
            "the moment {} is outside of the years 1678 to 2261, which nanoseconds can count",
            shown(value)
        ))),
    }
}

fn delta_nanoseconds(value: &Bound<'_, PyAny>) -> PyResult<Option<i64>> {
    let delta = value.cast::<PyDelta>()?;
    let seconds = i64::from(delta.get_days()) * 86_400 + i64::from(delta.get_seconds());
    Ok(seconds
        .checked_mul(1_000_000_000)
        .and_then(|nanoseconds| nanoseconds.checked_add(i64::from(delta.get_microseconds()) * 1000)))
}

fn duration(value: &Bound<'_, PyAny>) -> PyResult<Option<Value>> {
    if !value.is_instance_of::<PyDelta>() {
        return Ok(None);
    }
    if let Some(nanoseconds) = nanoseconds(value)? {
        return Ok(Some(Value::Duration(nanoseconds)));
    }
    match delta_nanoseconds(value)? {
        Some(nanoseconds) => Ok(Some(Value::Duration(nanoseconds))),
        None => out_of_range(value),
    }
}

/// The value as a JSON document.
pub(crate) fn json(value: &Bound<'_, PyAny>) -> PyResult<serde_json::Value> {
    use serde_json::Value as Document;
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

/// The value for a column of any type.
///
/// # Errors
/// `TypeError` for a type the engine does not know.
pub(crate) fn infer(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    let py = value.py();
    let _nesting = Nesting::deeper()?;
    if value.is_none() {
        return Ok(Value::None);
    }
    if let Ok(value) = value.cast::<PyBool>() {
        return Ok(Value::Bool(value.is_true()));
    }
    if value.is_instance_of::<PyInt>() {
        return Ok(Value::Int(int(value)?));
    }
    if let Ok(value) = value.cast::<PyFloat>() {
        return Ok(Value::Float(value.value()));
    }
    if value.is_instance_of::<PyString>() {
        return convert(value, &DType::Str);
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(Value::Bytes(bytes.as_bytes().into()));
    }
    if let Ok(pointer) = value.cast::<PyPointer>() {
        return Ok(Value::Pointer(pointer.get().0));
    }
    if let Some(items) = sequence(value) {
        return Ok(Value::Tuple(items.iter().map(infer).collect::<PyResult<_>>()?));
    }
    if value.is_instance_of::<PyDict>() {
        return convert(value, &DType::Json);
    }
    if value.is_instance_of::<crate::dtype::PyError>() {
        return Ok(Value::Error);
    }
    if let Some(found) = date_time(value)? {
        return Ok(found);
    }
    if let Some(found) = duration(value)? {
        return Ok(found);
    }
    if is_array(value) {
        return array(value, None, &DType::Any);
    }
    if value.get_type().module().is_ok_and(|module| module == "numpy")
        && let Some(item) = value.getattr_opt(intern!(py, "item"))?
    {
        let item = item.call0()?;
        if !item.get_type().is(value.get_type()) {
            return infer(&item);
        }
    }
    let classes = classes(py)?;
    if value.is_instance(classes.json.bind(py))? {
        return convert(value, &DType::Json);
    }
    if value.is_instance(classes.object.bind(py))? {
        return Ok(object(value));
    }
    Err(PyTypeError::new_err(format!(
        "cannot take {} ({}): the engine has no such type; wrap it with pw.wrap_py_object",
        shown(value),
        type_name(value)
    )))
}

/// The type of a value.
pub(crate) fn dtype_of(value: &Value) -> DType {
    match value {
        Value::None => DType::None,
        Value::Bool(_) => DType::Bool,
        Value::Int(_) => DType::Int,
        Value::Float(_) => DType::Float,
        Value::Str(_) => DType::Str,
        Value::Bytes(_) => DType::Bytes,
        Value::Pointer(_) => DType::Pointer,
        Value::DateTimeNaive(_) => DType::DateTimeNaive,
        Value::DateTimeUtc(_) => DType::DateTimeUtc,
        Value::Duration(_) => DType::Duration,
        Value::Json(_) => DType::Json,
        Value::Tuple(items) => DType::tuple(items.iter().map(dtype_of)),
        Value::IntArray(array) => DType::Array(Some(array.shape.len()), Arc::new(DType::Int)),
        Value::FloatArray(array) => DType::Array(Some(array.shape.len()), Arc::new(DType::Float)),
        Value::Object(_) => DType::Object,
        Value::Error | Value::Pending => DType::Any,
    }
}

/// A JSON document as Python has it.
pub(crate) fn json_to_python<'py>(py: Python<'py>, document: &serde_json::Value) -> PyResult<Bound<'py, PyAny>> {
    use serde_json::Value as Document;
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

/// A value as Python has it.
///
/// # Errors
/// If pandas or numpy is needed and cannot be imported.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::None | Value::Pending => py.None().into_bound(py),
        Value::Bool(value) => PyBool::new(py, *value).to_owned().into_any(),
        Value::Int(value) => value.into_pyobject(py)?.into_any(),
        Value::Float(value) => PyFloat::new(py, *value).into_any(),
        Value::Str(text) => PyString::new(py, text).into_any(),
        Value::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
        Value::Pointer(key) => Bound::new(py, PyPointer(*key))?.into_any(),
        Value::DateTimeNaive(value) => pandas(py)?.call_method1("Timestamp", (*value,))?,
        Value::DateTimeUtc(value) => {
            let keywords = PyDict::new(py);
            keywords.set_item("tz", "UTC")?;
            pandas(py)?.call_method("Timestamp", (*value,), Some(&keywords))?
        }
        Value::Duration(value) => pandas(py)?.call_method1("Timedelta", (*value,))?,
        Value::Json(document) => {
            let document = json_to_python(py, document)?;
            classes(py)?.json.bind(py).call1((document,))?
        }
        Value::Tuple(items) => {
            let items: Vec<_> = items.iter().map(|item| to_python(py, item)).collect::<PyResult<_>>()?;
            PyTuple::new(py, items)?.into_any()
        }
        Value::IntArray(array) => {
            let bytes: Vec<u8> = array
                .elements
                .iter()
                .flat_map(|element| element.to_le_bytes())
                .collect();
            array_to_python(py, &bytes, "<i8", &array.shape)?
        }
        Value::FloatArray(array) => {
            let bytes: Vec<u8> = array
                .elements
                .iter()
                .flat_map(|element| element.to_le_bytes())
                .collect();
            array_to_python(py, &bytes, "<f8", &array.shape)?
        }
        Value::Object(object) => match object.as_any().downcast_ref::<PyObjectValue>() {
            Some(object) => object.object.bind(py).clone(),
            None => return Err(PyTypeError::new_err("an object that was not made in Python")),
        },
        Value::Error => crate::dtype::error_object(py)?,
    })
}

fn array_to_python<'py>(py: Python<'py>, bytes: &[u8], dtype: &str, shape: &[usize]) -> PyResult<Bound<'py, PyAny>> {
    let flat = numpy(py)?.call_method1("frombuffer", (PyBytes::new(py, bytes), dtype))?;
    // The bytes object is read-only; users expect an array of their own.
    flat.call_method0("copy")?
        .call_method1("reshape", (PyTuple::new(py, shape)?,))
}

/// A cell as Python has it.
///
/// # Errors
/// As [`to_python`].
pub(crate) fn cell_to_python<'py>(py: Python<'py>, column: &Column, row: usize) -> PyResult<Bound<'py, PyAny>> {
    if !column.is_error(row) && !column.is_none(row) {
        match column.cells() {
            Cells::Int(array) => return Ok(array.value(row).into_pyobject(py)?.into_any()),
            Cells::Float(array) => return Ok(PyFloat::new(py, array.value(row)).into_any()),
            Cells::Str(array) => return Ok(PyString::new(py, array.value(row)).into_any()),
            Cells::Bytes(array) => return Ok(PyBytes::new(py, array.value(row)).into_any()),
            Cells::Any(values) => return to_python(py, &values[row]),
            _ => {}
        }
    }
    to_python(py, &column.value(row))
}
