//! How a column is computed from others, a whole batch at a time.
//!
//! An [`Expression`] knows its type from the start: [`Expression::call`] asks the function, and a
//! mistake is found while the plan is built. Every function is one entry in a `const` list of its
//! family; **to add one, add an entry**, and its echo of the same name in Python.
//!
//! A row that fails becomes an error in the result and is reported once; rows with an error among the
//! arguments become errors without another report. Branches that are not taken are not evaluated:
//! `if_else(x != 0, 1 / x, 0)` fails for no row.

use std::fmt;
use std::sync::Arc;

use arrow_array::BooleanArray;
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};
use towpath_types::{Cells, Column, ColumnBuilder, DType, Key, Shared, Value};

use crate::error::{EngineError, ErrorKind, Origin, PlanError, RowError};
use crate::operator::Reporter;

mod functions;
#[cfg(test)]
mod tests;

/// A function of the engine: an entry in the list of its family.
pub struct Function {
    /// The name, such as `+` or `str.upper`; unique.
    pub name: &'static str,
    /// The type of the result, or why the arguments do not fit.
    pub result: fn(&[DType]) -> Result<DType, PlanError>,
    /// The results for all rows, in the layout of the result's type. What it returns for rows with an error
    /// or (unless `takes_none`) a `None` among the arguments is ignored and must not be reported.
    pub evaluate: fn(&[Operand], &mut Evaluation<'_>) -> Column,
    /// Whether it is called with `None`s; otherwise a `None` among the arguments makes the result `None`.
    pub takes_none: bool,
    /// Whether it can fail; one that cannot may be evaluated for rows that do not need it.
    pub can_fail: bool,
    /// Where the type of the result depends on the values of constant arguments, such as the index into a tuple.
    pub constant_rule: Option<ConstantRule>,
}

/// The type of a function's result, from what [`Function::result`] says, the types of the arguments, and the
/// values of those that are constants.
pub type ConstantRule = fn(DType, &[DType], &[Option<&Value>]) -> Result<DType, PlanError>;

impl Function {
    const fn new(
        name: &'static str,
        result: fn(&[DType]) -> Result<DType, PlanError>,
        evaluate: fn(&[Operand], &mut Evaluation<'_>) -> Column,
    ) -> Self {
        Self {
            name,
            result,
            evaluate,
            takes_none: false,
            can_fail: false,
            constant_rule: None,
        }
    }

    /// The same function, called with `None`s.
    const fn taking_none(mut self) -> Self {
        self.takes_none = true;
        self
    }

    /// The same function, which can fail.
    const fn failing(mut self) -> Self {
        self.can_fail = true;
        self
    }

    /// The same function with a rule for constant arguments.
    const fn with_constants(mut self, rule: ConstantRule) -> Self {
        self.constant_rule = Some(rule);
        self
    }

    /// The type of the result for these arguments.
    fn result_of(&self, arguments: &[Expression]) -> Result<DType, PlanError> {
        let dtypes: Vec<DType> = arguments.iter().map(|argument| argument.dtype.clone()).collect();
        let general = (self.result)(&dtypes)?;
        let Some(rule) = self.constant_rule else {
            return Ok(general);
        };
        let constants: Vec<Option<&Value>> = arguments
            .iter()
            .map(|argument| match &argument.kind {
                Kind::Literal(value) => Some(value),
                _ => None,
            })
            .collect();
        rule(general, &dtypes, &constants)
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Finds a function by its name.
pub fn function(name: &str) -> Option<&'static Function> {
    functions::FAMILIES
        .iter()
        .flat_map(|family| family.iter())
        .find(|function| function.name == name)
}

/// The names of all functions.
pub fn function_names() -> impl Iterator<Item = &'static str> {
    functions::FAMILIES
        .iter()
        .flat_map(|family| family.iter())
        .map(|function| function.name)
}

/// A function of the user's.
pub trait UserFunction: fmt::Debug + Send + Sync {
    /// What it is called in messages.
    fn name(&self) -> &str;

