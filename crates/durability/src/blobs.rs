//! Blobs of a state: each is replaced as a whole.

use crate::blob_format::{decode, encode};
use crate::error::StateError;
use crate::state::State;

/// Makes or replaces a blob of a kind; durable when it returns.
///
/// # Errors
/// If the state is only read, or the storage fails.
pub fn put_blob(state: &State, name: &str, kind: [u8; 4], content: &[u8]) -> Result<(), StateError> {
    state.check_writes()?;
    let storage = &**state.storage();
    let bytes = encode(state.id(), name, kind, content);
    storage
        .put(name, &bytes)
        .map_err(|error| StateError::io(storage, &error).of(name))
}

/// The content of a blob, as it was written.
///
/// # Errors
/// If it is missing, damaged, of another state or version, or cannot be read.
pub fn read_blob(state: &State, name: &str, kind: [u8; 4]) -> Result<Vec<u8>, StateError> {
    let storage = &**state.storage();
    let bytes = storage.read(name, None).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => StateError::missing(storage, name),
        _ => StateError::io(storage, &error).of(name),
    })?;
    decode(storage, state.id(), name, kind, bytes)
}
