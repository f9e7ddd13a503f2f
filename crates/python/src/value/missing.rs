//! What stands for a value that is missing in libraries that do not use None.

use pyo3::prelude::*;

use super::units::numpy_moment;

/// Whether the class of the value is one of pandas'.
pub(crate) fn is_of_pandas(value: &Bound<'_, PyAny>) -> bool {
    let module = value.get_type().module();
    module.is_ok_and(|module| {
        module
            .to_str()
            .is_ok_and(|module| module == "pandas" || module.starts_with("pandas."))
    })
}

/// Whether it stands for a value that is missing: `pd.NA`, `pd.NaT`, numpy's `NaT`.
pub(super) fn is_missing(value: &Bound<'_, PyAny>) -> bool {
    if is_of_pandas(value) {
        let name = value.get_type().name();
        return name.is_ok_and(|name| name == "NAType" || name == "NaTType");
    }
    matches!(numpy_moment(value), Ok(Some((i64::MIN, _))))
}
