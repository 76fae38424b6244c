//! Aggregations meet a schema.

use tantivy::aggregation::agg_req::{
    Aggregation, AggregationVariants, Aggregations as TantivyAggregations,
};
use tantivy::aggregation::bucket::{CompositeAggregationSource, FilterAggregation, QueryBuilder};
use tantivy::aggregation::{AggContextParams, AggregationLimitsGuard, AggregationSegmentCollector};
use tantivy::columnar::{ColumnType, ColumnarReader};
use tantivy::index::SegmentComponent;
use tantivy::query::{Query, QueryParser};
use tantivy::schema::{FieldType, Schema};
use tantivy::tokenizer::TokenizerManager;
use tantivy::{Index, SegmentReader};

use super::check::kind_of;
use super::{Aggregations, Kind, Node, Nodes, is_text};
use crate::error::Result;
use crate::filter::bound::BoundClause;
use crate::filter::clause::Clause;
use crate::filter::expansion::ExpansionSettings;
use crate::filter::field::Target;
use crate::filter::filter::Filter;
use crate::filter::path::Path;
use crate::filter::source::wildcard_match;
use crate::filter::{Budget, Moment};

/// What tantivy takes for a number: it looks for a column of these types.
const NUMBERS: &[ColumnType] = &[
    ColumnType::F64,
    ColumnType::U64,
    ColumnType::I64,
    ColumnType::DateTime,
];

/// Aggregations of one split.
pub(crate) struct BoundAggregations {
    requests: TantivyAggregations,
    tokenizers: TokenizerManager,
    reads: Vec<AggregationRead>,
    /// Whether a `top_hits` brings values of columns, which tantivy wants in every segment.
    brings_values: bool,
    sees_all: bool,
}

/// What an aggregation reads.
pub(crate) enum AggregationRead {
    /// The columns of a name.
    Column {
        /// As a user spells it.
        name: String,
        /// The types of column that are read; `None` is any.
        types: Option<&'static [ColumnType]>,
    },
    /// The matches of a clause, which is not scored.
    Filter(BoundClause),
    /// What only the collector itself can tell.
    Unknown,
    /// The columns whose names match a pattern, and the names of all columns.
    Values(String),
}

impl BoundAggregations {
    /// What they read, in any order.
    pub(crate) fn reads(&self) -> &[AggregationRead] {
        &self.reads
    }

    /// See [`Aggregations::sees_all`].
    pub(crate) fn sees_all(&self) -> bool {
        self.sees_all
    }

    /// The collector of one segment.
    pub(crate) fn for_segment(
        &self,
        segment: u32,
        reader: &SegmentReader,
        limits: &AggregationLimitsGuard,
    ) -> tantivy::Result<AggregationSegmentCollector> {
        let context = AggContextParams::new(limits.clone(), self.tokenizers.clone());
        let present;
        let requests = if self.brings_values {
            present = present_values(&self.requests, reader)?;
            &present
        } else {
            &self.requests
        };
        AggregationSegmentCollector::from_agg_req_and_reader(requests, reader, segment, &context)
    }
}

/// The same aggregations, in which `top_hits` asks for columns that the segment has: tantivy
/// panics when one is absent.
pub(crate) fn present_values(
    requests: &TantivyAggregations,
    reader: &SegmentReader,
) -> tantivy::Result<TantivyAggregations> {
    let mut present = TantivyAggregations::default();
    for (name, request) in requests {
        let mut agg = request.agg.clone();
        if let AggregationVariants::TopHits(top_hits) = &mut agg {
            let mut names = Vec::new();
            for pattern in top_hits.value_field_names() {
                names.extend(column_names(pattern, reader)?);
            }
            names.sort();
            names.dedup();
            let mut written = serde_json::to_value(&*top_hits)?;
            written["docvalue_fields"] = names.into();
            *top_hits = serde_json::from_value(written)?;
        }
        let aggregation = Aggregation {
            agg,
            sub_aggregation: present_values(&request.sub_aggregation, reader)?,
        };
        present.insert(name.clone(), aggregation);
    }
    Ok(present)
}

/// The names of columns of a segment that match a pattern, such as a user spells them. Goes
/// through the names of all columns.
pub(crate) fn column_names(pattern: &str, reader: &SegmentReader) -> tantivy::Result<Vec<String>> {
    let columns = reader.fast_fields();
    let mut names = Vec::new();
    let columnar = ColumnarReader::open(reader.open_read(SegmentComponent::FastFields)?)?;
    for (name, _) in columnar.iter_columns()? {
        let name = name.replace('\u{1}', ".");
        if names.last() != Some(&name)
            && wildcard_match(pattern, &name)
            && !columns.dynamic_column_handles(&name)?.is_empty()
        {
            names.push(name);
        }
    }
    Ok(names)
}

