//! The canonical form: equal for filters that read the same.
//!
//! Reading is what counts, not scores: boosts and duplicates are left out. What must match and is
//! scored (`must`) reads more than what is not (`filter`): norms. Where nothing is scored the two
//! are one. The form knows no schema, so equal meanings that only a schema shows (`10` and `"10"`
//! for a number) have different forms, which costs a plan and nothing else.

mod form;
mod fulltext;
mod moments;
mod patterns;

use std::collections::BTreeSet;

use serde_json::Value;

pub(crate) use form::Form;

use crate::filter::bind::{has_case, minimum};
use crate::filter::clause::{BoolClause, Clause};
use crate::filter::date_math::Moment;
use crate::filter::filter::{Filter, FilterKind, OpaqueKey};
use crate::filter::fingerprint::Fingerprint;
use crate::filter::request::SearchRequest;
use crate::filter::sort::SortKey;
use crate::filter::value::FieldValue;

/// Where a clause stands.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Context {
    /// Where it can only match: optional clauses are not even made into a query.
    Filter,
    /// Where scores are computed.
    Scored,
    /// Where they would be, in a request that needs none.
    Unscored,
}

impl Filter {
    /// The canonical form of the filter where scores are computed: sorted, without duplicates,
    /// boosts and alternative spellings. For people and hashes; it is no query.
    ///
    /// ```
    /// use forewarm::{Clause, Filter};
    ///
    /// let wrapped = Filter::from(Clause::bool().must(Clause::term("type", "PushEvent")));
    /// let plain = Filter::from(Clause::term("type", "PushEvent").boost(2.0));
    /// assert_eq!(wrapped.canonical(), plain.canonical());
    /// ```
    ///
    /// `now` stays as it is written: what it is, only a request knows.
    pub fn canonical(&self) -> Value {
        self.canonical_in(Context::Scored)
    }

    /// The canonical form of the filter where it only matches, at the moment of a request.
    pub(crate) fn canonical_unscored(&self, now: Moment) -> Value {
        self.at(now).canonical_in(Context::Filter)
    }

    fn canonical_in(&self, context: Context) -> Value {
        self.form(context).to_value()
    }

    fn form(&self, context: Context) -> Form {
        match self.kind() {
            // It binds to no schema, so it reads nothing.
            FilterKind::Clause(clause) if clause.is_too_deep() => Form::bare("too_deep"),
            FilterKind::Clause(clause) => canonical(clause, context),
            FilterKind::Opaque {
                key: OpaqueKey::Named(key),
                ..
            } => Form::of("opaque", Form::of("key", Form::leaf(key.as_str()))),
            FilterKind::Opaque {
                key: OpaqueKey::Unique(process, number),
                ..
            } => {
                let (process, number) = (Form::leaf(*process), Form::leaf(*number));
                let body = Form::object([("number", number), ("process", process)]);
                Form::of("opaque", body)
            }
        }
    }
}

impl SearchRequest {
    /// The fingerprint under which what the request reads in a split is remembered.
    ///
    /// It is computed once for a request and its clones.
    pub fn fingerprint(&self) -> Fingerprint {
        let compute = || Fingerprint::of_text(&self.form().text());
        *self.fingerprint.get_or_init(compute)
    }

    /// What the fingerprint is of.
    pub(crate) fn canonical_form(&self) -> Value {
        self.form().to_value()
    }

    fn form(&self) -> Form {
        let scored = self.is_scored();
        let context = if scored {
            Context::Scored
        } else {
            Context::Unscored
        };
        // Without hits nothing is sorted, and a count may read less than a search.
        let hits = self.hits_wanted() > 0;
        let columns: BTreeSet<&str> = self
            .sorts()
            .iter()
            .filter_map(|sort| match &sort.key {
                SortKey::Field(field) if hits => Some(field.as_str()),
                _ => None,
            })
            .collect();
        let mut parts = vec![
            ("columns", Form::texts(columns)),
            ("hits", Form::leaf(hits)),
            ("query", self.filter().at(self.moment()).form(context)),
            ("scored", Form::leaf(scored)),
        ];
        parts.extend(self.canonical_extras());
        Form::object(parts)
    }
}

