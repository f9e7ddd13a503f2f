//! Transports and formats: how rows come from files and go to files.
//!
//! [`sink`] writes, [`files`] reads. A transport moves bytes, a format turns bytes into rows and rows into
//! bytes; neither knows the other. Nothing here knows of Python or of the dataflow: a reader is a
//! [`towpath_engine::Source`], a writer a [`towpath_engine::Operator`] without outputs.

pub mod files;
mod json;
mod scan;
pub mod sink;
pub mod values;

pub use json::JsonRowParser;
