//! Blobs that are added to: each time what has come becomes a piece, and small pieces are merged.

use std::io;
use std::sync::Arc;

use super::pieces::{self, HEAD};
use super::place::Place;
use crate::storage::Appender;

/// What is added is written at the latest when it is so much.
const PIECE: usize = 8 << 20;

/// So many small pieces are merged into one.
const MERGED: u64 = 256;

/// Adds pieces to a blob.
#[derive(Debug)]
pub(super) struct ObjectAppender {
    place: Arc<Place>,
    name: String,
    /// The number of the next piece.
    next: u64,
    /// What is not written yet.
    buffer: Vec<u8>,
    /// The content of the last pieces, as long as it is small, and the number of the first of them.
    small: Vec<u8>,
    first_small: u64,
    /// Whether a piece may be there or not.
    has_failed: bool,
}

impl Appender for ObjectAppender {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        let mut rest = bytes;
        while self.buffer.len() + rest.len() >= PIECE {
            let (now, later) = rest.split_at(PIECE - self.buffer.len());
            self.buffer.extend_from_slice(now);
            self.write()?;
            rest = later;
        }
        self.buffer.extend_from_slice(rest);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.check()?;
        if self.buffer.is_empty() { Ok(()) } else { self.write() }
    }
}

impl ObjectAppender {
    /// Begins a blob that is not there yet.
    pub(super) fn create(place: &Arc<Place>, name: &str) -> io::Result<Self> {
        let object = place.blob(name)?;
        let mut token = [0; 16];
        getrandom::fill(&mut token).map_err(|error| io::Error::other(error.to_string()))?;
        // Whoever finds this knows whether it was made by them.
        let token = format!("{:032x}", u128::from_le_bytes(token));
        place.known.lock().remove(name);
        place.calls.wait(async {
            let exists = || io::Error::new(io::ErrorKind::AlreadyExists, format!("there is a '{name}'"));
            if place.is_there(&object).await? {
                return Err(exists());
            }
            let head = place.object(&pieces::name_of(name, HEAD, HEAD))?;
            match place.make(&head, token.into()).await {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(exists()),
                made => made,
            }
        })?;
        Ok(Self {
            place: Arc::clone(place),
            name: name.to_owned(),
            next: HEAD + 1,
            buffer: Vec::new(),
            small: Vec::new(),
            first_small: HEAD + 1,
            has_failed: false,
        })
    }

    fn check(&self) -> io::Result<()> {
        if self.has_failed {
            return Err(io::Error::other("it has failed before, and what is there is not known"));
        }
        Ok(())
    }

    /// Makes a piece of the buffer; it is durable when this returns.
    fn write(&mut self) -> io::Result<()> {
        let place = &self.place;
        let bytes = bytes::Bytes::from(std::mem::take(&mut self.buffer));
        let object = place.object(&pieces::name_of(&self.name, self.next, self.next))?;
        place.known.lock().remove(&self.name);
        place
            .calls
            .wait(place.make(&object, bytes.clone()))
            .inspect_err(|_| self.has_failed = true)?;
        self.next += 1;
        if self.small.len() + bytes.len() > PIECE {
            self.small = Vec::new();
            self.first_small = self.next;
        } else {
            self.small.extend_from_slice(&bytes);
            if self.next - self.first_small == MERGED {
                self.merge();
            }
        }
        Ok(())
    }

    /// Makes one object of the last pieces, while others are added.
    fn merge(&mut self) {
        let (first, last) = (self.first_small, self.next - 1);
        self.first_small = self.next;
        let bytes = bytes::Bytes::from(std::mem::take(&mut self.small));
        let (place, name) = (Arc::clone(&self.place), self.name.clone());
        self.place.calls.do_aside(move || {
            let merged = place.calls.wait(async {
                let object = place.object(&pieces::name_of(&name, first, last))?;
                place.make(&object, bytes).await?;
                let held = (first..=last).map(|number| pieces::name_of(&name, number, number));
                place.remove_all(held.collect()).await
            });
            // Nothing is lost by it: there are more objects to read.
            if let Err(error) = merged {
                tracing::debug!("pieces of '{name}' were not merged: {error}");
            }
        });
    }
}
