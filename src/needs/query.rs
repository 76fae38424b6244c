//! What a query reads.

use std::ops::Bound;

use tantivy::Term;
use tantivy::columnar::ColumnType;
use tantivy::query::{AllQuery, BooleanQuery, EmptyQuery, Occur, PhraseQuery, Query, TermQuery};
use tantivy::schema::{Field, Schema, Type};

use super::demand::{Demand, Node, Rule};
use super::label::label;
use super::need::{Needs, TermReads};
use crate::filter::{
    BoundBool, BoundClause, ColumnRangeQuery, Expansion, ExpansionQuery, IdsQuery, TermsQuery,
    after_prefix,
};

/// What a query is run for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Purpose {
    /// Whether scores are computed.
    pub(crate) scored: bool,
    /// Whether matches are counted and nothing else.
    pub(crate) counted: bool,
    /// Whether the clauses are to be labelled, for people.
    pub(crate) labelled: bool,
}

/// That a clause only matches.
pub(crate) const MATCHING: Purpose = Purpose {
    scored: false,
    counted: false,
    labelled: false,
};

/// What the query of a clause reads.
pub(crate) fn needs_of(clause: &BoundClause, purpose: Purpose, schema: &Schema) -> Demand {
    let mut walk = Walk {
        needs: Needs::default(),
        labelled: purpose.labelled,
        schema,
    };
    let clauses = match root(clause) {
        BoundClause::Term { term, .. } if purpose.counted => {
            // tantivy counts the documents of a single term from its entry in the dictionary.
            let mut node = walk.node(Rule::All, clause);
            node.decisive.push(walk.needs.term(term, TermReads::Count));
            node
        }
        _ => walk.clause(clause, purpose.scored),
    };
    Demand {
        needs: walk.needs.into_vec(),
        clauses,
        scored: purpose.scored,
        always_from: usize::MAX,
        learnt: Vec::new(),
    }
}

/// The clause within those that change the score only.
fn root(clause: &BoundClause) -> &BoundClause {
    match clause {
        BoundClause::Boost(inner, _) | BoundClause::Constant(inner, _) => root(inner),
        clause => clause,
    }
}

struct Walk<'s> {
    needs: Needs,
    labelled: bool,
    schema: &'s Schema,
}

