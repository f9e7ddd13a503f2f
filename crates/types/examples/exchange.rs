//! Measures what it costs to give a row to another worker: splitting batches by owner, writing and reading them as they
//! travel between processes, and a loopback connection with all of it.
//!
//! `cargo run --release -p towpath-types --example exchange` prints a line of JSON for each measurement.
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use towpath_types::{Batch, Column, DType, Key, Value, wire};

/// Rows of a batch, about as many as sources make.
const ROWS: usize = 1 << 13;
const BATCHES: usize = 256;
/// Each measurement is the median of so many.
const REPEATS: usize = 5;

fn main() -> std::io::Result<()> {
    let ints: Vec<Value> = (0..ROWS).map(|row| Value::Int(row as i64 * 7919)).collect();
    let texts: Vec<Value> = (0..ROWS).map(|row| Value::str(&format!("user {row:06}"))).collect();
    let columns = [(DType::Int, ints), (DType::Str, texts)];
    let columns: Vec<Column> = columns
        .iter()
        .map(|(dtype, values)| Column::from_values(dtype, values))
        .collect();
    let batches: Vec<Batch> = (0..BATCHES as u64)
        .map(|seed| (0..ROWS as u64).map(|row| Key::sequence(seed, row)).collect())
        .map(|keys: Vec<Key>| Batch::new(keys, columns.clone(), None))
        .collect();

    for parts in [2, 4, 8, 16] {
        let split = || {
            for batch in &batches {
                std::hint::black_box(split(batch, parts));
            }
        };
        report(&format!("split in {parts}"), measured(split), None);
    }

    // Another process gets half of a batch of each of two workers.
    let halves: Vec<Batch> = batches.iter().flat_map(|batch| split(batch, 2)).collect();
    let mut written: Vec<Vec<u8>> = Vec::new();
    let write = || written = halves.iter().map(bytes_of).collect();
    let seconds = measured(write);
    let bytes = written.iter().map(Vec::len).sum();
    report("written", seconds, Some(bytes));
    let read = || {
        for bytes in &written {
            std::hint::black_box(wire::read_batch(bytes).expect("it was written by the same"));
        }
    };
    report("read", measured(read), Some(bytes));

    let mut failure = None;
    let travel = || {
        if let Err(error) = over_loopback(&batches) {
            failure = Some(error);
        }
    };
    report("split, written, over loopback and read", measured(travel), Some(bytes));
    failure.map_or(Ok(()), Err)
}

fn split(batch: &Batch, parts: usize) -> Vec<Batch> {
    batch.split(batch.keys(), parts, |key| key.worker(parts))
}

fn bytes_of(batch: &Batch) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(wire::batch_length(batch));
    wire::write_batch(batch, &mut bytes).expect("a vector takes all");
    bytes
}

/// One thread splits and sends all the rows, another one receives them.
fn over_loopback(batches: &[Batch]) -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut sender = TcpStream::connect(listener.local_addr()?)?;
    let (mut receiver, _) = listener.accept()?;
    std::thread::scope(|scope| {
        let receiving = scope.spawn(move || -> std::io::Result<usize> {
            let (mut length, mut rows) = ([0; 8], 0);
            while rows < ROWS * BATCHES {
                receiver.read_exact(&mut length)?;
                let mut bytes = vec![0; u64::from_le_bytes(length) as usize];
                receiver.read_exact(&mut bytes)?;
                rows += wire::read_batch(&bytes).map_err(std::io::Error::other)?.len();
            }
            Ok(rows)
        });
        for part in batches.iter().flat_map(|batch| split(batch, 2)) {
            let bytes = bytes_of(&part);
            sender.write_all(&(bytes.len() as u64).to_le_bytes())?;
            sender.write_all(&bytes)?;
        }
        let rows = receiving
            .join()
            .map_err(|_| std::io::Error::other("the receiver failed"))??;
        assert_eq!(rows, ROWS * BATCHES, "all rows came");
        Ok(())
    })
}

fn measured(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..REPEATS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[REPEATS / 2]
}

fn report(what: &str, time: Duration, bytes: Option<usize>) {
    let rows = (ROWS * BATCHES) as f64;
    let nanoseconds = time.as_nanos() as f64 / rows;
    let bytes = bytes.map_or_else(|| "null".to_owned(), |bytes| format!("{:.1}", bytes as f64 / rows));
    println!(r#"{{"what": "{what}", "ns": {nanoseconds:.1}, "bytes": {bytes}}}"#);
}
