//! The operators of a plan: a short method each.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use towpath_engine::operators;
use towpath_engine::operators::join::{JoinId, JoinKind};
use towpath_engine::operators::reduce::Aggregate;
use towpath_engine::operators::semi_join::SemiJoin;
use towpath_engine::reducers::{Options, reducer};
use towpath_engine::type_rules::check_strict_sum;
use towpath_engine::{ColumnId, NodeId};

use super::{PyPlan, input};
use crate::error::{OriginArgument, plan_error};

/// The columns of several nodes.
type Inputs = Vec<(usize, Vec<usize>)>;

/// The first columns, then the others.
fn joined(first: &[usize], others: &[usize]) -> Vec<usize> {
    first.iter().chain(others).copied().collect()
}

#[pymethods]
impl PyPlan {
    fn filter(&self, node: usize, condition: usize, origin: OriginArgument) -> PyResult<usize> {
        let mut building = self.0.lock();
        let node = building
            .plan
            .filter(NodeId(node), ColumnId(condition), origin.0)
            .map_err(plan_error)?;
        Ok(node.0)
    }

    fn reduce(
        &self,
        node: usize,
        key: usize,
        groups: Vec<usize>,
        reducers: Vec<(String, Vec<usize>, Bound<'_, PyDict>)>,
        origin: OriginArgument,
    ) -> PyResult<usize> {
        let mut columns = joined(&[key], &groups);
        let mut aggregates = Vec::new();
        for (name, arguments, given) in reducers {
            let reducer =
                reducer(&name).ok_or_else(|| PyValueError::new_err(format!("the engine has no reducer {name:?}")))?;
            let mut options = Options::default();
            for (option, value) in given.iter() {
                match option.extract::<String>()?.as_str() {
                    "skip_nones" => options.skip_nones = value.extract()?,
                    "strict" => {
                        if value.is_truthy()? {
                            check_strict_sum(&self.dtype(arguments[0]).0).map_err(plan_error)?;
                        }
                    }
                    other => {
                        return Err(PyValueError::new_err(format!(
                            "the reducer {name} has no option {other:?}"
                        )));
                    }
                }
            }
            let first = columns.len();
            columns.extend(&arguments);
            let arguments = (first..columns.len()).collect();
            aggregates.push(Aggregate {
                reducer,
                arguments,
                options,
            });
        }
        self.operator(
            operators::reduce::Reduce::new(groups.len(), aggregates),
            vec![input(node, &columns)],
            origin,
        )
    }

    #[pyo3(signature = (left, right, left_key, right_key, left_columns, right_columns, how, id, once, origin))]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Python method")]
    fn join(
        &self,
        left: usize,
        right: usize,
        left_key: usize,
        right_key: usize,
        left_columns: Vec<usize>,
        right_columns: Vec<usize>,
        how: &str,
        id: Option<&str>,
        once: [bool; 2],
        origin: OriginArgument,
    ) -> PyResult<usize> {
        let kind = match how {
            "inner" => JoinKind::Inner,
            "left" => JoinKind::Left,
            "right" => JoinKind::Right,
            "outer" => JoinKind::Outer,
            other => return Err(PyValueError::new_err(format!("unknown kind of join {other:?}"))),
        };
        let id = match id {
            None => JoinId::Pair,
            Some("left") => JoinId::Left,
            Some("right") => JoinId::Right,
            Some(other) => return Err(PyValueError::new_err(format!("unknown id of a join {other:?}"))),
        };
        let inputs = vec![
            input(left, &joined(&[left_key], &left_columns)),
            input(right, &joined(&[right_key], &right_columns)),
        ];
        self.operator(operators::join::Join { kind, id, once }, inputs, origin)
    }

    fn concat(&self, inputs: Inputs, origin: OriginArgument) -> PyResult<usize> {
        let inputs = inputs.iter().map(|(node, columns)| input(*node, columns)).collect();
        self.operator(operators::concat::Concat, inputs, origin)
    }

    fn reindex(&self, node: usize, key: usize, columns: Vec<usize>, origin: OriginArgument) -> PyResult<usize> {
        self.operator(
            operators::reindex::Reindex,
            vec![input(node, &joined(&[key], &columns))],
            origin,
        )
    }

    fn update_rows(
        &self,
        left: usize,
        left_columns: Vec<usize>,
        right: usize,
        right_columns: Vec<usize>,
        origin: OriginArgument,
    ) -> PyResult<usize> {
        self.operator(
            operators::update_rows::UpdateRows,
            vec![input(left, &left_columns), input(right, &right_columns)],
            origin,
        )
    }

    fn update_cells(
        &self,
        left: usize,
        left_columns: Vec<usize>,
        right: usize,
        right_columns: Vec<usize>,
        replaced: Vec<usize>,
        origin: OriginArgument,
    ) -> PyResult<usize> {
        self.operator(
            operators::update_cells::UpdateCells { replaced },
            vec![input(left, &left_columns), input(right, &right_columns)],
            origin,
        )
    }

    fn assert_append_only(&self, node: usize, columns: Vec<usize>, origin: OriginArgument) -> PyResult<usize> {
        self.operator(
            operators::assert_append_only::AssertAppendOnly,
            vec![input(node, &columns)],
            origin,
        )
    }

    fn flatten(
        &self,
        node: usize,
        flattened: usize,
        columns: Vec<usize>,
        origin_id: bool,
        origin: OriginArgument,
    ) -> PyResult<usize> {
        self.operator(
            operators::flatten::Flatten::new(origin_id),
            vec![input(node, &joined(&[flattened], &columns))],
            origin,
        )
    }

    #[expect(clippy::too_many_arguments, reason = "the arguments of a Python method")]
    fn lookup(
        &self,
        node: usize,
        pointer: usize,
        columns: Vec<usize>,
        target: usize,
        target_columns: Vec<usize>,
        optional: bool,
        allow_misses: bool,
        origin: OriginArgument,
    ) -> PyResult<usize> {
        let inputs = vec![
            input(node, &joined(&[pointer], &columns)),
            input(target, &target_columns),
        ];
        self.operator(operators::lookup::Lookup { optional, allow_misses }, inputs, origin)
    }

    fn key_join(&self, node: usize, columns: Vec<usize>, others: Inputs, origin: OriginArgument) -> PyResult<usize> {
        let mut inputs = vec![input(node, &columns)];
        inputs.extend(others.iter().map(|(node, columns)| input(*node, columns)));
        self.operator(operators::key_join::KeyJoin, inputs, origin)
    }

    fn semi_join(
        &self,
        node: usize,
        columns: Vec<usize>,
        others: Vec<usize>,
        keep_matched: bool,
        origin: OriginArgument,
    ) -> PyResult<usize> {
        let mut inputs = vec![input(node, &columns)];
        inputs.extend(others.iter().map(|node| input(*node, &[])));
        self.operator(
            if keep_matched {
                SemiJoin::InAll
            } else {
                SemiJoin::InNone
            },
            inputs,
            origin,
        )
    }
}
