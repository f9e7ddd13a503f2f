//! The sources of a plan.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use towpath_connectors::files::{CsvSettings, FileFormat, FileSource, ReadMode};
use towpath_engine::operators::removals::Removals;
use towpath_engine::operators::upsert::Upsert;
use towpath_engine::plan::Input;
use towpath_engine::source::{ErrorTable, Limits, Resume};
use towpath_engine::{NodeId, Operator, Origin, Plan, Source};
use towpath_types::{Field, Schema, Time};

use super::{PyField, PyPlan};
use crate::error::{OriginArgument, plan_error};
use crate::pointer::PyPointer;
use crate::static_source::StaticSource;
use crate::subject::{PythonSource, Settings, Subject};

/// An operator on all columns of a node.
fn after(plan: &mut Plan, node: NodeId, operator: Arc<dyn Operator>, origin: Option<Origin>) -> PyResult<NodeId> {
    let columns = plan.columns(node).to_vec();
    plan.operator(operator, vec![Input { node, columns }], origin)
        .map_err(plan_error)
}

#[pymethods]
impl PyPlan {
    #[pyo3(signature = (subject, fields, *, name, default_name, format, upsert, deletions, own_keys, is_partitioned, autocommit_milliseconds, backlog_rows, backlog_bytes, resume, reads, origin))]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Python method")]
    fn python_source(
        &self,
        py: Python<'_>,
        subject: Py<Subject>,
        fields: Vec<PyField>,
        name: Option<String>,
        default_name: &str,
        format: &str,
        upsert: bool,
        deletions: bool,
        own_keys: bool,
        is_partitioned: bool,
        autocommit_milliseconds: Option<u64>,
        backlog_rows: Option<usize>,
        backlog_bytes: Option<usize>,
        resume: &str,
        reads: Vec<PathBuf>,
        origin: OriginArgument,
    ) -> PyResult<usize> {
        let fields: Vec<Field> = fields.into_iter().map(|field| field.0).collect();
        let is_raw = match format {
            "json" => false,
            "raw" | "binary" => true,
            other => {
                return Err(PyValueError::new_err(format!(
                    "unknown format {other:?}: expected json, raw or binary"
                )));
            }
        };
        let resume = match resume {
            "new" => Resume::New,
            "seek" => Resume::Seek,
            "replay" => Resume::Replay,
            "compare" => Resume::Compare,
            other => return Err(PyValueError::new_err(format!("unknown way to resume {other:?}"))),
        };
        let default = Limits::default();
        let mut building = self.0.lock();
        let (name, key_seed) = building.source_name(name, default_name, "");
        // What is removed without a key of its own names its row by the values.
        let has_keys = own_keys || fields.iter().any(|field| field.primary_key);
        let changes: Option<Arc<dyn Operator>> = if upsert {
            Some(Arc::new(Upsert))
        } else if deletions {
            Some(Arc::new(Removals::new(&name, has_keys, is_partitioned)))
        } else {
            None
        };
        let settings = Settings {
            fields,
            is_raw,
            upsert,
            deletions,
            own_keys,
            resume,
            limits: Limits {
                rows: backlog_rows.unwrap_or(default.rows),
                bytes: backlog_bytes.unwrap_or(default.bytes),
            },
            reads,
        };
        let autocommit = autocommit_milliseconds.map(Duration::from_millis);
        let source = PythonSource::new(py, subject, name, settings, is_partitioned, autocommit, key_seed);
        let mut node = building.plan.source(Arc::new(source), origin.0.clone());
        building.runs.serves_one_run(node);
        if let Some(operator) = changes {
            node = after(&mut building.plan, node, operator, origin.0)?;
        }
        Ok(node.0)
    }

    #[pyo3(signature = (fields, rows, *, keys, times, diffs, name, origin))]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Python method")]
    fn static_source(
        &self,
        fields: Vec<PyField>,
        rows: &Bound<'_, PyAny>,
        keys: Option<Vec<PyPointer>>,
        times: Option<Vec<Time>>,
        diffs: Option<Vec<i64>>,
        name: String,
        origin: OriginArgument,
    ) -> PyResult<usize> {
        let fields: Vec<Field> = fields.into_iter().map(|field| field.0).collect();
        // Otherwise a removal names its row by the values.
        let has_keys = keys.is_some() || fields.iter().any(|field| field.primary_key);
        let keys = keys.map(|keys| keys.into_iter().map(|key| key.0).collect());
        let source = StaticSource::new(name, fields, rows, keys, times, diffs)?;
        let removals = (!source.is_append_only()).then(|| Removals::new(&source.name, has_keys, false));
        let plan = &mut self.0.lock().plan;
        let mut node = plan.source(Arc::new(source), origin.0.clone());
        if let Some(removals) = removals {
            node = after(plan, node, Arc::new(removals), origin.0)?;
        }
        Ok(node.0)
    }

