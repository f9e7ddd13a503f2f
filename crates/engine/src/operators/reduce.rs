//! `reduce`: one row for every group of rows.
//!
//! Columns of the input: the key of the group (a pointer, made before by an expression), the values the groups
//! are made by, and whatever the aggregates read. Columns of the output: the grouping values, then one for
//! each aggregate. The key of the group is the key of its row.
//!
//! A group lives in a numbered slot, and so does its state in every reducer. When a group is touched for the
//! first time at a time, its old values are read off the state; at the end of the time they are compared with
//! the new ones. Nothing is stored twice.
//!
//! A row with an error in an argument spoils the result of that aggregate for as long as it is there.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};
use towpath_types::{Batch, BuildKeyHasher, Column, DType, Key, Shared, Time};

use super::{keys_of, without_unusable};
use crate::error::{EngineError, PlanError};
use crate::operator::{Operator, Output, Pruned, Reporter, Routing, Task, TaskContext};
use crate::reducers::{Failures, Options, Reducer, ReducerState, Setup, Updates};
use crate::store::{CellStore, Slots};

/// One result column.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// How it is computed.
    pub reducer: &'static Reducer,
    /// From which columns of the input.
    pub arguments: Vec<usize>,
    /// With which options.
    pub options: Options,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Reduce {
    /// The columns of the input with the grouping values.
    groups: Vec<usize>,
    aggregates: Vec<Aggregate>,
}

impl Reduce {
    /// A reduce whose input has `groups` grouping values after the key.
    pub fn new(groups: usize, aggregates: Vec<Aggregate>) -> Self {
        Self {
            groups: (1..=groups).collect(),
            aggregates,
        }
    }

    fn aggregate_types(&self, input: &[DType]) -> Result<Vec<DType>, PlanError> {
        let of = |aggregate: &Aggregate| {
            let arguments: Vec<DType> = aggregate.arguments.iter().map(|place| input[*place].clone()).collect();
            (aggregate.reducer.result)(&arguments, &aggregate.options)
        };
        self.aggregates.iter().map(of).collect()
    }
}

impl Operator for Reduce {
    fn name(&self) -> &'static str {
        "reduce"
    }

    fn output(&self, inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
        let input = &inputs[0];
        if input.first().map(DType::required) != Some(&DType::Pointer) {
            return Err(PlanError::mismatch("the key of a group is a pointer"));
        }
        let mut dtypes: Vec<DType> = self.groups.iter().map(|place| input[*place].clone()).collect();
        dtypes.extend(self.aggregate_types(input)?);
        Ok(dtypes)
    }

    fn routing(&self, _input: usize) -> Routing {
        Routing::ByPointer(0)
    }

    fn pruned(&self, outputs: &[usize], widths: &[usize]) -> Option<Pruned> {
        let (groups, aggregates): (Vec<usize>, Vec<usize>) =
            outputs.iter().partition(|output| **output < self.groups.len());
        let mut pruned = Self {
            groups: groups.into_iter().map(|output| self.groups[output]).collect(),
            aggregates: aggregates
                .into_iter()
                .map(|output| self.aggregates[output - self.groups.len()].clone())
                .collect(),
        };
        let mut is_read = vec![false; widths[0]];
        is_read[0] = true;
        let arguments = pruned.aggregates.iter().flat_map(|aggregate| &aggregate.arguments);
        for place in pruned.groups.iter().chain(arguments) {
            is_read[*place] = true;
        }
        let reads: Vec<usize> = (0..widths[0]).filter(|place| is_read[*place]).collect();
        let renumber = |place: &mut usize| *place = reads.partition_point(|read| read < place);
        pruned.groups.iter_mut().for_each(renumber);
        for aggregate in &mut pruned.aggregates {
            aggregate.arguments.iter_mut().for_each(renumber);
        }
        Some((Arc::new(pruned), vec![reads]))
    }

    fn append_only(&self, _inputs: &[bool]) -> bool {
        false
    }

    fn unique_keys(&self, _inputs: &[bool]) -> bool {
        true
    }

    fn start(&self, context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        let input = &context.dtypes[0];
        let results = self.aggregate_types(input)?;
        let aggregates = self.aggregates.iter().zip(&results).map(|(aggregate, dtype)| {
            let arguments: Vec<DType> = aggregate.arguments.iter().map(|place| input[*place].clone()).collect();
            let setup = Setup {
                arguments: &arguments,
                dtype,
                options: aggregate.options,
                append_only: context.append_only[0],
            };
            Running {
                state: (aggregate.reducer.start)(&setup),
                arguments: aggregate.arguments.clone(),
                options: aggregate.options,
                errors: HashMap::new(),
            }
        });
        Ok(Box::new(ReduceTask {
            reporter: context.reporter,
            index: HashMap::default(),
            slots: Slots::default(),
            keys: Vec::new(),
            counts: Vec::new(),
            visits: Vec::new(),
            group_columns: self.groups.clone(),
            groups: self
                .groups
                .iter()
                .map(|place| CellStore::new(input[*place].physical()))
                .collect(),
            aggregates: aggregates.collect(),
            commit: 1,
            touched: Vec::new(),
            old_slots: Vec::new(),
            old: Vec::new(),
        }))
    }
}

