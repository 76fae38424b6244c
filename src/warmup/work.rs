use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rayon::ThreadPool;
use serde_json::json;
use tantivy::Index;
use tantivy::query::{EnableScoring, Query, Weight};
use tokio::sync::OnceCell;

use crate::error::Result;
use crate::filter::{
    AggregationRead, BoundAggregations, BoundClause, Budget, ExpansionSettings, Filter,
    Fingerprint, Moment, PastLimit, SearchRequest,
};
use crate::needs::{
    Demand, MATCHING, Need, ProbeCollector, Purpose, needs_of, needs_of_aggregations, needs_of_sort,
};
use crate::plan::Planned;
use crate::pool;
use crate::split::{SchemaKey, Split};
use crate::store::Request;

/// What a warmup is to do: a filter, and what is collected from its matches. Clones are the same.
#[derive(Clone)]
pub(crate) struct Work(Arc<Shared>);

struct Shared {
    collect: Collect,
    fingerprint: Fingerprint,
    /// Equal for works that probably read the same, whoever asks for them.
    recurring: Fingerprint,
    // What is found out when it is first asked for, once for all splits:
    /// As what the fetches of its warmups take turns with those of others.
    queued: OnceLock<Request>,
    /// How plans know the work.
    planned: OnceLock<Option<Planned>>,
    identity: OnceLock<Option<Fingerprint>>,
    wording: OnceLock<Option<Fingerprint>>,
    /// By schema; there are few of them among the splits of one search.
    compiled: Mutex<Vec<(SchemaKey, Arc<OnceCell<Compiled>>)>>,
}

/// What a search runs in each split of one schema.
#[derive(Clone)]
pub(crate) struct Compiled {
    pub(crate) query: Arc<dyn Query>,
    /// What `query` weighs where nothing is scored, kept for all searches that join a warmup. None where
    /// scores are wanted, and where it depends on the split or on something of the caller's.
    pub(crate) weight: Option<Arc<dyn Weight>>,
    /// How many expansions are kept of each segment.
    pub(crate) expansions: usize,
    pub(crate) extras: Arc<Extras>,
}

/// What a request wants beside its hits, in one split.
#[derive(Default)]
pub(crate) struct Extras {
    /// What is computed over all matches, when anything is.
    pub(crate) aggregations: Option<Arc<BoundAggregations>>,
    /// The clauses that hits are told to have matched.
    pub(crate) named: Vec<Named>,
}

/// A clause with a name.
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) query: Box<dyn Query>,
}

impl Compiled {
    /// What a request runs in an index, when nobody asks what it reads.
    ///
    /// # Errors
    ///
    /// `InvalidRequest`, naming clause and field.
    pub(crate) fn of_request(
        request: &SearchRequest,
        index: &Index,
        limits: &ExpansionSettings,
    ) -> Result<Self> {
        let bound = BoundRequest::new(request, index, limits)?;
        needs_of_sort(request, &index.schema())?;
        Ok(Self {
            query: bound.clause.query(limits).into(),
            weight: None,
            expansions: bound.expansions(limits),
            extras: Arc::new(bound.extras(limits)),
        })
    }

    /// The same, weighed for `request` as far as no split has a say in it.
    fn weighed(self, request: &SearchRequest, index: &Index) -> Self {
        // A query of the caller's may weigh something else each time.
        let is_ours = request.filter().clause().is_some();
        if request.is_scored() || !is_ours {
            return self;
        }
        // What wants a split fails here, and is weighed by each search.
        let weight = self
            .query
            .weight(EnableScoring::disabled_from_schema(&index.schema()));
        Self {
            weight: weight.ok().map(Arc::from),
            ..self
        }
    }
}

enum Collect {
    /// A collector of the caller.
    Custom {
        filter: Filter,
        scored: bool,
        columns: Vec<String>,
        collector: Arc<dyn ProbeCollector>,
        /// What `now` is, the same in every split.
        now: Moment,
    },
    /// The hits of a request.
    Hits(Arc<SearchRequest>),
}

