//! What a run keeps of a source, so that another can go on where it has ended.

/// What is kept of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Nothing: it gives the same rows in every run, or the run itself makes them.
    Nothing,
    /// Its rows, and how it goes on in the next run.
    Rows(Resume),
}

/// How a source goes on after what is kept of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// What it sends is new.
    New,
    /// It is told its last position, and goes on behind it.
    Seek,
    /// The same, and what it has sent behind that position it sends again as it was: so the engine may commit before it
    /// gives a position.
    Continue,
    /// It begins anew. What is kept of it is left out, and has to be the same.
    Replay,
    /// It sends all its content again and says when it has, see [`SourceQueue::is_whole`](super::SourceQueue::is_whole).
    /// What is kept and the same is left out; what is not there any more is taken back.
    Compare,
}

/// Where a stream of a source goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resumption {
    /// The position that it gave last.
    pub position: Option<Vec<u8>>,
}
