//! Where the streams of sources and the outputs stand: what the next run has to know of them besides what is in the
//! journal.

use serde::{Deserialize, Serialize};
use towpath_types::Time;

use super::record::Committed;
use super::resuming::Rolling;

/// What an output has noted, and up to which time it had delivered everything then.
pub(super) type Note = (Time, Vec<u8>);

/// Where a stream stands after a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    /// The time of the commit.
    pub(super) time: Time,
    /// What is known of the stream, as in the journal.
    committed: Vec<u8>,
    /// The number of the row that is next.
    pub(super) next: u64,
    /// The first rows that it has ever sent, where those of another run should not be the same.
    pub(super) first: Option<Rolling>,
}

impl Standing {
    pub(super) fn new(time: Time, committed: &Committed, next: u64, first: Option<Rolling>) -> Self {
        Self {
            time,
            committed: committed.encode(),
            next,
            first,
        }
    }

    /// What is known of the stream.
    pub(super) fn committed(&self) -> Option<Committed> {
        Committed::decode(&self.committed)
    }
}

/// Where a stream stands now, and where it stood when the run was cut.
#[derive(Debug, Default)]
pub(crate) struct StreamStanding {
    latest: Option<Standing>,
    cut: Option<(Time, Option<Standing>)>,
}

impl StreamStanding {
    /// It stands where a run before has left it.
    pub(super) fn begins(&mut self, standing: Standing) {
        self.latest = Some(standing);
    }

    /// The rows that were kept have been sent again; the row with this number is next.
    pub(super) fn has_recovered(&mut self, next: u64) {
        if let Some(latest) = &mut self.latest {
            latest.next = next;
        }
    }

    /// It commits, at a time after this cut, if there is one.
    pub(super) fn commits(&mut self, cut: Option<Time>, standing: Standing) {
        if let Some(cut) = cut
            && self.cut.as_ref().is_none_or(|(time, _)| *time != cut)
        {
            self.cut = Some((cut, self.latest.take()));
        }
        self.latest = Some(standing);
    }

    /// Where it stood at a cut, after which all streams have come.
    pub(super) fn at(&self, cut: Time) -> Option<Standing> {
        match &self.cut {
            Some((time, standing)) if *time == cut => standing.clone(),
            _ => self.latest.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_stands_at_a_cut_where_it_stood_before_it_went_on() {
        let standing = |time| Standing::new(time, &Committed::default(), time, None);
        let mut stream = StreamStanding::default();
        assert_eq!(stream.at(2), None);
        stream.commits(None, standing(2));
        stream.commits(None, standing(4));
        assert_eq!(stream.at(5), Some(standing(4)));
        // It was asked for, and then made later.
        stream.commits(Some(4), standing(6));
        assert_eq!(stream.at(4), Some(standing(4)));
        stream.commits(Some(6), standing(8));
        stream.commits(Some(6), standing(10));
        assert_eq!(stream.at(6), Some(standing(6)));
        assert_eq!(stream.at(12), Some(standing(10)));
    }
}
