//! The outputs of a plan.

use std::sync::Arc;

use pyo3::prelude::*;
use towpath_connectors::sink::{CsvWriter, FileSink, JsonLinesWriter, NullSink, RowFormat};

use super::{NamedColumns, PyPlan, split};
use crate::error::OriginArgument;
use crate::sinks::capture::{CaptureSink, PyCapture};
use crate::sinks::subscribe::Subscribe;

impl PyPlan {
    /// An output to a file, or to a file of every worker in a folder.
    fn file_sink(&self, format: Arc<dyn RowFormat>, path: String, partitioned: bool, name: Option<String>) -> FileSink {
        self.named(name.as_ref());
        let extension = format.extension();
        match partitioned {
            true => self.writes_to(&format!("{path}/part-*.{extension}")),
            false => self.writes_to(&path),
        }
        let sink = FileSink::new(
            name.unwrap_or_else(|| format!("{}.write {path}", format.name())),
            path,
            format,
        );
        if partitioned { sink.partitioned() } else { sink }
    }
}

#[pymethods]
impl PyPlan {
    #[pyo3(signature = (node, columns, path, partitioned, sort_by, name, origin))]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Python method")]
    fn csv_write(
        &self,
        node: usize,
        columns: NamedColumns,
        path: String,
        partitioned: bool,
        sort_by: Vec<usize>,
        name: Option<String>,
        origin: OriginArgument,
    ) -> PyResult<()> {
        let (names, columns) = split(columns);
        let format = Arc::new(CsvWriter::new(names));
        let sink = self.file_sink(format, path, partitioned, name).sorted_by(sort_by);
        self.output(sink, node, &columns, origin.0).map(drop)
    }

    #[pyo3(signature = (node, columns, path, partitioned, sort_by, name, origin))]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Python method")]
    fn jsonlines_write(
        &self,
        node: usize,
        columns: NamedColumns,
        path: String,
        partitioned: bool,
        sort_by: Vec<usize>,
        name: Option<String>,
        origin: OriginArgument,
    ) -> PyResult<()> {
        let (names, columns) = split(columns);
        let format = Arc::new(JsonLinesWriter::new(&names));
        let sink = self.file_sink(format, path, partitioned, name).sorted_by(sort_by);
        self.output(sink, node, &columns, origin.0).map(drop)
    }

    #[pyo3(signature = (node, columns, name, origin))]
    fn null_write(
        &self,
        node: usize,
        columns: NamedColumns,
        name: Option<String>,
        origin: OriginArgument,
    ) -> PyResult<()> {
        let (_, columns) = split(columns);
        self.named(name.as_ref());
        let sink = NullSink::new(name.unwrap_or_else(|| "null.write".to_owned()));
        self.output(sink, node, &columns, origin.0).map(drop)
    }

    #[pyo3(signature = (node, columns, *, on_change, on_time_end, on_end, skip_errors, sort_by, name, origin))]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Python method")]
    fn subscribe(
        &self,
        node: usize,
        columns: NamedColumns,
        on_change: Option<Py<PyAny>>,
        on_time_end: Option<Py<PyAny>>,
        on_end: Option<Py<PyAny>>,
        skip_errors: bool,
        sort_by: Vec<usize>,
        name: Option<String>,
        origin: OriginArgument,
    ) -> PyResult<()> {
        let (names, columns) = split(columns);
        self.named(name.as_ref());
        let sink = Subscribe {
            name,
            columns: names,
            on_change,
            on_time_end,
            on_end,
            skip_errors,
            sort_by,
        };
        self.output(sink, node, &columns, origin.0).map(drop)
    }

    fn capture(&self, node: usize, columns: Vec<usize>, origin: OriginArgument) -> PyResult<PyCapture> {
        let sink = CaptureSink::default();
        let node = self.output(sink.clone(), node, &columns, origin.0)?;
        self.0.lock().captures.push(node);
        Ok(PyCapture { sink, node })
    }
}