impl Walk<'_> {
    fn node(&self, rule: Rule, clause: &BoundClause) -> Node {
        let label = self.labelled.then(|| label(clause, self.schema));
        Node::new(rule, label.unwrap_or_default())
    }

    fn clause(&mut self, clause: &BoundClause, scored: bool) -> Node {
        match clause {
            BoundClause::All | BoundClause::Ids(_) => self.node(Rule::Always, clause),
            BoundClause::Automaton { field, automaton } => {
                let expansion = Expansion::Automaton(automaton.clone());
                self.expansion(clause, *field, &expansion)
            }
            BoundClause::Bool(parts) => self.bool(clause, parts, scored),
            BoundClause::Boost(inner, _) => {
                let inner = self.clause(inner, scored);
                self.node(Rule::All, clause).with_children(vec![inner])
            }
            BoundClause::ColumnRange { column, types, .. } => {
                let mut node = self.node(Rule::All, clause);
                let need = self.needs.column(column, Some(types), false);
                node.decisive.push(need);
                node
            }
            BoundClause::Constant(inner, _) => {
                let inner = self.clause(inner, false);
                self.node(Rule::All, clause).with_children(vec![inner])
            }
            BoundClause::DisMax { queries, .. } => {
                let children = queries.iter().map(|query| self.clause(query, scored));
                let children = children.collect();
                self.node(Rule::AtLeast(1), clause).with_children(children)
            }
            BoundClause::Empty => self.node(Rule::Never, clause),
            BoundClause::Exists { column, subpaths } => {
                let mut node = self.node(Rule::All, clause);
                node.decisive
                    .push(self.needs.column(column, None, *subpaths));
                node
            }
            BoundClause::Opaque(query) => {
                let mut node = self.node(Rule::Always, clause);
                let before = self.needs.len();
                self.query(query.as_ref(), scored);
                node.decisive.extend(before..self.needs.len());
                node
            }
            BoundClause::Phrase { terms, .. } => {
                let node = self.node(Rule::All, clause);
                let terms = terms.iter().map(|(_, term)| term);
                self.with_terms(node, terms, TermReads::Positions, scored)
            }
            BoundClause::PhrasePrefix {
                terms,
                prefix,
                max_expansions,
            } => {
                let node = self.node(Rule::All, clause);
                let first = terms.iter().map(|(_, term)| term);
                let mut node = self.with_terms(node, first, TermReads::Positions, scored);
                let bytes = prefix.1.serialized_value_bytes();
                let end = after_prefix(bytes);
                let expansion = Expansion::Range(Bound::Included(bytes.to_vec()), end);
                let field = prefix.1.field();
                let first = Some(*max_expansions);
                let need = self.needs.expansion(field, &expansion, true, first);
                node.decisive.push(need);
                node
            }
            BoundClause::Term { term, .. } => {
                let node = self.node(Rule::All, clause);
                self.with_terms(node, [term], TermReads::of_term(scored), scored)
            }
            BoundClause::TermRange {
                field,
                lower,
                upper,
            } => {
                let expansion = Expansion::Range(lower.clone(), upper.clone());
                self.expansion(clause, *field, &expansion)
            }
            BoundClause::Terms { terms, .. } => {
                let node = self.node(Rule::AtLeast(1), clause);
                self.with_terms(node, terms, TermReads::Postings, false)
            }
        }
    }

    fn bool(&mut self, clause: &BoundClause, parts: &BoundBool, scored: bool) -> Node {
        let groups = [
            ("must", &parts.must, Rule::All, scored),
            ("filter", &parts.filter, Rule::All, false),
            (
                "should",
                &parts.should,
                Rule::AtLeast(parts.minimum_should_match),
                scored,
            ),
            ("must_not", &parts.must_not, Rule::Always, false),
        ];
        let mut children = Vec::new();
        for (name, clauses, rule, scored) in groups {
            if clauses.is_empty() {
                continue;
            }
            let label = match rule {
                _ if !self.labelled => String::new(),
                Rule::AtLeast(least) if least > 0 => format!("{name}, at least {least}"),
                _ => name.to_owned(),
            };
            let parts = clauses.iter().map(|part| self.clause(part, scored));
            let parts = parts.collect();
            children.push(Node::new(rule, label).with_children(parts));
        }
        self.node(Rule::All, clause).with_children(children)
    }

    fn expansion(&mut self, clause: &BoundClause, field: Field, expansion: &Expansion) -> Node {
        let mut node = self.node(Rule::All, clause);
        let need = self.needs.expansion(field, expansion, false, None);
        node.decisive.push(need);
        node
    }

    fn with_terms<'t>(
        &mut self,
        mut node: Node,
        terms: impl IntoIterator<Item = &'t Term>,
        reads: TermReads,
        scored: bool,
    ) -> Node {
        for term in terms {
            node.decisive.push(self.needs.term(term, reads));
            if scored && self.schema.get_field_entry(term.field()).has_fieldnorms() {
                let norms = self.needs.norms(term.field());
                // A phrase opens them before it looks for its words.
                match reads {
                    TermReads::Positions => node.besides.push(norms),
                    _ => node.if_found.push(norms),
                }
            }
        }
        node
    }

    fn terms<'t>(
        &mut self,
        terms: impl IntoIterator<Item = &'t Term>,
        reads: TermReads,
        scored: bool,
    ) {
        let node = Node::new(Rule::Always, String::new());
        self.with_terms(node, terms, reads, scored);
    }

    /// Takes a query of the caller apart, as far as tantivy shows what is in it.
    fn query(&mut self, query: &dyn Query, scored: bool) {
        if let Some(query) = query.downcast_ref::<Box<dyn Query>>() {
            self.query(query.as_ref(), scored);
        } else if query.is::<AllQuery>() || query.is::<EmptyQuery>() || query.is::<IdsQuery>() {
            // None of them reads anything.
        } else if let Some(query) = query.downcast_ref::<BooleanQuery>() {
            let optional = query
                .clauses()
                .iter()
                .filter(|(occur, _)| *occur == Occur::Should)
                .count();
            // tantivy makes no scorer of a combination that cannot match, but weighs its parts when
            // it scores. What must not match it scores like the rest.
            if scored || optional >= query.get_minimum_number_should_match() {
                for (_, part) in query.clauses() {
                    self.query(part.as_ref(), scored);
                }
            }
        } else if let Some(query) = query.downcast_ref::<TermQuery>() {
            self.term_query(query, scored);
        } else if let Some(query) = query.downcast_ref::<PhraseQuery>() {
            self.terms(&query.phrase_terms(), TermReads::Positions, scored);
        } else if let Some(query) = query.downcast_ref::<TermsQuery>() {
            self.terms(query.terms(), TermReads::Postings, false);
        } else if let Some(query) = query.downcast_ref::<ExpansionQuery>() {
            self.needs
                .expansion(query.field(), query.expansion(), false, None);
        } else if let Some(query) = query.downcast_ref::<ColumnRangeQuery>() {
            self.needs
                .column(query.column(), Some(query.types()), false);
        } else {
            // What terms it admits to arrive together with everything else; the probe finds
            // the rest.
            query.query_terms(&mut |term, positions| {
                let reads = if positions {
                    TermReads::Positions
                } else {
                    TermReads::Postings
                };
                self.needs.term(term, reads);
            });
            self.needs.opaque(query.box_clone(), scored);
        }
    }

    /// A term of a field that is fast and not indexed is looked for in the column, where tantivy
    /// does so: without scores.
    fn term_query(&mut self, query: &TermQuery, scored: bool) {
        let term = query.term();
        let entry = self.schema.get_field_entry(term.field());
        if entry.is_indexed() {
            self.terms([term], TermReads::of_term(scored), scored);
            // When it is scored, it reads positions if it was made to; it does not tell.
            let record = entry.field_type().get_index_record_option();
            if scored && record.is_some_and(|record| record.has_positions()) {
                self.needs.opaque(Box::new(query.clone()), scored);
            }
        } else if entry.is_fast() && !scored {
            let types = column_types(term);
            self.needs
                .column(&term.get_full_path(self.schema), types.as_deref(), false);
        }
        // Otherwise the search fails before it reads anything.
    }
}

/// The types of column that tantivy reads for a term; `None` is any.
fn column_types(term: &Term) -> Option<Vec<ColumnType>> {
    let numbers = || vec![ColumnType::I64, ColumnType::U64, ColumnType::F64];
    let typ = term.value().json_path_type().unwrap_or_else(|| term.typ());
    Some(match typ {
        Type::Bool => vec![ColumnType::Bool],
        Type::Bytes => vec![ColumnType::Bytes],
        Type::Date => vec![ColumnType::DateTime],
        Type::F64 | Type::I64 | Type::U64 => numbers(),
        Type::IpAddr => vec![ColumnType::IpAddr],
        Type::Str => vec![ColumnType::Str],
        Type::Custom | Type::Facet | Type::Json => return None,
    })
}