/// A filter that was compiled already.
///
/// typetag's two methods are written by hand: its attribute would register the type by name for
/// the whole process, and nothing is ever to be read from JSON as one.
#[derive(Debug)]
struct BoundFilter(Box<dyn Query>);

impl serde::Serialize for BoundFilter {
    fn serialize<S: serde::Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{:?}", self.0))
    }
}

impl<'de> serde::Deserialize<'de> for BoundFilter {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> std::result::Result<Self, D::Error> {
        Err(serde::de::Error::custom(
            "a compiled filter is not read from JSON",
        ))
    }
}

impl QueryBuilder for BoundFilter {
    fn build_query(&self, _: &Schema, _: &TokenizerManager) -> tantivy::Result<Box<dyn Query>> {
        Ok(self.0.box_clone())
    }

    fn box_clone(&self) -> Box<dyn QueryBuilder> {
        Box::new(Self(self.0.box_clone()))
    }

    fn typetag_name(&self) -> &'static str {
        "forewarm"
    }

    fn typetag_deserialize(&self) {}
}

impl Aggregations {
    /// Binds the aggregations to the schema and tokenizers of an index, at the moment of a request;
    /// clauses of their filters expand within `limits`.
    ///
    /// # Errors
    ///
    /// A field is unknown, not fast or of a type that the aggregation does not take, named with
    /// its place in `aggs`.
    pub(crate) fn bind(
        &self,
        index: &Index,
        limits: &ExpansionSettings,
        now: Moment,
    ) -> Result<BoundAggregations> {
        let mut binder = Binder {
            index,
            limits,
            now,
            budget: Budget::default(),
            schema: index.schema(),
            reads: Vec::new(),
            brings_values: false,
        };
        let requests = binder.nodes(&self.nodes, &Path::root("aggs"))?;
        Ok(BoundAggregations {
            requests,
            tokenizers: index.tokenizers().clone(),
            reads: binder.reads,
            brings_values: binder.brings_values,
            sees_all: self.sees_all(),
        })
    }
}

/// What a field must hold.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Takes {
    /// Anything but bytes, which tantivy does not aggregate.
    AnyButBytes,
    Anything,
    Dates,
    /// Numbers and dates.
    Numbers,
}

struct Binder<'i> {
    index: &'i Index,
    limits: &'i ExpansionSettings,
    /// What `now` is in filters.
    now: Moment,
    /// What filters share.
    budget: Budget,
    schema: Schema,
    reads: Vec<AggregationRead>,
    brings_values: bool,
}

