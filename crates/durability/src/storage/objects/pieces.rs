//! Blobs that are added to, as objects that cannot be: each is a *head*, which says that it is there, and numbered
//! *pieces*.
//!
//! ```text
//! journal/a.journal.pieces/0000000000              the head
//! journal/a.journal.pieces/0000000001-0000000256   pieces that were merged
//! journal/a.journal.pieces/0000000257              a piece
//! ```
//!
//! An object is only made, never replaced, so a piece is there as it was written or not at all. Pieces are merged when
//! there are many, so that a long journal is not a million of objects: the merged one is made first, then those that it
//! holds are deleted. Whatever a crash leaves of this, the numbers tell.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use crate::advice::Advised;
use crate::storage::Entry;

/// How the name of a blob goes on in those of its pieces.
const PIECES: &str = ".pieces/";

/// The number of the head; those of pieces follow.
pub(super) const HEAD: u64 = 0;

/// Whether a name is one that is used here for other things than blobs.
pub(super) fn is_ours_alone(name: &str) -> bool {
    name.contains(PIECES)
}

/// The folder in which the pieces of a blob are.
pub(super) fn folder(name: &str) -> String {
    format!("{name}{}", PIECES.trim_end_matches('/'))
}

/// The name of an object that holds pieces.
pub(super) fn name_of(blob: &str, first: u64, last: u64) -> String {
    if first == last {
        return format!("{blob}{PIECES}{first:010}");
    }
    format!("{blob}{PIECES}{first:010}-{last:010}")
}

/// An object that holds pieces of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Piece {
    pub(super) first: u64,
    /// The largest first, as it holds the others.
    last: Reverse<u64>,
    pub(super) bytes: u64,
}

impl Piece {
    pub(super) fn last(&self) -> u64 {
        self.last.0
    }

    pub(super) fn name(&self, blob: &str) -> String {
        name_of(blob, self.first, self.last())
    }
}

/// The name of the blob and the piece that an object is, if it is one.
fn parse(name: &str, bytes: u64) -> Option<(&str, Piece)> {
    let (blob, numbers) = name.split_once(PIECES)?;
    let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
    let number = |text: &str| {
        text.parse()
            .ok()
            .filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let piece = Piece {
        first: number(first)?,
        last: Reverse(number(last)?),
        bytes,
    };
    (piece.name(blob) == name).then_some((blob, piece))
}

/// The objects of a blob that was added to, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pieces {
    pieces: Vec<Piece>,
}

impl Pieces {
    pub(super) fn bytes(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.bytes).sum()
    }

    /// Which part of which pieces makes up a range.
    pub(super) fn within(&self, range: &Range<u64>) -> Vec<(Piece, Range<u64>)> {
        let mut start = 0;
        let mut parts = Vec::new();
        for piece in &self.pieces {
            let from = range.start.clamp(start, start + piece.bytes) - start;
            let to = range.end.clamp(start, start + piece.bytes) - start;
            if from < to {
                parts.push((*piece, from..to));
            }
            start += piece.bytes;
        }
        parts
    }
}

/// What objects there are, by blob.
#[derive(Debug, Default)]
pub(super) struct Found {
    whole: BTreeMap<String, u64>,
    in_pieces: BTreeMap<String, Vec<Piece>>,
}

impl Found {
    /// Adds an object.
    pub(super) fn add(&mut self, name: &str, bytes: u64) {
        match parse(name, bytes) {
            Some((blob, piece)) => self.in_pieces.entry(blob.to_owned()).or_default().push(piece),
            None => {
                self.whole.insert(name.to_owned(), bytes);
            }
        }
    }

    /// The blobs that are added to. What is left of one that was deleted has no head, and is none.
    ///
    /// # Errors
    /// If a piece is missing.
    pub(super) fn in_pieces(&self) -> io::Result<BTreeMap<String, Pieces>> {
        let mut blobs = BTreeMap::new();
        for (name, found) in &self.in_pieces {
            // A blob that was put hides it.
            if self.whole.contains_key(name) {
                continue;
            }
            let (used, _) = chosen(found);
            if used.first().is_none_or(|piece| piece.first != HEAD) {
                continue;
            }
            let mut next = HEAD;
            for piece in &used {
                if piece.first != next {
                    let name = name_of(name, next, next);
                    return Err(Advised::missing(format!(
                        "'{name}' is missing, and there are later ones"
                    )));
                }
                next = piece.last() + 1;
            }
            let pieces = used[1..].to_vec();
            blobs.insert(name.clone(), Pieces { pieces });
        }
        Ok(blobs)
    }

