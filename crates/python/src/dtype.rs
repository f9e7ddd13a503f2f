//! `DType`.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use towpath_connectors::values::parse_text_value;
use towpath_engine::type_rules;
use towpath_types::{DType, Value, json_text};

use crate::error::plan_error;
use crate::value::{convert, dtype_of, infer, to_python};

/// The type of a column.
#[pyclass(name = "DType", module = "pathway._native", frozen, eq, from_py_object)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PyDType(pub(crate) DType);

macro_rules! constants {
    ($($name:ident = $dtype:expr),* $(,)?) => {
        #[pymethods]
        impl PyDType {
            $(
                #[classattr]
                #[allow(non_snake_case, reason = "constants of the class")]
                fn $name() -> Self {
                    Self($dtype)
                }
            )*

            #[staticmethod]
            fn tuple(items: Vec<PyDType>) -> Self {
                Self(DType::tuple(items.into_iter().map(|item| item.0)))
            }

            #[staticmethod]
            fn pointer(values: Vec<PyDType>) -> Self {
                Self(DType::pointer(values.into_iter().map(|value| value.0)))
            }

            #[staticmethod]
            fn list(arg: PyDType) -> Self {
                Self(DType::list(arg.0))
            }

            #[staticmethod]
            #[pyo3(signature = (dimensions, element))]
            fn array(dimensions: Option<usize>, element: PyDType) -> Self {
                Self(DType::Array(dimensions, Arc::new(element.0)))
            }

            #[staticmethod]
            fn optional(wrapped: PyDType) -> Self {
                Self(wrapped.0.optional())
            }

            #[staticmethod]
            fn future(wrapped: PyDType) -> Self {
                Self(DType::Future(Arc::new(wrapped.0)))
            }

            #[getter]
            fn kind(&self) -> &'static str {
                match &self.0 {
                    DType::None => "none",
                    DType::Any => "any",
                    DType::Bool => "bool",
                    DType::Int => "int",
                    DType::Float => "float",
                    DType::Str => "str",
                    DType::Bytes => "bytes",
                    DType::Pointer(_) => "pointer",
                    DType::DateTimeNaive => "date_time_naive",
                    DType::DateTimeUtc => "date_time_utc",
                    DType::Duration => "duration",
                    DType::Json => "json",
                    DType::Tuple(_) => "tuple",
                    DType::List(_) => "list",
                    DType::Array(..) => "array",
                    DType::Optional(_) => "optional",
                    DType::Object => "object",
                    DType::Callable => "callable",
                    DType::Future(_) => "future",
                }
            }

            #[getter]
            fn arguments(&self) -> Vec<PyDType> {
                match &self.0 {
                    DType::Tuple(items) | DType::Pointer(Some(items)) => items.iter().cloned().map(PyDType).collect(),
                    DType::List(inner) | DType::Array(_, inner) | DType::Optional(inner) | DType::Future(inner) => {
                        vec![PyDType((**inner).clone())]
                    }
                    _ => Vec::new(),
                }
            }

            /// How many dimensions arrays have, if it is known.
            #[getter]
            fn dimensions(&self) -> Option<usize> {
                match &self.0 {
                    DType::Array(dimensions, _) => *dimensions,
                    _ => None,
                }
            }

            #[getter]
            fn is_optional(&self) -> bool {
                self.0.is_optional()
            }

            #[getter]
            fn required(&self) -> Self {
                Self(self.0.required().clone())
            }

            fn is_subtype_of(&self, other: &PyDType) -> bool {
                self.0.is_subtype_of(&other.0)
            }

            fn least_upper_bound(&self, other: &PyDType) -> Self {
                Self(self.0.least_upper_bound(&other.0))
            }

            /// The type of what comes from columns of either type; `what` says where.
            fn common(&self, other: &PyDType, what: &str) -> PyResult<Self> {
                type_rules::common_type(what, &self.0, &other.0)
                    .map(PyDType)
                    .map_err(plan_error)
            }

            /// Complains of columns that a join cannot make equal.
            fn check_equal(&self, other: &PyDType) -> PyResult<()> {
                type_rules::check_equal(&self.0, &other.0).map_err(plan_error)
            }

            /// Complains of pointers that cannot point to rows with such keys.
            fn check_pointers(&self, keys: &PyDType, optional: bool) -> PyResult<()> {
                type_rules::check_pointers(&self.0, &keys.0, optional).map_err(plan_error)
            }

            fn convert<'py>(&self, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
                to_python(value.py(), &convert(value, &self.0)?)
            }

            /// The value that a field of csv is; `ValueError` with the reason if it is none.
            fn read<'py>(&self, py: Python<'py>, field: &str) -> PyResult<Bound<'py, PyAny>> {
                let value = parse_text_value(field, &self.0).map_err(PyValueError::new_err)?;
                to_python(py, &value)
            }

            /// The text that `read` takes for a value. Not for texts themselves, which may have to be quoted.
            fn text(&self, value: &Bound<'_, PyAny>) -> PyResult<String> {
                let value = convert(value, &self.0)?;
                let text = json_text(&value);
                Ok(match value {
                    Value::Json(_) | Value::Tuple(_) | Value::IntArray(_) | Value::FloatArray(_) => text,
                    _ => text.trim_matches('"').to_owned(),
                })
            }

            fn __str__(&self) -> String {
                self.0.to_string()
            }

            fn __repr__(&self) -> String {
                format!("DType({})", self.0)
            }

            fn __hash__(&self) -> u64 {
                let mut hasher = DefaultHasher::new();
                self.0.hash(&mut hasher);
                hasher.finish()
            }
        }
    };
}

constants! {
    NONE = DType::None,
    ANY = DType::Any,
    BOOL = DType::Bool,
    INT = DType::Int,
    FLOAT = DType::Float,
    STR = DType::Str,
    BYTES = DType::Bytes,
    POINTER = DType::ANY_POINTER,
    DATE_TIME_NAIVE = DType::DateTimeNaive,
    DATE_TIME_UTC = DType::DateTimeUtc,
    DURATION = DType::Duration,
    JSON = DType::Json,
    OBJECT = DType::Object,
    CALLABLE = DType::Callable,
}

/// The type of one Python value.
#[pyfunction]
pub(crate) fn infer_dtype(value: &Bound<'_, PyAny>) -> PyResult<PyDType> {
    infer(value).map(|value| PyDType(dtype_of(&value)))
}
