//! Objects: members in the order in which they came, found by name.

use super::Json;

/// The members of a JSON object, each with a name of its own.
#[derive(Clone, Debug, Default)]
pub struct Object {
    members: Vec<(Box<str>, Json)>,
    /// The positions of the members in the order of their names. Empty where they are few, and looked through as fast.
    by_name: Vec<u32>,
}

/// So many members need no order of names.
const FEW: usize = 8;

impl Object {
    /// The object of these members. Of two with one name the position of the first and the value of the last count, as in
    /// Python.
    pub fn new(mut members: Vec<(Box<str>, Json)>) -> Self {
        if members.len() <= FEW {
            let mut position = 1;
            while position < members.len() {
                let (before, rest) = members.split_at_mut(position);
                match before.iter_mut().find(|(name, _)| *name == rest[0].0) {
                    Some(first) => {
                        std::mem::swap(&mut first.1, &mut rest[0].1);
                        members.remove(position);
                    }
                    None => position += 1,
                }
            }
            return Self {
                members,
                by_name: Vec::new(),
            };
        }
        let mut by_name = order(&members);
        let groups: Vec<Vec<usize>> = by_name
            .chunk_by(|a, b| members[*a as usize].0 == members[*b as usize].0)
            .filter(|group| group.len() > 1)
            .map(|group| group.iter().map(|position| *position as usize).collect())
            .collect();
        if !groups.is_empty() {
            let mut is_left_out = vec![false; members.len()];
            for group in groups {
                members[group[0]].1 = std::mem::replace(&mut members[group[group.len() - 1]].1, Json::Null);
                group[1..].iter().for_each(|position| is_left_out[*position] = true);
            }
            let mut position = 0;
            members.retain(|_| {
                position += 1;
                !is_left_out[position - 1]
            });
            by_name = order(&members);
        }
        Self { members, by_name }
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The member of this name.
    pub fn get(&self, name: &str) -> Option<&Json> {
        if self.members.len() <= FEW {
            let found = self.members.iter().find(|(other, _)| **other == *name);
            return found.map(|(_, member)| member);
        }
        let found = self
            .by_name
            .binary_search_by(|position| (*self.members[*position as usize].0).cmp(name));
        found.ok().map(|found| &self.members[self.by_name[found] as usize].1)
    }

    /// The members in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.members.iter().map(|(name, member)| (&**name, member))
    }

    /// The members in the order of their names.
    pub fn sorted(&self) -> impl Iterator<Item = (&str, &Json)> {
        let by_name = if self.members.len() <= FEW {
            order(&self.members)
        } else {
            self.by_name.clone()
        };
        by_name.into_iter().map(|position| {
            let (name, member) = &self.members[position as usize];
            (&**name, member)
        })
    }
}

/// The positions of the members in the order of their names; of equal ones in the order in which they came.
fn order(members: &[(Box<str>, Json)]) -> Vec<u32> {
    let mut positions: Vec<u32> = (0..members.len() as u32).collect();
    positions.sort_by(|a, b| members[*a as usize].0.cmp(&members[*b as usize].0));
    positions
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self
                .iter()
                .zip(other.iter())
                .all(|((name, member), (other_name, other_member))| {
                    if name == other_name {
                        member == other_member
                    } else {
                        other.get(name) == Some(member)
                    }
                })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(members: &[(&str, i64)]) -> Object {
        Object::new(
            members
                .iter()
                .map(|(name, value)| ((*name).into(), Json::Int(*value)))
                .collect(),
        )
    }

    #[test]
    fn the_first_position_and_the_last_value_count() {
        // With more members than are looked through one by one, and with fewer.
        for more in [0, 20] {
            let names: Vec<String> = (0..more).map(|position| format!("x{position}")).collect();
            let mut members = vec![("b", 1), ("a", 2), ("b", 3), ("c", 4), ("b", 5), ("a", 6)];
            members.extend(names.iter().map(|name| (name.as_str(), 0)));
            let object = object(&members);
            let first: Vec<(&str, i64)> = object
                .iter()
                .take(3)
                .filter_map(|(name, member)| Some((name, member.as_i64()?)))
                .collect();
            assert_eq!(first, [("b", 5), ("a", 6), ("c", 4)]);
            assert_eq!(object.len(), 3 + more);
            assert_eq!(object.get("b"), Some(&Json::Int(5)));
            assert_eq!(object.get("z"), None);
            assert!(object.sorted().is_sorted_by_key(|(name, _)| name));
        }
    }
}
