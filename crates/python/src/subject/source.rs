//! A subject as a source: what is known of it before a run, and how one starts it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::IntoPyDict as _;
use towpath_connectors::files::is_same_file;
use towpath_engine::source::{Commits, Division, Kept, Keys, Limits, Readers, SourceStream, Team};
use towpath_engine::{Description, EngineError, Source, SourceContext, SourceHandle};
use towpath_types::{DType, Field};
use xxhash_rust::xxh3::xxh3_64;

use super::buffer::{Ingest, Settings};
use super::native::Subject;
use super::running::{RunningSubject, SubjectStream};
use crate::door;
use crate::error::raised;
use crate::fingerprint::take_fingerprint;

/// A subject as a source of the plan.
pub(crate) struct PythonSource {
    subject: Py<Subject>,
    name: String,
    settings: Settings,
    autocommit: Option<Duration>,
    /// Tells apart the generated keys of the sources of one plan.
    key_seed: String,
    /// What takes the rows, unless it is read in partitions.
    ingest: Option<Arc<Ingest>>,
}

impl std::fmt::Debug for PythonSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PythonSource({:?})", self.name)
    }
}

impl PythonSource {
    pub(crate) fn new(
        py: Python<'_>,
        subject: Py<Subject>,
        name: String,
        settings: Settings,
        is_partitioned: bool,
        autocommit: Option<Duration>,
        key_seed: String,
    ) -> Self {
        let mut source = Self {
            subject,
            name,
            settings,
            autocommit,
            key_seed,
            ingest: None,
        };
        if !is_partitioned {
            source.ingest = Some(source.make_ingest(None));
        }
        source.subject.get().prepare(py, source.ingest.as_ref());
        source
    }

    /// What takes the rows of one stream; `partition` is its name, if it has one.
    fn make_ingest(&self, partition: Option<&String>) -> Arc<Ingest> {
        let name = match partition {
            Some(partition) => format!("connector {:?}, partition {partition:?}", self.name),
            None => format!("connector {:?}", self.name),
        };
        Arc::new(Ingest::new(name, &self.settings))
    }

    fn is_partitioned(&self) -> bool {
        self.ingest.is_none()
    }

    /// The subject that sends the rows of a stream, and what takes them.
    fn taker(&self, py: Python<'_>, partition: Option<&String>) -> PyResult<(Py<Subject>, Arc<Ingest>)> {
        if let Some(ingest) = &self.ingest {
            return Ok((self.subject.clone_ref(py), Arc::clone(ingest)));
        }
        let part = py
            .import("pathway.io._partitions")?
            .call_method1("part", (&self.subject,))?
            .cast_into::<Subject>()?;
        let ingest = self.make_ingest(partition);
        part.get().prepare(py, Some(&ingest));
        part.get().open();
        Ok((part.unbind(), ingest))
    }
}

impl Source for PythonSource {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn describe(&self, description: &mut Description) {
        let settings = &self.settings;
        description.known_as(&self.key_seed);
        description.set_fields(&settings.fields);
        description.set("is raw", settings.is_raw);
        description.set("session type", if settings.upsert { "upsert" } else { "native" });
        description.set("deletions", settings.deletions);
        description.set("own keys", settings.own_keys);
        description.set("partitions", self.is_partitioned());
        description.set("autocommit_duration_ms", format_args!("{:?}", self.autocommit));
        description.set("backlog", format_args!("{:?}", settings.limits));
        door::attach(|py| {
            let keywords = [("is_shared", self.is_partitioned())].into_py_dict(py);
            let fingerprint = py
                .import("pathway._ground.fingerprint")
                .and_then(|module| module.getattr("of_subject")?.call((&self.subject,), Some(&keywords?)));
            take_fingerprint(description, fingerprint);
        });
    }

    fn columns(&self) -> Vec<DType> {
        self.settings.fields.iter().map(|field| field.dtype.clone()).collect()
    }

    fn may_read(&self, path: &Path) -> bool {
        let Ok(written) = std::fs::metadata(path) else {
            return false;
        };
        let mut own = self.settings.reads.iter().filter_map(|own| std::fs::metadata(own).ok());
        written.is_file() && own.any(|own| is_same_file(&own, &written))
    }

