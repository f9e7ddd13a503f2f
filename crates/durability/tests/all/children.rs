//! Processes of their own, which can be killed: this program again, with the name of one test.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// Says what a child is to do.
const TASK: &str = "TOWPATH_TEST_TASK";

/// The folder of this child, if this process is one that has this task.
pub(crate) fn folder_of_task(task: &str) -> Option<String> {
    let text = std::env::var(TASK).ok()?;
    let (found, folder) = text.split_once(' ')?;
    (found == task).then(|| folder.to_owned())
}

/// A process that runs a test which begins with its task.
fn command(test: &str, task: &str, folder: &Path, point: Option<&str>) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    command.env(TASK, format!("{task} {}", folder.display()));
    command.env_remove(towpath_durability::points::VARIABLE);
    command.envs(point.map(|point| (towpath_durability::points::VARIABLE, point)));
    command.stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn run(test: &str, task: &str, folder: &Path, point: Option<&str>) -> Output {
    command(test, task, folder, point).output().expect("it runs")
}

/// Starts it.
pub(crate) fn start(test: &str, task: &str, folder: &Path, point: Option<&str>) -> Child {
    let mut command = command(test, task, folder, point);
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts")
}
