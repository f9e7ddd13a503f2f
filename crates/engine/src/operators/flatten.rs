//! `flatten`: a row for every element of a sequence.
//!
//! Columns of the input: the sequence, then those that are carried. Columns of the output: the element, the
//! carried ones, and, if asked for, the key of the row the element comes from. The key of an element is made
//! from that key and the position, on the same shard, so that rows need not move.

use std::sync::Arc;

use arrow_array::Int64Array;
use towpath_types::{Batch, Cells, Column, ColumnBuilder, DType, Json, Key, NdArray, Value, hash_columns};

use super::report_errors;
use crate::error::{EngineError, ErrorKind, PlanError, RowError};
use crate::operator::{Operator, Output, Pruned, Routing, Task, TaskContext};
use crate::reporter::Reporter;
use crate::state::{Saved, no_table};

/// See the module.
#[derive(Clone, Debug)]
pub struct Flatten {
    /// Whether the key of the row an element comes from is put out as well.
    pub origin_id: bool,
    /// Which of element, carried columns and origin are put out; all if there is nothing here.
    outputs: Option<Vec<usize>>,
}

impl Flatten {
    /// A flatten that puts out everything.
    pub fn new(origin_id: bool) -> Self {
        Self {
            origin_id,
            outputs: None,
        }
    }
}

/// The type of the elements of a sequence.
fn element_type(dtype: &DType) -> Result<DType, PlanError> {
    let mismatch = || PlanError::mismatch(format!("Cannot flatten column of type {dtype}."));
    match dtype {
        DType::Any | DType::Str | DType::Json => Ok(dtype.clone()),
        DType::List(item) => Ok((**item).clone()),
        DType::Tuple(items) => Ok(match items.split_first() {
            Some((first, rest)) if rest.iter().all(|item| item == first) => first.clone(),
            _ => DType::Any,
        }),
        DType::Array(dimensions, element) => DType::array_item(*dimensions, element).ok_or_else(mismatch),
        _ => Err(mismatch()),
    }
}

impl Operator for Flatten {
    fn name(&self) -> &'static str {
        "flatten"
    }

    fn output(&self, inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
        let [sequence, carried @ ..] = inputs[0].as_slice() else {
            return Err(PlanError::value("flatten needs a column of sequences"));
        };
        let mut dtypes = vec![element_type(sequence)?];
        dtypes.extend_from_slice(carried);
        if self.origin_id {
            dtypes.push(DType::ANY_POINTER);
        }
        Ok(dtypes)
    }

    fn routing(&self, _input: usize) -> Routing {
        Routing::Local
    }

    fn pruned(&self, outputs: &[usize], widths: &[usize]) -> Option<Pruned> {
        let mut reads = vec![0];
        let mut positions = Vec::new();
        for output in outputs {
            if (1..widths[0]).contains(output) {
                positions.push(reads.len());
                reads.push(*output);
            } else {
                positions.push(*output);
            }
        }
        // The origin comes after the carried columns, of which there may be fewer now.
        for (position, output) in positions.iter_mut().zip(outputs) {
            if *output == widths[0] {
                *position = reads.len();
            }
        }
        let pruned = Self {
            origin_id: self.origin_id,
            outputs: Some(positions),
        };
        Some((Arc::new(pruned), vec![reads]))
    }

    fn append_only(&self, inputs: &[bool]) -> bool {
        inputs[0]
    }

    fn start(&self, context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        Ok(Box::new(FlattenTask {
            element: element_type(&context.dtypes[0][0])?,
            origin_id: self.origin_id,
            outputs: self.outputs.clone(),
            reporter: context.reporter,
            left: None,
        }))
    }
}

struct FlattenTask {
    element: DType,
    origin_id: bool,
    outputs: Option<Vec<usize>>,
    reporter: Reporter,
    /// What is left to be put out.
    left: Option<Flattening>,
}

/// How far the elements of a sequence have been taken.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    /// The number of the next element.
    position: usize,
    /// Where it begins, in a text.
    offset: usize,
}

