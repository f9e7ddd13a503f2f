//! Results that are kept with the rows they were computed for, so that a removal repeats what was sent.
//!
//! | saved | columns | identity | owner |
//! |---|---|---|---|
//! | k: a result of the k-th step | the result, how often its row is there | a hash of the row's key and of what was read | the row's key |

use std::collections::{HashMap, HashSet};

use towpath_types::{Batch, BuildKeyHasher, Cells, Column, ColumnBuilder, DType, Key, Physical, Value, hash_columns};

use crate::error::EngineError;
use crate::expression::{Expression, Rows};
use crate::reporter::Reporter;
use crate::state::{self, Name, Saved, Touched};
use crate::store::shrink;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct KeptResults {
    /// The result and the multiplicity of each row.
    results: HashMap<Key, (Value, i64), BuildKeyHasher>,
    /// The rows that have come or gone, and their keys, where that will be saved.
    touched: Option<Touched<(Key, Key)>>,
}

impl KeptResults {
    /// Whether it notes which results are kept anew, since they will be saved.
    pub(crate) fn keep(&mut self, keeps_state: bool) {
        self.touched = keeps_state.then(Touched::default);
    }

    /// Puts those that have come or gone since they were saved last.
    pub(crate) fn save(&mut self, table: u16, dtype: &DType, saved: &mut Saved) {
        let Self { results, touched } = self;
        let touched = touched.as_mut().map_or_else(Vec::new, Touched::take);
        let (mut gone, mut there, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        let mut builder = ColumnBuilder::new(dtype);
        for (identity, owner) in touched {
            let name = Name { identity, owner };
            match results.get(&identity) {
                Some((value, count)) => {
                    there.push(name);
                    builder.push(value);
                    counts.push(*count);
                }
                None => gone.push(name),
            }
        }
        saved.remove(table, &gone);
        let counts = Column::new(Cells::Int(counts.into()));
        saved.put_named(table, &there, vec![builder.finish(), counts]);
    }

    /// Takes those that were saved.
    pub(crate) fn restore(&mut self, dtype: &DType, rows: &Batch, owners: &[Key]) -> Result<(), EngineError> {
        state::check(rows, owners, &[dtype.physical(), Physical::Int])?;
        let results = rows
            .column(0)
            .values()
            .zip(state::ints(rows.column(1))?.iter().copied());
        self.results.extend(rows.keys().iter().copied().zip(results));
        Ok(())
    }

    /// Computes a column for the rows that are added, and repeats for those that are removed what was sent for them.
    ///
    /// A row is told by its key and by what the expression reads: within one time, rows of a key may come and go
    /// several times, in any order and in several batches.
    pub(crate) fn compute(
        &mut self,
        expression: &Expression,
        rows: &Rows<'_>,
        reporter: &Reporter,
    ) -> Result<Column, EngineError> {
        let Self { results: kept, touched } = self;
        let keys = Column::pointers(rows.keys.clone());
        let mut told_by = vec![&keys];
        expression.for_each_column(&mut |slot| told_by.push(&rows.columns[slot]));
        let identities = hash_columns(&told_by, rows.keys.len());

        if let Some(touched) = touched {
            let rows = identities.iter().copied().zip(rows.keys.iter().copied());
            rows.for_each(|row| touched.push(row));
        }
        let mut met: HashSet<Key, BuildKeyHasher> = HashSet::default();
        let missing: Vec<u32> = (0..identities.len())
            .filter(|row| !kept.contains_key(&identities[*row]) && met.insert(identities[*row]))
            .map(|row| row as u32)
            .collect();
        if !missing.is_empty() {
            let mut columns: Vec<Column> = rows
                .columns
                .iter()
                .map(|column| Column::empty(column.physical()))
                .collect();
            expression.for_each_column(&mut |slot| columns[slot] = rows.columns[slot].take(&missing));
            let keys = missing.iter().map(|row| rows.keys[*row as usize]).collect();
            let computed = expression.evaluate(
                &Rows {
                    columns: &columns,
                    keys: &keys,
                    diffs: None,
                },
                reporter,
            )?;
            for (position, row) in missing.iter().enumerate() {
                kept.insert(identities[*row as usize], (computed.value(position), 0));
            }
        }

        let mut builder = ColumnBuilder::new(expression.dtype());
        for (row, identity) in identities.iter().enumerate() {
            let (value, count) = kept.get_mut(identity).expect("what was missing has been computed");
            *count += rows.diff(row);
            builder.push(value);
        }
        for identity in &identities {
            if kept.get(identity).is_some_and(|(_, count)| *count == 0) {
                kept.remove(identity);
            }
        }
        shrink(kept);
        Ok(builder.finish())
    }
}
