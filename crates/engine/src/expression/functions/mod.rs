//! The functions of the engine, family by family.

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
mod values;

/// All functions.
pub(super) const FAMILIES: &[&[Function]] = &[
    arithmetic::FUNCTIONS,
    arrays::FUNCTIONS,
    comparison::FUNCTIONS,
    boolean::FUNCTIONS,
    values::FUNCTIONS,
    items::FUNCTIONS,
    casts::FUNCTIONS,
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