/// The element of an array along its first dimension.
fn array_element<T: Copy>(
    array: &NdArray<T>,
    position: usize,
    scalar: fn(T) -> Value,
    inner: fn(NdArray<T>) -> Value,
) -> Option<Value> {
    match &*array.shape {
        [] | [_] => array.elements.get(position).copied().map(scalar),
        [count, shape @ ..] => {
            let size: usize = shape.iter().product();
            (position < *count).then(|| {
                inner(NdArray {
                    shape: shape.into(),
                    elements: array.elements[position * size..(position + 1) * size].into(),
                })
            })
        }
    }
}

impl Cursor {
    /// The next element of a sequence; nothing if there is none, or the value is no sequence.
    fn next(&mut self, value: &Value) -> Option<Value> {
        let position = self.position;
        let element = match value {
            Value::Tuple(items) => items.get(position).cloned(),
            Value::Str(text) => text[self.offset..].chars().next().map(|char| {
                self.offset += char.len_utf8();
                Value::str(char.encode_utf8(&mut [0; 4]))
            }),
            Value::IntArray(array) => array_element(array, position, Value::Int, Value::IntArray),
            Value::FloatArray(array) => array_element(array, position, Value::Float, Value::FloatArray),
            Value::Json(document) => match &**document {
                Json::List(items) => items.get(position).map(|item| Value::from(item.clone())),
                _ => None,
            },
            _ => None,
        };
        self.position += usize::from(element.is_some());
        element
    }
}

/// Whether a value is a sequence.
fn check_sequence(value: &Value) -> Result<(), RowError> {
    match value {
        Value::Tuple(_) | Value::Str(_) | Value::IntArray(_) | Value::FloatArray(_) => Ok(()),
        Value::Json(document) => match &**document {
            Json::List(_) => Ok(()),
            other => Err(RowError::new(
                ErrorKind::Value,
                format!("Pathway can't flatten this Json: {other}"),
            )),
        },
        other => Err(RowError::new(
            ErrorKind::Type,
            format!("Pathway can't flatten a value of type {}", other.type_name()),
        )),
    }
}

/// Rows whose elements are being put out.
struct Flattening {
    batch: Batch,
    row: usize,
    /// Where it stands in the sequence of the row, once that was looked at.
    sequence: Option<(Value, Cursor)>,
}

impl FlattenTask {
    /// The next elements, of which there are not too many for a batch; nothing when there are no more.
    fn next_batch(&mut self) -> Result<Option<Batch>, EngineError> {
        let Some(mut flattening) = self.left.take() else {
            return Ok(None);
        };
        let mut builder = ColumnBuilder::new(&self.element);
        let (mut rows, mut positions, mut failures) = (Vec::new(), Vec::new(), Vec::new());
        while flattening.row < flattening.batch.len() && rows.len() < Output::ROWS {
            let row = flattening.row;
            let (value, mut cursor) = match flattening.sequence.take() {
                Some(sequence) => sequence,
                None => (flattening.batch.column(0).value(row), Cursor::default()),
            };
            if cursor.position == 0
                && !matches!(value, Value::Error)
                && let Err(error) = check_sequence(&value)
            {
                failures.push(error.of(flattening.batch.keys()[row], flattening.batch.diff(row)));
            }
            while rows.len() < Output::ROWS {
                let Some(element) = cursor.next(&value) else {
                    break;
                };
                builder.push(&element);
                rows.push(row as u32);
                positions.push(cursor.position as i64 - 1);
            }
            if rows.len() < Output::ROWS {
                flattening.row += 1;
            } else {
                flattening.sequence = Some((value, cursor));
            }
        }
        // First what comes, so that a row that changes elsewhere is not told twice.
        failures.sort_by_key(|error| -error.diff);
        failures.into_iter().try_for_each(|error| self.reporter.report(error))?;
        let flat = flattening.batch.take(&rows);
        if flattening.row < flattening.batch.len() {
            self.left = Some(flattening);
        }
        let origins = Column::pointers(flat.keys().clone());
        let positions = Column::new(Cells::Int(Int64Array::from(positions)));
        let keys: Vec<Key> = hash_columns(&[&origins, &positions], rows.len())
            .into_iter()
            .zip(flat.keys().iter())
            .map(|(key, origin)| key.with_shard_of(*origin))
            .collect();
        let mut columns = vec![builder.finish()];
        columns.extend_from_slice(&flat.columns()[1..]);
        if self.origin_id {
            columns.push(origins);
        }
        if let Some(outputs) = &self.outputs {
            columns = outputs.iter().map(|output| columns[*output].clone()).collect();
        }
        Ok(Some(Batch::new(keys, columns, flat.diffs().cloned())))
    }
}

