//! What a query reads.

use tantivy::Term;
use tantivy::columnar::ColumnType;
use tantivy::query::{AllQuery, BooleanQuery, EmptyQuery, Occur, PhraseQuery, Query, TermQuery};
use tantivy::schema::{Schema, Type};

use crate::filter::{BoundClause, ColumnRangeQuery, TermRangeQuery, TermsQuery};
use crate::needs::need::{Need, Needs};

/// What the query of a clause reads; `scored` says whether scores are computed.
pub(crate) fn needs_of(clause: &BoundClause, scored: bool, schema: &Schema) -> Vec<Need> {
    let mut walk = Walk {
        needs: Needs::default(),
        schema,
    };
    walk.clause(clause, scored);
    walk.needs.into_vec()
}

struct Walk<'s> {
    needs: Needs,
    schema: &'s Schema,
}

impl Walk<'_> {
    fn clause(&mut self, clause: &BoundClause, scored: bool) {
        match clause {
            BoundClause::All | BoundClause::Empty => {}
            BoundClause::Boost(clause, _) => self.clause(clause, scored),
            BoundClause::Bool(clause) => {
                for part in clause.must.iter().chain(&clause.should) {
                    self.clause(part, scored);
                }
                for part in clause.filter.iter().chain(&clause.must_not) {
                    self.clause(part, false);
                }
            }
            BoundClause::ColumnRange { column, types, .. } => {
                self.needs.column(column, Some(types), false);
            }
            BoundClause::Constant(clause, _) => self.clause(clause, false),
            BoundClause::DisMax { queries, .. } => {
                for query in queries {
                    self.clause(query, scored);
                }
            }
            BoundClause::Exists { column, subpaths } => {
                self.needs.column(column, None, *subpaths);
            }
            BoundClause::Opaque(query) => self.query(query.as_ref(), scored),
            BoundClause::Phrase { terms, .. } => {
                self.terms(terms.iter().map(|(_, term)| term), true, scored);
            }
            BoundClause::Term { term, .. } => self.terms([term], false, scored),
            BoundClause::TermRange {
                field,
                lower,
                upper,
            } => {
                self.needs.term_range(*field, lower, upper);
            }
            BoundClause::Terms { terms, .. } => self.terms(terms, false, false),
        }
    }

    fn terms<'t>(
        &mut self,
        terms: impl IntoIterator<Item = &'t Term>,
        positions: bool,
        scored: bool,
    ) {
        for term in terms {
            self.needs.term(term, positions);
            if scored && self.schema.get_field_entry(term.field()).has_fieldnorms() {
                self.needs.norms(term.field());
            }
        }
    }

    /// Takes a query of the caller apart, as far as tantivy shows what is in it.
    fn query(&mut self, query: &dyn Query, scored: bool) {
        if let Some(query) = query.downcast_ref::<Box<dyn Query>>() {
            self.query(query.as_ref(), scored);
        } else if query.is::<AllQuery>() || query.is::<EmptyQuery>() {
            // Neither reads anything.
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
            self.terms(&query.phrase_terms(), true, scored);
        } else if let Some(query) = query.downcast_ref::<TermsQuery>() {
            self.terms(query.terms(), false, false);
        } else if let Some(query) = query.downcast_ref::<TermRangeQuery>() {
            let (lower, upper) = query.bounds();
            self.needs.term_range(query.field(), lower, upper);
        } else if let Some(query) = query.downcast_ref::<ColumnRangeQuery>() {
            self.needs
                .column(query.column(), Some(query.types()), false);
        } else {
            // What terms it admits to arrive together with everything else; the probe finds
            // the rest.
            query.query_terms(&mut |term, positions| self.needs.term(term, positions));
            self.needs.opaque(query.box_clone(), scored);
        }
    }

    /// A term of a field that is fast and not indexed is looked for in the column, where tantivy
    /// does so: without scores.
    fn term_query(&mut self, query: &TermQuery, scored: bool) {
        let term = query.term();
        let entry = self.schema.get_field_entry(term.field());
        if entry.is_indexed() {
            self.terms([term], false, scored);
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