/// A copy of a request for all who work on it.
pub(crate) fn shared(request: &SearchRequest) -> Arc<SearchRequest> {
    // Before it is cloned: whoever asks the same request again means the same moment.
    request.fingerprint();
    Arc::new(request.clone())
}

impl Work {
    pub(crate) fn of_request(request: &SearchRequest) -> Self {
        Self::of_shared(shared(request))
    }

    pub(crate) fn of_shared(request: Arc<SearchRequest>) -> Self {
        let fingerprint = request.fingerprint();
        Self::new(Collect::Hits(request), fingerprint, fingerprint)
    }

    fn new(collect: Collect, fingerprint: Fingerprint, recurring: Fingerprint) -> Self {
        Self(Arc::new(Shared {
            collect,
            fingerprint,
            recurring,
            queued: OnceLock::new(),
            planned: OnceLock::new(),
            identity: OnceLock::new(),
            wording: OnceLock::new(),
            compiled: Mutex::default(),
        }))
    }

    /// The work of a collector of the caller. What it reads beyond `columns` is found by probing
    /// it. Nobody else can mean the same one, so its fingerprint is its own; but one of the same
    /// `kind`, which is the name of its type, probably reads the same.
    pub(crate) fn of_collector(
        filter: Filter,
        scored: bool,
        columns: Vec<String>,
        collector: Arc<dyn ProbeCollector>,
        kind: &str,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let canonical = json!({
            "collector": NEXT.fetch_add(1, Ordering::Relaxed),
            "filter": filter.canonical(),
        });
        let recurring = json!({
            "columns": columns,
            "filter": filter.canonical(),
            "kind": kind,
            "scored": scored,
        });
        let collect = Collect::Custom {
            filter,
            scored,
            columns,
            collector,
            now: Moment::now(),
        };
        let fingerprint = Fingerprint::of(&canonical);
        Self::new(collect, fingerprint, Fingerprint::of(&recurring))
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.0.fingerprint
    }

    pub(crate) fn queued(&self) -> &Request {
        self.0.queued.get_or_init(Request::default)
    }

    /// Under what its late reads are remembered.
    pub(crate) fn recurring(&self) -> Fingerprint {
        self.0.recurring
    }

    /// Whether it holds anything of the caller's, which may read where nobody sees it beforehand.
    pub(crate) fn may_hide_reads(&self) -> bool {
        matches!(self.0.collect, Collect::Custom { .. }) || self.filter().clause().is_none()
    }

    /// How plans know it; nothing where nobody can ask for the same again: a collector of the
    /// caller's, or a query of tantivy's without a key.
    pub(crate) fn planned(&self, limits: &ExpansionSettings) -> Option<&Planned> {
        let name = || match &self.0.collect {
            Collect::Hits(request) if self.filter().is_named() => Some(Planned {
                fingerprint: self.0.fingerprint,
                canonical: json!({
                    "expansion": limits,
                    "request": request.canonical_form(),
                    "version": Fingerprint::VERSION,
                })
                .to_string()
                .into(),
            }),
            _ => None,
        };
        self.0.planned.get_or_init(name).as_ref()
    }

    /// Of the whole request: those that read the same while searching may bring other hits.
    pub(crate) fn identity(&self) -> Option<Fingerprint> {
        let identity = || match &self.0.collect {
            Collect::Hits(request) => Some(Fingerprint::of(&request.to_value().ok()?)),
            Collect::Custom { .. } => None,
        };
        *self.0.identity.get_or_init(identity)
    }

    /// What tells it from all that are not the very same; nothing where something of the caller's
    /// decides what matches.
    pub(crate) fn wording(&self) -> Option<Fingerprint> {
        let wording = || match &self.0.collect {
            Collect::Hits(request) => request.wording(),
            Collect::Custom { .. } => None,
        };
        *self.0.wording.get_or_init(wording)
    }