    /// The results for all rows, in the layout of `evaluation.dtype`. Rows with an error among the arguments
    /// must be skipped: see [`Evaluation::is_masked`].
    ///
    /// # Errors
    /// If the run cannot go on. The failure of a row is no such error: see [`Evaluation::fail`].
    fn call(&self, arguments: &[Operand], evaluation: &mut Evaluation<'_>) -> Result<Column, EngineError>;

    /// Whether equal arguments always give equal results. Results of functions that are not are kept with
    /// their rows, so that a removal repeats the value that was sent.
    fn is_deterministic(&self) -> bool;
}

/// An argument of a function: a column, or one value for all rows.
#[derive(Clone, Debug)]
pub struct Operand {
    column: Column,
    scalar: bool,
}

impl Operand {
    /// A cell for every row.
    pub fn column(column: Column) -> Self {
        Self { column, scalar: false }
    }

    /// One value for all rows.
    pub fn scalar(value: &Value, dtype: &DType) -> Self {
        Self {
            column: Column::repeat(value, dtype, 1),
            scalar: true,
        }
    }

    /// The column; of length one for a scalar.
    pub fn cells(&self) -> &Column {
        &self.column
    }

    /// Whether there is one value for all rows.
    pub fn is_scalar(&self) -> bool {
        self.scalar
    }

    /// Where the cell of a row is in [`Operand::cells`].
    #[inline]
    pub fn place(&self, row: usize) -> usize {
        if self.scalar { 0 } else { row }
    }

    /// The cell of a row.
    pub fn value(&self, row: usize) -> Value {
        self.column.value(self.place(row))
    }

    /// A column with a cell for each of `len` rows.
    pub fn expanded(&self, dtype: &DType, len: usize) -> Column {
        if self.scalar {
            Column::repeat(&self.column.value(0), dtype, len)
        } else {
            self.column.clone()
        }
    }
}

/// The evaluation of one function for one batch: takes the failures of rows.
#[derive(Debug)]
pub struct Evaluation<'a> {
    /// The number of rows.
    pub len: usize,
    /// The type of the result.
    pub dtype: &'a DType,
    /// The types of the arguments.
    pub arguments: &'a [DType],
    masked: Option<BooleanBuffer>,
    failures: Vec<(usize, RowError)>,
    reporter: &'a Reporter,
}

impl Evaluation<'_> {
    /// Whether the run has been ended: user code should not be called any more.
    pub fn is_cancelled(&self) -> bool {
        self.reporter.is_cancelled()
    }

    /// Whether the row has an error among its arguments, or a `None` that the function does not take:
    /// its result is settled and it must not fail.
    #[inline]
    pub fn is_masked(&self, row: usize) -> bool {
        self.masked.as_ref().is_some_and(|masked| masked.value(row))
    }

    /// The rows that are settled, if any; see [`Evaluation::is_masked`].
    pub fn masked(&self) -> Option<&BooleanBuffer> {
        self.masked.as_ref()
    }

    /// Makes the result of a row an error.
    pub fn fail(&mut self, row: usize, kind: ErrorKind, message: impl Into<String>) {
        self.fail_with(row, RowError::new(kind, message));
    }

    /// Makes the result of a row an error, with all that is known of it.
    pub fn fail_with(&mut self, row: usize, error: RowError) {
        if !self.is_masked(row) {
            self.failures.push((row, error));
        }
    }

