//! How many documents of a split match a request.

use crate::filter::Fingerprint;

/// How many wordings of requests that match the same are remembered.
const MAX_WORDINGS: usize = 8;

/// What searches counted in one version of a split.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Matches {
    /// How many documents match.
    pub(crate) count: u64,
    /// Of the requests that were searched for, the latest at the end. Requests that read the same
    /// match the same, but one that names what a schema lacks is an error, though what it reads is
    /// not changed by that; so it has to be the very same.
    wordings: Vec<Fingerprint>,
}

impl Matches {
    /// What was counted for one request.
    pub(crate) fn new(count: u64, wording: Fingerprint) -> Self {
        Self {
            count,
            wordings: vec![wording],
        }
    }

    /// What was read; nothing when it cannot be.
    pub(crate) fn from_parts(count: u64, wordings: Vec<Fingerprint>) -> Option<Self> {
        let fits = (1..=MAX_WORDINGS).contains(&wordings.len());
        fits.then_some(Self { count, wordings })
    }

    pub(crate) fn wordings(&self) -> &[Fingerprint] {
        &self.wordings
    }

    /// Whether a request of this wording was searched for.
    pub(crate) fn is_of(&self, wording: Fingerprint) -> bool {
        self.wordings.contains(&wording)
    }

    /// Adds a request for which as many were counted.
    pub(crate) fn add(&mut self, wording: Fingerprint) {
        if self.is_of(wording) {
            return;
        }
        if self.wordings.len() == MAX_WORDINGS {
            self.wordings.remove(0);
        }
        self.wordings.push(wording);
    }

    /// Bytes it takes in memory beyond itself.
    pub(crate) fn weight(&self) -> usize {
        self.wordings.len() * size_of::<Fingerprint>()
    }
}