    /// What is run in `split`, compiled on `pool` once for all splits of its schema: that and the
    /// tokenizers, which are the same for all splits of a warmer, are all that a query is bound to.
    ///
    /// # Errors
    ///
    /// As [`demand`](Self::demand).
    pub(crate) async fn compiled(
        &self,
        split: &Arc<Split>,
        limits: &ExpansionSettings,
        pool: &Arc<ThreadPool>,
    ) -> Result<Compiled> {
        let cell = self.cell(split.schema_key());
        if let Some(compiled) = cell.get() {
            return Ok(compiled.clone());
        }
        let compile = || {
            let (work, split, limits) = (self.clone(), Arc::clone(split), *limits);
            pool::run(pool, move || work.compile(split.index(), &limits))
        };
        cell.get_or_try_init(compile).await.cloned()
    }

    /// [`compiled`](Self::compiled), on this thread, which must be one of the pool's.
    ///
    /// # Errors
    ///
    /// As [`demand`](Self::demand).
    pub(crate) fn compiled_here(
        &self,
        split: &Split,
        limits: &ExpansionSettings,
    ) -> Result<Compiled> {
        let cell = self.cell(split.schema_key());
        if let Some(compiled) = cell.get() {
            return Ok(compiled.clone());
        }
        let compiled = self.compile(split.index(), limits)?;
        // Whoever was first has compiled the same.
        let _ = cell.set(compiled.clone());
        Ok(compiled)
    }

    fn cell(&self, schema: SchemaKey) -> Arc<OnceCell<Compiled>> {
        let compiled = &self.0.compiled;
        let mut compiled = compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, cell)) = compiled.iter().find(|(key, _)| *key == schema) {
            return Arc::clone(cell);
        }
        let cell = Arc::default();
        compiled.push((schema, Arc::clone(&cell)));
        cell
    }

    /// Whether anybody can ask for the same work again.
    pub(crate) fn can_recur(&self) -> bool {
        matches!(self.0.collect, Collect::Hits(_))
    }

    pub(crate) fn filter(&self) -> &Filter {
        match &self.0.collect {
            Collect::Custom { filter, .. } => filter,
            Collect::Hits(request) => request.filter(),
        }
    }

    /// What the filter and the collector read, once they have met the schema of `index`; clauses are
    /// `labelled` for people only where they are shown.
    ///
    /// # Errors
    ///
    /// `InvalidRequest`, naming clause and field.
    pub(crate) fn demand(
        &self,
        index: &Index,
        limits: &ExpansionSettings,
        labelled: bool,
    ) -> Result<Demand> {
        match &self.0.collect {
            Collect::Custom {
                filter,
                scored,
                columns,
                collector,
                now,
            } => {
                let clause = filter.bind_at(index, "query", *now)?;
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
                Ok(demand)
            }
            Collect::Hits(request) => Self::demand_of(request, index, limits, labelled),
        }
    }

    /// What is run in an index, when nobody asks what it reads.
    ///
    /// # Errors
    ///
    /// As [`demand`](Self::demand).
    pub(crate) fn compile(&self, index: &Index, limits: &ExpansionSettings) -> Result<Compiled> {
        match &self.0.collect {
            Collect::Custom { filter, now, .. } => {
                let clause = filter.bind_at(index, "query", *now)?;
                Ok(Compiled {
                    query: clause.query(limits).into(),
                    weight: None,
                    // Nobody asks for the same again.
                    expansions: 0,
                    extras: Arc::default(),
                })
            }
            Collect::Hits(request) => {
                let compiled = Compiled::of_request(request, index, limits)?;
                Ok(compiled.weighed(request, index))
            }
        }
    }

    fn demand_of(
        request: &SearchRequest,
        index: &Index,
        limits: &ExpansionSettings,
        labelled: bool,
    ) -> Result<Demand> {
        let schema = index.schema();
        let purpose = Purpose {
            scored: request.is_scored(),
            counted: request.hits_wanted() == 0 && request.aggregated().is_empty(),
            labelled,
        };
        let bound = BoundRequest::new(request, index, limits)?;
        let mut demand = needs_of(&bound.clause, purpose, &schema);
        for (_, clause) in &bound.named {
            let needs = needs_of(clause, MATCHING, &schema).needs;
            demand.needs.extend(needs);
        }
        let aggregations = bound.aggregations.as_ref();
        if aggregations.is_some_and(|bound| bound.sees_all()) {
            // What hits are sorted by is opened beside them.
            demand.always_from = demand.needs.len();
        }
        demand.needs.extend(needs_of_sort(request, &schema)?);
        if let Some(bound) = aggregations {
            let needs = needs_of_aggregations(bound, &schema);
            demand.needs.extend(needs);
        }
        Ok(demand)
    }
}