    /// The results of rows computed one at a time; masked rows are skipped.
    pub fn collect(&mut self, mut row: impl FnMut(usize) -> Result<Value, RowError>) -> Column {
        let mut builder = ColumnBuilder::new(self.dtype);
        for place in 0..self.len {
            if self.is_masked(place) {
                builder.push_none();
                continue;
            }
            match row(place) {
                Ok(value) => builder.push(&value),
                Err(error) => {
                    self.fail_with(place, error);
                    builder.push_none();
                }
            }
        }
        builder.finish()
    }
}

/// How a column is computed.
#[derive(Clone, Debug)]
pub struct Expression {
    kind: Kind,
    dtype: DType,
    origin: Option<Origin>,
}

#[derive(Clone, Debug)]
enum Kind {
    /// A column: in a plan its id, in a program its slot.
    Column(usize),
    /// The key of the row.
    Id,
    Literal(Value),
    Call(&'static Function, Vec<Expression>),
    User(Arc<dyn UserFunction>, Vec<Expression>),
    /// Condition, then, otherwise.
    IfElse(Box<[Expression; 3]>),
    /// The first that is not `None`.
    Coalesce(Vec<Expression>),
    /// The first if none of the others is `None`, otherwise `None`.
    Require(Vec<Expression>),
    /// The first, or the second where it is an error.
    FillError(Box<[Expression; 2]>),
    /// The key made from values; optionally on the shard of an instance, optionally `None` for a `None`.
    Pointer {
        values: Vec<Expression>,
        instance: bool,
        optional: bool,
    },
    /// The same cells under another type.
    Declare(Box<Expression>),
}

/// The rows an expression is evaluated for.
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    /// The slots of the program.
    pub columns: &'a [Column],
    /// The keys.
    pub keys: &'a Shared<Key>,
}

/// What computes the column of a call from its arguments.
type Call<'a> = dyn Fn(&[Operand], &mut Evaluation<'_>) -> Result<Column, EngineError> + 'a;

impl Expression {
    fn new(kind: Kind, dtype: DType) -> Self {
        Self {
            kind,
            dtype,
            origin: None,
        }
    }

    /// A column of type `dtype`.
    pub fn column(column: usize, dtype: DType) -> Self {
        Self::new(Kind::Column(column), dtype)
    }

    /// The key of the row.
    pub fn id() -> Self {
        Self::new(Kind::Id, DType::Pointer)
    }

    /// A constant.
    pub fn literal(value: Value, dtype: DType) -> Self {
        Self::new(Kind::Literal(value), dtype)
    }

    /// A function applied to arguments.
    ///
    /// # Errors
    /// If the types of the arguments do not fit.
    pub fn call(function: &'static Function, arguments: Vec<Expression>) -> Result<Self, PlanError> {
        let mut dtype = function.result_of(&arguments)?;
        if !function.takes_none && arguments.iter().any(|argument| argument.dtype.is_optional()) {
            dtype = dtype.optional();
        }
        if dtype == DType::Bool && matches!(function.name, "&" | "|") && arguments[1].can_fail() {
            return Ok(Self::short_circuit(function.name == "&", arguments));
        }
        Ok(Self::new(Kind::Call(function, arguments), dtype))
    }

    /// `left & right` or `left | right`, with `right` evaluated only for the rows where it decides.
    fn short_circuit(and: bool, mut arguments: Vec<Expression>) -> Self {
        let constant = Self::literal(Value::Bool(!and), DType::Bool);
        let right = arguments.swap_remove(1);
        let left = arguments.swap_remove(0);
        let parts = if and {
            [left, right, constant]
        } else {
            [left, constant, right]
        };
        Self::new(Kind::IfElse(Box::new(parts)), DType::Bool)
    }

    /// A function of the user's that returns `dtype`.
    pub fn user(function: Arc<dyn UserFunction>, arguments: Vec<Expression>, dtype: DType) -> Self {
        Self::new(Kind::User(function, arguments), dtype)
    }

    /// `then` where `condition` is true, elsewhere `otherwise`.
    ///
    /// # Errors
    /// If the condition is no `bool`, or the branches have no common type.
    pub fn if_else(condition: Expression, then: Expression, otherwise: Expression) -> Result<Self, PlanError> {
        if condition.dtype != DType::Bool {
            return Err(PlanError::mismatch(format!(
                "the condition of if_else must be bool, not {}",
                condition.dtype
            )));
        }
        let dtype = common_type("if_else", &[&then, &otherwise])?;
        Ok(Self::new(Kind::IfElse(Box::new([condition, then, otherwise])), dtype))
    }

