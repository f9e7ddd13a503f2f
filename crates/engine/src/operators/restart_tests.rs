//! Every operator and reducer goes on from what it has saved as if it had never ended.

use towpath_types::{DType, Key, NdArray, Value};

use super::assert_append_only::AssertAppendOnly;
use super::concat::Concat;
use super::flatten::Flatten;
use super::join::{Join, JoinId, JoinKind};
use super::key_join::KeyJoin;
use super::lookup::Lookup;
use super::reduce::{Aggregate, Reduce};
use super::reindex::Reindex;
use super::removals::Removals;
use super::semi_join::SemiJoin;
use super::update_cells::UpdateCells;
use super::update_rows::UpdateRows;
use super::upsert::Upsert;
use crate::operator::Operator;
use crate::reducers::{Options, REDUCERS, reducer};
use crate::testing::{Random, RandomTable, Rows, Update, check_restarts, saved_bytes};

/// An int, now and then a text that is long, `None` or an error.
fn any_cell(random: &mut Random) -> Value {
    match random.below(12) {
        0 => Value::None,
        1 => Value::Error,
        2 => Value::str("a text that is too long to be kept in its view"),
        3 => Value::tuple([Value::Int(1), Value::str("a")]),
        _ => Value::Int(random.below(4) as i64),
    }
}

fn int_cell(random: &mut Random) -> Value {
    match random.below(10) {
        0 => Value::None,
        1 => Value::Error,
        _ => Value::Int(random.below(4) as i64),
    }
}

fn float_cell(random: &mut Random) -> Value {
    match random.below(24) {
        0 => Value::Float(f64::NAN),
        1 => Value::Float(f64::INFINITY),
        2 => Value::Float(f64::NEG_INFINITY),
        3 => Value::Error,
        4..8 => Value::Float(1e300),
        8..12 => Value::Float(-1e-300),
        _ => Value::Float(0.1 * random.below(5) as f64),
    }
}

fn pointer(random: &mut Random, keys: usize) -> Value {
    match random.below(16) {
        0 => Value::None,
        1 => Value::Error,
        _ => Value::Pointer(Key::for_values(&[Value::Int(random.below(keys) as i64)])),
    }
}

/// A table with an int and something else.
fn table(rows: Rows) -> RandomTable {
    let dtypes = vec![DType::Int.optional(), DType::Any];
    RandomTable::new(dtypes, rows, |random, _| vec![int_cell(random), any_cell(random)])
}

/// A table with a pointer, an int and something else.
fn pointing(rows: Rows) -> RandomTable {
    let dtypes = vec![DType::ANY_POINTER.optional(), DType::Int.optional(), DType::Any];
    RandomTable::new(dtypes, rows, |random, _| {
        vec![pointer(random, 6), int_cell(random), any_cell(random)]
    })
}

#[test]
fn operators_that_keep_rows_by_their_keys() {
    for rows in [Rows::Coming, Rows::Changing, Rows::ChangingAlike] {
        let (one, other) = (table(rows), table(Rows::Changing));
        check_restarts(&KeyJoin, &[one.clone(), other.clone()]);
        check_restarts(&UpdateRows, &[one.clone(), other.clone()]);
        check_restarts(
            &UpdateCells { replaced: vec![1, 0] },
            &[
                one.clone(),
                RandomTable::new(vec![DType::Any, DType::Int], rows, |random, _| {
                    vec![any_cell(random), Value::Int(random.below(3) as i64)]
                }),
            ],
        );
        let keys = RandomTable::new(Vec::new(), rows, |_, _| Vec::new());
        check_restarts(&SemiJoin::InAll, &[one.clone(), keys.clone(), keys.clone()]);
        check_restarts(&SemiJoin::InNone, &[one.clone(), keys]);
        check_restarts(&Concat, &[one, other]);
    }
    check_restarts(&Upsert, &[table(Rows::Events)]);
}

#[test]
fn operators_without_state() {
    check_restarts(&AssertAppendOnly, &[table(Rows::ComingAlike)]);
    check_restarts(&AssertAppendOnly, &[table(Rows::Changing)]);
    check_restarts(&Reindex, &[pointing(Rows::Changing)]);
    let texts = RandomTable::new(vec![DType::Str, DType::Int], Rows::Changing, |random, _| {
        vec![Value::str(&"abcd"[random.below(4)..]), Value::Int(1)]
    });
    check_restarts(&Flatten::new(true), &[texts]);
}

