//! Measures how fast files become batches, on one thread, with a sink that forgets them.
//!
//! `cargo run --release -p towpath-connectors --example read_speed`
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use towpath_connectors::files::{CsvSettings, FileFormat, FileSource, ReadMode};
use towpath_connectors::sink::NullSink;
use towpath_engine::plan::Input;
use towpath_engine::{EngineError, Plan, RunOptions, runtime};
use towpath_types::{DType, Schema};

const ROWS: usize = 2_000_000;

fn measure(name: &str, format: FileFormat, schema: Schema, content: &str) -> Result<(), EngineError> {
    let path = std::env::temp_dir().join(format!("towpath-read-speed-{}", std::process::id()));
    std::fs::write(&path, content).map_err(|error| EngineError::os("cannot write the sample", &error))?;
    for _ in 0..3 {
        let source = FileSource::new(
            "sample",
            path.to_string_lossy(),
            format.clone(),
            ReadMode::Static,
            schema.clone(),
        )?;
        let mut plan = Plan::default();
        let node = plan.source(Arc::new(source), None);
        let columns = plan.columns(node).to_vec();
        plan.output(Arc::new(NullSink::new("nowhere")), Input { node, columns }, None)?;
        let start = Instant::now();
        runtime::run(&plan, RunOptions::default())?;
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{name}: {seconds:.3} s, {:.0} ns a row, {:.0} MB/s",
            seconds * 1e9 / ROWS as f64,
            content.len() as f64 / seconds / 1e6
        );
    }
    // It lies among temporary files anyway.
    let _ = std::fs::remove_file(&path);
    Ok(())
}

fn main() -> Result<(), EngineError> {
    let mut words = String::new();
    let mut csv = "id,name,place,amount\n".to_owned();
    let mut texts = "name,place,note\n".to_owned();
    for row in 0..ROWS {
        let _ = writeln!(words, "{{\"word\": \"word{}\"}}", row * 7919 % 50_000);
        let _ = writeln!(csv, "{row},Name {row},Warsaw,{}", row as f64 / 4.0);
        let _ = writeln!(
            texts,
            "Somebody with the number {row},A place called Warsaw,a note of some length about it"
        );
    }
    let word = Schema::of([("word", DType::Str)]);
    measure("jsonlines, a word", FileFormat::JsonLines(Vec::new()), word, &words)?;
    let schema = Schema::of([
        ("id", DType::Int),
        ("name", DType::Str),
        ("place", DType::Str),
        ("amount", DType::Float),
    ]);
    let format = FileFormat::Csv(CsvSettings::default());
    measure("csv, int, str, str, float", format.clone(), schema, &csv)?;
    let schema = Schema::of([("name", DType::Str), ("place", DType::Str), ("note", DType::Str)]);
    measure("csv, text", format, schema, &texts)?;
    let line = Schema::of([("data", DType::Str)]);
    measure("plaintext", FileFormat::Plaintext, line, &texts)
}