    /// The first of `arguments` that is not `None`.
    ///
    /// # Errors
    /// If there are none, or they have no common type.
    pub fn coalesce(arguments: Vec<Expression>) -> Result<Self, PlanError> {
        let mut dtype = common_type("coalesce", &arguments.iter().collect::<Vec<_>>())?;
        if arguments.iter().any(|argument| !argument.dtype.is_optional()) {
            dtype = dtype.required().clone();
        }
        Ok(Self::new(Kind::Coalesce(arguments), dtype))
    }

    /// `value` where none of `others` is `None`, elsewhere `None`.
    pub fn require(value: Expression, others: Vec<Expression>) -> Self {
        let dtype = value.dtype.clone().optional();
        let mut arguments = vec![value];
        arguments.extend(others);
        Self::new(Kind::Require(arguments), dtype)
    }

    /// `value`, or `replacement` where it is an error.
    ///
    /// # Errors
    /// If they have no common type.
    pub fn fill_error(value: Expression, replacement: Expression) -> Result<Self, PlanError> {
        let dtype = common_type("fill_error", &[&value, &replacement])?;
        Ok(Self::new(Kind::FillError(Box::new([value, replacement])), dtype))
    }

    /// The key made from `values`, on the shard of `instance`. If `optional`, a `None` among the values
    /// makes it `None`.
    pub fn pointer(mut values: Vec<Expression>, instance: Option<Expression>, optional: bool) -> Self {
        let dtype = if optional && values.iter().any(|value| value.dtype.is_optional()) {
            DType::Pointer.optional()
        } else {
            DType::Pointer
        };
        let has_instance = instance.is_some();
        values.extend(instance);
        Self::new(
            Kind::Pointer {
                values,
                instance: has_instance,
                optional,
            },
            dtype,
        )
    }

    /// The same cells under another type, which the user vouches for.
    pub fn declare(self, dtype: DType) -> Self {
        Self::new(Kind::Declare(Box::new(self)), dtype)
    }

    /// The same expression, made at a place of the user's program.
    #[must_use]
    pub fn at(mut self, origin: Option<Origin>) -> Self {
        self.origin = origin.or(self.origin);
        self
    }

    /// The type of the values.
    pub fn dtype(&self) -> &DType {
        &self.dtype
    }

    /// Where it was made.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// The column, if the expression is nothing but one.
    pub fn as_column(&self) -> Option<usize> {
        match &self.kind {
            Kind::Column(column) => Some(*column),
            _ => None,
        }
    }

    fn children(&self) -> &[Expression] {
        match &self.kind {
            Kind::Column(_) | Kind::Id | Kind::Literal(_) => &[],
            Kind::Call(_, arguments)
            | Kind::User(_, arguments)
            | Kind::Coalesce(arguments)
            | Kind::Require(arguments)
            | Kind::Pointer { values: arguments, .. } => arguments,
            Kind::IfElse(arguments) => &arguments[..],
            Kind::FillError(arguments) => &arguments[..],
            Kind::Declare(argument) => std::slice::from_ref(argument),
        }
    }

    fn children_mut(&mut self) -> &mut [Expression] {
        match &mut self.kind {
            Kind::Column(_) | Kind::Id | Kind::Literal(_) => &mut [],
            Kind::Call(_, arguments)
            | Kind::User(_, arguments)
            | Kind::Coalesce(arguments)
            | Kind::Require(arguments)
            | Kind::Pointer { values: arguments, .. } => arguments,
            Kind::IfElse(arguments) => &mut arguments[..],
            Kind::FillError(arguments) => &mut arguments[..],
            Kind::Declare(argument) => std::slice::from_mut(argument),
        }
    }

    /// Calls `visit` with every column the expression reads.
    pub fn for_each_column(&self, visit: &mut dyn FnMut(usize)) {
        if let Kind::Column(column) = self.kind {
            visit(column);
        }
        for child in self.children() {
            child.for_each_column(visit);
        }
    }

