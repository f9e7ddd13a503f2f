//! What is where: the files of the dataflow read each other in one direction, and every operator is made by the binding.

#![allow(missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// For every file of a folder, the files of the same folder that it reads.
fn reads(folder: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for entry in folder.read_dir().expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .unwrap_or_default()
            .to_owned();
        let text = std::fs::read_to_string(&path).expect("a source file");
        let imports = text.lines().filter_map(|line| line.strip_prefix("use super::"));
        let first = |import: &str| import.split([':', ';']).next().unwrap_or_default().to_owned();
        all.insert(name, imports.map(first).collect());
    }
    all
}

#[test]
fn the_files_of_the_dataflow_read_each_other_in_one_direction() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dataflow");
    let mut open = reads(&folder);
    open.remove("mod");
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
