//! Dictionaries and runs: arrays whose rows refer to values that stand elsewhere.

use arrow_array::types::{
    ArrowDictionaryKeyType, Int8Type, Int16Type, Int32Type, Int64Type, RunEndIndexType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, DictionaryArray, RunArray, make_array, new_null_array};
use arrow_data::transform::MutableArrayData;
use arrow_schema::{ArrowError, DataType};

/// The values, and to which of them a row refers; to none if it is null.
type References<'a> = (&'a ArrayRef, Box<dyn Fn(usize) -> Option<usize> + 'a>);

/// The type of the values that an array of the type refers to.
pub(super) fn values_of(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::Dictionary(_, values) => Some(values),
        DataType::RunEndEncoded(_, values) => Some(values.data_type()),
        _ => None,
    }
}

/// The value that a row refers to, as an array of one.
pub(super) fn value_of(array: &ArrayRef, row: usize) -> Option<ArrayRef> {
    let (values, reference) = references(array)?;
    Some(match reference(row) {
        Some(position) => values.slice(position, 1),
        None => new_null_array(values.data_type(), 1),
    })
}

/// Values, and which of them each row refers to; without positions, each row has a value of its own. The values are
/// neither nested nor unions.
pub(super) struct Referred {
    pub(super) values: ArrayRef,
    pub(super) positions: Option<Vec<u32>>,
}

impl Referred {
    /// The values of all rows of an array. If there are fewer rows than values, nothing of the other values is kept.
    ///
    /// # Errors
    /// If the values are more than can be.
    pub(super) fn of(array: &ArrayRef) -> Option<Result<Self, ArrowError>> {
        let (values, reference) = references(array)?;
        Some(if array.len() < values.len() {
            Self::of_each_row(values, array.len(), &reference)
        } else {
            Self::of_all(values, array.len(), &reference)
        })
    }

    fn of_each_row(
        values: &ArrayRef,
        len: usize,
        reference: &dyn Fn(usize) -> Option<usize>,
    ) -> Result<Self, ArrowError> {
        let data = values.to_data();
        let mut each = MutableArrayData::new(vec![&data], true, len);
        for row in 0..len {
            match reference(row) {
                Some(position) => each.try_extend(0, position, position + 1)?,
                None => each.try_extend_nulls(1)?,
            }
        }
        Ok(Self {
            values: make_array(each.freeze()),
            positions: None,
        })
    }

    /// Rows that refer to nothing refer to a null that is put behind the values.
    fn of_all(values: &ArrayRef, len: usize, reference: &dyn Fn(usize) -> Option<usize>) -> Result<Self, ArrowError> {
        let end = u32::try_from(values.len()).map_err(|_| ArrowError::DictionaryKeyOverflowError)?;
        let positions: Vec<u32> = (0..len)
            .map(|row| reference(row).map_or(end, |position| position as u32))
            .collect();
        let mut values = ArrayRef::clone(values);
        if positions.contains(&end) {
            let data = values.to_data();
            let mut with_null = MutableArrayData::new(vec![&data], true, data.len() + 1);
            with_null.try_extend(0, 0, data.len())?;
            with_null.try_extend_nulls(1)?;
            values = make_array(with_null.freeze());
        }
        Ok(Self {
            values,
            positions: Some(positions),
        })
    }
}

fn references(array: &ArrayRef) -> Option<References<'_>> {
    match array.data_type() {
        DataType::Dictionary(keys, _) => match **keys {
            DataType::Int8 => keys_of::<Int8Type>(array),
            DataType::Int16 => keys_of::<Int16Type>(array),
            DataType::Int32 => keys_of::<Int32Type>(array),
            DataType::Int64 => keys_of::<Int64Type>(array),
            DataType::UInt8 => keys_of::<UInt8Type>(array),
            DataType::UInt16 => keys_of::<UInt16Type>(array),
            DataType::UInt32 => keys_of::<UInt32Type>(array),
            DataType::UInt64 => keys_of::<UInt64Type>(array),
            _ => None,
        },
        DataType::RunEndEncoded(ends, _) => match ends.data_type() {
            DataType::Int16 => runs_of::<Int16Type>(array),
            DataType::Int32 => runs_of::<Int32Type>(array),
            DataType::Int64 => runs_of::<Int64Type>(array),
            _ => None,
        },
        _ => None,
    }
}

fn keys_of<Key: ArrowDictionaryKeyType>(array: &ArrayRef) -> Option<References<'_>> {
    let array: &DictionaryArray<Key> = array.as_any().downcast_ref()?;
    Some((array.values(), Box::new(|row| array.key(row))))
}

fn runs_of<End: RunEndIndexType>(array: &ArrayRef) -> Option<References<'_>> {
    let array: &RunArray<End> = array.as_any().downcast_ref()?;
    Some((array.values(), Box::new(|row| Some(array.get_physical_index(row)))))
}
