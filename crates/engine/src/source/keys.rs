//! How rows get their keys.
//!
//! A source that makes the keys of its rows sends batches. One that need not sends [`Unkeyed`] rows, and the worker that
//! reads the stream makes their keys, to spare the source's thread: from their numbers or from cells, as [`Keys`] say,
//! which are inert data of the stream.

use towpath_types::{Batch, Column, Key, Physical, Shared, Value, hash_columns};

/// How the rows of a stream get their keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// The source chooses them.
    Chosen,
    /// From their numbers in the stream.
    Ordinal {
        /// Tells apart the streams of a plan.
        seed: u64,
        /// The number of the row that is next.
        next: u64,
    },
    /// From their cells in these columns of the source.
    Columns(Vec<usize>),
}

/// Rows without keys, with all columns of their source.
#[derive(Clone, Debug)]
pub struct Unkeyed {
    rows: usize,
    columns: Vec<Column>,
    /// The differences, unless every row is added once.
    diffs: Option<Shared<i64>>,
    /// The keys that were chosen all the same: pointers, or `None`.
    chosen: Option<Column>,
}

impl Unkeyed {
    /// So many rows; `diffs: None` adds every row once, and keys that were `chosen` are pointers, or `None`.
    pub fn new(rows: usize, columns: Vec<Column>, diffs: Option<Shared<i64>>, chosen: Option<Column>) -> Self {
        let mut all = columns.iter().chain(&chosen);
        assert!(
            all.all(|column| column.len() == rows) && diffs.as_ref().is_none_or(|diffs| diffs.len() == rows),
            "a column is as long as there are rows"
        );
        Self {
            rows,
            columns,
            diffs,
            chosen,
        }
    }

    /// The columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The differences, unless every row is added once.
    pub(crate) fn diffs(&self) -> Option<&Shared<i64>> {
        self.diffs.as_ref()
    }

    /// The keys that were chosen all the same: pointers, or `None`.
    pub(crate) fn chosen(&self) -> Option<&Column> {
        self.chosen.as_ref()
    }

    /// Some of the rows.
    fn slice(&self, start: usize, len: usize) -> Self {
        Self {
            rows: len,
            columns: self.columns.iter().map(|column| column.slice(start, len)).collect(),
            diffs: self.diffs.as_ref().map(|diffs| diffs.slice(start, len)),
            chosen: self.chosen.as_ref().map(|chosen| chosen.slice(start, len)),
        }
    }

    /// The rows in which no value is an error.
    #[must_use]
    pub fn without_errors(self) -> Self {
        let mut errors = self.columns.iter().filter_map(Column::errors);
        let Some(first) = errors.next().cloned() else {
            return self;
        };
        let right = !&errors.fold(first, |all, more| &all | more);
        Self {
            rows: right.count_set_bits(),
            columns: self.columns.iter().map(|column| column.filter(&right)).collect(),
            diffs: self
                .diffs
                .map(|diffs| right.set_indices().map(|row| diffs[row]).collect()),
            chosen: self.chosen.map(|chosen| chosen.filter(&right)),
        }
    }

    /// The rows with their keys, and just the columns at `positions`.
    fn keyed(self, keys: &mut Keys, positions: &[usize]) -> Batch {
        let mut made: Vec<Key> = match keys {
            Keys::Chosen => vec![Key::default(); self.rows],
            Keys::Ordinal { seed, next } => {
                let first = *next;
                *next += self.rows as u64;
                (first..*next).map(|number| Key::sequence(*seed, number)).collect()
            }
            Keys::Columns(columns) => {
                let columns: Vec<&Column> = columns.iter().map(|position| &self.columns[*position]).collect();
                hash_columns(&columns, self.rows)
            }
        };
        if let Some(chosen) = &self.chosen {
            for (row, key) in made.iter_mut().enumerate() {
                if let Value::Pointer(chosen) = chosen.value(row) {
                    *key = chosen;
                }
            }
        }
        let columns = positions.iter().map(|position| self.columns[*position].clone());
        Batch::new(made, columns.collect(), self.diffs)
    }
}

/// Rows as a source sends them.
#[derive(Clone, Debug)]
pub enum Arrival {
    /// With their keys, and the columns that are read.
    Keyed(Batch),
    /// The worker makes their keys, and chooses the columns that are read.
    Unkeyed(Unkeyed),
}

