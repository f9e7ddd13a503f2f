//! What a program has declared, as text: so that processes can make sure that they run the same, and say what differs.

use serde::{Deserialize, Serialize};

/// Something that a program has declared, such as a filter, a source or a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// What it is: `filter`.
    pub what: String,
    /// Where the program says so: `file:line`.
    pub place: Option<String>,
    /// What has to be the same in all processes.
    pub settings: Vec<Setting>,
    /// What should be the same, and may have its reasons not to be.
    pub hints: Vec<Setting>,
}

/// One thing that is said of what was declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// What it is called; nothing where `what` says it all.
    pub label: String,
    /// The value, for people; long ones are cut.
    pub text: String,
    /// Equal exactly for equal values.
    pub digest: u64,
}

/// How much of two texts is shown.
const SHOWN: usize = 300;

const ADVICE: &str = "All processes must run the same program with the same settings: look for an argument, an \
                      environment variable, a file, the time or a random number that is not the same for all";

impl Declared {
    fn shown(&self) -> String {
        format!("{}{}", self.what, at(self))
    }
}

fn at(declared: &Declared) -> String {
    declared
        .place
        .as_ref()
        .map_or_else(String::new, |place| format!(" at {place}"))
}

/// What differs first between what this process has declared and what process `other` has.
pub(crate) fn difference(ours: &[Declared], theirs: &[Declared], other: usize) -> Option<String> {
    let message = first_difference_of(ours, theirs, &format!("in process {other}"))?;
    Some(format!("the programs differ. {message}. {ADVICE}"))
}

/// What differs first between what this process has declared and what was declared elsewhere, such as `in process 1`.
pub fn first_difference_of(ours: &[Declared], theirs: &[Declared], there: &str) -> Option<String> {
    for position in 0..ours.len().max(theirs.len()) {
        let message = match (ours.get(position), theirs.get(position)) {
            (Some(ours), Some(theirs)) if ours.what != theirs.what => {
                format!("{} here, {} {there}", ours.shown(), theirs.shown())
            }
            (Some(ours), Some(theirs)) => match first_difference(ours, theirs, there, &ours.settings, &theirs.settings)
            {
                Some(message) => message,
                None => continue,
            },
            (Some(ours), None) => format!("{} here, nothing more {there}", ours.shown()),
            (None, Some(theirs)) => format!("nothing more here, {} {there}", theirs.shown()),
            (None, None) => continue,
        };
        return Some(message);
    }
    None
}

/// What differs and may, where all that must be the same is.
pub(crate) fn doubts(ours: &[Declared], theirs: &[Declared], other: usize) -> Vec<String> {
    let there = format!("in process {other}");
    let pairs = ours.iter().zip(theirs);
    pairs
        .filter_map(|(ours, theirs)| first_difference(ours, theirs, &there, &ours.hints, &theirs.hints))
        .collect()
}

fn first_difference(
    ours: &Declared,
    theirs: &Declared,
    there: &str,
    our_settings: &[Setting],
    their_settings: &[Setting],
) -> Option<String> {
    for position in 0..our_settings.len().max(their_settings.len()) {
        let (our, their) = (our_settings.get(position), their_settings.get(position));
        if let (Some(our), Some(their)) = (our, their)
            && our.label == their.label
            && our.digest == their.digest
        {
            continue;
        }
        let label = our.or(their).map_or("", |setting| &setting.label);
        let what = if label.is_empty() {
            ours.what.clone()
        } else {
            format!("{}, {label}", ours.what)
        };
        let text = |setting: Option<&Setting>| {
            setting
                .filter(|setting| setting.label == label)
                .map_or("nothing", |setting| &setting.text)
                .to_owned()
        };
        let (our, their) = (text(our), text(their));
        let (a, b) = parts_that_differ(&our, &their);
        let mut message = format!("{what}: {a} here, {b} {there}");
        if a == b {
            message = format!("{what}: {our} here, and what looks the same {there} is something else");
        }
        let whole = |text: &str, part: &str, declared: &Declared| match (text == part, at(declared)) {
            (true, place) => place,
            (false, place) => format!(" {}{place}", shortened(text)),
        };
        let (here, there) = (whole(&our, &a, ours), whole(&their, &b, theirs));
        if !here.is_empty() || !there.is_empty() {
            message = format!("{message}; here it is{here}, there{there}");
        }
        return Some(message);
    }
    None
}

