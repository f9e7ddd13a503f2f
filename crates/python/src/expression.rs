//! `Expression`: how a column is computed.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use towpath_engine::Expression;

use crate::dtype::PyDType;
use crate::error::{OriginArgument, plan_error};
use crate::user_function::PythonFunction;
use crate::value::{convert, dtype_of, infer};

/// How a column is computed.
#[pyclass(name = "Expression", module = "pathway._native", frozen, from_py_object)]
#[derive(Clone, Debug)]
pub(crate) struct PyExpression(pub(crate) Expression);

fn inner(expressions: Vec<PyExpression>) -> Vec<Expression> {
    expressions.into_iter().map(|expression| expression.0).collect()
}

#[pymethods]
impl PyExpression {
    #[getter]
    fn dtype(&self) -> PyDType {
        PyDType(self.0.dtype().clone())
    }

    #[staticmethod]
    #[pyo3(signature = (value, dtype=None))]
    fn literal(value: &Bound<'_, PyAny>, dtype: Option<PyDType>) -> PyResult<Self> {
        let value = match &dtype {
            Some(dtype) => convert(value, &dtype.0)?,
            None => infer(value)?,
        };
        let dtype = dtype.map_or_else(|| dtype_of(&value), |dtype| dtype.0);
        Ok(Self(Expression::literal(value, dtype)))
    }

    #[staticmethod]
    fn id() -> Self {
        Self(Expression::id())
    }

    #[staticmethod]
    #[pyo3(signature = (function, arguments, origin=OriginArgument(None)))]
    fn call(function: &str, arguments: Vec<PyExpression>, origin: OriginArgument) -> PyResult<Self> {
        let found = towpath_engine::expression::function(function)
            .ok_or_else(|| PyValueError::new_err(format!("the engine has no function {function:?}")))?;
        let expression = Expression::call(found, inner(arguments)).map_err(plan_error)?;
        Ok(Self(expression.at(origin.0)))
    }

    #[staticmethod]
    fn if_else(condition: PyExpression, then: PyExpression, otherwise: PyExpression) -> PyResult<Self> {
        Expression::if_else(condition.0, then.0, otherwise.0)
            .map(Self)
            .map_err(plan_error)
    }

    #[staticmethod]
    fn coalesce(arguments: Vec<PyExpression>) -> PyResult<Self> {
        Expression::coalesce(inner(arguments)).map(Self).map_err(plan_error)
    }

    #[staticmethod]
    fn require(value: PyExpression, others: Vec<PyExpression>) -> Self {
        Self(Expression::require(value.0, inner(others)))
    }

    #[staticmethod]
    fn fill_error(value: PyExpression, replacement: PyExpression) -> PyResult<Self> {
        Expression::fill_error(value.0, replacement.0)
            .map(Self)
            .map_err(plan_error)
    }

    #[staticmethod]
    #[pyo3(signature = (values, instance=None, optional=false))]
    fn pointer(values: Vec<PyExpression>, instance: Option<PyExpression>, optional: bool) -> Self {
        Self(Expression::pointer(
            inner(values),
            instance.map(|instance| instance.0),
            optional,
        ))
    }

    #[staticmethod]
    fn declare(expression: PyExpression, dtype: PyDType) -> Self {
        Self(expression.0.declare(dtype.0))
    }

    #[staticmethod]
    fn narrow(expression: PyExpression, dtype: PyDType, what: &str) -> PyResult<Self> {
        expression.0.narrow(dtype.0, what).map(Self).map_err(plan_error)
    }

    #[staticmethod]
    #[pyo3(signature = (expression, dtype, origin=OriginArgument(None)))]
    fn cast(expression: PyExpression, dtype: PyDType, origin: OriginArgument) -> PyResult<Self> {
        let cast = expression.0.cast(dtype.0, origin.0);
        cast.map(Self).map_err(plan_error)
    }

    #[staticmethod]
    #[pyo3(signature = (function, arguments, keywords, dtype, *, name, deterministic, propagate_none, max_batch_size, origin=OriginArgument(None)))]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Python function")]
    fn user(
        function: Py<PyAny>,
        arguments: Vec<PyExpression>,
        keywords: Vec<String>,
        dtype: PyDType,
        name: String,
        deterministic: bool,
        propagate_none: bool,
        max_batch_size: Option<usize>,
        origin: OriginArgument,
    ) -> Self {
        let function = PythonFunction::new(function, name, keywords, deterministic, propagate_none, max_batch_size);
        Self(Expression::user(Arc::new(function), inner(arguments), dtype.0).at(origin.0))
    }
}

/// The names of the engine's functions.
#[pyfunction]
pub(crate) fn functions() -> Vec<&'static str> {
    towpath_engine::expression::function_names().collect()
}

/// The names of the engine's reducers.
#[pyfunction]
pub(crate) fn reducers() -> Vec<&'static str> {
    towpath_engine::reducers::REDUCERS
        .iter()
        .map(|reducer| reducer.name)
        .collect()
}
