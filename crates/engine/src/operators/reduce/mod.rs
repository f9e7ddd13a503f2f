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
//! With several workers, each first makes one row of those it has of a group, where it can: see `combine`.
//!
//! | saved | columns | identity | owner |
//! |---|---|---|---|
//! | 0: a group | grouping values, number of rows, of rows with errors for each aggregate, what each knows | its key | its key |
//! | 1 + k: an item of a group in the k-th aggregate | the item, how often it is there | a hash of the group's key and the item | the group's key |
//!
//! A row with an error in an argument is reported, and skipped by that aggregate. Where an aggregate of a group sees only
//! such rows, its result is an error.

use std::sync::Arc;

use towpath_types::DType;

use crate::error::{EngineError, PlanError};
use crate::operator::{ColumnName, Combiner, Operator, Pruned, Routing, Task, TaskContext};
use crate::reducers::{Options, Reducer, Setup};
use crate::type_rules::check_group_keys;

mod aggregate;
mod combine;
mod groups;
mod task;
#[cfg(test)]
mod tests;

use aggregate::RunningAggregate;
use combine::ReduceCombiner;
use groups::Groups;
use task::{Names, ReduceTask};

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

impl Aggregate {
    fn argument_types(&self, input: &[DType]) -> Vec<DType> {
        self.arguments.iter().map(|position| input[*position].clone()).collect()
    }
}

/// What the columns at these positions are called, as far as that is known.
fn named(names: &[ColumnName], positions: &[usize]) -> Vec<ColumnName> {
    let name = |position: &usize| names.get(*position).cloned().flatten();
    positions.iter().map(name).collect()
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Reduce {
    /// The columns of the input with the grouping values.
    groups: Vec<usize>,
    /// Which of them are put out. The others tell groups apart all the same.
    shown: Vec<usize>,
    aggregates: Vec<Aggregate>,
}

impl Reduce {
    /// A reduce whose input has `groups` grouping values after the key.
    pub fn new(groups: usize, aggregates: Vec<Aggregate>) -> Self {
        Self {
            groups: (1..=groups).collect(),
            shown: (0..groups).collect(),
            aggregates,
        }
    }

    fn aggregate_types(&self, input: &[DType]) -> Result<Vec<DType>, PlanError> {
        let of =
            |aggregate: &Aggregate| (aggregate.reducer.result)(&aggregate.argument_types(input), &aggregate.options);
        self.aggregates.iter().map(of).collect()
    }
}

impl Operator for Reduce {
    fn name(&self) -> &'static str {
        "reduce"
    }

    fn output(&self, inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
        let input = &inputs[0];
        let Some(key) = input.first() else {
            return Err(PlanError::value("reduce needs a column of keys"));
        };
        check_group_keys(key)?;
        let mut dtypes: Vec<DType> = self
            .shown
            .iter()
            .map(|group| input[self.groups[*group]].clone())
            .collect();
        dtypes.extend(self.aggregate_types(input)?);
        Ok(dtypes)
    }

    fn routing(&self, _input: usize) -> Routing {
        Routing::ByPointer(0)
    }

    fn pruned(&self, outputs: &[usize], widths: &[usize]) -> Option<Pruned> {
        let (groups, aggregates): (Vec<usize>, Vec<usize>) =
            outputs.iter().partition(|output| **output < self.shown.len());
        let mut pruned = Self {
            groups: self.groups.clone(),
            shown: groups.into_iter().map(|output| self.shown[output]).collect(),
            aggregates: aggregates
                .into_iter()
                .map(|output| self.aggregates[output - self.shown.len()].clone())
                .collect(),
        };
        let mut is_read = vec![false; widths[0]];
        is_read[0] = true;
        let arguments = pruned.aggregates.iter().flat_map(|aggregate| &aggregate.arguments);
        for position in pruned.groups.iter().chain(arguments) {
            is_read[*position] = true;
        }
        let reads: Vec<usize> = (0..widths[0]).filter(|position| is_read[*position]).collect();
        let renumber = |position: &mut usize| *position = reads.partition_point(|read| read < position);
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

    fn combiner(&self, _input: usize, context: &TaskContext) -> Option<Box<dyn Combiner>> {
        let dtypes = &context.dtypes[0];
        let results = self.aggregate_types(dtypes).ok()?;
        self.combines(context).then(|| {
            let groups = self.groups.iter();
            let groups = Groups::new(groups.map(|position| (*position, dtypes[*position].physical())));
            let combiner = ReduceCombiner::new(self.aggregates.clone(), groups, dtypes, &results);
            Box::new(combiner) as Box<dyn Combiner>
        })
    }

    fn start(&self, context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        let input = &context.dtypes[0];
        let results = self.aggregate_types(input)?;
        let combines = self.combines(&context);
        // After a combiner the columns are the key, the groups, and those of each aggregate.
        let mut next = 1 + self.groups.len();
        let mut aggregates = Vec::new();
        for (aggregate, result) in self.aggregates.iter().zip(&results) {
            let running = RunningAggregate::new(aggregate, result, &context);
            aggregates.push(if combines { running.merging(&mut next) } else { running });
        }
        let groups = self.groups.iter().enumerate();
        let groups = groups.map(|(number, position)| {
            let column = if combines { 1 + number } else { *position };
            (column, input[*position].physical())
        });
        let names = Names {
            groups: named(context.names.first().map_or(&[], Vec::as_slice), &self.groups),
            results: context.output_names.iter().skip(self.shown.len()).cloned().collect(),
        };
        let groups = Groups::new(groups);
        let task = ReduceTask::new(context.reporter, groups, self.shown.clone(), aggregates, names);
        Ok(Box::new(task.keeping(context.keeps_state)))
    }
}

impl Reduce {
    /// Whether rows are combined before they go to other workers.
    fn combines(&self, context: &TaskContext) -> bool {
        let input = &context.dtypes[0];
        let combines = |aggregate: &Aggregate| {
            let Ok(dtype) = (aggregate.reducer.result)(&aggregate.argument_types(input), &aggregate.options) else {
                return false;
            };
            !aggregate.options.skip_nones
                && (aggregate.reducer.combines)(&Setup {
                    arguments: &aggregate.argument_types(input),
                    dtype: &dtype,
                    options: aggregate.options,
                    append_only: true,
                    keeps_state: context.keeps_state,
                })
        };
        context.workers > 1 && context.append_only[0] && self.aggregates.iter().all(combines)
    }
}
