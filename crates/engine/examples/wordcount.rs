//! The engine from Rust alone: counts the words of a file, and prints the most frequent.
//!
//! `cargo run --release -p towpath-engine --example wordcount -- FILE`
//!
//! A source of our own pushes the words, which get their keys by their numbers; the plan groups them by the key made of each word and
//! counts; an output of our own follows the counts.

use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::sync::Arc;

use towpath_engine::operators::reduce::{Aggregate, Reduce};
use towpath_engine::plan::Input;
use towpath_engine::reducers::{Options, reducer};
use towpath_engine::runtime::run;
use towpath_engine::source::{Commits, Division, Kept, Keys, Unkeyed};
use towpath_engine::state::{Saved, no_table};
use towpath_engine::{
    EngineError, Expression, Operator, Output, Plan, PlanError, Routing, RunOptions, Source, SourceContext,
    SourceHandle, SourceQueue, Task, TaskContext,
};
use towpath_types::{Batch, ColumnBuilder, DType, Key, Value};

#[derive(Debug)]
struct Words {
    path: PathBuf,
}

struct Reading(std::thread::JoinHandle<()>);

impl SourceHandle for Reading {
    fn stop(&self) {}

    fn join(self: Box<Self>) {
        // A reader that panicked has left its queue open; there is nothing more to learn from it.
        let _ = self.0.join();
    }
}

fn read(path: &PathBuf, queue: &SourceQueue) -> Result<(), std::io::Error> {
    const ROWS: usize = 1 << 14;
    let (mut words, mut rows) = (ColumnBuilder::new(&DType::Str), 0);
    let send = |words: &mut ColumnBuilder, rows: &mut usize| {
        let rows = Unkeyed::new(std::mem::take(rows), vec![words.finish()], None, None);
        queue.push(rows).is_ok() && queue.wait_for_space().is_ok()
    };
    for line in BufReader::new(File::open(path)?).lines() {
        for word in line?.split_whitespace() {
            words.push_str(word);
            rows += 1;
        }
        if rows >= ROWS && !send(&mut words, &mut rows) {
            return Ok(());
        }
    }
    send(&mut words, &mut rows);
    Ok(())
}

impl Source for Words {
    fn name(&self) -> String {
        "words".to_owned()
    }

    fn columns(&self) -> Vec<DType> {
        vec![DType::Str]
    }

    fn is_append_only(&self) -> bool {
        true
    }

    fn has_unique_keys(&self) -> bool {
        true
    }

    fn keys(&self, _stream: usize, _division: &Division) -> Keys {
        Keys::Ordinal { seed: 0, next: 0 }
    }

    fn kept(&self) -> Kept {
        Kept::Nothing
    }

    fn commits(&self) -> Commits {
        Commits::AtEnd
    }

    fn start(&self, context: SourceContext) -> Result<Box<dyn SourceHandle>, EngineError> {
        let path = self.path.clone();
        let work = move || {
            let result = read(&path, context.queue());
            context
                .queue()
                .close(result.map_err(|error| EngineError::os(path.display(), &error)));
        };
        let thread = std::thread::Builder::new().name("words".to_owned()).spawn(work);
        Ok(Box::new(Reading(thread.map_err(|error| {
            EngineError::os("the reader did not start", &error)
        })?)))
    }
}

#[derive(Debug)]
struct Print;

#[derive(Default)]
struct Counts(HashMap<String, i64>);

impl Operator for Print {
    fn name(&self) -> &'static str {
        "print"
    }

    fn output(&self, _inputs: &[Vec<DType>]) -> Result<Vec<DType>, PlanError> {
        Ok(Vec::new())
    }

    fn routing(&self, _input: usize) -> Routing {
        Routing::ToFirst
    }

    fn append_only(&self, _inputs: &[bool]) -> bool {
        true
    }

    fn start(&self, _context: TaskContext) -> Result<Box<dyn Task>, EngineError> {
        Ok(Box::new(Counts::default()))
    }
}

impl Task for Counts {
    fn absorb(&mut self, _input: usize, batch: Batch, _output: &mut Output) -> Result<(), EngineError> {
        for row in 0..batch.len() {
            if let [Value::Str(word), Value::Int(count)] = batch.row(row).as_slice()
                && batch.diff(row) > 0
            {
                self.0.insert(word.to_string(), *count);
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), EngineError> {
        let mut counts: Vec<(&String, &i64)> = self.0.iter().collect();
        counts.sort_by_key(|(word, count)| (-**count, (*word).clone()));
        let mut out = std::io::stdout().lock();
        for (word, count) in counts.into_iter().take(10) {
            writeln!(out, "{count:>8} {word}").map_err(|error| EngineError::os("stdout", &error))?;
        }
        Ok(())
    }

    fn save(&mut self, _saved: &mut Saved) {
        // It has no runs after it.
    }

    fn restore(&mut self, table: u16, _rows: Batch, _owners: &[Key]) -> Result<(), EngineError> {
        Err(no_table(table))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("which file?")?.into();
    let mut plan = Plan::default();
    let words = plan.source(Arc::new(Words { path }), None);
    let word = plan.columns(words)[0];
    let key = Expression::pointer(vec![plan.expression(word)], None, false);
    let key = plan.define(words, key)?;
    let count = Aggregate {
        reducer: reducer("count").ok_or("there is a count")?,
        arguments: vec![],
        options: Options::default(),
    };
    let input = Input {
        node: words,
        columns: vec![key, word],
    };
    let counts = plan.operator(Arc::new(Reduce::new(1, vec![count])), vec![input], None)?;
    let columns = plan.columns(counts).to_vec();
    plan.output(Arc::new(Print), Input { node: counts, columns }, None)?;
    run(&plan, RunOptions::default())?;
    Ok(())
}