    /// The same expression with its columns renumbered.
    pub fn map_columns(&self, map: &dyn Fn(usize) -> usize) -> Self {
        let mut mapped = self.clone();
        mapped.renumber(map);
        mapped
    }

    fn renumber(&mut self, map: &dyn Fn(usize) -> usize) {
        if let Kind::Column(column) = &mut self.kind {
            *column = map(*column);
        }
        for child in self.children_mut() {
            child.renumber(map);
        }
    }

    /// Whether equal rows always give equal results.
    pub fn is_deterministic(&self) -> bool {
        let own = match &self.kind {
            Kind::User(function, _) => function.is_deterministic(),
            _ => true,
        };
        own && self.children().iter().all(Expression::is_deterministic)
    }

    /// Whether some row may fail.
    fn can_fail(&self) -> bool {
        let own = match &self.kind {
            Kind::User(..) => true,
            Kind::Call(function, _) => function.can_fail,
            _ => false,
        };
        own || self.children().iter().any(Expression::can_fail)
    }

    /// Whether it calls a function of the user's, which must see no row that does not need it.
    fn is_users(&self) -> bool {
        matches!(self.kind, Kind::User(..)) || self.children().iter().any(Expression::is_users)
    }

    /// The column of the results, in the layout of the expression's type.
    ///
    /// # Errors
    /// If a row fails and the run is to end with it.
    pub fn evaluate(&self, rows: &Rows<'_>, reporter: &Reporter) -> Result<Column, EngineError> {
        let operand = self.operand(rows, reporter)?;
        let column = operand.expanded(&self.dtype, rows.keys.len());
        Ok(column.with_layout_of(&self.dtype))
    }

