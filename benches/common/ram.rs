//! The baseline: tantivy's own collectors over indexes in a `RamDirectory`, run the way forewarm
//! runs them (a pool of the same threads, a task for each segment, an answer over a channel), so
//! that what differs is what forewarm adds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use forewarm::{Filter, SearchRequest, SortKey, SortOrder};
use rayon::ThreadPool;
use rayon::prelude::*;
use tantivy::collector::{Collector, Count, SegmentCollector, TopDocs};
use tantivy::query::{Bm25StatisticsProvider, EnableScoring, Query, Weight};
use tantivy::schema::Field;
use tantivy::{DateTime, Index, Order, Searcher, Term};

use crate::corpus::Outcome;

/// Indexes in memory that are searched together.
#[derive(Clone)]
pub struct Ram {
    indexes: Arc<[Index]>,
    searchers: Arc<[Searcher]>,
    pool: Arc<ThreadPool>,
}

impl Ram {
    /// Opens a reader on each index.
    pub fn new(indexes: &[Index], pool: Arc<ThreadPool>) -> Outcome<Self> {
        let searchers = indexes
            .iter()
            .map(|index| Ok(index.reader()?.searcher()))
            .collect::<Outcome<Vec<_>>>()?;
        Ok(Self {
            indexes: indexes.into(),
            searchers: searchers.into(),
            pool,
        })
    }

    /// Compiles and runs a request. Answers with its number of hits, its number of matches, and
    /// how long running it took.
    pub async fn search(&self, request: &SearchRequest) -> Outcome<(usize, usize, Duration)> {
        let queries = self.compile(request.filter())?;
        let started = Instant::now();
        let (this, request) = (self.clone(), request.clone());
        let (send, receive) = tokio::sync::oneshot::channel();
        self.pool.spawn(move || {
            let _ = send.send(this.run(&request, &queries));
        });
        let (hits, matches) = receive.await??;
        Ok((hits, matches, started.elapsed()))
    }

    fn run(&self, request: &SearchRequest, queries: &[Box<dyn Query>]) -> Outcome<(usize, usize)> {
        let wanted = request.hits_wanted();
        if wanted == 0 {
            return Ok((0, self.collect(queries, &Count)?));
        }
        let top = TopDocs::with_limit(wanted);
        let Some(sort) = request.sorts().first() else {
            let (hits, total) = self.collect(queries, &(top.order_by_score(), Count))?;
            return Ok((hits.len(), total));
        };
        let (SortKey::Field(field), SortOrder::Descending) = (&sort.key, sort.order) else {
            return Err("the baseline sorts by a date, latest first".into());
        };
        let top = top.order_by_fast_field::<DateTime>(field, Order::Desc);
        let (hits, total) = self.collect(queries, &(top, Count))?;
        Ok((hits.len(), total))
    }

    fn compile(&self, filter: &Filter) -> Outcome<Vec<Box<dyn Query>>> {
        self.indexes
            .iter()
            .map(|index| Ok(filter.to_query(index)?))
            .collect()
    }

    fn collect<C: Collector>(&self, queries: &[Box<dyn Query>], collector: &C) -> Outcome<C::Fruit>
    where
        <C::Child as SegmentCollector>::Fruit: Send,
    {
        let statistics = Statistics {
            searchers: &self.searchers,
            frequencies: Mutex::default(),
        };
        let weigh = |number: usize| {
            let searcher = &self.searchers[number];
            queries[number].weight(if collector.requires_scoring() {
                EnableScoring::enabled_from_statistics_provider(&statistics, searcher)
            } else {
                EnableScoring::disabled_from_searcher(searcher)
            })
        };
        let weights: Vec<Box<dyn Weight>> = (0..queries.len())
            .into_par_iter()
            .map(weigh)
            .collect::<tantivy::Result<_>>()?;
        let segments: Vec<_> = self
            .searchers
            .iter()
            .zip(&weights)
            .flat_map(|(searcher, weight)| {
                searcher.segment_readers().iter().map(move |s| (s, weight))
            })
            .enumerate()
            .collect();
        let fruits = segments
            .par_iter()
            .map(|(number, (reader, weight))| {
                collector.collect_segment(weight.as_ref(), *number as u32, reader)
            })
            .collect::<tantivy::Result<Vec<_>>>()?;
        Ok(collector.merge_fruits(fruits)?)
    }
}

/// Statistics over all indexes, which number their fields alike; each term is looked up once.
struct Statistics<'a> {
    searchers: &'a [Searcher],
    frequencies: Mutex<HashMap<Term, u64>>,
}

impl Bm25StatisticsProvider for Statistics<'_> {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        let each = self.searchers.iter();
        each.map(|searcher| searcher.total_num_tokens(field)).sum()
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        let each = self.searchers.iter();
        each.map(Bm25StatisticsProvider::total_num_docs).sum()
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        let lock = || {
            self.frequencies
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(&known) = lock().get(term) {
            return Ok(known);
        }
        let mut frequency = 0;
        for searcher in self.searchers {
            frequency += searcher.doc_freq(term)?;
        }
        lock().insert(term.clone(), frequency);
        Ok(frequency)
    }
}
