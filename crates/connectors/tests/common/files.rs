//! Files of two columns, and what sources read of them.

use std::path::Path;
use std::sync::Arc;

use towpath_connectors::files::{CsvSettings, FileFormat, FileSource, ReadMode};
use towpath_engine::{RunOptions, runtime};
use towpath_types::{DType, Schema, Value};

use super::collected;

pub(crate) fn csv() -> FileFormat {
    FileFormat::Csv(CsvSettings::default())
}

pub(crate) fn json() -> FileFormat {
    FileFormat::JsonLines(Vec::new())
}

pub(crate) fn schema() -> Schema {
    Schema::of([("a", DType::Int), ("b", DType::Str)])
}

pub(crate) fn source(path: &Path, format: FileFormat, mode: ReadMode, schema: Schema) -> FileSource {
    FileSource::new("files", path.to_string_lossy(), format, mode, schema).expect("the source is right")
}

/// What a static source reads: its rows in order, as text.
pub(crate) fn read(source: FileSource, positions: &[usize]) -> Vec<String> {
    let (plan, updates) = collected(Arc::new(source), positions);
    runtime::run(&plan, RunOptions::default()).expect("the run succeeds");
    let seen = updates.lock();
    assert!(seen.iter().all(|(time, .., diff)| (*time, *diff) == (0, 1)));
    seen.iter().map(|(_, _, row, _)| text(row)).collect()
}

pub(crate) fn text(row: &[Value]) -> String {
    let cells: Vec<String> = row
        .iter()
        .map(|value| match value {
            Value::Str(text) => text.to_string(),
            other => towpath_types::json_text(other),
        })
        .collect();
    cells.join("|")
}