    fn is_append_only(&self) -> bool {
        // What an upsert session sends are no changes yet: see `UpsertSession`.
        !self.settings.deletions && !self.settings.upsert
    }

    fn has_unique_keys(&self) -> bool {
        let is_primary = |field: &Field| field.primary_key;
        !self.settings.deletions && !self.settings.own_keys && !self.settings.fields.iter().any(is_primary)
    }

    fn keys(&self, stream: usize, division: &Division) -> Keys {
        let fields = self.settings.fields.iter().enumerate();
        let primary: Vec<usize> = fields
            .filter_map(|(position, field)| field.primary_key.then_some(position))
            .collect();
        if !primary.is_empty() {
            return Keys::Columns(primary);
        }
        let seed = if self.is_partitioned() {
            format!("python source {}\0{}", self.key_seed, division.manifest[stream])
        } else {
            format!("python source {}", self.key_seed)
        };
        Keys::Ordinal {
            seed: xxh3_64(seed.as_bytes()),
            next: 0,
        }
    }

    fn kept(&self) -> Kept {
        Kept::Rows(self.settings.resume)
    }

    fn stream_name(&self, stream: usize, division: &Division) -> Option<String> {
        self.is_partitioned().then(|| division.manifest[stream].clone())
    }

    fn commits(&self) -> Commits {
        Commits::Streaming(self.autocommit)
    }

    fn limits(&self) -> Limits {
        self.settings.limits
    }

    fn divide(&self, _team: Team) -> Result<Division, EngineError> {
        if !self.is_partitioned() {
            return Ok(Division::whole());
        }
        let names: Vec<String> = door::attach(|py| {
            let names = py
                .import("pathway.io._partitions")
                .and_then(|module| module.getattr("names"))
                .and_then(|names| door::call(&names, &[self.subject.bind(py).clone().into_any()], None));
            names
                .and_then(|names| names.extract())
                .map_err(|error| raised(py, error))
        })?;
        Ok(Division {
            streams: names.len(),
            readers: Readers::All,
            manifest: names,
            former: 0,
        })
    }

    fn add_former(&self, division: &mut Division, names: Vec<String>) {
        if self.is_partitioned() {
            division.streams += names.len();
            division.former += names.len();
            division.manifest.extend(names);
        }
    }

    fn start(&self, context: SourceContext) -> Result<Box<dyn SourceHandle>, EngineError> {
        door::attach(|py| {
            let mut streams = Vec::new();
            let mut given = Vec::new();
            for SourceStream {
                number,
                queue,
                resumption,
            } in &context.streams
            {
                let name = self.is_partitioned().then(|| &context.manifest[*number]);
                let (subject, ingest) = self.taker(py, name).map_err(|error| raised(py, error))?;
                let run = ingest.begin(py, &context, queue)?;
                let flushed = Arc::downgrade(&ingest);
                queue.on_flush(move || {
                    if let Some(ingest) = flushed.upgrade() {
                        ingest.flush();
                    }
                });
                let stream = SubjectStream {
                    number: *number,
                    resumption: resumption.clone(),
                    ingest,
                    queue: Arc::clone(queue),
                    run,
                    done: Arc::default(),
                };
                given.push((name, subject, stream.clone()));
                streams.push(stream);
            }
            let running = py
                .import("pathway.io._subject_run")
                .and_then(|module| module.call_method1("start", (&self.subject, self.is_partitioned(), given)));
            match running {
                Ok(running) => Ok(Box::new(RunningSubject {
                    running: running.unbind(),
                    streams,
                }) as Box<dyn SourceHandle>),
                Err(error) => {
                    streams.iter().for_each(|stream| stream.ingest.finish(stream.run));
                    Err(raised(py, error))
                }
            }
        })
    }

    fn is_read_elsewhere(&self, process: usize) {
        if let Some(ingest) = &self.ingest {
            ingest.is_read_elsewhere(process);
        }
    }
}
