//! The values of a row from Python, looked at: what of them goes into the columns is decided here, with the GIL.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyInt, PyString};
use smallvec::SmallVec;
use towpath_types::{ColumnBuilder, Field, Physical, Value};

use crate::door::Visit;
use crate::value::convert;

/// Stands for a value that is none of its field's type, and says why.
#[pyclass(name = "Misfit", module = "pathway._native", frozen)]
#[derive(Debug)]
pub(crate) struct Misfit {
    reason: String,
}

#[pymethods]
impl Misfit {
    #[new]
    fn new(reason: String) -> Self {
        Self { reason }
    }
}

/// One value of a row, looked at. Small and plain: every value of every row becomes one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Slot<'a> {
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(&'a str),
    Bytes(&'a [u8]),
    None,
    /// Any other value, held by [`Slots`].
    Value(u32),
    /// The default of the field.
    Default,
    /// A value that was not accepted, in a row that is.
    Error,
}

/// The values of a row, looked at.
#[derive(Debug, Default)]
pub(crate) struct Slots<'a> {
    slots: SmallVec<[Slot<'a>; 8]>,
    /// What has no slot of its own; most rows have nothing here.
    values: Vec<Value>,
}

impl<'a> Slots<'a> {
    /// Looks at the value of a field.
    ///
    /// # Errors
    /// If it does not fit.
    #[inline(always)]
    pub(crate) fn take(&mut self, field: &Field, value: &'a Bound<'_, PyAny>) -> PyResult<()> {
        let slot = match plain_slot(field.dtype.physical(), value) {
            Some(slot) => slot,
            None => self.take_other(field, value)?,
        };
        self.slots.push(slot);
        Ok(())
    }

    #[cold]
    fn take_other(&mut self, field: &Field, value: &Bound<'_, PyAny>) -> PyResult<Slot<'a>> {
        if value.is_none() && field.dtype.is_optional() {
            return Ok(Slot::None);
        }
        if let Ok(misfit) = value.cast::<Misfit>() {
            return Err(PyValueError::new_err(misfit.get().reason.clone()));
        }
        let _visit = Visit::begin(value.py());
        self.values.push(convert(value, &field.dtype)?);
        Ok(Slot::Value(self.values.len() as u32 - 1))
    }

    /// What was taken for each field.
    #[inline]
    pub(crate) fn slots(&self) -> &[Slot<'a>] {
        &self.slots
    }

    /// The value that a slot refers to.
    #[inline]
    pub(crate) fn value(&self, position: u32) -> &Value {
        &self.values[position as usize]
    }

    /// Puts an error in the place of a value.
    pub(crate) fn take_error(&mut self) {
        self.slots.push(Slot::Error);
    }

    /// Fills in for a field that is absent.
    ///
    /// # Errors
    /// If it has no default.
    pub(crate) fn take_absent(&mut self, field: &Field, is_removal: bool) -> PyResult<()> {
        self.slots.push(absent(field, is_removal)?);
        Ok(())
    }
}

/// What stands in for a field that is absent.
///
/// # Errors
/// If nothing does.
pub(crate) fn absent<'a>(field: &Field, is_removal: bool) -> PyResult<Slot<'a>> {
    if field.default.is_some() {
        return Ok(Slot::Default);
    }
    if is_removal && !field.primary_key {
        return Ok(Slot::None);
    }
    Err(PyValueError::new_err(
        "no value was given, and the schema has no default",
    ))
}

/// A value that is just of the column's type, as most are: without a [`Value`] in between, which costs more.
// What it gives must not go through memory: that costs a row of three values 40 ns.
#[inline(always)]
fn plain_slot<'a>(physical: Physical, value: &'a Bound<'_, PyAny>) -> Option<Slot<'a>> {
    match physical {
        Physical::Int => value.cast_exact::<PyInt>().ok()?.extract().ok().map(Slot::Int),
        Physical::Str => value.cast_exact::<PyString>().ok()?.to_str().ok().map(Slot::Str),
        Physical::Float => Some(Slot::Float(value.cast_exact::<PyFloat>().ok()?.value())),
        Physical::Bool => Some(Slot::Bool(value.cast_exact::<PyBool>().ok()?.is_true())),
        Physical::Bytes => Some(Slot::Bytes(value.cast_exact::<PyBytes>().ok()?.as_bytes())),
        _ => None,
    }
}

/// Appends a value that is just of the column's type; whether it was.
#[inline]
pub(crate) fn push_plain(builder: &mut ColumnBuilder, physical: Physical, value: &Bound<'_, PyAny>) -> bool {
    match plain_slot(physical, value) {
        Some(Slot::Int(value)) => builder.push_int(value),
        Some(Slot::Str(text)) => builder.push_str(text),
        Some(Slot::Float(value)) => builder.push_float(value),
        Some(Slot::Bool(value)) => builder.push_bool(value),
        Some(Slot::Bytes(bytes)) => builder.push_bytes(bytes),
        _ => return false,
    }
    true
}
