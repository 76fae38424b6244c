use std::borrow::Cow;
use std::sync::Arc;

use super::joined::{Begun, SameFilter};
use super::prepared::Prepared;
use crate::error::{Error, ErrorKind, Result};
use crate::filter::ExpansionSettings;
use crate::split::Split;
use crate::warmup::{Warmed, Work};

/// The splits of a search on their way to the pool.
#[derive(Clone)]
pub(super) enum Gathered {
    /// Warmups that are all ready. What is searched of them is put together on the pool, and dropped
    /// there: to count references on both sides would send each count to and fro between the
    /// caches of two cores, which takes longer than a small search.
    Ready(Arc<Vec<Option<Begun>>>),
    Prepared(Arc<[Prepared<'static>]>),
}

/// A split that was gathered.
pub(super) struct Place {
    /// Which of the splits of its search it is, in the order given.
    pub(super) place: usize,
    pub(super) split: Arc<Split>,
    /// The warmup that was joined.
    pub(super) warmed: Option<Arc<Warmed>>,
}

impl Gathered {
    /// What is searched. Runs on the pool: a warmup that reads the same may have compiled another
    /// filter.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when the request does not fit a split's schema.
    pub(super) fn prepared(
        &self,
        work: &Work,
        limits: &ExpansionSettings,
    ) -> Result<Cow<'_, [Prepared<'_>]>> {
        let warmups = match self {
            Self::Prepared(prepared) => return Ok(Cow::Borrowed(prepared)),
            Self::Ready(warmups) => warmups,
        };
        let mut same = SameFilter::new(work);
        let mut prepared = Vec::with_capacity(warmups.len());
        for (place, begun) in warmups.iter().enumerate() {
            let warmed = begun.as_ref().and_then(|begun| begun.warmup.warmed());
            // It was when it was gathered, and stays so.
            let not_ready = || Error::new(ErrorKind::Internal, "a warmup is ready no more");
            let warmed = warmed.ok_or_else(not_ready)?;
            prepared.push(if same.is(warmed) {
                Prepared::of(place, Cow::Borrowed(warmed))
            } else {
                let split = Arc::clone(&warmed.split);
                let compiled = work.compiled_here(&split, limits)?;
                Prepared::compiled(place, split, compiled, Some(Arc::clone(warmed)))
            });
        }
        Ok(Cow::Owned(prepared))
    }

    /// All of them, in the order given.
    pub(super) fn places(&self) -> Vec<Place> {
        let ready = |(place, begun): (usize, &Option<Begun>)| {
            let warmed = begun.as_ref()?.warmup.warmed()?;
            Some(Place {
                place,
                split: Arc::clone(&warmed.split),
                warmed: Some(Arc::clone(warmed)),
            })
        };
        let prepared = |prepared: &Prepared| Place {
            place: prepared.place,
            split: Arc::clone(prepared.split()),
            warmed: prepared.warmed().cloned(),
        };
        match self {
            Self::Ready(warmups) => warmups.iter().enumerate().filter_map(ready).collect(),
            Self::Prepared(splits) => splits.iter().map(prepared).collect(),
        }
    }
}
