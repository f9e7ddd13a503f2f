//! How much memory cells take, roughly, and how little they can take.

use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{Array, PrimitiveArray};

use super::cells::for_arrow;
use super::{Cells, Column, PointerArray};
use crate::dtype::Physical;
use crate::value::Value;

impl Column {
    /// A rough count of the bytes the cells take, for limits on memory.
    pub fn bytes(&self) -> usize {
        for_arrow!(&self.cells,
            array => match self.physical() {
                // The data of views is shared between slices; count what these views refer to.
                Physical::Str | Physical::Bytes => array.len() * 16 + self.view_bytes(),
                Physical::Bool => array.len().div_ceil(8),
                _ => array.len() * 8,
            },
            pointer pointers => pointers.values.len() * 16,
            any values => values.iter().map(value_bytes).sum())
    }

    /// The same cells in memory of their own, with none that is not needed: texts may refer to large blocks, and numbers
    /// lie in vectors with room for more.
    #[must_use]
    pub fn compacted(&self) -> Self {
        fn exact<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>) -> PrimitiveArray<T> {
            PrimitiveArray::new(array.values().to_vec().into(), array.nulls().cloned())
        }
        let cells = match &self.cells {
            Cells::Bool(array) => Cells::Bool(array.clone()),
            Cells::Int(array) => Cells::Int(exact(array)),
            Cells::Float(array) => Cells::Float(exact(array)),
            Cells::Str(array) => Cells::Str(array.gc()),
            Cells::Bytes(array) => Cells::Bytes(array.gc()),
            Cells::DateTimeNaive(array) => Cells::DateTimeNaive(exact(array)),
            Cells::DateTimeUtc(array) => Cells::DateTimeUtc(exact(array)),
            Cells::Duration(array) => Cells::Duration(exact(array)),
            Cells::Pointer(array) => Cells::Pointer(PointerArray {
                values: array.values.to_vec().into(),
                nulls: array.nulls.clone(),
            }),
            Cells::Any(values) => Cells::Any(values.to_vec().into()),
        };
        Self::with_errors(cells, self.errors.clone())
    }

    fn view_bytes(&self) -> usize {
        let long = |view: &u128| {
            let len = *view as u32 as usize;
            if len > 12 { len } else { 0 }
        };
        match &self.cells {
            Cells::Str(array) => array.views().iter().map(long).sum(),
            Cells::Bytes(array) => array.views().iter().map(long).sum(),
            _ => 0,
        }
    }
}

fn value_bytes(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::Str(text) => text.len(),
            Value::Bytes(data) => data.len(),
            Value::Tuple(items) => items.iter().map(value_bytes).sum(),
            Value::IntArray(array) => array.elements.len() * 8,
            Value::FloatArray(array) => array.elements.len() * 8,
            Value::Json(document) => document.bytes(),
            _ => 0,
        }
}
