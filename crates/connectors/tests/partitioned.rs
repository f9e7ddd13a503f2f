//! Outputs of which every worker writes a part.

#[allow(dead_code)]
mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use common::Script;
use towpath_connectors::sink::{CsvWriter, FileSink};
use towpath_engine::clock::ManualClock;
use towpath_engine::plan::Input;
use towpath_engine::state::{Saved, no_table};
use towpath_engine::testing::{run_in_processes, run_with};
use towpath_engine::{
    EngineError, ErrorKind, Operator, Output, Plan, PlanError, Routing, RunOptions, Task, TaskContext, runtime,
};
use towpath_types::{Batch, Column, DType, Key, Time, Value};

/// Updates `key, number, diff`.
fn updates(rows: &[(i64, i64, i64)]) -> Batch {
    let numbers: Vec<Value> = rows.iter().map(|(_, number, _)| Value::Int(*number)).collect();
    Batch::new(
        rows.iter()
            .map(|(key, ..)| Key::for_values(&[Value::Int(*key)]))
            .collect::<Vec<_>>(),
        vec![Column::from_values(&DType::Int, &numbers)],
        Some(rows.iter().map(|(.., diff)| *diff).collect()),
    )
}

/// Three times, in each of which every one of a hundred rows changes twice.
fn changing() -> Script {
    let at = |time: i64, key: i64| 1000 * time + key;
    let commits = (0..3).map(|time| {
        let before: Vec<_> = match time {
            0 => vec![],
            _ => (0..100).map(|key| (key, at(time - 1, key), -1)).collect(),
        };
        let between: Vec<_> = (0..100).flat_map(|key| [(key, -1, 1), (key, -1, -1)]).collect();
        let after: Vec<_> = (0..100).rev().map(|key| (key, at(time, key), 1)).collect();
        [after, between, before].iter().map(|rows| updates(rows)).collect()
    });
    Script {
        columns: vec![DType::Int],
        commits: commits.collect(),
        append_only: false,
        unique_keys: false,
    }
}

/// Passes rows on from worker to worker, and may fail on one of them at one time.
#[derive(Clone, Copy, Debug)]
struct Strew {
    routing: Routing,
    fails: Option<(usize, Time)>,
}

impl Operator for Strew {
    fn name(&self) -> &'static str {
        "strew"
    }

    fn output(&self, inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
        Ok(inputs[0].clone())
    }

    fn routing(&self, _input: usize) -> Routing {
        self.routing
    }

    fn append_only(&self, inputs: &[bool]) -> bool {
        inputs[0]
    }

    fn start(&self, context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        let fails_at = self
            .fails
            .and_then(|(worker, time)| (worker == context.worker).then_some(time));
        Ok(Box::new(Strewing { fails_at }))
    }
}

struct Strewing {
    fails_at: Option<Time>,
}

impl Task for Strewing {
    fn absorb(&mut self, _input: usize, batch: Batch, output: &mut Output) -> Result<(), EngineError> {
        output.push(batch);
        Ok(())
    }

    fn complete(&mut self, time: Time, _output: &mut Output) -> Result<(), EngineError> {
        match self.fails_at {
            Some(last) if last == time => Err(EngineError::new(ErrorKind::Runtime, "it failed")),
            _ => Ok(()),
        }
    }

    fn save(&mut self, _saved: &mut Saved) {
        // It has no state.
    }

    fn restore(&mut self, table: u16, _rows: Batch, _owners: &[Key]) -> Result<(), EngineError> {
        Err(no_table(table))
    }
}

fn sink(folder: &Path) -> FileSink {
    FileSink::new("out", folder, Arc::new(CsvWriter::new(vec!["n".to_owned()]))).partitioned()
}

/// A plan that writes what is read and strewn, in parts.
fn plan(script: Script, strew: Strew, sink: FileSink) -> Plan {
    let mut plan = Plan::default();
    let source = plan.source(Arc::new(script), None);
    let columns = plan.columns(source).to_vec();
    let node = plan
        .operator(Arc::new(strew), vec![Input { node: source, columns }], None)
        .expect("the types fit");
    let columns = plan.columns(node).to_vec();
    plan.output(Arc::new(sink), Input { node, columns }, None)
        .expect("the types fit");
    plan
}

const STREWN: Strew = Strew {
    routing: Routing::ByKey,
    fails: None,
};

const HEADER: &str = "\"n\",\"time\",\"diff\"";

/// The names of the files of a folder, and their lines.
fn files(folder: &Path) -> BTreeMap<String, Vec<String>> {
    std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| {
            let entry = entry.expect("it can be listed");
            let text = std::fs::read_to_string(entry.path()).expect("it is a text");
            let lines = text.lines().map(str::to_owned).collect();
            (entry.file_name().to_string_lossy().into_owned(), lines)
        })
        .collect()
}

/// Fields of a line: the number, the time, the difference.
fn fields(line: &str) -> (i64, i64, i64) {
    let fields: Vec<i64> = line
        .split(',')
        .map(|field| field.trim_matches('"').parse().expect("a number"))
        .collect();
    (fields[0], fields[1], fields[2])
}

fn names(workers: usize) -> Vec<String> {
    (0..workers).map(|worker| format!("part-{worker:05}.csv")).collect()
}

