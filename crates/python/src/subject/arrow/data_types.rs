//! What Arrow's types are to us.

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow_schema::{DataType, TimeUnit};

use crate::value::Unit;

pub(super) fn is_decimal(data_type: &DataType) -> bool {
    use DataType as T;
    matches!(
        data_type,
        T::Decimal32(..) | T::Decimal64(..) | T::Decimal128(..) | T::Decimal256(..)
    )
}

/// The numbers of an array of moments or durations, and what they count.
pub(super) fn steps<'a>(data_type: &DataType, array: &'a ArrayRef) -> Option<(Unit, &'a [i64])> {
    let (time_unit, is_span) = match data_type {
        DataType::Timestamp(unit, _) => (unit, false),
        DataType::Duration(unit) => (unit, true),
        _ => return None,
    };
    let (unit, steps): (Unit, &[i64]) = match (time_unit, is_span) {
        (TimeUnit::Second, false) => (Unit::SECONDS, array.as_primitive_opt::<TimestampSecondType>()?.values()),
        (TimeUnit::Millisecond, false) => (
            Unit::MILLISECONDS,
            array.as_primitive_opt::<TimestampMillisecondType>()?.values(),
        ),
        (TimeUnit::Microsecond, false) => (
            Unit::MICROSECONDS,
            array.as_primitive_opt::<TimestampMicrosecondType>()?.values(),
        ),
        (TimeUnit::Nanosecond, false) => (
            Unit::NANOSECONDS,
            array.as_primitive_opt::<TimestampNanosecondType>()?.values(),
        ),
        (TimeUnit::Second, true) => (Unit::SECONDS, array.as_primitive_opt::<DurationSecondType>()?.values()),
        (TimeUnit::Millisecond, true) => (
            Unit::MILLISECONDS,
            array.as_primitive_opt::<DurationMillisecondType>()?.values(),
        ),
        (TimeUnit::Microsecond, true) => (
            Unit::MICROSECONDS,
            array.as_primitive_opt::<DurationMicrosecondType>()?.values(),
        ),
        (TimeUnit::Nanosecond, true) => (
            Unit::NANOSECONDS,
            array.as_primitive_opt::<DurationNanosecondType>()?.values(),
        ),
    };
    Some((unit, steps))
}