impl Task for FlattenTask {
    fn absorb(&mut self, _input: usize, batch: Batch, output: &mut Output) -> Result<(), EngineError> {
        report_errors(&batch, batch.column(0), "flatten", &self.reporter)?;
        self.left = Some(Flattening {
            batch,
            row: 0,
            sequence: None,
        });
        self.go_on(output)
    }

    fn go_on(&mut self, output: &mut Output) -> Result<(), EngineError> {
        while !output.is_full()
            && let Some(batch) = self.next_batch()?
        {
            output.push(batch);
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.left.is_none()
    }

    fn is_stateless(&self) -> bool {
        true
    }

    fn save(&mut self, _saved: &mut Saved) {
        // It has no state between times.
    }

    fn restore(&mut self, table: u16, _rows: Batch, _owners: &[Key]) -> Result<(), EngineError> {
        Err(no_table(table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check_operator, try_operator, update};

    #[test]
    fn every_element_gets_a_row() {
        let items = |items: &[i64]| Value::tuple(items.iter().map(|item| Value::from(*item)));
        let row = |key, sequence: Value, name: &str, diff| update(key, [sequence, Value::from(name)], diff);
        check_operator(
            Flatten::new(true),
            &[(
                vec![DType::list(DType::Int), DType::Str],
                vec![
                    vec![row(1, items(&[7, 8, 7]), "a", 1), row(2, items(&[]), "b", 1)],
                    vec![row(1, items(&[7, 8, 7]), "a", -1), row(1, items(&[7, 9]), "a", 1)],
                ],
            )],
            "2 +1 7 a ^1
             2 +1 7 a ^1
             2 +1 8 a ^1
             4 -1 7 a ^1
             4 -1 8 a ^1
             4 +1 9 a ^1",
        );
    }

    fn elements(value: &Value) -> Result<Vec<Value>, RowError> {
        check_sequence(value)?;
        let mut cursor = Cursor::default();
        Ok(std::iter::from_fn(|| cursor.next(value)).collect())
    }

    #[test]
    fn a_long_sequence_comes_out_in_parts() {
        let long = Output::ROWS as i64 * 2 + 3;
        let row = update(1, [Value::tuple((0..long).map(Value::Int))], 1);
        let lines = try_operator(
            Flatten::new(false),
            &[(vec![DType::list(DType::Int)], vec![vec![row]])],
            3,
            true,
        );
        let lines = lines.expect("all are elements");
        let distinct: std::collections::HashSet<&String> = lines.iter().collect();
        assert_eq!((lines.len(), distinct.len()), (long as usize, long as usize));
    }

    #[test]
    fn elements_of_each_kind() {
        let matrix = NdArray {
            shape: [2, 2].as_slice().into(),
            elements: [1, 2, 3, 4].as_slice().into(),
        };
        let flat = elements(&Value::IntArray(matrix)).expect("an array has elements");
        assert_eq!(flat.len(), 2);
        assert!(matches!(&flat[1], Value::IntArray(row) if *row.elements == [3, 4] && *row.shape == [2]));
        let text = elements(&Value::from("aé")).expect("text has characters");
        assert_eq!(text, [Value::from("a"), Value::from("é")]);
        let json = |text: &str| Value::from(Json::parse(text).expect("JSON"));
        assert_eq!(
            elements(&json("[1, null]")).expect("an array"),
            [json("1"), json("null")]
        );
        assert!(elements(&json("{\"a\": 2}")).is_err());
        assert!(element_type(&DType::Int).is_err() && element_type(&DType::Bytes).is_err());
    }
}