#[test]
fn joins() {
    let all = [Rows::Coming, Rows::ComingAlike, Rows::Changing, Rows::ChangingAlike];
    for kind in [JoinKind::Inner, JoinKind::Left, JoinKind::Right, JoinKind::Outer] {
        let join = Join {
            kind,
            id: JoinId::Pair,
            once: [false; 2],
        };
        for (left, right) in all.into_iter().zip(all.into_iter().cycle().skip(1)) {
            check_restarts(&join, &[pointing(left), pointing(right)]);
            check_restarts(&join, &[pointing(left), pointing(right).ending(5)]);
            check_restarts(&join, &[pointing(left).ending(4), pointing(right)]);
        }
    }
    for (kind, id) in [
        (JoinKind::Inner, JoinId::Left),
        (JoinKind::Left, JoinId::Left),
        (JoinKind::Right, JoinId::Right),
    ] {
        let join = Join {
            kind,
            id,
            once: [false; 2],
        };
        check_restarts(&join, &[pointing(Rows::Changing), pointing(Rows::Changing)]);
        check_restarts(&join, &[pointing(Rows::Coming), pointing(Rows::Changing).ending(6)]);
    }
}

#[test]
fn lookups() {
    for (optional, allow_misses) in [(false, false), (true, false), (true, true)] {
        let lookup = Lookup { optional, allow_misses };
        for rows in [Rows::Coming, Rows::Changing, Rows::ChangingAlike] {
            let mut target = table(Rows::Changing);
            target.keys = 6;
            check_restarts(&lookup, &[pointing(rows), target.clone()]);
            check_restarts(&lookup, &[pointing(rows), target.ending(5)]);
        }
    }
}

#[test]
fn joins_in_which_rows_are_used_up() {
    for kind in [JoinKind::Inner, JoinKind::Left, JoinKind::Right, JoinKind::Outer] {
        for once in [[true, false], [false, true], [true, true]] {
            let join = Join {
                kind,
                id: JoinId::Pair,
                once,
            };
            // Few meet, so that few fail.
            let sparse = |rows| {
                let dtypes = vec![DType::ANY_POINTER.optional(), DType::Int.optional()];
                RandomTable::new(dtypes, rows, |random, _| vec![pointer(random, 60), int_cell(random)])
            };
            for rows in [Rows::Coming, Rows::Changing] {
                check_restarts(&join, &[sparse(rows), sparse(Rows::Changing)]);
                check_restarts(&join, &[sparse(Rows::Coming), sparse(rows)]);
            }
        }
    }
}

#[test]
fn removals() {
    for has_keys in [true, false] {
        for is_divided in [true, false] {
            let wild = |rows| {
                let dtypes = vec![DType::Int, DType::Any];
                RandomTable::new(dtypes, rows, |random, _| {
                    vec![Value::Int(random.below(2) as i64), Value::None]
                })
            };
            for rows in [Rows::Changing, Rows::ChangingAlike] {
                check_restarts(&Removals::new("source", has_keys, is_divided), &[wild(rows)]);
            }
        }
    }
}

fn aggregate(name: &str, arguments: &[usize], skip_nones: bool) -> Aggregate {
    Aggregate {
        reducer: reducer(name).expect("the reducer is in the list"),
        arguments: arguments.to_vec(),
        options: Options { skip_nones },
    }
}

/// A group's key and value, an int, a float, something else, numbers.
fn grouped(rows: Rows) -> RandomTable {
    let dtypes = vec![
        DType::ANY_POINTER,
        DType::Float,
        DType::Int,
        DType::Float,
        DType::Any,
        DType::Array(None, std::sync::Arc::new(DType::Any)),
    ];
    RandomTable::new(dtypes, rows, |random, key| {
        let group = random.below(4) as f64;
        let group_key = Key::for_values(&[Value::Float(group)]);
        let int = match random.below(20) {
            0 => Value::Error,
            1 => Value::Int(i64::MAX),
            other => Value::Int(other as i64),
        };
        // The sign of a zero is not part of a value.
        let any = match any_cell(random) {
            Value::Int(0) => Value::Float(if key.0 % 2 == 0 { -0.0 } else { 0.0 }),
            other => other,
        };
        let group = if random.once_in(2) && group == 0.0 { -0.0 } else { group };
        vec![
            Value::Pointer(group_key),
            Value::Float(group),
            int,
            float_cell(random),
            any,
            array(random),
        ]
    })
}

fn array(random: &mut Random) -> Value {
    let shape: std::sync::Arc<[usize]> = if random.once_in(12) { [1, 2].into() } else { [2].into() };
    if random.once_in(3) {
        Value::FloatArray(NdArray {
            shape,
            elements: [0.1, random.below(3) as f64].into(),
        })
    } else {
        Value::IntArray(NdArray {
            shape,
            elements: [1, random.below(3) as i64].into(),
        })
    }
}

