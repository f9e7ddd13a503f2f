//! Type rules of tables: which columns may be conditions, keys and pointers, and which may stand one for the other.
//!
//! Those of expressions are where expressions [are made](crate::expression::Expression).

use towpath_types::DType;

use crate::error::PlanError;

/// The condition of a filter.
///
/// # Errors
/// If it is no `bool`, or may be `None`.
pub fn check_condition(dtype: &DType) -> Result<(), PlanError> {
    if dtype == &DType::Bool {
        return Ok(());
    }
    Err(PlanError::mismatch(format!(
        "The condition of a filter has to be bool, not {dtype}."
    )))
}

/// New keys of rows.
///
/// # Errors
/// If they are no pointers, or may be `None`.
pub fn check_keys(dtype: &DType) -> Result<(), PlanError> {
    if matches!(dtype, DType::Pointer(_)) {
        return Ok(());
    }
    Err(PlanError::mismatch(format!(
        "New keys have to be pointers, not {dtype}. See with_id_from()."
    )))
}

/// The keys of groups.
///
/// # Errors
/// If they are no pointers, or may be `None`.
pub fn check_group_keys(dtype: &DType) -> Result<(), PlanError> {
    if matches!(dtype, DType::Pointer(_)) {
        return Ok(());
    }
    Err(PlanError::mismatch(format!(
        "groupby(id=...) takes a column of pointers, not {dtype}"
    )))
}

/// What is summed up with `strict`.
///
/// # Errors
/// If it is `int`.
pub fn check_strict_sum(dtype: &DType) -> Result<(), PlanError> {
    if dtype != &DType::Int {
        return Ok(());
    }
    Err(PlanError::value(
        "strict=True of pw.reducers.sum is for floats; the sum of a column of ints is exact",
    ))
}

/// Pointers to rows of a table whose keys are of type `keys`; `optional` if they may be `None`.
///
/// # Errors
/// If they cannot point to such rows.
pub fn check_pointers(dtype: &DType, keys: &DType, optional: bool) -> Result<(), PlanError> {
    let pointer = dtype.required();
    let message = match pointer {
        DType::Future(_) => "The pointer is still being computed; use await_futures() first.".to_owned(),
        DType::Pointer(_) if dtype.is_optional() && !optional => {
            "The pointer can be None; say ix(..., optional=True) to get None for such rows.".to_owned()
        }
        // What is not known of them may be anything.
        DType::Pointer(values) if values.is_none() || pointer.is_subtype_of(keys) => return Ok(()),
        DType::Pointer(_) => format!(
            "A {pointer} points to no row of this table, whose keys are {keys}. update_id_type(pw.Pointer) makes the \
             table forget it."
        ),
        _ => format!("ix needs a pointer to a row, such as table.pointer_from(...), not {dtype}."),
    };
    Err(PlanError::mismatch(message))
}

/// The columns that a condition of a join makes equal.
///
/// # Errors
/// If no value of one is equal to one of the other.
pub fn check_equal(left: &DType, right: &DType) -> Result<(), PlanError> {
    let is_any = |dtype: &DType| dtype == &DType::Any;
    if left.joined(right).is_some() && is_any(left) == is_any(right) {
        return Ok(());
    }
    Err(PlanError::mismatch(format!(
        "Incompatible types in a join condition: {left} and {right}. If values can be equal all the same, declare them \
         typing.Any on both sides with update_types()."
    )))
}

/// The type of a column, or of keys, that come from either of two tables.
///
/// # Errors
/// If they have none in common; `what` says where.
pub fn common_type(what: &str, left: &DType, right: &DType) -> Result<DType, PlanError> {
    left.joined(right).ok_or_else(|| {
        PlanError::mismatch(format!(
            "Incompatible types in {what}: {left} and {right} have no common type."
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers() {
        let of = |values: &[DType]| DType::pointer(values.iter().cloned());
        let (int, text) = (of(&[DType::Int]), of(&[DType::Str]));
        assert!(check_pointers(&int, &int, false).is_ok());
        assert!(check_pointers(&int, &DType::ANY_POINTER, false).is_ok());
        assert!(check_pointers(&DType::ANY_POINTER, &int, false).is_ok());
        assert!(check_pointers(&int.clone().optional(), &int, true).is_ok());
        let refused = |dtype: &DType| check_pointers(dtype, &int, false).expect_err("it does not fit").message;
        assert!(refused(&int.clone().optional()).contains("can be None"));
        assert!(refused(&text).contains("A Pointer[str] points to no row of this table, whose keys are Pointer[int]"));
        assert!(refused(&DType::Int).ends_with("not int."));
        assert!(refused(&DType::Any).ends_with("not Any."));
        assert!(refused(&DType::Future(std::sync::Arc::new(int.clone()))).contains("still being computed"));
    }

    #[test]
    fn conditions_of_joins() {
        assert!(check_equal(&DType::Int, &DType::Float).is_ok());
        assert!(check_equal(&DType::Int, &DType::Int.optional()).is_ok());
        assert!(check_equal(&DType::Any, &DType::Any).is_ok());
        assert!(check_equal(&DType::Int, &DType::Str).is_err());
        assert!(check_equal(&DType::Int, &DType::Any).is_err());
    }
}
