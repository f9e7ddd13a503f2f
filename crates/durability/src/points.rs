//! Named points in the course of writing, at which a test can have this process fail, stop or be killed.
//!
//! Nothing happens at a point unless [`set`] or the environment says so, as in
//! `TOWPATH_FAIL_POINT=journal.sync.before=kill:3`: the process is killed when it is there for the third time.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::Mutex;

/// The environment variable that sets a point, as `name=action` or `name=action:count`.
pub const VARIABLE: &str = "TOWPATH_FAIL_POINT";

/// All points, sorted.
pub const ALL: &[&str] = &[
    "journal.append.before",
    "journal.create.before",
    "journal.end.before",
    "journal.header.after",
    "journal.header.before",
    "journal.rotate.before",
    "journal.sync.after",
    "journal.sync.before",
    "put.folder.before",
    "put.rename.before",
    "put.sync.before",
    "put.write.before",
    "snapshot.create.before",
    "snapshot.delete.before",
    "snapshot.manifest.after",
    "snapshot.manifest.before",
    "snapshot.sync.before",
    "snapshot.write.before",
    "state.begin.before",
];

/// What happens at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The step fails.
    Fail,
    /// The process is killed, as by SIGKILL.
    Kill,
    /// The process is stopped, as by SIGSTOP; it goes on with SIGCONT.
    Stop,
}

struct Point {
    name: String,
    action: Action,
    /// At which time that the process is there, from 1 for the next.
    count: u64,
}

/// The environment has not been looked at.
const UNKNOWN: u8 = 0;
const NONE: u8 = 1;
const SOME: u8 = 2;

static STATE: AtomicU8 = AtomicU8::new(UNKNOWN);
static POINT: Mutex<Option<Point>> = Mutex::new(None);

/// Says that the process is at a point.
///
/// # Errors
/// If it is to fail there.
#[inline]
pub fn reach(name: &str) -> io::Result<()> {
    if STATE.load(Ordering::Relaxed) == NONE {
        return Ok(());
    }
    reach_set(name)
}

#[cold]
fn reach_set(name: &str) -> io::Result<()> {
    let mut point = POINT.lock();
    if STATE.load(Ordering::Relaxed) == UNKNOWN {
        *point = match std::env::var_os(VARIABLE) {
            None => None,
            Some(text) => Some(parse(&text.to_string_lossy())?),
        };
        STATE.store(if point.is_some() { SOME } else { NONE }, Ordering::Relaxed);
    }
    let Some(set) = point.as_mut().filter(|set| set.name == name) else {
        return Ok(());
    };
    set.count -= 1;
    if set.count > 0 {
        return Ok(());
    }
    let action = set.action;
    *point = None;
    STATE.store(NONE, Ordering::Relaxed);
    drop(point);
    let signal = match action {
        Action::Fail => return Err(io::Error::other(format!("a test lets '{name}' fail"))),
        Action::Kill => rustix::process::Signal::KILL,
        Action::Stop => rustix::process::Signal::STOP,
    };
    rustix::process::kill_process(rustix::process::getpid(), signal)?;
    Ok(())
}

fn parse(text: &str) -> io::Result<Point> {
    let point = || {
        let (name, action) = text.split_once('=')?;
        let (action, count) = match action.split_once(':') {
            Some((action, count)) => (action, count.parse().ok().filter(|count| *count > 0)?),
            None => (action, 1),
        };
        let action = match action {
            "fail" => Action::Fail,
            "kill" => Action::Kill,
            "stop" => Action::Stop,
            _ => return None,
        };
        ALL.contains(&name).then(|| Point {
            name: name.to_owned(),
            action,
            count,
        })
    };
    point().ok_or_else(|| {
        let reason = format!(
            "{VARIABLE} is '{text}', not name=fail, name=kill or name=stop with one of these names: {}",
            ALL.join(", ")
        );
        io::Error::new(io::ErrorKind::InvalidInput, reason)
    })
}

/// Has something happen when this process is at a point the next time; what was set before is forgotten.
pub fn set(name: &str, action: Action) {
    set_at(name, action, 1);
}

/// Has something happen when this process is at a point for the given time, from 1 for the next.
pub fn set_at(name: &str, action: Action, count: u64) {
    assert!(ALL.contains(&name), "there is no point '{name}'");
    assert!(count > 0, "times are counted from 1");
    let mut point = POINT.lock();
    *point = Some(Point {
        name: name.to_owned(),
        action,
        count,
    });
    STATE.store(SOME, Ordering::Relaxed);
}

/// Forgets what was set.
pub fn clear() {
    let mut point = POINT.lock();
    *point = None;
    STATE.store(NONE, Ordering::Relaxed);
}