/// One aggregate at work.
struct Running {
    state: Box<dyn ReducerState>,
    arguments: Vec<usize>,
    options: Options,
    /// How many rows with an error among the arguments a group has, if any.
    errors: HashMap<u32, i64>,
}

/// When a slot was touched, and where its old values are.
#[derive(Clone, Copy, Debug, Default)]
struct Visit {
    commit: u64,
    /// Its place among the old rows, if the group was there before.
    old: Option<u32>,
}

struct ReduceTask {
    reporter: Reporter,
    index: HashMap<Key, u32, BuildKeyHasher>,
    slots: Slots,
    /// For every slot: the key of its group, the number of its rows, when it was touched.
    keys: Vec<Key>,
    counts: Vec<i64>,
    visits: Vec<Visit>,
    group_columns: Vec<usize>,
    groups: Vec<CellStore>,
    aggregates: Vec<Running>,
    /// Numbers the times.
    commit: u64,
    /// What was touched at the open time; which of it was there before, and the old results of that.
    touched: Vec<u32>,
    old_slots: Vec<u32>,
    old: Vec<Vec<Column>>,
}

impl Running {
    /// The rows that the reducer is to see; `None` if it is all of them. Counts errors.
    fn chosen(&mut self, updates: &Updates<'_>, arguments: &[Column]) -> Option<BooleanBuffer> {
        let mut mask: Option<BooleanBuffer> = None;
        let mut restrict = |other: BooleanBuffer| {
            mask = Some(mask.take().map_or_else(|| other.clone(), |mask| &mask & &other));
        };
        for column in arguments {
            if let Some(errors) = column.errors() {
                restrict(!errors);
            }
        }
        if let Some(sound) = &mask {
            for row in (0..sound.len()).filter(|row| !sound.value(*row)) {
                let count = self.errors.entry(updates.slots[row]).or_insert(0);
                *count += updates.diff(row);
            }
            self.errors.retain(|_, count| *count != 0);
        }
        if self.options.skip_nones
            && let Some(column) = arguments.first()
        {
            let present = BooleanBuffer::collect_bool(column.len(), |row| !column.is_none(row));
            mask = Some(mask.map_or_else(|| present.clone(), |mask| &mask & &present));
        }
        mask.filter(|mask| mask.count_set_bits() < mask.len())
    }

    fn update(&mut self, updates: &Updates<'_>, batch: &Batch, slots: usize) -> Result<(), EngineError> {
        self.state.grow(slots);
        let arguments: Vec<Column> = self
            .arguments
            .iter()
            .map(|place| batch.column(*place).clone())
            .collect();
        let Some(mask) = self.chosen(updates, &arguments) else {
            return self.state.update(updates, &arguments);
        };
        let arguments: Vec<Column> = arguments.iter().map(|column| column.filter(&mask)).collect();
        let slots: Vec<u32> = mask.set_indices().map(|row| updates.slots[row]).collect();
        let keys: Vec<Key> = mask.set_indices().map(|row| updates.keys[row]).collect();
        let diffs: Vec<i64> = mask.set_indices().map(|row| updates.diff(row)).collect();
        let updates = Updates {
            slots: &slots,
            keys: &keys,
            diffs: Some(&diffs),
            commit: updates.commit,
        };
        self.state.update(&updates, &arguments)
    }

