//! How much memory cells take, roughly.

use arrow_array::Array;

use super::cells::for_arrow;
use super::{Cells, Column};
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
            Value::Json(document) => json_bytes(document),
            _ => 0,
        }
}

fn json_bytes(document: &serde_json::Value) -> usize {
    32 + match document {
        serde_json::Value::String(text) => text.len(),
        serde_json::Value::Array(items) => items.iter().map(json_bytes).sum(),
        serde_json::Value::Object(members) => members.iter().map(|(name, value)| name.len() + json_bytes(value)).sum(),
        _ => 0,
    }
}
