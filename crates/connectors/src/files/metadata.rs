//! The `_metadata` of rows: from which file they are.

use std::fs::Metadata;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use towpath_types::{Json, Value};

fn seconds(time: std::io::Result<SystemTime>) -> Option<u64> {
    time.ok()?.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

/// The name of the user the file belongs to; the number if the user has no name here.
#[cfg(unix)]
fn owner(metadata: &Metadata) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let name = uzers::get_user_by_uid(metadata.uid()).map(|user| user.name().to_string_lossy().into_owned());
    Some(name.unwrap_or_else(|| metadata.uid().to_string()))
}

#[cfg(not(unix))]
fn owner(_metadata: &Metadata) -> Option<String> {
    None
}

/// The metadata of a file as a JSON object; times are in unix seconds.
pub(crate) fn file_metadata(path: &str, metadata: &Metadata, seen_at_milliseconds: u64) -> Value {
    Value::from(Json::from(json!({
        "path": path,
        "size": metadata.len(),
        "created_at": seconds(metadata.created()),
        "modified_at": seconds(metadata.modified()),
        "owner": owner(metadata),
        "seen_at": seen_at_milliseconds / 1000,
    })))
}