    fn output(&self, slots: &[u32], failures: &mut Failures) -> Column {
        let column = self.state.output(slots, failures);
        if self.errors.is_empty() && failures.is_empty() {
            return column;
        }
        let mut mask = BooleanBufferBuilder::new(slots.len());
        mask.append_n(slots.len(), false);
        for (place, slot) in slots.iter().enumerate() {
            if self.errors.contains_key(slot) {
                mask.set_bit(place, true);
            }
        }
        for (place, _) in failures {
            mask.set_bit(*place, true);
        }
        column.masked(Some(&mask.finish()))
    }
}

impl ReduceTask {
    /// The slot of the group of every row, new ones included.
    fn find_slots(&mut self, batch: &Batch) -> Vec<u32> {
        let keys = keys_of(batch.column(0));
        let mut slots = Vec::with_capacity(keys.len());
        let (mut new_slots, mut new_rows) = (Vec::new(), Vec::new());
        for (row, key) in keys.iter().enumerate() {
            let slot = *self.index.entry(*key).or_insert_with(|| {
                let slot = self.slots.take();
                new_slots.push(slot);
                new_rows.push(row as u32);
                slot
            });
            slots.push(slot);
        }
        let len = self.slots.len();
        self.keys.resize(len, Key::default());
        self.counts.resize(len, 0);
        self.visits.resize(len, Visit::default());
        for (slot, row) in new_slots.iter().zip(&new_rows) {
            self.keys[*slot as usize] = keys[*row as usize];
        }
        for (cells, place) in self.groups.iter_mut().zip(&self.group_columns) {
            cells.put(&new_slots, batch.column(*place), new_rows.iter().copied());
        }
        slots
    }

    /// Notes which groups are touched for the first time, and reads off the results they had.
    fn visit(&mut self, slots: &[u32]) {
        let known = self.old_slots.len();
        for slot in slots {
            let visit = &mut self.visits[*slot as usize];
            if visit.commit == self.commit {
                continue;
            }
            *visit = Visit {
                commit: self.commit,
                old: None,
            };
            self.touched.push(*slot);
            if self.counts[*slot as usize] > 0 {
                visit.old = Some(self.old_slots.len() as u32);
                self.old_slots.push(*slot);
            }
        }
        let new = &self.old_slots[known..];
        if !new.is_empty() {
            let columns = self
                .aggregates
                .iter()
                .map(|aggregate| aggregate.output(new, &mut Vec::new()));
            self.old.push(columns.collect());
        }
    }

    /// Groups and their results as rows.
    fn rows(&self, slots: &[u32], results: Vec<Column>) -> Batch {
        let keys: Shared<Key> = slots.iter().map(|slot| self.keys[*slot as usize]).collect();
        let mut columns: Vec<Column> = self.groups.iter().map(|cells| cells.gather(slots)).collect();
        columns.extend(results);
        Batch::new(keys, columns, None)
    }

    fn new_results(&self, slots: &[u32]) -> Result<Vec<Column>, EngineError> {
        let mut columns = Vec::with_capacity(self.aggregates.len());
        for aggregate in &self.aggregates {
            let mut failures = Failures::new();
            columns.push(aggregate.output(slots, &mut failures));
            for (place, mut error) in failures {
                error.key = Some(self.keys[slots[place] as usize]);
                self.reporter.report(error)?;
            }
        }
        Ok(columns)
    }

    /// Frees the slots of groups without rows.
    fn forget_empty(&mut self, touched: &[u32]) {
        for slot in touched {
            if self.counts[*slot as usize] != 0 {
                continue;
            }
            self.index.remove(&self.keys[*slot as usize]);
            for cells in &mut self.groups {
                cells.clear(*slot);
            }
            for aggregate in &mut self.aggregates {
                aggregate.state.clear(*slot);
                aggregate.errors.remove(slot);
            }
            self.slots.give_back(*slot);
        }
    }
}

