//! Rows of a file that may have to be taken back, and what has changed when the file is read again.
//!
//! They are kept in columns, without anything that can be made again: a key comes from the row's number in the file or
//! from its primary key. Rows that come one by one are put together, so that a file that grows line by line takes no
//! more memory than one that is there at once.

use towpath_types::{Batch, Column};

use super::rows::{Records, Stamping};

/// A chunk with so many rows does not grow any more.
const LARGE: usize = 1 << 16;

/// The names of rows, ascending.
#[derive(Clone, Debug)]
struct Names {
    first: u64,
    len: usize,
    /// How much greater each is than the first, unless they are one after the other.
    steps: Option<Box<[u32]>>,
}

impl Names {
    /// `None` if they lie too far apart.
    fn new(names: impl ExactSizeIterator<Item = u64> + Clone) -> Option<Self> {
        let (first, len) = (names.clone().next()?, names.len());
        let last = names.clone().last()?;
        let is_dense = last - first == len as u64 - 1;
        let step = |name: u64| u32::try_from(name - first).ok();
        let steps = if is_dense {
            None
        } else {
            Some(names.map(step).collect::<Option<_>>()?)
        };
        Some(Self { first, len, steps })
    }

    fn get(&self, row: usize) -> u64 {
        self.first + self.steps.as_ref().map_or(row as u64, |steps| u64::from(steps[row]))
    }

    fn slice(&self, start: usize, len: usize) -> Self {
        let first = self.get(start);
        let steps = self.steps.as_ref().map(|steps| {
            let base = steps[start];
            steps[start..start + len].iter().map(|step| step - base).collect()
        });
        Self { first, len, steps }
    }

    /// The first that is not below `name`.
    fn find(&self, name: u64) -> usize {
        match &self.steps {
            None => usize::try_from(name.saturating_sub(self.first)).map_or(self.len, |row| row.min(self.len)),
            Some(steps) => steps.partition_point(|step| self.first + u64::from(*step) < name),
        }
    }

    fn iter(&self) -> impl ExactSizeIterator<Item = u64> + Clone + '_ {
        (0..self.len).map(|row| self.get(row))
    }
}

#[derive(Clone, Debug)]
struct Chunk {
    names: Names,
    columns: Vec<Column>,
}

impl Chunk {
    fn take(&self, rows: &[u32]) -> Records {
        Records {
            names: rows.iter().map(|row| self.names.get(*row as usize)).collect(),
            columns: self.columns.iter().map(|column| column.take(rows)).collect(),
        }
    }

    fn slice(&self, start: usize, len: usize) -> Self {
        Self {
            names: self.names.slice(start, len),
            columns: self.columns.iter().map(|column| column.slice(start, len)).collect(),
        }
    }

    /// Both, one after the other.
    fn with(&self, next: &Chunk) -> Option<Self> {
        let (len, all) = (self.names.len, self.names.len + next.names.len);
        let name = |row| {
            if row < len {
                self.names.get(row)
            } else {
                next.names.get(row - len)
            }
        };
        let columns = self.columns.iter().zip(&next.columns);
        Some(Self {
            names: Names::new((0..all).map(name))?,
            columns: columns.map(|(a, b)| Column::concat(&[a, b]).compacted()).collect(),
        })
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept(Vec<Chunk>);

impl Kept {
    /// Keeps rows that come after all others.
    pub(crate) fn push(&mut self, records: &Records) {
        let columns: Vec<Column> = records.columns.iter().map(Column::compacted).collect();
        let mut start = 0;
        while start < records.names.len() {
            // Nearly always all of them at once: names lie far apart only if billions of records between were bad.
            let mut len = records.names.len() - start;
            let names = loop {
                match Names::new(records.names[start..start + len].iter().copied()) {
                    Some(names) => break names,
                    None => len = len.div_ceil(2),
                }
            };
            self.0.push(Chunk {
                names,
                columns: columns.iter().map(|column| column.slice(start, len)).collect(),
            });
            start += len;
        }
        self.merge_small();
    }

    /// Small chunks at the end become one, so that there are few, and none is copied often.
    fn merge_small(&mut self) {
        while let [.., before, last] = &self.0[..]
            && before.names.len < LARGE.min(2 * last.names.len)
            && let Some(both) = before.with(last)
        {
            self.0.truncate(self.0.len() - 2);
            self.0.push(both);
        }
    }

    /// Takes out the rows from the record called `name` on.
    pub(crate) fn split_off(&mut self, name: u64) -> Kept {
        let position = self
            .0
            .partition_point(|chunk| chunk.names.get(chunk.names.len - 1) < name);
        let mut rest = self.0.split_off(position);
        if let Some(chunk) = rest.first_mut() {
            let row = chunk.names.find(name);
            if row > 0 {
                self.0.push(chunk.slice(0, row));
                *chunk = chunk.slice(row, chunk.names.len - row);
            }
        }
        Kept(rest)
    }

    /// Puts back rows that come after all others.
    pub(crate) fn append(&mut self, mut rest: Kept) {
        self.0.append(&mut rest.0);
        self.merge_small();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(test)]
    pub(crate) fn chunks(&self) -> usize {
        self.0.len()
    }

    /// Takes all of them back.
    pub(crate) fn negated(&self, stamping: &Stamping<'_>) -> impl Iterator<Item = Batch> {
        self.0.iter().map(|chunk| {
            let records = Records {
                names: chunk.names.iter().collect(),
                columns: chunk.columns.clone(),
            };
            stamping.batch(&records).negated()
        })
    }
}

/// Compares the rows that were there with those that are read now, name by name.
pub(crate) struct Difference<'a> {
    old: Kept,
    /// The next of the old rows: its chunk, and its position there.
    next: (usize, usize),
    /// Positions of old rows of this chunk that are gone.
    gone: Vec<u32>,
    before: Stamping<'a>,
    /// Whether old rows differ from new ones in any case.
    all_differ: bool,
    changes: Vec<Batch>,
}

impl<'a> Difference<'a> {
    /// From the rows that were there; if `all_differ`, in something that is not kept.
    pub(crate) fn new(old: Kept, before: Stamping<'a>, all_differ: bool) -> Self {
        Self {
            old,
            next: (0, 0),
            gone: Vec::new(),
            before,
            all_differ,
            changes: Vec::new(),
        }
    }