impl Arrival {
    /// The number of updates.
    pub fn len(&self) -> usize {
        match self {
            Arrival::Keyed(batch) => batch.len(),
            Arrival::Unkeyed(rows) => rows.rows,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How its columns lie in memory.
    pub(crate) fn layouts(&self) -> impl Iterator<Item = Physical> {
        let columns = match self {
            Arrival::Keyed(batch) => batch.columns(),
            Arrival::Unkeyed(rows) => rows.columns(),
        };
        columns.iter().map(Column::physical)
    }

    /// Some of the updates.
    #[must_use]
    pub(crate) fn slice(&self, start: usize, len: usize) -> Self {
        match self {
            Arrival::Keyed(batch) => Arrival::Keyed(batch.slice(start, len)),
            Arrival::Unkeyed(rows) => Arrival::Unkeyed(rows.slice(start, len)),
        }
    }

    /// The difference of an update.
    pub(crate) fn diff(&self, row: usize) -> i64 {
        match self {
            Arrival::Keyed(batch) => batch.diff(row),
            Arrival::Unkeyed(rows) => rows.diffs.as_ref().map_or(1, |diffs| diffs[row]),
        }
    }

    /// A rough count of the bytes that they take once they have keys.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Arrival::Keyed(batch) => batch.bytes(),
            Arrival::Unkeyed(rows) => {
                let columns = rows.columns.iter().chain(&rows.chosen);
                let diffs = rows.diffs.as_ref().map_or(0, |diffs| diffs.len() * size_of::<i64>());
                columns.map(Column::bytes).sum::<usize>() + rows.rows * size_of::<Key>() + diffs
            }
        }
    }

    /// The rows with their keys, and the columns at `positions` of the source.
    pub(crate) fn keyed(self, keys: &mut Keys, positions: &[usize]) -> Batch {
        match self {
            Arrival::Keyed(batch) => batch,
            Arrival::Unkeyed(rows) => rows.keyed(keys, positions),
        }
    }
}

impl From<Batch> for Arrival {
    fn from(batch: Batch) -> Self {
        Arrival::Keyed(batch)
    }
}

impl From<Unkeyed> for Arrival {
    fn from(rows: Unkeyed) -> Self {
        Arrival::Unkeyed(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use towpath_types::DType;

    fn ints(values: &[Value]) -> Column {
        Column::from_values(&DType::Int, values)
    }

    fn rows(numbers: &[i64]) -> Unkeyed {
        let cells: Vec<Value> = numbers.iter().copied().map(Value::Int).collect();
        Unkeyed::new(numbers.len(), vec![ints(&cells), ints(&cells)], None, None)
    }

    #[test]
    fn rows_are_numbered_through_all_batches_of_a_stream() {
        let mut keys = Keys::Ordinal { seed: 7, next: 0 };
        let mut key = |rows: Unkeyed| Arrival::from(rows).keyed(&mut keys, &[1]);
        let (first, second) = (key(rows(&[5, 6])), key(rows(&[7])));
        assert_eq!(**first.keys(), [Key::sequence(7, 0), Key::sequence(7, 1)]);
        assert_eq!(**second.keys(), [Key::sequence(7, 2)]);
        assert_eq!(second.columns(), [ints(&[Value::Int(7)])]);
    }

    #[test]
    fn a_key_that_was_chosen_counts_and_the_row_is_numbered_all_the_same() {
        let chosen = Column::from_values(&DType::ANY_POINTER, &[Value::None, Value::Pointer(Key(9)), Value::None]);
        let rows = Unkeyed {
            chosen: Some(chosen),
            ..rows(&[1, 2, 3])
        };
        let mut keys = Keys::Ordinal { seed: 7, next: 4 };
        let batch = Arrival::from(rows.clone()).keyed(&mut keys, &[]);
        assert_eq!(**batch.keys(), [Key::sequence(7, 4), Key(9), Key::sequence(7, 6)]);
        assert_eq!(keys, Keys::Ordinal { seed: 7, next: 7 });
        let batch = Arrival::from(rows).keyed(&mut Keys::Columns(vec![0]), &[]);
        assert_eq!(batch.keys()[1], Key(9));
        assert_eq!(batch.keys()[2], Key::for_values(&[Value::Int(3)]));
    }

    #[test]
    fn rows_with_errors_are_left_out_with_all_that_belongs_to_them() {
        let cells = [Value::Int(1), Value::Error, Value::Int(3)];
        let diffs = Some(vec![1, -1, -1].into());
        let rows = Unkeyed::new(3, vec![ints(&cells)], diffs, Some(ints(&cells)));
        let right = rows.without_errors();
        assert_eq!((right.rows, right.diffs.as_deref()), (2, Some(&[1, -1][..])));
        assert_eq!(right.chosen.map(|chosen| chosen.len()), Some(2));
    }
}
