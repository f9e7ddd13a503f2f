//! How blobs look: a header says what they are, and whether they are whole.

use xxhash_rust::xxh3::Xxh3;

use crate::error::{StateError, StateErrorKind};
use crate::format::{StateId, VERSION, fixed};
use crate::storage::Storage;

pub(crate) const MAGIC: &[u8; 8] = b"TOWPATHB";

/// Magic, version, kind, state, length of the content, checksum.
const HEADER: usize = 56;

/// Of the header without itself, the name, and the content.
fn checksum(name: &str, header: &[u8], content: &[u8]) -> u128 {
    let mut hasher = Xxh3::new();
    hasher.update(header);
    hasher.update(&(name.len() as u64).to_le_bytes());
    hasher.update(name.as_bytes());
    hasher.update(content);
    hasher.digest128()
}

/// What is written for a blob.
pub(crate) fn encode(id: StateId, name: &str, kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + content.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&kind);
    bytes.extend_from_slice(&id.0);
    bytes.extend_from_slice(&(content.len() as u64).to_le_bytes());
    let sum = checksum(name, &bytes, content);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes.extend_from_slice(content);
    bytes
}

/// The content of what was written for a blob.
pub(crate) fn decode(
    storage: &dyn Storage,
    id: StateId,
    name: &str,
    kind: [u8; 4],
    mut bytes: Vec<u8>,
) -> Result<Vec<u8>, StateError> {
    let damaged = |offset, reason: &str| Err(StateError::damaged(storage, name, offset, reason));
    if !bytes.starts_with(MAGIC) {
        return damaged(0, "it does not begin like what this program writes");
    }
    if let Some(version) = bytes.get(8..12) {
        let version = u32::from_le_bytes(fixed(version));
        if version != VERSION {
            return Err(StateError::version(storage, name, version));
        }
    }
    if bytes.len() < HEADER {
        return damaged(bytes.len() as u64, "it ends within its header");
    }
    let found: [u8; 16] = fixed(&bytes[16..32]);
    let length = u64::from_le_bytes(fixed(&bytes[32..40]));
    let sum = u128::from_le_bytes(fixed(&bytes[40..HEADER]));
    if length != (bytes.len() - HEADER) as u64 {
        return damaged(32, "its length is not what it says");
    }
    if sum != checksum(name, &bytes[..40], &bytes[HEADER..]) {
        return damaged(HEADER as u64, "its checksum is not that of its content");
    }
    if found != id.0 {
        let reason = "it is part of another state";
        let advice = "put the files back where they came from, or name another place";
        return Err(StateError::new(storage, StateErrorKind::Foreign, reason, advice).of(name));
    }
    if bytes[12..16] != kind {
        return damaged(12, "it is of another kind than its name says");
    }
    bytes.drain(..HEADER);
    Ok(bytes)
}
