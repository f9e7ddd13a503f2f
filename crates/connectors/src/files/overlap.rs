//! Whether a source reads a file that an output writes.
//!
//! It does if it is the same file, by whatever path or link, or if it is in a folder that is read: there it would be
//! read again. A file that is not there yet counts as if it were.

use std::path::{Path, PathBuf};

use super::listing::{Location, is_same_file};

impl Location {
    /// Whether the file at the path is among those of this location, or would be if there were one.
    pub(crate) fn has(&self, path: &Path) -> bool {
        let there = std::fs::metadata(path).ok();
        if there.as_ref().is_some_and(|metadata| !metadata.is_file()) {
            // A pipe, a terminal or a device gives nothing back of what is written to it.
            return false;
        }
        let resolved = resolved(path);
        if self.takes(&resolved) {
            return true;
        }
        // Only of a file that is there may links lead to it.
        there.is_some_and(|metadata| {
            self.list()
                .found
                .iter()
                .any(|found| is_same_file(&found.metadata, &metadata))
        })
    }

    /// Whether a path without links is one of this location.
    fn takes(&self, resolved: &Path) -> bool {
        let (root, _) = self.root();
        if self.is_pattern() {
            let below = std::fs::canonicalize(&root)
                .ok()
                .and_then(|root| Some(resolved.strip_prefix(root).ok()?.to_owned()));
            return below.is_some_and(|below| self.matches(&joined(&root, &below)));
        }
        let own = self.path();
        if !own.is_dir() {
            return self::resolved(own) == *resolved;
        }
        std::fs::canonicalize(own)
            .is_ok_and(|folder| resolved.starts_with(&folder) && self.is_wanted(resolved, &folder))
    }
}

/// As a pattern has it, which begins without a dot where it is relative to the folder of the process.
fn joined(root: &Path, below: &Path) -> PathBuf {
    if root == Path::new(".") {
        below.to_owned()
    } else {
        root.join(below)
    }
}

/// The path without links and dots; of a file that is not there, its folder's.
fn resolved(path: &Path) -> PathBuf {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let of_folder = || {
        let path = std::path::absolute(path).ok()?;
        Some(real(path.parent()?)?.join(path.file_name()?))
    };
    real(path).or_else(of_folder).unwrap_or_else(|| path.to_owned())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn an_output_is_found_among_what_is_read() {
        let directory = tempfile::tempdir().expect("a folder");
        let at = |name: &str| directory.path().join(name);
        let location = |name: &str| Location::new(at(name).to_string_lossy().into_owned());
        for folder in ["in", "in/sub", "elsewhere"] {
            std::fs::create_dir(at(folder)).expect("a folder");
        }
        for file in ["in/a.csv", "elsewhere/b.csv", "elsewhere/c.csv"] {
            std::fs::write(at(file), "x\n").expect("a file");
        }
        symlink(at("elsewhere/b.csv"), at("in/link.csv")).expect("a link");
        std::fs::hard_link(at("elsewhere/c.csv"), at("in/hard.csv")).expect("a link");
        symlink(at("in"), at("also_in")).expect("a link");
        for (read, written, expected) in [
            ("in/a.csv", "in/a.csv", true),
            ("in/a.csv", "also_in/a.csv", true),
            ("in/a.csv", "in/sub/../a.csv", true),
            ("in/link.csv", "elsewhere/b.csv", true),
            ("in/hard.csv", "elsewhere/c.csv", true),
            ("in/a.csv", "in/new.csv", false),
            ("in/missing.csv", "also_in/missing.csv", true),
            ("in", "in/new.csv", true),
            ("in", "also_in/sub/new.csv", true),
            ("also_in", "in/new.csv", true),
            ("in", "elsewhere/b.csv", true),
            ("in", "elsewhere/c.csv", true),
            ("in", "elsewhere/new.csv", false),
            ("in/*.csv", "in/new.csv", true),
            ("in/*.csv", "in/new.jsonl", false),
            ("in/*.csv", "elsewhere/b.csv", true),
            ("in/**/*.csv", "also_in/sub/new.csv", true),
            ("in/sub", "in/new.csv", false),
        ] {
            assert_eq!(location(read).has(&at(written)), expected, "{read} {written}");
        }
        let only_text = location("in").with_pattern("*.txt").expect("a pattern");
        assert!(!only_text.has(&at("in/new.csv")));
        assert!(only_text.has(&at("in/new.txt")));
        assert!(!location("in").has(Path::new("/dev/null")));
    }
}
