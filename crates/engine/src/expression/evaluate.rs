//! The column of an expression for a batch of rows.

use arrow_buffer::BooleanBuffer;
use towpath_types::{Cells, Column, DType, Key, Physical, PointerArray, Shared, Value, hash_columns};

use super::call::union;
use super::shared::SharedResults;
use super::{Evaluation, Expression, Kind, Operand, brief};
use crate::error::{EngineError, ErrorKind, RowError};
use crate::reporter::Reporter;

/// With less stack than this, evaluation goes on upon a new one: expressions may be nested thousands deep.
const STACK_FOR_ONE_PART: usize = 256 << 10;

/// With less than this, a function of the user's gets a new one.
const STACK_FOR_USERS: usize = 1 << 20;

const NEW_STACK: usize = 8 << 20;

/// Whether it is looked at every value of one type that is declared to be of another: the cells are laid out otherwise.
pub(super) fn is_checked(from: &DType, to: &DType) -> bool {
    let (from, to) = (from.physical(), to.physical());
    from != to && to != Physical::Any && (from, to) != (Physical::Int, Physical::Float)
}

/// A value that the user has declared to be of a type.
fn declared(value: Value, dtype: &DType) -> Result<Value, RowError> {
    let is_one = match dtype.physical() {
        Physical::Any => true,
        Physical::Bool => matches!(value, Value::Bool(_)),
        Physical::Int => matches!(value, Value::Int(_)),
        Physical::Float => matches!(value, Value::Float(_) | Value::Int(_)),
        Physical::Str => matches!(value, Value::Str(_)),
        Physical::Bytes => matches!(value, Value::Bytes(_)),
        Physical::Pointer => matches!(value, Value::Pointer(_)),
        Physical::DateTimeNaive => matches!(value, Value::DateTimeNaive(_)),
        Physical::DateTimeUtc => matches!(value, Value::DateTimeUtc(_)),
        Physical::Duration => matches!(value, Value::Duration(_)),
    };
    if is_one {
        return Ok(value);
    }
    let message = format!("{} is declared to be {}", brief(&value), dtype.required());
    Err(RowError::new(ErrorKind::Type, message))
}

/// The rows an expression is evaluated for.
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    /// The slots of the program.
    pub columns: &'a [Column],
    /// The keys.
    pub keys: &'a Shared<Key>,
    /// The differences, unless every row is added once.
    pub diffs: Option<&'a [i64]>,
}

impl Rows<'_> {
    /// The difference of one row.
    pub(crate) fn diff(&self, row: usize) -> i64 {
        self.diffs.map_or(1, |diffs| diffs[row])
    }
}

/// Some of the rows of a batch, at one place of the evaluation.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) columns: &'a [Column],
    pub(super) keys: &'a Shared<Key>,
    /// Where the rows are in the batch; nothing if they are all.
    pub(super) positions: Option<&'a [u32]>,
    /// The differences of the rows of the batch, unless every one is added once.
    pub(super) diffs: Option<&'a [i64]>,
    /// What has been computed for rows of the batch.
    pub(super) shared: &'a SharedResults,
    pub(super) reporter: &'a Reporter,
    /// Whether the reporter forgets what is reported.
    pub(super) is_silent: bool,
}

impl Part<'_> {
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The difference of one row.
    pub(super) fn diff(&self, row: usize) -> i64 {
        let position = self.positions.map_or(row, |positions| positions[row] as usize);
        self.diffs.map_or(1, |diffs| diffs[position])
    }
}

impl Expression {
    /// The column of the results, in the layout of the expression's type.
    ///
    /// # Errors
    /// If a row fails and the run is to end with it.
    pub fn evaluate(&self, rows: &Rows<'_>, reporter: &Reporter) -> Result<Column, EngineError> {
        self.results(&Part {
            columns: rows.columns,
            keys: rows.keys,
            positions: None,
            diffs: rows.diffs,
            shared: &SharedResults::new(rows.keys.len()),
            reporter,
            is_silent: false,
        })
    }

