//! Items of groups with their counts, and how they are saved.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use towpath_types::{Cells, Column, Key, Physical, Value, hash_columns};

use super::SavedItems;
use super::items::{Item, Word};
use crate::error::EngineError;
use crate::state::{self, Name, Saved, Touched};

/// An item as it is saved, in columns.
pub(super) trait InColumns: Ord + Clone + std::fmt::Debug {
    /// Columns of items, in these layouts.
    fn in_columns(layouts: &[Physical], items: &[Self]) -> Vec<Column>;

    /// The items of columns of the layouts.
    fn from_columns(columns: &[Column]) -> Result<Vec<Self>, EngineError>;
}

fn one_column<I: Item>(physical: Physical, items: &[I]) -> Column {
    I::column(physical, items.iter().map(Some))
}

fn read_column<I: Item>(column: &Column) -> Vec<I> {
    (0..column.len()).map(I::read(column)).collect()
}

impl InColumns for Word {
    fn in_columns(layouts: &[Physical], items: &[Self]) -> Vec<Column> {
        vec![one_column(layouts[0], items)]
    }

    fn from_columns(columns: &[Column]) -> Result<Vec<Self>, EngineError> {
        Ok(read_column(&columns[0]))
    }
}

impl InColumns for Value {
    fn in_columns(layouts: &[Physical], items: &[Self]) -> Vec<Column> {
        vec![one_column(layouts[0], items)]
    }

    fn from_columns(columns: &[Column]) -> Result<Vec<Self>, EngineError> {
        Ok(read_column(&columns[0]))
    }
}

impl<I: Item> InColumns for (I, u128, Value) {
    fn in_columns(layouts: &[Physical], items: &[Self]) -> Vec<Column> {
        let keys: Vec<Key> = items.iter().map(|(_, key, _)| Key(*key)).collect();
        vec![
            I::column(layouts[0], items.iter().map(|(first, ..)| Some(first))),
            Column::pointers(keys.into()),
            Value::column(layouts[2], items.iter().map(|(.., last)| Some(last))),
        ]
    }

    fn from_columns(columns: &[Column]) -> Result<Vec<Self>, EngineError> {
        let (first, last) = (read_column(&columns[0]), columns[2].values());
        let keys = state::keys(&columns[1])?.iter().map(|key| key.0);
        let items = first.into_iter().zip(keys).zip(last);
        Ok(items.map(|((first, key), last)| (first, key, last)).collect())
    }
}

/// Items of groups with their counts, in their order.
#[derive(Debug)]
pub(super) struct Items<I> {
    groups: Vec<BTreeMap<I, i64>>,
    layouts: Vec<Physical>,
    touched: Option<Touched<(Key, I)>>,
}

/// Adds to the count of a key, and forgets it when there is none left.
fn add<K: Ord>(counts: &mut BTreeMap<K, i64>, key: K, diff: i64) {
    match counts.entry(key) {
        Entry::Vacant(entry) => {
            entry.insert(diff);
        }
        Entry::Occupied(mut entry) => {
            *entry.get_mut() += diff;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

impl<I: InColumns> Items<I> {
    /// Items that have columns of these layouts.
    pub(super) fn new(layouts: Vec<Physical>, keeps_state: bool) -> Self {
        Self {
            groups: Vec::new(),
            layouts,
            touched: keeps_state.then(Touched::default),
        }
    }

    pub(super) fn grow(&mut self, slots: usize) {
        self.groups.resize_with(slots, BTreeMap::new);
    }

    /// The items of a group.
    pub(super) fn of(&self, slot: u32) -> &BTreeMap<I, i64> {
        &self.groups[slot as usize]
    }

    /// Adds to the count of an item.
    #[inline]
    pub(super) fn add(&mut self, slot: u32, group: Key, item: I, diff: i64) {
        if let Some(touched) = &mut self.touched {
            touched.push((group, item.clone()));
        }
        add(&mut self.groups[slot as usize], item, diff);
    }

    /// Makes an item the only one of its group.
    pub(super) fn replace(&mut self, slot: u32, group: Key, item: I) {
        let items = &mut self.groups[slot as usize];
        if let Some(touched) = &mut self.touched {
            items.keys().for_each(|item| touched.push((group, item.clone())));
            touched.push((group, item.clone()));
        }
        items.clear();
        items.insert(item, 1);
    }

    pub(super) fn clear(&mut self, slot: u32) {
        self.groups[slot as usize].clear();
    }
}

impl<I: InColumns> SavedItems for Items<I> {
    fn save(&mut self, table: u16, saved: &mut Saved, find: &dyn Fn(&Key) -> Option<u32>) {
        let Some(touched) = &mut self.touched else {
            return;
        };
        let (groups, items): (Vec<Key>, Vec<I>) = touched.take().into_iter().unzip();
        let counts = groups.iter().zip(&items).map(|(group, item)| {
            let slot = find(group)?;
            self.groups.get(slot as usize)?.get(item).copied()
        });
        put_items(
            table,
            saved,
            &groups,
            &I::in_columns(&self.layouts, &items),
            &counts.collect::<Vec<_>>(),
        );
    }

    fn layouts(&self) -> Vec<Physical> {
        self.layouts.iter().copied().chain([Physical::Int]).collect()
    }

    fn restore(&mut self, slots: &[u32], columns: &[Column]) -> Result<(), EngineError> {
        let (items, counts) = (I::from_columns(columns)?, counts_of(columns)?);
        for ((slot, item), count) in slots.iter().zip(items).zip(counts) {
            self.groups[*slot as usize].insert(item, *count);
        }
        Ok(())
    }
}

/// The last of the columns of items: their counts.
pub(super) fn counts_of(columns: &[Column]) -> Result<&[i64], EngineError> {
    let counts = columns.last().ok_or_else(|| state::unreadable("there are no counts"))?;
    state::ints(counts)
}

/// Puts items of groups with their counts, or says that they are gone.
pub(super) fn put_items(table: u16, saved: &mut Saved, groups: &[Key], columns: &[Column], counts: &[Option<i64>]) {
    let hashes = hash_columns(&columns.iter().collect::<Vec<_>>(), groups.len());
    let name = |row: usize| Name {
        identity: Key::pair(groups[row], hashes[row]),
        owner: groups[row],
    };
    let (there, gone): (Vec<usize>, Vec<usize>) = (0..groups.len()).partition(|row| counts[*row].is_some());
    let names = |rows: &[usize]| rows.iter().map(|row| name(*row)).collect::<Vec<Name>>();
    saved.remove(table, &names(&gone));
    let indices: Vec<u32> = there.iter().map(|row| *row as u32).collect();
    let mut columns: Vec<Column> = columns.iter().map(|column| column.take(&indices)).collect();
    let counts: Vec<i64> = there.iter().filter_map(|row| counts[*row]).collect();
    columns.push(Column::new(Cells::Int(counts.into())));
    saved.put_named(table, &names(&there), columns);
}
