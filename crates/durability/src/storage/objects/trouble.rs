//! What stores say of their failures, in words for who runs the program.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use object_store::Error;

use crate::advice::Advised;

/// How much of what a store says is shown.
const SHOWN: usize = 400;

/// Codes of stores for a place that is not there.
const NO_PLACE: &[&str] = &["NoSuchBucket", "ContainerNotFound"];

/// Whether a failure may be over when the request is made again.
pub(super) fn is_passing(error: &Error) -> bool {
    let Error::Generic { .. } = error else {
        return matches!(error, Error::JoinError { .. });
    };
    let text = error.to_string();
    let Some((_, status)) = text.split_once("status code: ") else {
        return true;
    };
    // Too slow or too much at a time; all else that the client did wrong stays wrong.
    status.starts_with(['5', '1']) || status.starts_with("408") || status.starts_with("429")
}

/// What a failure says: the code and message of the server if there are some, or else what has caused it.
pub(super) fn text(error: &Error) -> String {
    let said = error.to_string();
    if let (Some(code), message) = (element(&said, "Code"), element(&said, "Message")) {
        return match message {
            Some(message) => format!("{code}: {}", message.lines().next().unwrap_or(message)),
            None => code.to_owned(),
        };
    }
    let mut text = words(&said);
    let mut cause = error.source();
    let mut last = None;
    while let Some(found) = cause {
        last = Some(words(&found.to_string()));
        cause = found.source();
    }
    if let Some(last) = last.filter(|last| !text.contains(last.as_str())) {
        text = format!("{text}: {last}");
    }
    text
}

/// On one line, and not too long.
fn words(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The content of an element of XML.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (content, _) = rest.split_once(&format!("</{name}>"))?;
    Some(content.trim()).filter(|content| !content.is_empty())
}

/// A failure that stays.
pub(super) fn of(error: &Error) -> io::Error {
    let said = text(error);
    match error {
        Error::NotFound { .. } if NO_PLACE.iter().any(|code| said.contains(code)) => no_place(&said),
        Error::NotFound { .. } => io::Error::new(io::ErrorKind::NotFound, said),
        Error::AlreadyExists { .. } => io::Error::new(io::ErrorKind::AlreadyExists, said),
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => Advised::io(
            io::ErrorKind::PermissionDenied,
            format!("the server refuses the credentials: {said}"),
            "see to it that they are right, and may list, read, write and delete objects there",
        ),
        _ => io::Error::other(said),
    }
}

/// The bucket is not there.
pub(super) fn no_place(said: &str) -> io::Error {
    Advised::io(
        io::ErrorKind::Other,
        format!("there is no such bucket: {said}"),
        "make it, or name another one",
    )
}

/// It has failed too often.
pub(super) fn given_up(attempts: u32, time: Duration, failure: &str) -> io::Error {
    let times = if attempts == 1 {
        "once"
    } else {
        &format!("{attempts} times")
    };
    Advised::io(
        io::ErrorKind::TimedOut,
        format!(
            "it was asked {times} in {:.0} s without success: {failure}",
            time.as_secs_f64().ceil()
        ),
        "see to it that the storage can be reached, and start again",
    )
}
