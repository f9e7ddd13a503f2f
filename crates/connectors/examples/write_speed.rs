//! Measures how long a row takes from a batch to the buffer of a format: three columns, time and diff.
//!
//! `cargo run --release -p towpath-connectors --example write_speed`
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::time::Instant;

use towpath_connectors::sink::{CsvWriter, JsonLinesWriter, RowFormat};
use towpath_types::{Batch, Column, DType, Key, Value};

const ROWS: usize = 1 << 16;
const ROUNDS: usize = 32;

fn main() {
    let keys: Vec<Key> = (0..ROWS as u64).map(|row| Key::sequence(1, row)).collect();
    let column = |dtype: &DType, value: &dyn Fn(usize) -> Value| {
        let values: Vec<Value> = (0..ROWS).map(value).collect();
        Column::from_values(dtype, &values)
    };
    let ints = column(&DType::Int, &|row| Value::Int(row as i64 * 7919));
    let texts = column(&DType::Str, &|row| Value::str(&format!("Species number {row}")));
    let floats = column(&DType::Float, &|row| Value::Float(row as f64 / 7.0));
    let names: Vec<String> = ["key", "name", "value"].map(str::to_owned).to_vec();
    let formats: [Box<dyn RowFormat>; 2] = [
        Box::new(CsvWriter::new(names.clone())),
        Box::new(JsonLinesWriter::new(&names)),
    ];
    let mut buffer = Vec::new();
    for (kind, columns) in [
        ("int, str, str", vec![ints.clone(), texts.clone(), texts.clone()]),
        ("int, str, float", vec![ints, texts, floats]),
    ] {
        let batch = Batch::new(keys.clone(), columns, None);
        for format in &formats {
            let start = Instant::now();
            for _ in 0..ROUNDS {
                for window in (0..ROWS).step_by(4096) {
                    buffer.clear();
                    format.write_rows(&batch.slice(window, 4096), 1_795_335_028_016, &mut buffer);
                }
            }
            let nanoseconds = start.elapsed().as_nanos() as f64 / (ROWS * ROUNDS) as f64;
            println!("{:>10}: {kind}: {nanoseconds:.0} ns a row", format.name());
        }
    }
}
