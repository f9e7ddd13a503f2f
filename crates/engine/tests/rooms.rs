//! What is where: the rooms of the engine read each other in one direction, and so do the files of the dataflow; every
//! operator is made by the binding.

#![allow(missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// For every room, the rooms that it reads.
type Reads = BTreeMap<String, BTreeSet<String>>;

/// The source files of a folder and of those within.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let within = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    paths.flat_map(within).collect()
}

/// What the files of a folder read by a `use` that begins like this; files and folders there are the rooms. Tests may
/// read all.
fn reads(folder: &Path, begin: &str) -> Reads {
    let mut all = Reads::new();
    for path in files(folder) {
        let inner = path.strip_prefix(folder).expect("it is in the folder");
        let first = inner
            .components()
            .next()
            .map_or_else(PathBuf::new, |first| PathBuf::from(first.as_os_str()));
        let room = first
            .file_stem()
            .and_then(|name| name.to_str())
            .unwrap_or_default()
            .to_owned();
        if room == "lib" || room == "mod" || inner.ends_with("tests.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a source file");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let imports = code.lines().filter_map(|line| line.strip_prefix(begin));
        let other = |import: &str| import.split([':', ';']).next().unwrap_or_default().to_owned();
        let others = imports.map(other).filter(|other| *other != room);
        all.entry(room.clone()).or_default().extend(others);
    }
    all
}

/// Makes sure that nothing that a room reads reads that room, however far away.
fn check(mut open: Reads) {
    loop {
        let free: Vec<String> = open
            .iter()
            .filter(|(_, read)| read.iter().all(|other| !open.contains_key(other)))
            .map(|(name, _)| name.clone())
            .collect();
        if free.is_empty() {
            break;
        }
        free.iter().for_each(|name| drop(open.remove(name)));
    }
    assert!(open.is_empty(), "these read each other in a circle: {open:?}");
}

#[test]
fn rooms_read_each_other_in_one_direction() {
    let engine = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let of_dataflow = reads(&engine.join("dataflow"), "use super::");
    assert!(of_dataflow["worker"].contains("build"), "{of_dataflow:?}");
    check(of_dataflow);
    let of_engine = reads(&engine, "use crate::");
    assert!(of_engine["runtime"].contains("dataflow"), "{of_engine:?}");
    check(of_engine);
}

#[test]
fn every_operator_is_made_by_the_binding() {
    let engine = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(engine.join("src/operators/mod.rs")).expect("the list of operators");
    let operators = list
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let plan = engine.join("../python/src/plan");
    let binding: String = ["operators.rs", "sources.rs"]
        .map(|file| std::fs::read_to_string(plan.join(file)).expect("the binding"))
        .concat();
    for operator in operators {
        let made = format!("{operator}::");
        assert!(
            binding.contains(&made),
            "no method of the binding makes the operator {operator}: see \"How to add\" in ARCHITECTURE.md"
        );
    }
}
