//! Batches as bytes: raw buffers, little-endian, one after another. So they travel to workers in other processes, and so
//! they are kept in journals and snapshots; what is kept says in which [`VERSION`] it is.
//!
//! | part | bytes |
//! |---|---|
//! | batch | rows and columns as `u32`, keys, whether there are differences, differences, columns |
//! | column | layout, whether there are `None`s and errors, their bits, cells |
//! | cells of 64 bits | eight bytes each; pointers sixteen, `bool` one |
//! | texts and bytes | all lengths as `u32`, then all texts |
//! | other values | a tag and what belongs to it |

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

pub use read::{Columns, read_batch, read_columns};
pub use write::{batch_length, unwritable, write_batch, write_columns};

use crate::dtype::Physical;
use crate::value::Object;

/// The version of this form. It is raised when bytes that were written before cannot be read any more, or would mean
/// something else.
pub const VERSION: u32 = 1;

/// Bytes that are no batch, and what was wrong with them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct WireError {
    /// What was wrong.
    pub reason: Cow<'static, str>,
    /// The position of the column where it was.
    pub column: Option<usize>,
}

fn wrong(reason: &'static str) -> WireError {
    WireError {
        reason: reason.into(),
        column: None,
    }
}

/// Makes an opaque object of its [`transport`](Object::transport), or says why it cannot.
pub type ObjectDecoder = fn(&[u8]) -> Result<Arc<dyn Object>, String>;

static OBJECTS: OnceLock<ObjectDecoder> = OnceLock::new();

/// Says how opaque objects are made again; the first call counts.
pub fn set_object_decoder(decoder: ObjectDecoder) {
    // Every caller has the same decoder to offer.
    let _ = OBJECTS.set(decoder);
}

/// The opaque object of its [`transport`](Object::transport).
///
/// # Errors
/// If the bytes are no object.
pub fn decode_object(bytes: &[u8]) -> Result<Arc<dyn Object>, String> {
    OBJECTS.get().ok_or("nothing is known of objects here")?(bytes)
}

/// The layouts by their numbers.
const LAYOUTS: [Physical; 10] = [
    Physical::Bool,
    Physical::Int,
    Physical::Float,
    Physical::Str,
    Physical::Bytes,
    Physical::Pointer,
    Physical::DateTimeNaive,
    Physical::DateTimeUtc,
    Physical::Duration,
    Physical::Any,
];
