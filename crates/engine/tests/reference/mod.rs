//! What a pipeline means: every step recomputed from scratch, in code that is obvious rather than fast.
//!
//! All tables have three columns: `flag: bool`, `group: int`, `value: int`.

use std::collections::BTreeMap;

use towpath_types::{Key, Value};

/// The rows of a table.
pub(crate) type Rows = Vec<(Key, Vec<Value>)>;

/// One step of a pipeline; `second` is the other table where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The rows with the flag.
    Filter,
    /// `value = if_else(flag, value, group)`.
    Compute,
    /// By group: any flag, the group, an aggregate of the value.
    Reduce(Aggregate),
    /// Left flag, left group, right value; by group; `None` becomes false and 0.
    Join { left: bool, right: bool },
    /// Both tables under new keys.
    ConcatReindex,
    /// The rows of both; of the second where both have one.
    UpdateRows,
    /// `value = group` for the rows with the flag, as an update by another table.
    UpdateCells,
    /// The rows whose keys the second has, or has not.
    SemiJoin { matched: bool },
    /// All values of a group as a tuple, and a row for each of its items.
    TupleAndFlatten,
    /// The value of the second table's reduction to sums, looked up by the group; 0 if it is not there.
    Lookup,
    /// The table beside itself.
    KeyJoin,
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

fn reduce(rows: &Rows, aggregate: Aggregate) -> Rows {
    let of = |(group, members): (i64, Rows)| {
        let values: Vec<i64> = members.iter().map(|(_, row)| int(&row[2])).collect();
        let result = match aggregate {
            Aggregate::Count => values.len() as i64,
            Aggregate::Sum => values.iter().sum(),
            Aggregate::Min => values.iter().copied().min().unwrap_or_default(),
            Aggregate::Max => values.iter().copied().max().unwrap_or_default(),
            Aggregate::CountDistinct => {
                let mut distinct = values.clone();
                distinct.sort_unstable();
                distinct.dedup();
                distinct.len() as i64
            }
        };
        // The last key is the largest.
        let any = members.last().map_or(Value::None, |(_, row)| row[0].clone());
        let key = Key::for_values(&[Value::Int(group)]);
        (key, vec![any, Value::Int(group), Value::Int(result)])
    };
    groups(rows).into_iter().map(of).collect()
}

fn join(left: &Rows, right: &Rows, keep_left: bool, keep_right: bool) -> Rows {
    let mut joined = Rows::new();
    for (left_key, left_row) in left {
        let partners: Vec<_> = right.iter().filter(|(_, row)| row[1] == left_row[1]).collect();
        for (right_key, right_row) in &partners {
            let key = Key::pair(*left_key, *right_key);
            joined.push((
                key,
                vec![left_row[0].clone(), left_row[1].clone(), right_row[2].clone()],
            ));
        }
        if partners.is_empty() && keep_left {
            let key = Key::for_values(&[Value::Pointer(*left_key), Value::None]);
            joined.push((key, vec![left_row[0].clone(), left_row[1].clone(), Value::Int(0)]));
        }
    }
    if keep_right {
        for (right_key, right_row) in right {
            if !left.iter().any(|(_, row)| row[1] == right_row[1]) {
                let key = Key::for_values(&[Value::None, Value::Pointer(*right_key)]);
                joined.push((key, vec![Value::Bool(false), Value::Int(0), right_row[2].clone()]));
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
pub(crate) fn apply(step: Step, rows: &Rows, second: &Rows) -> Rows {
    let of_each = |change: &dyn Fn(&[Value]) -> Vec<Value>| -> Rows {
        rows.iter().map(|(key, row)| (*key, change(row))).collect()
    };
    match step {
        Step::Filter => rows.iter().filter(|(_, row)| flag(row)).cloned().collect(),
        Step::Compute => of_each(&|row| {
            let value = if flag(row) { &row[2] } else { &row[1] };
            vec![row[0].clone(), row[1].clone(), value.clone()]
        }),
        Step::Reduce(aggregate) => reduce(rows, aggregate),
        Step::Join { left, right } => join(rows, second, left, right),
        Step::ConcatReindex => [reindexed(rows, 0), reindexed(second, 1)].concat(),
        Step::UpdateRows => {
            let kept = rows.iter().filter(|(key, _)| !has(second, *key)).cloned();
            kept.chain(second.iter().cloned()).collect()
        }
        Step::UpdateCells => of_each(&|row| {
            let value = if flag(row) { &row[1] } else { &row[2] };
            vec![row[0].clone(), row[1].clone(), value.clone()]
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
                for (position, (_, row)) in members.iter().enumerate() {
                    let origin = [Value::Pointer(parent), Value::Int(position as i64)];
                    let key = Key::for_values(&origin).with_shard_of(parent);
                    let any = members.last().map_or(Value::None, |(_, row)| row[0].clone());
                    flat.push((key, vec![any, Value::Int(group), row[2].clone()]));
                }
            }
            flat
        }
        Step::Lookup => {
            let sums = reduce(second, Aggregate::Sum);
            of_each(&|row| {
                let key = Key::for_values(&row[1..2]);
                let found = sums.iter().find(|(other, _)| *other == key);
                let value = found.map_or(Value::Int(0), |(_, sum)| sum[2].clone());
                vec![row[0].clone(), row[1].clone(), value]
            })
        }
        Step::KeyJoin => rows.clone(),
    }
}
