//! What a matching knows of its inputs, and how rows of them come out: in pairs, or alone.

use std::collections::VecDeque;

use towpath_types::{Batch, Column, DType, Key, Physical, Shared, hash_columns};

use super::complaints::Complaints;
use super::groups::Groups;
use crate::operator::{Output, TaskContext};
use crate::operators::held::Held;
use crate::operators::side::Side;
use crate::reporter::Reporter;

/// Which key a joined row gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JoinId {
    /// One made of the keys of both rows.
    #[default]
    Pair,
    /// That of the left row.
    Left,
    /// That of the right row.
    Right,
}

/// What becomes of rows without a partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::operators) enum Unmatched {
    /// Nothing.
    Drop,
    /// The cells of the other side are `None`.
    Nones,
    /// The same of a lookup, in which the error of a pointer is that of the cells.
    Misses,
    /// The cells of the other side are errors, which are reported.
    Errors,
}

pub(super) const LEFT: usize = 0;
pub(super) const RIGHT: usize = 1;

impl JoinId {
    /// That of a row of this side.
    pub(super) fn of(side: usize) -> Self {
        if side == LEFT { Self::Left } else { Self::Right }
    }
}

/// See the module.
pub(super) struct Inputs {
    pub(super) reporter: Reporter,
    pub(super) id: JoinId,
    pub(super) unmatched: [Unmatched; 2],
    /// The layouts of the columns of each side.
    layouts: [Vec<Physical>; 2],
    pub(super) sides: [Side; 2],
    pub(super) groups: Groups,
    /// Changes to rows whose groups had no partners before, with their groups.
    pub(super) deltas: [VecDeque<(Batch, Vec<u32>)>; 2],
    /// Whether a row that is put out stays till the end of the time.
    only_adds: bool,
    pub(super) held: Held,
    pub(super) complaints: Complaints,
}

impl Inputs {
    /// Inputs whose columns, but for the join keys at `pointers`, are put out.
    pub(super) fn new(
        context: TaskContext,
        id: JoinId,
        unmatched: [Unmatched; 2],
        pointers: [Option<usize>; 2],
    ) -> Self {
        let layouts = [LEFT, RIGHT].map(|side| {
            let dtypes = context.dtypes[side].iter().enumerate();
            dtypes
                .filter(|(position, _)| Some(*position) != pointers[side])
                .map(|(_, dtype)| DType::physical(dtype))
                .collect::<Vec<_>>()
        });
        Self {
            id,
            unmatched,
            sides: [LEFT, RIGHT].map(|side| {
                Side::new(&layouts[side], context.append_only[side], context.unique_keys[side])
                    .keeping(context.keeps_state)
            }),
            only_adds: context.append_only == [true; 2],
            reporter: context.reporter,
            layouts,
            groups: Groups::new(context.keeps_state),
            deltas: [VecDeque::new(), VecDeque::new()],
            held: Held::default(),
            complaints: Complaints::default(),
        }
    }

    /// Puts out what stays, and holds what may be gone at the end of the time.
    pub(super) fn put_out(&mut self, batch: Batch, output: &mut Output) {
        if self.only_adds && batch.is_insert_only() {
            output.push(batch);
        } else {
            self.held.hold(batch, output);
        }
    }

    /// Whether what was before must be known at the end of a time.
    pub(super) fn looks_back(&self) -> bool {
        self.id != JoinId::Pair || self.unmatched != [Unmatched::Drop; 2]
    }

    /// The pairs of rows of a batch with slots of the other side.
    pub(super) fn joined(&self, side: usize, batch: &Batch, rows: &[u32], slots: &[u32], diffs: Vec<i64>) -> Batch {
        let own_keys: Vec<Key> = rows.iter().map(|row| batch.keys()[*row as usize]).collect();
        // Very often every row has exactly one partner.
        let is_every_row = rows.len() == batch.len() && rows.iter().enumerate().all(|(at, row)| at == *row as usize);
        let own: Vec<Column> = if is_every_row {
            batch.columns().to_vec()
        } else {
            batch.columns().iter().map(|column| column.take(rows)).collect()
        };
        let other = &self.sides[1 - side];
        let other_keys: Vec<Key> = slots.iter().map(|slot| other.key(*slot)).collect();
        let other = other.gather(slots);
        let (left_keys, right_keys, mut columns, right) = if side == LEFT {
            (own_keys, other_keys, own, other)
        } else {
            (other_keys, own_keys, other, own)
        };
        columns.extend(right);
        let keys: Vec<Key> = match self.id {
            JoinId::Left => left_keys,
            JoinId::Right => right_keys,
            JoinId::Pair => left_keys
                .into_iter()
                .zip(right_keys)
                .map(|(left, right)| Key::pair(left, right))
                .collect(),
        };
        Batch::new(keys, columns, Some(diffs.into()))
    }

    /// Rows of a side without a partner.
    pub(super) fn alone(&self, side: usize, rows: &Batch, how: Unmatched) -> Batch {
        let len = rows.len();
        let other = |layout: &Physical| match how {
            Unmatched::Errors => layout.errors(len),
            _ => layout.nones(len),
        };
        let others: Vec<Column> = self.layouts[1 - side].iter().map(other).collect();
        let own = rows.columns().to_vec();
        let (mut columns, right) = if side == LEFT { (own, others) } else { (others, own) };
        columns.extend(right);
        let keys: Shared<Key> = if self.id == JoinId::Pair {
            let own = Column::pointers(rows.keys().clone());
            let none = Physical::Pointer.nones(len);
            let both = if side == LEFT { [&own, &none] } else { [&none, &own] };
            hash_columns(&both, len).into()
        } else {
            rows.keys().clone()
        };
        Batch::new(keys, columns, rows.diffs().cloned())
    }
}
