//! What a pipeline means: every step recomputed from scratch, in code that is obvious rather than fast.
//!
//! All tables have three columns: `flag: bool`, `group: int`, and a `value` of one [`Content`], of which some may be errors.

use std::collections::BTreeMap;

use towpath_types::{DType, Key, Value};

/// What the values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Int,
    OptionalInt,
    Float,
    Str,
    Duration,
}

impl Content {
    pub(crate) fn dtype(self) -> DType {
        match self {
            Content::Int => DType::Int,
            Content::OptionalInt => DType::Int.optional(),
            Content::Float => DType::Float,
            Content::Str => DType::Str,
            Content::Duration => DType::Duration,
        }
    }

    /// One of seven values, for a number from -3 to 3.
    pub(crate) fn value(self, number: i64) -> Value {
        const TEXTS: [&str; 7] = ["", "a", "é", "a text of more than twelve bytes", "b", "B", "a "];
        match self {
            Content::OptionalInt if number == 3 => Value::None,
            Content::Int | Content::OptionalInt => Value::Int(number),
            Content::Float if number == 3 => Value::Float(f64::INFINITY),
            Content::Float => Value::Float(number as f64 / 4.0),
            Content::Str => Value::from(TEXTS[(number + 3) as usize]),
            Content::Duration => Value::Duration(number * 1_000_000_001),
        }
    }

    /// What stands where there is no value.
    pub(crate) fn nothing(self) -> Value {
        self.value(0)
    }

    pub(crate) fn is_int(self) -> bool {
        matches!(self, Content::Int | Content::OptionalInt)
    }

    /// Whether there are sums.
    fn is_summed(self) -> bool {
        matches!(self, Content::Int | Content::Float)
    }

    /// What takes the place of a value: the group where it is such a value, else always the same.
    fn other(self, group: &Value) -> Value {
        if self.is_int() { group.clone() } else { self.value(1) }
    }
}

/// The rows of a table.
pub(crate) type Rows = Vec<(Key, Vec<Value>)>;

/// One step of a pipeline; `second` is the other table where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The rows with the flag.
    Filter,
    /// `value = if_else(flag, value, other)`, see [`Content::other`].
    Compute,
    /// `value = value // group`, an error where the group is 0.
    Divide,
    /// By group: any flag, the group, an aggregate of the value.
    Reduce(Aggregate),
    /// Left flag, left group, right value; by group; `None` becomes false, 0, and [`Content::nothing`].
    Join { left: bool, right: bool },
    /// Both tables under new keys.
    ConcatReindex,
    /// The rows of both; of the second where both have one.
    UpdateRows,
    /// `value = other` for the rows with the flag, as an update by another table.
    UpdateCells,
    /// The rows whose keys the second has, or has not.
    SemiJoin { matched: bool },
    /// All values of a group as a tuple, and a row for each of its items.
    TupleAndFlatten,
    /// The value of the second table's [reduction](lookup_aggregate), looked up by the group; [`Content::nothing`] if it is
    /// not there.
    Lookup,
    /// The table beside itself.
    KeyJoin,
}

impl Step {
    /// The step, or another in its place where there is no such one for the content.
    pub(crate) fn of(self, content: Content) -> Self {
        match self {
            Step::Divide if content != Content::Int => Step::Compute,
            Step::Reduce(Aggregate::Count | Aggregate::CountDistinct) if !content.is_int() => {
                Step::Reduce(Aggregate::Max)
            }
            Step::Reduce(Aggregate::Sum) if !content.is_summed() => Step::Reduce(Aggregate::Min),
            step => step,
        }
    }
}

/// What a lookup looks up.
pub(crate) fn lookup_aggregate(content: Content) -> Aggregate {
    if content.is_summed() {
        Aggregate::Sum
    } else {
        Aggregate::Max
    }
}

/// Which aggregate of the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aggregate {
    Count,
    Sum,
    Min,
    Max,
    CountDistinct,
}

impl Aggregate {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Aggregate::Count => "count",
            Aggregate::Sum => "sum",
            Aggregate::Min => "min",
            Aggregate::Max => "max",
            Aggregate::CountDistinct => "count_distinct",
        }
    }
}

fn int(value: &Value) -> i64 {
    match value {
        Value::Int(value) => *value,
        other => panic!("{other:?} is no int"),
    }
}

fn flag(row: &[Value]) -> bool {
    row[0] == Value::Bool(true)
}

/// The rows of each group, in the order of their keys.
fn groups(rows: &Rows) -> BTreeMap<i64, Rows> {
    let mut groups: BTreeMap<i64, Rows> = BTreeMap::new();
    let mut sorted = rows.clone();
    sorted.sort_by_key(|(key, _)| *key);
    for (key, row) in sorted {
        groups.entry(int(&row[1])).or_default().push((key, row));
    }
    groups
}

/// The values of rows that are no errors.
fn right_values(rows: &Rows) -> Vec<Value> {
    let values = rows.iter().map(|(_, row)| row[2].clone());
    values.filter(|value| *value != Value::Error).collect()
}

fn sum(values: &[Value]) -> Value {
    if let Value::Float(_) = values[0] {
        let floats = values.iter().map(|value| match value {
            Value::Float(float) => *float,
            other => panic!("{other:?} is no float"),
        });
        return Value::Float(floats.sum());
    }
    Value::Int(values.iter().map(int).sum())
}

