//! Measures how fast a journal is written to a folder and read from it.
//!
//! `cargo run --release -p towpath-durability --example journal_speed -- FOLDER`
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use towpath_durability::{Access, Group, Holder, JournalIndex, JournalWriter, LocalStorage, Record, State, StateError};

/// A group of so many bytes, in records of some kilobytes.
fn group(closed: u64, bytes: usize) -> Group {
    let record = bytes.min(4096);
    let records = (0..bytes / record).map(|number| Record {
        stream: 0,
        kind: 0,
        time: closed,
        payload: (0..record).map(|byte| (byte * 31 + number) as u8).collect(),
    });
    Group {
        closed,
        records: records.collect(),
    }
}

/// How long each of some groups took.
fn write(writer: &mut JournalWriter, groups: usize, bytes: usize) -> Result<Vec<Duration>, StateError> {
    let group = group(2, bytes);
    let mut took = Vec::with_capacity(groups);
    for _ in 0..groups {
        let start = Instant::now();
        writer.write(&group)?;
        took.push(start.elapsed());
    }
    took.sort_unstable();
    Ok(took)
}

fn show(what: &str, bytes: usize, records: usize, start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{what}: {:.0} MB/s, {:.2} µs each",
        bytes as f64 / seconds / 1e6,
        seconds * 1e6 / records as f64
    );
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = format!("towpath-journal-speed-{}", std::process::id());
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from)
        .join(name);
    let state = State::open(
        Arc::new(LocalStorage::new(&folder)?),
        Holder::current(0),
        Access::ReadWrite,
    )?;
    let mut writer = JournalWriter::create(&state, 0, 0, &["orders".to_owned()])?;
    let percentile = |took: &[Duration], percent: usize| took[took.len() * percent / 100].as_secs_f64() * 1e3;
    for (groups, bytes) in [(2000, 4 << 10), (1000, 40 << 10), (512, 1 << 20), (64, 8 << 20)] {
        let took = write(&mut writer, groups, bytes)?;
        let seconds: f64 = took.iter().map(Duration::as_secs_f64).sum();
        println!(
            "groups of {} kB: {:.0} MB/s; p50 {:.2} ms, p99 {:.2} ms",
            bytes >> 10,
            (groups * bytes) as f64 / seconds / 1e6,
            percentile(&took, 50),
            percentile(&took, 99)
        );
        writer.rotate()?;
    }
    for _ in 0..3 {
        let start = Instant::now();
        let index = JournalIndex::read(&state)?;
        let seconds = start.elapsed().as_secs_f64();
        let entries = index.records("orders");
        println!(
            "index: {:.0} MB/s, {} records",
            index.bytes() as f64 / seconds / 1e6,
            entries.len()
        );
        let start = Instant::now();
        let mut bytes = 0;
        for entry in entries {
            bytes += index.payload(entry)?.len();
        }
        show("payloads one by one", bytes, entries.len(), start);
        let start = Instant::now();
        let mut bytes = 0;
        for payload in index.payloads("orders") {
            bytes += payload?.1.len();
        }
        show("payloads in a row", bytes, entries.len(), start);
    }
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
