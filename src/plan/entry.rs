//! What is remembered of a request in a split: its plan, and how it came about.

use std::ops::Range;
use std::sync::Arc;

use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::matches::Matches;
use super::store::codec;
use crate::error::Result;
use crate::filter::Fingerprint;
use crate::store::ObjectVersion;

/// What a request reads in one version of one split, in bytes of the split object. Exact for the
/// life of the split, because splits never change.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SplitPlan {
    /// From the start of the bundle metadata to the end of the object.
    pub(crate) footer: Range<u64>,
    /// What opening reads beside the footer; normalised, as all that follow.
    pub(crate) open: Vec<Range<u64>>,
    /// What searching reads.
    pub(crate) search: Vec<Range<u64>>,
    /// What the hits of requests bring: those that were asked for last, the latest at the end.
    pub(crate) documents: Vec<DocumentPlan>,
    /// By segment: whether it is proven to hold no match.
    pub(crate) hopeless: Vec<bool>,
}

impl SplitPlan {
    /// From the start of the bundle metadata to the end of the object.
    pub fn footer(&self) -> Range<u64> {
        self.footer.clone()
    }

    /// Whether its ranges can be those of a split of `size` bytes: inside it, and in order.
    pub(crate) fn is_sound(&self, size: u64) -> bool {
        let fits = |range: &Range<u64>| range.start < range.end && range.end <= size;
        let documents = self.documents.iter().map(|plan| &plan.ranges);
        let lists = [&self.open, &self.search].into_iter().chain(documents);
        let mut lists = lists.map(|list| {
            list.iter().all(fits) && list.windows(2).all(|pair| pair[0].end < pair[1].start)
        });
        fits(&self.footer) && self.footer.end == size && lists.all(|sound| sound)
    }

    /// All that a warmup of `request` fetches.
    pub(crate) fn ranges(&self, request: Option<Fingerprint>, is_open: bool) -> Vec<Range<u64>> {
        let mut ranges = self.search.clone();
        ranges.extend_from_slice(self.documents_of(request));
        if !is_open {
            ranges.extend_from_slice(&self.open);
            ranges.push(self.footer());
        }
        ranges
    }

    /// What the hits of `request` bring, as far as that is known.
    pub(crate) fn documents_of(&self, request: Option<Fingerprint>) -> &[Range<u64>] {
        let of = |plan: &&DocumentPlan| Some(plan.request) == request;
        let found = self.documents.iter().find(of);
        found.map_or(&[], |plan| &plan.ranges)
    }

    /// Whether no segment holds a match.
    pub(crate) fn is_hopeless(&self) -> bool {
        !self.hopeless.is_empty() && self.hopeless.iter().all(|it| *it)
    }

    /// What searching reads, sorted, touching ranges joined.
    pub fn search(&self) -> &[Range<u64>] {
        &self.search
    }

    /// Bytes it takes in memory beyond itself.
    fn weight(&self) -> usize {
        let documents = self.documents.iter().map(|one| one.ranges.len() + 3);
        let ranges = self.open.len() + self.search.len() + documents.sum::<usize>();
        self.hopeless.len() + ranges * size_of::<Range<u64>>()
    }
}

/// The stored documents and columns that the hits of one request bring.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct DocumentPlan {
    /// Of the whole request: requests that read the same while searching may bring other hits.
    pub(crate) request: Fingerprint,
    pub(crate) ranges: Vec<Range<u64>>,
}

/// How the plan of a row came about.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PlanSource {
    /// Recorded by a warmup and its search.
    Recorded,
    /// Replayed, found incomplete, and completed.
    Healed,
}