fn canonical(clause: &Clause, context: Context) -> Form {
    match clause {
        Clause::Bool(clause) => canonical_bool(clause, context),
        Clause::ConstantScore(clause) => {
            let filter = vec![canonical(&clause.filter, Context::Filter)];
            Parts {
                filter,
                ..Parts::default()
            }
            .canonical(context)
        }
        Clause::DisMax(clause) => {
            let queries = clause.queries.iter();
            let queries = queries.map(|clause| canonical(clause, context)).collect();
            canonical_best(queries, context)
        }
        Clause::Exists(clause) => Form::of("exists", Form::leaf(clause.field.as_str())),
        Clause::Fuzzy(clause) => patterns::fuzzy(clause),
        Clause::Ids(clause) => {
            let ids: BTreeSet<&String> = clause.values.iter().collect();
            if ids.is_empty() {
                return Form::bare("match_none");
            }
            Form::of("ids", Form::texts(ids.into_iter().map(String::as_str)))
        }
        Clause::Match(clause) => fulltext::match_text(clause),
        Clause::MatchAll(_) => Form::bare("match_all"),
        Clause::MatchBoolPrefix(clause) => fulltext::match_bool_prefix(clause),
        Clause::MatchNone(_) => Form::bare("match_none"),
        Clause::MatchPhrase(clause) => fulltext::match_phrase(clause),
        Clause::MatchPhrasePrefix(clause) => fulltext::match_phrase_prefix(clause),
        Clause::MultiMatch(clause) => fulltext::multi_match(clause),
        Clause::Prefix(clause) => {
            patterns::prefix(&clause.field, &clause.value, clause.case_insensitive)
        }
        Clause::QueryString(clause) => fulltext::query_string(clause),
        Clause::Range(clause) => {
            let value = |bound: &Option<FieldValue>| {
                Form::leaf(bound.as_ref().map_or(Value::Null, FieldValue::to_value))
            };
            let mut body = vec![
                ("field", Form::leaf(clause.field.as_str())),
                ("gt", value(&clause.gt)),
                ("gte", value(&clause.gte)),
                ("lt", value(&clause.lt)),
                ("lte", value(&clause.lte)),
                ("format", Form::leaf(clause.format.clone())),
            ];
            if let Some(zone) = &clause.time_zone {
                body.push(("time_zone", Form::leaf(zone.as_str())));
            }
            Form::of("range", Form::object(body))
        }
        Clause::Regexp(clause) => patterns::regexp(clause),
        Clause::SimpleQueryString(clause) => fulltext::simple_query_string(clause),
        Clause::Term(clause) => {
            let insensitive = clause.case_insensitive && has_case(&clause.value.to_string());
            let body = patterns::body(&clause.field, clause.value.to_value());
            Form::of("term", patterns::insensitive(body, insensitive))
        }
        Clause::Terms(clause) => {
            let values = clause.values.iter().map(FieldValue::to_value);
            let values = unique(values.map(Form::Leaf));
            let field = ("field", Form::leaf(clause.field.as_str()));
            match values.as_slice() {
                [] => Form::bare("match_none"),
                // Of one value, where the term's score would not be used either.
                [value] if context != Context::Scored => {
                    Form::of("term", Form::object([field, ("value", value.clone())]))
                }
                _ => Form::of(
                    "terms",
                    Form::object([field, ("values", Form::List(values))]),
                ),
            }
        }
        Clause::Wildcard(clause) => patterns::wildcard(clause),
    }
}