impl Binder<'_> {
    fn nodes(&mut self, nodes: &Nodes, path: &Path<'_>) -> Result<TantivyAggregations> {
        let mut requests = TantivyAggregations::default();
        for (name, node) in nodes {
            let path = &path.key(name);
            let aggregation = Aggregation {
                agg: self.node(node, path)?,
                sub_aggregation: self.nodes(&node.children, &path.key("aggs"))?,
            };
            requests.insert(name.clone(), aggregation);
        }
        Ok(requests)
    }

    fn node(&mut self, node: &Node, path: &Path<'_>) -> Result<AggregationVariants> {
        match &node.kind {
            Kind::Filter(clause) => self.filter(clause.clone().into(), &path.key("filter")),
            Kind::Missing(field) => {
                let here = path.key("missing");
                let here = here.key("field");
                self.check(field, Takes::Anything, &here)?;
                let exists = Clause::bool().must_not(Clause::exists(field.clone()));
                self.filter(exists.into(), &here)
            }
            Kind::Native(variant) => {
                let (kind, _) = kind_of(variant);
                self.native(variant, &path.key(kind))
            }
        }
    }

    fn filter(&mut self, filter: Filter, path: &Path<'_>) -> Result<AggregationVariants> {
        let clause =
            filter.bind_within(self.index, &path.to_string(), self.now, &mut self.budget)?;
        let query = clause.query(self.limits);
        self.reads.push(AggregationRead::Filter(clause));
        let filter = FilterAggregation::new_with_builder(Box::new(BoundFilter(query)));
        Ok(AggregationVariants::Filter(filter))
    }

    fn native(
        &mut self,
        variant: &AggregationVariants,
        path: &Path<'_>,
    ) -> Result<AggregationVariants> {
        use AggregationVariants as Kind;
        use CompositeAggregationSource as Source;

        let field = path.key("field");
        match variant {
            Kind::Average(_)
            | Kind::ExtendedStats(_)
            | Kind::Histogram(_)
            | Kind::Max(_)
            | Kind::Min(_)
            | Kind::Percentiles(_)
            | Kind::Range(_)
            | Kind::Stats(_)
            | Kind::Sum(_) => {
                for name in variant.get_fast_field_names() {
                    self.column(name, Takes::Numbers, &field)?;
                }
            }
            Kind::Cardinality(_) | Kind::Count(_) | Kind::Terms(_) => {
                for name in variant.get_fast_field_names() {
                    self.column(name, Takes::AnyButBytes, &field)?;
                }
            }
            Kind::Composite(composite) => {
                let path = path.key("sources");
                for (index, source) in composite.sources.iter().enumerate() {
                    let path = path.index(index);
                    let (name, field, takes) = match source {
                        Source::DateHistogram(it) => (&it.name, &it.field, Takes::Dates),
                        Source::Histogram(it) => (&it.name, &it.field, Takes::Numbers),
                        Source::Terms(it) => (&it.name, &it.field, Takes::AnyButBytes),
                    };
                    self.column(field, takes, &path.key(name))?;
                }
            }
            Kind::DateHistogram(histogram) => {
                self.column(&histogram.field, Takes::Dates, &field)?;
            }
            Kind::Filter(filter) => return self.native_filter(filter, path),
            Kind::MultiTerms(terms) => {
                let path = path.key("terms");
                for (index, term) in terms.terms.iter().enumerate() {
                    self.column(&term.field, Takes::AnyButBytes, &path.index(index))?;
                }
            }
            Kind::TopHits(top_hits) => {
                let values = top_hits.value_field_names();
                let names = top_hits.field_names();
                let sorts = names.len() - values.len();
                for name in &names[..sorts] {
                    self.column(name, Takes::Numbers, &path.key("sort"))?;
                }
                for name in values {
                    self.brings_values = true;
                    self.reads.push(AggregationRead::Values(name.to_owned()));
                    if !name.contains('*') {
                        let path = path.key("docvalue_fields");
                        self.column(name, Takes::Anything, &path)?;
                    }
                }
            }
        }
        Ok(variant.clone())
    }

    /// A filter that was built with tantivy's types.
    fn native_filter(
        &mut self,
        filter: &FilterAggregation,
        path: &Path<'_>,
    ) -> Result<AggregationVariants> {
        if !is_text(filter) {
            self.reads.push(AggregationRead::Unknown);
            return Ok(AggregationVariants::Filter(filter.clone()));
        }
        let tokenizers = self.index.tokenizers().clone();
        let parser = QueryParser::new(self.schema.clone(), Vec::new(), tokenizers);
        let query = filter
            .parse_query_with_parser(&parser)
            .map_err(|error| path.error(error))?;
        self.filter(Filter::query(query), path)
    }

    fn column(&mut self, name: &str, takes: Takes, path: &Path<'_>) -> Result<()> {
        self.check(name, takes, path)?;
        let types = match takes {
            Takes::AnyButBytes | Takes::Anything => None,
            Takes::Dates => Some(&[ColumnType::DateTime] as &[ColumnType]),
            Takes::Numbers => Some(NUMBERS),
        };
        self.reads.push(AggregationRead::Column {
            name: name.to_owned(),
            types,
        });
        Ok(())
    }

    fn check(&self, name: &str, takes: Takes, path: &Path<'_>) -> Result<()> {
        let target = Target::resolve_value(&self.schema, name, path)?;
        if !target.is_fast() {
            return Err(path.error(format_args!(
                "{:?} is not fast, so nothing is computed of it: make it fast",
                target.entry.name()
            )));
        }
        let (fits, expected) = match (takes, target.entry.field_type()) {
            (Takes::Anything, _) | (_, FieldType::JsonObject(_)) => (true, ""),
            (Takes::AnyButBytes, FieldType::Bytes(_)) => (false, "anything but bytes"),
            (Takes::AnyButBytes, _) => (true, ""),
            (Takes::Dates, FieldType::Date(_)) => (true, ""),
            (Takes::Dates, _) => (false, "a date field"),
            (
                Takes::Numbers,
                FieldType::Date(_) | FieldType::F64(_) | FieldType::I64(_) | FieldType::U64(_),
            ) => (true, ""),
            (Takes::Numbers, _) => (false, "a field of numbers or dates"),
        };
        if fits {
            return Ok(());
        }
        Err(path.error(format_args!(
            "expected {expected}, {name:?} is {}",
            target.type_name()
        )))
    }
}