    /// The results for a part of the batch, in the layout of the expression's type.
    pub(super) fn results(&self, part: &Part<'_>) -> Result<Column, EngineError> {
        let column = self.operand(part)?.expanded(self.dtype(), part.len());
        Ok(column.with_layout_of(self.dtype()))
    }

    /// The results as an operand, which need not be in the layout of the expression's type.
    pub(super) fn operand(&self, part: &Part<'_>) -> Result<Operand, EngineError> {
        if part.keys.is_empty() {
            // Not even constants are evaluated, which could fail.
            return Ok(Operand::column(Column::empty(self.dtype().physical())));
        }
        match self.0.slot {
            Some(slot) => self.shared_operand(slot, part),
            None => self.computed(part),
        }
    }

    /// The results, computed now.
    pub(super) fn computed(&self, part: &Part<'_>) -> Result<Operand, EngineError> {
        match self.kind() {
            Kind::Column(slot) => Ok(Operand::column(part.columns[*slot].clone())),
            Kind::Id => Ok(Operand::column(Column::pointers(part.keys.clone()))),
            Kind::Literal(value) => Ok(Operand::scalar(value, self.dtype())),
            _ => stacker::maybe_grow(STACK_FOR_ONE_PART, NEW_STACK, || self.computed_of_others(part)),
        }
    }

    fn computed_of_others(&self, part: &Part<'_>) -> Result<Operand, EngineError> {
        let children = self.children();
        match self.kind() {
            Kind::Column(_) | Kind::Id | Kind::Literal(_) => self.computed(part),
            Kind::Declare if is_checked(children[0].dtype(), self.dtype()) => self.apply(
                false,
                part,
                &|arguments: &[Operand], evaluation: &mut Evaluation<'_>| {
                    let dtype = evaluation.dtype;
                    Ok(evaluation.collect(|row| declared(arguments[0].value(row), dtype)))
                },
            ),
            Kind::Declare => Ok(children[0].operand(part)?.with_layout_of(self.dtype())),
            Kind::Call(function) => {
                let call = |arguments: &[Operand], evaluation: &mut Evaluation<'_>| {
                    Ok((function.evaluate)(arguments, evaluation))
                };
                self.apply(function.takes_none, part, &call)
            }
            Kind::User(function) => {
                let call = |arguments: &[Operand], evaluation: &mut Evaluation<'_>| {
                    stacker::maybe_grow(STACK_FOR_USERS, NEW_STACK, || function.call(arguments, evaluation))
                };
                self.apply(true, part, &call)
            }
            Kind::IfElse => self.evaluate_if_else(part).map(Operand::column),
            Kind::Coalesce => self.evaluate_coalesce(part).map(Operand::column),
            Kind::Require => self.evaluate_require(part).map(Operand::column),
            Kind::FillError => self.evaluate_fill_error(part).map(Operand::column),
            Kind::Pointer { instance, optional } => {
                let columns: Vec<Column> = children
                    .iter()
                    .map(|value| value.results(part))
                    .collect::<Result<_, _>>()?;
                Ok(Operand::column(pointers(&columns, *instance, *optional, part.len())))
            }
        }
    }
}

/// The keys made from the cells of `columns`, the last of which is the instance if there is one.
fn pointers(columns: &[Column], instance: bool, optional: bool, len: usize) -> Column {
    let all: Vec<&Column> = columns.iter().collect();
    let mut keys = hash_columns(&all, len);
    if instance && let Some(instance) = all.last() {
        let instances = hash_columns(&[instance], len);
        for (key, instance) in keys.iter_mut().zip(instances) {
            *key = key.with_shard_of(instance);
        }
    }
    let mut errors = None;
    for column in columns {
        errors = union(errors, column.errors().cloned());
    }
    let nulls = optional
        .then(|| BooleanBuffer::collect_bool(len, |row| !columns.iter().any(|column| column.is_none(row))))
        .filter(|present| present.count_set_bits() < len)
        .map(Into::into);
    let array = PointerArray::new(keys.into(), nulls);
    Column::with_errors(Cells::Pointer(array), errors)
}