fn canonical_bool(clause: &BoolClause, context: Context) -> Form {
    let all = |clauses: &[Clause], context: Context| -> Vec<Form> {
        clauses
            .iter()
            .map(|clause| canonical(clause, context))
            .collect()
    };
    let parts = Parts {
        must: all(&clause.must, context),
        filter: all(&clause.filter, Context::Filter),
        should: all(&clause.should, context),
        must_not: all(&clause.must_not, Context::Filter),
        minimum: 0,
    };
    let required = !parts.must.is_empty() || !parts.filter.is_empty();
    if !required && parts.should.is_empty() && parts.must_not.is_empty() {
        return Form::bare("match_all");
    }
    let minimum = minimum(
        clause.minimum_should_match.as_ref(),
        parts.should.len(),
        required,
    );
    Parts { minimum, ..parts }.canonical(context)
}

/// The canonical parts of a combination; at least one.
#[derive(Default)]
struct Parts {
    must: Vec<Form>,
    filter: Vec<Form>,
    should: Vec<Form>,
    must_not: Vec<Form>,
    /// How many of `should` must match.
    minimum: usize,
}

impl Parts {
    fn canonical(self, context: Context) -> Form {
        let Self {
            mut must,
            mut filter,
            mut should,
            must_not,
            minimum,
        } = self;
        let required = !must.is_empty() || !filter.is_empty();
        let must_not = unique(must_not);
        if should.len() < minimum {
            return Form::bare("match_none");
        }
        if context != Context::Scored {
            filter.append(&mut must);
        }
        if context == Context::Filter && required && minimum == 0 {
            should.clear();
        }
        let (must, filter) = (unique(must), unique(filter));
        // Duplicates count towards a minimum, so they stay where it is above one.
        let should = if minimum > 1 {
            sorted_list(should)
        } else {
            unique(should)
        };
        let mut parts = must.iter().chain(&should);
        let parts_without = filter.len() + must_not.len();
        match (parts.next(), parts.next()) {
            (Some(single), None) if parts_without == 0 => return single.clone(),
            (None, None)
                if context != Context::Scored && filter.len() == 1 && must_not.is_empty() =>
            {
                return filter.into_iter().next().unwrap_or(Form::Leaf(Value::Null));
            }
            _ => {}
        }
        let minimum = (!should.is_empty()).then(|| Form::leaf(minimum));
        let lists = [
            ("filter", filter),
            ("must", must),
            ("must_not", must_not),
            ("should", should),
        ];
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        let body = lists.map(|(key, list)| (key, Form::List(list)));
        let minimum = minimum.map(|minimum| ("minimum_should_match", minimum));
        Form::of("bool", Form::object(body.chain(minimum)))
    }
}

/// `dis_max`: where nothing is scored, it is any of its clauses.
fn canonical_best(queries: Vec<Form>, context: Context) -> Form {
    let queries = unique(queries);
    if queries.is_empty() {
        return Form::bare("match_none");
    }
    if context != Context::Scored || queries.len() == 1 {
        let parts = Parts {
            should: queries,
            minimum: 1,
            ..Parts::default()
        };
        return parts.canonical(context);
    }
    Form::of("dis_max", Form::List(queries))
}

fn unique(values: impl IntoIterator<Item = Form>) -> Vec<Form> {
    let mut keyed = keyed(values);
    keyed.dedup_by(|a, b| a.0 == b.0);
    keyed.into_iter().map(|(_, form)| form).collect()
}

/// Sorts values by their canonical text.
fn sorted_list(values: impl IntoIterator<Item = Form>) -> Vec<Form> {
    keyed(values).into_iter().map(|(_, form)| form).collect()
}

/// Values with what they are sorted by.
fn keyed(values: impl IntoIterator<Item = Form>) -> Vec<(Vec<u8>, Form)> {
    let mut values = values.into_iter();
    let Some(first) = values.next() else {
        return Vec::new();
    };
    let Some(second) = values.next() else {
        // Nothing to compare it with.
        return vec![(Vec::new(), first)];
    };
    let all = [first, second].into_iter().chain(values);
    let mut keyed: Vec<_> = all.map(|form| (form.text(), form)).collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0));
    keyed
}