    #[pyo3(signature = (path, fields, *, format, mode, settings, object_pattern, with_metadata, append_only, autocommit_milliseconds, backlog_rows, name, origin))]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Python method")]
    fn file_source(
        &self,
        path: String,
        fields: Vec<PyField>,
        format: &str,
        mode: &str,
        settings: &Bound<'_, PyAny>,
        object_pattern: &str,
        with_metadata: bool,
        append_only: bool,
        autocommit_milliseconds: Option<u64>,
        backlog_rows: Option<usize>,
        name: Option<String>,
        origin: OriginArgument,
    ) -> PyResult<usize> {
        let default_name = format;
        let format = match format {
            "csv" => FileFormat::Csv(csv_settings(settings)?),
            "json" => FileFormat::JsonLines(json_paths(settings)?),
            "plaintext" => FileFormat::Plaintext,
            "plaintext_by_file" => FileFormat::PlaintextByFile,
            "binary" => FileFormat::Binary,
            "only_metadata" => FileFormat::OnlyMetadata,
            other => return Err(PyValueError::new_err(format!("unknown format {other:?}"))),
        };
        let mode = match mode {
            "static" => ReadMode::Static,
            "streaming" => ReadMode::Streaming(autocommit_milliseconds.map(Duration::from_millis)),
            other => {
                return Err(PyValueError::new_err(format!(
                    "unknown mode {other:?}: expected static or streaming"
                )));
            }
        };
        let schema = Schema {
            fields: fields.into_iter().map(|field| field.0).collect(),
        };
        let mut building = self.0.lock();
        let (name, key_seed) = building.source_name(name, default_name, &path);
        let mut source = FileSource::new(name, path, format, mode, schema)
            .and_then(|source| source.with_object_pattern(object_pattern))
            .map_err(plan_error)?
            .with_key_seed(key_seed);
        if let Some(rows) = backlog_rows {
            source = source.with_limits(Limits {
                rows,
                ..Limits::default()
            });
        }
        if with_metadata {
            source = source.with_metadata();
        }
        if append_only {
            source = source.append_only();
        }
        Ok(building.plan.source(Arc::new(source), origin.0).0)
    }

    /// The errors of the run.
    fn error_log(&self, origin: OriginArgument) -> usize {
        self.0.lock().plan.source(Arc::new(ErrorTable), origin.0).0
    }
}

/// One byte of a csv setting.
fn byte(settings: &Bound<'_, PyAny>, name: &str) -> PyResult<Option<u8>> {
    let Some(text) = settings.call_method1("get", (name,))?.extract::<Option<String>>()? else {
        return Ok(None);
    };
    match text.as_bytes() {
        [byte] => Ok(Some(*byte)),
        _ => Err(PyValueError::new_err(format!(
            "the csv setting {name} is one ASCII character, not {text:?}"
        ))),
    }
}

fn csv_settings(settings: &Bound<'_, PyAny>) -> PyResult<CsvSettings> {
    let default = CsvSettings::default();
    let flag = |name: &str| settings.call_method1("get", (name, true))?.extract::<bool>();
    Ok(CsvSettings {
        delimiter: byte(settings, "delimiter")?.unwrap_or(default.delimiter),
        quote: byte(settings, "quote")?.unwrap_or(default.quote),
        escape: byte(settings, "escape")?,
        double_quote_escapes: flag("double_quote_escapes")?,
        quoting: flag("quoting")?,
        comment_character: byte(settings, "comment")?,
    })
}

/// The paths of columns within JSON objects.
fn json_paths(settings: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    let paths: Option<BTreeMap<String, String>> = settings.call_method1("get", ("paths",))?.extract()?;
    Ok(paths.unwrap_or_default().into_iter().collect())
}