    fn operand(&self, rows: &Rows<'_>, reporter: &Reporter) -> Result<Operand, EngineError> {
        let len = rows.keys.len();
        if len == 0 {
            // Not even constants are evaluated, which could fail.
            return Ok(Operand::column(Column::empty(self.dtype.physical())));
        }
        match &self.kind {
            Kind::Column(slot) => Ok(Operand::column(rows.columns[*slot].clone())),
            Kind::Id => Ok(Operand::column(Column::pointers(rows.keys.clone()))),
            Kind::Literal(value) => Ok(Operand::scalar(value, &self.dtype)),
            Kind::Declare(inner) => {
                let operand = inner.operand(rows, reporter)?;
                Ok(Operand {
                    column: operand.column.with_layout_of(&self.dtype),
                    scalar: operand.scalar,
                })
            }
            Kind::Call(function, arguments) => {
                let call = |arguments: &[Operand], evaluation: &mut Evaluation<'_>| {
                    Ok((function.evaluate)(arguments, evaluation))
                };
                self.apply(arguments, function.takes_none, rows, reporter, &call)
            }
            Kind::User(function, arguments) => {
                let call =
                    |arguments: &[Operand], evaluation: &mut Evaluation<'_>| function.call(arguments, evaluation);
                self.apply(arguments, true, rows, reporter, &call)
            }
            Kind::IfElse(parts) => {
                let [condition, then, otherwise] = &**parts;
                let condition = condition.evaluate(rows, reporter)?;
                let Cells::Bool(chosen) = condition.cells() else {
                    panic!("the condition of if_else is laid out as bool");
                };
                let Some(errors) = condition.errors() else {
                    return Ok(Operand::column(self.choose(
                        chosen.values(),
                        then,
                        otherwise,
                        rows,
                        reporter,
                    )?));
                };
                // An error in the condition chooses neither branch.
                let good = !errors;
                let columns = columns_where(&[then, otherwise], &good, rows);
                let keys = keys_where(&good, rows);
                let chosen = condition.filter(&good);
                let Cells::Bool(chosen) = chosen.cells() else {
                    panic!("a filter keeps the layout");
                };
                let rows = Rows {
                    columns: &columns,
                    keys: &keys,
                };
                let column = self.choose(chosen.values(), then, otherwise, &rows, reporter)?;
                let nones = self.dtype.physical().nones(len - column.len());
                let column = merge(&good, &column, &nones, &self.dtype);
                Ok(Operand::column(column.masked(Some(errors))))
            }
            Kind::Coalesce(arguments) => {
                let mut result = arguments[0]
                    .evaluate(rows, reporter)?
                    .with_layout_of(&self.dtype.clone());
                for argument in &arguments[1..] {
                    let full = BooleanBuffer::collect_bool(len, |row| !result.is_none(row));
                    if full.count_set_bits() == len {
                        break;
                    }
                    let rest = self.branch(argument, &!&full, rows, reporter)?;
                    result = merge(&full, &result.filter(&full), &rest, &self.dtype);
                }
                Ok(Operand::column(result))
            }
            Kind::Require(arguments) => {
                let mut present = BooleanBuffer::new_set(len);
                let mut errors = None;
                for argument in &arguments[1..] {
                    let column = argument.evaluate(rows, reporter)?;
                    present = &present & &BooleanBuffer::collect_bool(len, |row| !column.is_none(row));
                    errors = union(errors, column.errors().cloned());
                }
                // Where another is an error, so is the result, and the value need not be known.
                let wanted = &present & &not(errors.as_ref(), len);
                let value = self.branch(&arguments[0], &wanted, rows, reporter)?;
                let nones = self.dtype.physical().nones(len - wanted.count_set_bits());
                let column = merge(&wanted, &value, &nones, &self.dtype);
                Ok(Operand::column(column.masked(errors.as_ref())))
            }
            Kind::FillError(parts) => {
                let [value, replacement] = &**parts;
                let value = value.evaluate(rows, &reporter.silent())?.with_layout_of(&self.dtype);
                let Some(errors) = value.errors().cloned() else {
                    return Ok(Operand::column(value));
                };
                let filled = self.branch(replacement, &errors, rows, reporter)?;
                Ok(Operand::column(merge(
                    &errors,
                    &filled,
                    &value.filter(&!&errors),
                    &self.dtype,
                )))
            }
            Kind::Pointer {
                values,
                instance,
                optional,
            } => {
                let columns: Vec<Column> = values
                    .iter()
                    .map(|value| value.evaluate(rows, reporter))
                    .collect::<Result<_, _>>()?;
                Ok(Operand::column(pointers(&columns, *instance, *optional, len)))
            }
        }
    }

    /// Evaluates the arguments and calls a function with them.
    fn apply(
        &self,
        arguments: &[Expression],
        takes_none: bool,
        rows: &Rows<'_>,
        reporter: &Reporter,
        call: &Call<'_>,
    ) -> Result<Operand, EngineError> {
        let operands: Vec<Operand> = arguments
            .iter()
            .map(|argument| argument.operand(rows, reporter))
            .collect::<Result<_, _>>()?;
        let scalar =
            !operands.is_empty() && operands.iter().all(Operand::is_scalar) && matches!(self.kind, Kind::Call(..));
        let len = if scalar { 1 } else { rows.keys.len() };
        let dtypes: Vec<DType> = arguments.iter().map(|argument| argument.dtype.clone()).collect();
        let errors = marked(&operands, len, Column::is_error, |column| column.errors().is_some());
        let nones = if takes_none {
            None
        } else {
            marked(&operands, len, Column::is_none, |column| {
                column.nulls().is_some() || matches!(column.cells(), Cells::Any(_))
            })
        };
        let mut evaluation = Evaluation {
            len,
            dtype: &self.dtype,
            arguments: &dtypes,
            masked: union(errors.clone(), nones.clone()),
            failures: Vec::new(),
            reporter,
        };
        let mut column = call(&operands, &mut evaluation)?;
        let failures = evaluation.failures;
        if let Some(nones) = nones {
            column = with_nones(&column, &nones, &self.dtype);
        }
        let mut errors = errors;
        if !failures.is_empty() {
            let mut mask = BooleanBufferBuilder::new(len);
            mask.append_n(len, false);
            for (row, mut error) in failures {
                mask.set_bit(row, true);
                error.key = error.key.or_else(|| rows.keys.get(row).copied());
                reporter.report_at(self.origin.as_ref(), error)?;
            }
            errors = union(errors, Some(mask.finish()));
        }
        column = column.masked(errors.as_ref());
        Ok(if scalar {
            Operand { column, scalar }
        } else {
            Operand::column(column)
        })
    }

    /// The results of `then` where `chosen`, and of `otherwise` elsewhere.
    fn choose(
        &self,
        chosen: &BooleanBuffer,
        then: &Expression,
        otherwise: &Expression,
        rows: &Rows<'_>,
        reporter: &Reporter,
    ) -> Result<Column, EngineError> {
        let len = rows.keys.len();
        let count = chosen.count_set_bits();
        if count == len {
            return Ok(then.evaluate(rows, reporter)?.with_layout_of(&self.dtype));
        }
        if count == 0 {
            return Ok(otherwise.evaluate(rows, reporter)?.with_layout_of(&self.dtype));
        }
        if !then.is_users() && !otherwise.is_users() {
            // Failures are rare: evaluate both for all rows, and only if a row fails, which may well be one
            // that does not need it, begin again with the rows that do.
            let silent = reporter.silent();
            let reporter = |branch: &Expression| if branch.can_fail() { &silent } else { reporter };
            let then = then.operand(rows, reporter(then))?;
            let otherwise = otherwise.operand(rows, reporter(otherwise))?;
            if let Some(column) = zip(chosen, &then, &otherwise, &self.dtype) {
                return Ok(column);
            }
        }
        let then = self.branch(then, chosen, rows, reporter)?;
        let otherwise = self.branch(otherwise, &!chosen, rows, reporter)?;
        Ok(merge(chosen, &then, &otherwise, &self.dtype))
    }

    /// The results of `expression` for the rows of `mask` alone.
    fn branch(
        &self,
        expression: &Expression,
        mask: &BooleanBuffer,
        rows: &Rows<'_>,
        reporter: &Reporter,
    ) -> Result<Column, EngineError> {
        let columns = columns_where(&[expression], mask, rows);
        let keys = keys_where(mask, rows);
        let rows = Rows {
            columns: &columns,
            keys: &keys,
        };
        Ok(expression.evaluate(&rows, reporter)?.with_layout_of(&self.dtype))
    }
}

