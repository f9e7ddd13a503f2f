//! What is where: the files of a folder read each other in one direction, in every crate, and so do folders; every
//! operator is made by the binding.

#![allow(missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The folders in which files read each other in a circle, and why.
const CIRCLES: [(&str, &str); 1] = [("engine/expression", "the parts of an expression are expressions")];

/// A module: the names that lead to it.
type Module = Vec<String>;

/// For every room of a folder, the rooms there that it reads.
type Reads = BTreeMap<String, BTreeSet<String>>;

/// What is said of the modules of a folder in `mod.rs` or `lib.rs`: a room of its own.
const FACE: &str = "mod";

/// The source files of a folder and of those within.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let within = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    paths.flat_map(within).collect()
}

/// The code of a file, without tests, comments, and what it only passes on.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).expect("a source file");
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = code.lines().filter_map(|line| line.split("//").next());
    let statements = lines.collect::<Vec<_>>().join("\n");
    let is_read = |statement: &&str| {
        let statement = statement.trim_start();
        !(statement.starts_with("pub use ") || statement.starts_with("pub(crate) use "))
    };
    statements
        .split_inclusive(';')
        .filter(is_read)
        .collect::<Vec<_>>()
        .concat()
}

/// The modules of a crate, but for tests, and their code.
fn modules(source: &Path) -> BTreeMap<Module, String> {
    let module = |path: PathBuf| {
        let inner = path
            .strip_prefix(source)
            .expect("it is in the folder")
            .with_extension("");
        let mut names: Module = inner.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        if names.iter().any(|name| name.ends_with("tests")) {
            return None;
        }
        let last = names.last().expect("a file has a name");
        if last == "mod" || last == "lib" {
            names.pop();
        }
        Some((names, code(&path)))
    };
    files(source).into_iter().filter_map(module).collect()
}

/// Adds the paths that begin here, as `a::{b, c::d}` is two.
fn add_paths(text: &str, before: &[&str], paths: &mut Vec<Module>) {
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    let end = text.find(|letter| !is_name(letter)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let path = [before, &[name]].concat();
    let Some(rest) = rest.strip_prefix("::") else {
        paths.push(path.into_iter().map(str::to_owned).collect());
        return;
    };
    let Some(list) = rest.strip_prefix('{') else {
        add_paths(rest, &path, paths);
        return;
    };
    let mut depth = 0;
    let mut start = 0;
    for (position, letter) in list.char_indices() {
        if depth == 0 && (letter == ',' || letter == '}') {
            add_paths(list[start..position].trim(), &path, paths);
            start = position + 1;
        }
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            _ => {}
        }
    }
}

/// The modules that a module reads: those on the paths in its code, as deep as they lead.
fn reads(module: &Module, code: &str, modules: &BTreeMap<Module, String>) -> BTreeSet<Module> {
    let is_child = |other: &&Module| other.len() == module.len() + 1 && other.starts_with(module);
    let children = modules
        .keys()
        .filter(is_child)
        .map(|child| child[module.len()].as_str());
    let mut paths = Vec::new();
    for name in ["crate", "super"].into_iter().chain(children) {
        for (position, _) in code.match_indices(&format!("{name}::")) {
            let before = code[..position].chars().next_back();
            if !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == ':') {
                add_paths(&code[position..], &[], &mut paths);
            }
        }
    }
    let resolved = paths.into_iter().map(|path| {
        let mut found = module.clone();
        for name in path {
            match name.as_str() {
                "crate" => found.clear(),
                "super" => drop(found.pop()),
                _ => {
                    found.push(name);
                    if !modules.contains_key(&found) {
                        found.pop();
                        break;
                    }
                }
            }
        }
        found
    });
    resolved.filter(|found| found != module).collect()
}

/// For every folder of a crate, what its rooms read of each other.
fn folders(source: &Path) -> BTreeMap<String, Reads> {
    let modules = modules(source);
    let mut folders: BTreeMap<String, Reads> = BTreeMap::new();
    for (module, code) in &modules {
        for read in reads(module, code, &modules) {
            let common = module
                .iter()
                .zip(&read)
                .take_while(|(left, right)| left == right)
                .count();
            let room = |names: &Module| names.get(common).map_or(FACE, String::as_str).to_owned();
            let folder = folders.entry(module[..common].join("/")).or_default();
            folder.entry(room(module)).or_default().insert(room(&read));
        }
    }
    folders
}

/// What is left of rooms when those that read nothing of the others, and those that the others do not read, are taken
/// away, again and again: circles.
fn circles(mut open: Reads) -> Reads {
    loop {
        let is_read = |name: &String| open.values().any(|read| read.contains(name));
        let reads = |read: &BTreeSet<String>| read.iter().any(|other| open.contains_key(other));
        let in_circles: Reads = open
            .iter()
            .filter(|(name, read)| is_read(name) && reads(read))
            .map(|(name, read)| (name.clone(), read.clone()))
            .collect();
        if in_circles.len() == open.len() {
            return open;
        }
        open = in_circles;
    }
}

#[test]
fn rooms_read_each_other_in_one_direction() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for entry in crates.read_dir().expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        let name = path.file_name().expect("it has a name").to_string_lossy();
        let folders = folders(&path.join("src"));
        assert!(!folders[""].is_empty(), "{folders:?}");
        for (folder, reads) in folders {
            let folder = format!("{name}/{folder}");
            let found = circles(reads);
            let is_known = CIRCLES.iter().any(|(known, _)| *known == folder);
            assert!(
                found.is_empty() || is_known,
                "these files of {folder} read each other in a circle: {found:?}"
            );
        }
    }
}

#[test]
fn what_a_file_reads_is_found() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let folders = folders(&source);
    assert!(folders["dataflow"]["worker"].contains("build"), "{folders:?}");
    assert!(folders[""]["runtime"].contains("dataflow"), "{folders:?}");
    assert!(folders["reducers"]["sum"].contains(FACE), "{folders:?}");
    assert!(folders["reducers"]["list"].contains("sum"), "{folders:?}");
    let mut paths = Vec::new();
    add_paths("super::{a::B, c::{D, e::F}, G}; b::H", &[], &mut paths);
    let paths: Vec<String> = paths.iter().map(|path| path.join("::")).collect();
    assert_eq!(paths, ["super::a::B", "super::c::D", "super::c::e::F", "super::G"]);
    let reads = |pairs: &[(&str, &str)]| {
        let mut reads = Reads::new();
        for (reader, read) in pairs {
            reads
                .entry((*reader).to_owned())
                .or_default()
                .insert((*read).to_owned());
        }
        reads
    };
    assert!(circles(reads(&[("a", "b"), ("b", "c")])).is_empty());
    assert_eq!(circles(reads(&[("a", "b"), ("b", "c"), ("c", "a")])).len(), 3);
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
