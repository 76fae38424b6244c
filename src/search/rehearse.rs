//! Bringing what hits bring before anyone asks for them: splits that are warm are searched, and
//! nobody sees the answer.

use std::sync::Arc;
use std::time::Instant;

use super::documents::{Fetching, Wanted, Way};
use super::joined::Arrival;
use super::known::Known;
use super::prepared::Prepared;
use super::reading::Reading;
use crate::cache::Reader;
use crate::directory::{Probe, ReadScope};
use crate::error::Result;
use crate::filter::{Aggregations, SearchRequest, TrackTotalHits};
use crate::pool;
use crate::split::SplitAddress;
use crate::store::{Origin, Traffic};
use crate::warmup::{Warmer, Work};

impl Warmer {
    /// Brings into memory what the hits of a request bring that the warm ones of `splits` have
    /// together: what a search over more splits brings of these is part of it, unless words are
    /// weighed otherwise there. Answers with what was sent, for `origin`.
    ///
    /// # Errors
    ///
    /// Those of the store, and of tantivy's readers. What was fetched stays.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up what nobody else waits for; what runs on the pool runs to its
    /// end.
    pub(crate) async fn warm_documents(
        &self,
        splits: &[SplitAddress],
        request: &Arc<SearchRequest>,
        origin: &Arc<Origin>,
        asks: Option<u32>,
    ) -> Result<Traffic> {
        if request.hits_wanted() == 0 || !Wanted::is_anything(request) {
            return Ok(Traffic::default());
        }
        let work = Work::of_shared(Arc::clone(request));
        let now = Instant::now();
        let arrivals = splits.iter().enumerate().filter_map(|(place, address)| {
            let warmup = self.find(address, work.fingerprint(), now)?;
            let warmed = Some(Arc::clone(warmup.warmed()?));
            Some(Arrival {
                place,
                address,
                warmed,
            })
        });
        let arrivals: Vec<_> = arrivals.collect();
        if arrivals.is_empty() {
            return Ok(Traffic::default());
        }
        let (prepared, ..) = self.prepared(arrivals, &work).await?;
        let asked = self.asked(Arc::new(all_of_page(request)), Known::default());
        let rehearsed = pool::run(self.pool(), move || {
            let lease = |split: &Prepared| {
                let warmed = split.warmed()?;
                Some((split.split().id(), Arc::clone(&warmed.lease)))
            };
            let leases = prepared.iter().filter_map(lease).collect();
            // It is no search: nothing counts as read.
            let scope = ReadScope::probe(Arc::<Probe>::default(), leases, Reader::Other);
            let reading = Reading::Scoped(scope);
            let mut page = asked.page();
            asked.search(&prepared, &mut page, &reading)?;
            asked.answer(&prepared, page, &reading, Way::InMemory, || Ok(()))
        });
        let mut documents = rehearsed.await?.documents;
        let origin = Arc::clone(origin);
        let sent = documents
            .fetch(self, &Fetching::Ahead { origin, asks })
            .await?;
        let brought = documents.take_brought();
        if documents.is_complete() && !brought.is_empty() {
            self.note_documents(&work, request, brought);
        }
        Ok(sent)
    }
}

/// The request for all hits of which some are on its page: a page of several splits may begin
/// elsewhere in the hits of each.
fn all_of_page(request: &SearchRequest) -> SearchRequest {
    request
        .clone()
        .size(request.offset() + request.hits_wanted())
        .from(0)
        .track_total_hits(TrackTotalHits::Not)
        .aggregations(Aggregations::default())
}
