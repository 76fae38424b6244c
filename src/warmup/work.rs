use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use tantivy::Index;

use crate::error::Result;
use crate::filter::{
    BoundAggregations, BoundClause, ExpansionSettings, Filter, Fingerprint, SearchRequest,
};
use crate::needs::{
    Demand, Need, ProbeCollector, Purpose, needs_of, needs_of_aggregations, needs_of_sort,
};

/// What a warmup is to do: a filter, and what is collected from its matches.
#[derive(Clone)]
pub(crate) struct Work {
    filter: Filter,
    collect: Collect,
    fingerprint: Fingerprint,
}

/// Work that has met the schema of a split.
pub(crate) struct BoundWork {
    pub(crate) clause: BoundClause,
    pub(crate) demand: Demand,
    /// What is computed over all matches, when anything is.
    pub(crate) aggregations: Option<Arc<BoundAggregations>>,
}

#[derive(Clone)]
enum Collect {
    /// A collector of the caller.
    Custom {
        scored: bool,
        columns: Vec<String>,
        collector: Arc<dyn ProbeCollector>,
    },
    /// The hits of a request.
    Hits(Arc<SearchRequest>),
}

impl Work {
    pub(crate) fn of_request(request: &SearchRequest) -> Self {
        Self {
            filter: request.filter().clone(),
            fingerprint: request.fingerprint(),
            collect: Collect::Hits(Arc::new(request.clone())),
        }
    }

    /// The work of a collector of the caller. What it reads beyond `columns` is found by probing
    /// it. Nobody else can mean the same one, so its fingerprint is its own.
    pub(crate) fn of_collector(
        filter: Filter,
        scored: bool,
        columns: Vec<String>,
        collector: Arc<dyn ProbeCollector>,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let canonical = json!({
            "collector": NEXT.fetch_add(1, Ordering::Relaxed),
            "filter": filter.canonical(),
        });
        Self {
            filter,
            collect: Collect::Custom {
                scored,
                columns,
                collector,
            },
            fingerprint: Fingerprint::of(&canonical),
        }
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Whether anybody can ask for the same work again.
    pub(crate) fn can_recur(&self) -> bool {
        matches!(self.collect, Collect::Hits(_))
    }

    pub(crate) fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Binds the filter to the schema of `index`, and tells what it and the collector read; clauses
    /// are `labelled` for people only where they are shown.
    ///
    /// # Errors
    ///
    /// `InvalidRequest`, naming clause and field.
    pub(crate) fn bind(
        &self,
        index: &Index,
        limits: &ExpansionSettings,
        labelled: bool,
    ) -> Result<BoundWork> {
        match &self.collect {
            Collect::Custom {
                scored,
                columns,
                collector,
            } => {
                let clause = self.filter.bind(index, "query")?;
                let purpose = Purpose {
                    scored: *scored,
                    counted: false,
                    labelled,
                };
                let mut demand = needs_of(&clause, purpose, &index.schema());
                demand.always_from = demand.needs.len();
                demand.needs.extend(columns.iter().map(|name| Need::Column {
                    name: name.clone(),
                    types: None,
                    subpaths: false,
                }));
                demand.needs.push(Need::Collector(Arc::clone(collector)));
                Ok(BoundWork {
                    clause,
                    demand,
                    aggregations: None,
                })
            }
            Collect::Hits(request) => Self::bind_request(request, index, limits, labelled),
        }
    }

    fn bind_request(
        request: &SearchRequest,
        index: &Index,
        limits: &ExpansionSettings,
        labelled: bool,
    ) -> Result<BoundWork> {
        let schema = index.schema();
        let clause = request.bind(index)?;
        let purpose = Purpose {
            scored: request.is_scored(),
            counted: request.hits_wanted() == 0 && request.aggregated().is_empty(),
            labelled,
        };
        let mut demand = needs_of(&clause, purpose, &schema);
        let aggregations = match request.aggregated() {
            none if none.is_empty() => None,
            some => Some(Arc::new(some.bind(index, limits)?)),
        };
        if aggregations.as_ref().is_some_and(|bound| bound.sees_all()) {
            // What hits are sorted by is opened beside them.
            demand.always_from = demand.needs.len();
        }
        demand.needs.extend(needs_of_sort(request, &schema)?);
        if let Some(bound) = &aggregations {
            demand.needs.extend(needs_of_aggregations(bound, &schema));
        }
        Ok(BoundWork {
            clause,
            demand,
            aggregations,
        })
    }
}
