//! numpy arrays of ints and floats.

use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use towpath_types::{DType, NdArray, Value};

use super::modules::{array_class, numpy};

/// Whether the value is of one of numpy's types; numpy is not imported to find out.
pub(super) fn is_numpy(value: &Bound<'_, PyAny>, names: &[&str]) -> bool {
    let class = value.get_type();
    class.module().is_ok_and(|module| module == "numpy")
        && class.name().is_ok_and(|name| names.iter().any(|other| name == *other))
}

pub(super) fn is_array(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    match array_class(value.py())? {
        // The class, and not what the value says of it.
        Some(class) => value.get_type().is_subclass(class),
        None => Ok(false),
    }
}

/// An array of numpy's own class, whatever the class of the array may do.
fn plain<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    if array_class(py)?.is_some_and(|class| value.get_type().is(class)) {
        return Ok(value.clone());
    }
    let numpy = numpy(py)?;
    if numpy.getattr("ma")?.call_method1("is_masked", (value,))?.is_truthy()? {
        return Err(PyTypeError::new_err(
            "cannot take an array of which some elements are masked",
        ));
    }
    numpy.call_method1("asarray", (value,))
}

/// The elements of an array of one dimension, the rows of any other.
pub(super) fn array_items<'py>(value: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let array = plain(value)?;
    let kind: String = array
        .getattr(intern!(value.py(), "dtype"))?
        .getattr(intern!(value.py(), "kind"))?
        .extract()?;
    // Python has no other numbers and texts than these; everything else would change its meaning.
    match kind.as_str() {
        "i" | "u" | "f" | "S" | "U" => array.call_method0("tolist")?.try_iter()?.collect(),
        _ => array.try_iter()?.collect(),
    }
}

/// The array as a value, if it has as many dimensions as are declared and elements that fit.
pub(super) fn array(value: &Bound<'_, PyAny>, dimensions: Option<usize>, element: &DType) -> PyResult<Value> {
    let py = value.py();
    let value = &plain(value)?;
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
    if is_int && kind == "u" && !shape.contains(&0) && value.call_method0("max")?.gt(i64::MAX)? {
        return Err(PyOverflowError::new_err(format!(
            "an element of the array does not fit into 64 bits: {}",
            value.call_method0("max")?
        )));
    }
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

/// An array of these bytes in Python.
pub(super) fn array_to_python<'py>(
    py: Python<'py>,
    bytes: &[u8],
    dtype: &str,
    shape: &[usize],
) -> PyResult<Bound<'py, PyAny>> {
    let flat = numpy(py)?.call_method1("frombuffer", (PyBytes::new(py, bytes), dtype))?;
    // The bytes object is read-only; users expect an array of their own.
    flat.call_method0("copy")?
        .call_method1("reshape", (PyTuple::new(py, shape)?,))
}
