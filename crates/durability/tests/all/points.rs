//! The process dies, or a step fails, at every point.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use towpath_durability::{
    Access, JournalIndex, JournalWriter, LocalStorage, PartName, PartWriter, Section, State, StateError, check_part,
    delete_part, points, put_blob, put_manifest, read_blob, read_manifest, read_sections,
};

use crate::children;
use crate::model::{content, expected, group, holder, streams};

const OLD: [u8; 1000] = [1; 1000];
const NEW: [u8; 2000] = [2; 2000];

fn state(folder: &Path) -> Result<State, StateError> {
    let storage = LocalStorage::new(folder).map_err(|error| panic!("{error}"))?;
    State::open(Arc::new(storage), holder(), Access::ReadWrite)
}

/// The file in which a program says how far it is.
fn progress_of(folder: &Path) -> PathBuf {
    folder.with_added_extension("progress")
}

/// Writes to a folder, and to a file beside it after each step.
fn program(folder: &Path) -> Result<(), StateError> {
    let say = |words: &str| fs::write(progress_of(folder), words).expect("it is written");
    let state = state(folder)?;
    put_blob(&state, "blob", *b"test", &OLD)?;
    say("old");
    put_blob(&state, "blob", *b"test", &NEW)?;
    say("new");
    let mut writer = JournalWriter::create(&state, 1, 0, &streams())?;
    writer.write(&group(2, &[(0, b"one")]))?;
    say("one");
    writer.rotate()?;
    writer.write(&group(4, &[(0, b"two")]))?;
    say("two");
    writer.end()?;
    say("end");
    snapshot(&state, 0)?;
    say("first");
    snapshot(&state, 1)?;
    delete_part(&state, part(0))?;
    say("second");
    Ok(())
}

fn part(number: u32) -> PartName {
    PartName {
        generation: 1,
        process: 0,
        number,
    }
}

/// The section of a part.
fn section_of(number: u32) -> Vec<u8> {
    vec![number as u8; 100]
}

/// Writes a part, and the manifest that names it.
fn snapshot(state: &State, number: u32) -> Result<(), StateError> {
    let mut writer = PartWriter::create(state, part(number))?;
    let section = writer.add(&section_of(number))?;
    writer.finish()?;
    let manifest = serde_json::to_vec(&(number, section)).expect("it is written");
    put_manifest(state, &manifest)
}

/// Sees to it that a folder has what its program said to be durable, and nothing that it did not write.
fn check(folder: &Path, place: &str) {
    let progress = fs::read_to_string(progress_of(folder)).unwrap_or_default();
    let steps = ["", "old", "new", "one", "two", "end", "first", "second"];
    let step = steps.iter().position(|step| *step == progress).expect("a step");
    let state = state(folder).expect("it is whole");
    let blob = read_blob(&state, "blob", *b"test").ok();
    let blobs = [None, Some(OLD.to_vec()), Some(NEW.to_vec())];
    assert!(
        (step.min(2)..=(step + 1).min(2)).any(|step| blobs[step] == blob),
        "{place}: {step}"
    );
    let found = content(&JournalIndex::read(&state).expect("it is whole")).expect("it can be read");
    let groups = [group(2, &[(0, b"one")]), group(4, &[(0, b"two")])];
    let written = step.saturating_sub(2).min(2);
    let is_one = |count: usize| found == expected(&groups[..count]);
    assert!((written..=(written + 1).min(2)).any(is_one), "{place}: {step}");
    let manifest = read_manifest(&state).expect("it is whole");
    let manifest: Option<(u32, Section)> =
        manifest.map(|manifest| serde_json::from_slice(&manifest).expect("it was written so"));
    let number = manifest.map_or(0, |(number, _)| number as usize + 1);
    let taken = step.saturating_sub(5);
    assert!((taken..=taken + 1).contains(&number), "{place}: {step}");
    if let Some((number, section)) = manifest {
        check_part(&state, part(number)).expect("it is whole");
        let found = read_sections(&state, &[(part(number), section)]).expect("it is whole");
        assert_eq!(found, [section_of(number)], "{place}");
    }
    // What was not finished is swept away.
    for entry in fs::read_dir(folder).expect("a folder") {
        let name = entry.expect("an entry").file_name();
        assert!(
            ["blob", "format", "journal", "lock", "snapshots"].contains(&&*name.to_string_lossy()),
            "{place}: {name:?}"
        );
    }
}