/// A request that has met the schema of a split.
struct BoundRequest {
    clause: BoundClause,
    named: Vec<(String, BoundClause)>,
    aggregations: Option<Arc<BoundAggregations>>,
}

impl BoundRequest {
    fn new(request: &SearchRequest, index: &Index, limits: &ExpansionSettings) -> Result<Self> {
        let clause = request.bind(index)?;
        request.check_fetch(index)?;
        let mut clauses = Vec::new();
        request.visit_named(&mut |name, clause| clauses.push((name, clause)));
        // A name within another's clause is bound with both: what that comes to is bounded.
        let mut budget = Budget::default();
        let mut named = Vec::with_capacity(clauses.len());
        for (name, clause) in clauses {
            let clause = Filter::from(clause.clone());
            let clause = clause.bind_within(index, "query", request.moment(), &mut budget)?;
            named.push((name.to_owned(), clause));
        }
        let aggregated = request.aggregated();
        let aggregations = match aggregated.is_empty() {
            true => None,
            false => Some(Arc::new(aggregated.bind(
                index,
                limits,
                request.moment(),
            )?)),
        };
        Ok(Self {
            clause,
            named,
            aggregations,
        })
    }

    /// How many clauses expand where the query and its aggregations are searched, and are bounded.
    fn expansions(&self, limits: &ExpansionSettings) -> usize {
        if limits.past_limit == PastLimit::Stream {
            return 0;
        }
        let aggregations = self.aggregations.iter().flat_map(|bound| bound.reads());
        let filters = aggregations.filter_map(|read| match read {
            AggregationRead::Filter(clause) => Some(clause),
            _ => None,
        });
        let clauses = std::iter::once(&self.clause).chain(filters);
        clauses.map(BoundClause::expansions).sum()
    }

    fn extras(&self, limits: &ExpansionSettings) -> Extras {
        let named = self.named.iter().map(|(name, clause)| Named {
            name: name.clone(),
            query: clause.query(limits),
        });
        Extras {
            aggregations: self.aggregations.clone(),
            named: named.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tantivy::query::AllQuery;
    use tantivy::schema::{Schema, TEXT};

    use super::*;
    use crate::filter::Clause;

    #[test]
    fn what_neither_a_split_nor_a_caller_has_a_say_in_is_weighed_once() {
        let mut schema = Schema::builder();
        schema.add_text_field("body", TEXT);
        let index = Index::create_in_ram(schema.build());
        let is_weighed = |request: SearchRequest| {
            let compiled =
                Work::of_request(&request).compile(&index, &ExpansionSettings::default());
            compiled.unwrap().weight.is_some()
        };
        let words = || SearchRequest::new(Clause::match_text("body", "sea"));
        assert!(is_weighed(words().size(0)));
        // Scores are of all splits of a search, ids of one split.
        assert!(!is_weighed(words()));
        assert!(!is_weighed(
            SearchRequest::new(Clause::ids(["0:1"])).size(0)
        ));
        assert!(!is_weighed(
            SearchRequest::new(Filter::query(Box::new(AllQuery))).size(0)
        ));
    }
}