#[test]
fn every_reducer() {
    let of_each: &[(&str, &[usize], bool)] = &[
        ("count", &[], false),
        ("count", &[2], false),
        ("sum", &[2], false),
        ("sum", &[3], false),
        ("sum", &[5], false),
        ("avg", &[2], false),
        ("avg", &[3], false),
        ("min", &[2], false),
        ("max", &[3], false),
        ("min", &[4], false),
        ("max", &[4], true),
        ("argmin", &[2], false),
        ("argmax", &[3, 4], false),
        ("argmin", &[4, 2], true),
        ("any", &[4], false),
        ("unique", &[2], false),
        ("unique", &[4], false),
        ("tuple", &[4], false),
        ("tuple", &[2, 4], false),
        ("sorted_tuple", &[4], true),
        ("ndarray", &[2], false),
        ("ndarray", &[4], false),
        ("count_distinct", &[4], false),
        ("count_distinct", &[2, 4], false),
    ];
    for (name, arguments, skip_nones) in of_each {
        let reduce = Reduce::new(1, vec![aggregate(name, arguments, *skip_nones)]);
        for rows in [Rows::Coming, Rows::Changing, Rows::ChangingAlike] {
            check_restarts(&reduce, &[grouped(rows)]);
        }
    }
    let by_time = [("earliest", [2]), ("latest", [4])];
    for reducer in REDUCERS {
        let mut tested = of_each
            .iter()
            .map(|(name, ..)| *name)
            .chain(by_time.map(|(name, _)| name));
        assert!(
            tested.any(|name| name == reducer.name),
            "{reducer:?} is to be tested here"
        );
    }
    for (name, arguments) in by_time {
        let reduce = Reduce::new(1, vec![aggregate(name, &arguments, false)]);
        check_restarts(&reduce, &[grouped(Rows::Coming)]);
        check_restarts(&reduce, &[grouped(Rows::ComingAlike)]);
    }
    let all = of_each
        .iter()
        .map(|(name, arguments, skip_nones)| aggregate(name, arguments, *skip_nones));
    check_restarts(&Reduce::new(1, all.collect()), &[grouped(Rows::Changing)]);
}

/// A row with a pointer to one of as many things as there are rows, an int and a text.
fn numbered(row: usize, value: i64, diff: i64) -> Update {
    let pointer = Key::for_values(&[Value::Int(row as i64)]);
    let key = Key::for_values(&[Value::Int(row as i64), Value::None]);
    (
        key,
        vec![Value::Pointer(pointer), Value::Int(value), Value::str("text")],
        diff,
    )
}

#[test]
fn what_is_saved_is_in_proportion_to_what_has_changed() {
    const ALL: usize = 2_000;
    const CHANGED: usize = 20;
    let dtypes = vec![DType::ANY_POINTER, DType::Int, DType::Str];
    let table = RandomTable::new(dtypes, Rows::Changing, |_, _| Vec::new());
    let rows = |rows: std::ops::Range<usize>, value: i64, diff: i64| rows.map(move |row| numbered(row, value, diff));
    let all: Vec<Update> = rows(0..ALL, 0, 1).collect();
    let changed = rows(0..CHANGED, 0, -1).chain(rows(0..CHANGED, 1, 1)).collect();
    let gone = rows(CHANGED..2 * CHANGED, 0, -1).collect();
    let steps = vec![all.clone(), Vec::new(), changed, gone];
    let other = vec![all, Vec::new(), Vec::new(), Vec::new()];
    let reduce = |name: &str, arguments: &[usize]| Reduce::new(1, vec![aggregate(name, arguments, false)]);
    let join = Join {
        kind: JoinKind::Outer,
        id: JoinId::Pair,
        once: [false; 2],
    };
    let operators: [(&dyn Operator, usize); 8] = [
        (&UpdateRows, 2),
        (&Concat, 1),
        (&join, 2),
        (&Upsert, 1),
        (&Removals::new("source", true, true), 1),
        (&reduce("sum", &[1]), 1),
        (&reduce("tuple", &[1]), 1),
        (&reduce("count_distinct", &[1]), 1),
    ];
    for (operator, inputs) in operators {
        let tables = vec![table.clone(); inputs];
        let scripts: Vec<_> = [steps.clone(), other.clone()].into_iter().take(inputs).collect();
        let bytes = saved_bytes(operator, &tables, &scripts);
        let name = operator.name();
        assert_eq!(bytes[1], 0, "{name}: nothing has changed");
        // A row that has changed may be one that goes and one that comes.
        let most = 2 * bytes[0] * CHANGED / ALL + 200;
        assert!(bytes[2] < most && bytes[3] < most, "{name}: {bytes:?}");
    }
}
