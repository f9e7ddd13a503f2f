//! What something is made of, in words: operators, sources and functions of the user's fill a [`Description`] themselves.
//!
//! What nobody reads is left out, and nothing depends on addresses, on the order of a hash map, or on the folder in which
//! the program is. What becomes of it is in `fingerprint`.

use std::fmt::{self, Write as _};

use towpath_cluster::{Declared, Setting};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::error::Origin;

/// What something is made of, in the words of the program.
#[derive(Debug, Default)]
pub struct Description {
    pub(crate) what: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) settings: Vec<Setting>,
    hints: Vec<Setting>,
    place: Option<String>,
}

/// Longer texts are cut, with a hash of all for what follows.
const LONGEST: usize = 1000;

impl Description {
    /// A setting, which has to be the same in all processes.
    pub fn set(&mut self, label: &str, value: impl fmt::Display) {
        self.settings.push(setting(label, value.to_string()));
    }

    /// Something that makes a difference, and may have its reasons to be another in another process.
    pub fn hint(&mut self, label: &str, value: impl fmt::Display) {
        self.hints.push(setting(label, value.to_string()));
    }

    /// The name by which it is known, also when its settings are others.
    pub fn known_as(&mut self, name: &str) {
        self.name = Some(name.to_owned());
    }

    /// What it is called in messages about it, where its label says too much.
    pub fn called(&mut self, what: impl Into<String>) {
        self.what = Some(what.into());
    }

    /// Where it was written.
    pub fn at(&mut self, file: &str, line: u32) {
        self.place = Some(format!("{file}:{line}"));
    }

    /// The name by which it is known, if it has one.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(crate) fn exactly(&mut self, label: &str, said: &Said) {
        self.settings.push(Setting {
            label: label.to_owned(),
            text: said.text.clone(),
            digest: said.digest as u64,
        });
    }

    pub(crate) fn declared(self, what: String, origin: Option<&Origin>) -> Declared {
        Declared {
            what,
            place: self.place.or_else(|| origin.map(Origin::to_string)),
            settings: self.settings,
            hints: self.hints,
        }
    }
}

pub(crate) fn setting(label: &str, text: String) -> Setting {
    let digest = xxh3_64(text.as_bytes());
    Setting {
        label: label.to_owned(),
        text: cut(text),
        digest,
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}… [{:08x}]", &text[..end], xxh3_64(text.as_bytes()) as u32),
        None => text,
    }
}

/// A text, and what is equal exactly for what means the same.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) digest: u128,
}

impl Said {
    /// A text that is put together from others; `exactly` is what it means.
    pub(crate) fn new(text: String, exactly: &[u8]) -> Self {
        Self {
            text: cut(text),
            digest: xxh3_128(exactly),
        }
    }
}

/// A list as text.
pub fn listed<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let mut text = String::new();
    for item in items {
        let separator = if text.is_empty() { "" } else { ", " };
        // Writing to a string never fails.
        let _ = write!(text, "{separator}{item}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_told_apart_by_their_ends() {
        let long = "é".repeat(2 * LONGEST);
        let mut description = Description::default();
        description.set("", format_args!("{long}a"));
        description.set("", format_args!("{long}b"));
        let texts: Vec<&str> = description.settings.iter().map(|setting| &*setting.text).collect();
        assert_ne!(texts[0], texts[1]);
        assert!(texts[0].chars().count() < LONGEST + 20);
    }
}