impl Task for ReduceTask {
    fn absorb(&mut self, _input: usize, batch: Batch, _output: &mut Output) -> Result<(), EngineError> {
        let batch = without_unusable(batch, 0, "grouping columns", &self.reporter)?;
        let slots = self.find_slots(&batch);
        self.visit(&slots);
        let updates = Updates {
            slots: &slots,
            keys: batch.keys(),
            diffs: batch.diffs().map(|diffs| &**diffs),
            commit: self.commit,
        };
        match updates.diffs {
            None => slots.iter().for_each(|slot| self.counts[*slot as usize] += 1),
            Some(diffs) => {
                for (slot, diff) in slots.iter().zip(diffs) {
                    self.counts[*slot as usize] += diff;
                }
            }
        }
        for aggregate in &mut self.aggregates {
            aggregate.update(&updates, &batch, self.slots.len())?;
        }
        Ok(())
    }

    fn complete(&mut self, _time: Time, output: &mut Output) -> Result<(), EngineError> {
        let touched = std::mem::take(&mut self.touched);
        let old_slots = std::mem::take(&mut self.old_slots);
        let old_chunks = std::mem::take(&mut self.old);
        let live: Vec<u32> = touched
            .iter()
            .copied()
            .filter(|slot| self.counts[*slot as usize] > 0)
            .collect();
        let new = self.new_results(&live)?;
        let old: Vec<Column> = (0..self.aggregates.len())
            .map(|place| {
                let parts: Vec<&Column> = old_chunks.iter().map(|columns| &columns[place]).collect();
                Column::concat(&parts)
            })
            .collect();
        if old_slots.is_empty() {
            output.push(self.rows(&live, new));
        } else {
            let mut is_changed = vec![true; old_slots.len()];
            let is_new = BooleanBuffer::collect_bool(live.len(), |row| {
                let Some(place) = self.visits[live[row] as usize].old else {
                    return true;
                };
                let place = place as usize;
                is_changed[place] = !old.iter().zip(&new).all(|(old, new)| old.cell_eq(place, new, row));
                is_changed[place]
            });
            let old = self.rows(&old_slots, old).filter(&is_changed.into_iter().collect());
            let new = self.rows(&live, new).filter(&is_new);
            output.push(match (old.is_empty(), new.is_empty()) {
                (true, _) => new,
                (false, true) => old.negated(),
                (false, false) => Batch::concat(&[old.negated(), new]),
            });
        }
        self.forget_empty(&touched);
        self.commit += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::Expression;
    use crate::plan::{ColumnId, Input, NodeId, Plan};
    use crate::reducers::reducer;
    use crate::testing::{Script, Update, check, try_run, update};
    use towpath_types::Value;

    /// Groups by the first column; the aggregates read the others.
    fn reduce(
        plan: &mut Plan,
        script: Script,
        aggregates: &[(&str, &[usize], bool)],
    ) -> Result<(NodeId, Vec<ColumnId>), PlanError> {
        let source = plan.source(Arc::new(script), None);
        let mut columns = plan.columns(source).to_vec();
        let key = Expression::pointer(vec![plan.expression(columns[0])], None, false);
        columns.insert(0, plan.define(source, key)?);
        let aggregates = aggregates.iter().map(|(name, arguments, skip_nones)| Aggregate {
            reducer: reducer(name).expect("the reducer is in the list"),
            arguments: arguments.iter().map(|argument| argument + 1).collect(),
            options: Options {
                skip_nones: *skip_nones,
            },
        });
        let operator = Arc::new(Reduce::new(1, aggregates.collect()));
        let node = plan.operator(operator, vec![Input { node: source, columns }], None)?;
        Ok((node, plan.columns(node).to_vec()))
    }

    fn row(key: u128, group: &str, value: impl Into<Value>, diff: i64) -> Update {
        update(key, [Value::from(group), value.into()], diff)
    }

    fn check_reduce(dtype: DType, commits: Vec<Vec<Update>>, aggregates: &[(&str, &[usize], bool)], expected: &str) {
        for rows in [1, 2, usize::MAX] {
            let script = Script::new(vec![DType::Str, dtype.clone()], commits.clone()).in_batches_of(rows);
            check(|plan| reduce(plan, script.clone(), aggregates), expected);
        }
    }

    #[test]
    fn groups_come_change_and_go() {
        check_reduce(
            DType::Int,
            vec![
                vec![row(1, "a", 1, 1), row(2, "a", 5, 1), row(3, "b", 7, 1)],
                vec![row(2, "a", 5, -1), row(4, "a", 0, 1), row(5, "a", 3, 1)],
                vec![row(3, "b", 7, -1), row(6, "c", 1, 1), row(6, "c", 1, -1)],
                vec![row(1, "a", 1, -1), row(1, "a", 1, 1)],
            ],
            &[
                ("count", &[], false),
                ("sum", &[1], false),
                ("min", &[1], false),
                ("max", &[1], false),
                ("avg", &[1], false),
            ],
            "2 +1 a 2 6 1 5 3.0
             2 +1 b 1 7 7 7 7.0
             4 -1 a 2 6 1 5 3.0
             4 +1 a 3 4 0 3 1.3333333333333333
             6 -1 b 1 7 7 7 7.0",
        );
    }

    #[test]
    fn insert_only_groups_keep_the_best() {
        check_reduce(
            DType::Float,
            vec![
                vec![row(1, "a", 1.5, 1), row(2, "a", -2.5, 1)],
                vec![row(3, "a", 0.5, 1)],
                vec![row(4, "a", 9.0, 1)],
            ],
            &[("min", &[1], false), ("max", &[1], false)],
            "2 +1 a -2.5 1.5
             6 -1 a -2.5 1.5
             6 +1 a -2.5 9.0",
        );
    }

    #[test]
    fn chosen_rows() {
        check_reduce(
            DType::Int.optional(),
            vec![
                vec![
                    row(5, "a", 1, 1),
                    row(2, "a", 1, 1),
                    row(3, "a", 4, 1),
                    row(9, "a", (), 1),
                ],
                vec![row(9, "a", (), -1)],
                vec![row(2, "a", 1, -1)],
            ],
            &[
                ("argmin", &[1], false),
                ("argmax", &[1], false),
                ("any", &[1], false),
                ("min", &[1], false),
                ("max", &[1], false),
            ],
            "2 +1 a ^9 ^3 None None 4
             4 -1 a ^9 ^3 None None 4
             4 +1 a ^2 ^3 1 1 4
             6 -1 a ^2 ^3 1 1 4
             6 +1 a ^5 ^3 1 1 4",
        );
    }

    #[test]
    fn sequences_and_distinct_values() {
        check_reduce(
            DType::Int.optional(),
            vec![
                vec![
                    row(3, "a", 1, 1),
                    row(2, "a", 8, 1),
                    row(1, "a", (), 1),
                    row(4, "a", 1, 1),
                ],
                vec![row(3, "a", 1, -1)],
            ],
            &[
                ("tuple", &[1], false),
                ("tuple", &[1], true),
                ("sorted_tuple", &[1], false),
                ("count_distinct", &[1], false),
            ],
            "2 +1 a (None,8,1,1) (8,1,1) (None,1,1,8) 3
             4 -1 a (None,8,1,1) (8,1,1) (None,1,1,8) 3
             4 +1 a (None,8,1) (8,1) (None,1,8) 3",
        );
    }

    #[test]
    fn earliest_and_latest() {
        let commits = vec![
            vec![row(2, "a", 20, 1), row(1, "a", 10, 1)],
            vec![row(4, "a", 40, 1), row(3, "a", 30, 1)],
        ];
        let aggregates: &[(&str, &[usize], bool)] = &[("earliest", &[1], false), ("latest", &[1], false)];
        check_reduce(
            DType::Int,
            commits,
            aggregates,
            "2 +1 a 10 20
             4 -1 a 10 20
             4 +1 a 10 40",
        );
        let script = Script::new(
            vec![DType::Str, DType::Int],
            vec![vec![row(2, "a", 20, 1)], vec![row(2, "a", 20, -1)]],
        );
        let error = try_run(|plan| reduce(plan, script.clone(), aggregates), 1, true).expect_err("a row is removed");
        assert!(error.message.contains("append-only"), "{error}");
    }

    #[test]
    fn unique_is_an_error_while_there_are_several() {
        let script = Script::new(
            vec![DType::Str, DType::Int],
            vec![
                vec![row(1, "a", 1, 1)],
                vec![row(2, "a", 2, 1)],
                vec![row(1, "a", 1, -1)],
            ],
        );
        let build = |plan: &mut Plan| reduce(plan, script.clone(), &[("unique", &[1], false)]);
        let error = try_run(build, 1, true).expect_err("there are two values");
        assert!(error.message.contains("More than one distinct value"), "{error}");
        assert_eq!(
            try_run(build, 3, false).expect("errors flow on"),
            ["2 +1 a 1", "4 -1 a 1", "4 +1 a Error", "6 -1 a Error", "6 +1 a 2"]
        );
    }

    #[test]
    fn errors_spoil_results_and_skip_groups() {
        let script = Script::new(
            vec![DType::Str, DType::Int],
            vec![
                vec![
                    row(1, "a", 1, 1),
                    row(2, "a", Value::Error, 1),
                    update(3, [Value::Error, Value::from(1)], 1),
                ],
                vec![
                    row(2, "a", Value::Error, -1),
                    update(3, [Value::Error, Value::from(1)], -1),
                ],
            ],
        );
        let build = |plan: &mut Plan| reduce(plan, script.clone(), &[("sum", &[1], false), ("count", &[], false)]);
        assert_eq!(
            try_run(build, 1, false).expect("errors flow on"),
            ["2 +1 a Error 2", "4 -1 a Error 2", "4 +1 a 1 1"]
        );
    }

    #[test]
    fn overflow_is_an_error() {
        let script = Script::new(
            vec![DType::Str, DType::Int],
            vec![
                vec![row(1, "a", i64::MAX, 1), row(2, "a", 1, 1)],
                vec![row(2, "a", 1, -1)],
            ],
        );
        let build = |plan: &mut Plan| reduce(plan, script.clone(), &[("sum", &[1], false)]);
        assert_eq!(
            try_run(build, 1, false).expect("errors flow on"),
            [
                "2 +1 a Error".to_owned(),
                "4 -1 a Error".to_owned(),
                format!("4 +1 a {}", i64::MAX)
            ]
        );
    }

    #[test]
    fn unread_columns_are_pruned() {
        let aggregates: &[(&str, &[usize], bool)] = &[("sum", &[1], false), ("max", &[1], false)];
        let script = Script::new(
            vec![DType::Str, DType::Int],
            vec![vec![row(1, "a", 1, 1), row(2, "b", 4, 1)]],
        );
        for (columns, expected) in [
            (vec![2], "2 +1 1\n2 +1 4"),
            (vec![0], "2 +1 a\n2 +1 b"),
            (vec![2, 0], "2 +1 1 a\n2 +1 4 b"),
            (vec![], "2 +1 \n2 +1 "),
        ] {
            let build = |plan: &mut Plan| {
                let (node, all) = reduce(plan, script.clone(), aggregates)?;
                Ok((node, columns.iter().map(|column| all[*column]).collect()))
            };
            for workers in [1, 3] {
                assert_eq!(
                    try_run(build, workers, true).expect("nothing fails").join("\n"),
                    expected
                );
            }
        }
    }

    #[test]
    fn wrong_types_are_refused() {
        for (name, dtype) in [("sum", DType::Str), ("avg", DType::Bool), ("ndarray", DType::Json)] {
            let script = Script::new(vec![DType::Str, dtype], vec![]);
            let refused = reduce(&mut Plan::default(), script, &[(name, &[1], false)]);
            assert!(refused.is_err(), "{name}");
        }
    }
}