/// The columns that `expressions` read, with the rows of `mask` alone.
fn columns_where(expressions: &[&Expression], mask: &BooleanBuffer, rows: &Rows<'_>) -> Vec<Column> {
    let mut columns: Vec<Column> = rows
        .columns
        .iter()
        .map(|column| Column::empty(column.physical()))
        .collect();
    for expression in expressions {
        expression.for_each_column(&mut |slot| {
            if columns[slot].is_empty() {
                columns[slot] = rows.columns[slot].filter(mask);
            }
        });
    }
    columns
}

fn keys_where(mask: &BooleanBuffer, rows: &Rows<'_>) -> Shared<Key> {
    mask.set_indices().map(|row| rows.keys[row]).collect()
}

fn common_type(what: &str, expressions: &[&Expression]) -> Result<DType, PlanError> {
    let mut dtypes = expressions.iter().map(|expression| expression.dtype.clone());
    let first = dtypes
        .next()
        .ok_or_else(|| PlanError::mismatch(format!("{what} needs at least one argument")))?;
    dtypes.try_fold(first, |joined, dtype| match joined.least_upper_bound(&dtype) {
        DType::Any if joined != DType::Any && dtype != DType::Any => Err(PlanError::mismatch(format!(
            "the arguments of {what} have no common type: {joined} and {dtype}"
        ))),
        upper => Ok(upper),
    })
}

fn not(mask: Option<&BooleanBuffer>, len: usize) -> BooleanBuffer {
    mask.map_or_else(|| BooleanBuffer::new_set(len), |mask| !mask)
}