/// What is known of one request in one version of a split: a row of a plan store. It has a plan, or
/// how many documents match, or both.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PlanEntry {
    /// Path of the split in its store.
    pub(crate) split: Path,
    /// The version of the object that all of it is true of.
    pub(crate) version: ObjectVersion,
    /// Fingerprint of the request.
    pub(crate) fingerprint: Fingerprint,
    /// The canonical form that the fingerprint is of, and the settings that decide what is read:
    /// compared in full when the row is used.
    pub(crate) canonical: String,
    /// The ranges, where they are known and not too many.
    pub(crate) plan: Option<Arc<SplitPlan>>,
    /// How many documents match, where that was counted.
    pub(crate) matches: Option<Matches>,
    /// Seconds since 1970.
    pub(crate) created: u64,
    /// Seconds since 1970.
    pub(crate) last_used: u64,
    /// How the plan came about.
    pub(crate) source: PlanSource,
}

impl PlanEntry {
    /// Path of the split in its store.
    pub fn split(&self) -> &Path {
        &self.split
    }

    /// Fingerprint of the request.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The canonical form that the fingerprint is of, and the settings that decide what is read.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The ranges that are read, where they are known. Without them, warming finds them out again.
    pub fn plan(&self) -> Option<&SplitPlan> {
        self.plan.as_deref()
    }

    /// How many documents of the split match, where that is
    /// [remembered](crate::ResultSettings): 0 is the verdict that none does.
    pub fn matches(&self) -> Option<u64> {
        self.matches.as_ref().map(|matches| matches.count)
    }

    /// When the row was first recorded, in seconds since 1970.
    pub fn created(&self) -> u64 {
        self.created
    }

    /// When it was last of use, or recorded, in seconds since 1970.
    pub fn last_used(&self) -> u64 {
        self.last_used
    }

    /// How the plan came about.
    pub fn source(&self) -> PlanSource {
        self.source
    }

    /// The row as bytes, versioned and with a checksum: for plan stores that are tables, whose key
    /// is [`split`](Self::split) and [`fingerprint`](Self::fingerprint).
    ///
    /// # Errors
    ///
    /// `LimitExceeded` when it has more ranges than are kept (262,144 in one list), or its object
    /// has no version to know it by.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        codec::encode_plan(self)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    ///
    /// `Corrupt` when the bytes are not that, `Unsupported` when another version of forewarm or
    /// tantivy wrote them. Either row is to be passed over.
    ///
    /// ```
    /// use forewarm::{ErrorKind, PlanEntry};
    ///
    /// let error = PlanEntry::from_bytes(b"something else").unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Corrupt);
    /// ```
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        codec::decode_plan(bytes)
    }

    /// By what the later of two rows with one key is told.
    pub(crate) fn age(&self) -> (u64, u64) {
        (self.last_used, self.created)
    }

    /// Whether it says anything, and nothing that cannot be.
    pub(crate) fn is_sound(&self) -> bool {
        let is_hopeless = self.plan().is_some_and(SplitPlan::is_hopeless);
        match (self.plan(), self.matches()) {
            (None, None) => false,
            (_, Some(1..)) if is_hopeless => false,
            (plan, _) => plan.is_none_or(|plan| plan.is_sound(self.version.size)),
        }
    }

    /// Whether both are of the same request in the same version of the split.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        self.split == other.split
            && self.version == other.version
            && self.canonical == other.canonical
    }

    /// The row with what it lacks and `other` has.
    pub(crate) fn completed(mut self: Arc<Self>, other: &Self) -> Arc<Self> {
        let lacks_plan = self.plan.is_none() && other.plan.is_some();
        let lacks_matches = self.matches.is_none() && other.matches.is_some();
        if (lacks_plan || lacks_matches) && self.is_beside(other) {
            let row = Arc::make_mut(&mut self);
            if lacks_plan {
                row.plan.clone_from(&other.plan);
                row.source = other.source;
            }
            if lacks_matches {
                row.matches.clone_from(&other.matches);
            }
        }
        self
    }

    /// Bytes it takes in memory, bookkeeping included.
    pub(crate) fn weight(&self) -> usize {
        /// The entry itself, and that of the map that holds it.
        const OVERHEAD: usize = 512;
        let texts = self.split.as_ref().len() + self.version.weight() + self.canonical.len();
        let plan = self.plan().map_or(0, SplitPlan::weight);
        let matches = self.matches.as_ref().map_or(0, Matches::weight);
        OVERHEAD + texts + plan + matches
    }
}