    /// All blobs.
    ///
    /// # Errors
    /// If a piece is missing.
    pub(super) fn entries(&self) -> io::Result<Vec<Entry>> {
        let whole = self.whole.iter().map(|(name, bytes)| Entry {
            name: name.clone(),
            bytes: *bytes,
        });
        let in_pieces = self.in_pieces()?;
        let in_pieces = in_pieces.iter().map(|(name, pieces)| Entry {
            name: name.clone(),
            bytes: pieces.bytes(),
        });
        let mut entries: Vec<Entry> = whole.chain(in_pieces).collect();
        entries.sort_unstable();
        Ok(entries)
    }

    /// Whether a blob in pieces is there.
    pub(super) fn has_head(&self, name: &str) -> bool {
        let found = self.in_pieces.get(name);
        found.is_some_and(|found| found.iter().any(|piece| piece.first == HEAD))
    }

    /// All objects that hold pieces of a blob.
    pub(super) fn objects_of(&self, name: &str) -> Vec<String> {
        let found = self.in_pieces.get(name);
        found.into_iter().flatten().map(|piece| piece.name(name)).collect()
    }

    /// The objects that are of no use: what is left of blobs that were deleted, and pieces that were merged.
    pub(super) fn left_over(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (name, found) in &self.in_pieces {
            let (used, held) = chosen(found);
            let has_head = used.first().is_some_and(|piece| piece.first == HEAD);
            let is_hidden = self.whole.contains_key(name);
            let unused = if has_head && !is_hidden { held } else { found.clone() };
            names.extend(unused.iter().map(|piece| piece.name(name)));
        }
        names
    }
}

/// Those that make up the blob, and those that others hold.
fn chosen(found: &[Piece]) -> (Vec<Piece>, Vec<Piece>) {
    let mut sorted = found.to_vec();
    sorted.sort_unstable();
    let mut last: Option<u64> = None;
    sorted.into_iter().partition(|piece| {
        let is_used = last.is_none_or(|last| piece.first > last);
        if is_used {
            last = Some(piece.last());
        }
        is_used
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &[&str]) -> Found {
        let mut found = Found::default();
        for (name, bytes) in names.iter().zip(1..) {
            found.add(name, bytes);
        }
        found
    }

    #[test]
    fn the_largest_piece_is_taken_and_what_it_holds_is_left_over() {
        let found = found(&[
            "a.pieces/0000000000",
            "a.pieces/0000000001",
            "a.pieces/0000000001-0000000003",
            "a.pieces/0000000003",
            "a.pieces/0000000004",
            "b",
            "b.pieces/0000000000",
            "c.pieces/0000000001",
        ]);
        let entry = |name: &str, bytes| Entry {
            name: name.to_owned(),
            bytes,
        };
        assert_eq!(
            found.entries().expect("none is missing"),
            [entry("a", 8), entry("b", 6)]
        );
        let pieces = &found.in_pieces().expect("none is missing")["a"];
        let parts: Vec<_> = pieces
            .within(&(2..20))
            .into_iter()
            .map(|(piece, part)| (piece.first, part))
            .collect();
        assert_eq!(parts, [(1, 2..3), (4, 0..5)]);
        assert_eq!(
            found.left_over(),
            [
                "a.pieces/0000000001",
                "a.pieces/0000000003",
                "b.pieces/0000000000",
                "c.pieces/0000000001"
            ]
        );
    }

    #[test]
    fn a_piece_that_is_missing_is_named() {
        let found = found(&["a.pieces/0000000000", "a.pieces/0000000001", "a.pieces/0000000003"]);
        let error = found.entries().expect_err("one is missing");
        assert!(
            error.to_string().contains("'a.pieces/0000000002' is missing"),
            "{error}"
        );
    }

    #[test]
    fn other_names_are_blobs() {
        for name in [
            "a.pieces/1",
            "a.pieces/0000000001-0000000001",
            "a.pieces/+000000001",
            "a.pieces/x",
        ] {
            assert_eq!(found(&[name]).entries().expect("none is missing")[0].name, name);
        }
    }
}
