//! Messages to people: Python's `logging`, logger `pathway`.

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::door;

/// Tells a message. What is told goes wrong with nobody: a handler that raises is itself reported, by Python.
fn log(py: Python<'_>, level: &str, message: &str) {
    let tell = || {
        let logger = py.import("logging")?.call_method1("getLogger", ("pathway",))?;
        let arguments = ["%s", message].map(|text| PyString::new(py, text).into_any());
        door::call(&logger.getattr(level)?, &arguments, None).map(drop)
    };
    if let Err(error) = tell() {
        error.write_unraisable(py, None);
    }
}

/// Something was lost, or will be.
pub(crate) fn error(py: Python<'_>, message: &str) -> PyResult<()> {
    log(py, "error", message);
    Ok(())
}

/// Something is probably not as it was meant.
pub(crate) fn warning(py: Python<'_>, message: &str) -> PyResult<()> {
    log(py, "warning", message);
    Ok(())
}

/// Hands the engine's own messages to Python's logging.
#[derive(Debug)]
pub(crate) struct Forward;

struct Text(String);

impl tracing::field::Visit for Text {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl tracing::Subscriber for Forward {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::INFO && metadata.target().starts_with("pathway")
    }

    fn new_span(&self, _span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _span: &tracing::span::Id, _values: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _span: &tracing::span::Id, _follows: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        let level = match *event.metadata().level() {
            tracing::Level::ERROR => "error",
            tracing::Level::WARN => "warning",
            _ => "info",
        };
        // While the interpreter ends there is nobody left to tell.
        door::try_attach(|py| log(py, level, &text.0));
    }

    fn enter(&self, _span: &tracing::span::Id) {}

    fn exit(&self, _span: &tracing::span::Id) {}
}
