//! The columns that a source fills.

use crate::dtype::DType;
use crate::value::Value;

/// One column of a source.
#[derive(Clone, Debug)]
pub struct Field {
    /// The name under which the source delivers the value.
    pub name: String,
    /// Which values are accepted.
    pub dtype: DType,
    /// Whether the row's key is made from the value.
    pub primary_key: bool,
    /// What stands in for a field that is absent; `None` if it may not be.
    pub default: Option<Value>,
}

/// The columns of a source, in order.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// The columns.
    pub fields: Vec<Field>,
}

impl Schema {
    /// A schema of required columns without a primary key, for tests and examples.
    pub fn of(columns: impl IntoIterator<Item = (&'static str, DType)>) -> Self {
        let fields = columns
            .into_iter()
            .map(|(name, dtype)| Field {
                name: name.to_owned(),
                dtype,
                primary_key: false,
                default: None,
            })
            .collect();
        Self { fields }
    }

    /// The positions of the primary key columns; empty if keys are generated.
    pub fn primary_key(&self) -> Vec<usize> {
        (0..self.fields.len())
            .filter(|field| self.fields[*field].primary_key)
            .collect()
    }

    /// The position of the column called `name`.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }
}
