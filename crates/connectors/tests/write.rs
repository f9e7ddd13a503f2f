//! Files that sinks write, from small tables of updates.

#[allow(dead_code)]
mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{Script, write};
use towpath_connectors::sink::{CsvWriter, JsonLinesWriter, NullSink};
use towpath_engine::plan::Input;
use towpath_engine::source::{Commits as When, Kept};
use towpath_engine::{EngineError, ErrorKind, Plan, RunOptions, Source, SourceContext, SourceHandle, runtime};
use towpath_types::{Batch, Column, DType, Key, Value};

/// Updates `key, word, diff` of one batch.
fn updates(rows: &[(u128, &str, i64)]) -> Batch {
    let words: Vec<Value> = rows
        .iter()
        .map(|(_, word, _)| match *word {
            "Error" => Value::Error,
            word => Value::str(word),
        })
        .collect();
    Batch::new(
        rows.iter().map(|(key, ..)| Key(*key)).collect::<Vec<_>>(),
        vec![Column::from_values(&DType::Str, &words)],
        Some(rows.iter().map(|(.., diff)| *diff).collect()),
    )
}

/// Commits of batches of updates.
type Commits<'a> = &'a [&'a [&'a [(u128, &'a str, i64)]]];

fn script(commits: Commits<'_>, promises: bool) -> Arc<Script> {
    Arc::new(Script {
        columns: vec![DType::Str],
        commits: commits
            .iter()
            .map(|commit| commit.iter().map(|rows| updates(rows)).collect())
            .collect(),
        append_only: promises,
        unique_keys: promises,
    })
}

fn csv() -> Arc<CsvWriter> {
    Arc::new(CsvWriter::new(vec!["word".to_owned()]))
}

fn check(source: &Arc<Script>, sort_by: Vec<usize>, workers: usize, expected: &[&str]) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("out.csv");
    std::fs::write(&path, "what was there before").expect("the file is written");
    let options = RunOptions {
        workers,
        terminate_on_error: false,
        ..RunOptions::default()
    };
    write(Arc::clone(source) as _, &path, csv(), sort_by, options).expect("the run succeeds");
    let text = std::fs::read_to_string(&path).expect("the file is there");
    assert_eq!(text.lines().collect::<Vec<_>>(), expected, "with {workers} workers");
}

#[test]
fn nothing_is_written_for_no_rows() {
    check(&script(&[], true), vec![], 1, &[]);
    check(&script(&[&[&[(1, "a", 1), (1, "a", -1)]]], false), vec![], 1, &[]);
}

#[test]
fn rows_of_a_time_are_consolidated_deletions_first() {
    let source = script(
        &[
            &[&[(1, "a", 1), (2, "b", 1)], &[(3, "c", 1), (2, "b", -1)]],
            &[&[(5, "d", 1), (1, "a", -1)], &[(1, "a2", 1), (3, "c", 1)]],
        ],
        false,
    );
    for workers in [1, 2] {
        let expected = [
            "\"word\",\"time\",\"diff\"",
            "\"a\",\"100\",\"1\"",
            "\"c\",\"100\",\"1\"",
            "\"a\",\"102\",\"-1\"",
            "\"d\",\"102\",\"1\"",
            "\"a2\",\"102\",\"1\"",
            "\"c\",\"102\",\"1\"",
        ];
        check(&source, vec![], workers, &expected);
    }
}

#[test]
fn equal_rows_are_one_row_with_their_count() {
    let source = script(&[&[&[(1, "a", 1)], &[(1, "a", 1)]]], false);
    check(
        &source,
        vec![],
        1,
        &["\"word\",\"time\",\"diff\"", "\"a\",\"100\",\"2\""],
    );
}

#[test]
fn insertions_under_new_keys_keep_their_order() {
    let source = script(&[&[&[(9, "b", 1)], &[(3, "a", 1)]], &[&[(1, "c", 1)]]], true);
    let expected = [
        "\"word\",\"time\",\"diff\"",
        "\"b\",\"100\",\"1\"",
        "\"a\",\"100\",\"1\"",
        "\"c\",\"102\",\"1\"",
    ];
    check(&source, vec![], 1, &expected);
}

#[test]
fn rows_of_a_time_are_sorted_on_request() {
    let source = script(&[&[&[(9, "b", 1)], &[(3, "a", 1)]], &[&[(1, "A", 1)]]], true);
    let expected = [
        "\"word\",\"time\",\"diff\"",
        "\"a\",\"100\",\"1\"",
        "\"b\",\"100\",\"1\"",
        "\"A\",\"102\",\"1\"",
    ];
    check(&source, vec![0], 1, &expected);
}

#[test]
fn rows_with_errors_are_skipped() {
    for promises in [true, false] {
        let source = script(&[&[&[(1, "a", 1), (2, "Error", 1), (3, "b", 1)]]], promises);
        let expected = [
            "\"word\",\"time\",\"diff\"",
            "\"a\",\"100\",\"1\"",
            "\"b\",\"100\",\"1\"",
        ];
        check(&source, vec![], 1, &expected);
    }
    let source = script(&[&[&[(2, "Error", 1)]]], true);
    let error =
        write(source, Path::new("/dev/null"), csv(), vec![], RunOptions::default()).expect_err("it ends the run");
    assert_eq!(
        error.message,
        "Error value encountered in output, skipping the row ^00000000000000000000000002"
    );
}

#[test]
fn json_lines() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("out.jsonl");
    let source = script(&[&[&[(1, "a\"", 1)]], &[&[(1, "a\"", -1), (1, "b", 1)]]], false);
    let format = Arc::new(JsonLinesWriter::new(&["word".to_owned()]));
    write(source, &path, format, vec![], RunOptions::default()).expect("the run succeeds");
    assert_eq!(
        std::fs::read_to_string(&path).expect("the file is there"),
        concat!(
            "{\"word\":\"a\\\"\",\"diff\":1,\"time\":100}\n",
            "{\"word\":\"a\\\"\",\"diff\":-1,\"time\":102}\n",
            "{\"word\":\"b\",\"diff\":1,\"time\":102}\n",
        )
    );
}

#[test]
fn a_file_that_cannot_be_created_is_named() {
    let error = write(
        script(&[], true),
        Path::new("/nowhere/at/all/out.csv"),
        csv(),
        vec![],
        RunOptions::default(),
    )
    .expect_err("there is no such directory");
    assert_eq!(error.kind, ErrorKind::Os);
    assert_eq!(
        error.message,
        "out: cannot create the output file /nowhere/at/all/out.csv: No such file or directory (os error 2). \
         The directory /nowhere/at/all does not exist: create it first, or write to another place"
    );
    let error = write(
        script(&[], true),
        Path::new("/tmp"),
        csv(),
        vec![],
        RunOptions::default(),
    )
    .expect_err("a directory is no file");
    assert!(
        error.message.ends_with("It is a directory: give the path of a file"),
        "{}",
        error.message
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_the_run() {
    let many: Vec<(u128, &str, i64)> = (0..100_000).map(|key| (key, "a", 1)).collect();
    for rows in [&[(1, "a", 1)][..], &many] {
        for promises in [true, false] {
            let source = script(&[&[rows, &[(200_000, "b", 1)]]], promises);
            let error =
                write(source, Path::new("/dev/full"), csv(), vec![], RunOptions::default()).expect_err("no space");
            assert_eq!(error.kind, ErrorKind::Os);
            assert!(
                error
                    .message
                    .starts_with("out: cannot write to /dev/full: No space left"),
                "{}",
                error.message
            );
        }
    }
}

#[test]
fn the_null_sink_takes_everything() {
    let mut plan = Plan::default();
    let node = plan.source(script(&[&[&[(1, "a", 1), (2, "Error", 1)]]], false), None);
    let columns = plan.columns(node).to_vec();
    plan.output(Arc::new(NullSink::new("nowhere")), Input { node, columns }, None)
        .expect("the plan is right");
    runtime::run(&plan, RunOptions::default()).expect("the run succeeds");
}

/// What a csv sink writes for `commits` of batches of keys, all of them added.
fn written(commits: &[Vec<Vec<u128>>], append_only: bool) -> String {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("out.csv");
    let batch = |keys: &Vec<u128>| {
        let words: Vec<String> = keys.iter().map(|key| format!("word {key}")).collect();
        updates(
            &std::iter::zip(keys, &words)
                .map(|(key, word)| (*key, word.as_str(), 1))
                .collect::<Vec<_>>(),
        )
    };
    let source = Script {
        columns: vec![DType::Str],
        commits: commits
            .iter()
            .map(|commit| commit.iter().map(batch).collect())
            .collect(),
        append_only,
        unique_keys: false,
    };
    write(Arc::new(source), &path, csv(), vec![], RunOptions::default()).expect("the run succeeds");
    std::fs::read_to_string(&path).expect("the file is there")
}

#[test]
fn rows_rendered_before_the_end_of_their_time_are_those_that_belong_there() {
    // Batches with and without the thread that renders; keys that come once, twice in a batch, again in a later
    // batch of the commit, again in a later commit.
    let small = |from: u128| (from..from + 10).collect::<Vec<_>>();
    let large = |from: u128| (from..from + 5000).collect::<Vec<_>>();
    let cases = [
        vec![vec![small(0), small(10), small(20)]],
        vec![vec![large(0), large(5000)], vec![large(0)], vec![small(0), large(10)]],
        vec![vec![large(0), small(4999), large(10_000)]],
        vec![vec![small(0), large(5)], vec![small(0)]],
        vec![
            vec![vec![1, 2, 1]],
            vec![large(0)],
            vec![large(0), vec![7]],
            vec![vec![3]],
        ],
    ];
    for commits in cases {
        assert_eq!(written(&commits, true), written(&commits, false));
    }
}

/// Sends a small commit, if it is to, then many rows that it does not commit, and fails.
#[derive(Debug)]
struct Failing {
    committed: bool,
    rows_a_batch: u128,
    promises: bool,
}

struct Failed;

impl SourceHandle for Failed {
    fn stop(&self) {}

    fn join(self: Box<Self>) {}
}

impl Source for Failing {
    fn name(&self) -> String {
        "failing".to_owned()
    }

    fn columns(&self) -> Vec<DType> {
        vec![DType::Str]
    }

    fn is_append_only(&self) -> bool {
        self.promises
    }

    fn has_unique_keys(&self) -> bool {
        self.promises
    }

    fn kept(&self) -> Kept {
        Kept::Nothing
    }

    fn commits(&self) -> When {
        // Rows move on as they come, though the timer never commits.
        When::Streaming(Some(Duration::from_secs(3600)))
    }

    fn start(&self, context: SourceContext) -> Result<Box<dyn SourceHandle>, EngineError> {
        if self.committed {
            let _ = context.queue().push(updates(&[(1, "kept", 1)]));
            let _ = context.queue().commit();
        }
        let word = "long ".repeat(20);
        for batch in 0..200_000 / self.rows_a_batch {
            let keys = 10 + batch * self.rows_a_batch..10 + (batch + 1) * self.rows_a_batch;
            let rows: Vec<_> = keys.map(|key| (key, word.as_str(), 1)).collect();
            let _ = context.queue().push(updates(&rows));
        }
        context
            .queue()
            .close(Err(EngineError::new(ErrorKind::Runtime, "the source failed")));
        Ok(Box::new(Failed))
    }
}

#[test]
fn rows_that_were_not_committed_are_not_in_the_file_of_a_run_that_fails() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("out.csv");
    for committed in [false, true] {
        for promises in [false, true] {
            // Written by the worker, and by a thread of the sink.
            for rows_a_batch in [500, 5000] {
                let source = Failing {
                    committed,
                    rows_a_batch,
                    promises,
                };
                let error = write(Arc::new(source), &path, csv(), vec![], RunOptions::default()).expect_err("it fails");
                assert_eq!(error.message, "the source failed");
                let text = std::fs::read_to_string(&path).expect("the file is there");
                let expected = match committed {
                    false => "",
                    true => "\"word\",\"time\",\"diff\"\n\"kept\",\"100\",\"1\"\n",
                };
                assert!(text == expected, "{} bytes: {:?}", text.len(), text.get(..200));
            }
        }
    }
}
