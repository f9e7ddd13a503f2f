//! What is written is read again, and no bytes are more than an error.

use proptest::prelude::*;

use super::{batch_length, read_batch, write_batch};
use crate::batch::Batch;
use crate::column::Column;
use crate::dtype::DType;
use crate::json::Json;
use crate::key::Key;
use crate::value::{NdArray, Value};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::None),
        Just(Value::Error),
        Just(Value::Pending),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_map(Value::Float),
        ".{0,20}".prop_map(|text| Value::str(&text)),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| Value::Bytes(bytes.into())),
        any::<u128>().prop_map(|key| Value::Pointer(Key(key))),
        any::<i64>().prop_map(Value::DateTimeUtc),
        any::<i64>().prop_map(Value::Duration),
        ".{0,9}".prop_map(|text| Value::from(Json::from(serde_json::json!({"z": [1, null, text], "a": 1})))),
        prop::collection::vec(any::<i64>(), 0..6).prop_map(|elements| {
            Value::IntArray(NdArray {
                shape: [1, elements.len()].as_slice().into(),
                elements: elements.into(),
            })
        }),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop::collection::vec(inner, 0..4).prop_map(|items| Value::Tuple(items.into()))
    })
}

/// A type, and values that a column of it may hold.
fn column() -> impl Strategy<Value = (DType, Vec<Value>)> {
    let of = |dtype: DType, values: BoxedStrategy<Value>| {
        let cell = prop_oneof![4 => values, 1 => Just(Value::None), 1 => Just(Value::Error)];
        prop::collection::vec(cell, 7).prop_map(move |values| (dtype.clone(), values))
    };
    prop_oneof![
        of(DType::Int.optional(), any::<i64>().prop_map(Value::Int).boxed()),
        of(DType::Bool.optional(), any::<bool>().prop_map(Value::Bool).boxed()),
        of(DType::Float.optional(), any::<f64>().prop_map(Value::Float).boxed()),
        of(
            DType::Str.optional(),
            ".{0,30}".prop_map(|text| Value::str(&text)).boxed()
        ),
        of(
            DType::Bytes.optional(),
            prop::collection::vec(any::<u8>(), 0..30)
                .prop_map(|b| Value::Bytes(b.into()))
                .boxed()
        ),
        of(
            DType::ANY_POINTER.optional(),
            any::<u128>().prop_map(|key| Value::Pointer(Key(key))).boxed()
        ),
        of(
            DType::DateTimeNaive.optional(),
            any::<i64>().prop_map(Value::DateTimeNaive).boxed()
        ),
        of(DType::Any, value().boxed()),
    ]
}

proptest! {
    #[test]
    fn batches_come_back(
        columns in prop::collection::vec(column(), 0..4),
        keys in prop::collection::vec(any::<u128>(), 7),
        diffs in prop::option::of(prop::collection::vec(-2..3i64, 7)),
        start in 0..7usize,
    ) {
        let batch = Batch::new(
            keys.into_iter().map(Key).collect::<Vec<_>>(),
            columns.iter().map(|(dtype, values)| Column::from_values(dtype, values)).collect(),
            diffs.map(Into::into),
        ).slice(start, 7 - start);
        let mut bytes = Vec::new();
        write_batch(&batch, &mut bytes).expect("a vector takes everything");
        prop_assert_eq!(bytes.len(), batch_length(&batch));
        let back = read_batch(&bytes).expect("the bytes are a batch");
        prop_assert_eq!(back.keys().to_vec(), batch.keys().to_vec());
        for row in 0..batch.len() {
            prop_assert_eq!(back.row(row), batch.row(row));
            prop_assert_eq!(back.diff(row), batch.diff(row));
        }
        // A batch that is cut off is an error, never a panic.
        for len in 0..bytes.len() {
            prop_assert!(read_batch(&bytes[..len]).is_err());
        }
    }

    #[test]
    fn any_bytes_are_a_batch_or_an_error(bytes in prop::collection::vec(0..20u8, 0..200)) {
        let _ = read_batch(&bytes);
    }
}
