//! What no task has saved.

use towpath_types::{Batch, Column, DType, Key, Value};

use super::workers::{State, Workers};
use crate::live_errors::LiveErrors;
use crate::operator::Operator;
use crate::testing::random::RandomTable;

/// Sees to it that it is refused.
pub(super) fn check_garbage(operator: &dyn Operator, tables: &[RandomTable], state: &State) {
    let restore = |before: &[u16], table: u16, rows: Batch, owners: &[Key]| {
        let mut workers = Workers::start(operator, tables, 1, true, LiveErrors::default());
        for before in before {
            for ((owner, _), row) in &state.tables[before] {
                let restored = workers.tasks[0].restore(*before, row.clone(), &[*owner]);
                restored.expect("it was saved so");
            }
        }
        workers.tasks[0].restore(table, rows, owners)
    };
    let numbers: Vec<u16> = state.tables.keys().copied().collect();
    for table in [100, u16::MAX] {
        let rows = Batch::new(vec![Key(1)], Vec::new(), None);
        assert!(
            restore(&[], table, rows, &[Key(1)]).is_err(),
            "there is no table {table}"
        );
    }
    for (position, table) in numbers.iter().enumerate() {
        let Some(((owner, _), row)) = state.tables[table].iter().next() else {
            continue;
        };
        let before = &numbers[..position];
        let wrong = |what: &str, rows: Batch, owners: &[Key]| {
            let restored = restore(before, *table, rows, owners);
            assert!(restored.is_err(), "table {table} takes {what}: {row:?}");
        };
        let more = [row.columns(), &[Column::from_values(&DType::Int, &[Value::Int(1)])]].concat();
        wrong("a column too many", row.with_columns(more), &[*owner]);
        wrong("rows without owners", row.clone(), &[]);
        wrong("rows that are gone", row.negated(), &[*owner]);
        if let [_, less @ ..] = row.columns() {
            wrong("a column too few", row.with_columns(less.to_vec()), &[*owner]);
        }
        for position in 0..row.columns().len() {
            let replaced = |column: Column| {
                let mut columns = row.columns().to_vec();
                columns[position] = column;
                row.with_columns(columns)
            };
            let physical = row.column(position).physical();
            let other = if physical == DType::Bool.physical() {
                DType::Int
            } else {
                DType::Bool
            };
            let none = other.physical().nones(1);
            wrong("another layout", replaced(none), &[*owner]);
            // Whether it is refused or not: nobody panics.
            let values = [physical.nones(1), physical.errors(1)];
            for column in values {
                let _ = restore(before, *table, replaced(column), &[*owner]);
            }
            if physical == DType::Int.physical() {
                for value in [i64::MIN, -1, 0, i64::MAX] {
                    let column = Column::from_values(&DType::Int, &[Value::Int(value)]);
                    let _ = restore(before, *table, replaced(column), &[*owner]);
                }
            }
        }
        let _ = restore(&numbers[..=position], *table, row.clone(), &[*owner]);
    }
}
