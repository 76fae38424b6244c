//! Clauses whose text has a grammar.

use crate::filter::clause::{
    Clause, MinimumShouldMatch, Operator, QueryStringClause, SimpleQueryFlag,
    SimpleQueryStringClause,
};

impl Clause {
    /// A text in tantivy's grammar.
    pub fn query_string(query: impl Into<String>) -> QueryStringClause {
        QueryStringClause {
            query: query.into(),
            fields: Vec::new(),
            default_operator: Operator::Or,
            minimum_should_match: None,
            lenient: false,
            boost: 1.0,
            name: None,
        }
    }

    /// A text with few operators, of which no spelling is an error.
    pub fn simple_query_string(query: impl Into<String>) -> SimpleQueryStringClause {
        SimpleQueryStringClause {
            query: query.into(),
            fields: Vec::new(),
            default_operator: Operator::Or,
            flags: SimpleQueryFlag::all(),
            minimum_should_match: None,
            fuzzy_prefix_length: 0,
            fuzzy_transpositions: true,
            lenient: false,
            boost: 1.0,
            name: None,
        }
    }
}

impl SimpleQueryStringClause {
    /// Sets which operators mean something.
    #[must_use]
    pub fn flags(mut self, flags: impl IntoIterator<Item = SimpleQueryFlag>) -> Self {
        self.flags = flags.into_iter().collect();
        self
    }

    /// Sets how many characters at the beginning of words that may differ must be the same.
    #[must_use]
    pub fn fuzzy_prefix_length(mut self, characters: u32) -> Self {
        self.fuzzy_prefix_length = characters;
        self
    }

    /// Sets whether two neighbours that changed places are one edit.
    #[must_use]
    pub fn fuzzy_transpositions(mut self, transpositions: bool) -> Self {
        self.fuzzy_transpositions = transpositions;
        self
    }
}

/// What both clauses have.
macro_rules! query_strings {
    ($($clause:ident),+) => {$(
        impl $clause {
            /// Sets where words without a field are searched.
            #[must_use]
            pub fn fields<F: Into<String>>(mut self, fields: impl IntoIterator<Item = F>) -> Self {
                self.fields = fields.into_iter().map(Into::into).collect();
                self
            }

            /// Sets how words without an operator combine.
            #[must_use]
            pub fn default_operator(mut self, operator: Operator) -> Self {
                self.default_operator = operator;
                self
            }

            /// Sets how many optional parts of the whole text must match.
            #[must_use]
            pub fn minimum_should_match(mut self, minimum: impl Into<MinimumShouldMatch>) -> Self {
                self.minimum_should_match = Some(minimum.into());
                self
            }

            /// Sets whether what a field cannot hold matches nothing there.
            #[must_use]
            pub fn lenient(mut self, lenient: bool) -> Self {
                self.lenient = lenient;
                self
            }
        }
    )+};
}

query_strings!(QueryStringClause, SimpleQueryStringClause);