#[test]
fn what_was_durable_stays_wherever_the_process_dies() {
    if let Some(folder) = children::folder_of_task("program") {
        program(Path::new(&folder)).expect("nothing fails");
        return;
    }
    let test = "points::what_was_durable_stays_wherever_the_process_dies";
    let folder = tempfile::tempdir().expect("a folder");
    let at_point = |point: &str| {
        for count in 1.. {
            let place = format!("{point}=kill:{count}");
            let folder = folder.path().join(format!("{point} {count}"));
            let output = children::run(test, "program", &folder, Some(&place));
            if output.status.success() {
                assert!(count > 1, "{place}: the program comes there");
                break;
            }
            assert_eq!(output.status.signal(), Some(9), "{place}");
            check(&folder, &place);
        }
    };
    // They mostly wait for the disk.
    std::thread::scope(|scope| {
        for point in points::ALL {
            scope.spawn(|| at_point(point));
        }
    });
}

#[test]
fn what_was_durable_stays_whatever_step_fails() {
    if let Some(folder) = children::folder_of_task("failing-program") {
        program(Path::new(&folder)).expect("nothing fails");
        return;
    }
    let test = "points::what_was_durable_stays_whatever_step_fails";
    let folder = tempfile::tempdir().expect("a folder");
    for (number, point) in points::ALL.iter().enumerate() {
        let folder = folder.path().join(number.to_string());
        let output = children::run(test, "failing-program", &folder, Some(&format!("{point}=fail")));
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(
            words.contains(&format!("a test lets '{point}' fail")),
            "{point}: {words}"
        );
        check(&folder, point);
    }
}

#[test]
fn a_point_that_is_none_is_refused() {
    if let Some(folder) = children::folder_of_task("wrong") {
        state(Path::new(&folder)).expect("nothing fails");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for point in [
        "",
        "x",
        "x=kill",
        "put.sync.before",
        "put.sync.before=die",
        "put.sync.before=kill:0",
    ] {
        let output = children::run(
            "points::a_point_that_is_none_is_refused",
            "wrong",
            folder.path(),
            Some(point),
        );
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && words.contains("TOWPATH_FAIL_POINT is '"),
            "{point}: {words}"
        );
    }
}

#[test]
fn a_program_sets_points_itself() {
    let Some(folder) = children::folder_of_task("set") else {
        let folder = tempfile::tempdir().expect("a folder");
        let output = children::run("points::a_program_sets_points_itself", "set", folder.path(), None);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    };
    let state = state(Path::new(&folder)).expect("nothing fails");
    let put = || put_blob(&state, "blob", *b"test", b"content");
    points::set("put.sync.before", points::Action::Fail);
    put().expect_err("it fails once");
    put().expect("it fails once");
    points::set_at("put.sync.before", points::Action::Fail, 2);
    put().expect("it fails the second time");
    put().expect_err("it fails the second time");
    points::set("put.sync.before", points::Action::Fail);
    points::clear();
    put().expect("it is forgotten");
}

#[test]
fn every_point_is_listed_once() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = BTreeSet::new();
    let mut folders = vec![crates];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && path.components().any(|part| part.as_os_str() == "src")
            {
                let text = fs::read_to_string(path).expect("a text");
                // Whether it is used as `points::reach` or as `reach`.
                for call in text.split("points::reach(").skip(1) {
                    let name = call.strip_prefix('"').and_then(|call| call.split('"').next());
                    found.insert(name.expect("the name is written there").to_owned());
                }
            }
        }
    }
    assert_eq!(found.into_iter().collect::<Vec<_>>(), points::ALL);
}