    /// Whether there are old rows that nothing was compared with.
    pub(crate) fn has_old(&self) -> bool {
        self.next.0 < self.old.0.len()
    }

    /// The rows that are there now, in the order of their names.
    pub(crate) fn compare(&mut self, new: &Records, now: &Stamping<'_>) {
        let mut added = Vec::new();
        for (row, name) in new.names.iter().enumerate() {
            self.drop_below(*name);
            if let Some(chunk) = self.old.0.get(self.next.0)
                && chunk.names.get(self.next.1) == *name
            {
                let position = self.next.1;
                let pairs = || chunk.columns.iter().zip(&new.columns);
                if !self.all_differ && pairs().all(|(old, new)| old.cell_eq(position, new, row)) {
                    self.advance();
                    continue;
                }
                self.gone.push(position as u32);
                self.advance();
            }
            added.push(row as u32);
        }
        if added.len() == new.names.len() {
            self.changes.push(now.batch(new));
        } else if !added.is_empty() {
            let records = Records {
                names: added.iter().map(|row| new.names[*row as usize]).collect(),
                columns: new.columns.iter().map(|column| column.take(&added)).collect(),
            };
            self.changes.push(now.batch(&records));
        }
    }

    /// Old rows with names below this one are gone.
    fn drop_below(&mut self, name: u64) {
        while let Some(chunk) = self.old.0.get(self.next.0)
            && chunk.names.get(self.next.1) < name
        {
            self.gone.push(self.next.1 as u32);
            self.advance();
        }
    }

    fn advance(&mut self) {
        self.next.1 += 1;
        let chunk = &self.old.0[self.next.0];
        if self.next.1 == chunk.names.len {
            self.take_gone();
            self.next = (self.next.0 + 1, 0);
        }
    }

    fn take_gone(&mut self) {
        if let Some(chunk) = self.old.0.get(self.next.0)
            && !self.gone.is_empty()
        {
            let records = chunk.take(&std::mem::take(&mut self.gone));
            self.changes.push(self.before.batch(&records).negated());
        }
    }

    /// What has changed so far.
    pub(crate) fn take_changes(&mut self) -> Batch {
        self.take_gone();
        Batch::concat(&std::mem::take(&mut self.changes)).consolidated()
    }

    /// What has changed, when there are no more rows.
    pub(crate) fn take_last_changes(&mut self) -> Batch {
        self.drop_below(u64::MAX);
        self.take_changes()
    }

    /// The old row of this name, which stays for now; nothing is compared with it.
    pub(crate) fn leave(&mut self, name: u64) -> Option<Records> {
        self.drop_below(name);
        let chunk = self.old.0.get(self.next.0)?;
        if chunk.names.get(self.next.1) != name {
            return None;
        }
        let records = chunk.take(&[self.next.1 as u32]);
        self.advance();
        Some(records)
    }

    /// The old rows, where the new ones are not to be had.
    pub(crate) fn take_old(&mut self) -> Kept {
        std::mem::take(&mut self.old)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use towpath_types::DType;
    use towpath_types::Value;

    fn records(names: &[u64]) -> Records {
        let values: Vec<Value> = names
            .iter()
            .map(|name| Value::str(&format!("the text of row {name}")))
            .collect();
        Records {
            names: names.to_vec(),
            columns: vec![Column::from_values(&DType::Str, &values)],
        }
    }

    fn contents(kept: &Kept) -> Vec<(u64, Value)> {
        let rows = |chunk: &Chunk| -> Vec<(u64, Value)> { chunk.names.iter().zip(chunk.columns[0].values()).collect() };
        kept.0.iter().flat_map(rows).collect()
    }

    proptest! {
        #[test]
        fn rows_come_back_in_their_order(
            steps in prop::collection::vec((0..4_u64, 1..40_usize), 0..30),
            far in prop::option::of(0..30_usize),
            cut in 0..600_u64,
        ) {
            let (mut kept, mut names, mut next) = (Kept::default(), Vec::new(), 0);
            for (position, (gap, len)) in steps.iter().enumerate() {
                next += if far == Some(position) { 1 << 33 } else { 0 };
                let some: Vec<u64> = (0..*len as u64).map(|row| next + row * (1 + gap % 2)).collect();
                kept.push(&records(&some));
                next = some[some.len() - 1] + 1 + gap;
                names.extend(some);
            }
            prop_assert!(kept.chunks() <= 16, "{} chunks", kept.chunks());
            let before = contents(&kept);
            prop_assert_eq!(before.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
            let rest = kept.split_off(cut);
            let (first, last): (Vec<_>, Vec<_>) = before.iter().cloned().partition(|(name, _)| *name < cut);
            prop_assert_eq!(contents(&kept), first);
            prop_assert_eq!(contents(&rest), last);
            kept.append(rest);
            prop_assert_eq!(contents(&kept), before);
        }
    }
}
