//! Floats as values: which of them are one.

/// `-0.0` and `0.0` are one value, and so are all `NaN`s.
pub(crate) fn canonical_float(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value + 0.0 }
}
