//! The outputs of a plan.

use std::sync::Arc;

use pyo3::prelude::*;
use towpath_connectors::sink::{CsvWriter, FileSink, JsonLinesWriter, NullSink, RowFormat};

use super::runs::OutputKind;
use super::{NamedColumns, PyPlan, split};
use crate::error::OriginArgument;
use crate::sinks::capture::PyCapture;
use crate::sinks::committing::Hooks;
use crate::sinks::subscribe::Subscribe;

impl PyPlan {
    /// An output to a file, or to a file of every worker in a folder.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Python method")]
    fn file_output(
        &self,
        format: Arc<dyn RowFormat>,
        node: usize,
        columns: &[usize],
        path: String,
        partitioned: bool,
        sort_by: Vec<usize>,
        name: Option<String>,
        origin: OriginArgument,
    ) -> PyResult<()> {
        let written = match partitioned {
            true => format!("{path}/part-*.{}", format.extension()),
            false => path.clone(),
        };
        let label = name
            .clone()
            .unwrap_or_else(|| format!("{}.write {path}", format.name()));
        let mut sink = FileSink::new(label, path, format).sorted_by(sort_by);
        if partitioned {
            sink = sink.partitioned();
        }
        let kind = OutputKind::Ordinary;
        self.output(sink, node, columns, origin.0, kind, name, Some(written))
            .map(drop)
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
        self.file_output(format, node, &columns, path, partitioned, sort_by, name, origin)
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
        self.file_output(format, node, &columns, path, partitioned, sort_by, name, origin)
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
        let sink = NullSink::new(name.clone().unwrap_or_else(|| "null.write".to_owned()));
        let kind = OutputKind::Ordinary;
        self.output(sink, node, &columns, origin.0, kind, name, None).map(drop)
    }

    /// Calls functions; if it is for `debug`, only in runs that say so.
    #[pyo3(signature = (
        node, columns, *, on_change, on_time_end, on_end, skip_errors, sort_by, name, origin, debug=false,
        default_name=None, on_begin=None, prepare=None, commit=None, recover=None
    ))]
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
        debug: bool,
        default_name: Option<&str>,
        on_begin: Option<Py<PyAny>>,
        prepare: Option<Py<PyAny>>,
        commit: Option<Py<PyAny>>,
        recover: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let hooks = Hooks {
            on_begin,
            prepare,
            commit,
            recover,
        };
        let (names, columns) = split(columns);
        let default_name = default_name.filter(|_| name.is_none()).map(|default| {
            let known_as = self.0.lock().known_as(default.to_owned());
            (default.to_owned(), known_as)
        });
        let sink = Subscribe {
            name: name.clone(),
            default_name,
            columns: names,
            on_change,
            on_time_end,
            on_end,
            hooks: Arc::new(hooks),
            skip_errors,
            sort_by,
        };
        let kind = if debug { OutputKind::Debug } else { OutputKind::Ordinary };
        self.output(sink, node, &columns, origin.0, kind, name, None).map(drop)
    }

    fn capture(&self, node: usize, columns: Vec<usize>, origin: OriginArgument) -> PyResult<PyCapture> {
        let kind = OutputKind::Capture;
        PyCapture::new(|sink| self.output(sink, node, &columns, origin.0, kind, None, None))
    }
}