#[test]
fn the_parts_together_are_what_one_file_is() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut results = Vec::new();
    for (processes, workers) in [(1, 1), (1, 3), (2, 2)] {
        let folder = directory.path().join(format!("{processes}-{workers}"));
        let plan = plan(changing(), STREWN, sink(&folder));
        match processes {
            1 => run_with(&plan, workers, true).expect("the run succeeds"),
            _ => run_in_processes(&plan, processes, workers, true, None)
                .into_iter()
                .for_each(|outcome| outcome.expect("the run succeeds")),
        }
        let files = files(&folder);
        assert_eq!(files.keys().cloned().collect::<Vec<_>>(), names(processes * workers));
        let mut together = Vec::new();
        for (name, lines) in &files {
            assert_eq!(lines[0], HEADER);
            assert!(lines.len() > 50, "{name} has {} lines", lines.len());
            let rows: Vec<_> = lines[1..].iter().map(|line| fields(line)).collect();
            assert!(
                rows.is_sorted_by_key(|(_, time, _)| *time),
                "{name} is in the order of time"
            );
            // What a row was before is taken back in the file where it was added.
            let mut current = BTreeMap::new();
            for (number, time, diff) in &rows {
                let value = current.entry(number % 1000).or_insert(0);
                match diff {
                    1 => *value = *number,
                    -1 => assert_eq!(*value, *number, "{name} at {time}"),
                    _ => panic!("{name}: {diff}"),
                }
            }
            together.extend(rows);
        }
        together.sort_unstable();
        assert_eq!(together.len(), 500, "each time is consolidated");
        results.push(together);
    }
    assert!(results.iter().all(|result| *result == results[0]));
}

#[test]
fn rows_stay_where_they_are_if_no_key_comes_twice() {
    let script = |promises| Script {
        columns: vec![DType::Int],
        commits: vec![vec![updates(&(0..100).map(|key| (key, key, 1)).collect::<Vec<_>>())]],
        append_only: promises,
        unique_keys: promises,
    };
    let gathered = Strew {
        routing: Routing::ToFirst,
        fails: None,
    };
    for promises in [true, false] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let folder = directory.path().join("parts");
        run_with(&plan(script(promises), gathered, sink(&folder)), 2, true).expect("the run succeeds");
        let lines: Vec<usize> = files(&folder).values().map(Vec::len).collect();
        match promises {
            true => assert_eq!(lines, [101, 1], "the first worker has them all"),
            false => assert!(lines.iter().all(|lines| *lines > 25), "they are spread: {lines:?}"),
        }
    }
}

#[test]
fn each_part_is_sorted() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let sink = sink(directory.path()).sorted_by(vec![0]);
    run_with(&plan(changing(), STREWN, sink), 3, true).expect("the run succeeds");
    for lines in files(directory.path()).values() {
        let rows: Vec<_> = lines[1..].iter().map(|line| fields(line)).collect();
        assert!(rows.is_sorted_by_key(|(number, time, _)| (*time, *number)));
    }
}

#[test]
fn only_parts_that_nobody_writes_are_removed() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let folder = directory.path();
    let others = ["part-00003.jsonl", "part-00003.csv.gz", "part-3.csv", "notes.csv"];
    for name in names(6).iter().map(String::as_str).chain(others) {
        std::fs::write(folder.join(name), "old").expect("the file is written");
    }
    std::fs::create_dir(folder.join("part-00007.csv")).expect("the folder is made");
    let empty = Script {
        commits: vec![],
        ..changing()
    };
    let plan = plan(empty, STREWN, sink(folder));
    for outcome in run_in_processes(&plan, 2, 1, true, None) {
        outcome.expect("the run succeeds");
    }
    std::fs::remove_dir(folder.join("part-00007.csv")).expect("it is still there");
    let files = files(folder);
    let mut expected: Vec<String> = others.iter().map(|name| (*name).to_owned()).chain(names(2)).collect();
    expected.sort_unstable();
    assert_eq!(files.keys().cloned().collect::<Vec<_>>(), expected);
    for (name, lines) in files {
        let expected = if others.contains(&name.as_str()) { "old" } else { HEADER };
        assert_eq!(lines, [expected], "{name}");
    }
}

#[test]
fn a_run_that_fails_leaves_whole_times_in_each_part() {
    for culprit in [0, 2] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let strew = Strew {
            fails: Some((culprit, 104)),
            ..STREWN
        };
        let plan = plan(changing(), strew, sink(directory.path()));
        let options = RunOptions {
            workers: 3,
            clock: Arc::new(ManualClock::default()),
            start: Some(102),
            ..RunOptions::default()
        };
        let error = runtime::run(&plan, options).expect_err("it fails");
        assert_eq!(error.message, "it failed");
        let files = files(directory.path());
        assert_eq!(files.len(), 3);
        for (name, lines) in files {
            assert_eq!(lines[0], HEADER);
            let times: Vec<i64> = lines[1..].iter().map(|line| fields(line).1).collect();
            assert!(times.iter().all(|time| *time == 102), "{name}: {times:?}");
        }
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("file");
    std::fs::write(&file, "kept").expect("the file is written");
    let missing = directory.path().join("nowhere").join("parts");
    let (shown, parent) = (missing.display(), directory.path().join("nowhere"));
    for (folder, expected) in [
        (
            &file,
            format!(
                "out: cannot create the output folder {}: File exists (os error 17). A partitioned output is a folder, \
                 and this is none: give another path, or remove what is there",
                file.display()
            ),
        ),
        (
            &missing,
            format!(
                "out: cannot create the output folder {shown}: No such file or directory (os error 2). The directory \
                 {} does not exist: create it first, or write to another place",
                parent.display()
            ),
        ),
    ] {
        let error = run_with(&plan(changing(), STREWN, sink(folder)), 2, true).expect_err("it fails");
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Os, expected.as_str()));
    }
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), "kept");
}
