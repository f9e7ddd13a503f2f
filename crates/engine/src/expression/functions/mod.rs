//! The functions of the engine, family by family: one file a family, one entry a function.
//!
//! The names are the contract with the Python package, which asks for functions by them. Arguments that Python
//! takes by keyword are operands here; those in brackets may be `None`, or be left out at the end.
//!
//! | names | operands |
//! |---|---|
//! | `+ - * / // % **` | two: numbers; a moment and a duration; arrays and numbers; `+`: texts, tuples; `*`: text and `int` |
//! | `neg` `abs` | a number or a duration |
//! | `@` | two arrays |
//! | `== !=` | two of one type, or of `int` and `float`; either may be `None`; `Any` with anything |
//! | `< <= > >=` | two of one type that has an order, or of `int` and `float` |
//! | `& \| ^` | two `bool`s or two `int`s |
//! | `~` | a `bool` or an `int` |
//! | `<< >>` | two `int`s |
//! | `is_none` `is_not_none` `unwrap` `to_string` | anything |
//! | `make_tuple` | any number of anything |
//! | `get_item` | a tuple, list, array, `str`, `Json` or `Any`; the index |
//! | `get_item_optional` | the same; the index; the default |
//! | `cast_int` `cast_float` `cast_bool` `cast_str` | `bool`, `int`, `float`, `str` or `Any`; `None` is kept |
//! | `as_int` `as_float` `as_str` `as_bool` | `Json` or `None`; the result is optional |
//! | `str.lower` `str.upper` `str.title` `str.swapcase` `str.reversed` `str.len` | text |
//! | `str.strip` | text, \[characters\] |
//! | `str.count` `str.find` `str.rfind` | text, part, \[start\], \[end\] |
//! | `str.startswith` `str.removeprefix` | text, prefix |
//! | `str.endswith` `str.removesuffix` | text, suffix |
//! | `str.replace` | text, old, new, \[count; all if negative\] |
//! | `str.slice` | text, \[start\], \[end\] |
//! | `str.parse_int` `str.parse_float`, and with `_optional` | text |
//! | `str.parse_bool` `str.parse_bool_optional` | text, tuple of true words, tuple of false words |
//! | `num.round` | number, decimals |
//! | `num.fill_na` | number or `None`, default |
//! | `dt.nanosecond` `dt.microsecond` `dt.millisecond` `dt.second` `dt.minute` `dt.hour` `dt.day` `dt.month` `dt.year` `dt.weekday` | moment |
//! | `dt.nanoseconds` `dt.microseconds` `dt.milliseconds` `dt.seconds` `dt.minutes` `dt.hours` `dt.days` `dt.weeks` | duration |
//! | `dt.round` `dt.floor` | moment, duration |
//! | `dt.timestamp_ns` | moment |
//! | `dt.timestamp` | moment, unit: `s`, `ms`, `us` or `ns` |
//! | `dt.from_timestamp` `dt.utc_from_timestamp` | number, unit |
//! | `dt.to_duration` | `int`, unit: from `ns` to `W` |
//! | `dt.strftime` | moment, format |
//! | `dt.strptime_naive` `dt.strptime_utc` | text, format |
//! | `dt.to_utc` | naive moment, zone |
//! | `dt.to_naive_in_timezone` | UTC moment, zone |
//! | `dt.add_duration_in_timezone` `dt.subtract_duration_in_timezone` | naive moment, duration, zone |
//! | `dt.subtract_date_time_in_timezone` | naive moment, naive moment, zone |
//!
//! None of them takes an optional operand unless it says so: Python's error for it is clearer than a `None` that
//! spreads.

use super::Function;

mod arithmetic;
mod arrays;
mod boolean;
mod case;
mod casts;
mod comparison;
mod items;
mod json;
mod kernels;
#[cfg(test)]
mod laws;
mod moment_fields;
mod moment_text;
mod moments;
mod numbers;
mod parsing;
mod rules;
#[cfg(test)]
pub(super) mod testing;
mod text;
mod time_zones;
mod value_text;
mod values;

pub(crate) use value_text::shown;

/// All functions.
pub(super) const FAMILIES: &[&[Function]] = &[
    arithmetic::FUNCTIONS,
    arrays::FUNCTIONS,
    comparison::FUNCTIONS,
    boolean::FUNCTIONS,
    values::FUNCTIONS,
    items::FUNCTIONS,
    casts::FUNCTIONS,
    value_text::FUNCTIONS,
    json::FUNCTIONS,
    text::FUNCTIONS,
    parsing::FUNCTIONS,
    numbers::FUNCTIONS,
    moment_fields::FUNCTIONS,
    moment_text::FUNCTIONS,
    time_zones::FUNCTIONS,
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::FAMILIES;

    #[test]
    fn names_are_unique() {
        let names: Vec<&str> = FAMILIES
            .iter()
            .flat_map(|family| family.iter())
            .map(|function| function.name)
            .collect();
        let distinct: HashSet<&str> = names.iter().copied().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
    }
}
