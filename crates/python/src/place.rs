//! Where runs are kept: folders and buckets, and records that no run has made.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use towpath_durability::{AzureContainer, LocalStorage, Patience, S3Bucket, Storage};
use towpath_engine::persistence::{self, Recorded};
use towpath_engine::{EngineError, Plan};
use towpath_types::{Batch, Column, Time, Value};

use crate::error::engine_error;
use crate::pointer::PyPointer;
use crate::value::convert;

/// Where a run is kept, as the package describes it.
#[derive(FromPyObject)]
pub(crate) struct PyPlace {
    kind: String,
    path: PathBuf,
    /// Of a bucket; those that are not there are not given.
    settings: HashMap<String, String>,
    /// How long a bucket is waited for, in seconds.
    timeout: f64,
}

impl PyPlace {
    /// Nothing is asked of it yet.
    pub(crate) fn storage(self, py: Python<'_>) -> PyResult<Arc<dyn Storage>> {
        let patience = Patience::with_total(Duration::try_from_secs_f64(self.timeout).unwrap_or(Duration::MAX));
        let kind = self.kind.clone();
        // Certificates are read from the disk.
        let opened = py.detach(move || -> std::io::Result<Arc<dyn Storage>> {
            let root = self.path.to_string_lossy();
            let setting = |name: &str| self.settings.get(name).cloned();
            let text = |name: &str| setting(name).unwrap_or_default();
            Ok(match self.kind.as_str() {
                "s3" => {
                    let bucket = S3Bucket {
                        name: text("bucket_name"),
                        access_key: setting("access_key"),
                        secret_access_key: setting("secret_access_key"),
                        session_token: setting("session_token"),
                        region: setting("region"),
                        endpoint: setting("endpoint"),
                        with_path_style: self.settings.contains_key("with_path_style"),
                    };
                    Arc::new(bucket.storage(&root, patience)?)
                }
                "azure" => {
                    let container = AzureContainer {
                        name: text("container"),
                        account: text("account"),
                        password: setting("password"),
                    };
                    Arc::new(container.storage(&root, patience)?)
                }
                _ => Arc::new(LocalStorage::new(&self.path)?),
            })
        });
        opened.map_err(|error| match kind.as_str() {
            "filesystem" => PyOSError::new_err(error.to_string()),
            _ => PyValueError::new_err(format!("the settings of the storage make no sense: {error}")),
        })
    }
}

/// A row that a source is to have sent: its time, difference, key and values.
pub(crate) type RecordedRow = (Time, i64, PyPointer, Vec<Py<PyAny>>);

/// A storage with what sources of a plan are to have sent.
pub(crate) fn recorded(
    py: Python<'_>,
    plan: &Plan,
    events: &[(String, Vec<RecordedRow>)],
) -> PyResult<Arc<dyn Storage>> {
    let mut sources = Vec::new();
    for (name, rows) in events {
        let dtypes = plan.columns_of_source(name).ok_or_else(|| {
            PyValueError::new_err(format!(
                "there are events of a source {name:?}, and the program has none of this name"
            ))
        })?;
        let mut commits = Vec::new();
        for rows in rows.chunk_by(|row, next| row.0 == next.0) {
            let mut columns: Vec<Vec<Value>> = dtypes.iter().map(|_| Vec::new()).collect();
            for (_, _, _, values) in rows {
                if values.len() != dtypes.len() {
                    return Err(PyValueError::new_err(format!(
                        "an event of the source {name:?} has {} values, and its rows have {} columns",
                        values.len(),
                        dtypes.len()
                    )));
                }
                for ((column, value), dtype) in columns.iter_mut().zip(values).zip(&dtypes) {
                    column.push(convert(value.bind(py), dtype)?);
                }
            }
            let columns = columns.iter().zip(&dtypes);
            let batch = Batch::new(
                rows.iter().map(|row| row.2.0).collect::<Vec<_>>(),
                columns
                    .map(|(values, dtype)| Column::from_values(dtype, values))
                    .collect(),
                Some(rows.iter().map(|row| row.1).collect::<Vec<_>>().into()),
            );
            commits.push((rows[0].0, batch));
        }
        sources.push(Recorded {
            source: name.clone(),
            commits,
        });
    }
    py.detach(|| persistence::recorded(&sources))
        .map_err(|error: EngineError| engine_error(py, &error))
}
