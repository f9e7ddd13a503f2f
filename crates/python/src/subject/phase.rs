//! Where the rows of a subject go: see [`stage`](super::stage).

/// Where rows go. Guarded by the lock of the buffer.
#[derive(Debug, Default)]
pub(super) struct Stage {
    pub(super) phase: Phase,
    /// How many runs have begun so far: the number of the one under way.
    pub(super) run: u64,
    /// The run was told to stop: the next row unwinds whoever sends it.
    pub(super) is_stopping: bool,
    /// The next row is the first of those that this has to be said of.
    pub(super) is_news: bool,
    /// Rows were handed over since the last commit.
    pub(super) is_uncommitted: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// No run reads the rows.
    #[default]
    Waiting,
    Running,
    /// The source has ended; the run may go on.
    Ended,
    /// Another process reads the source; this one has this number.
    Elsewhere(usize),
}