fn union(left: Option<BooleanBuffer>, right: Option<BooleanBuffer>) -> Option<BooleanBuffer> {
    match (left, right) {
        (Some(left), Some(right)) => Some(&left | &right),
        (left, right) => left.or(right),
    }
}

/// The rows where `is_marked` holds for some operand; `None` if `may_be_marked` holds for no column.
fn marked(
    operands: &[Operand],
    len: usize,
    is_marked: fn(&Column, usize) -> bool,
    may_be_marked: fn(&Column) -> bool,
) -> Option<BooleanBuffer> {
    let mut mask: Option<BooleanBuffer> = None;
    for operand in operands {
        if may_be_marked(operand.cells()) {
            let own = BooleanBuffer::collect_bool(len, |row| is_marked(operand.cells(), operand.place(row)));
            mask = union(mask, Some(own));
        }
    }
    mask.filter(|mask| mask.count_set_bits() > 0)
}

/// The column with `None` where `nones` is true.
fn with_nones(column: &Column, nones: &BooleanBuffer, dtype: &DType) -> Column {
    if column.physical().arrow().is_some() && column.physical() == dtype.physical() {
        let mask = BooleanArray::new(nones.clone(), None);
        if let Ok(array) = arrow_select::nullif::nullif(column.cells().as_arrow(), &mask) {
            return Column::with_errors(Cells::from_arrow(column.physical(), array), column.errors().cloned());
        }
    }
    let present = !nones;
    let nones = dtype.physical().nones(column.len() - present.count_set_bits());
    merge(&present, &column.filter(&present), &nones, dtype)
}

/// The cells of `then` where `chosen`, in order, and those of `otherwise` elsewhere, in order.
fn merge(chosen: &BooleanBuffer, then: &Column, otherwise: &Column, dtype: &DType) -> Column {
    let both = Column::concat(&[&then.with_layout_of(dtype), &otherwise.with_layout_of(dtype)]);
    let (mut next_then, mut next_otherwise) = (0, then.len() as u32);
    let indices: Vec<u32> = chosen
        .iter()
        .map(|chosen| {
            let next = if chosen { &mut next_then } else { &mut next_otherwise };
            *next += 1;
            *next - 1
        })
        .collect();
    both.take(&indices.into())
}

/// A choice between whole columns or scalars in one kernel, for layouts that have one.
fn zip(chosen: &BooleanBuffer, then: &Operand, otherwise: &Operand, dtype: &DType) -> Option<Column> {
    let (left, right) = (
        then.cells().with_layout_of(dtype),
        otherwise.cells().with_layout_of(dtype),
    );
    if left.errors().is_some() || right.errors().is_some() {
        return None;
    }
    dtype.physical().arrow()?;
    let mask = BooleanArray::new(chosen.clone(), None);
    let scalar = |column: &Column| arrow_array::Scalar::new(column.cells().as_arrow().slice(0, 1));
    let (left_cells, right_cells) = (left.cells().as_arrow(), right.cells().as_arrow());
    let zipped = match (then.is_scalar(), otherwise.is_scalar()) {
        (false, false) => arrow_select::zip::zip(&mask, &left_cells, &right_cells),
        (true, false) => arrow_select::zip::zip(&mask, &scalar(&left), &right_cells),
        (false, true) => arrow_select::zip::zip(&mask, &left_cells, &scalar(&right)),
        (true, true) => arrow_select::zip::zip(&mask, &scalar(&left), &scalar(&right)),
    };
    Some(Column::new(Cells::from_arrow(dtype.physical(), zipped.ok()?)))
}

fn pointers(columns: &[Column], instance: bool, optional: bool, len: usize) -> Column {
    let all: Vec<&Column> = columns.iter().collect();
    let mut keys = towpath_types::hash_columns(&all, len);
    if instance && let Some(instance) = all.last() {
        let instances = towpath_types::hash_columns(&[instance], len);
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
    let array = towpath_types::PointerArray::new(keys.into(), nulls);
    Column::with_errors(Cells::Pointer(array), errors)
}