fn reduce(rows: &Rows, aggregate: Aggregate) -> Rows {
    let of = |(group, members): (i64, Rows)| {
        let values: Vec<Value> = right_values(&members);
        let result = match aggregate {
            Aggregate::Count => Value::Int(members.len() as i64),
            // All are errors.
            _ if values.is_empty() => Value::Error,
            Aggregate::Sum => sum(&values),
            Aggregate::Min => values.iter().min().cloned().unwrap_or(Value::Error),
            Aggregate::Max => values.iter().max().cloned().unwrap_or(Value::Error),
            Aggregate::CountDistinct => {
                let mut distinct = values.clone();
                distinct.sort_unstable();
                distinct.dedup();
                Value::Int(distinct.len() as i64)
            }
        };
        // The last key is the largest.
        let any = members.last().map_or(Value::None, |(_, row)| row[0].clone());
        let key = Key::for_values(&[Value::Int(group)]);
        (key, vec![any, Value::Int(group), result])
    };
    groups(rows).into_iter().map(of).collect()
}

fn join(left: &Rows, right: &Rows, keep_left: bool, keep_right: bool, nothing: &Value) -> Rows {
    let something = |value: &Value| match value {
        Value::None => nothing.clone(),
        value => value.clone(),
    };
    let mut joined = Rows::new();
    for (left_key, left_row) in left {
        let partners: Vec<_> = right.iter().filter(|(_, row)| row[1] == left_row[1]).collect();
        for (right_key, right_row) in &partners {
            let key = Key::pair(*left_key, *right_key);
            joined.push((
                key,
                vec![left_row[0].clone(), left_row[1].clone(), something(&right_row[2])],
            ));
        }
        if partners.is_empty() && keep_left {
            let key = Key::for_values(&[Value::Pointer(*left_key), Value::None]);
            joined.push((key, vec![left_row[0].clone(), left_row[1].clone(), nothing.clone()]));
        }
    }
    if keep_right {
        for (right_key, right_row) in right {
            if !left.iter().any(|(_, row)| row[1] == right_row[1]) {
                let key = Key::for_values(&[Value::None, Value::Pointer(*right_key)]);
                joined.push((key, vec![Value::Bool(false), Value::Int(0), something(&right_row[2])]));
            }
        }
    }
    joined
}

fn reindexed(rows: &Rows, number: i64) -> Rows {
    let key = |key: &Key| Key::for_values(&[Value::Pointer(*key), Value::Int(number)]);
    rows.iter().map(|(old, row)| (key(old), row.clone())).collect()
}

fn has(rows: &Rows, key: Key) -> bool {
    rows.iter().any(|(other, _)| *other == key)
}

/// The rows that a step makes.
pub(crate) fn apply(step: Step, content: Content, rows: &Rows, second: &Rows) -> Rows {
    let of_each = |change: &dyn Fn(&[Value]) -> Vec<Value>| -> Rows {
        rows.iter().map(|(key, row)| (*key, change(row))).collect()
    };
    match step {
        Step::Filter => rows.iter().filter(|(_, row)| flag(row)).cloned().collect(),
        Step::Compute => of_each(&|row| {
            let value = if flag(row) {
                row[2].clone()
            } else {
                content.other(&row[1])
            };
            vec![row[0].clone(), row[1].clone(), value]
        }),
        Step::Divide => of_each(&|row| {
            let value = match (&row[2], int(&row[1])) {
                (Value::Error, _) | (_, 0) => Value::Error,
                (value, group) => Value::Int(int(value).div_euclid(group)),
            };
            vec![row[0].clone(), row[1].clone(), value]
        }),
        Step::Reduce(aggregate) => reduce(rows, aggregate),
        Step::Join { left, right } => join(rows, second, left, right, &content.nothing()),
        Step::ConcatReindex => [reindexed(rows, 0), reindexed(second, 1)].concat(),
        Step::UpdateRows => {
            let kept = rows.iter().filter(|(key, _)| !has(second, *key)).cloned();
            kept.chain(second.iter().cloned()).collect()
        }
        Step::UpdateCells => of_each(&|row| {
            let value = if flag(row) {
                content.other(&row[1])
            } else {
                row[2].clone()
            };
            vec![row[0].clone(), row[1].clone(), value]
        }),
        Step::SemiJoin { matched } => rows
            .iter()
            .filter(|(key, _)| has(second, *key) == matched)
            .cloned()
            .collect(),
        Step::TupleAndFlatten => {
            let mut flat = Rows::new();
            for (group, members) in groups(rows) {
                let parent = Key::for_values(&[Value::Int(group)]);
                for (position, value) in right_values(&members).into_iter().enumerate() {
                    let origin = [Value::Pointer(parent), Value::Int(position as i64)];
                    let key = Key::for_values(&origin).with_shard_of(parent);
                    let any = members.last().map_or(Value::None, |(_, row)| row[0].clone());
                    flat.push((key, vec![any, Value::Int(group), value]));
                }
            }
            flat
        }
        Step::Lookup => {
            let sums = reduce(second, lookup_aggregate(content));
            of_each(&|row| {
                let key = Key::for_values(&row[1..2]);
                let found = sums.iter().find(|(other, _)| *other == key);
                let value = match found.map(|(_, sum)| &sum[2]) {
                    None | Some(Value::None) => content.nothing(),
                    Some(value) => value.clone(),
                };
                vec![row[0].clone(), row[1].clone(), value]
            })
        }
        Step::KeyJoin => rows.clone(),
    }
}