/// The words in which two texts differ, without what they begin and end with alike.
fn parts_that_differ(ours: &str, theirs: &str) -> (String, String) {
    let (a, b) = (words(ours), words(theirs));
    let begin = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let most = a.len().min(b.len()) - begin;
    let ends = a.iter().rev().zip(b.iter().rev()).take(most);
    let end = ends.take_while(|(a, b)| a == b).count();
    let part = |words: &[&str]| {
        let part = words[begin..words.len() - end].concat();
        let part = shortened(part.trim());
        if part.is_empty() { "nothing".to_owned() } else { part }
    };
    (part(&a), part(&b))
}

/// A text in words, numbers, and what is between them.
fn words(text: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let len = if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        words.push(&rest[..len]);
        rest = &rest[len..];
    }
    words
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(label: &str, text: &str) -> Setting {
        let digest = text
            .bytes()
            .fold(7, |sum: u64, byte| sum.wrapping_mul(31) + u64::from(byte));
        Setting {
            label: label.to_owned(),
            text: text.to_owned(),
            digest,
        }
    }

    fn declared(what: &str, place: &str, settings: &[(&str, &str)]) -> Declared {
        Declared {
            what: what.to_owned(),
            place: Some(place.to_owned()),
            settings: settings.iter().map(|(label, text)| setting(label, text)).collect(),
            hints: Vec::new(),
        }
    }

    #[test]
    fn what_differs_is_named() {
        for (ours, theirs, expected) in [
            (
                declared("filter", "a.py:3", &[("", "(x > 5)")]),
                declared("filter", "b.py:4", &[("", "(x > 7)")]),
                "filter: 5 here, 7 in process 1; here it is (x > 5) at a.py:3, there (x > 7) at b.py:4",
            ),
            (
                declared("csv.write", "a.py:3", &[("delimiter", ","), ("path", "same")]),
                declared("csv.write", "a.py:3", &[("delimiter", ";"), ("path", "same")]),
                "csv.write, delimiter: , here, ; in process 1; here it is at a.py:3, there at a.py:3",
            ),
            (
                declared("filter", "a.py:3", &[]),
                declared("reduce", "a.py:3", &[]),
                "filter at a.py:3 here, reduce at a.py:3 in process 1",
            ),
            (
                declared("f", "a.py:3", &[("names", "a, b")]),
                declared("f", "a.py:3", &[("names", "a")]),
                "f, names: , b here, nothing in process 1; here it is a, b at a.py:3, there a at a.py:3",
            ),
            (
                declared("f", "a.py:3", &[("a", "1")]),
                declared("f", "a.py:3", &[]),
                "f, a: 1 here, nothing in process 1; here it is at a.py:3, there at a.py:3",
            ),
        ] {
            assert_eq!(
                difference(std::slice::from_ref(&ours), std::slice::from_ref(&ours), 1),
                None
            );
            let message = difference(&[ours], &[theirs], 1).expect("they differ");
            assert_eq!(message, format!("the programs differ. {expected}. {ADVICE}"));
        }
    }

    #[test]
    fn what_one_has_more_is_named() {
        let one = declared("filter", "a.py:3", &[]);
        let more = difference(std::slice::from_ref(&one), &[], 2).expect("they differ");
        assert!(
            more.contains("filter at a.py:3 here, nothing more in process 2"),
            "{more}"
        );
        let less = difference(&[], &[one], 2).expect("they differ");
        assert!(
            less.contains("nothing more here, filter at a.py:3 in process 2"),
            "{less}"
        );
    }

    #[test]
    fn long_texts_are_shortened_around_what_differs() {
        let long = "é ".repeat(10_000);
        let (a, b) = parts_that_differ(&format!("{long}1 {long}"), &format!("{long}2 {long}"));
        assert_eq!((&*a, &*b), ("1", "2"));
        let (a, _) = parts_that_differ(&long, "");
        assert_eq!(a.chars().count(), SHOWN + 1);
    }
}
